//! *Status*: what is said about a boundary policy. Pure.

use deputy_api::{BoundaryProblem, BoundaryStatus, conditions::ConditionReason};
use deputy_aws::AwsError;
use deputy_delegation::boundary;
use deputy_index::BoundaryKey;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    apply::AppliedLook,
    assess::{BoundaryPlan, EnsureBoundary, is_said},
    dereference::BoundaryInputs,
    drift::difference,
    looks::Looks,
    policy::{AppliedBoundary, BoundaryApplyError, Written},
    prove::ProvedBoundary,
};
use crate::{
    limit_status::{BoundaryReport, problem},
    queue::Requeue,
    report::reason_of,
};

/// Remembers what was seen; gives when it is looked at again.
#[must_use]
pub fn next_requeue(
    looks: &Looks,
    key: &BoundaryKey,
    plan: &BoundaryPlan,
    said: &BoundaryReport,
    applied: &AppliedLook,
) -> Requeue {
    match (plan, plan.looked()) {
        (BoundaryPlan::Rest(left) | BoundaryPlan::Say(_, left), _) => Requeue::After(*left),
        (_, Some(looked)) => looks.record(key, looked, &said.entry, applied.next()),
        (_, None) => Requeue::Retry,
    }
}

/// What is said of a policy that was looked at `now`.
#[must_use]
pub fn said(
    inputs: &BoundaryInputs,
    plan: &BoundaryPlan,
    applied: &AppliedLook,
    now: Timestamp,
) -> BoundaryReport {
    let looked = BoundaryStatus {
        account: inputs.key.account.to_string(),
        last_verified: Some(Time(now)),
        ..BoundaryStatus::default()
    };
    match (plan, applied) {
        (_, AppliedLook::Seen(seen)) => BoundaryReport::seen((**seen).clone()),
        (_, AppliedLook::Away(_, error)) => {
            let (reason, message) = reason_of(error);
            BoundaryReport::unseen(looked.account, problem(reason, &message))
        }
        (BoundaryPlan::Ensure(plan), AppliedLook::InForce(boundary)) => {
            BoundaryReport::seen(in_force(looked, plan, boundary))
        }
        (BoundaryPlan::Ensure(plan), AppliedLook::Failed(error)) => failed(looked, plan, error),
        (BoundaryPlan::Prove(plan), AppliedLook::Proved(found)) => BoundaryReport::seen(proved(
            looked,
            &plan.referenced.policy.to_string(),
            &plan.referenced.ceiling_hash,
            found,
        )),
        (BoundaryPlan::Prove(plan), AppliedLook::Unread(error)) => {
            let (reason, message) = reason_of(error);
            let message = format!("{} can't be read: {message}", plan.referenced.policy);
            BoundaryReport::unseen(looked.account, problem(reason, &message))
        }
        // Nothing of one kind comes of a plan of the other.
        (_, _) => BoundaryReport::unseen(looked.account, problem(ConditionReason::Progressing, "under way")),
    }
}

fn in_force(looked: BoundaryStatus, plan: &EnsureBoundary, boundary: &AppliedBoundary) -> BoundaryStatus {
    BoundaryStatus {
        policy_arn: Some(plan.desired.arn.to_string()),
        document_hash: Some(plan.document_hash.clone()),
        version_id: Some(boundary.version_id.clone()),
        sealed: Some(plan.sealed.clone()),
        problem: boundary.old_versions.as_ref().map(left_version),
        untagged: boundary.untagged.first().map(|error| {
            let (reason, message) = reason_of(error);
            problem(reason, &message)
        }),
        ..looked
    }
}

/// The limit is in force, and the former boundary could be again.
fn left_version(error: &AwsError) -> BoundaryProblem {
    let (reason, message) = reason_of(error);
    let message =
        format!("the limit is in force, and an old version of its boundary policy is not deleted: {message}");
    problem(reason, &message)
}

/// Says no more of AWS than was seen: what it has, where it was read; what was known, where it was not; nothing, where nothing is there.
fn failed(looked: BoundaryStatus, plan: &EnsureBoundary, error: &BoundaryApplyError) -> BoundaryReport {
    let arn = &plan.desired.arn;
    let (reason, message) = match error {
        BoundaryApplyError::NotOurs => (
            ConditionReason::Conflict,
            format!("{arn} is not ours: its tags say so; it is left alone"),
        ),
        BoundaryApplyError::OtherCluster(why) => (
            ConditionReason::Conflict,
            format!("{arn} is left alone: it is not this cluster's: {why}"),
        ),
        BoundaryApplyError::Read(error)
        | BoundaryApplyError::Create(error)
        | BoundaryApplyError::Delete(error)
        | BoundaryApplyError::Outdated { error, .. } => reason_of(error),
        BoundaryApplyError::NotShown => (
            ConditionReason::Conflict,
            format!("a policy of the name of {arn} is there, and not at its path; it is left alone"),
        ),
        BoundaryApplyError::NotLeader => (ConditionReason::Progressing, "under way".to_owned()),
    };
    let problem = problem(reason, &message);
    match error {
        BoundaryApplyError::Read(_) | BoundaryApplyError::NotLeader | BoundaryApplyError::Delete(_) => {
            BoundaryReport::unseen(looked.account, problem)
        }
        BoundaryApplyError::Outdated { in_force, .. } => BoundaryReport::seen(BoundaryStatus {
            policy_arn: Some(arn.to_string()),
            document_hash: Some(boundary::hash_of(&in_force.document)),
            version_id: Some(in_force.id.clone()),
            problem: Some(problem),
            ..looked
        }),
        BoundaryApplyError::NotOurs
        | BoundaryApplyError::OtherCluster(_)
        | BoundaryApplyError::Create(_)
        | BoundaryApplyError::NotShown => BoundaryReport::seen(BoundaryStatus {
            problem: Some(problem),
            ..looked
        }),
    }
}

fn proved(looked: BoundaryStatus, arn: &str, ceiling_hash: &str, found: &ProvedBoundary) -> BoundaryStatus {
    let wrong = found
        .problem
        .as_ref()
        .map(|(reason, message)| problem(*reason, message));
    let Some(there) = &found.there else {
        return BoundaryStatus {
            problem: wrong,
            ..looked
        };
    };
    BoundaryStatus {
        policy_arn: Some(arn.to_owned()),
        document_hash: Some(there.document_hash.clone()),
        version_id: Some(there.id.clone()),
        within: Some(there.within),
        ceiling_hash: Some(ceiling_hash.to_owned()),
        problem: wrong,
        ..looked
    }
}

/// What somebody else had changed, and has been put right: the limit's status said that AWS had what it should.
#[must_use]
pub fn drift(inputs: &BoundaryInputs, plan: &BoundaryPlan, applied: &AppliedLook) -> Option<String> {
    let (BoundaryPlan::Ensure(plan), AppliedLook::InForce(applied)) = (plan, applied) else {
        return None;
    };
    let known = inputs.known.as_ref()?;
    if !is_said(known, &plan.desired, &plan.document_hash) {
        return None;
    }
    let (arn, version) = (&plan.desired.arn, &applied.version_id);
    match &applied.written {
        Written::Nothing => None,
        Written::Created => Some(format!(
            "{arn} was deleted by somebody else, and is there again in version {version}"
        )),
        Written::Replaced(before) => Some(format!(
            "{arn} was changed by somebody else, and is as it should be again in version {version}: {}",
            difference(before, &plan.desired.policy.document)
        )),
    }
}
