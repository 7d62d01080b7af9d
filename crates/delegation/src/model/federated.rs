//! Who gets sessions of GetFederationToken, under which name, and what they may do.

use std::collections::BTreeSet;

use super::{Account, ChosenTags, SessionPolicy};
use crate::names::{
    FederatedDuration, FederatedUserArn, FederatedUserName, ObjectId, ObjectName, ServiceAccountName, Uid,
};

/// What the sessions of a federated user may do. There is no third: without a session policy AWS gives them nothing of the user's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FederatedShare {
    /// What this policy and the policies of the account's federation user both allow.
    Policy(SessionPolicy),
    /// Nothing but what resource policies grant that name the federated user.
    ResourcePolicyOnly,
}

impl FederatedShare {
    /// The session policy, if there is one.
    #[must_use]
    pub fn policy(&self) -> Option<&SessionPolicy> {
        match self {
            Self::Policy(policy) => Some(policy),
            Self::ResourcePolicyOnly => None,
        }
    }
}

/// Who: ServiceAccounts that may become a federated user (`AWSFederatedUserBinding`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederatedBinding {
    /// Namespace and name.
    pub id: ObjectId,
    /// The object's uid; none before it is stored.
    pub uid: Option<Uid>,
    /// The AWSAccount it lives in.
    pub account: ObjectName,
    /// The name of the federated user.
    pub user: FederatedUserName,
    /// Who may become it: ServiceAccounts of its namespace.
    pub service_accounts: BTreeSet<ServiceAccountName>,
    /// What its sessions may do.
    pub share: FederatedShare,
    /// The life of a session; the account's default if none.
    pub duration: Option<FederatedDuration>,
    /// Session tags beside Deputy's own.
    pub tags: ChosenTags,
    /// Unix seconds of creation: the oldest binding of a name says whose it is. [`NOT_STORED`](super::NOT_STORED) before
    /// it is stored.
    pub created: i64,
}

impl FederatedBinding {
    /// The ARN of the federated user, which resource policies name.
    #[must_use]
    pub fn arn(&self, account: &Account) -> FederatedUserArn {
        FederatedUserArn::of(&account.partition, &account.id, &self.user)
    }

    /// The life of its sessions: its own, else the account's default.
    #[must_use]
    pub fn duration_in(&self, account: &Account) -> FederatedDuration {
        self.duration
            .unwrap_or_else(|| account.default_session_duration.into())
    }
}
