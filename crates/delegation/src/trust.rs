//! The trust policy of a role, built from an AST. Skeleton: bodies follow.

use crate::{
    model::{Account, Kind, ObjectId},
    names::ClusterName,
};
use deputy_policy::Document;

/// Trust for sessions that the broker makes (DESIGN §4): the issuer, this external id, these request tags.
pub fn for_issuer(_cluster: &ClusterName, _account: &Account, _kind: Kind, _id: &ObjectId) -> Document {
    unimplemented!()
}
/// Trust of a role that nobody may assume: no accepted binding, or suspended.
pub fn deny_all() -> Document {
    unimplemented!()
}
