//! The controller of AWSAccount: says whether the account can be read and AWS answers.

use std::{sync::Arc, time::Duration};

use deputy_api::{
    AWSAccount, AWSAccountStatus,
    conditions::{self, READY, Status, reason},
    convert,
};
use deputy_delegation::{ObjectName, model::Account};
use kube::api::DynamicObject;

use crate::{
    context::Context,
    error::Error,
    objects,
    queue::Next,
    role::status::{Progress, list, of_error},
};

/// How often an account that works is asked again.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// Reconciles accounts.
pub struct AccountController {
    ctx: Arc<Context>,
}

impl AccountController {
    /// A controller in `ctx`.
    #[must_use]
    pub fn new(ctx: Arc<Context>) -> Self {
        Self { ctx }
    }

    /// Says in its status how one account stands.
    ///
    /// # Errors
    /// [`Error`]; the key is tried again.
    pub async fn reconcile(&self, name: &ObjectName) -> Result<Next, Error> {
        let api = objects::cluster_wide::<AWSAccount>(&self.ctx.client);
        let Some(object) = api.get_opt(name.as_str()).await? else {
            self.ctx.aws.forget(name);
            return Ok(Next::OnChange);
        };
        let old: AWSAccountStatus = objects::status_of(&object);
        // Every hour and after every change of its spec, not after every change of its status.
        let (holds, reason, message) = self.look(&object).await;
        let mut new = old.clone();
        new.observed_generation = object.metadata.generation;
        conditions::upsert(
            &mut new.conditions,
            READY,
            holds,
            reason,
            &message,
            object.metadata.generation,
            self.ctx.now(),
        );
        objects::write_status(&api, &object, &old, &new).await?;
        Ok(if holds == Status::True {
            Next::After(LOOK_AGAIN)
        } else {
            Next::Retry
        })
    }

    async fn look(&self, object: &DynamicObject) -> (Status, &'static str, String) {
        match objects::parse::<AWSAccount, _>(object, convert::parse_account) {
            Err(violations) => (Status::False, reason::INVALID, list(&violations)),
            Ok(account) => self.ask(&account).await,
        }
    }

    async fn ask(&self, account: &Account) -> (Status, &'static str, String) {
        match self.ctx.aws.sts(account).caller_identity().await {
            // With a role to assume, the ambient identity may live anywhere.
            Ok(caller) if account.provisioner.is_none() && caller.account != account.id => (
                Status::False,
                reason::ACCOUNT_MISMATCH,
                format!(
                    "{} is in account {}, not in {}",
                    caller.arn, caller.account, account.id
                ),
            ),
            Ok(caller) => (Status::True, reason::READY, format!("AWS answers {}", caller.arn)),
            Err(error) => match of_error(&error) {
                Progress::Waiting { reason, message } => (Status::False, reason, message),
                _ => (Status::False, reason::AWS_ERROR, error.to_string()),
            },
        }
    }
}
