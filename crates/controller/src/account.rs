//! The controller of AWSAccount: says whether the account can be read and AWS answers.

use std::sync::Arc;

use deputy_api::{
    AWSAccount, AWSAccountStatus,
    conditions::{self, READY, Status, reason},
    convert,
};
use deputy_aws::CallerIdentity;
use deputy_delegation::{ObjectName, model::Account};

use crate::{
    context::{Context, reference},
    error::Error,
    objects,
    queue::Next,
    role::status::{list, trouble},
    verified::{DRIFT_INTERVAL, Verified},
};

/// Reconciles accounts.
pub struct AccountController {
    ctx: Arc<Context>,
    verified: Verified<ObjectName>,
}

/// What is said about an account, and when it is looked at again.
struct Finding {
    holds: Status,
    reason: &'static str,
    message: String,
    next: Next,
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
    pub async fn reconcile(&self, name: &ObjectName) -> Result<Next, Error> {
        let api = objects::cluster_wide::<AWSAccount>(&self.ctx.client);
        let Some(object) = api.get_opt(name.as_str()).await? else {
            self.ctx.aws.forget(name);
            self.verified.forget(name);
            return Ok(Next::OnChange);
        };
        let old: AWSAccountStatus = objects::status_of(&object);
        let found = match objects::parse::<AWSAccount, _>(&object, convert::parse_account) {
            Err(violations) => Finding {
                holds: Status::False,
                reason: reason::INVALID,
                message: list(&violations),
                next: Next::OnChange,
            },
            Ok(account) if let Some(owner) = self.older(&account) => Finding {
                holds: Status::False,
                reason: reason::DUPLICATE_ACCOUNT,
                message: format!(
                    "AWS account {} is AWSAccount {owner} already, which is older and counts: nothing is made or granted by this one. \
                     Use {owner}, or delete one of the two",
                    account.id
                ),
                next: Next::OnChange,
            },
            Ok(account) => {
                let fingerprint = self.verified.fingerprint(&account);
                // AWS is asked every hour and after every change of the spec, not after every change of the status.
                let left = self.verified.holds(name, fingerprint);
                if let Some(left) = left.filter(|_| conditions::is_true(&old.conditions, READY)) {
                    return Ok(Next::After(left));
                }
                let found = self.ask(&account).await;
                if found.holds == Status::True {
                    self.verified.set(name.clone(), fingerprint);
                }
                found
            }
        };
        let mut new = old.clone();
        let generation = object.metadata.generation;
        new.observed_generation = generation;
        let changed = conditions::upsert(
            &mut new.conditions,
            READY,
            found.holds,
            found.reason,
            &found.message,
            generation,
            self.ctx.now(),
        );
        if objects::write_status(&api, &object, &old, &new).await? && changed {
            let about = reference::<AWSAccount>(&object);
            let warning = found.holds != Status::True;
            self.ctx.tell(&about, warning, found.reason, &found.message).await;
        }
        Ok(found.next)
    }

    /// The AWSAccount of the same AWS account that counts instead of this one.
    fn older(&self, account: &Account) -> Option<ObjectName> {
        let owner = self.ctx.world.account_of_id(&account.id)?;
        (owner != account.name).then_some(owner)
    }

    async fn ask(&self, account: &Account) -> Finding {
        let answer = self.ctx.aws.sts(account).caller_identity().await;
        let (holds, reason, message) = match answer {
            // With a role to assume, the ambient identity may live anywhere.
            Ok(caller) if account.provisioner.is_none() && caller.account != account.id => (
                Status::False,
                reason::ACCOUNT_MISMATCH,
                format!(
                    "{} is in account {}, not in {}",
                    who(&caller),
                    caller.account,
                    account.id
                ),
            ),
            Ok(caller)
                if account.provisioner.is_none() && partition(&caller) != account.partition.as_str() =>
            {
                (
                    Status::False,
                    reason::ACCOUNT_MISMATCH,
                    format!(
                        "{} is in partition {}, not in {}: nothing of it is valid there",
                        who(&caller),
                        partition(&caller),
                        account.partition
                    ),
                )
            }
            Ok(caller) => (
                Status::True,
                reason::READY,
                format!("AWS answers {}", who(&caller)),
            ),
            Err(error) => {
                let (reason, message) = trouble(&error);
                (Status::False, reason, message)
            }
        };
        let next = if holds == Status::True {
            Next::After(DRIFT_INTERVAL)
        } else {
            Next::Retry
        };
        Finding {
            holds,
            reason,
            message,
            next,
        }
    }
}

/// The partition in the caller's ARN.
fn partition(caller: &CallerIdentity) -> &str {
    caller.arn.split(':').nth(1).unwrap_or_default()
}

/// The caller without the name of its session, which SDKs make up anew each time.
fn who(caller: &CallerIdentity) -> &str {
    match caller.arn.rsplit_once('/') {
        Some((role, _session)) if caller.arn.contains(":assumed-role/") => role,
        _ => &caller.arn,
    }
}

#[cfg(test)]
mod tests {
    use deputy_delegation::AccountId;

    use super::*;

    #[test]
    fn the_message_about_a_role_does_not_change_with_its_sessions() {
        for (arn, expected) in [
            (
                "arn:aws:sts::123456789012:assumed-role/deputy-controller/17000000000",
                "arn:aws:sts::123456789012:assumed-role/deputy-controller",
            ),
            (
                "arn:aws:iam::123456789012:user/infra/deputy-controller",
                "arn:aws:iam::123456789012:user/infra/deputy-controller",
            ),
        ] {
            let caller = CallerIdentity {
                account: AccountId::new("123456789012").unwrap(),
                arn: arn.into(),
                user_id: "x".into(),
            };
            assert_eq!(who(&caller), expected);
        }
    }
}
