//! The controller of AWSResourcePolicyStatement: one statement in somebody's policy of a bucket, queue or topic.
//!
//! [`dereference`](dereference::dereference) looks everything up, [`assess`](assess::assess) says what the policy is to have, `apply` reads the
//! policy and writes it, and `status` says what is true then. AWS knows no version of such a policy to write against: of one policy this
//! process makes one change at a time, and remembers for a minute what it wrote there (`turns`).

mod apply;
mod assess;
mod dereference;
mod outcome;
mod status;
#[cfg(test)]
mod tests;
mod turns;

use std::{collections::HashMap, sync::Arc};

use deputy_api::{AWSResourcePolicyStatement, AWSResourcePolicyStatementStatus, conditions::ConditionReason};
use deputy_delegation::{
    ObjectName, PolicyResource,
    model::{ObjectId, OwnedStatement},
    naming::statement_sid,
};
use deputy_runtime::status::replaced_status;
use kube::{Api, api::DynamicObject};
use parking_lot::Mutex;

use self::{
    apply::{KnownStatements, UnknownPrincipals},
    assess::{StatementGoal, StatementPlan, StatementTarget, assess},
    dereference::{FINALIZER, StatementInputs, dereference},
    outcome::{AppliedStatement, StatementOutcome},
    turns::PolicyTurns,
};
use crate::{
    absence::Absences,
    context::ControllerContext,
    error::ReconcileError,
    objects,
    orphans::GiveUps,
    queue::{Place, Requeue},
    report::{self, LOOK_AGAIN},
    verified::Verified,
};

/// Where a statement may be in AWS, and because of which object.
#[derive(Debug, Clone)]
struct StatementPlace {
    uid: Option<String>,
    account: ObjectName,
    resource: PolicyResource,
}

/// Reconciles statements of resource policies.
pub struct StatementController {
    ctx: Arc<ControllerContext>,
    verified: Verified<ObjectId>,
    turns: PolicyTurns,
    give_ups: GiveUps<ObjectId>,
    unknown_principals: UnknownPrincipals,
    /// Since when AWS shows nothing of those that go. What was written a moment ago, here or by the leader before, is not shown yet.
    absences: Absences<ObjectId>,
    /// Where statements may be in AWS that this process has seen.
    places: Mutex<HashMap<ObjectId, StatementPlace>>,
    /// By what a look at each was last asked for, and had.
    asked: Mutex<HashMap<ObjectId, String>>,
}

impl StatementController {
    #[must_use]
    pub fn new(ctx: Arc<ControllerContext>) -> Self {
        Self {
            ctx,
            // Nothing lists what buckets, queues and topics have: each is read by itself.
            verified: Verified::for_an_interval(LOOK_AGAIN),
            turns: PolicyTurns::default(),
            give_ups: GiveUps::default(),
            unknown_principals: UnknownPrincipals::default(),
            absences: Absences::default(),
            places: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    /// Gives up what can't be taken out after that time, in a namespace that goes.
    #[cfg(test)]
    fn giving_up_after(mut self, time: std::time::Duration) -> Self {
        self.give_ups = GiveUps::after(time);
        self
    }

    /// Whose a statement is: of its account, and of its namespace.
    #[must_use]
    pub fn place(&self, id: &ObjectId) -> Place {
        Place {
            account: self.indexed(id).map(|statement| statement.account.clone()),
            namespace: Some(id.namespace.clone()),
        }
    }

    /// Brings the policy of a resource to where it has the statement as it should be, and says so in its status.
    ///
    /// # Errors
    /// [`ReconcileError`]; the key is tried again.
    pub async fn reconcile(&self, id: &ObjectId) -> Result<Requeue, ReconcileError> {
        // 1. dereference (clients)
        if self.is_anothers_turn(id) {
            return Ok(turns::LATER);
        }
        let Some(mut inputs) = dereference(&self.ctx, id).await? else {
            return self.take_out_of_gone(id, Requeue::AwaitChange).await;
        };
        if self.is_another(&inputs) {
            return self.take_out_of_gone(id, turns::LATER).await;
        }
        // 2. assess (pure)
        let plan = assess(&inputs);
        // 3. finalizer (client)
        if plan.adds_finalizer && !self.add_finalizer(&mut inputs).await? {
            return Ok(Requeue::AwaitChange);
        }
        // 4. apply (client)
        let Some(applied) = self.apply(&mut inputs, &plan).await? else {
            return Ok(turns::LATER);
        };
        // 5. report (client)
        self.tell_of_drift(&inputs, &applied).await;
        self.report(&inputs, &plan, &applied).await?;
        Ok(status::next_requeue(&plan, &applied))
    }

    /// Gives whether the object was still there.
    async fn add_finalizer(&self, inputs: &mut StatementInputs) -> Result<bool, ReconcileError> {
        let marked = objects::set_finalizer(&self.api(inputs), &inputs.object, FINALIZER, true).await?;
        Ok(marked.map(|object| inputs.object = object).is_some())
    }

    /// Does what the plan says in AWS. `None` while another statement of the same policy is being written.
    async fn apply(
        &self,
        inputs: &mut StatementInputs,
        plan: &StatementPlan,
    ) -> Result<Option<AppliedStatement>, ReconcileError> {
        let target = match &plan.goal {
            StatementGoal::Nothing(outcome) => {
                let applied = AppliedStatement::now(outcome.clone());
                return Ok(Some(self.unless_given_up(inputs, plan, applied).await?));
            }
            StatementGoal::Converge(target) => target,
        };
        let known = self.known(&inputs.id, inputs.requested());
        // Before an object goes, the policy is looked at once more.
        if !plan.is_leaving
            && let Some(applied) = apply::known(known, target)
        {
            return Ok(Some(applied));
        }
        let Some(turn) = self.turns.take(&target.resource) else {
            return Ok(None);
        };
        let policies = self.ctx.aws.resource_policies(&target.account);
        let mut found = apply::look(policies.as_ref(), &turn, target).await;
        if found.claims(target) {
            // Before AWS has it, the object says that it is its own.
            let Some(written) = self.claim(inputs).await? else {
                return Ok(Some(AppliedStatement::now(StatementOutcome::Gone)));
            };
            (inputs.object, inputs.old) = written;
            // That is a call to the API server, in whose time somebody may have written.
            found = apply::look(policies.as_ref(), &turn, target).await;
        }
        self.remember(inputs);
        let mut ended = apply::finish(policies.as_ref(), &turn, known, target, found).await?;
        if plan.is_leaving {
            ended.outcome = self.believed(&inputs.id, &ended);
        }
        if !ended.is_from_memory {
            self.note_asked(inputs);
        }
        Ok(Some(self.unless_given_up(inputs, plan, ended).await?))
    }

    /// What is asked for once is looked at once.
    fn note_asked(&self, inputs: &StatementInputs) {
        let mut asked = self.asked.lock();
        match inputs.requested() {
            Some(requested) => asked.insert(inputs.id.clone(), requested.to_owned()),
            None => asked.remove(&inputs.id),
        };
    }

    fn known<'a>(&'a self, id: &'a ObjectId, requested: Option<&str>) -> KnownStatements<'a> {
        KnownStatements {
            verified: &self.verified,
            unknown_principals: &self.unknown_principals,
            id,
            is_asked_for: self.asked.lock().get(id).map(String::as_str) != requested,
        }
    }

    /// Whether another statement of the same policy is being written: nothing is looked up for nothing.
    fn is_anothers_turn(&self, id: &ObjectId) -> bool {
        self.indexed(id)
            .is_some_and(|statement| self.turns.is_taken(&statement.resource))
    }

    /// As a watch showed it; `None` where it can't be read.
    fn indexed(&self, id: &ObjectId) -> Option<Arc<OwnedStatement>> {
        self.ctx.index.statement(id)?.parsed().ok()
    }

    /// What is believed of the policy where an object goes: that it has nothing of it, once it was taken out now, or AWS showed nothing of it
    /// a minute ago, too.
    fn believed(&self, id: &ObjectId, ended: &AppliedStatement) -> StatementOutcome {
        if ended.outcome != StatementOutcome::Absent || ended.is_taken_out {
            self.absences.forget(id);
            return ended.outcome.clone();
        }
        self.absences
            .doubted_for(id)
            .map_or(StatementOutcome::Absent, StatementOutcome::Unsure)
    }

    /// Where a statement may be in AWS. A finalizer alone does not hold an object: whoever may write it may take that off.
    fn remember(&self, inputs: &StatementInputs) {
        if let Some((account, resource)) = inputs.place.clone().filter(|_| inputs.is_claimed()) {
            let uid = inputs.object.metadata.uid.clone();
            let place = StatementPlace {
                uid,
                account,
                resource,
            };
            self.places.lock().insert(inputs.id.clone(), place);
        }
    }

    /// Whether the object is not the one whose statement may be in AWS: that one went without its finalizer, and this one was made since.
    fn is_another(&self, inputs: &StatementInputs) -> bool {
        let places = self.places.lock();
        places
            .get(&inputs.id)
            .is_some_and(|place| place.uid != inputs.object.metadata.uid)
    }

    /// Takes the statement of an object out that is gone without its finalizer. Gives `afterwards` once it is out.
    async fn take_out_of_gone(&self, id: &ObjectId, afterwards: Requeue) -> Result<Requeue, ReconcileError> {
        let Some(place) = self.places.lock().get(id).cloned() else {
            self.forget(id);
            return Ok(afterwards);
        };
        let account = self.ctx.index.account(&place.account);
        let outcome = match account.known() {
            Some(account) => {
                let Some(turn) = self.turns.take(&place.resource) else {
                    return Ok(turns::LATER);
                };
                let mut target = StatementTarget::gone(
                    Arc::clone(account),
                    place.resource.clone(),
                    statement_sid(&self.ctx.cluster, id),
                );
                target.own_sids = self.ctx.index.statement_sids_of(&place.resource);
                target.own_sids.remove(target.sid.as_str());
                let policies = self.ctx.aws.resource_policies(account);
                let found = apply::look(policies.as_ref(), &turn, &target).await;
                let known = self.known(id, None);
                let ended = apply::finish(policies.as_ref(), &turn, known, &target, found).await?;
                self.believed(id, &ended)
            }
            None => StatementOutcome::Waits {
                reason: ConditionReason::AccountNotFound,
                message: format!("AWSAccount {} does not exist", place.account),
            },
        };
        let ended = outcome.try_ended();
        let is_given_up = ended.is_some_and(|ended| self.give_ups.tried(id, ended));
        if is_given_up {
            self.tell_of_orphan(id, Some(&place.resource), &outcome.sentence())
                .await;
        } else if ended.is_some() {
            tracing::warn!(
                why = outcome.sentence(),
                "the statement of an object that went without its finalizer is not out yet"
            );
            return Ok(match outcome {
                StatementOutcome::Unsure(left) => Requeue::After(left),
                _ => Requeue::Retry,
            });
        }
        self.forget(id);
        Ok(afterwards)
    }

    /// Writes the Sid into the status. `None` when the object is gone.
    async fn claim(
        &self,
        inputs: &StatementInputs,
    ) -> Result<Option<(DynamicObject, AWSResourcePolicyStatementStatus)>, ReconcileError> {
        let new = AWSResourcePolicyStatementStatus {
            sid: Some(inputs.sid.to_string()),
            ..inputs.old.clone()
        };
        let written = replaced_status(&self.api(inputs), &inputs.object, &inputs.old, &new).await?;
        Ok(written.map(|object| (object, new)))
    }

    /// A namespace that goes is not held up for ever by what AWS refuses.
    async fn unless_given_up(
        &self,
        inputs: &StatementInputs,
        plan: &StatementPlan,
        applied: AppliedStatement,
    ) -> Result<AppliedStatement, ReconcileError> {
        let Some(ended) = applied.outcome.try_ended().filter(|_| plan.is_leaving) else {
            return Ok(applied);
        };
        let is_enough = self.give_ups.tried(&inputs.id, ended);
        if is_enough && objects::is_terminating(&self.ctx.client, &inputs.id.namespace).await? {
            return Ok(AppliedStatement {
                outcome: StatementOutcome::GivenUp(applied.outcome.sentence()),
                ..applied
            });
        }
        Ok(applied)
    }

    async fn tell_of_drift(&self, inputs: &StatementInputs, applied: &AppliedStatement) {
        let Some(difference) = &applied.drift else {
            return;
        };
        tracing::warn!(difference, "statement was changed by somebody else");
        let about = report::reference::<AWSResourcePolicyStatement>(&inputs.object);
        let note =
            format!("somebody changed the statement in AWS; it is as it should be again: {difference}");
        self.ctx.publish_event(&about, true, "DriftReverted", &note).await;
    }

    /// Says in its status what is true; takes the finalizer off when the policy has the statement no more.
    async fn report(
        &self,
        inputs: &StatementInputs,
        plan: &StatementPlan,
        applied: &AppliedStatement,
    ) -> Result<(), ReconcileError> {
        if plan.is_leaving {
            match &applied.outcome {
                StatementOutcome::Absent | StatementOutcome::Gone => return self.let_go(inputs).await,
                StatementOutcome::GivenUp(why) => {
                    let resource = inputs.place.as_ref().map(|(_, resource)| resource);
                    self.tell_of_orphan(&inputs.id, resource, why).await;
                    return self.let_go(inputs).await;
                }
                _ => {}
            }
        }
        let new = status::updated(inputs, plan, applied, self.ctx.now());
        let (api, object) = (self.api(inputs), &inputs.object);
        report::write_status::<AWSResourcePolicyStatement, _>(&self.ctx, &api, object, &inputs.old, &new)
            .await?;
        Ok(())
    }

    async fn tell_of_orphan(&self, id: &ObjectId, resource: Option<&PolicyResource>, why: &str) {
        let sid = statement_sid(&self.ctx.cluster, id);
        tracing::warn!(
            why,
            sid = sid.as_str(),
            "left the statement in AWS: it was refused for 10 minutes, and its object has to go, or is gone"
        );
        let resource = resource.map_or_else(|| "its resource".to_owned(), ToString::to_string);
        let note = format!(
            "AWSResourcePolicyStatement {id} is gone, and its statement {sid} stays in the policy of {resource}: {why}"
        );
        let about = report::of_namespace(&id.namespace);
        self.ctx.publish_event(&about, true, "Orphaned", &note).await;
    }

    async fn let_go(&self, inputs: &StatementInputs) -> Result<(), ReconcileError> {
        objects::set_finalizer(&self.api(inputs), &inputs.object, FINALIZER, false).await?;
        self.forget(&inputs.id);
        Ok(())
    }

    fn forget(&self, id: &ObjectId) {
        self.verified.forget(id);
        self.give_ups.forget(id);
        self.unknown_principals.forget(id);
        self.absences.forget(id);
        self.places.lock().remove(id);
        self.asked.lock().remove(id);
    }

    fn api(&self, inputs: &StatementInputs) -> Api<DynamicObject> {
        objects::namespaced::<AWSResourcePolicyStatement>(&self.ctx.client, &inputs.id.namespace)
    }
}
