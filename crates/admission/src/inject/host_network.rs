//! Pods in the network of their node. Whoever else is in that network may listen to what they get, so they get nothing unless the pod
//! itself asks, the agent on the node serves it, and every limit of its namespace gives leave.

use super::{
    config::InjectionConfig,
    delivery::ServedBy,
    ours::{DELIVERY_ANNOTATION, INJECT_LABEL},
    pod::PodView,
    served_by::served_by,
};

/// Whether a pod in the network of its node is injected.
///
/// # Errors
/// The pod asks by its own label, which means it, and can't have it: why.
pub(super) fn is_served(view: &PodView<'_>, config: &InjectionConfig) -> Result<bool, String> {
    if view.label(INJECT_LABEL).is_none() {
        return Ok(false);
    }
    let reason = match served_by(view, config, config.agent.port)? {
        ServedBy::NodeAgent(_) => match view.facts.host_network.refusal() {
            None => return Ok(true),
            Some(reason) => reason,
        },
        ServedBy::Sidecar(_) => format!(
            "the loopback of a sidecar would be that of every such pod; the agent on the node serves it (annotation {DELIVERY_ANNOTATION}: \
             Node), where the limits of its namespace say spec.pods.allowHostNetwork: true"
        ),
    };
    Err(format!(
        "the pod carries the label {INJECT_LABEL}: enabled but can't be injected: it uses the network of its node: {reason}"
    ))
}
