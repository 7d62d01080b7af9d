//! What injection is told: by the chart, and by what is known of the broker.

use std::str::FromStr;

use deputy_delegation::{NamespaceName, Region};

use super::{
    delivery::{NodeAgentAddress, PodDelivery},
    mesh::MeshDefaults,
    resources::Resources,
};

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

/// What the chart says of agents.
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
    /// How credentials reach pods for which neither they nor their namespace say it.
    pub delivery: PodDelivery,
    /// Where the agents on nodes listen; `None`: there are none.
    pub node: Option<NodeAgentAddress>,
}

/// Whom the sidecar runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAs {
    /// This user, and the group of the same number.
    Uid(u32),
    /// Whom the image or the pod says.
    Image,
}

/// Text that names nobody to run as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a user id above 0 nor \"image\"")]
pub struct RunAsError(String);

impl FromStr for RunAs {
    type Err = RunAsError;

    /// A uid above 0, or `image`.
    fn from_str(text: &str) -> Result<Self, RunAsError> {
        match text.parse() {
            Ok(uid) if uid > 0 => Ok(Self::Uid(uid)),
            _ if text == "image" => Ok(Self::Image),
            _ => Err(RunAsError(text.to_owned())),
        }
    }
}
