//! The controller of DelegationLimit (`deputy limits`): says of each limit whether it is in force, in how many of its accounts, and what it
//! means for the grants under it. Its boundary policies are written each by itself, by another controller; here their entries are summed up.
//!
//! `counts` counts the grants, not for each of their changes. `copies` shows each namespace its limits.

mod assess;
mod copies;
mod counts;
mod dereference;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use deputy_api::{DelegationLimit, DelegationLimitStatus};
use deputy_delegation::ObjectName;

pub use copies::copy_for_ever;
pub use counts::CountController;

use self::{assess::assess, dereference::dereference};
use crate::{
    context::ControllerContext, error::ReconcileError, limit_status::LimitStatuses, objects, queue::Requeue,
    report,
};

/// Reconciles limits.
pub struct LimitController {
    ctx: Arc<ControllerContext>,
    statuses: Arc<LimitStatuses>,
}

impl LimitController {
    #[must_use]
    pub fn new(ctx: Arc<ControllerContext>, statuses: Arc<LimitStatuses>) -> Self {
        Self { ctx, statuses }
    }

    /// Sums up in its status how one limit stands in its accounts.
    ///
    /// # Errors
    /// [`ReconcileError`]; the key is tried again.
    pub async fn reconcile(&self, name: &ObjectName) -> Result<Requeue, ReconcileError> {
        // From reading to writing: no entry is lost that is written meanwhile.
        let _turn = self.statuses.turn(name).await;
        // 1. dereference (clients)
        let Some(inputs) = dereference(&self.ctx, name).await? else {
            self.statuses.forget(name);
            return Ok(Requeue::AwaitChange);
        };
        let old: DelegationLimitStatus = objects::status_of(&inputs.object);
        // 2. assess (pure)
        let standing = assess(&inputs, &old);
        // 3. finalizer: none. The tags of a policy say whose it is, and it is swept when its limit is gone.
        // 4. apply: nothing. Its boundary policies are written each by itself.
        // 5. report (client)
        let new = status::updated(&old, &inputs, &standing, self.ctx.now());
        let api = objects::cluster_wide::<DelegationLimit>(&self.ctx.client);
        report::write_status::<DelegationLimit, _>(&self.ctx, &api, &inputs.object, &old, &new).await?;
        Ok(Requeue::AwaitChange)
    }
}
