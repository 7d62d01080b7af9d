//! The controller of DelegationLimit (`deputy limits`): keeps one boundary policy for each limit and account.
//!
//! It runs as a process of its own with an AWS identity of its own: the one that writes roles is denied every policy
//! write, so that a stolen controller can't widen its cage.

pub mod boundary;
mod copies;
mod sweep;

use std::sync::Arc;

use deputy_api::{
    BoundaryStatus, DelegationLimit, DelegationLimitStatus, GrantCounts,
    conditions::{self, READY, Status, TAGGED, of_decision, reason},
    convert,
};
use deputy_aws::AwsError;
use deputy_delegation::{
    ObjectName, Violation, boundary as ceiling,
    model::{Account, BoundaryMode, Limit},
};
use deputy_index::{Entry, Index};
use kube::api::DynamicObject;

pub use copies::copy_for_ever;
pub use sweep::sweep_for_ever;

use self::boundary::{Stopped, Wanted, ensure};
use crate::{
    context::{Context, reference},
    error::Error,
    objects,
    queue::Requeue,
    role::{
        assess::document_hash,
        status::{LOOK_AGAIN, list, tagged, trouble},
    },
    verified::{DRIFT_INTERVAL, Verified},
};

/// Reconciles limits.
pub struct LimitController {
    ctx: Arc<Context>,
    verified: Verified<(ObjectName, ObjectName)>,
}

/// Why a limit is not in force everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trouble {
    reason: &'static str,
    message: String,
    /// Whether trying again may help although no object changes.
    passing: bool,
}

impl Trouble {
    /// Over when an object changes.
    fn until_changed(reason: &'static str, message: String) -> Self {
        Self {
            reason,
            message,
            passing: false,
        }
    }

    fn invalid(violations: &[Violation]) -> Self {
        let reason = violations
            .first()
            .map_or(reason::INVALID, |v| of_decision(v.reason));
        Self::until_changed(reason, list(violations))
    }

    /// The limit is in force, and the former boundary could be again.
    fn of_old_versions(error: &AwsError) -> Self {
        let (reason, message) = trouble(error);
        Self {
            reason,
            message: format!(
                "the limit is in force, and an old version of its boundary policy is not deleted: {message}"
            ),
            passing: true,
        }
    }

    fn of(wanted: &Wanted, stopped: &Stopped) -> Self {
        let arn = &wanted.arn;
        let (reason, message) = match stopped {
            Stopped::NotOurs => (
                reason::CONFLICT,
                format!("{arn} is not ours: its tags say so; it is left alone"),
            ),
            Stopped::Unread(error) | Stopped::NotMade(error) | Stopped::NotChanged(error) => trouble(error),
            Stopped::NotShown => (
                reason::CONFLICT,
                format!("a policy of the name of {arn} is there, and not at its path; it is left alone"),
            ),
            Stopped::NotLeader => (reason::PROGRESSING, "under way".to_owned()),
        };
        Self {
            reason,
            message,
            passing: true,
        }
    }
}

/// What is known of the boundary policies of a limit after a look.
#[derive(Default)]
struct Findings {
    there: Vec<BoundaryStatus>,
    trouble: Vec<Trouble>,
    untagged: Vec<AwsError>,
}

impl LimitController {
    /// A controller in `ctx`.
    #[must_use]
    pub fn new(ctx: Arc<Context>) -> Self {
        Self {
            ctx,
            verified: Verified::default(),
        }
    }

    /// Brings the boundary policies of one limit to where they should be, and says so in its status.
    ///
    /// # Errors
    /// [`Error`]; the key is tried again.
    pub async fn reconcile(&self, name: &ObjectName) -> Result<Requeue, Error> {
        let api = objects::cluster_wide::<DelegationLimit>(&self.ctx.client);
        let Some(object) = api.get_opt(name.as_str()).await? else {
            return Ok(Requeue::AwaitChange);
        };
        if object.metadata.deletion_timestamp.is_some() {
            return Ok(Requeue::AwaitChange);
        }
        let old: DelegationLimitStatus = objects::status_of(&object);
        let mut new = old.clone();
        let parsed = objects::parse::<DelegationLimit, _>(&object, convert::parse_limit).map(Arc::new);
        let mut untagged = Vec::new();
        let trouble = match &parsed {
            Err(violations) => vec![Trouble::invalid(violations)],
            Ok(limit) => match self.violations(limit).await?.as_slice() {
                [] => {
                    let found = self.boundaries(limit, &old).await?;
                    new.boundaries = found.there;
                    untagged = found.untagged;
                    found.trouble
                }
                violations => vec![Trouble::invalid(violations)],
            },
        };
        new.observed_generation = object.metadata.generation;
        if let Ok(limit) = &parsed {
            let name = limit.name.clone();
            new.grants = self.ctx.decide(move |index| counts(index, &name)).await?;
        }
        if !new.boundaries.is_empty() {
            let (holds, reason, message) = tagged(&untagged);
            let generation = object.metadata.generation;
            conditions::upsert(
                &mut new.conditions,
                TAGGED,
                holds,
                reason,
                &message,
                generation,
                self.ctx.now(),
            );
        }
        let changed = set_ready(&mut new, &trouble, object.metadata.generation, self.ctx.now());
        if objects::write_status(&api, &object, &old, &new).await? && changed {
            self.announce(&object, &new).await;
        }
        Ok(
            if trouble.iter().any(|t| t.passing) || untagged.iter().any(AwsError::is_retryable) {
                Requeue::Retry
            } else if !untagged.is_empty() {
                Requeue::After(LOOK_AGAIN)
            } else {
                Requeue::After(DRIFT_INTERVAL)
            },
        )
    }

    async fn violations(&self, limit: &Arc<Limit>) -> Result<Vec<Violation>, Error> {
        let limit = Arc::clone(limit);
        self.ctx.decide(move |_| ceiling::check_limit(&limit)).await
    }

    async fn announce(&self, object: &DynamicObject, status: &DelegationLimitStatus) {
        let Some(ready) = conditions::find(&status.conditions, READY) else {
            return;
        };
        let about = reference::<DelegationLimit>(object);
        let warning = ready.status != "True";
        self.ctx
            .publish_event(&about, warning, &ready.reason, &ready.message)
            .await;
    }

    /// Ensures the policy of each account. In the status stays what AWS was last seen to have: roles wait for nothing
    /// only because AWS can't be asked for a while.
    async fn boundaries(&self, limit: &Limit, old: &DelegationLimitStatus) -> Result<Findings, Error> {
        let mut found = Findings::default();
        if limit.boundary == BoundaryMode::CheckOnly {
            return Ok(found);
        }
        for name in &limit.scope.accounts {
            let account = match self.ctx.index.account(name) {
                Entry::Known(account) => account,
                Entry::Unreadable(why) => {
                    let message = format!("the AWSAccount {name} can't be used: {why}");
                    found
                        .trouble
                        .push(Trouble::until_changed(reason::INVALID, message));
                    continue;
                }
                Entry::Missing => {
                    let message = format!("the AWSAccount {name} does not exist");
                    found
                        .trouble
                        .push(Trouble::until_changed(reason::ACCOUNT_NOT_FOUND, message));
                    continue;
                }
            };
            let known = old.boundaries.iter().find(|b| b.account == name.as_str());
            self.ensure_in(limit, &account, known, &mut found).await?;
        }
        Ok(found)
    }

    async fn ensure_in(
        &self,
        limit: &Limit,
        account: &Account,
        known: Option<&BoundaryStatus>,
        found: &mut Findings,
    ) -> Result<(), Error> {
        let document = match ceiling::compile(&self.ctx.cluster, account, limit) {
            Ok(document) => document,
            Err(violation) => {
                found.trouble.push(Trouble::invalid(&[violation]));
                return Ok(());
            }
        };
        let key = (limit.name.clone(), account.name.clone());
        let document_hash = document_hash(&document);
        let wanted = Wanted::new(&self.ctx.cluster, account, limit, document);
        let fingerprint = self.verified.fingerprint(&(&wanted, &account.endpoints));
        if let Some(known) = known.filter(|k| k.document_hash == document_hash)
            && self.verified.holds(&key, fingerprint).is_some()
        {
            found.there.push(known.clone());
            return Ok(());
        }
        let policies = self.ctx.aws.policies(account);
        match ensure(policies.as_ref(), &wanted, &|| self.ctx.may_write()).await {
            Ok(in_force) => {
                if in_force.is_complete() {
                    self.verified.set(key, fingerprint);
                } else {
                    tracing::warn!(policy = %wanted.arn, ?in_force, "boundary policy in force, but not all as it should be");
                    self.verified.forget(&key);
                }
                found
                    .trouble
                    .extend(in_force.old_versions.as_ref().map(Trouble::of_old_versions));
                found.untagged.extend(in_force.untagged);
                found.there.push(BoundaryStatus {
                    account: account.name.to_string(),
                    policy_arn: wanted.arn.to_string(),
                    document_hash,
                    version_id: in_force.version_id,
                });
            }
            Err(Stopped::NotLeader) => return Err(Error::NotLeader),
            Err(stopped) => {
                tracing::warn!(policy = %wanted.arn, ?stopped, "boundary policy not as it should be");
                self.verified.forget(&key);
                found.trouble.push(Trouble::of(&wanted, &stopped));
                if matches!(stopped, Stopped::Unread(_) | Stopped::NotChanged(_)) {
                    // With the hash of the document that it has, not of the one that it should have.
                    found.there.extend(known.cloned());
                }
            }
        }
        Ok(())
    }
}

/// Sets `Ready`. Gives whether it changed.
fn set_ready(
    status: &mut DelegationLimitStatus,
    trouble: &[Trouble],
    generation: Option<i64>,
    now: jiff::Timestamp,
) -> bool {
    let (holds, reason, message) = match trouble.first() {
        None => (Status::True, reason::READY, "the limit is in force".to_owned()),
        Some(first) => {
            let all: Vec<&str> = trouble.iter().map(|t| t.message.as_str()).collect();
            (Status::False, first.reason, all.join("\n"))
        }
    };
    conditions::upsert(
        &mut status.conditions,
        READY,
        holds,
        reason,
        &message,
        generation,
        now,
    )
}

/// Roles and bindings under a limit, by whether they are accepted.
fn counts(index: &Index, limit: &ObjectName) -> Option<GrantCounts> {
    let (accepted, suspended) = index.grant_counts(limit)?;
    let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    Some(GrantCounts {
        accepted: number(accepted),
        suspended: number(suspended),
    })
}
