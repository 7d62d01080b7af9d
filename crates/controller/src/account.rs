//! The controller of AWSAccount: says whether the account can be read, counts, and what the three identities of Deputy are.

use std::sync::Arc;

use deputy_api::{
    AWSAccount, AWSAccountStatus,
    conditions::{self, BOUNDARY_WRITER_READY, ISSUER_READY, PROVISIONER_READY, READY, Status, reason},
    convert,
};
use deputy_aws::Identity;
use deputy_delegation::{ObjectName, model::Account};

use crate::{
    context::{Context, reference},
    error::Error,
    identity::{Finding, ask},
    objects,
    queue::Requeue,
    role::status::list,
    verified::{DRIFT_INTERVAL, Verified},
};

/// Reconciles accounts.
pub struct AccountController {
    ctx: Arc<Context>,
    verified: Verified<ObjectName>,
}

impl AccountController {
    /// A controller in `ctx`.
    #[must_use]
    pub fn new(ctx: Arc<Context>) -> Self {
        Self {
            ctx,
            verified: Verified::default(),
        }
    }

    /// Says in its status how one account stands.
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
        let old: AWSAccountStatus = objects::status_of(&object);
        let mut new = old.clone();
        let generation = object.metadata.generation;
        new.observed_generation = generation;
        let (ready, next) = match objects::parse::<AWSAccount, _>(&object, convert::parse_account) {
            Err(violations) => (
                Finding {
                    holds: Status::False,
                    reason: reason::INVALID,
                    message: list(&violations),
                },
                Requeue::AwaitChange,
            ),
            Ok(account) if let Some(owner) = self.older(&account) => (
                Finding {
                    holds: Status::False,
                    reason: reason::DUPLICATE_ACCOUNT,
                    message: format!(
                        "AWS account {} is AWSAccount {owner} already, which is older and counts: nothing is made or granted by this \
                         one. Use {owner}, or delete one of the two",
                        account.id
                    ),
                },
                Requeue::AwaitChange,
            ),
            Ok(account) => {
                let next = self.provisioner(&account, &mut new, generation).await;
                (summary(&new, generation), next)
            }
        };
        let mut set = |type_, found: &Finding| {
            conditions::upsert(
                &mut new.conditions,
                type_,
                found.holds,
                found.reason,
                &found.message,
                generation,
                self.ctx.now(),
            )
        };
        let changed = set(READY, &ready);
        if objects::write_status(&api, &object, &old, &new).await? && changed {
            let about = reference::<AWSAccount>(&object);
            let warning = ready.holds != Status::True;
            self.ctx
                .publish_event(&about, warning, ready.reason, &ready.message)
                .await;
        }
        Ok(next)
    }

    /// The AWSAccount of the same AWS account that counts instead of this one.
    fn older(&self, account: &Account) -> Option<ObjectName> {
        let owner = self.ctx.index.account_of_id(&account.id)?;
        (owner != account.name).then_some(owner)
    }

    /// Says who writes the roles of an account. AWS is asked every hour and after every change of the spec, not after every
    /// change of the status.
    async fn provisioner(
        &self,
        account: &Account,
        status: &mut AWSAccountStatus,
        generation: Option<i64>,
    ) -> Requeue {
        let said = conditions::find(&status.conditions, PROVISIONER_READY)
            .is_some_and(|c| c.status == "True" && c.observed_generation == generation);
        let fingerprint = self.verified.fingerprint(account);
        if let Some(left) = self.verified.holds(&account.name, fingerprint).filter(|_| said) {
            return Requeue::After(left);
        }
        let found = ask(&self.ctx, account, Identity::Provisioner).await;
        conditions::upsert(
            &mut status.conditions,
            PROVISIONER_READY,
            found.holds,
            found.reason,
            &found.message,
            generation,
            self.ctx.now(),
        );
        if found.holds == Status::True {
            self.verified.set(account.name.clone(), fingerprint);
            return Requeue::After(DRIFT_INTERVAL);
        }
        Requeue::Retry
    }
}

/// `Ready` from what is said of the identities: a process that has not said anything about this spec yet is not waited for, so
/// that each is started when it is.
fn summary(status: &AWSAccountStatus, generation: Option<i64>) -> Finding {
    let said = [PROVISIONER_READY, BOUNDARY_WRITER_READY, ISSUER_READY].map(|type_| {
        conditions::find(&status.conditions, type_).filter(|c| c.observed_generation == generation)
    });
    let wrong: Vec<_> = said.iter().flatten().filter(|c| c.status == "False").collect();
    match wrong.first() {
        Some(first) => Finding {
            holds: Status::False,
            reason: known_reason(&first.reason),
            message: wrong
                .iter()
                .map(|c| c.message.as_str())
                .collect::<Vec<_>>()
                .join("\n"),
        },
        None => Finding {
            holds: Status::True,
            reason: reason::READY,
            message: "AWS answers the identities of Deputy as the account names them".to_owned(),
        },
    }
}

/// A reason that another process wrote, as one of those there are.
fn known_reason(text: &str) -> &'static str {
    [
        reason::ACCOUNT_MISMATCH,
        reason::IDENTITY_MISMATCH,
        reason::NO_CREDENTIALS,
        reason::ACCESS_DENIED,
        reason::THROTTLED,
        reason::UNAVAILABLE,
    ]
    .into_iter()
    .find(|known| *known == text)
    .unwrap_or(reason::AWS_ERROR)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn an_account_is_ready_as_long_as_no_identity_is_known_to_be_wrong() {
        let status_of = |said: &[(&str, Status, &str, i64)]| {
            let mut status = AWSAccountStatus::default();
            for (type_, holds, reason, generation) in said {
                let message = format!("{type_} says {reason}");
                conditions::upsert(
                    &mut status.conditions,
                    type_,
                    *holds,
                    reason,
                    &message,
                    Some(*generation),
                    Timestamp::UNIX_EPOCH,
                );
            }
            summary(&status, Some(2))
        };
        let ready = (PROVISIONER_READY, Status::True, "Ready", 2);
        for (said, holds, reason) in [
            (vec![ready], Status::True, "Ready"),
            (
                vec![ready, (ISSUER_READY, Status::True, "Ready", 2)],
                Status::True,
                "Ready",
            ),
            // The most likely first mistake: seen from the account.
            (
                vec![ready, (ISSUER_READY, Status::False, "IdentityMismatch", 2)],
                Status::False,
                "IdentityMismatch",
            ),
            (
                vec![ready, (BOUNDARY_WRITER_READY, Status::False, "NoCredentials", 2)],
                Status::False,
                "NoCredentials",
            ),
            // STS is away for a while, or it was said of another spec.
            (
                vec![ready, (ISSUER_READY, Status::Unknown, "Unavailable", 2)],
                Status::True,
                "Ready",
            ),
            (
                vec![ready, (ISSUER_READY, Status::False, "IdentityMismatch", 1)],
                Status::True,
                "Ready",
            ),
        ] {
            let found = status_of(&said);
            assert_eq!((found.holds, found.reason), (holds, reason), "{said:?}");
        }
        let both = status_of(&[
            (PROVISIONER_READY, Status::False, "AccountMismatch", 2),
            (ISSUER_READY, Status::False, "NoCredentials", 2),
        ]);
        assert_eq!(both.message.lines().count(), 2, "{}", both.message);
    }
}
