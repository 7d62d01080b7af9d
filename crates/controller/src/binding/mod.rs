//! The controller of AWSRoleBinding: it writes a status and nothing else.
//!
//! The trust that a binding gives is part of its role, so there is no `apply`.

mod assess;
mod dereference;
mod status;
#[cfg(test)]
mod tests;
mod told;

use std::sync::Arc;

use deputy_api::{AWSRoleBinding, AWSRoleBindingStatus};
use deputy_delegation::model::ObjectId;

use self::{assess::assess, dereference::dereference, told::is_as_told};
use crate::{context::ControllerContext, error::ReconcileError, objects, queue::Requeue, report};

/// Reconciles bindings.
pub struct BindingController {
    ctx: Arc<ControllerContext>,
}

impl BindingController {
    #[must_use]
    pub fn new(ctx: Arc<ControllerContext>) -> Self {
        Self { ctx }
    }

    /// Says in its status how one binding stands.
    ///
    /// # Errors
    /// [`ReconcileError`]; the key is tried again.
    pub async fn reconcile(&self, id: &ObjectId) -> Result<Requeue, ReconcileError> {
        if is_as_told(&self.ctx, id).await? {
            return Ok(Requeue::AwaitChange);
        }
        // 1. dereference (clients)
        let Some(inputs) = dereference(&self.ctx, id).await? else {
            return Ok(Requeue::AwaitChange);
        };
        let old: AWSRoleBindingStatus = objects::status_of(&inputs.object);
        // 2. assess (pure)
        let assessment = assess(&inputs, &old);
        // 3. finalizer: none. A binding has nothing in AWS of its own.
        // 4. apply: nothing. The trust that a binding gives is written with its role.
        // 5. report (client)
        let new = status::updated(&old, &inputs, &assessment, self.ctx.now());
        let api = objects::namespaced::<AWSRoleBinding>(&self.ctx.client, &id.namespace);
        report::write_status::<AWSRoleBinding, _>(&self.ctx, &api, &inputs.object, &old, &new).await?;
        Ok(Requeue::AwaitChange)
    }
}
