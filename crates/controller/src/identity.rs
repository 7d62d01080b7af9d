//! Who a process is in AWS, as a condition of the AWSAccount: each process says it of itself.

use std::sync::Arc;

use deputy_api::{
    AWSAccount, AWSAccountStatus,
    conditions::{self, BOUNDARY_WRITER_READY, Status, reason},
    convert,
};
use deputy_aws::{Identity, IdentityProblem, identify};
use deputy_delegation::{ObjectName, model::Account};
use deputy_index::Entry;

use crate::{
    context::Context,
    error::Error,
    objects,
    queue::Requeue,
    role::status::trouble,
    verified::{DRIFT_INTERVAL, Verified},
};

/// What is said of an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is the one named.
    pub holds: Status,
    /// For machines.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

impl Finding {
    /// The finding that a look at AWS comes to.
    #[must_use]
    pub fn of(identity: Identity, found: Result<String, IdentityProblem>) -> Self {
        let (holds, reason, message) = match found {
            Ok(who) => (
                Status::True,
                reason::READY,
                format!("{} is {who}", identity.process()),
            ),
            Err(IdentityProblem::Elsewhere(message)) => (Status::False, reason::ACCOUNT_MISMATCH, message),
            Err(IdentityProblem::Other(message)) => (Status::False, reason::IDENTITY_MISMATCH, message),
            Err(IdentityProblem::Aws(error)) => {
                let (reason, message) = trouble(&error);
                let message = format!("AWS does not say who {} is: {message}", identity.process());
                (Status::False, reason, message)
            }
        };
        Self {
            holds,
            reason,
            message,
        }
    }
}

/// Asks AWS who this process is in `account`.
pub async fn ask(ctx: &Context, account: &Account, identity: Identity) -> Finding {
    let answer = ctx.aws.identity(account, identity).caller_identity().await;
    Finding::of(identity, identify(account, identity, answer))
}

/// In `deputy limits`: says of each account whether its boundary writer is there.
pub struct BoundaryWriterController {
    ctx: Arc<Context>,
    verified: Verified<ObjectName>,
}

impl BoundaryWriterController {
    /// A controller in `ctx`.
    #[must_use]
    pub fn new(ctx: Arc<Context>) -> Self {
        Self {
            ctx,
            verified: Verified::default(),
        }
    }

    /// Says in the status of one account who writes its boundary policies.
    ///
    /// # Errors
    /// [`Error`]; the key is tried again.
    pub async fn reconcile(&self, name: &ObjectName) -> Result<Requeue, Error> {
        let api = objects::cluster_wide::<AWSAccount>(&self.ctx.client);
        let Some(object) = api.get_opt(name.as_str()).await? else {
            self.ctx.aws.forget(name);
            self.verified.forget(name);
            return Ok(Requeue::AwaitChange);
        };
        let parsed = objects::parse::<AWSAccount, _>(&object, convert::parse_account);
        // One that can't be read, or does not count, is said to be so by the controller.
        let (Ok(account), Entry::Known(_)) = (parsed, self.ctx.index.account(name)) else {
            return Ok(Requeue::AwaitChange);
        };
        let old: AWSAccountStatus = objects::status_of(&object);
        let generation = object.metadata.generation;
        let said = conditions::find(&old.conditions, BOUNDARY_WRITER_READY)
            .is_some_and(|c| c.status == "True" && c.observed_generation == generation);
        let fingerprint = self.verified.fingerprint(&account);
        if let Some(left) = self.verified.holds(name, fingerprint).filter(|_| said) {
            return Ok(Requeue::After(left));
        }
        let found = ask(&self.ctx, &account, Identity::BoundaryWriter).await;
        let mut new = old.clone();
        conditions::upsert(
            &mut new.conditions,
            BOUNDARY_WRITER_READY,
            found.holds,
            found.reason,
            &found.message,
            generation,
            self.ctx.now(),
        );
        if objects::write_status(&api, &object, &old, &new).await? && found.holds != Status::True {
            tracing::warn!(account = %name, reason = found.reason, detail = found.message, "this process is not who the account says");
        }
        Ok(if found.holds == Status::True {
            self.verified.set(name.clone(), fingerprint);
            Requeue::After(DRIFT_INTERVAL)
        } else {
            Requeue::Retry
        })
    }
}
