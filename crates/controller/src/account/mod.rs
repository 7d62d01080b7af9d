//! The controller of AWSAccount: says whether the account can be read, counts, and who Deputy is in it.
//!
//! Each process says in a condition of its own who it is in AWS (`identity`): `deputy controller` of the provisioner, `deputy limits` of
//! the boundary writer, and the broker of the issuer, by itself. `deputy controller` also sums up, and tells what is left
//! of the account's quotas (`quotas`). Nothing is written to AWS, so there
//! is no `apply`.

mod assess;
mod dereference;
mod identity;
mod quotas;
mod status;

use std::{sync::Arc, time::Duration};

use deputy_api::{AWSAccount, AWSAccountStatus};
use deputy_aws::{AccountIdentity, AccountSummary};
use deputy_delegation::ObjectName;

use self::{
    assess::{AccountPlan, assess},
    dereference::dereference,
    identity::{CheckedIdentity, check_identity},
    quotas::WatchedQuotas,
};
use crate::{
    context::ControllerContext, error::ReconcileError, objects, queue::Requeue, report, verified::Verified,
};

/// How soon the quotas are looked at after it was told who this process is.
const QUOTAS_NEXT: Duration = Duration::from_secs(1);

/// Reconciles accounts as the process with one of their identities.
pub struct AccountController {
    ctx: Arc<ControllerContext>,
    identity: AccountIdentity,
    verified: Verified<ObjectName>,
    quotas: WatchedQuotas,
}

impl AccountController {
    /// A controller in `ctx`, of the process that has `identity`.
    #[must_use]
    pub fn new(ctx: Arc<ControllerContext>, identity: AccountIdentity) -> Self {
        Self {
            ctx,
            identity,
            verified: Verified::default(),
            quotas: WatchedQuotas::default(),
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
            self.quotas.forget(&self.ctx, name);
            return Ok(Requeue::AwaitChange);
        };
        let old: AWSAccountStatus = objects::status_of(&inputs.object);
        // 2. assess (pure)
        let plan = assess(&inputs, self.verified.key());
        // 3. finalizer: none. An account has nothing in AWS of its own.
        // 4. apply: nothing is written to AWS, which is only asked who this process is (client)
        let is_reported = status::reports_identity(&old, &inputs, self.identity);
        let checked = check_identity(&self.ctx, &self.verified, self.identity, &plan, is_reported).await;
        let quotas = self.look_at_quotas(&plan, &checked).await;
        // 5. report (client)
        let mut new = status::updated(&old, &inputs, self.identity, &plan, &checked, self.ctx.now());
        status::write_quotas(&mut new, quotas.as_ref());
        let api = objects::cluster_wide::<AWSAccount>(&self.ctx.client);
        let is_written =
            report::write_status::<AWSAccount, _>(&self.ctx, &api, &inputs.object, &old, &new).await?;
        if is_written {
            checked.log_problem();
        }
        Ok(self.next_requeue(&checked))
    }

    /// The numbers of the account. They are `deputy controller`'s to tell, once it has told who it is: nothing waits for them.
    async fn look_at_quotas(
        &self,
        plan: &AccountPlan<'_>,
        checked: &CheckedIdentity,
    ) -> Option<AccountSummary> {
        match (plan, checked, self.identity) {
            (
                AccountPlan::Identify { account, .. },
                CheckedIdentity::Verified(_),
                AccountIdentity::Provisioner,
            ) => self.quotas.look(&self.ctx, account).await,
            _ => None,
        }
    }

    fn next_requeue(&self, checked: &CheckedIdentity) -> Requeue {
        match (self.identity, checked, checked.next_requeue()) {
            (AccountIdentity::Provisioner, CheckedIdentity::Verified(_), Requeue::After(time)) => {
                Requeue::After(time.min(report::LOOK_AGAIN))
            }
            // It is told who it is. The quotas are next.
            (AccountIdentity::Provisioner, CheckedIdentity::Asked(_), Requeue::After(_)) => {
                Requeue::After(QUOTAS_NEXT)
            }
            (_, _, requeue) => requeue,
        }
    }
}
