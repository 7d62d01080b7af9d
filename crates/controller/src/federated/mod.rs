//! The controller of AWSFederatedUserBinding: it writes a status and nothing else.
//!
//! A federated user is nothing in AWS but the name of a session, so there is no `apply`.

mod assess;
mod dereference;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use deputy_api::{AWSFederatedUserBinding, AWSFederatedUserBindingStatus};
use deputy_delegation::model::ObjectId;

use self::{assess::assess, dereference::dereference};
use crate::{context::ControllerContext, error::ReconcileError, objects, queue::Requeue, report};

/// Reconciles bindings of federated users.
pub struct FederatedController {
    ctx: Arc<ControllerContext>,
}

impl FederatedController {
    #[must_use]
    pub fn new(ctx: Arc<ControllerContext>) -> Self {
        Self { ctx }
    }

    /// Says in its status how one binding stands.
    ///
    /// # Errors
    /// [`ReconcileError`]; the key is tried again.
    pub async fn reconcile(&self, id: &ObjectId) -> Result<Requeue, ReconcileError> {
        // 1. dereference (clients)
        let Some(inputs) = dereference(&self.ctx, id).await? else {
            return Ok(Requeue::AwaitChange);
        };
        let old: AWSFederatedUserBindingStatus = objects::status_of(&inputs.object);
        // 2. assess (pure)
        let assessment = assess(&inputs, &old);
        // 3. finalizer: none. A federated user has nothing in AWS.
        // 4. apply: nothing. It is made by the call that gives a session of it.
        // 5. report (client)
        let new = status::updated(&old, &inputs, &assessment, self.ctx.now());
        let api = objects::namespaced::<AWSFederatedUserBinding>(&self.ctx.client, &id.namespace);
        report::write_status::<AWSFederatedUserBinding, _>(&self.ctx, &api, &inputs.object, &old, &new)
            .await?;
        Ok(Requeue::AwaitChange)
    }
}
