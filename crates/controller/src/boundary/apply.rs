//! *Apply*: brings a boundary policy to where it should be, each write only while the Lease allows.

use std::time::Duration;

use deputy_api::BoundaryStatus;
use deputy_aws::{AwsError, Policies};

use super::{
    assess::BoundaryPlan,
    looks::NextLook,
    policy::{AppliedBoundary, BoundaryApplyError, ensure},
    prove::{ProvedBoundary, prove},
};
use crate::{
    context::MayWrite,
    error::{ReconcileError, chain},
};

/// What is now true of a boundary policy in AWS. Only [`apply`] makes one: a status can't be made of a plan.
#[derive(Debug)]
pub enum AppliedLook {
    /// As it was seen not long ago.
    Seen(Box<BoundaryStatus>),
    /// It is in force as it should be.
    InForce(AppliedBoundary),
    /// It is not as it should be.
    Failed(BoundaryApplyError),
    /// Somebody else's, read and compared.
    Proved(Box<ProvedBoundary>),
    /// Somebody else's, and AWS could not be read.
    Unread(AwsError),
    /// The account could not be reached, and is not tried again for so long.
    Away(Duration, AwsError),
}

impl AppliedLook {
    /// When AWS is looked at again.
    #[must_use]
    pub fn next(&self) -> NextLook {
        match self {
            Self::Seen(_) => NextLook::Trusted,
            Self::InForce(boundary) if boundary.is_complete() => NextLook::Trusted,
            Self::InForce(boundary) => {
                if boundary.old_versions.is_some() || boundary.untagged.iter().any(AwsError::is_retryable) {
                    NextLook::Soon
                } else {
                    NextLook::Cosmetic
                }
            }
            Self::Failed(_) | Self::Unread(_) => NextLook::Soon,
            Self::Away(left, _) => NextLook::After(*left),
            Self::Proved(proved) if proved.problem.is_none() => NextLook::Trusted,
            Self::Proved(_) => NextLook::Changed,
        }
    }

    /// What AWS refused for which it is not as it should be.
    #[must_use]
    pub fn error(&self) -> Option<&AwsError> {
        match self {
            Self::Failed(
                BoundaryApplyError::Read(error)
                | BoundaryApplyError::Create(error)
                | BoundaryApplyError::Delete(error)
                | BoundaryApplyError::Outdated { error, .. },
            )
            | Self::Unread(error)
            | Self::Away(_, error) => Some(error),
            Self::Failed(
                BoundaryApplyError::NotOurs
                | BoundaryApplyError::OtherCluster(_)
                | BoundaryApplyError::NotShown
                | BoundaryApplyError::NotLeader,
            )
            | Self::Seen(_)
            | Self::InForce(_)
            | Self::Proved(_) => None,
        }
    }
}

/// Carries out the plan for a boundary policy.
///
/// # Errors
/// [`ReconcileError::NotLeader`]. What AWS says is none: it is said of the policy.
pub async fn apply(
    policies: &dyn Policies,
    plan: &BoundaryPlan,
    may_write: MayWrite<'_>,
) -> Result<AppliedLook, ReconcileError> {
    Ok(match plan {
        // There is nothing to do: the caller does not come here.
        BoundaryPlan::Rest(_) => AppliedLook::Seen(Box::default()),
        BoundaryPlan::Say(seen, _) => AppliedLook::Seen(seen.clone()),
        BoundaryPlan::Prove(plan) => match prove(policies, &plan.referenced).await {
            Ok(proved) => {
                if let Some((reason, _)) = &proved.problem {
                    tracing::warn!(policy = %plan.referenced.policy, reason = reason.as_str(), "referenced boundary policy is not proved");
                }
                AppliedLook::Proved(Box::new(proved))
            }
            Err(error) => {
                tracing::warn!(policy = %plan.referenced.policy, %error, "failed to read referenced boundary policy");
                AppliedLook::Unread(error)
            }
        },
        BoundaryPlan::Ensure(plan) => match ensure(policies, &plan.desired, may_write).await {
            Ok(boundary) => {
                if !boundary.is_complete() {
                    tracing::warn!(policy = %plan.desired.arn, old_versions = ?boundary.old_versions, untagged = ?boundary.untagged, "boundary policy is in force, with leftovers");
                }
                AppliedLook::InForce(boundary)
            }
            Err(BoundaryApplyError::NotLeader) => return Err(ReconcileError::NotLeader),
            Err(error) => {
                tracing::warn!(policy = %plan.desired.arn, error = %chain(&error), "failed to apply boundary policy");
                AppliedLook::Failed(error)
            }
        },
    })
}
