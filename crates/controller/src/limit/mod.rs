//! The controller of DelegationLimit (`deputy limits`): keeps one boundary policy for each limit and account.
//!
//! It runs as a process of its own with an AWS identity of its own: the one that writes roles is denied every policy
//! write, so that a stolen controller can't widen its cage.

mod sweep;

use std::sync::Arc;

use deputy_api::{
    BoundaryStatus, DelegationLimit, DelegationLimitStatus, GrantCounts,
    conditions::{self, READY, Status, of_decision, reason},
    convert,
};
use deputy_aws::{ErrorClass, NewPolicy, ObservedPolicy, Policies};
use deputy_delegation::{
    ObjectName, PolicyArn, Violation, boundary,
    model::{Account, BoundaryMode, Limit},
    naming,
};
use deputy_index::{Entry, World};
use deputy_policy::{Document, PolicyKind};
use kube::api::DynamicObject;

pub use sweep::Sweeper;

use crate::{
    context::{Context, reference},
    error::Error,
    objects,
    queue::Next,
    role::{
        assess::document_hash,
        status::{Progress, list, of_error},
    },
    verified::{DRIFT_INTERVAL, Verified},
};

/// Reconciles limits.
pub struct LimitController {
    ctx: Arc<Context>,
    verified: Verified<(ObjectName, ObjectName)>,
}

/// Why a boundary policy is not as it should be: a reason and a message.
type Trouble = (&'static str, String);

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
    pub async fn reconcile(&self, name: &ObjectName) -> Result<Next, Error> {
        let api = objects::cluster_wide::<DelegationLimit>(&self.ctx.client);
        let Some(object) = api.get_opt(name.as_str()).await? else {
            return Ok(Next::OnChange);
        };
        if object.metadata.deletion_timestamp.is_some() {
            return Ok(Next::OnChange);
        }
        let old: DelegationLimitStatus = objects::status_of(&object);
        let mut new = old.clone();
        let parsed = objects::parse::<DelegationLimit, _>(&object, convert::parse_limit);
        let trouble = match &parsed {
            Err(violations) => vec![invalid(violations)],
            Ok(limit) => match boundary::check_limit(&self.ctx.cluster, limit).as_slice() {
                [] => self.boundaries(limit, &mut new).await?,
                violations => vec![invalid(violations)],
            },
        };
        new.observed_generation = object.metadata.generation;
        let (holds, reason, message) = match trouble.first() {
            None => (Status::True, reason::READY, "the limit is in force".to_owned()),
            Some((reason, _)) => {
                let all: Vec<&str> = trouble.iter().map(|(_, m)| m.as_str()).collect();
                (Status::False, *reason, all.join("\n"))
            }
        };
        let generation = object.metadata.generation;
        let changed = conditions::upsert(
            &mut new.conditions,
            READY,
            holds,
            reason,
            &message,
            generation,
            self.ctx.now(),
        );
        if let Ok(limit) = parsed {
            new.grants = counts(&self.ctx.world, &limit.name);
        }
        if objects::write_status(&api, &object, &old, &new).await? && changed {
            self.announce(&object, holds, reason, &message).await;
        }
        Ok(if holds == Status::True {
            Next::After(DRIFT_INTERVAL)
        } else {
            Next::Retry
        })
    }

    async fn announce(&self, object: &DynamicObject, holds: Status, reason: &str, message: &str) {
        self.ctx
            .tell(
                &reference::<DelegationLimit>(object),
                holds != Status::True,
                reason,
                message,
            )
            .await;
    }

    /// Ensures the policy of each account; what can't be ensured is trouble, and its entry in the status stays out.
    async fn boundaries(
        &self,
        limit: &Limit,
        status: &mut DelegationLimitStatus,
    ) -> Result<Vec<Trouble>, Error> {
        if limit.boundary == BoundaryMode::CheckOnly {
            status.boundaries.clear();
            return Ok(Vec::new());
        }
        let (mut trouble, mut there) = (Vec::new(), Vec::new());
        for name in &limit.scope.accounts {
            let account = match self.ctx.world.account(name) {
                Entry::Known(account) => account,
                Entry::Unreadable(why) => {
                    trouble.push((
                        reason::INVALID,
                        format!("the AWSAccount {name} can't be read: {why}"),
                    ));
                    continue;
                }
                Entry::Missing => {
                    trouble.push((
                        reason::ACCOUNT_NOT_FOUND,
                        format!("the AWSAccount {name} does not exist"),
                    ));
                    continue;
                }
            };
            let known = status.boundaries.iter().find(|b| b.account == name.as_str());
            match self.ensure(limit, &account, known).await? {
                Ok(entry) => there.push(entry),
                Err(t) => trouble.push(t),
            }
        }
        status.boundaries = there;
        Ok(trouble)
    }

    async fn ensure(
        &self,
        limit: &Limit,
        account: &Account,
        known: Option<&BoundaryStatus>,
    ) -> Result<Result<BoundaryStatus, Trouble>, Error> {
        let document = match boundary::compile(&self.ctx.cluster, account, limit) {
            Ok(document) => document,
            Err(violation) => return Ok(Err(invalid(&[violation]))),
        };
        let key = (limit.name.clone(), account.name.clone());
        let fingerprint =
            Verified::<()>::fingerprint(&(&document.to_json(), &account.id, &account.endpoints));
        let hash = document_hash(&document);
        if let Some(known) = known
            && known.document_hash == hash
            && self.verified.holds(&key, fingerprint)
        {
            return Ok(Ok(known.clone()));
        }
        let wanted = Wanted {
            arn: naming::boundary_arn(&self.ctx.cluster, account, &limit.name),
            policy: NewPolicy {
                name: naming::limit_policy_name(&self.ctx.cluster, &limit.name),
                path: naming::limit_path(&self.ctx.cluster),
                tags: naming::limit_tags(&self.ctx.cluster, &limit.name, limit.uid.as_ref()),
                document,
            },
        };
        match self.converge(&wanted, &self.ctx.aws.policies(account)).await? {
            Ok(version_id) => {
                self.verified.set(key, fingerprint);
                let policy_arn = wanted.arn.to_string();
                let account = account.name.to_string();
                Ok(Ok(BoundaryStatus {
                    account,
                    policy_arn,
                    document_hash: hash,
                    version_id,
                }))
            }
            Err(trouble) => {
                self.verified.forget(&key);
                Ok(Err(trouble))
            }
        }
    }

    /// Makes the policy, or gives it a new version. Old versions go at once: they could be selected again.
    async fn converge(
        &self,
        wanted: &Wanted,
        policies: &Arc<dyn Policies>,
    ) -> Result<Result<String, Trouble>, Error> {
        let observed = match policies.get_policy(&wanted.arn).await {
            Ok(observed) => observed,
            Err(error) => return Ok(Err(of_aws(&error))),
        };
        let outcome = match observed {
            None => {
                self.fence()?;
                let made = policies.create_policy(&wanted.policy).await;
                tracing::info!(policy = %wanted.arn, ok = made.is_ok(), "boundary policy written");
                made.map(|_| "v1".to_owned())
            }
            Some(observed) if !wanted.owns(&observed) => {
                return Ok(Err((
                    reason::CONFLICT,
                    format!("{} is not ours: its tags say so; it is left alone", wanted.arn),
                )));
            }
            Some(observed) => return self.update(wanted, &observed, policies).await,
        };
        Ok(outcome.map_err(|error| match error.class() {
            ErrorClass::AlreadyExists => (reason::CONFLICT, format!("{}: {error}", wanted.arn)),
            _ => of_aws(&error),
        }))
    }

    async fn update(
        &self,
        wanted: &Wanted,
        observed: &ObservedPolicy,
        policies: &Arc<dyn Policies>,
    ) -> Result<Result<String, Trouble>, Error> {
        // Anything but the default version is in the way of the next one, or a way back to a wider boundary.
        for version in observed.versions.iter().filter(|v| !v.is_default) {
            self.fence()?;
            if let Err(error) = policies.delete_policy_version(&wanted.arn, &version.id).await {
                return Ok(Err(of_aws(&error)));
            }
        }
        let same = Document::parse(&observed.document, PolicyKind::Boundary)
            .is_ok_and(|d| d.semantically_eq(&wanted.policy.document));
        if same {
            return Ok(Ok(observed.default_version.clone()));
        }
        self.fence()?;
        let version = match policies
            .create_policy_version(&wanted.arn, &wanted.policy.document)
            .await
        {
            Ok(version) => version,
            Err(error) => return Ok(Err(of_aws(&error))),
        };
        tracing::info!(policy = %wanted.arn, version, "boundary policy written");
        self.fence()?;
        if let Err(error) = policies
            .delete_policy_version(&wanted.arn, &observed.default_version)
            .await
        {
            return Ok(Err(of_aws(&error)));
        }
        Ok(Ok(version))
    }

    fn fence(&self) -> Result<(), Error> {
        if self.ctx.may_write() {
            Ok(())
        } else {
            Err(Error::NotLeader)
        }
    }
}

/// A boundary policy as it should be.
struct Wanted {
    arn: PolicyArn,
    policy: NewPolicy,
}

impl Wanted {
    /// Ours: every tag of ownership but the uid, which a limit that is made again has anew.
    fn owns(&self, observed: &ObservedPolicy) -> bool {
        owned(&self.policy.tags, &observed.tags)
    }
}

fn owned(
    wanted: &std::collections::BTreeMap<deputy_delegation::TagKey, deputy_delegation::TagValue>,
    observed: &std::collections::BTreeMap<String, String>,
) -> bool {
    wanted
        .iter()
        .filter(|(key, _)| key.as_str() != "deputy-uid")
        .all(|(key, value)| observed.get(key.as_str()).is_some_and(|v| v == value.as_str()))
}

/// Roles and bindings under a limit, by whether they are accepted.
fn counts(world: &World, limit: &ObjectName) -> Option<GrantCounts> {
    let (accepted, suspended) = world.grant_counts(limit)?;
    let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    Some(GrantCounts {
        accepted: number(accepted),
        suspended: number(suspended),
    })
}

fn invalid(violations: &[Violation]) -> Trouble {
    (
        violations
            .first()
            .map_or(reason::INVALID, |v| of_decision(v.reason)),
        list(violations),
    )
}

fn of_aws(error: &deputy_aws::AwsError) -> Trouble {
    match of_error(error) {
        Progress::Waiting { reason, message } => (reason, message),
        _ => (reason::AWS_ERROR, error.to_string()),
    }
}
