//! What is true of a role after an attempt to bring it to its target. Pure.

use std::time::Duration;

use deputy_api::conditions::ConditionReason;
use deputy_aws::AwsError;
use deputy_delegation::trust::LeftOutPrincipal;

use super::{
    assess::Convergence,
    converge::{Converged, RoleApplyError},
    outcome::{AppliedRole, RoleOutcome},
    target::RoleTarget,
};
use crate::{orphans::TriedFor, report::reason_of};

impl Convergence {
    /// Whether a role that is there becomes less, and one that is not is left alone.
    pub(super) fn takes_away(&self) -> bool {
        match self.target {
            RoleTarget::Suspend | RoleTarget::Retain | RoleTarget::Shut | RoleTarget::Delete => true,
            RoleTarget::Provision(_) | RoleTarget::Hold { .. } => false,
        }
    }

    /// What is said while it is not believed that AWS has no such role: what was said, if that is the same, so that a process that begins
    /// writes nothing.
    pub(super) fn doubted(&self, left: Duration) -> AppliedRole {
        if !self.is_said_not_made {
            return AppliedRole::now(self.not_shown(left));
        }
        AppliedRole {
            trusted_for: Some(left),
            ..AppliedRole::now(RoleOutcome::Suspended { role_id: None })
        }
    }

    /// What is true of a role that AWS does not show, which is not believed yet.
    fn not_shown(&self, left: Duration) -> RoleOutcome {
        self.unfinished(
            ConditionReason::Progressing,
            "AWS shows no role of this name, which may have been made a moment ago: it is looked at again for a minute".to_owned(),
            TriedFor::Hidden(left),
        )
    }

    /// Whether the role stays as it is when it has reached its target.
    pub(super) fn is_final(&self) -> bool {
        match self.target {
            RoleTarget::Provision(_) | RoleTarget::Suspend => true,
            RoleTarget::Hold { .. } | RoleTarget::Retain | RoleTarget::Shut | RoleTarget::Delete => false,
        }
    }

    /// What is true of a role that is as it was when it was as it should be.
    pub(super) fn as_it_was(&self) -> RoleOutcome {
        let converged = Converged {
            changed: false,
            role_id: self.known_role_id.clone(),
            refused_tags: Vec::new(),
            absent: Vec::new(),
        };
        self.as_it_should_be(converged, Vec::new())
    }

    /// What is true of a role that is as it should be, or would be but for the boundary that it waits for.
    pub(super) fn as_it_should_be(
        &self,
        converged: Converged,
        left_out: Vec<LeftOutPrincipal>,
    ) -> RoleOutcome {
        let Converged {
            role_id,
            refused_tags: untagged,
            absent,
            ..
        } = converged;
        match self.target {
            RoleTarget::Provision(_) | RoleTarget::Hold { .. } => RoleOutcome::Provisioned {
                bound: self.bound,
                role_id,
                trust_hash: self.trust.as_ref().map(|trust| trust.compiled.hash()),
                untagged,
                absent,
                left_out,
            },
            RoleTarget::Suspend => RoleOutcome::Suspended { role_id },
            RoleTarget::Retain => RoleOutcome::Retained,
            RoleTarget::Shut if role_id.is_some() => RoleOutcome::Suspended { role_id },
            RoleTarget::Shut => RoleOutcome::Deleted,
            RoleTarget::Delete => RoleOutcome::Deleted,
        }
    }

    /// What is true of a role about which nothing is left to do.
    pub(super) fn reached(&self, converged: Converged, left_out: Vec<LeftOutPrincipal>) -> RoleOutcome {
        match &self.target {
            RoleTarget::Hold { until, .. } => RoleOutcome::waiting(ConditionReason::BoundaryNotReady, until),
            RoleTarget::Retain if converged.refused_tags.iter().any(AwsError::is_retryable) => {
                RoleOutcome::Deleting {
                    message: "the role is closed, and its tag can't be written yet".into(),
                    ended: TriedFor::Passing,
                }
            }
            _ => self.as_it_should_be(converged, left_out),
        }
    }

    /// What is true of a role that could not be brought to its target.
    pub(super) fn failed(&self, error: &RoleApplyError) -> RoleOutcome {
        let (reason, message) = match error {
            RoleApplyError::Conflict(conflict) => (
                ConditionReason::Conflict,
                format!("the role {} is left alone: {conflict}", self.ownership.name),
            ),
            RoleApplyError::Read(error) | RoleApplyError::Write(error) => reason_of(error),
            RoleApplyError::NotShown | RoleApplyError::NotLeader | RoleApplyError::Superseded => {
                (ConditionReason::Progressing, error.to_string())
            }
        };
        self.unfinished(reason, message, error.ended())
    }

    /// What is true of a role that has not reached its target.
    fn unfinished(&self, reason: ConditionReason, message: String, ended: TriedFor) -> RoleOutcome {
        match self.target {
            RoleTarget::Retain | RoleTarget::Shut | RoleTarget::Delete => {
                RoleOutcome::Deleting { message, ended }
            }
            RoleTarget::Provision(_) | RoleTarget::Hold { .. } | RoleTarget::Suspend => {
                RoleOutcome::Waiting { reason, message }
            }
        }
    }
}
