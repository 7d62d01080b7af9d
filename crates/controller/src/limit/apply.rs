//! *Apply*: brings the boundary policies of a limit to where they should be, each write only while the Lease allows.

use std::time::Duration;

use deputy_api::{BoundaryStatus, conditions::ConditionReason};
use deputy_aws::{AwsError, CallPurpose};
use deputy_delegation::{ObjectName, PolicyArn};

use super::{
    assess::{BoundaryPlan, EnsureBoundary, LimitPlan, LimitProblem, ProveBoundary},
    boundary::{BoundaryApplyError, ensure},
    prove::{ProvedBoundary, interval, prove},
};
use crate::{
    context::ControllerContext,
    error::{ReconcileError, chain},
    report::reason_of,
    verified::{DRIFT_INTERVAL, Verified},
};

/// What is now true of a limit in AWS. Only [`apply`] makes one: a status can't be made of a plan.
#[derive(Debug, Default)]
pub struct AppliedLimit {
    /// What AWS has; `None` when it was not asked, because the limit can't be in force.
    pub(super) boundaries: Option<Vec<BoundaryStatus>>,
    /// Why it is not in force everywhere.
    pub(super) problems: Vec<LimitProblem>,
    /// When policies of somebody else are read again.
    pub(super) read_again: Option<Duration>,
    /// What AWS refused of tags.
    pub(super) untagged: Vec<AwsError>,
}

/// Carries out the plan for a limit. In what AWS has stays what it was last seen to have: roles wait for nothing only because AWS
/// can't be asked for a while.
///
/// # Errors
/// [`ReconcileError`]. What AWS says is none: it is among the problems.
pub async fn apply(
    ctx: &ControllerContext,
    verified: &Verified<(ObjectName, ObjectName)>,
    plan: &LimitPlan,
) -> Result<AppliedLimit, ReconcileError> {
    let mut applied = AppliedLimit::default();
    match plan {
        LimitPlan::Refuse(problem) => applied.problems.push(problem.clone()),
        LimitPlan::Enforce(plans) => {
            let mut in_aws = Vec::new();
            for plan in plans {
                match plan {
                    BoundaryPlan::Blocked(problem) => applied.problems.push(problem.clone()),
                    BoundaryPlan::Ensure(plan) => {
                        in_aws.extend(applied.ensure(ctx, verified, plan).await?);
                    }
                    BoundaryPlan::Prove(plan) => in_aws.extend(applied.prove(ctx, verified, plan).await),
                }
            }
            applied.boundaries = Some(in_aws);
        }
    }
    Ok(applied)
}

impl AppliedLimit {
    /// Compares one policy of somebody else with the limit. Gives what AWS has of it.
    async fn prove(
        &mut self,
        ctx: &ControllerContext,
        verified: &Verified<(ObjectName, ObjectName)>,
        plan: &ProveBoundary,
    ) -> Option<BoundaryStatus> {
        self.read_again = Some(interval(&plan.key.0));
        let is_proved = |known: &BoundaryStatus| {
            known.within == Some(true)
                && known.ceiling_hash.as_deref() == Some(plan.referenced.ceiling_hash.as_str())
        };
        let seen = verified.verified_for(&plan.key, plan.fingerprint);
        if plan.known.as_ref().is_some_and(is_proved)
            && seen.is_some_and(|left| left + interval(&plan.key.0) > DRIFT_INTERVAL)
        {
            return plan.known.clone();
        }
        let purpose = if plan.known.is_some() {
            CallPurpose::Look
        } else {
            CallPurpose::Provision
        };
        let policies = ctx.aws.policies(&plan.account, purpose);
        let ProvedBoundary { status, problem } = prove(policies.as_ref(), plan).await;
        match problem {
            None => verified.record(plan.key.clone(), plan.fingerprint),
            Some(problem) => {
                tracing::warn!(policy = %plan.referenced.policy, reason = problem.reason.as_str(), "referenced boundary policy is not proved");
                verified.forget(&plan.key);
                self.problems.push(problem);
            }
        }
        status
    }

    /// Brings one policy to where it should be. Gives what AWS has of it.
    async fn ensure(
        &mut self,
        ctx: &ControllerContext,
        verified: &Verified<(ObjectName, ObjectName)>,
        plan: &EnsureBoundary,
    ) -> Result<Option<BoundaryStatus>, ReconcileError> {
        let EnsureBoundary {
            key,
            account,
            desired,
            document_hash,
            sealed,
            fingerprint,
            known,
        } = plan;
        let is_reported = known.as_ref().is_some_and(|k| k.document_hash == *document_hash);
        if is_reported && verified.verified_for(key, *fingerprint).is_some() {
            return Ok(known.clone().map(|known| BoundaryStatus {
                sealed: Some(sealed.clone()),
                ..known
            }));
        }
        // One that is to be another one may be narrower.
        let purpose = if verified.was_verified(key, *fingerprint) {
            CallPurpose::Look
        } else {
            CallPurpose::Revoke
        };
        let policies = ctx.aws.policies(account, purpose);
        match ensure(policies.as_ref(), desired, &|| ctx.may_write()).await {
            Ok(boundary) => {
                if boundary.is_complete() {
                    verified.record(key.clone(), *fingerprint);
                } else {
                    tracing::warn!(policy = %desired.arn, ?boundary, "boundary policy is in force, with leftovers");
                    verified.forget(key);
                }
                self.problems
                    .extend(boundary.old_versions.as_ref().map(left_version));
                self.untagged.extend(boundary.untagged);
                Ok(Some(BoundaryStatus {
                    account: account.name.to_string(),
                    policy_arn: desired.arn.to_string(),
                    document_hash: document_hash.clone(),
                    version_id: boundary.version_id,
                    sealed: Some(sealed.clone()),
                    within: None,
                    ceiling_hash: None,
                }))
            }
            Err(BoundaryApplyError::NotLeader) => Err(ReconcileError::NotLeader),
            Err(error) => {
                tracing::warn!(policy = %desired.arn, error = %chain(&error), "failed to apply boundary policy");
                verified.forget(key);
                self.problems.push(problem(&desired.arn, &error));
                let is_there = matches!(error, BoundaryApplyError::Read(_) | BoundaryApplyError::Change(_));
                // With the hash of the document that it has, not of the one that it should have.
                Ok(known.clone().filter(|_| is_there))
            }
        }
    }
}

/// The limit is in force, and the former boundary could be again.
fn left_version(error: &AwsError) -> LimitProblem {
    let (reason, message) = reason_of(error);
    LimitProblem::transient(
        reason,
        format!("the limit is in force, and an old version of its boundary policy is not deleted: {message}"),
    )
}

fn problem(arn: &PolicyArn, error: &BoundaryApplyError) -> LimitProblem {
    let (reason, message) = match error {
        BoundaryApplyError::NotOurs => (
            ConditionReason::Conflict,
            format!("{arn} is not ours: its tags say so; it is left alone"),
        ),
        BoundaryApplyError::Read(error)
        | BoundaryApplyError::Create(error)
        | BoundaryApplyError::Change(error) => reason_of(error),
        BoundaryApplyError::NotShown => (
            ConditionReason::Conflict,
            format!("a policy of the name of {arn} is there, and not at its path; it is left alone"),
        ),
        BoundaryApplyError::NotLeader => (ConditionReason::Progressing, "under way".to_owned()),
    };
    LimitProblem::transient(reason, message)
}
