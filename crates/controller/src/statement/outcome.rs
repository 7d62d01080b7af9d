//! What is true of a statement.

use std::time::Duration;

use deputy_api::conditions::ConditionReason;
use deputy_aws::AwsError;
use deputy_delegation::resource_policy::PolicyEditError;

use crate::{orphans::TriedFor, report::reason_of};

/// What is true of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementOutcome {
    /// The policy has it, with these principals.
    Present,
    /// The policy has none, as it should be.
    Absent,
    /// AWS shows none, and may show for so long what was there before a write.
    Unsure(Duration),
    /// AWS was not asked: something else has to be there first, or it is not accepted and never was.
    Waits {
        reason: ConditionReason,
        message: String,
    },
    /// The policy that is there can't have it.
    Unfit(PolicyEditError),
    /// AWS is away, or may take the same call later.
    Failed(AwsError),
    /// AWS refuses for good.
    Refused(AwsError),
    /// It could not be taken out, for this, and nothing waits for it any more.
    GivenUp(String),
    /// The object is gone.
    Gone,
}

impl StatementOutcome {
    /// How a try to take it out ended; `None` when it is out.
    pub fn try_ended(&self) -> Option<TriedFor> {
        match self {
            Self::Failed(_) => Some(TriedFor::Passing),
            Self::Unsure(left) => Some(TriedFor::Hidden(*left)),
            Self::Refused(_) | Self::Unfit(_) | Self::Waits { .. } => Some(TriedFor::Good),
            Self::Present | Self::Absent | Self::GivenUp(_) | Self::Gone => None,
        }
    }

    /// For people.
    pub fn sentence(&self) -> String {
        match self {
            Self::Present => "the policy has it".to_owned(),
            Self::Absent | Self::Gone => "the policy does not have it".to_owned(),
            Self::Unsure(_) => "AWS may not show yet that the policy has it".to_owned(),
            Self::Waits { message, .. } | Self::GivenUp(message) => message.clone(),
            Self::Unfit(why) => why.to_string(),
            Self::Failed(error) | Self::Refused(error) => reason_of(error).1,
        }
    }
}

/// What is true of a statement now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedStatement {
    pub outcome: StatementOutcome,
    /// What somebody changed, and is changed back.
    pub drift: Option<String>,
    /// When it need not be looked at before.
    pub verified_for: Option<Duration>,
    /// Whether AWS has just taken a policy that has nothing of it.
    pub is_taken_out: bool,
    /// Whether that rests on what was written a short while ago, and not on what AWS shows.
    pub is_from_memory: bool,
}

impl AppliedStatement {
    pub fn now(outcome: StatementOutcome) -> Self {
        Self {
            outcome,
            drift: None,
            verified_for: None,
            is_taken_out: false,
            is_from_memory: false,
        }
    }
}
