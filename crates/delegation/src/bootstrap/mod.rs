//! What has to be in AWS before Deputy is (`deputy bootstrap aws`): its own identities, with what each needs and nothing else.

mod anywhere;
mod federation;
mod identity;
mod policies;
mod resource_policies;
mod scope;
mod setup;

pub use anywhere::{AnywhereIdentityError, give_by_roles_anywhere};
pub use identity::ProcessIdentity;
pub use scope::{BOUNDARY_WRITER, BROKER, CONTROLLER, LIMITS, PROVISIONER};
pub use setup::{AccountSetup, BootstrapError, setups};
