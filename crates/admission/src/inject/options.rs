//! What a pod's annotations say, checked.

use std::collections::BTreeSet;

use deputy_delegation::{model::BindingSelector, quota};
use serde_json::Value;

use super::{
    config::InjectionConfig,
    delivery::{PodDelivery, ServedBy},
    json::Json,
    ours::{DELIVERY_ANNOTATION, INJECTED_ANNOTATION, cut},
    pod::PodView,
    read::PodJson,
    resources,
};

/// Every binding that annotations of a pod name, valid or not.
pub(crate) fn bindings_named<'p>(pod: &'p PodJson<'_>) -> BTreeSet<&'p str> {
    let annotations = pod.metadata("annotations").and_then(Json::as_object);
    let all = annotations.into_iter().flat_map(|all| all.iter());
    let names = all
        .filter(|(key, _)| *key == BINDING || key.strip_prefix(BINDING).is_some_and(|k| k.starts_with('.')));
    names.filter_map(|(_, name)| name.as_str()).collect()
}

/// The binding that a container is to use, as the annotations say it; `None`: the default one.
pub(super) fn binding_named<'a>(view: &PodView<'a>, container: &str) -> Option<&'a str> {
    let is_its_own = |key: &str| {
        let name = key.strip_prefix(BINDING).and_then(|rest| rest.strip_prefix('.'));
        name == Some(container)
    };
    let mut all = view.annotations().into_iter().flat_map(|all| all.iter());
    let own = all.find(|(key, _)| is_its_own(key));
    own.and_then(|(_, value)| value.as_str())
        .or_else(|| view.annotation(BINDING))
}

const BINDING: &str = "deputy.dev/binding";
const WAIT_FOR: &str = "deputy.dev/wait-for";
const PORT: &str = "deputy.dev/agent-port";
/// The most bindings that an agent takes (`DEPUTY_BINDINGS`).
const MAX_BINDINGS: usize = quota::BINDINGS_OF_POD;
/// Below it the agent may not listen: it has no capabilities.
const LOWEST_PORT: u16 = 1024;

/// So many mistakes are told of one pod.
const MISTAKES: usize = 8;

/// What is asked of the injection.
pub(super) struct Options<'a> {
    pod_binding: Option<&'a str>,
    by_container: Vec<(&'a str, &'a str)>,
    pub(super) wait_for: &'a str,
    /// Where the agent listens.
    pub(super) port: u16,
    /// The sidecar's `resources`.
    pub(super) resources: Value,
}

impl<'a> Options<'a> {
    /// Reads the annotations. One that says nothing, or nothing that makes sense, is an error: a typing mistake must not
    /// become another binding. All of them are told at once.
    pub(super) fn read(view: &PodView<'a>, config: &InjectionConfig) -> Result<Self, Vec<String>> {
        let mut options = Self {
            pod_binding: None,
            by_container: Vec::new(),
            wait_for: "credential",
            port: config.agent.port,
            resources: Value::Null,
        };
        let mut mistakes = Vec::new();
        for (key, value) in view.annotations().into_iter().flat_map(|all| all.iter()) {
            let (Some(name), Some(value)) = (key.strip_prefix("deputy.dev/"), value.as_str()) else {
                continue;
            };
            mistakes.extend(options.take(key, name, value).err());
            if mistakes.len() == MISTAKES {
                mistakes.push("what else is wrong is not told".to_owned());
                break;
            }
        }
        match resources::of(view, &config.agent.resources) {
            Ok(resources) => options.resources = resources,
            Err(mistake) => mistakes.push(mistake),
        }
        match mistakes.is_empty() {
            true => Ok(options),
            false => Err(mistakes),
        }
    }

    /// Refuses a container that listens where the agent would, in the same network.
    pub(super) fn without_clash(&self, view: &PodView<'_>, by: ServedBy) -> Result<(), String> {
        let port = by.port();
        let whose = match by {
            ServedBy::Sidecar(_) => {
                format!("deputy's agent listens; annotation {PORT} gives the agent another port")
            }
            ServedBy::NodeAgent(_) if view.host_network() => "deputy's agent on the node listens".to_owned(),
            ServedBy::NodeAgent(_) => return Ok(()),
        };
        match view.containers().find(|c| c.listens_on(port)) {
            None => Ok(()),
            Some(container) => Err(format!(
                "container {} has containerPort {port}, where {whose}",
                cut(container.name()),
            )),
        }
    }

    /// Warns of annotations about a sidecar in a pod that has none, and of a node that has no agent.
    pub(super) fn warn_of_no_sidecar(view: &PodView<'_>, warnings: &mut Vec<String>) {
        let about_sidecar = [WAIT_FOR, PORT].into_iter().chain(resources::ANNOTATIONS);
        for key in about_sidecar.filter(|key| view.annotation(key).is_some()) {
            warnings.push(format!(
                "deputy: annotation {key} says nothing here: it is about a sidecar, and the pod has none (delivery Node)"
            ));
        }
        if let Some(by) = view.virtual_node() {
            warnings.push(format!(
                "deputy: delivery Node, and no DaemonSet runs where the pod does ({by}): it finds no agent there; annotation \
                 {DELIVERY_ANNOTATION}: Sidecar serves it"
            ));
        }
    }

    fn take(&mut self, key: &'a str, name: &'a str, value: &'a str) -> Result<(), String> {
        let binding = || {
            value
                .parse::<BindingSelector>()
                .map(|_| value)
                .map_err(|e| {
                    format!(
                        "annotation {key}: {:?} is neither the name of an AWSRoleBinding nor awsfederateduserbinding/NAME: {e}",
                        cut(value)
                    )
                })
        };
        match name {
            "binding" => self.pod_binding = Some(binding()?),
            // Here only whether it is a word: `served_by` does.
            "delivery" => {
                let word: Result<PodDelivery, _> = value.parse();
                word.map_err(|e| format!("annotation {key} of the pod: {e}"))?;
            }
            "wait-for" if ["credential", "listener"].contains(&value) => self.wait_for = value,
            "wait-for" => {
                return Err(format!(
                    "annotation {WAIT_FOR}: {:?} is neither credential nor listener",
                    cut(value)
                ));
            }
            "agent-port" => {
                let port = value.parse().ok().filter(|port| *port >= LOWEST_PORT);
                self.port = port.ok_or_else(|| {
                    format!(
                        "annotation {PORT}: {:?} is no port from {LOWEST_PORT} to 65535",
                        cut(value)
                    )
                })?;
            }
            _ => match name.strip_prefix("binding.") {
                // That there is such a container is asked when all webhooks are through (the policy `deputy-injection`):
                // another one may bring it.
                Some(container) => self.by_container.push((container, binding()?)),
                None if resources::ANNOTATIONS.contains(&key) => {}
                // What this or another release writes itself.
                None if key.starts_with(INJECTED_ANNOTATION) => {}
                None => {
                    return Err(format!(
                        "annotation {}: there is no such annotation; there are {BINDING}, {BINDING}.CONTAINER, {DELIVERY_ANNOTATION}, {WAIT_FOR}, {PORT}, {}",
                        key.chars().take(128).collect::<String>(),
                        resources::ANNOTATIONS.join(", ")
                    ));
                }
            },
        }
        Ok(())
    }

    /// The binding that a container uses; `None`: the default one.
    pub(super) fn binding_of(&self, container: &str) -> Option<&'a str> {
        self.by_container
            .iter()
            .find(|(c, _)| *c == container)
            .map(|(_, b)| *b)
            .or(self.pod_binding)
    }

    /// Every binding that one of `containers` uses, as `DEPUTY_BINDINGS` says it. An empty name stands for the default one;
    /// the empty list means it alone.
    pub(super) fn used<'c>(&self, containers: impl Iterator<Item = &'c str>) -> Result<String, String> {
        let mut bindings = Vec::new();
        let mut seen = BTreeSet::new();
        let mut default_used = false;
        for container in containers {
            match self.binding_of(container) {
                Some(name) if seen.insert(name) => bindings.push(name),
                Some(_) => {}
                None => default_used = true,
            }
        }
        if default_used && !bindings.is_empty() {
            bindings.insert(0, "");
        }
        if bindings.len() > MAX_BINDINGS {
            return Err(format!(
                "the pod's containers use {} bindings (annotations {BINDING} and {BINDING}.CONTAINER); one pod can use {MAX_BINDINGS}",
                bindings.len()
            ));
        }
        Ok(bindings.join(","))
    }
}
