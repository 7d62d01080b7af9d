//! What is true of a statement.

use std::time::Duration;

use deputy_api::conditions::ConditionReason;
use deputy_aws::{AwsError, ErrorClass};
use deputy_delegation::resource_policy::PolicyEditError;

use crate::{orphans::TriedFor, report::reason_of};

/// What is true of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementOutcome {
    /// The policy has it, with these principals.
    Present,
    /// The policy has none, as it should be.
    Absent,
    /// AWS was not asked: something else has to be there first, or it is not accepted and never was.
    Waits {
        reason: ConditionReason,
        message: String,
    },
    /// The policy that is there can't have it, or can't lose it.
    Unfit(PolicyEditError),
    /// AWS refuses, or is away.
    Failed(AwsError),
    /// It could not be taken out, for this, and nothing waits for it any more.
    GivenUp(String),
    /// The object is gone.
    Gone,
}

impl StatementOutcome {
    /// How a try to take it out ended; `None` when it is out.
    pub fn try_ended(&self) -> Option<TriedFor> {
        match self {
            Self::Failed(error) if is_passing(error) => Some(TriedFor::Passing),
            Self::Failed(_) | Self::Unfit(_) | Self::Waits { .. } => Some(TriedFor::Good),
            Self::Present | Self::Absent | Self::GivenUp(_) | Self::Gone => None,
        }
    }

    /// For people.
    pub fn sentence(&self) -> String {
        match self {
            Self::Present => "the policy has it".to_owned(),
            Self::Absent | Self::Gone => "the policy does not have it".to_owned(),
            Self::Waits { message, .. } | Self::GivenUp(message) => message.clone(),
            Self::Unfit(why) => why.to_string(),
            Self::Failed(error) => reason_of(error).1,
        }
    }
}

/// Whether the same call may succeed without anybody doing anything. A role that was just made is not known everywhere.
pub fn is_passing(error: &AwsError) -> bool {
    error.is_retryable() || error.class() == ErrorClass::InvalidPrincipal
}

/// What is true of a statement now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedStatement {
    pub outcome: StatementOutcome,
    /// What somebody changed, and is changed back.
    pub drift: Option<String>,
    /// When it need not be looked at before.
    pub verified_for: Option<Duration>,
}

impl AppliedStatement {
    pub fn now(outcome: StatementOutcome) -> Self {
        Self {
            outcome,
            drift: None,
            verified_for: None,
        }
    }
}
