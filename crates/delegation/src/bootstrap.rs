//! The AWS policies of Deputy's own processes (`deputy bootstrap aws`). Skeleton: bodies follow.

use crate::{model::Account, names::ClusterName};
use deputy_policy::Document;

/// One identity and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Suggested name, such as `deputy-provisioner`.
    pub name: &'static str,
    /// Which process uses it.
    pub process: &'static str,
    /// Its identity policy.
    pub policy: Document,
}

/// The identities of an account, least privilege each.
pub fn identities(_cluster: &ClusterName, _account: &Account) -> Vec<Identity> {
    unimplemented!()
}
