//! *Status*: what is said about a limit, and when it is looked at again. Pure.

use deputy_api::{
    DelegationLimitStatus,
    conditions::{ConditionReason, ConditionType, Conditions, Status},
};
use deputy_aws::AwsError;
use jiff::Timestamp;

use super::{apply::AppliedLimit, dereference::LimitInputs};
use crate::{
    queue::Requeue,
    report::{ConditionValue, LOOK_AGAIN, tagged},
    verified::DRIFT_INTERVAL,
};

/// When the limit is looked at again.
#[must_use]
pub fn next_requeue(applied: &AppliedLimit) -> Requeue {
    let is_transient = applied.problems.iter().any(|p| p.is_transient);
    if is_transient || applied.untagged.iter().any(AwsError::is_retryable) {
        Requeue::Retry
    } else if !applied.untagged.is_empty() {
        Requeue::After(LOOK_AGAIN)
    } else {
        Requeue::After(DRIFT_INTERVAL)
    }
}

/// The status of a limit whose status was `old`.
#[must_use]
pub fn updated(
    old: &DelegationLimitStatus,
    inputs: &LimitInputs,
    applied: &AppliedLimit,
    now: Timestamp,
) -> DelegationLimitStatus {
    let generation = inputs.object.metadata.generation;
    let mut new = old.clone();
    new.observed_generation = generation;
    if let Some(boundaries) = &applied.boundaries {
        new.boundaries.clone_from(boundaries);
    }
    if let Ok(readable) = &inputs.limit {
        new.grants.clone_from(&readable.grants);
    }
    let mut conditions = Conditions::new(&mut new.conditions, generation, now);
    if !new.boundaries.is_empty() {
        tagged(&applied.untagged).write(&mut conditions, ConditionType::Tagged);
    }
    ready(applied).write(&mut conditions, ConditionType::Ready);
    new
}

fn ready(applied: &AppliedLimit) -> ConditionValue {
    match applied.problems.first() {
        None => ConditionValue::new(Status::True, ConditionReason::Ready, "the limit is in force"),
        Some(first) => {
            let all: Vec<&str> = applied.problems.iter().map(|p| p.message.as_str()).collect();
            ConditionValue::new(Status::False, first.reason, all.join("\n"))
        }
    }
}
