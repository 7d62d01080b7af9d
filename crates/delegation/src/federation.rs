//! The GetFederationToken request of a session: everything that STS is told.

use std::collections::BTreeMap;

use crate::{
    model::{Account, FederatedBinding},
    names::{ClusterName, FederatedDuration, FederatedUserArn, ServiceAccountName, TagKey, TagValue},
    session::tags_of_pods,
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
    Some(FederationRequest {
        user: binding.arn(account),
        duration: binding.duration_in(account),
        tags: tags_of_pods(&binding.tags, cluster, &binding.id.namespace, service_account),
        policy: binding.share.policy().map(|policy| policy.to_json()),
    })
}
