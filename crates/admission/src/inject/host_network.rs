//! Pods in the network of their node. Whoever else is in that network may listen to what they get, so they get nothing unless the pod
//! itself asks, the agent on the node serves it, and every limit of its namespace gives leave.

use deputy_delegation::{
    NamespaceName, ObjectName,
    model::{Enforcement, LimitEntry},
};

use super::{
    config::InjectionConfig,
    delivery::{ServedBy, served_by},
    ours::{DELIVERY_ANNOTATION, INJECT_LABEL},
    pod::PodView,
};

/// What the limits of a namespace say of its pods in the network of their node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostNetworkLeave {
    /// Every limit that names the namespace gives leave, and there is one.
    Given,
    /// No limit names the namespace.
    NoLimit,
    /// This one does not give leave.
    Withheld(ObjectName),
    /// This one can't be read, and may be about the namespace.
    Unreadable(ObjectName),
}

impl HostNetworkLeave {
    /// What `limits` (all that there are) say for a namespace. Dry runs neither give nor withhold anything.
    #[must_use]
    pub fn of(limits: &[LimitEntry], namespace: &NamespaceName) -> Self {
        let enforced = limits.iter().filter(|l| l.enforcement() == Enforcement::Enforce);
        let mut leave = Self::NoLimit;
        for entry in enforced.filter(|l| l.scope().is_none_or(|scope| scope.names(namespace))) {
            match entry {
                LimitEntry::Invalid { name, .. } => return Self::Unreadable(name.clone()),
                LimitEntry::Valid(limit) if !limit.allow_host_network => {
                    return Self::Withheld(limit.name.clone());
                }
                LimitEntry::Valid(_) => leave = Self::Given,
            }
        }
        leave
    }

    /// Why there is no leave.
    fn refusal(&self) -> Option<String> {
        match self {
            Self::Given => None,
            Self::NoLimit => Some(
                "no DelegationLimit names its namespace, and one has to say spec.pods.allowHostNetwork: true"
                    .to_owned(),
            ),
            Self::Withheld(name) => Some(format!(
                "DelegationLimit {name} names its namespace and does not say spec.pods.allowHostNetwork: true"
            )),
            Self::Unreadable(name) => Some(format!(
                "DelegationLimit {name} can't be read, and may withhold spec.pods.allowHostNetwork"
            )),
        }
    }
}

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
