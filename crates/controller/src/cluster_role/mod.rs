//! The controller of ClusterAWSRole: sums up in its status what became of its IAM roles, and holds the object until they are gone. They
//! themselves are roles like any other, and the controller of those writes their entries.

mod assess;
mod dereference;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use deputy_api::{ClusterAWSRole, ClusterAWSRoleStatus};
use deputy_delegation::ObjectName;

use self::{assess::assess, dereference::dereference};
use crate::{
    context::ControllerContext,
    error::ReconcileError,
    instances::{FINALIZER, Instances},
    objects,
    queue::Requeue,
    report,
};

/// Reconciles ClusterAWSRoles.
pub struct ClusterRoleController {
    ctx: Arc<ControllerContext>,
    instances: Arc<Instances>,
}

impl ClusterRoleController {
    #[must_use]
    pub fn new(ctx: Arc<ControllerContext>, instances: Arc<Instances>) -> Self {
        Self { ctx, instances }
    }

    /// Says in its status how one ClusterAWSRole stands.
    ///
    /// # Errors
    /// [`ReconcileError`]; the key is tried again.
    pub async fn reconcile(&self, name: &ObjectName) -> Result<Requeue, ReconcileError> {
        let _turn = self.instances.turn(name).await;
        // 1. dereference (clients)
        let Some(inputs) = dereference(&self.ctx, name).await? else {
            self.instances.forget(name);
            return Ok(Requeue::AwaitChange);
        };
        let old: ClusterAWSRoleStatus = objects::status_of(&inputs.object);
        // 2. assess (pure)
        let assessment = assess(&inputs, &old);
        // 3. finalizer: none. The controller of roles adds it before the first of them is in AWS.
        // 4. apply: nothing. Its IAM roles are written each by itself.
        // 5. report (client)
        let api = objects::cluster_wide::<ClusterAWSRole>(&self.ctx.client);
        if assessment.may_go {
            objects::set_finalizer(&api, &inputs.object, FINALIZER, false).await?;
            return Ok(Requeue::AwaitChange);
        }
        let new = status::updated(&old, &inputs, &assessment, self.ctx.now());
        report::write_status::<ClusterAWSRole, _>(&self.ctx, &api, &inputs.object, &old, &new).await?;
        Ok(Requeue::AwaitChange)
    }
}
