//! *Assess*: from everything that was looked up, what is true of a binding of a federated user. Pure.

use deputy_api::conditions::{ConditionReason, Status};
use deputy_delegation::{Decision, FederatedUserArn};

use super::dereference::FederatedInputs;
use crate::report::{ConditionValue, accepted, refused};

/// What is true of a binding of a federated user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederatedAssessment {
    /// Whether it is within every limit, and its name this namespace's.
    pub accepted: ConditionValue,
    /// Whether its subjects get sessions by it.
    pub ready: ConditionValue,
    /// The federated user, as long as the name is the binding's.
    pub arn: Option<FederatedUserArn>,
}

/// What is true of a binding of a federated user.
#[must_use]
pub fn assess(inputs: &FederatedInputs) -> FederatedAssessment {
    let (accepted, ready, arn) = match &inputs.decision {
        Decision::Accepted(within) => {
            let message = "accepted, and nothing gives sessions of federated users yet: the broker does not call GetFederationToken";
            let ready = ConditionValue::new(Status::False, ConditionReason::NotServed, message);
            (accepted(within), ready, inputs.arn.clone())
        }
        Decision::Refused(violations) => {
            let (accepted, ready) = refused(violations);
            (accepted, ready, None)
        }
        Decision::Undecided(missing) => {
            let reason = missing.into();
            (
                ConditionValue::new(Status::Unknown, reason, missing.to_string()),
                ConditionValue::new(Status::False, reason, missing.to_string()),
                None,
            )
        }
    };
    FederatedAssessment { accepted, ready, arn }
}
