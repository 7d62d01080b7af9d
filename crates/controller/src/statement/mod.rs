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

use std::{collections::HashMap, sync::Arc};

use deputy_api::{AWSResourcePolicyStatement, AWSResourcePolicyStatementStatus};
use deputy_delegation::model::ObjectId;
use deputy_runtime::status::replaced_status;
use kube::{Api, api::DynamicObject};
use parking_lot::Mutex;

use self::{
    apply::KnownStatements,
    assess::{StatementGoal, StatementPlan, assess},
    dereference::{FINALIZER, StatementInputs, dereference},
    outcome::{AppliedStatement, StatementOutcome},
    turns::PolicyTurns,
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

/// Reconciles statements of resource policies.
pub struct StatementController {
    ctx: Arc<ControllerContext>,
    verified: Verified<ObjectId>,
    turns: PolicyTurns,
    give_ups: GiveUps<ObjectId>,
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
        let Some(mut inputs) = dereference(&self.ctx, id).await? else {
            self.forget(id);
            return Ok(Requeue::AwaitChange);
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
        let known = KnownStatements {
            verified: &self.verified,
            id: &inputs.id,
            is_asked_for: self.asked.lock().get(&inputs.id).map(String::as_str) != inputs.requested(),
        };
        if let Some(applied) = apply::known(known, target) {
            return Ok(Some(applied));
        }
        let Some(_turn) = self.turns.take(&target.resource) else {
            return Ok(None);
        };
        let policies = self.ctx.aws.resource_policies(&target.account);
        let found = apply::look(policies.as_ref(), target).await;
        if found.claims() {
            // Before AWS has it, the object says that it is its own.
            let Some(written) = self.claim(inputs).await? else {
                return Ok(Some(AppliedStatement::now(StatementOutcome::Gone)));
            };
            (inputs.object, inputs.old) = written;
        }
        let ended = apply::finish(policies.as_ref(), known, target, found).await?;
        if let Some(requested) = inputs.requested() {
            self.asked.lock().insert(inputs.id.clone(), requested.to_owned());
        }
        Ok(Some(self.unless_given_up(inputs, plan, ended).await?))
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
        self.asked.lock().remove(id);
    }

    fn api(&self, inputs: &StatementInputs) -> Api<DynamicObject> {
        objects::namespaced::<AWSResourcePolicyStatement>(&self.ctx.client, &inputs.id.namespace)
    }
}
