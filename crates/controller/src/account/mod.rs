//! The controller of AWSAccount: says whether the account can be read, counts, and who Deputy is in it.
//!
//! Each process says in a condition of its own who it is in AWS (`identity`): `deputy controller` of the provisioner, `deputy limits` of
//! the boundary writer, and the broker of the issuer, by itself. `deputy controller` also sums up. Nothing is written to AWS, so there
//! is no `apply`.

mod assess;
mod dereference;
mod identity;
mod status;

use std::sync::Arc;

use deputy_api::{AWSAccount, AWSAccountStatus};
use deputy_aws::AccountIdentity;
use deputy_delegation::ObjectName;

use self::{assess::assess, dereference::dereference, identity::check_identity};
use crate::{
    context::ControllerContext, error::ReconcileError, objects, queue::Requeue, report, verified::Verified,
};

/// Reconciles accounts as the process with one of their identities.
pub struct AccountController {
    ctx: Arc<ControllerContext>,
    identity: AccountIdentity,
    verified: Verified<ObjectName>,
}

impl AccountController {
    /// A controller in `ctx`, of the process that has `identity`.
    #[must_use]
    pub fn new(ctx: Arc<ControllerContext>, identity: AccountIdentity) -> Self {
        Self {
            ctx,
            identity,
            verified: Verified::default(),
        }
    }

    /// Says in its status how one account stands.
    ///
    /// # Errors
    /// [`ReconcileError`]; the key is tried again.
    pub async fn reconcile(&self, name: &ObjectName) -> Result<Requeue, ReconcileError> {
        // 1. dereference (clients)
        let Some(inputs) = dereference(&self.ctx, name).await? else {
            self.ctx.aws.forget(name);
            self.verified.forget(name);
            return Ok(Requeue::AwaitChange);
        };
        let old: AWSAccountStatus = objects::status_of(&inputs.object);
        // 2. assess (pure)
        let plan = assess(&inputs, self.verified.key());
        // 3. finalizer: none. An account has nothing in AWS of its own.
        // 4. apply: nothing is written to AWS, which is only asked who this process is (client)
        let is_reported = status::reports_identity(&old, &inputs, self.identity);
        let checked = check_identity(&self.ctx, &self.verified, self.identity, &plan, is_reported).await;
        // 5. report (client)
        let new = status::updated(&old, &inputs, self.identity, &plan, &checked, self.ctx.now());
        let api = objects::cluster_wide::<AWSAccount>(&self.ctx.client);
        let is_written =
            report::write_status::<AWSAccount, _>(&self.ctx, &api, &inputs.object, &old, &new).await?;
        if is_written {
            checked.log_problem();
        }
        Ok(checked.next_requeue())
    }
}
