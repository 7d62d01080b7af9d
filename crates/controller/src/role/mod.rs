//! The controller of AWSRole.
//!
//! [`dereference`](dereference::dereference) looks everything up, [`assess`](assess::assess) makes the one plan of it,
//! [`apply`](apply::apply) carries the plan out in AWS, and `status` says what is true then. `target` holds what a role is to be in AWS, `trust` whom its trust policy
//! can name,
//! and `look` does all there is about a role that exists.
//! An object that is being deleted, or is gone, goes the same way with another target; and so does what a ClusterAWSRole is in a namespace
//! and account (`instance`), whose entry in the status of that object is what finalizer and status of an AWSRole are.

mod apply;
mod assess;
mod capped;
mod conclusion;
mod converge;
mod dereference;
mod doubts;
mod drift;
mod instance;
mod left;
mod look;
mod narrowed;
mod object;
mod outcome;
mod peoples_sessions;
mod sessions;
mod shares;
mod status;
mod takeover;
mod target;
#[cfg(test)]
mod tests;
mod times;
mod told;
mod trust;
mod untagged;

use std::{collections::HashMap, sync::Arc};

use deputy_api::{AWSRole, AWSRoleStatus, ClusterAWSRole};
use deputy_delegation::{
    ObjectName, Uid,
    model::{RoleId, RoleKind},
};
use deputy_runtime::status::replaced_status;
use parking_lot::Mutex;

use self::{
    apply::{KnownRoles, apply},
    assess::{Finalizer, RolePlan, assess},
    capped::ManagedDocuments,
    dereference::{FINALIZER, ProvisionedRole, RoleInputs, api, dereference, has_finalizer},
    doubts::Doubts,
    outcome::{AppliedRole, RoleOutcome},
    shares::SessionShares,
    takeover::Takeovers,
};
use crate::{
    absence::Absences,
    census::Census,
    context::ControllerContext,
    error::ReconcileError,
    instances::{Begun, Instances},
    objects,
    orphans::{self, DeletionBrake, GiveUps, HeldDeletion},
    queue::{Place, Requeue},
    report,
    verified::Verified,
    work::Urgency,
};

/// Reconciles roles.
pub struct RoleController {
    ctx: Arc<ControllerContext>,
    instances: Arc<Instances>,
    verified: Verified<RoleId>,
    absences: Absences<RoleId>,
    census: Arc<Census>,
    doubts: Arc<Doubts>,
    documents: ManagedDocuments,
    give_ups: GiveUps<RoleId>,
    brake: DeletionBrake,
    takeovers: Takeovers,
    /// How much of each role sessions get, where session policies leave less than all of it, as its status has it.
    shares: Mutex<HashMap<RoleId, SessionShares>>,
    /// Roles that may be in AWS because of this process. A finalizer alone does not hold them: the API server lets a deletion
    /// that is under way already go through although a finalizer was added, and accepted, in between.
    provisioned: Mutex<HashMap<RoleId, ProvisionedRole>>,
}

impl RoleController {
    #[must_use]
    pub fn new(ctx: Arc<ControllerContext>, instances: Arc<Instances>) -> Self {
        Self {
            ctx,
            instances,
            verified: Verified::default(),
            absences: Absences::default(),
            census: Arc::default(),
            doubts: Arc::default(),
            documents: ManagedDocuments::default(),
            give_ups: GiveUps::default(),
            brake: DeletionBrake::default(),
            takeovers: Takeovers::default(),
            shares: Mutex::default(),
            provisioned: Mutex::default(),
        }
    }

    /// What AWS lists of the roles.
    #[must_use]
    pub fn census(&self) -> &Arc<Census> {
        &self.census
    }

    /// Which of them the broker's refusals have read.
    #[must_use]
    pub fn doubts(&self) -> &Arc<Doubts> {
        &self.doubts
    }

    /// The same, which believes AWS after another time that a role is not there, and what it lists.
    #[cfg(test)]
    pub(crate) fn believing_after(mut self, propagation: std::time::Duration) -> Self {
        self.absences = Absences::believed_after(propagation);
        self.census = Arc::new(Census::believing_after(propagation));
        self
    }

    /// Gives up what AWS refuses to delete after that time, in a namespace that goes.
    #[cfg(test)]
    fn giving_up_after(mut self, time: std::time::Duration) -> Self {
        self.give_ups = GiveUps::after(time);
        self
    }

    /// Deletes so many of an account at once.
    #[cfg(test)]
    pub(crate) fn deleting_at_most(mut self, most: usize) -> Self {
        self.brake = DeletionBrake::of(most);
        self
    }

    /// Whose a role is: of its account, and of its namespace.
    #[must_use]
    pub fn place(&self, id: &RoleId) -> Place {
        let provisioned = || self.provisioned.lock().get(id).map(|role| role.account.clone());
        Place {
            account: self.ctx.index.account_of_role(id).or_else(provisioned),
            namespace: Some(id.namespace.clone()),
        }
    }

    /// Brings one role to where it should be, and says so in its status.
    ///
    /// # Errors
    /// [`ReconcileError`]; the key is tried again.
    pub async fn reconcile(&self, id: &RoleId, urgency: &Urgency) -> Result<Requeue, ReconcileError> {
        if let Some(later) = self.is_as_told(id, urgency).await? {
            return Ok(later);
        }
        // 1. dereference (clients)
        let Some(mut inputs) = self.dereference(id).await? else {
            self.forget(id);
            return Ok(Requeue::AwaitChange);
        };
        // 2. assess (pure)
        let mut plan = assess(&inputs, self.verified.key());
        let known = self.known();
        if let Some(left) = plan.awaits_listing(known, id, urgency.lane) {
            return Ok(Requeue::After(left));
        }
        // 3. finalizer (client)
        // Before it the record of whose sessions are cut: both before AWS.
        if !self.record_sessions(&mut inputs, &plan).await? {
            return Ok(Requeue::AwaitChange);
        }
        self.remember_shares(&plan, id);
        if let Some(later) = self.set_finalizer(&mut inputs, &plan).await? {
            return Ok(later);
        }
        // 4. apply (client)
        let applied = apply(&self.ctx, known, &self.documents, &inputs, &plan, urgency).await?;
        // After a failure it would be looked at once more.
        self.census.looked_at(id);
        plan.reached(&applied.outcome, self.ctx.now());
        // 5. report (client)
        self.tell_of_drift(&inputs, &applied).await;
        self.report(&inputs, &plan, &applied).await?;
        Ok(self.look_again(&inputs, &plan, &applied))
    }

    async fn dereference(&self, id: &RoleId) -> Result<Option<RoleInputs>, ReconcileError> {
        let provisioned = self.provisioned.lock().get(id).cloned();
        let inputs = match id.kind {
            RoleKind::AWSRole => dereference(&self.ctx, provisioned, id).await?,
            RoleKind::ClusterAWSRole { .. } => instance::dereference(&self.ctx, provisioned, id).await?,
        };
        Ok(inputs.map(|inputs| RoleInputs {
            takeover: self.takeovers.of(id, &inputs.uid),
            shares: self.shares.lock().get(id).cloned(),
            ..inputs
        }))
    }

    fn look_again(&self, inputs: &RoleInputs, plan: &RolePlan, applied: &AppliedRole) -> Requeue {
        let record = plan.sessions.as_ref().map(|sessions| &sessions.record);
        let requeue = status::next_requeue(applied);
        let requeue = self.doubts.look_again(&inputs.id, requeue);
        sessions::look_again(record, inputs.now, requeue)
    }

    /// Writes whose sessions are cut, and whose may run, where that comes before AWS. Gives whether the object was still there.
    async fn record_sessions(
        &self,
        inputs: &mut RoleInputs,
        plan: &RolePlan,
    ) -> Result<bool, ReconcileError> {
        let (Some(sessions), Some(object)) = (&plan.sessions, &inputs.object) else {
            return Ok(true);
        };
        if !sessions.comes_first {
            return Ok(true);
        }
        match (&inputs.id.kind, &inputs.entry) {
            (RoleKind::AWSRole, _) => {
                let api = api(&self.ctx, &inputs.id.namespace);
                let old = object.status();
                let new = AWSRoleStatus {
                    sessions: Some(sessions.record.clone()),
                    ..old.clone()
                };
                let Some(written) = replaced_status(&api, object, old, &new).await? else {
                    return Ok(false);
                };
                inputs.object = Some(written.into());
            }
            (RoleKind::ClusterAWSRole { .. }, Some(entry)) => {
                let entry = plan.with_sessions(entry.clone());
                self.instances.put(&inputs.id, &entry).await?;
                inputs.entry = Some(entry);
            }
            // Its entry begins with it.
            (RoleKind::ClusterAWSRole { .. }, None) => {}
        }
        Ok(true)
    }

    /// Adds the finalizer where the plan has one, and the entry of a ClusterAWSRole's. Gives when to look again if that could not be.
    async fn set_finalizer(
        &self,
        inputs: &mut RoleInputs,
        plan: &RolePlan,
    ) -> Result<Option<Requeue>, ReconcileError> {
        let (Finalizer::Add { account }, Some(object)) = (&plan.finalizer, &inputs.object) else {
            return Ok(None);
        };
        let retain = objects::is_retained(object);
        match inputs.id.kind {
            RoleKind::AWSRole => {
                let api = api(&self.ctx, &inputs.id.namespace);
                let Some(marked) = objects::set_finalizer(&api, object, FINALIZER, true).await? else {
                    return Ok(Some(Requeue::AwaitChange));
                };
                inputs.object = Some(marked.into());
            }
            RoleKind::ClusterAWSRole { .. } if inputs.has_finalizer() && has_finalizer(object) => {}
            RoleKind::ClusterAWSRole { .. } => {
                let begun = instance::begun(inputs, self.ctx.now());
                let Some(entry) = begun.map(|entry| plan.with_sessions(entry)) else {
                    return Ok(Some(Requeue::Retry));
                };
                match self.instances.begin(&inputs.id, &entry).await? {
                    Begun::Recorded(marked) => inputs.object = Some((*marked).into()),
                    Begun::Gone => return Ok(Some(Requeue::AwaitChange)),
                    Begun::Full => return Ok(Some(Requeue::After(report::LOOK_AGAIN))),
                }
                inputs.entry = Some(entry);
            }
        }
        let provisioned = ProvisionedRole {
            uid: inputs.uid.clone(),
            account: account.clone(),
            retain,
        };
        self.remember_provisioned(&inputs.id, provisioned);
        Ok(None)
    }

    fn remember_provisioned(&self, id: &RoleId, role: ProvisionedRole) {
        self.provisioned.lock().insert(id.clone(), role);
    }

    /// The record has been written, and with it the hashes of how much of the role sessions get.
    fn remember_shares(&self, plan: &RolePlan, id: &RoleId) {
        let Some(sessions) = &plan.sessions else { return };
        let mut shares = self.shares.lock();
        if sessions.shares.is_empty() {
            shares.remove(id);
        } else {
            shares.insert(id.clone(), sessions.shares.clone());
        }
    }

    fn known(&self) -> KnownRoles<'_> {
        KnownRoles {
            verified: &self.verified,
            absences: &self.absences,
            census: &self.census,
            doubts: &self.doubts,
            give_ups: &self.give_ups,
            brake: &self.brake,
            takeovers: &self.takeovers,
        }
    }

    /// There is no such object, and nothing of it in AWS.
    fn forget(&self, id: &RoleId) {
        self.verified.forget(id);
        self.census.looked_at(id);
        self.doubts.forget(id);
        self.give_ups.forget(id);
        self.takeovers.forget(id);
        self.shares.lock().remove(id);
    }

    /// Takes a role into hand of which there is no object, to delete it. One that is in hand stays as it is.
    pub fn take_in_hand(&self, id: &RoleId, uid: &Uid, account: &ObjectName) {
        let mut provisioned = self.provisioned.lock();
        provisioned.entry(id.clone()).or_insert_with(|| ProvisionedRole {
            uid: uid.clone(),
            account: account.clone(),
            retain: false,
        });
    }

    /// Says as an event what somebody changed of a role in AWS.
    async fn tell_of_drift(&self, inputs: &RoleInputs, applied: &AppliedRole) {
        let (Some(object), Some(drift)) = (&inputs.object, &applied.drift) else {
            return;
        };
        tracing::warn!(
            difference = drift.difference,
            is_reverted = drift.is_reverted,
            "IAM role was changed by somebody else"
        );
        let (reason, end) = if drift.is_reverted {
            ("DriftReverted", "it is as it should be again")
        } else {
            ("DriftFound", "it could not be put right yet")
        };
        let (about, place) = match &inputs.id.kind {
            RoleKind::AWSRole => (report::reference::<AWSRole>(object), String::new()),
            RoleKind::ClusterAWSRole { account } => (
                report::reference::<ClusterAWSRole>(object),
                format!(" of namespace {} in account {account}", inputs.id.namespace),
            ),
        };
        let note = format!(
            "somebody changed the IAM role{place}; {end}: {}",
            drift.difference
        );
        self.ctx.publish_event(&about, true, reason, &note).await;
    }

    /// Says in its status what is true of a role; takes the finalizer off when the role in AWS is gone, or given up.
    async fn report(
        &self,
        inputs: &RoleInputs,
        plan: &RolePlan,
        applied: &AppliedRole,
    ) -> Result<(), ReconcileError> {
        let Some(object) = &inputs.object else {
            return self.report_absent(&inputs.id, &applied.outcome).await;
        };
        if inputs.id.kind != RoleKind::AWSRole {
            return self.report_instance(inputs, plan, applied).await;
        }
        let api = api(&self.ctx, &inputs.id.namespace);
        match &applied.outcome {
            RoleOutcome::Deleted => {}
            RoleOutcome::Retained => {
                tracing::info!("left the IAM role in AWS, closed: its AWSRole said deletionPolicy Retain");
                let about = report::reference::<AWSRole>(object);
                let note = "the IAM role stays in AWS, and nobody can become it";
                self.ctx.publish_event(&about, false, "Retained", note).await;
            }
            RoleOutcome::Held(held) => {
                if !self.hold(held).await? {
                    return Ok(());
                }
            }
            RoleOutcome::Orphaned { account, orphan } => {
                // First: what is not noted down is not given up.
                let is_noted = orphans::note(&self.ctx, &inputs.id, account.as_ref(), orphan).await?;
                tracing::warn!(
                    role_arn = orphan.role_arn,
                    reason = orphan.reason,
                    is_noted,
                    "dropped finalizer and left the IAM role in AWS: it was refused for 10 minutes, and its namespace has to go"
                );
            }
            _ => {
                let old = object.status();
                let generation = object.metadata.generation;
                let mut new = status::updated(old, inputs, applied, generation, self.ctx.now());
                if let Some(sessions) = &plan.sessions {
                    new.sessions = Some(sessions.record.clone());
                }
                report::write_status::<AWSRole, _>(&self.ctx, &api, object, old, &new).await?;
                return Ok(());
            }
        }
        // First: once the finalizer is off, the object may be gone, and another one of its name there.
        self.provisioned.lock().remove(&inputs.id);
        self.give_ups.forget(&inputs.id);
        objects::set_finalizer(&api, object, FINALIZER, false).await?;
        Ok(())
    }

    /// Writes the entry of a ClusterAWSRole's; takes it out when the role in AWS is gone.
    async fn report_instance(
        &self,
        inputs: &RoleInputs,
        plan: &RolePlan,
        applied: &AppliedRole,
    ) -> Result<(), ReconcileError> {
        if let (RoleOutcome::Retained, Some(object)) = (&applied.outcome, &inputs.object) {
            tracing::info!("left the IAM role in AWS, closed: its ClusterAWSRole says deletionPolicy Retain");
            let about = report::reference::<ClusterAWSRole>(object);
            let note = format!(
                "the IAM role of namespace {} in account {} stays in AWS, and nobody can become it",
                inputs.id.namespace,
                inputs.account.name.as_ref().map_or("", |name| name.as_str())
            );
            self.ctx.publish_event(&about, false, "Retained", &note).await;
        }
        let is_over = match &applied.outcome {
            RoleOutcome::Deleted | RoleOutcome::Retained => true,
            RoleOutcome::Held(held) => self.hold(held).await?,
            _ => false,
        };
        if is_over {
            self.instances.remove(&inputs.id).await?;
            self.provisioned.lock().remove(&inputs.id);
            return Ok(());
        }
        let updated = instance::updated(inputs, applied, self.ctx.now());
        match updated.map(|entry| plan.with_sessions(entry)) {
            Some(entry) if inputs.entry.as_ref() != Some(&entry) => {
                self.instances.put(&inputs.id, &entry).await
            }
            _ => Ok(()),
        }
    }

    /// Notes down that a role is left, shut. Gives whether that could be: without its AWSAccount its object stays.
    async fn hold(&self, held: &HeldDeletion) -> Result<bool, ReconcileError> {
        let turn = self.brake.turn_to_note().await;
        let is_noted = orphans::hold(&self.ctx, held).await?;
        drop(turn);
        tracing::warn!(
            role_arn = held.orphan.role_arn,
            most = held.most,
            is_noted,
            "shut the IAM role and left it in AWS: too many were to be deleted at once"
        );
        if is_noted {
            self.ctx.metrics.deletion_held();
        }
        Ok(is_noted)
    }

    /// Says what became of the role of an object that is gone although it had a finalizer, or lost it.
    async fn report_absent(&self, id: &RoleId, outcome: &RoleOutcome) -> Result<(), ReconcileError> {
        match outcome {
            RoleOutcome::Held(held) => {
                if self.hold(held).await? {
                    self.provisioned.lock().remove(id);
                }
            }
            RoleOutcome::Deleted => {
                tracing::info!("deleted the IAM role of an object that is gone");
                self.provisioned.lock().remove(id);
            }
            RoleOutcome::Retained => {
                tracing::info!("left the IAM role of an object that is gone in AWS, closed");
                self.provisioned.lock().remove(id);
            }
            outcome => tracing::warn!(
                ?outcome,
                "failed to delete the IAM role of an object that is gone"
            ),
        }
        Ok(())
    }
}
