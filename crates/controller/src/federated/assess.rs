//! *Assess*: from everything that was looked up, what is true of a binding of a federated user. Pure.

use deputy_api::{
    AWSFederatedUserBindingStatus,
    conditions::{ConditionReason, Status},
};
use deputy_delegation::{Decision, FederatedUserArn};

use super::dereference::{FederatedFacts, FederatedInputs};
use crate::report::{ConditionValue, accepted, refused, refused_session, shadowed, undecided};

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

/// What is true of a binding of a federated user whose status is `old`: there the broker says when STS gives no session.
#[must_use]
pub fn assess(inputs: &FederatedInputs, old: &AWSFederatedUserBindingStatus) -> FederatedAssessment {
    let (accepted, ready, arn) = match &inputs.decision {
        Decision::Accepted(within) => {
            let generation = inputs.object.metadata.generation;
            let ready = ready(&inputs.facts, refused_session(&old.conditions, generation));
            (accepted(within), ready, inputs.facts.arn.clone())
        }
        Decision::Refused(violations) => {
            let (accepted, ready) = refused(violations);
            (accepted, ready, None)
        }
        Decision::Undecided(missing) => {
            let (accepted, ready) = undecided(missing);
            (accepted, ready, None)
        }
    };
    FederatedAssessment { accepted, ready, arn }
}

/// Whether the subjects of an accepted binding get sessions: the first thing that keeps them from it.
fn ready(facts: &FederatedFacts, refused_session: Option<ConditionValue>) -> ConditionValue {
    if let Some(why) = &facts.no_keys {
        let message = format!("no session can be made: {why}");
        return ConditionValue::new(Status::False, ConditionReason::IssuerNotReady, message);
    }
    if let Some(refused) = refused_session {
        return refused;
    }
    if facts.shadowed {
        return shadowed(&facts.annotation);
    }
    let message = format!("pods of {} get credentials", facts.service_accounts);
    ConditionValue::new(Status::True, ConditionReason::Ready, message)
}
