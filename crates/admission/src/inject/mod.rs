//! Pod injection: whether a pod gets the sidecar, and the patch that gives it. Pure.
//!
//! Whether is decided by a label alone (pod, else ServiceAccount, else namespace), never by whether a binding exists yet:
//! GitOps tools create pods before custom resources. The contract is docs/contracts.md, "What a pod gets".

mod patch;
mod pod;
mod sidecar;

#[cfg(test)]
mod tests;

use deputy_delegation::{NamespaceName, Region};
use serde_json::Value;

use pod::PodView;
pub use pod::{INJECT_LABEL, PodFacts};

/// The annotation with which the webhook says what it did: `v1`, or `skipped: <why>`.
pub const INJECTED_ANNOTATION: &str = "deputy.dev/injected";
/// The sidecar's name; reserved in injected pods.
pub const SIDECAR: &str = "deputy-agent";

/// What every sidecar is told. None of it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InjectionConfig {
    /// Image of the sidecar, best by digest.
    pub agent_image: String,
    /// `https://<service>.<namespace>.svc:7418`
    pub broker_url: String,
    /// `<cluster address>:7418`, for pods whose DNS can't resolve the name.
    pub broker_address: Option<String>,
    /// PEM bundle of the broker's authority.
    pub broker_ca: String,
    /// Deputy's own namespace: never injected, or a webhook that is down could not come back.
    pub own_namespace: NamespaceName,
}

/// Why a pod stays as it is. Bounded: a metric label and, for some, a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// No label asks for it.
    NotLabelled,
    /// A label says `disabled`.
    Disabled,
    /// A static pod's mirror: its containers run already.
    MirrorPod,
    /// The pod shares its node's network: loopback is every such pod's.
    HostNetwork,
    /// Windows has no native sidecars of this kind.
    Windows,
    /// `kube-system`, and the pod itself does not ask.
    KubeSystem,
    /// Deputy's own namespace.
    OwnNamespace,
    /// The pod carries IRSA's variables, which the SDKs would prefer.
    Irsa,
}

impl SkipReason {
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
        }
    }

    /// What to tell who created a pod that asked for credentials and gets none.
    fn warning(self) -> Option<&'static str> {
        match self {
            Self::HostNetwork => Some(
                "deputy: not injected: the pod uses hostNetwork, where loopback is shared with every other such pod",
            ),
            Self::Windows => Some("deputy: not injected: Windows pods are not supported"),
            Self::KubeSystem => Some(
                "deputy: not injected: in kube-system only pods that carry deputy.dev/inject: enabled themselves are",
            ),
            Self::Irsa => Some(
                "deputy: not injected: AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE are set, and the SDKs would use them instead",
            ),
            Self::NotLabelled | Self::Disabled | Self::MirrorPod | Self::OwnNamespace => None,
        }
    }
}

/// What happens to a pod.
#[must_use]
#[derive(Debug, Clone, PartialEq)]
pub enum Injection {
    /// It stays as it is, but for the annotation where it had asked for more.
    Skipped {
        /// Why.
        reason: SkipReason,
        /// For who created it.
        warnings: Vec<String>,
        /// The annotation that says so, so that the policy which refuses uninjected pods lets it in.
        patch: Vec<Value>,
    },
    /// It gets the sidecar. An empty patch: it has everything already.
    Injected {
        /// RFC 6902 operations.
        patch: Vec<Value>,
        /// For who created it.
        warnings: Vec<String>,
    },
    /// It can't be admitted.
    Refused {
        /// Why, for people.
        message: String,
    },
}

/// Decides about `pod` (the object as the API server sent it) and makes the patch.
pub fn inject(pod: &Value, facts: &PodFacts<'_>, config: &InjectionConfig) -> Injection {
    let view = PodView::new(pod);
    if let Some(reason) = skip(&view, facts, config) {
        let asked = !matches!(
            reason,
            SkipReason::NotLabelled | SkipReason::Disabled | SkipReason::OwnNamespace | SkipReason::MirrorPod
        );
        return Injection::Skipped {
            reason,
            warnings: reason.warning().map(str::to_owned).into_iter().collect(),
            patch: if asked {
                patch::annotate_only(&view, &format!("skipped: {}", reason.as_str()))
            } else {
                Vec::new()
            },
        };
    }
    patch::build(&view, facts, config)
}

fn skip(view: &PodView<'_>, facts: &PodFacts<'_>, config: &InjectionConfig) -> Option<SkipReason> {
    if *facts.namespace == config.own_namespace {
        return Some(SkipReason::OwnNamespace);
    }
    if view.annotation("kubernetes.io/config.mirror").is_some() {
        return Some(SkipReason::MirrorPod);
    }
    let own = view.label(INJECT_LABEL);
    match own.or(facts.service_account_label).or(facts.namespace_label) {
        Some("enabled") => {}
        Some("disabled") => return Some(SkipReason::Disabled),
        _ => return Some(SkipReason::NotLabelled),
    }
    if facts.namespace.as_str() == "kube-system" && own != Some("enabled") {
        return Some(SkipReason::KubeSystem);
    }
    if view.host_network() {
        return Some(SkipReason::HostNetwork);
    }
    if view.windows() {
        return Some(SkipReason::Windows);
    }
    if view.has_irsa() {
        return Some(SkipReason::Irsa);
    }
    None
}

/// The region of the account of a binding of the pod's ServiceAccount (of the default binding when no name is given), if
/// it is known at admission.
pub type RegionOf<'a> = &'a dyn Fn(Option<&str>) -> Option<Region>;
