//! What is true of a role in AWS, once it was brought there or looked at.

use std::{collections::BTreeSet, time::Duration};

use deputy_api::conditions::ConditionReason;
use deputy_aws::AwsError;
use deputy_delegation::{ManagedPolicyArn, MaxSessionDuration, ObjectName, trust::LeftOutPrincipal};

use super::{capped::CappedRole, drift::RoleDrift};
use crate::{
    orphans::{HeldDeletion, Orphan, TriedFor},
    verified::DRIFT_INTERVAL,
};

/// What is true of a role in AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleOutcome {
    /// It is as it should be.
    Provisioned {
        /// Whether an accepted binding names it: somebody may become it.
        bound: bool,
        /// Its unique id in AWS.
        role_id: Option<String>,
        /// Of the trust policy that it has.
        trust_hash: Option<String>,
        /// What AWS refused of the account's tags.
        untagged: Vec<AwsError>,
        /// Managed policies that it should have and that do not exist.
        absent: Vec<ManagedPolicyArn>,
        /// Whom accepted bindings name and the trust policy does not.
        left_out: Vec<LeftOutPrincipal>,
    },
    /// It exists, is somebody else's, and lets the broker in.
    Existing {
        /// Whether an accepted binding names it: somebody may become it.
        bound: bool,
        /// Its unique id in AWS.
        role_id: String,
        /// The longest session that AWS gives of it.
        longest_session: MaxSessionDuration,
        /// Condition keys of its trust policy that only AWS knows.
        depends_on: BTreeSet<String>,
    },
    /// Refused: unusable, if it is there at all.
    Suspended {
        /// Its unique id in AWS; `None` when it is not there.
        role_id: Option<String>,
    },
    /// It is not as it should be.
    Waiting {
        reason: ConditionReason,
        message: String,
    },
    /// It is being deleted, and still there.
    Deleting {
        /// What keeps it.
        message: String,
        /// Whether another try can't succeed as long as nobody changes something in AWS.
        ended: TriedFor,
    },
    /// It is gone; or what has its name is not ours, and stays.
    Deleted,
    /// Its object goes, and it stays, closed.
    Retained,
    /// Its object goes, and it stays for now, shut: too many were to be deleted at once.
    Held(Box<HeldDeletion>),
    /// It is given up: it is still there, and its namespace has waited for it long enough.
    Orphaned {
        /// The account that it is in; `None` when there is no AWSAccount of that name.
        account: Option<ObjectName>,
        orphan: Box<Orphan>,
    },
}

impl RoleOutcome {
    /// A role that waits for `reason`.
    pub fn waiting(reason: ConditionReason, message: impl Into<String>) -> Self {
        Self::Waiting {
            reason,
            message: message.into(),
        }
    }
}

/// What is now true of a role in AWS. Only `apply` and `look` make one: a status can't be made of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedRole {
    pub(super) outcome: RoleOutcome,
    /// How long AWS is trusted to be as the outcome says, if that is as it should be. `None`: it could not be asked whether that is so
    /// still.
    pub(super) trusted_for: Option<Duration>,
    /// What its boundary cuts off from its managed policies.
    pub(super) capped: CappedRole,
    /// What somebody changed of it, if that was seen now.
    pub(super) drift: Option<RoleDrift>,
}

impl AppliedRole {
    pub(super) fn now(outcome: RoleOutcome) -> Self {
        Self {
            outcome,
            trusted_for: Some(DRIFT_INTERVAL),
            capped: CappedRole::NotLookedAt,
            drift: None,
        }
    }
}
