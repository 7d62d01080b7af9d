//! Pod injection: whether a pod gets the sidecar, and the patch that gives it, or takes it away. Pure.
//!
//! Whether is decided by a label alone (pod, else ServiceAccount, else namespace), never by whether a binding exists yet:
//! GitOps tools create pods before custom resources. The contract is docs/contracts.md, "What a pod gets".
//!
//! Other webhooks run before, between and after, and stored pods come again. So the answer rests on the pod as it is without
//! what is ours ([`pod`]), and the patch makes what is ours as it is to be today: all of it, once, or none of it.

mod credentials;
mod image;
mod mesh;
mod options;
mod patch;
mod pod;
mod quantity;
mod resources;
mod sidecar;
mod today;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, str::FromStr};

use deputy_delegation::{NamespaceName, Region};
use serde_json::Value;

pub use mesh::MeshDefaults;
use pod::PodView;
pub use pod::{INJECT_LABEL, PodFacts};
pub use quantity::{InvalidQuantity, Quantity};
pub use resources::{Amounts, Resources};
pub(crate) use sidecar::TOKEN_VOLUME;

/// The annotation with which the webhook says what it did: `v1`, or `skipped: <why>`. What else it writes begins with it.
pub const INJECTED_ANNOTATION: &str = "deputy.dev/injected";
/// The sidecar's name; reserved in injected pods.
pub const SIDECAR: &str = "deputy-agent";

/// What every sidecar is told. None of it is secret.
#[derive(Debug, Clone, PartialEq)]
pub struct InjectionConfig {
    /// How sidecars are.
    pub agent: AgentSettings,
    /// `https://<service>.<namespace>.svc:7418`
    pub broker_url: String,
    /// `<cluster address>:7418`, for pods whose DNS can't resolve the name.
    pub broker_address: Option<String>,
    /// PEM bundle of the broker's authority.
    pub broker_ca: String,
    /// Deputy's own namespace: never injected, or a webhook that is down could not come back.
    pub own_namespace: NamespaceName,
}

/// What the chart says of sidecars.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentSettings {
    /// The image, best by digest.
    pub image: String,
    /// Where it listens, on loopback, unless a pod says otherwise.
    pub port: u16,
    /// What it asks for and may use, unless a pod says otherwise.
    pub resources: Resources,
    /// Whom it runs as, where the namespace has no range of users.
    pub run_as: RunAs,
    /// The region of pods for which nothing else says one.
    pub default_region: Option<Region>,
    /// What meshes leave alone everywhere.
    pub mesh: MeshDefaults,
}

/// Whom the sidecar runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAs {
    /// This user, and the group of the same number.
    Uid(u32),
    /// Whom the image or the pod says.
    Image,
}

impl FromStr for RunAs {
    type Err = String;

    /// A uid above 0, or `image`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(uid) if uid > 0 => Ok(Self::Uid(uid)),
            _ if text == "image" => Ok(Self::Image),
            _ => Err(format!("{text:?} is neither a user id above 0 nor \"image\"")),
        }
    }
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
    let view = PodView::new(pod, facts);
    match skip(&view, facts, config) {
        Ok(None) => patch::injected(&view, config),
        Ok(Some(reason)) => skipped(&view, config, reason),
        Err(message) => Injection::Refused { message },
    }
}

/// The answer for a pod that gets nothing.
fn skipped(view: &PodView<'_>, config: &InjectionConfig, reason: SkipReason) -> Injection {
    let untouched = matches!(reason, SkipReason::OwnNamespace | SkipReason::MirrorPod);
    let carried = !untouched && view.holds_ours();
    let mut warnings: Vec<String> = reason.warning().map(str::to_owned).into_iter().collect();
    if carried && reason == SkipReason::NotLabelled {
        warnings.push(format!(
            "deputy: the sidecar that came with the pod is taken out: no label {INJECT_LABEL} asks for it (kubectl debug drops a pod's labels without --keep-labels)"
        ));
    }
    // The policy which refuses uninjected pods sees the labels of pod and namespace, and this.
    let by_account = reason == SkipReason::Disabled
        && view.label(INJECT_LABEL).is_none()
        && view.facts.service_account.labels.contains_key(INJECT_LABEL);
    let says = carried || by_account || reason.warning().is_some();
    Injection::Skipped {
        reason,
        patch: if says {
            patch::without(view, config, reason, &warnings)
        } else {
            Vec::new()
        },
        warnings,
    }
}

fn skip(
    view: &PodView<'_>,
    facts: &PodFacts<'_>,
    config: &InjectionConfig,
) -> Result<Option<SkipReason>, String> {
    if *facts.namespace == config.own_namespace {
        return Ok(Some(SkipReason::OwnNamespace));
    }
    if view.annotation("kubernetes.io/config.mirror").is_some() {
        return Ok(Some(SkipReason::MirrorPod));
    }
    let own = view.label(INJECT_LABEL);
    match asked(own, facts)? {
        Asked::Nothing => return Ok(Some(SkipReason::NotLabelled)),
        Asked::No => return Ok(Some(SkipReason::Disabled)),
        Asked::Yes => {}
    }
    Ok(if facts.namespace.as_str() == "kube-system" && own.is_none() {
        Some(SkipReason::KubeSystem)
    } else if view.host_network() {
        Some(SkipReason::HostNetwork)
    } else if view.windows() {
        Some(SkipReason::Windows)
    } else if facts
        .service_account
        .annotations
        .contains_key("eks.amazonaws.com/role-arn")
    {
        // By the ServiceAccount and not by the variables: those come from a webhook that may run after this one.
        Some(SkipReason::Irsa)
    } else {
        None
    })
}

/// What the labels say.
pub(crate) enum Asked {
    /// There is none.
    Nothing,
    /// `disabled`
    No,
    /// `enabled`
    Yes,
}

/// What the label says that decides: the pod's own, else its ServiceAccount's, else its namespace's.
///
/// # Errors
/// It says neither `enabled` nor `disabled`: a typing mistake must neither turn credentials off nor on.
pub(crate) fn asked(own: Option<&str>, facts: &PodFacts<'_>) -> Result<Asked, String> {
    let label = |labels: &BTreeMap<String, String>| labels.get(INJECT_LABEL).cloned();
    let (value, of) = match (
        own,
        label(&facts.service_account.labels),
        label(&facts.namespace_info.labels),
    ) {
        (Some(value), _, _) => (value.to_owned(), "the pod"),
        (None, Some(value), _) => (value, "the pod's ServiceAccount"),
        (None, None, Some(value)) => (value, "its namespace"),
        (None, None, None) => return Ok(Asked::Nothing),
    };
    match value.as_str() {
        "enabled" => Ok(Asked::Yes),
        "disabled" => Ok(Asked::No),
        other => Err(format!(
            "the label {INJECT_LABEL} of {of} is {:?}; it says enabled or disabled",
            cut(other)
        )),
    }
}

/// Enough of a name or value to know it by.
fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

/// The region of the account of a binding of the pod's ServiceAccount (of the default binding when no name is given), or
/// what else is known at admission of where its pods belong.
pub type RegionOf<'a> = &'a dyn Fn(Option<&str>) -> Option<Region>;
