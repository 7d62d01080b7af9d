//! The controller of DelegationLimit (`deputy limits`): keeps one boundary policy for each limit and account.
//!
//! It runs as a process of its own with an AWS identity of its own: the one that writes roles is denied every policy
//! write, so whoever takes over the controller of roles can't widen what those roles are held to.
//!
//! `boundary` brings one policy to where it should be; `prove` compares one that somebody else writes with its limit. Beside the reconciliation of limits, `sweep` deletes policies whose limit is gone,
//! and `copies` shows each namespace its limits.

mod apply;
mod assess;
mod backoff;
mod boundary;
mod copies;
mod dereference;
mod prove;
mod status;
mod sweep;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use deputy_api::{DelegationLimit, DelegationLimitStatus};
use deputy_delegation::ObjectName;

pub use copies::copy_for_ever;
pub use sweep::sweep_for_ever;

use self::{apply::apply, assess::assess, dereference::dereference};
use crate::{
    context::ControllerContext, error::ReconcileError, objects, queue::Requeue, report, verified::Verified,
};

/// Reconciles limits.
pub struct LimitController {
    ctx: Arc<ControllerContext>,
    /// By limit and account.
    verified: Verified<(ObjectName, ObjectName)>,
}

impl LimitController {
    #[must_use]
    pub fn new(ctx: Arc<ControllerContext>) -> Self {
        Self {
            ctx,
            verified: Verified::default(),
        }
    }

    /// Brings the boundary policies of one limit to where they should be, and says so in its status.
    ///
    /// # Errors
    /// [`ReconcileError`]; the key is tried again.
    pub async fn reconcile(&self, name: &ObjectName) -> Result<Requeue, ReconcileError> {
        // 1. dereference (clients)
        let Some(inputs) = dereference(&self.ctx, name).await? else {
            return Ok(Requeue::AwaitChange);
        };
        let old: DelegationLimitStatus = objects::status_of(&inputs.object);
        // 2. assess (pure)
        let plan = assess(&inputs, &old, self.verified.key());
        // 3. finalizer: none. The tags of a policy say whose it is, and `sweep` deletes it when its limit is gone.
        // 4. apply (client)
        let applied = apply(&self.ctx, &self.verified, &plan).await?;
        // 5. report (client)
        let new = status::updated(&old, &inputs, &applied, self.ctx.now());
        let api = objects::cluster_wide::<DelegationLimit>(&self.ctx.client);
        report::write_status::<DelegationLimit, _>(&self.ctx, &api, &inputs.object, &old, &new).await?;
        Ok(status::next_requeue(&applied))
    }
}
