//! *Status*: what is said about a ClusterAWSRole. Pure. It is looked at again when one of its entries changes.

use deputy_api::{
    ClusterAWSRoleStatus,
    conditions::{ConditionType, Conditions},
};
use jiff::Timestamp;

use super::{assess::ClusterRoleAssessment, dereference::ClusterRoleInputs};

/// The status of a ClusterAWSRole whose status was `old`.
#[must_use]
pub fn updated(
    old: &ClusterAWSRoleStatus,
    inputs: &ClusterRoleInputs,
    assessment: &ClusterRoleAssessment,
    now: Timestamp,
) -> ClusterAWSRoleStatus {
    let generation = inputs.object.metadata.generation;
    let mut new = old.clone();
    new.observed_generation = generation;
    new.counts = Some(assessment.counts);
    let mut conditions = Conditions::new(&mut new.conditions, generation, now);
    assessment.ready.write(&mut conditions, ConditionType::Ready);
    for (type_, value) in [
        (ConditionType::Tagged, &assessment.tagged),
        (ConditionType::CappedByBoundary, &assessment.capped),
    ] {
        match value {
            Some(value) => value.write(&mut conditions, type_),
            None => conditions.remove(type_),
        }
    }
    new
}
