//! Service meshes. The agent speaks TLS to the broker by itself, before a mesh's proxy is up: its port must not be redirected.
//!
//! A pod's annotation takes the place of what the namespace or the mesh says, so ours starts from that.

use super::{
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
    /// The annotation's value for a pod that is injected; `None`: as it is.
    pub(super) fn ports(&self, view: &PodView<'_>, defaults: &MeshDefaults) -> Option<String> {
        if !(self.at_work)(view) {
            return None;
        }
        let own = view.annotation(self.annotation);
        let present = own.unwrap_or_else(|| self.elsewhere(view, defaults)).trim();
        if own.is_some() && holds_ours(present) {
            return None;
        }
        Some(match present {
            "" => BROKER_PORT.to_owned(),
            _ if holds_ours(present) => present.to_owned(),
            _ => format!("{present},{BROKER_PORT}"),
        })
    }

    /// The annotation's value for a pod that is not injected, without what an injection put in; the inner `None`: it goes.
    pub(super) fn without_ours(&self, view: &PodView<'_>, defaults: &MeshDefaults) -> Option<Option<String>> {
        let own = view.annotation(self.annotation)?;
        let others: Vec<&str> = own
            .split(',')
            .map(str::trim)
            .filter(|p| *p != BROKER_PORT)
            .collect();
        let rest = others.join(",");
        if others.len() == own.split(',').count() {
            None
        } else if rest.is_empty() || rest == self.elsewhere(view, defaults) {
            Some(None)
        } else {
            Some(Some(rest))
        }
    }

    fn elsewhere<'a>(&self, view: &PodView<'a>, defaults: &'a MeshDefaults) -> &'a str {
        let of_namespace = self
            .inherits
            .then(|| view.facts.namespace_info.annotations.get(self.annotation))
            .flatten();
        of_namespace.map_or((self.default)(defaults), String::as_str)
    }
}

/// Whether a list of ports and ranges holds the broker's.
fn holds_ours(ports: &str) -> bool {
    let ours: u16 = BROKER_PORT.parse().unwrap_or_default();
    ports
        .split(',')
        .map(str::trim)
        .any(|part| match part.split_once('-') {
            Some((first, last)) => match (first.trim().parse::<u16>(), last.trim().parse::<u16>()) {
                (Ok(first), Ok(last)) => (first..=last).contains(&ours),
                _ => false,
            },
            None => part == "*" || part == BROKER_PORT,
        })
}

fn has_container(view: &PodView<'_>, name: &str) -> bool {
    view.containers().any(|c: &Container<'_>| c.name() == name)
}

/// <https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/#controlling-the-injection-policy>
fn istio(view: &PodView<'_>) -> bool {
    const INJECT: &str = "sidecar.istio.io/inject";
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
