//! Pod injection: whether a pod gets credentials, and the patch that gives them, or takes them away. Pure.
//!
//! They come by a sidecar, or by the agent on the node ([`delivery`]), whose pods get the variables and the token alone.
//!
//! A container whose binding has the method AssumeRoleWithWebIdentity gets no sidecar but what the SDK needs to call STS itself
//! ([`web_identity`]).
//!
//! Whether is decided by a label alone (pod, else ServiceAccount, else namespace), never by whether a binding exists yet:
//! GitOps tools create pods before custom resources. The contract is docs/contracts.md, "What a pod gets".
//!
//! Other webhooks run before, between and after, and stored pods come again. So the answer rests on the pod as it is without
//! what is ours ([`pod`]), and the patch makes what is ours as it is to be today: all of it, once, or none of it.

mod config;
mod credentials;
mod decide;
mod delivery;
mod host_network;
mod image;
mod json;
mod label;
mod leave;
mod mesh;
mod operations;
mod options;
mod ours;
mod outcome;
mod patch;
mod pod;
mod quantity;
mod read;
mod resources;
mod served_by;
mod sidecar;
mod today;
mod told;
mod variable;
mod web_identity;

#[cfg(test)]
mod tests;

pub use config::{AgentSettings, InjectionConfig, RunAs};
pub use decide::inject;
pub use delivery::{DeliveryError, NodeAgentAddress, NodeAgentAddressError, PodDelivery};
pub(crate) use json::Json;
pub(crate) use label::{Asked, asked};
pub use leave::HostNetworkLeave;
pub use mesh::MeshDefaults;
pub use operations::Patch;
pub(crate) use options::bindings_named;
pub use ours::{DELIVERY_ANNOTATION, INJECT_LABEL, INJECTED_ANNOTATION, SIDECAR};
pub use outcome::{Injection, SkipReason};
pub use pod::{PodFacts, RegionOf, WebIdentityOf};
pub use quantity::{InvalidQuantity, Quantity};
pub use read::PodJson;
pub use resources::{Amounts, Resources};
pub use told::{ContainerBinding, container_bindings};
