//! What objects are called in AWS: a function of (clusterName, kind, namespace, name) alone. Skeleton: bodies follow.

use crate::{
    model::{Account, Kind, ObjectId},
    names::{
        ClusterName, ExternalId, IamPath, ObjectName, PolicyArn, PolicyName, RoleArn, RoleName, TagKey,
        TagValue, Uid,
    },
};
use std::collections::BTreeMap;

/// The name of Deputy's one inline policy on each role.
pub const INLINE_POLICY: &str = "deputy";

/// `/deputy/<clusterName>/`
pub fn role_path(_cluster: &ClusterName) -> IamPath {
    unimplemented!()
}
/// `/deputy/<clusterName>/limits/`
pub fn limit_path(_cluster: &ClusterName) -> IamPath {
    unimplemented!()
}
/// `deputy.<namespace>.<name>-<hash>`, at most 47 characters.
pub fn role_name(_cluster: &ClusterName, _kind: Kind, _id: &ObjectId) -> RoleName {
    unimplemented!()
}
/// `deputy-limit.<limit>-<hash>`, at most 64 characters.
pub fn limit_policy_name(_cluster: &ClusterName, _limit: &ObjectName) -> PolicyName {
    unimplemented!()
}
/// The ARN of an AWSRole's role in `account`.
pub fn role_arn(_cluster: &ClusterName, _account: &Account, _id: &ObjectId) -> RoleArn {
    unimplemented!()
}
/// The ARN of a limit's boundary policy in `account`.
pub fn boundary_arn(_cluster: &ClusterName, _account: &Account, _limit: &ObjectName) -> PolicyArn {
    unimplemented!()
}
/// `<clusterName>/<namespace>/<kind>/<name>`
pub fn external_id(_cluster: &ClusterName, _kind: Kind, _id: &ObjectId) -> ExternalId {
    unimplemented!()
}
/// Ownership tags of a role, with the account's own beside them.
pub fn role_tags(
    _cluster: &ClusterName,
    _account: &Account,
    _id: &ObjectId,
    _uid: &Uid,
) -> BTreeMap<TagKey, TagValue> {
    unimplemented!()
}
/// Ownership tags of a boundary policy.
pub fn limit_tags(
    _cluster: &ClusterName,
    _limit: &ObjectName,
    _uid: Option<&Uid>,
) -> BTreeMap<TagKey, TagValue> {
    unimplemented!()
}
