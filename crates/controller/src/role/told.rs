//! A role about which nothing is to be done, known by what watches show: it is not read from the API server.
//!
//! The index holds the spec, and of the status a number (`Index::told_of_role`). So the status that there would be, were all as it should be, is
//! worked out here; where that has the same number it is the one that the object has, and the steps after this one go by it as by one that was
//! read. Nothing is written by it: a write is of an object that was read ([`super::dereference::dereference`]), so whatever is to be written takes the
//! whole way. What a watch is late with comes as a change, which looks at the role again.

use deputy_api::{AWSRole, AWSRoleStatus, RoleSessionsStatus};
use deputy_delegation::{
    Decision, Uid,
    model::{DeletionPolicy, Role, RoleId, RoleKind},
    trust,
};
use deputy_index::{RoleState, View};
use kube::api::{ApiResource, DynamicObject, ObjectMeta};

use super::{
    RoleController,
    assess::{RolePlan, RoleWork, assess, sessions_of},
    capped::CappedRole,
    dereference::{AccountInput, FINALIZER, PresentRole, ProvisionedRole, RoleInputs, RoleStage},
    object::RoleObject,
    outcome::{AppliedRole, RoleOutcome},
    status,
    target::RoleTarget,
};
use crate::{
    error::ReconcileError,
    queue::{Lane, Requeue},
    work::Urgency,
};

impl RoleController {
    /// When the role is looked at again, if it is time to look, nothing is to be written, and AWS was seen to have it as it should be, or is about
    /// to be listed. `None`: it is to be read.
    pub(super) async fn is_as_told(
        &self,
        id: &RoleId,
        urgency: &Urgency,
    ) -> Result<Option<Requeue>, ReconcileError> {
        if urgency.lane != Lane::Routine || id.kind != RoleKind::AWSRole || self.doubts.is_doubted(id) {
            return Ok(None);
        }
        let view = self.ctx.index.role(id).filter(may_be_well);
        let Some(view) = view else { return Ok(None) };
        let (cluster, cluster_uid) = (self.ctx.cluster.clone(), self.ctx.cluster_uid.clone());
        let (id, shares, now) = (id.clone(), self.shares.lock().get(id).cloned(), self.ctx.now());
        let inputs = self.ctx.decide(move |index| {
            let unmarked = object(&id, &view, Vec::new(), AWSRoleStatus::default());
            let present = PresentRole::stored(index, &id, &unmarked.metadata)?;
            let mut inputs = RoleInputs {
                takeover: None,
                shares,
                cluster,
                cluster_uid,
                uid: Uid::new(view.meta.uid.as_deref()?).ok()?,
                object: Some(unmarked),
                entry: None,
                account: AccountInput::look_up(index, index.account_of_role(&id)),
                stage: RoleStage::Present(Box::new(present)),
                id,
                now,
            };
            let said = if_well(&inputs, &view)?;
            let finalizers = vec![FINALIZER.to_owned()];
            let is_said = index.told_of_role(said.clone(), &finalizers)? == view.state.told?;
            inputs.object = Some(object(&inputs.id, &view, finalizers, said));
            is_said.then_some(inputs)
        });
        let inputs = inputs.await?;
        Ok(inputs.and_then(|inputs| self.nothing_to_do(&inputs)))
    }

    /// What is remembered of it is what a whole reconciliation would leave.
    fn nothing_to_do(&self, inputs: &RoleInputs) -> Option<Requeue> {
        let (id, known) = (&inputs.id, self.known());
        if self.takeovers.of(id, &inputs.uid).is_some() {
            return None;
        }
        let mut plan = assess(inputs, self.verified.key());
        if plan
            .sessions
            .as_ref()
            .is_some_and(|sessions| sessions.comes_first)
        {
            return None;
        }
        if let Some(left) = plan.awaits_listing(known, id, Lane::Routine) {
            return Some(Requeue::After(left));
        }
        let RoleWork::Converge(convergence) = &plan.work else {
            return None;
        };
        let RoleTarget::Provision(_) = &convergence.target else {
            return None;
        };
        let applied = AppliedRole {
            capped: CappedRole::NothingToCap,
            ..convergence.known(known, id, Lane::Routine)?
        };
        let account = convergence.account.name.clone();
        plan.reached(&applied.outcome, inputs.now);
        if !is_said(inputs, &plan, &applied) {
            return None;
        }
        self.remember_shares(&plan, id);
        self.remember_provisioned(
            id,
            ProvisionedRole {
                uid: inputs.uid.clone(),
                account,
                retain: false,
            },
        );
        self.census.looked_at(id);
        Some(self.look_again(inputs, &plan, &applied))
    }
}

/// Whether its status says that it is ready and trusts whom it should, and nobody asks for a look at it.
fn may_be_well(view: &View<Role, RoleState>) -> bool {
    let (meta, state) = (&view.meta, &view.state);
    let is_asked_for = meta.terminating || meta.requested != 0;
    !is_asked_for && state.ready && state.role_id.is_some() && state.left_out_principals.is_empty()
}

/// The status of a role that Deputy makes, of which nothing is known but its unique id, and about which nothing is to be done. `None` where
/// more than that would have to be known, or nobody could say.
fn if_well(inputs: &RoleInputs, view: &View<Role, RoleState>) -> Option<AWSRoleStatus> {
    let RoleStage::Present(present) = &inputs.stage else {
        return None;
    };
    let account = inputs.account.usable.known()?;
    let owned = present.role.as_ref()?.owned()?;
    let is_plain = owned.policies.managed().is_empty() && owned.deletion != DeletionPolicy::Retain;
    let Decision::Accepted(_) = &present.decision else {
        return None;
    };
    if !is_plain {
        return None;
    }
    let compiled = trust::compile(&inputs.cluster, account, &inputs.id, &present.bindings);
    let applied = AppliedRole::now(RoleOutcome::Provisioned {
        bound: !present.bindings.is_empty(),
        role_id: view.state.role_id.as_deref().map(str::to_owned),
        trust_hash: Some(compiled.hash()),
        untagged: Vec::new(),
        absent: Vec::new(),
        left_out: Vec::new(),
    });
    let old = AWSRoleStatus::default();
    let mut said = status::updated(&old, inputs, &applied, Some(view.meta.generation), inputs.now);
    // As of one that never was in AWS: nobody's sessions are cut.
    let (_, sessions) = sessions_of(inputs, account, present, owned);
    said.sessions = Some(sessions.record);
    Some(said)
}

/// Whether the status says what is true now.
fn is_said(inputs: &RoleInputs, plan: &RolePlan, applied: &AppliedRole) -> bool {
    let Some(object) = &inputs.object else {
        return false;
    };
    let old = object.status();
    let mut new = status::updated(old, inputs, applied, object.metadata.generation, inputs.now);
    let record: Option<&RoleSessionsStatus> = plan.sessions.as_ref().map(|sessions| &sessions.record);
    new.sessions = record.cloned().or(new.sessions);
    new == *old
}

/// The AWSRole as far as the steps after this one ask for it.
fn object(
    id: &RoleId,
    view: &View<Role, RoleState>,
    finalizers: Vec<String>,
    status: AWSRoleStatus,
) -> RoleObject {
    let mut object = DynamicObject::new(id.name.as_str(), &ApiResource::erase::<AWSRole>(&()));
    object.metadata = ObjectMeta {
        name: Some(id.name.to_string()),
        namespace: Some(id.namespace.to_string()),
        uid: view.meta.uid.as_deref().map(str::to_owned),
        generation: Some(view.meta.generation),
        finalizers: Some(finalizers),
        ..ObjectMeta::default()
    };
    RoleObject::with_status(object, status)
}
