//! Service meshes. A sidecar speaks TLS to the broker by itself, before a mesh's proxy is up: the broker's port must not be redirected. Nor
//! may that of the agent on the node, where containers speak to it: a proxy would carry their tokens, and does not know its address.
//!
//! A pod's annotation takes the place of what the namespace or the mesh says, so ours starts from that.

use super::{
    delivery::ServedBy,
    ours::BROKER_PORT,
    pod::{Container, PodView},
};

/// What meshes leave alone everywhere, for pods whose annotation would otherwise forget it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MeshDefaults {
    /// Istio's `global.proxy.excludeOutboundPorts`.
    pub istio: String,
    /// Linkerd's `proxyInit.ignoreOutboundPorts`.
    pub linkerd: String,
}

/// A mesh whose proxy may be put into pods.
pub(super) struct Mesh {
    /// The annotation with ports that go past the proxy.
    pub(super) annotation: &'static str,
    at_work: fn(&PodView<'_>) -> bool,
    /// What of the namespace takes its place where a pod has none.
    inherits: bool,
    default: fn(&MeshDefaults) -> &str,
}

pub(super) const MESHES: [Mesh; 2] = [
    Mesh {
        annotation: "traffic.sidecar.istio.io/excludeOutboundPorts",
        at_work: istio,
        inherits: false,
        default: |d| &d.istio,
    },
    Mesh {
        annotation: "config.linkerd.io/skip-outbound-ports",
        at_work: linkerd,
        inherits: true,
        default: |d| &d.linkerd,
    },
];

/// What a container of a mesh is called: it sets up the network, or is a proxy that all others need.
const CONTAINERS: [&str; 4] = ["istio-", "linkerd-", "kuma-", "consul-"];

/// How many init containers at the beginning are a mesh's. Only those: one further on may wait for something of the
/// application's.
pub(super) fn leading<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.take_while(|name| is_of_a_mesh(name)).count()
}

/// Whether a container is a mesh's, by its name.
pub(super) fn is_of_a_mesh(container: &str) -> bool {
    CONTAINERS.iter().any(|mesh| container.starts_with(mesh))
}

impl Mesh {
    /// What the annotation has to say: with the port that a pod's traffic for credentials goes to (`wanted`; none for a pod that has no
    /// such traffic), and without what a former pass put in for another. `None`: there is to be no annotation.
    pub(super) fn ports(
        &self,
        view: &PodView<'_>,
        defaults: &MeshDefaults,
        wanted: Option<&str>,
    ) -> Option<String> {
        let elsewhere = self.elsewhere(view, defaults);
        let own = view.annotation(self.annotation).map(str::to_owned);
        let own = own.and_then(|own| without(own, &former_ports(view, wanted), elsewhere));
        let Some(wanted) = wanted.filter(|_| (self.at_work)(view)) else {
            return own;
        };
        if own.as_deref().is_some_and(|own| holds(own, wanted)) {
            return own;
        }
        Some(match own.as_deref().unwrap_or(elsewhere).trim() {
            "" => wanted.to_owned(),
            present if holds(present, wanted) => present.to_owned(),
            present => format!("{present},{wanted}"),
        })
    }

    fn elsewhere<'a>(&self, view: &PodView<'a>, defaults: &'a MeshDefaults) -> &'a str {
        let of_namespace = self
            .inherits
            .then(|| view.facts.namespace_info.annotations.get(self.annotation))
            .flatten();
        of_namespace.map_or((self.default)(defaults), String::as_str)
    }
}

/// The port that a pod's traffic for credentials goes to.
pub(super) fn port_of(by: ServedBy) -> String {
    match by {
        ServedBy::Sidecar(_) => BROKER_PORT.to_owned(),
        ServedBy::NodeAgent(_) => by.port().to_string(),
    }
}

/// The ports that a former pass had a mesh leave alone, but for the one that it is to leave alone now.
fn former_ports(view: &PodView<'_>, wanted: Option<&str>) -> Vec<String> {
    let mut ports: Vec<String> = view.node_ports().map(|port| port.to_string()).collect();
    if !view.sidecars().is_empty() || ports.is_empty() && view.holds_agent() {
        ports.push(BROKER_PORT.to_owned());
    }
    ports.retain(|port| Some(port.as_str()) != wanted);
    ports
}

/// A list of ports without `former`; `None` when it then says nothing, or what holds anyway.
fn without(own: String, former: &[String], elsewhere: &str) -> Option<String> {
    let all = own.split(',').map(str::trim);
    let others: Vec<&str> = all.filter(|p| former.iter().all(|f| f != p)).collect();
    if others.len() == own.split(',').count() {
        return Some(own);
    }
    let rest = others.join(",");
    (!rest.is_empty() && rest != elsewhere).then_some(rest)
}

/// Whether a list of ports and ranges holds a port.
fn holds(ports: &str, port: &str) -> bool {
    let number: u16 = port.parse().unwrap_or_default();
    ports
        .split(',')
        .map(str::trim)
        .any(|part| match part.split_once('-') {
            Some((first, last)) => match (first.trim().parse::<u16>(), last.trim().parse::<u16>()) {
                (Ok(first), Ok(last)) => (first..=last).contains(&number),
                _ => false,
            },
            None => part == "*" || part == port,
        })
}

fn has_container(view: &PodView<'_>, name: &str) -> bool {
    view.containers().any(|c: &Container<'_>| c.name() == name)
}

/// <https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/#controlling-the-injection-policy>
fn istio(view: &PodView<'_>) -> bool {
    const INJECT: &str = "sidecar.istio.io/inject";
    if view.host_network() {
        return false;
    }
    if has_container(view, "istio-proxy") {
        return true;
    }
    let labels = &view.facts.namespace_info.labels;
    let of_namespace = labels.get("istio-injection").map(String::as_str);
    match view.label(INJECT).or_else(|| view.annotation(INJECT)) {
        Some("false") => false,
        Some("true") => true,
        _ if of_namespace == Some("disabled") => false,
        _ => {
            of_namespace == Some("enabled")
                || labels.contains_key("istio.io/rev")
                || view.label("istio.io/rev").is_some()
        }
    }
}

/// <https://linkerd.io/2/features/proxy-injection/>
fn linkerd(view: &PodView<'_>) -> bool {
    const INJECT: &str = "linkerd.io/inject";
    if view.host_network() {
        return false;
    }
    if has_container(view, "linkerd-proxy") {
        return true;
    }
    let of_namespace = view
        .facts
        .namespace_info
        .annotations
        .get(INJECT)
        .map(String::as_str);
    matches!(
        view.annotation(INJECT).or(of_namespace),
        Some("enabled" | "ingress")
    )
}
