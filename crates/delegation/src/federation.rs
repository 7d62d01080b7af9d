//! The GetFederationToken request of a session: everything that STS is told.

use std::collections::BTreeMap;

use crate::{
    model::{Account, FederatedBinding},
    names::{ClusterName, FederatedDuration, FederatedUserArn, ServiceAccountName, TagKey, TagValue},
    naming,
};

/// Every parameter of `sts:GetFederationToken` that Deputy sends. Equal requests may share a session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FederationRequest {
    /// Whom the session is of: its `Name`, in the account of the caller.
    pub user: FederatedUserArn,
    /// DurationSeconds.
    pub duration: FederatedDuration,
    /// Session tags.
    pub tags: BTreeMap<TagKey, TagValue>,
    /// Inline session policy, canonical JSON. Without one the session has nothing but what resource policies grant to `user`.
    pub policy: Option<String>,
}

/// The request for pods of `service_account`, of the namespace of the accepted `binding`, in `account`. None if the ServiceAccount is not one
/// of the binding's, or account and binding do not belong together.
#[must_use]
pub fn request(
    cluster: &ClusterName,
    account: &Account,
    binding: &FederatedBinding,
    service_account: &ServiceAccountName,
) -> Option<FederationRequest> {
    let together = binding.account == account.name
        && account.federation_user.is_some()
        && binding.service_accounts.contains(service_account);
    if !together {
        return None;
    }
    let mut tags: BTreeMap<_, _> = binding
        .tags
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    tags.extend([
        naming::tag(naming::TAG_CLUSTER, cluster.as_str()),
        naming::tag(naming::TAG_NAMESPACE, binding.id.namespace.as_str()),
        naming::tag(naming::TAG_SERVICE_ACCOUNT, service_account.as_str()),
    ]);
    Some(FederationRequest {
        user: binding.arn(account),
        duration: binding.duration_in(account),
        tags,
        policy: binding.share.policy().map(|policy| policy.to_json()),
    })
}
