//! Who answers the containers of a pod: what it says, what its namespace says, and what there is.

use super::{
    config::InjectionConfig,
    delivery::{PodDelivery, ServedBy},
    ours::DELIVERY_ANNOTATION,
    pod::PodView,
};

/// Who is to answer the containers of a pod: as its annotation says, else as its namespace's, else as the chart does. `port` is where a
/// sidecar of this pod listens.
///
/// # Errors
/// The annotation says neither word, or there are no agents on nodes: a pod that was promised one would wait for it for ever, and with a
/// sidecar in its place it would be another one than its author wrote.
pub(super) fn served_by(view: &PodView<'_>, config: &InjectionConfig, port: u16) -> Result<ServedBy, String> {
    let of_namespace = || view.facts.namespace_info.annotations.get(DELIVERY_ANNOTATION);
    let (word, whose) = match view.annotation(DELIVERY_ANNOTATION) {
        Some(own) => (Some(own), "the pod"),
        None => (of_namespace().map(String::as_str), "its namespace"),
    };
    let delivery = match word {
        Some(word) => word
            .parse()
            .map_err(|e| format!("annotation {DELIVERY_ANNOTATION} of {whose}: {e}"))?,
        None => config.agent.delivery,
    };
    match (delivery, config.agent.node) {
        (PodDelivery::Sidecar, _) => Ok(ServedBy::Sidecar(port)),
        (PodDelivery::Node, Some(address)) => Ok(ServedBy::NodeAgent(address)),
        (PodDelivery::Node, None) => Err(format!(
            "annotation {DELIVERY_ANNOTATION} of {whose} says Node, and this cluster has no agents on its nodes: whoever runs the platform \
             installs the chart deputy-agent and sets injection.node.enabled: true in the chart deputy"
        )),
    }
}
