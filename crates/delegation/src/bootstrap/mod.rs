//! What has to be in AWS before Deputy is (`deputy bootstrap aws`): its own identities, with what each needs and nothing else.

mod anywhere;
mod federation;
mod identity;
mod in_cluster;
mod policies;
mod resource_policies;
mod scope;
mod setup;

pub use anywhere::{AnywhereIdentityError, give_by_roles_anywhere};
pub use identity::ProcessIdentity;
pub use in_cluster::{PodIdentityError, PodsBecome, give_to_pods, service_account};
pub use policies::service_control_policy;
pub use scope::{BOUNDARY_WRITER, BROKER, CONTROLLER, LIMITS, PROVISIONER, UnnamedIdentities};
pub use setup::{AccountSetup, BootstrapError, setups, setups_with};
