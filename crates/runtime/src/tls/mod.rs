//! The process's own certificate authority, and what makes clients trust it.
//!
//! The authority is in a Secret that the chart makes empty; every replica signs its own leaf in memory. Clients are
//! given the current and the next authority long before the next one signs anything.

pub(crate) mod authority;
mod bundle_call;
mod certificate;
mod config_map;
mod error;
mod pinned;
mod publish;
mod rotation;
mod store;

pub use authority::{Authority, AuthorityConfig};
pub use bundle_call::PublishError;
pub use certificate::{CertificateError, bundle_trusts, certificates_of};
pub use config_map::{follow_bundle_config_map, publish_bundle_config_map};
pub use error::{ABANDON_ANNOTATION, AuthorityError};
pub use publish::{BundleHolder, publish_ca_bundle};

use std::{sync::Arc, time::Duration};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// PEM of the certificates that clients should trust: current, next and retired ones. Empty until the Secret was
/// read for the first time.
pub type Bundle = Arc<str>;

/// How long certificates live.
#[derive(Debug, Clone, Copy)]
pub struct AuthorityPolicy {
    /// Of the authority. The next one is published after two thirds of it and signs after five sixths.
    pub ca_lifetime: Duration,
    /// Of a leaf. It is renewed after two thirds of it.
    pub leaf_lifetime: Duration,
    /// The shortest time between publishing a next authority and signing with it.
    pub settle: Duration,
}

impl AuthorityPolicy {
    /// An authority of one year whose bundle is kept current in the webhook configurations.
    pub const WEBHOOK: Self = Self {
        ca_lifetime: DAY.saturating_mul(365),
        leaf_lifetime: DAY.saturating_mul(7),
        settle: Duration::from_secs(60 * 60),
    };
    /// An authority of ten years, which is never replaced silently ([`AuthorityConfig::pinned_in`]): pods keep the bundle they were started with, so a next authority is published
    /// for twenty months before it signs.
    pub const BROKER: Self = Self {
        ca_lifetime: DAY.saturating_mul(3652),
        leaf_lifetime: DAY.saturating_mul(7),
        settle: DAY.saturating_mul(365),
    };
}
