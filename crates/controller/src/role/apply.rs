//! *Apply*: brings the role in AWS to its target. Reads, plans and writes until there is nothing left to do, each write only while
//! the Lease allows. The one place that writes roles.

use std::{collections::BTreeSet, time::Duration};

use deputy_api::conditions::ConditionReason;
use deputy_aws::{AwsError, CallPurpose, ErrorClass, Roles};
use deputy_delegation::{
    ManagedPolicyArn, NamespaceName, RoleName,
    boundary::document_hash,
    model::RoleId,
    plan::{Conflict, IamCall, Nature, ObservedRole, Step},
};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use tokio::time::Instant;

use super::{
    assess::{Convergence, RolePlan, RoleWork},
    capped::{self, CappedRole, ManagedDocuments},
    dereference::{RoleInputs, RoleStage},
    outcome::{AppliedRole, RoleOutcome},
    target::RoleTarget,
};
use crate::{
    context::{ControllerContext, MayWrite},
    error::{ReconcileError, chain},
    report::reason_of,
    verified::Verified,
};

/// AWS may not show a change at once; that often it is looked at again in one go.
const LOOKS: usize = 3;
/// How long a plan rests on what was read. A call that begins then may wait for its turn, and be repeated, for 30 s more.
const OBSERVED_FOR: Duration = Duration::from_secs(60);
/// How long a terminating namespace is held up by a role that can't be deleted. The tags in AWS are the record then.
const HOLD_NAMESPACE: Duration = Duration::from_secs(600);

/// Carries out the plan for a role. AWS is not asked when it was seen to have the role as it should be a short while ago.
///
/// # Errors
/// [`ReconcileError`]. What AWS says is none: it is in the outcome.
pub async fn apply(
    ctx: &ControllerContext,
    verified: &Verified<RoleId>,
    documents: &ManagedDocuments,
    inputs: &RoleInputs,
    plan: &RolePlan,
) -> Result<AppliedRole, ReconcileError> {
    let is_deletion = matches!(inputs.stage, RoleStage::Deleting { .. });
    if is_deletion {
        verified.forget(&inputs.id);
    }
    let applied = match &plan.work {
        RoleWork::Nothing(outcome) => AppliedRole::now(outcome.clone()),
        RoleWork::Converge(convergence) => match convergence.verified(verified, &inputs.id) {
            Some(applied) => applied,
            None => convergence.carry_out(ctx, verified, &inputs.id).await?,
        },
        RoleWork::Look(look) => look.carry_out(ctx, verified, &inputs.id).await,
    };
    match applied.outcome {
        RoleOutcome::Deleting { message } if inputs.holds_up_namespace() => {
            let gives_up = namespace_waited_long_enough(ctx, &inputs.id.namespace).await?;
            Ok(AppliedRole::now(if gives_up {
                RoleOutcome::Orphaned { message }
            } else {
                RoleOutcome::Deleting { message }
            }))
        }
        // Whatever is to be written has been.
        RoleOutcome::Provisioned { .. } | RoleOutcome::Suspended { .. } => Ok(AppliedRole {
            capped: capped::look(ctx, documents, inputs).await?,
            ..applied
        }),
        _ => Ok(applied),
    }
}

impl Convergence {
    /// What is true of the role, if AWS was seen to have it so a short while ago.
    fn verified(&self, verified: &Verified<RoleId>, id: &RoleId) -> Option<AppliedRole> {
        // Without its id in the status, as after a restore, it has to be looked at.
        let is_reported = self.known_role_id.is_some() || self.target == RoleTarget::Suspend;
        let trusted_for = verified
            .verified_for(id, self.fingerprint)
            .filter(|_| is_reported)?;
        Some(AppliedRole {
            outcome: self.as_it_was(),
            trusted_for: Some(trusted_for),
            capped: CappedRole::NotLookedAt,
        })
    }

    async fn carry_out(
        &self,
        ctx: &ControllerContext,
        verified: &Verified<RoleId>,
        id: &RoleId,
    ) -> Result<AppliedRole, ReconcileError> {
        let name = &self.ownership.name;
        let purpose = self.purpose(verified, id);
        let roles = ctx.aws.roles(&self.account, purpose);
        let revoking = ctx.aws.roles(&self.account, CallPurpose::Revoke);
        let calls = RoleCalls {
            roles: roles.as_ref(),
            revoking: revoking.as_ref(),
        };
        let converged = converge(calls, name, &|| ctx.may_write(), |observed| {
            self.target.steps(&self.ownership, observed)
        })
        .await;
        match converged {
            Ok(converged) => {
                if converged.changed {
                    tracing::info!(aws_role = %name, "role converged");
                }
                let is_whole = converged.refused_tags.is_empty() && converged.absent.is_empty();
                if self.is_final() && is_whole {
                    verified.record(id.clone(), self.fingerprint);
                } else {
                    verified.forget(id);
                }
                Ok(AppliedRole::now(self.reached(converged)))
            }
            Err(RoleApplyError::NotLeader) => {
                verified.forget(id);
                Err(ReconcileError::NotLeader)
            }
            // Nothing about it has changed but that it was time to look: it is taken to be as it was.
            Err(RoleApplyError::Read(error))
                if error.is_retryable() && verified.was_verified(id, self.fingerprint) =>
            {
                tracing::warn!(aws_role = %name, %error, "failed to check role for drift");
                Ok(AppliedRole {
                    outcome: self.as_it_was(),
                    trusted_for: None,
                    capped: CappedRole::NotLookedAt,
                })
            }
            Err(error) => {
                tracing::warn!(aws_role = %name, error = %chain(&error), "failed to apply role");
                verified.forget(id);
                Ok(AppliedRole::now(self.failed(&error)))
            }
        }
    }

    /// What it is read for. What takes away is made for that, whatever it was read for.
    fn purpose(&self, verified: &Verified<RoleId>, id: &RoleId) -> CallPurpose {
        if verified.was_verified(id, self.fingerprint) {
            return CallPurpose::Look;
        }
        match self.target {
            RoleTarget::Provision(_) | RoleTarget::Hold { .. } => CallPurpose::Provision,
            RoleTarget::Suspend | RoleTarget::Retain { .. } | RoleTarget::Delete { .. } => {
                CallPurpose::Revoke
            }
        }
    }

    /// Whether the role stays as it is when it has reached its target.
    fn is_final(&self) -> bool {
        match self.target {
            RoleTarget::Provision(_) | RoleTarget::Suspend => true,
            RoleTarget::Hold { .. } | RoleTarget::Retain { .. } | RoleTarget::Delete { .. } => false,
        }
    }

    /// What is true of a role that is as it was when it was as it should be.
    fn as_it_was(&self) -> RoleOutcome {
        self.as_it_should_be(Converged {
            changed: false,
            role_id: self.known_role_id.clone(),
            refused_tags: Vec::new(),
            absent: Vec::new(),
        })
    }

    /// What is true of a role that is as it should be, or would be but for the boundary that it waits for.
    fn as_it_should_be(&self, converged: Converged) -> RoleOutcome {
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
                trust_hash: self.target.desired().map(|desired| document_hash(&desired.trust)),
                untagged,
                absent,
            },
            RoleTarget::Suspend => RoleOutcome::Suspended { role_id },
            RoleTarget::Retain { .. } => RoleOutcome::Retained,
            RoleTarget::Delete { .. } => RoleOutcome::Deleted,
        }
    }

    /// What is true of a role about which nothing is left to do.
    fn reached(&self, converged: Converged) -> RoleOutcome {
        match &self.target {
            RoleTarget::Hold { until, .. } => RoleOutcome::waiting(ConditionReason::BoundaryNotReady, until),
            RoleTarget::Delete { .. } if converged.role_id.is_some() => {
                tracing::warn!(aws_role = %self.ownership.name, "left a role of this name in AWS: it is not ours");
                RoleOutcome::Deleted
            }
            RoleTarget::Retain { .. } if converged.refused_tags.iter().any(AwsError::is_retryable) => {
                RoleOutcome::Deleting {
                    message: "the role is closed, and its tag can't be written yet".into(),
                }
            }
            RoleTarget::Delete { may_be_hidden: true } | RoleTarget::Retain { may_be_hidden: true }
                if !converged.changed && converged.role_id.is_none() =>
            {
                RoleOutcome::Deleting {
                    message: "AWS shows no role yet, which may have been made a moment ago".into(),
                }
            }
            _ => self.as_it_should_be(converged),
        }
    }

    /// What is true of a role that could not be brought to its target.
    fn failed(&self, error: &RoleApplyError) -> RoleOutcome {
        let (reason, message) = match error {
            RoleApplyError::Conflict(conflict) => (
                ConditionReason::Conflict,
                format!("the role {} is left alone: {conflict}", self.ownership.name),
            ),
            RoleApplyError::Read(error) | RoleApplyError::Write(error) => reason_of(error),
            RoleApplyError::NotShown | RoleApplyError::NotLeader => {
                (ConditionReason::Progressing, error.to_string())
            }
        };
        match self.target {
            RoleTarget::Retain { .. } | RoleTarget::Delete { .. } => RoleOutcome::Deleting { message },
            _ => RoleOutcome::Waiting { reason, message },
        }
    }
}

async fn namespace_waited_long_enough(
    ctx: &ControllerContext,
    namespace: &NamespaceName,
) -> Result<bool, ReconcileError> {
    let api: Api<Namespace> = Api::all(ctx.client.clone());
    let Some(namespace) = api.get_opt(namespace.as_str()).await? else {
        return Ok(true);
    };
    let Some(since) = namespace.metadata.deletion_timestamp else {
        return Ok(false);
    };
    let waited = ctx.now().as_second() - since.0.as_second();
    Ok(waited >= i64::try_from(HOLD_NAMESPACE.as_secs()).unwrap_or(i64::MAX))
}

/// A role about which nothing is left to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converged {
    /// Whether anything was written for that.
    pub changed: bool,
    /// Its unique id; `None` when there is no role.
    pub role_id: Option<String>,
    /// What AWS refused of tags: all else is as it should be.
    pub refused_tags: Vec<AwsError>,
    /// Managed policies that could not be attached because there are none of these names: all else is as it should be.
    pub absent: Vec<ManagedPolicyArn>,
}

/// Why a role could not be brought to its target. Another attempt goes on from where this one ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleApplyError {
    /// Somebody else's role has its name.
    #[error("the role is left alone")]
    Conflict(#[source] Conflict),
    /// AWS could not be read; nothing was written before that.
    #[error("AWS can't be read")]
    Read(#[source] AwsError),
    /// AWS refused a write, or a read after one.
    #[error("AWS refused a call")]
    Write(#[source] AwsError),
    /// AWS does not show what was written.
    #[error("AWS does not show the change yet")]
    NotShown,
    /// The Lease has too little time left for another write.
    #[error("the Lease has too little time left for a call to AWS")]
    NotLeader,
}

/// The roles of an account, by what calls are made for.
#[derive(Clone, Copy)]
pub struct RoleCalls<'a> {
    /// For what the role is looked at, and for what is given.
    pub roles: &'a dyn Roles,
    /// For what is taken away.
    pub revoking: &'a dyn Roles,
}

/// Brings the role of this name to where `plan` has nothing left to do.
///
/// Every round begins with a read, so a write whose outcome is unknown is never repeated blindly: an attempt with a call that
/// failed is over with its round, and the next one reads first. Within the round nothing more is given, and what takes away is still
/// done: AWS may refuse the one call for ever. A call that waits for its turn keeps the plan; what was observed longer than [`OBSERVED_FOR`]
/// ago is read again before the next call. What AWS refuses of tags is passed over, and so is a managed policy that does not exist.
///
/// # Errors
/// [`RoleApplyError`]; another attempt goes on from where this one ended.
pub async fn converge(
    calls: RoleCalls<'_>,
    name: &RoleName,
    may_write: MayWrite<'_>,
    plan: impl Fn(Option<&ObservedRole>) -> Result<Vec<Step>, Conflict> + Send + Sync,
) -> Result<Converged, RoleApplyError> {
    let mut changed = false;
    let mut refused_tags: Vec<(IamCall, AwsError)> = Vec::new();
    let mut absent: BTreeSet<ManagedPolicyArn> = BTreeSet::new();
    for _ in 0..LOOKS {
        let read = Instant::now();
        let observed = calls.roles.get_role(name).await.map_err(|error| {
            if changed {
                RoleApplyError::Write(error)
            } else {
                RoleApplyError::Read(error)
            }
        })?;
        let mut steps = plan(observed.as_ref()).map_err(RoleApplyError::Conflict)?;
        if observed.is_none() {
            // It was the role that did not exist.
            absent.clear();
        }
        steps.retain(|step| {
            let is_absent = matches!(&step.call, IamCall::AttachRolePolicy { policy_arn, .. } if absent.contains(policy_arn));
            !is_absent && refused_tags.iter().all(|(call, _)| *call != step.call)
        });
        if steps.is_empty() {
            return Ok(Converged {
                changed,
                role_id: observed.map(|role| role.unique_id),
                refused_tags: refused_tags.into_iter().map(|(_, error)| error).collect(),
                absent: absent.into_iter().collect(),
            });
        }
        let mut failed = None;
        for Step { call, nature } in steps {
            if failed.is_some() && nature == Nature::Grows {
                continue;
            }
            if read.elapsed() > OBSERVED_FOR {
                // What is left is planned anew.
                break;
            }
            let roles = match nature {
                Nature::Shrinks => calls.revoking,
                Nature::Grows | Nature::Cosmetic => calls.roles,
            };
            if !may_write() {
                return Err(RoleApplyError::NotLeader);
            }
            let outcome = roles.execute(&call).await;
            let action = call.action();
            match outcome {
                Ok(()) => {
                    tracing::info!(aws_role = %name, action, "applied a call to the role");
                    changed = true;
                }
                Err(error) if error.class() == ErrorClass::NotLeader => {
                    return Err(RoleApplyError::NotLeader);
                }
                Err(error) => {
                    tracing::info!(aws_role = %name, action, %error, "failed to apply a call to the role");
                    match call {
                        IamCall::AttachRolePolicy { policy_arn, .. }
                            if error.class() == ErrorClass::NotFound =>
                        {
                            absent.insert(policy_arn);
                        }
                        call if nature == Nature::Cosmetic => refused_tags.push((call, error)),
                        _ => {
                            failed.get_or_insert(error);
                        }
                    }
                }
            }
        }
        if let Some(error) = failed {
            return Err(RoleApplyError::Write(error));
        }
    }
    Err(RoleApplyError::NotShown)
}
