//! *Apply*: brings the role in AWS to its target ([`converge`]) and says what is true of it then.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use deputy_api::conditions::ConditionReason;
use deputy_aws::{CallPurpose, Roles};
use deputy_delegation::{
    model::RoleId,
    plan::{ObservedRole, Step},
    trust::LeftOutPrincipal,
};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    assess::{Convergence, RolePlan, RoleWork},
    capped::{self, ManagedDocuments},
    converge::{Converged, RoleApplyError, RoleCalls, RoleReads, close_first, converge},
    dereference::{RoleInputs, RoleStage},
    doubts::Doubts,
    drift::{self, RoleDrift},
    left,
    outcome::{AppliedRole, RoleOutcome},
    takeover::{self, Takeovers},
    target::RoleTarget,
    trust::TrustAttempts,
};
use crate::{
    absence::Absences,
    census::Census,
    context::ControllerContext,
    error::{ReconcileError, chain},
    objects,
    orphans::{DeletionBrake, DeletionEnd, GiveUps, TriedFor},
    queue::Lane,
    verified::Verified,
    work::Urgency,
};

/// What this process has seen of roles in AWS.
#[derive(Clone, Copy)]
pub struct KnownRoles<'a> {
    pub verified: &'a Verified<RoleId>,
    pub absences: &'a Absences<RoleId>,
    pub census: &'a Census,
    pub doubts: &'a Doubts,
    pub give_ups: &'a GiveUps<RoleId>,
    pub brake: &'a DeletionBrake,
    pub takeovers: &'a Takeovers,
}

/// Carries out the plan for a role. AWS is not asked when it was seen to have the role as it should be a short while ago.
///
/// # Errors
/// [`ReconcileError`]. What AWS says is none: it is in the outcome.
pub async fn apply(
    ctx: &ControllerContext,
    known: KnownRoles<'_>,
    documents: &ManagedDocuments,
    inputs: &RoleInputs,
    plan: &RolePlan,
    urgency: &Urgency,
) -> Result<AppliedRole, ReconcileError> {
    let verified = known.verified;
    let is_deletion = matches!(inputs.stage, RoleStage::Deleting { .. });
    if is_deletion {
        verified.forget(&inputs.id);
    }
    let applied = match &plan.work {
        RoleWork::Nothing(outcome) => AppliedRole::now(outcome.clone()),
        RoleWork::Converge(convergence) => match convergence.known(known, &inputs.id, urgency.lane) {
            Some(applied) => applied,
            None if convergence.target == RoleTarget::Delete => {
                delete(ctx, known, inputs, convergence, urgency).await?
            }
            None => convergence.carry_out(ctx, known, &inputs.id, urgency).await?,
        },
        RoleWork::Look(look) => look.carry_out(ctx, (verified, known.doubts), &inputs.id).await,
    };
    match applied.outcome {
        RoleOutcome::Deleting { message, ended } if inputs.holds_up_namespace() => {
            let is_enough = known.give_ups.tried(&inputs.id, ended);
            let gives_up = is_enough && objects::is_terminating(&ctx.client, &inputs.id.namespace).await?;
            Ok(AppliedRole::now(if gives_up {
                left::give_up(ctx, inputs, plan, &message).await
            } else {
                RoleOutcome::Deleting { message, ended }
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

/// Deletes a role whose object goes; or shuts it, and leaves it, when more of its account are being deleted than go at once and nobody has
/// accepted that.
async fn delete(
    ctx: &ControllerContext,
    known: KnownRoles<'_>,
    inputs: &RoleInputs,
    convergence: &Convergence,
    urgency: &Urgency,
) -> Result<AppliedRole, ReconcileError> {
    let (id, account, brake) = (&inputs.id, &convergence.account.name, known.brake);
    let view = ctx.index.account_view(account);
    let accepted = view.map_or(0, |view| view.state.accepted_removing);
    let mut most = brake.most(0).max(accepted);
    let mut turn = brake.turn(account, id, most);
    if turn.is_none() {
        most = most.max(brake.most(ctx.index.count_own_roles_of_account(account)));
        turn = brake.turn(account, id, most);
    }
    let Some(turn) = turn else {
        let shut = convergence.shutting().carry_out(ctx, known, id, urgency).await?;
        return Ok(match shut.outcome {
            RoleOutcome::Suspended { role_id } => AppliedRole::now(convergence.held(id, role_id, most)),
            _ => shut,
        });
    };
    let applied = convergence.carry_out(ctx, known, id, urgency).await?;
    turn.end(match &applied.outcome {
        RoleOutcome::Deleted => DeletionEnd::Gone,
        RoleOutcome::Deleting {
            ended: TriedFor::Good,
            ..
        } => DeletionEnd::Refused,
        _ => DeletionEnd::Unknown,
    });
    Ok(applied)
}

impl RolePlan {
    /// How long the role waits for the listing that will show it. Whose sessions are to be cut waits for nothing.
    pub fn awaits_listing(&self, known: KnownRoles<'_>, id: &RoleId, lane: Lane) -> Option<Duration> {
        let is_urgent = self
            .sessions
            .as_ref()
            .is_some_and(|sessions| sessions.comes_first);
        match &self.work {
            RoleWork::Converge(convergence) if !is_urgent => convergence.awaits_listing(known, id, lane),
            _ => None,
        }
    }
}

/// What a listing says of a role.
enum ShownRole {
    /// It is as it should be.
    Confirmed(AppliedRole),
    /// It is not, or not shown.
    Otherwise,
    /// There is no listing of it that says anything.
    Nothing,
}

impl Convergence {
    /// What is true of the role, if AWS was seen to have it so a short while ago: by a look at it, or in a listing. What a listing shows
    /// otherwise is looked at, and so is all that is to be taken away.
    pub fn known(&self, known: KnownRoles<'_>, id: &RoleId, lane: Lane) -> Option<AppliedRole> {
        if known.doubts.is_doubted(id) {
            return None;
        }
        // What changed since it was last seen, or is asked for by its annotation, is looked at as well.
        let is_asked_for = known.verified.was_verified_otherwise(id, self.fingerprint);
        let shown = if lane == Lane::Revoke || is_asked_for {
            ShownRole::Nothing
        } else {
            self.shown(known, id)
        };
        match shown {
            ShownRole::Confirmed(applied) => Some(applied),
            ShownRole::Otherwise => None,
            ShownRole::Nothing => self.verified(known.verified, id),
        }
    }

    fn shown(&self, known: KnownRoles<'_>, id: &RoleId) -> ShownRole {
        let sighting = known.census.sighting(id);
        let Some(sighting) = sighting.filter(|s| s.account() == &*self.account && self.is_final()) else {
            return ShownRole::Nothing;
        };
        let Some(observed) = sighting.role() else {
            // What was never there is not missed.
            let is_missed = self.known_role_id.is_some();
            return if is_missed {
                ShownRole::Otherwise
            } else {
                ShownRole::Nothing
            };
        };
        let attempts = TrustAttempts::new(self.trust.as_ref());
        let target = attempts.target(&self.target, Some(observed));
        let steps = target.steps(&self.ownership, Some(observed));
        let left_out = attempts.left_out();
        if !matches!(&steps, Ok(steps) if steps.is_empty()) || !left_out.is_empty() {
            return ShownRole::Otherwise;
        }
        known.absences.forget(id);
        known
            .verified
            .record_at(id.clone(), self.fingerprint, sighting.asked());
        let converged = Converged {
            changed: false,
            role_id: Some(observed.unique_id.clone()),
            refused_tags: Vec::new(),
            absent: Vec::new(),
        };
        ShownRole::Confirmed(AppliedRole::now(self.as_it_should_be(converged, left_out)))
    }

    /// How long the role waits for the listing that will show it: its status says that it is as it should be now, and nothing says otherwise.
    fn awaits_listing(&self, known: KnownRoles<'_>, id: &RoleId, lane: Lane) -> Option<Duration> {
        let is_routine = lane == Lane::Routine && self.is_final() && self.is_reported_well;
        if !is_routine
            || known.verified.was_verified(id, self.fingerprint)
            || known.census.sighting(id).is_some()
            || known.doubts.is_doubted(id)
        {
            return None;
        }
        known.census.awaits(&self.account.name, id)
    }

    /// What is true of the role, if AWS was seen to have it so a short while ago.
    fn verified(&self, verified: &Verified<RoleId>, id: &RoleId) -> Option<AppliedRole> {
        // Without its id in the status, as after a restore, it has to be looked at.
        let is_reported = self.known_role_id.is_some() || self.target == RoleTarget::Suspend;
        let trusted_for = verified
            .verified_for(id, self.fingerprint)
            .filter(|_| is_reported)?;
        Some(AppliedRole {
            trusted_for: Some(trusted_for),
            ..AppliedRole::now(self.as_it_was())
        })
    }

    async fn carry_out(
        &self,
        ctx: &ControllerContext,
        known: KnownRoles<'_>,
        id: &RoleId,
        urgency: &Urgency,
    ) -> Result<AppliedRole, ReconcileError> {
        let (name, verified) = (&self.ownership.name, known.verified);
        let began = Instant::now();
        if !self.takes_away() {
            // It may make the role, and not hear of it.
            known.absences.forget(id);
        }
        let purpose = self.purpose(urgency.lane, verified.was_verified(id, self.fingerprint));
        let roles = ctx.aws.roles(&self.account, purpose);
        let revoking = ctx.aws.roles(&self.account, CallPurpose::Revoke);
        let calls = RoleCalls {
            roles: roles.as_ref(),
            revoking: revoking.as_ref(),
            reads: self.target.reads(),
            superseded: &urgency.superseded,
        };
        // However the attempt ends, given up and cut off as well: from the first write on the role is not what it was seen to be.
        let may_write = || {
            verified.forget(id);
            known.census.writes(id);
            known.brake.writes(&self.account.name, id);
            ctx.may_write()
        };
        let was_verified = verified.was_verified(id, self.fingerprint);
        let first_look = Mutex::new(None);
        let looks_back = AtomicBool::new(false);
        let attempts = TrustAttempts::new(self.trust.as_ref());
        if urgency.lane == Lane::Revoke && calls.reads == RoleReads::Whole {
            let closed = close_first(calls, name, &may_write, |observed| {
                let target = attempts.target(&self.target, observed);
                let steps = target.steps(&self.ownership, observed)?;
                Ok(steps.into_iter().find(|step| target.shuts_out(step)))
            });
            if let Err(error) = closed.await {
                return self.concluded(known, id, Err(error), attempts.left_out(), None);
            }
        }
        let converged = loop {
            let converged = converge(calls, name, &may_write, |observed| {
                let target = attempts.target(&self.target, observed);
                let steps = target.steps(&self.ownership, observed)?;
                let mut first_look = first_look.lock();
                if first_look.is_none() && self.is_to_look_back(observed) {
                    looks_back.store(true, Ordering::Relaxed);
                    return Ok(Vec::new());
                }
                first_look.get_or_insert_with(|| self.drift(observed, &steps, was_verified));
                Ok(steps)
            })
            .await;
            if !attempts.goes_on(&converged) {
                break converged;
            }
        };
        if looks_back.into_inner() {
            return self.look_back(ctx, known, id, roles.as_ref()).await;
        }
        let was_read = first_look.lock().is_some();
        let drift = first_look.into_inner().flatten().map(|difference| RoleDrift {
            difference,
            is_reverted: converged.is_ok(),
        });
        let concluded = self.concluded(known, id, converged, attempts.left_out(), drift);
        // One that was given up may have done nothing about what it saw.
        if was_read && concluded.is_ok() {
            known.doubts.looked_at(id, began);
        }
        concluded
    }

    /// Whether the role may be usable and was a former object's, whose sessions are to be cut first.
    fn is_to_look_back(&self, observed: Option<&ObservedRole>) -> bool {
        let may_be_usable = self.target.desired().is_some() && self.takeover.is_none();
        observed.filter(|_| may_be_usable).is_some_and(|observed| {
            // One whose id the status has is ours already: somebody changed its tags.
            let is_known = self.known_role_id.as_deref() == Some(observed.unique_id.as_str());
            !is_known && (self.is_first || takeover::was_anothers(observed, &self.uid))
        })
    }

    /// Finds out whose the role was. The next attempt writes down whose sessions are cut, and goes on.
    async fn look_back(
        &self,
        ctx: &ControllerContext,
        known: KnownRoles<'_>,
        id: &RoleId,
        roles: &dyn Roles,
    ) -> Result<AppliedRole, ReconcileError> {
        let name = &self.ownership.name;
        let takeover = match takeover::look(ctx, roles, name, &id.namespace).await? {
            Ok(Some(takeover)) => takeover,
            // It was there a moment ago.
            Ok(None) => return Ok(AppliedRole::now(self.failed(&RoleApplyError::NotShown))),
            Err(error) => return Ok(AppliedRole::now(self.failed(&RoleApplyError::Read(error)))),
        };
        tracing::info!(aws_role = %name, ?takeover, "taking over the role of a former object");
        known.takeovers.found(id, &self.uid, takeover);
        Ok(AppliedRole::now(RoleOutcome::waiting(
            ConditionReason::Progressing,
            "AWS has the role of a former object of this name: sessions of its time are cut first",
        )))
    }

    /// What is true of the role after an attempt, and what of that is remembered.
    fn concluded(
        &self,
        KnownRoles {
            verified,
            absences,
            takeovers,
            ..
        }: KnownRoles<'_>,
        id: &RoleId,
        converged: Result<Converged, RoleApplyError>,
        left_out: Vec<LeftOutPrincipal>,
        drift: Option<RoleDrift>,
    ) -> Result<AppliedRole, ReconcileError> {
        let name = &self.ownership.name;
        let now = |outcome| AppliedRole {
            drift,
            ..AppliedRole::now(outcome)
        };
        match converged {
            Ok(converged) => {
                if converged.changed {
                    tracing::info!(aws_role = %name, "role converged");
                }
                if self.takes_away() && !converged.changed && converged.role_id.is_none() {
                    // What a finalizer holds may be there.
                    if let Some(left) = absences.doubted_for(id) {
                        verified.forget(id);
                        return Ok(self.doubted(left));
                    }
                } else {
                    absences.forget(id);
                }
                takeovers.forget(id);
                let is_whole =
                    converged.refused_tags.is_empty() && converged.absent.is_empty() && left_out.is_empty();
                if self.is_final() && is_whole {
                    verified.record(id.clone(), self.fingerprint);
                } else {
                    verified.forget(id);
                }
                Ok(now(self.reached(converged, left_out)))
            }
            Err(RoleApplyError::NotLeader) => Err(ReconcileError::NotLeader),
            Err(RoleApplyError::Superseded) => Err(ReconcileError::Superseded),
            Err(RoleApplyError::Conflict(conflict)) if self.is_of_object_that_goes() => {
                // Nothing of ours is left behind.
                tracing::warn!(aws_role = %name, error = %conflict, "left a role of this name in AWS: it is not ours");
                absences.forget(id);
                Ok(AppliedRole::now(RoleOutcome::Deleted))
            }
            // Nothing about it has changed but that it was time to look: it is taken to be as it was.
            Err(RoleApplyError::Read(error))
                if error.is_retryable() && verified.was_verified(id, self.fingerprint) =>
            {
                tracing::warn!(aws_role = %name, %error, "failed to check role for drift");
                Ok(AppliedRole {
                    trusted_for: None,
                    ..AppliedRole::now(self.as_it_was())
                })
            }
            Err(error) => {
                tracing::warn!(aws_role = %name, error = %chain(&error), "failed to apply role");
                verified.forget(id);
                Ok(now(self.failed(&error)))
            }
        }
    }

    /// What somebody changed, if the role was as it should be: this process saw it so, or its status says so.
    fn drift(&self, observed: Option<&ObservedRole>, steps: &[Step], was_verified: bool) -> Option<String> {
        let was_well = was_verified || self.is_reported_well;
        // The account's tags may be others since the status was written.
        (was_well && self.is_final())
            .then(|| drift::difference(observed, steps, was_verified))
            .flatten()
    }

    /// What it is read for. What takes away is made for that, whatever it was read for.
    fn purpose(&self, lane: Lane, was_verified: bool) -> CallPurpose {
        match lane {
            Lane::Revoke => CallPurpose::Revoke,
            Lane::Change if self.takes_away() && !was_verified => CallPurpose::Revoke,
            Lane::Change if !was_verified => CallPurpose::Provision,
            Lane::Change | Lane::Routine => CallPurpose::Look,
        }
    }

    /// Whether its object is being deleted, or is gone.
    fn is_of_object_that_goes(&self) -> bool {
        matches!(
            self.target,
            RoleTarget::Retain | RoleTarget::Shut | RoleTarget::Delete
        )
    }
}
