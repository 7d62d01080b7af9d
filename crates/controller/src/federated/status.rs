//! *Status*: what is said about a binding of a federated user. Pure. It is looked at again when something that it depends on changes.

use deputy_api::{
    AWSFederatedUserBindingStatus,
    conditions::{ConditionType, Conditions},
};
use jiff::Timestamp;

use super::{assess::FederatedAssessment, dereference::FederatedInputs};

/// The status of a binding whose status was `old`. The ARN goes with the acceptance: another namespace's users are not told as one's own.
#[must_use]
pub fn updated(
    old: &AWSFederatedUserBindingStatus,
    inputs: &FederatedInputs,
    assessment: &FederatedAssessment,
    now: Timestamp,
) -> AWSFederatedUserBindingStatus {
    let generation = inputs.object.metadata.generation;
    let mut new = old.clone();
    new.observed_generation = generation;
    new.federated_user_arn = assessment.arn.as_ref().map(ToString::to_string);
    let mut conditions = Conditions::new(&mut new.conditions, generation, now);
    assessment
        .accepted
        .write(&mut conditions, ConditionType::Accepted);
    assessment.ready.write(&mut conditions, ConditionType::Ready);
    new
}
