//! The controller of boundary policies (`deputy limits`): one policy for each DelegationLimit and AWSAccount, each looked at, written,
//! tried again and said by itself. An account that can't be reached holds up no other.
//!
//! It runs as a process of its own with an AWS identity of its own: the one that writes roles is denied every policy
//! write, so whoever takes over the controller of roles can't widen what those roles are held to.
//!
//! `policy` brings one policy to where it should be; `prove` compares one that somebody else writes with its limit; `looks` knows when AWS
//! is looked at again; `drift` says what somebody changed there. Beside the reconciliation `sweep` deletes policies whose limit is gone.

mod apply;
mod assess;
mod dereference;
mod drift;
mod looks;
mod policy;
mod prove;
mod reach;
mod status;
mod sweep;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use deputy_api::DelegationLimit;
use deputy_delegation::ObjectName;
use deputy_index::BoundaryKey;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource as _;

#[cfg(test)]
pub(crate) use sweep::Sweeper;
pub use sweep::{SweepNews, sweep_for_ever};

use self::{
    apply::{AppliedLook, apply},
    assess::{BoundaryPlan, assess},
    dereference::{BoundaryInputs, dereference},
    looks::Looks,
    reach::{MayCall, Reach},
};
use crate::{
    context::ControllerContext,
    error::ReconcileError,
    limit_status::LimitStatuses,
    queue::{Lane, Queue, Requeue},
};

/// Reconciles boundary policies.
pub struct BoundaryController {
    ctx: Arc<ControllerContext>,
    statuses: Arc<LimitStatuses>,
    looks: Looks,
    reach: Reach,
    /// Limits of which an entry was written: they sum up anew.
    limits: Queue<ObjectName>,
}

impl BoundaryController {
    /// Tells `limits` of every limit of which it has written something.
    #[must_use]
    pub fn new(ctx: Arc<ControllerContext>, statuses: Arc<LimitStatuses>, limits: Queue<ObjectName>) -> Self {
        Self {
            ctx,
            statuses,
            looks: Looks::default(),
            reach: Reach::default(),
            limits,
        }
    }

    /// Brings the boundary policy of one limit in one account to where it should be, and says so in its entry in the limit's status.
    ///
    /// # Errors
    /// [`ReconcileError`]; the key is tried again.
    pub async fn reconcile(&self, key: &BoundaryKey) -> Result<Requeue, ReconcileError> {
        // 1. dereference (clients)
        let Some(inputs) = dereference(&self.ctx, key).await? else {
            self.looks.forget(key);
            return Ok(Requeue::AwaitChange);
        };
        // 2. assess (pure)
        let plan = assess(&inputs, &self.looks);
        if let BoundaryPlan::Rest(next) = plan {
            return Ok(Requeue::After(next));
        }
        // 3. finalizer: none. The tags of a policy say whose it is, and `sweep` deletes it when its limit is gone.
        // 4. apply (client)
        let applied = self.look(&inputs, &plan).await?;
        // 5. report (client)
        let said = status::said(&inputs, &plan, &applied, self.ctx.now());
        let next = status::next_requeue(&self.looks, key, &plan, &said, &applied);
        if let Some(drift) = status::drift(&inputs, &plan, &applied) {
            // Before the status, which may fail: the next look finds nothing to put right.
            self.tell(&inputs, &drift).await;
        }
        let uid = inputs.limit.uid.as_ref().map(AsRef::as_ref);
        let is_written = self.statuses.put(key, uid, &said).await?;
        self.looks.told(key);
        if is_written {
            self.limits.add(key.limit.clone(), Lane::Change);
        }
        Ok(next)
    }

    /// Carries the plan out, unless the account can't be reached anyway.
    async fn look(
        &self,
        inputs: &BoundaryInputs,
        plan: &BoundaryPlan,
    ) -> Result<AppliedLook, ReconcileError> {
        let account = &inputs.account;
        if let BoundaryPlan::Say(seen, _) = plan {
            return Ok(AppliedLook::Seen(seen.clone()));
        }
        let probe = match self.reach.begin(&account.name) {
            MayCall::Yes(probe) => probe,
            MayCall::NotFor(left, error) => return Ok(AppliedLook::Away(left, error)),
        };
        let policies = self.ctx.aws.policies(account, plan.purpose());
        let applied = apply(policies.as_ref(), plan, &|| self.ctx.may_write()).await?;
        self.reach.end(&account.name, probe, applied.error());
        Ok(applied)
    }

    async fn tell(&self, inputs: &BoundaryInputs, drift: &str) {
        tracing::warn!(
            drift,
            "boundary policy was changed by somebody else, and is as it should be again"
        );
        let limit = ObjectReference {
            api_version: Some(DelegationLimit::api_version(&()).into_owned()),
            kind: Some(DelegationLimit::kind(&()).into_owned()),
            name: Some(inputs.limit.name.to_string()),
            uid: inputs.limit.uid.as_ref().map(ToString::to_string),
            ..ObjectReference::default()
        };
        self.ctx.publish_event(&limit, true, "DriftReverted", drift).await;
    }
}
