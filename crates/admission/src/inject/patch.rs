//! The patch: minimal, with `test` operations where an index is used, never a whole array that was there.

use std::collections::BTreeSet;

use deputy_delegation::ObjectName;
use serde_json::{Value, json};

use super::{
    INJECTED_ANNOTATION, Injection, InjectionConfig, PodFacts, SIDECAR,
    pod::{Container, List, PodView},
    sidecar::{self, AUDIENCE, BROKER_PORT, ENDPOINT, SidecarOptions, TOKEN_DIR, TOKEN_FILE, TOKEN_VOLUME},
};

const BINDING: &str = "deputy.dev/binding";
const WAIT_FOR: &str = "deputy.dev/wait-for";
const CPU_REQUEST: &str = "deputy.dev/agent-cpu-request";
const MEMORY_REQUEST: &str = "deputy.dev/agent-memory-request";
const ISTIO_PORTS: &str = "traffic.sidecar.istio.io/excludeOutboundPorts";
const LINKERD_PORTS: &str = "config.linkerd.io/skip-outbound-ports";
/// The most bindings that an agent takes (`DEPUTY_BINDINGS`).
const MAX_BINDINGS: usize = 64;

/// Operations so far, and whether `metadata.annotations` is there to be added to.
struct Builder {
    ops: Vec<Value>,
    warnings: Vec<String>,
    has_annotations: bool,
}

impl Builder {
    fn op(&mut self, op: &str, path: String, value: Value) {
        self.ops.push(json!({"op": op, "path": path, "value": value}));
    }

    fn annotate(&mut self, key: &str, value: &str) {
        if !self.has_annotations {
            self.op("add", "/metadata/annotations".into(), json!({}));
            self.has_annotations = true;
        }
        self.op(
            "add",
            format!("/metadata/annotations/{}", escape(key)),
            json!(value),
        );
    }

    /// Appends to an array of a container, making the array where there is none yet.
    fn append(&mut self, container: &str, key: &str, present: &mut bool, value: Value) {
        if *present {
            self.op("add", format!("{container}/{key}/-"), value);
        } else {
            self.op("add", format!("{container}/{key}"), json!([value]));
            *present = true;
        }
    }
}

/// RFC 6901: `~` and `/` inside a key.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn builder(view: &PodView<'_>) -> Builder {
    Builder {
        ops: Vec::new(),
        warnings: Vec::new(),
        has_annotations: view.has_annotations(),
    }
}

pub(super) fn annotate_only(view: &PodView<'_>, value: &str) -> Vec<Value> {
    let mut b = builder(view);
    if view.annotation(INJECTED_ANNOTATION) != Some(value) {
        b.annotate(INJECTED_ANNOTATION, value);
    }
    b.ops
}

pub(super) fn build(view: &PodView<'_>, facts: &PodFacts<'_>, config: &InjectionConfig) -> Injection {
    if view.list(List::Main).unwrap_or_default().is_empty() {
        // Not a pod the API server would store; it says so better than we could.
        return Injection::Injected {
            patch: Vec::new(),
            warnings: Vec::new(),
        };
    }
    let sidecar = view.containers().find(|(_, _, c)| c.name() == SIDECAR);
    if let Some((list, _, c)) = sidecar
        && (list != List::Init || c.image() != config.agent_image)
    {
        return Injection::Refused {
            message: format!(
                "the container name {SIDECAR} is reserved in pods that deputy injects; spec.{} has one with image {:?}",
                list.key(),
                c.image().chars().take(128).collect::<String>()
            ),
        };
    }
    let options = match Options::read(view) {
        Ok(options) => options,
        Err(message) => return Injection::Refused { message },
    };
    if let Some(message) = foreign_volume(view) {
        return Injection::Refused { message };
    }

    let mut b = builder(view);
    for (list, index, container) in view.containers().filter(|(_, _, c)| c.name() != SIDECAR) {
        credentials_for(&mut b, list, index, container, &options, facts);
    }
    add_volume(&mut b, view);
    if sidecar.is_none() {
        // After the operations above, which use the indexes of the pod as it came.
        add_sidecar(&mut b, view, config, &options);
    }
    exclude_ports(&mut b, view);
    if view.annotation(INJECTED_ANNOTATION) != Some("v1") {
        b.annotate(INJECTED_ANNOTATION, "v1");
    }
    Injection::Injected {
        patch: b.ops,
        warnings: b.warnings,
    }
}

/// What the pod's annotations say, checked.
struct Options<'a> {
    pod_binding: Option<&'a str>,
    by_container: Vec<(&'a str, &'a str)>,
    /// What goes into `DEPUTY_BINDINGS`.
    used: Vec<&'a str>,
    wait_for: &'a str,
    cpu_request: &'a str,
    memory_request: &'a str,
}

impl<'a> Options<'a> {
    fn read(view: &PodView<'a>) -> Result<Self, String> {
        let binding = |key: &str| match view.annotation(key) {
            Some(name) => ObjectName::new(name)
                .map(|_| Some(name))
                .map_err(|e| format!("annotation {key}: {e}")),
            None => Ok(None),
        };
        let mut by_container = Vec::new();
        for (_, _, c) in view.containers() {
            if let Some(name) = binding(&format!("{BINDING}.{}", c.name()))? {
                by_container.push((c.name(), name));
            }
        }
        let wait_for = view.annotation(WAIT_FOR).unwrap_or("credential");
        if !["credential", "listener"].contains(&wait_for) {
            return Err(format!(
                "annotation {WAIT_FOR}: {:?} is neither credential nor listener",
                cut(wait_for)
            ));
        }
        let quantity = |key: &str, default: &'static str| match view.annotation(key) {
            Some(q) if is_quantity(q) => Ok(q),
            Some(q) => Err(format!(
                "annotation {key}: {:?} is not a quantity such as {default}",
                cut(q)
            )),
            None => Ok(default),
        };
        let mut options = Self {
            pod_binding: binding(BINDING)?,
            by_container,
            used: Vec::new(),
            wait_for,
            cpu_request: quantity(CPU_REQUEST, "5m")?,
            memory_request: quantity(MEMORY_REQUEST, "16Mi")?,
        };
        options.used = options.bindings_used(view);
        if options.used.len() > MAX_BINDINGS {
            return Err(format!(
                "the pod's containers use {} bindings (annotations {BINDING} and {BINDING}.CONTAINER); one pod can use {MAX_BINDINGS}",
                options.used.len()
            ));
        }
        Ok(options)
    }

    /// Every binding that a container uses. An empty name stands for the default one; the empty list means it alone.
    fn bindings_used(&self, view: &PodView<'a>) -> Vec<&'a str> {
        let mut bindings = Vec::new();
        let mut seen = BTreeSet::new();
        let mut default_used = false;
        for (_, _, c) in view.containers().filter(|(_, _, c)| c.name() != SIDECAR) {
            match self.binding_of(c.name()) {
                Some(name) if seen.insert(name) => bindings.push(name),
                Some(_) => {}
                None => default_used = true,
            }
        }
        if default_used && !bindings.is_empty() {
            bindings.insert(0, "");
        }
        bindings
    }

    fn binding_of(&self, container: &str) -> Option<&'a str> {
        self.by_container
            .iter()
            .find(|(c, _)| *c == container)
            .map(|(_, b)| *b)
            .or(self.pod_binding)
    }
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

/// A Kubernetes quantity, as far as needed to keep nonsense out of the sidecar; the API server checks the rest.
fn is_quantity(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    text.len() <= 16
        && digits.parse::<f64>().is_ok_and(|n| n.is_finite() && n > 0.0)
        && text
            .get(digits.len()..)
            .is_some_and(|unit| ["", "m", "k", "M", "G", "Ki", "Mi", "Gi"].contains(&unit))
}

fn credentials_for(
    b: &mut Builder,
    list: List,
    index: usize,
    container: Container<'_>,
    options: &Options<'_>,
    facts: &PodFacts<'_>,
) {
    let path = format!("/spec/{}/{index}", list.key());
    let uri = match options.binding_of(container.name()) {
        Some(binding) => format!("{ENDPOINT}/{binding}"),
        None => ENDPOINT.to_owned(),
    };
    let mut wanted = vec![
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", TOKEN_FILE.to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    if container.env("AWS_DEFAULT_REGION").is_none()
        && container.env("AWS_REGION").is_none()
        && let Some(region) = (facts.region)(options.binding_of(container.name()))
    {
        // Both: boto3 and the command line read only the second, the other SDKs the first.
        wanted.push(("AWS_REGION", region.to_string()));
        wanted.push(("AWS_DEFAULT_REGION", region.to_string()));
    }
    // RELATIVE_URI wins over FULL_URI in every SDK, and static keys win over both.
    for other in ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_ACCESS_KEY_ID"] {
        if container.env(other).is_some() {
            b.warnings.push(format!(
                "deputy: container {} sets {other}, which the SDKs use instead of its binding",
                cut(container.name())
            ));
        }
    }

    let (mut has_env, mut has_mounts) = (container.has("env"), container.has("volumeMounts"));
    let mut ops = Builder {
        ops: Vec::new(),
        warnings: Vec::new(),
        has_annotations: true,
    };
    for (name, value) in wanted {
        match container.env(name) {
            None => ops.append(&path, "env", &mut has_env, json!({"name": name, "value": value})),
            Some(set) if set.get("value").and_then(Value::as_str) == Some(value.as_str()) => {}
            Some(_) => ops.warnings.push(format!(
                "deputy: container {} sets {name} itself; kept as it is",
                cut(container.name())
            )),
        }
    }
    match container.mounts(TOKEN_DIR) {
        None => ops.append(&path, "volumeMounts", &mut has_mounts, sidecar::token_mount()),
        Some(mount) if mount.get("name").and_then(Value::as_str) == Some(TOKEN_VOLUME) => {}
        Some(_) => ops.warnings.push(format!(
            "deputy: container {} mounts something else at {TOKEN_DIR}; kept as it is",
            cut(container.name())
        )),
    }
    b.warnings.append(&mut ops.warnings);
    if !ops.ops.is_empty() {
        // The container at this index must still be the one that was looked at.
        b.op("test", format!("{path}/name"), json!(container.name()));
        b.ops.append(&mut ops.ops);
    }
}

/// A volume of our name that holds no token of ours would leave the containers without credentials.
fn foreign_volume(view: &PodView<'_>) -> Option<String> {
    let volume = view
        .volumes()?
        .iter()
        .find(|v| v.get("name").and_then(Value::as_str) == Some(TOKEN_VOLUME))?;
    let audience = volume.pointer("/projected/sources/0/serviceAccountToken/audience");
    (audience.and_then(Value::as_str) != Some(AUDIENCE)).then(|| {
        format!("the volume name {TOKEN_VOLUME} is reserved in pods that deputy injects; spec.volumes has one that is something else")
    })
}

fn add_volume(b: &mut Builder, view: &PodView<'_>) {
    match view.volumes() {
        Some(volumes)
            if volumes
                .iter()
                .any(|v| v.get("name").and_then(Value::as_str) == Some(TOKEN_VOLUME)) => {}
        Some(_) => b.op("add", "/spec/volumes/-".into(), sidecar::token_volume()),
        None => b.op("add", "/spec/volumes".into(), json!([sidecar::token_volume()])),
    }
}

fn add_sidecar(b: &mut Builder, view: &PodView<'_>, config: &InjectionConfig, options: &Options<'_>) {
    let sidecar = sidecar::sidecar(
        config,
        &SidecarOptions {
            bindings: &options.used,
            wait_for: options.wait_for,
            cpu_request: options.cpu_request,
            memory_request: options.memory_request,
        },
    );
    match view.list(List::Init) {
        None => b.op("add", "/spec/initContainers".into(), json!([sidecar])),
        Some(init) => {
            // First, so that init containers have credentials too; but after a mesh's, which set up the network.
            let mesh = |c: &Value| {
                c.get("name")
                    .and_then(Value::as_str)
                    .is_some_and(|n| n.starts_with("istio-") || n.starts_with("linkerd-"))
            };
            let at = init.iter().rposition(mesh).map_or(0, |i| i + 1);
            if let Some(previous) = at.checked_sub(1).and_then(|i| init.get(i)) {
                b.op(
                    "test",
                    format!("/spec/initContainers/{}/name", at - 1),
                    previous.get("name").cloned().unwrap_or_default(),
                );
            }
            b.op("add", format!("/spec/initContainers/{at}"), sidecar);
        }
    }
}

/// The agent speaks TLS to the broker by itself; a mesh's proxy would only be in the way, and is not up yet when the agent starts.
fn exclude_ports(b: &mut Builder, view: &PodView<'_>) {
    for key in [ISTIO_PORTS, LINKERD_PORTS] {
        let value = match view.annotation(key) {
            Some(ports) if ports.split(',').any(|p| p.trim() == BROKER_PORT) => continue,
            Some(ports) if !ports.trim().is_empty() => format!("{ports},{BROKER_PORT}"),
            _ => BROKER_PORT.to_owned(),
        };
        b.annotate(key, &value);
    }
}
