//! What comes of a pod, and why it stays as it is.

use std::collections::BTreeSet;

use super::operations::Patch;

/// Why a pod stays as it is. Bounded: a metric label and, for some, a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// No label asks for it.
    NotLabelled,
    /// A label says `disabled`.
    Disabled,
    /// A static pod's mirror: its containers run already.
    MirrorPod,
    /// The pod shares its node's network, and does not ask by its own label: others may listen there.
    HostNetwork,
    /// Windows has no native sidecars of this kind.
    Windows,
    /// `kube-system`, and the pod itself does not ask.
    KubeSystem,
    /// Deputy's own namespace.
    OwnNamespace,
    /// The ServiceAccount has an IAM role by IRSA, whose variables the SDKs prefer; or every container has them.
    Irsa,
    /// Every container brings a provider of its own.
    OwnCredentials,
}

impl SkipReason {
    /// Those that a pod may be let in with although a label asks for injection. The chart's admission policy holds the same
    /// list (`tests/contracts`).
    pub const ANNOTATED: [Self; 5] = [
        Self::Disabled,
        Self::HostNetwork,
        Self::Windows,
        Self::Irsa,
        Self::OwnCredentials,
    ];

    /// The word in metrics and in the annotation.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotLabelled => "not-labelled",
            Self::Disabled => "disabled",
            Self::MirrorPod => "mirror-pod",
            Self::HostNetwork => "host-network",
            Self::Windows => "windows",
            Self::KubeSystem => "kube-system",
            Self::OwnNamespace => "own-namespace",
            Self::Irsa => "irsa",
            Self::OwnCredentials => "own-credentials",
        }
    }

    /// What to tell who created a pod that asked for credentials and gets none.
    pub(super) fn warning(self) -> Option<&'static str> {
        match self {
            Self::HostNetwork => Some(
                "deputy: not injected: the pod uses hostNetwork, where others may listen: only the agent on the node serves such pods, by a label of their own and with leave of their namespace's limits",
            ),
            Self::Windows => Some("deputy: not injected: Windows pods are not supported"),
            Self::KubeSystem => Some(
                "deputy: not injected: in kube-system only pods that carry deputy.dev/inject: enabled themselves are",
            ),
            Self::Irsa => Some(
                "deputy: not injected: the ServiceAccount or every container has an IAM role by IRSA (eks.amazonaws.com/role-arn), which SDKs use first",
            ),
            Self::OwnCredentials => {
                Some("deputy: not injected: every container brings a provider of credentials of its own")
            }
            Self::NotLabelled | Self::Disabled | Self::MirrorPod | Self::OwnNamespace => None,
        }
    }
}

/// What happens to a pod.
#[must_use]
#[derive(Debug, Clone, PartialEq)]
pub enum Injection {
    /// It has nothing of ours in the end.
    Skipped {
        /// Why.
        reason: SkipReason,
        /// For who created it.
        warnings: Vec<String>,
        /// Takes away what an earlier pass put in, and says so in annotations where a label asked for more.
        patch: Patch,
    },
    /// It gets credentials, by a sidecar or by the agent on its node. An empty patch: it has everything already.
    Injected {
        /// RFC 6902 operations.
        patch: Patch,
        /// For who created it.
        warnings: Vec<String>,
        /// The bindings that its containers use, by name; `None`: the default one. Not those of containers with credentials of their own.
        bindings: BTreeSet<Option<String>>,
    },
    /// It can't be admitted.
    Refused {
        /// Why, for people.
        message: String,
    },
}
