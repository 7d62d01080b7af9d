//! *Status*: what is said about a statement, and when it is looked at again. Pure.

use std::time::Duration;

use deputy_api::{
    AWSResourcePolicyStatementStatus,
    conditions::{ConditionReason, ConditionType, Conditions, Status},
};
use deputy_aws::ErrorClass;
use deputy_delegation::resource_policy::PolicyEditError;
use jiff::Timestamp;

use super::{
    assess::{StatementGoal, StatementPlan, StatementTarget},
    dereference::StatementInputs,
    outcome::{AppliedStatement, StatementOutcome},
};
use crate::{
    queue::Requeue,
    report::{ConditionValue, LOOK_AGAIN, reason_of},
};

/// How soon a call is tried again that may succeed by itself.
const SOON: Duration = Duration::from_secs(30);

/// The status of a statement, as it was applied.
#[must_use]
pub fn updated(
    inputs: &StatementInputs,
    plan: &StatementPlan,
    applied: &AppliedStatement,
    now: Timestamp,
) -> AWSResourcePolicyStatementStatus {
    let generation = inputs.object.metadata.generation;
    let target = match &plan.goal {
        StatementGoal::Converge(target) => Some(target.as_ref()),
        StatementGoal::Nothing(_) => None,
    };
    let mut new = inputs.old.clone();
    new.observed_generation = generation;
    match (&applied.outcome, target) {
        (StatementOutcome::Present, Some(target)) => {
            new.principal_arns = target.grantees.iter().map(ToString::to_string).collect();
        }
        // It stays claimed: somebody who read the policy before may write it back.
        (StatementOutcome::Absent, _) => new.principal_arns = Vec::new(),
        _ if applied.is_taken_out => new.principal_arns = Vec::new(),
        _ => {}
    }
    let mut conditions = Conditions::new(&mut new.conditions, generation, now);
    if !plan.is_leaving {
        plan.accepted.write(&mut conditions, ConditionType::Accepted);
    }
    ready(plan, target, applied).write(&mut conditions, ConditionType::Ready);
    new
}

fn ready(
    plan: &StatementPlan,
    target: Option<&StatementTarget>,
    applied: &AppliedStatement,
) -> ConditionValue {
    let not_ready = |reason, message: String| ConditionValue::new(Status::False, reason, message);
    let left_out = target.and_then(|target| target.left_out.clone());
    let (reason, message) = match &applied.outcome {
        StatementOutcome::Present => match (left_out, target) {
            (Some((reason, message)), _) => (reason, message),
            (None, target) => {
                let resource = target.map_or_else(String::new, |target| target.resource.to_string());
                let message = format!("the policy of {resource} has the statement");
                return ConditionValue::new(Status::True, ConditionReason::Ready, message);
            }
        },
        StatementOutcome::Absent
        | StatementOutcome::Unsure(_)
        | StatementOutcome::Gone
        | StatementOutcome::GivenUp(_) => {
            left_out.unwrap_or((ConditionReason::Deleting, applied.outcome.sentence()))
        }
        StatementOutcome::Waits { reason, message } => (*reason, message.clone()),
        StatementOutcome::Unfit(why) => (reason_of_unfit(why), why.to_string()),
        StatementOutcome::Failed(error) | StatementOutcome::Refused(error)
            if error.class() == ErrorClass::NotFound =>
        {
            (
                ConditionReason::ResourceNotFound,
                target.map_or_else(
                    || error.sentence(),
                    |target| format!("{} is not in AWS account {}", target.resource, target.account.id),
                ),
            )
        }
        StatementOutcome::Failed(error) | StatementOutcome::Refused(error)
            if error.class() == ErrorClass::InvalidPrincipal =>
        {
            let (reason, message) = reason_of(error);
            let hint = "AWS takes no policy that names a user or role that is gone, in whosever statement";
            (reason, format!("{message}: {hint}"))
        }
        StatementOutcome::Failed(error) | StatementOutcome::Refused(error) => reason_of(error),
    };
    if plan.is_leaving {
        return not_ready(ConditionReason::Deleting, message);
    }
    not_ready(reason, message)
}

/// Whether AWS is asked, and has to be asked again.
fn is_asked_about(plan: &StatementPlan) -> bool {
    !plan.is_leaving && matches!(plan.goal, StatementGoal::Converge(_))
}

fn reason_of_unfit(why: &PolicyEditError) -> ConditionReason {
    match why {
        PolicyEditError::Taken(_) | PolicyEditError::Unreadable(_) => ConditionReason::Conflict,
        PolicyEditError::Variables { .. } => ConditionReason::Invalid,
        PolicyEditError::TooLarge { .. } => ConditionReason::QuotaExceeded,
    }
}

/// When it is looked at again.
#[must_use]
pub fn next_requeue(plan: &StatementPlan, applied: &AppliedStatement) -> Requeue {
    match &applied.outcome {
        StatementOutcome::Unsure(left) => Requeue::After(*left),
        _ if plan.is_leaving && applied.outcome.try_ended().is_some() => Requeue::Retry,
        StatementOutcome::Present => Requeue::After(applied.verified_for.unwrap_or(LOOK_AGAIN)),
        StatementOutcome::Absent if is_asked_about(plan) => {
            Requeue::After(applied.verified_for.unwrap_or(LOOK_AGAIN))
        }
        StatementOutcome::Failed(_) => Requeue::RetryWithin(SOON),
        // Only somebody else can change that, and nobody tells us.
        StatementOutcome::Refused(_) | StatementOutcome::Unfit(_) => Requeue::After(LOOK_AGAIN),
        StatementOutcome::Absent
        | StatementOutcome::Waits { .. }
        | StatementOutcome::GivenUp(_)
        | StatementOutcome::Gone => Requeue::AwaitChange,
    }
}
