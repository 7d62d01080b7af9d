//! The leave of limits for pods in the network of their node.

use deputy_delegation::{
    NamespaceName, ObjectName,
    model::{Enforcement, LimitEntry},
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
    pub(super) fn refusal(&self) -> Option<String> {
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
