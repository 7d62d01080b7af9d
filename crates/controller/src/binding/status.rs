//! *Status*: what is said about a binding. Pure. It is looked at again when something that it depends on changes.

use deputy_api::{
    AWSRoleBindingStatus,
    conditions::{ConditionType, Conditions},
};
use jiff::Timestamp;

use super::{assess::BindingAssessment, dereference::BindingInputs};

/// The status of a binding whose status was `old`.
#[must_use]
pub fn updated(
    old: &AWSRoleBindingStatus,
    inputs: &BindingInputs,
    assessment: &BindingAssessment,
    now: Timestamp,
) -> AWSRoleBindingStatus {
    let generation = inputs.object.metadata.generation;
    let mut new = old.clone();
    new.observed_generation = generation;
    if let Some(arn) = &inputs.facts.role_arn {
        new.role_arn = Some(arn.clone());
    }
    new.caller_policy.clone_from(&inputs.facts.caller_policy);
    let mut conditions = Conditions::new(&mut new.conditions, generation, now);
    assessment
        .accepted
        .write(&mut conditions, ConditionType::Accepted);
    assessment.ready.write(&mut conditions, ConditionType::Ready);
    new
}
