//! The install as it was seen once: all that checks may depend on.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

/// What was seen, or why it was not.
pub type Sight<T> = Result<T, String>;

/// The parts of Deputy that run as Deployments.
pub const PROCESSES: [&str; 4] = ["broker", "controller", "limits", "webhook"];

/// The ValidatingAdmissionPolicies that hold while no webhook answers, each with a binding of its name.
pub const POLICIES: [&str; 4] = [
    "deputy-injection",
    "deputy-injection-by-account",
    "deputy-injection-label",
    "deputy-statement-finalizer",
];

/// The webhook that judges Deputy's kinds.
pub const OBJECTS_WEBHOOK: &str = "objects.deputy.dev";
/// The API for people, which is there where somebody asked for it (`people.enabled`).
pub const PEOPLE_SERVICE: &str = "v1alpha1.credentials.deputy.dev";
/// Role and binding by which the broker knows the API server that hands on what people ask.
pub const PEOPLE_ROLE: &str = "kube-system/deputy-broker";

/// An object by kind and name. Those with a namespace are of the release's, or of the one before a slash.
pub type SeenName = (&'static str, String);

/// When an API server answered, by its clock and by this one's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerClock {
    /// Its `Date`, in whole seconds.
    pub said: Timestamp,
    pub asked: Timestamp,
    pub answered: Timestamp,
}

/// What became of an AWSRole that the webhook has to refuse, and that is stored by nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrialAnswer {
    /// Deputy's webhook refused it.
    Refused,
    /// It would have been stored.
    Taken,
    /// The namespace of the release is not there.
    NoNamespace,
    /// The API server asked it, and got no answer.
    Failed(String),
}

/// The sidecars of pods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenAgents {
    /// How many pods have each image.
    pub images: BTreeMap<String, usize>,
    /// Whether all pods were looked at.
    pub is_whole: bool,
}

/// What the instance metadata service says to whoever asks from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataAnswer {
    /// It gives the token with which the node's credentials are read.
    Token,
    /// It answers without one.
    Open,
    /// It does not answer, or refuses.
    Closed,
}

/// All that was seen.
#[derive(Debug)]
pub struct DoctorSnapshot {
    /// Of the release.
    pub namespace: String,
    pub now: Timestamp,
    pub clock: Sight<ServerClock>,
    /// Single objects; none where there is none.
    pub objects: BTreeMap<SeenName, Sight<Option<Value>>>,
    pub accounts: Sight<Vec<Value>>,
    pub cluster_roles: Sight<Vec<Value>>,
    pub limits: Sight<Vec<Value>>,
    /// Of the Services in the release's namespace.
    pub endpoint_slices: Sight<Vec<Value>>,
    pub agents: Sight<SeenAgents>,
    pub trial: Sight<TrialAnswer>,
    /// By its addresses; none where it was not asked for.
    pub metadata_service: BTreeMap<&'static str, Sight<MetadataAnswer>>,
}

impl DoctorSnapshot {
    /// An object, or none where there is none.
    ///
    /// # Errors
    /// Why it was not seen.
    pub fn object(&self, kind: &'static str, name: &str) -> Result<Option<&Value>, &str> {
        match self.objects.get(&(kind, name.to_owned())) {
            Some(Ok(object)) => Ok(object.as_ref()),
            Some(Err(why)) => Err(why),
            None => Err("it was not looked at"),
        }
    }
}

/// Every single object that is looked at.
pub fn looked_at(definitions: &[String]) -> Vec<SeenName> {
    let own = |kind: &'static str, names: &[&str]| -> Vec<SeenName> {
        names.iter().map(|name| (kind, (*name).to_owned())).collect()
    };
    let processes = PROCESSES.map(|process| format!("deputy-{process}"));
    let of_processes = |kind: &'static str| processes.iter().map(move |name| (kind, name.clone()));
    let mut all = own("ValidatingWebhookConfiguration", &["deputy"]);
    all.extend(own("MutatingWebhookConfiguration", &["deputy"]));
    all.extend(own("ConfigMap", &["deputy-broker-bundle", "deputy-cluster"]));
    all.extend(own("APIService", &[PEOPLE_SERVICE]));
    all.extend(own("Role", &[PEOPLE_ROLE]));
    all.extend(own("RoleBinding", &[PEOPLE_ROLE]));
    for kind in [
        "Deployment",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
    ] {
        all.extend(of_processes(kind));
    }
    for kind in ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] {
        all.extend(own(kind, &POLICIES));
    }
    all.extend(
        definitions
            .iter()
            .map(|name| ("CustomResourceDefinition", name.clone())),
    );
    all
}
