//! The AssumeRole request of a session. Skeleton: bodies follow.

use crate::{
    model::{Account, Binding, Role},
    names::{
        ClusterName, ExternalId, PodName, RoleArn, ServiceAccountName, SessionDuration, SessionName, TagKey,
        TagValue, Uid,
    },
};
use std::collections::BTreeMap;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its ServiceAccount (of the binding's namespace).
    pub service_account: ServiceAccountName,
    /// The pod.
    pub pod: PodName,
    /// The pod's uid.
    pub pod_uid: Uid,
}

/// Every parameter of `sts:AssumeRole` that Deputy sends. Equal requests may share a session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionRequest {
    /// The role.
    pub role: RoleArn,
    /// RoleSessionName.
    pub session_name: SessionName,
    /// ExternalId.
    pub external_id: ExternalId,
    /// DurationSeconds.
    pub duration: SessionDuration,
    /// Session tags.
    pub tags: BTreeMap<TagKey, TagValue>,
    /// Inline session policy, canonical JSON.
    pub policy: Option<String>,
}

/// The request for `subject` under an accepted binding of an accepted role. None if `subject` is not one of the binding's.
pub fn request(
    _cluster: &ClusterName,
    _account: &Account,
    _role: &Role,
    _binding: &Binding,
    _subject: &Subject,
) -> Option<SessionRequest> {
    unimplemented!()
}
