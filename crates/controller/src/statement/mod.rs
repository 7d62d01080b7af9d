//! The controller of AWSResourcePolicyStatement: one statement in somebody's policy of a bucket, queue or topic.
//!
//! [`dereference`](dereference::dereference) looks everything up, [`assess`](assess::assess) says what the policy is to have, `apply` reads the
//! policy and writes it, and `status` says what is true then. AWS knows no version of such a policy to write against: of one policy this
//! process makes one change at a time (`turns`), and what it reads is no older than its other call before the write.

mod apply;
mod assess;
mod dereference;
mod outcome;
mod status;
#[cfg(test)]
mod tests;
mod turns;

use std::{collections::HashMap, sync::Arc, time::Duration};

use deputy_api::{AWSResourcePolicyStatement, AWSResourcePolicyStatementStatus};
use deputy_delegation::{ObjectName, PolicyResource, model::ObjectId, naming::statement_sid};
use deputy_runtime::status::replaced_status;
use kube::{Api, api::DynamicObject};
use parking_lot::Mutex;

use self::{
    apply::KnownStatements,
    assess::{StatementGoal, StatementPlan, StatementTarget, assess},
    dereference::{FINALIZER, StatementInputs, dereference},
    outcome::{AppliedStatement, StatementOutcome},
    turns::{PolicyTurn, PolicyTurns},
};
use crate::{
    context::ControllerContext,
    error::ReconcileError,
    objects,
    orphans::GiveUps,
    queue::{Place, Requeue},
    report::{self, LOOK_AGAIN},
    verified::Verified,
};

/// So long AWS may not know a role that was just made. It names no bound and speaks of seconds.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html#troubleshoot_general_eventual-consistency>
const UNKNOWN_PRINCIPAL: Duration = Duration::from_secs(120);

/// Reconciles statements of resource policies.
pub struct StatementController {
    ctx: Arc<ControllerContext>,
    verified: Verified<ObjectId>,
    turns: PolicyTurns,
    give_ups: GiveUps<ObjectId>,
    unknown_principals: GiveUps<ObjectId>,
    /// Where statements may be in AWS that this process has seen.
    places: Mutex<HashMap<ObjectId, (ObjectName, PolicyResource)>>,
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
            unknown_principals: GiveUps::after(UNKNOWN_PRINCIPAL),
            places: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    /// Gives up what can't be taken out after that time, in a namespace that goes.
    #[cfg(test)]
    fn giving_up_after(mut self, time: Duration) -> Self {
        self.give_ups = GiveUps::after(time);
        self
    }

    /// Whose a statement is: of its account, and of its namespace.
    #[must_use]
    pub fn place(&self, id: &ObjectId) -> Place {
        let statement = self.ctx.index.statement(id);
        Place {
            account: statement
                .and_then(|view| view.parsed().ok())
                .map(|statement| statement.account.clone()),
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
            return self.take_out_of_gone(id).await;
        };
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
        if plan.is_leaving && ended.outcome == StatementOutcome::Absent {
            ended.outcome = self.absent(&turn);
        }
        if let Some(requested) = inputs.requested() {
            self.asked.lock().insert(inputs.id.clone(), requested.to_owned());
        }
        Ok(Some(self.unless_given_up(inputs, plan, ended).await?))
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
        let statement = self.ctx.index.statement(id).and_then(|view| view.parsed().ok());
        statement.is_some_and(|statement| self.turns.is_taken(&statement.resource))
    }

    /// That the policy has nothing of an object that goes; once AWS can't show one of before any more.
    fn absent(&self, turn: &PolicyTurn) -> StatementOutcome {
        turn.unsure_for()
            .map_or(StatementOutcome::Absent, StatementOutcome::Unsure)
    }

    /// Where a statement may be in AWS. A finalizer alone does not hold an object: whoever may write it may take that off.
    fn remember(&self, inputs: &StatementInputs) {
        if let Some(place) = inputs.place.as_ref().filter(|_| inputs.is_claimed()) {
            self.places.lock().insert(inputs.id.clone(), place.clone());
        }
    }

    /// Takes the statement of an object out that is gone without its finalizer.
    async fn take_out_of_gone(&self, id: &ObjectId) -> Result<Requeue, ReconcileError> {
        let place = self.places.lock().get(id).cloned();
        let Some((account, resource)) = place else {
            self.forget(id);
            return Ok(Requeue::AwaitChange);
        };
        let account = self.ctx.index.account(&account);
        let (Some(account), Some(turn)) = (account.known(), self.turns.take(&resource)) else {
            return Ok(Requeue::Retry);
        };
        let sid = statement_sid(&self.ctx.cluster, id);
        let target = StatementTarget::gone(Arc::clone(account), resource, sid);
        let policies = self.ctx.aws.resource_policies(account);
        let found = apply::look(policies.as_ref(), &turn, &target).await;
        let known = self.known(id, None);
        let ended = apply::finish(policies.as_ref(), &turn, known, &target, found).await?;
        if ended.outcome != StatementOutcome::Absent {
            tracing::warn!(
                why = ended.outcome.sentence(),
                "failed to take the statement of an object out that went without its finalizer"
            );
            return Ok(Requeue::Retry);
        }
        tracing::warn!(
            resource = %target.resource,
            sid = target.sid.as_str(),
            "took the statement of an object out that went without its finalizer"
        );
        self.forget(id);
        Ok(Requeue::AwaitChange)
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
                    self.tell_of_orphan(inputs, why).await;
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

    async fn tell_of_orphan(&self, inputs: &StatementInputs, why: &str) {
        tracing::warn!(
            why,
            sid = inputs.sid.as_str(),
            "dropped finalizer and left the statement in AWS: it was refused for 10 minutes, and its namespace has to go"
        );
        let resource = inputs
            .place
            .as_ref()
            .map_or_else(|| "its resource".to_owned(), |(_, resource)| resource.to_string());
        let note = format!(
            "AWSResourcePolicyStatement {} is gone, and its statement {} stays in the policy of {resource}: {why}",
            inputs.id, inputs.sid
        );
        let about = report::of_namespace(&inputs.id.namespace);
        self.ctx.publish_event(&about, true, "Orphaned", &note).await;
    }

    async fn let_go(&self, inputs: &StatementInputs) -> Result<(), ReconcileError> {
        self.forget(&inputs.id);
        objects::set_finalizer(&self.api(inputs), &inputs.object, FINALIZER, false).await?;
        Ok(())
    }

    fn forget(&self, id: &ObjectId) {
        self.verified.forget(id);
        self.give_ups.forget(id);
        self.unknown_principals.forget(id);
        self.places.lock().remove(id);
        self.asked.lock().remove(id);
    }

    fn api(&self, inputs: &StatementInputs) -> Api<DynamicObject> {
        objects::namespaced::<AWSResourcePolicyStatement>(&self.ctx.client, &inputs.id.namespace)
    }
}
