//! Boundary policies whose limit is gone, or names their account no more. A limit has no finalizer: the tags are the record.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use deputy_api::{DelegationLimit, convert};
use deputy_aws::{CallPurpose, ListedPolicy, ObservedPolicy, Policies};
use deputy_delegation::{
    ClusterName, ClusterUid, ObjectName, PolicyArn,
    model::{Account, BoundaryMode, Kind, Limit, LimitEntry},
    naming,
};
use deputy_index::{Index, ResourceKind};
use deputy_runtime::shutdown::Shutdown;
use futures::stream::{self, StreamExt as _};
use tokio::{sync::Notify, time::Instant};
use tracing::Instrument as _;

use super::policy::{BoundaryApplyError, drop_version};
use crate::{
    backoff::{FIRST_PAUSE, RoundBackoff},
    context::ControllerContext,
    error::{ReconcileError, chain},
    objects,
};

/// Changes of limits and accounts come in numbers: so long they are gathered.
const GATHER: Duration = Duration::from_secs(1);
/// Accounts that are swept at a time.
const AT_ONCE: usize = 32;

/// What policies there should be, in which accounts: a sweep is due when it changes.
pub(super) type Explained = Vec<(Arc<Account>, Option<BTreeSet<PolicyArn>>)>;

/// What a sweep is told of.
#[derive(Debug, Default)]
pub struct SweepNews {
    /// A limit or an account changed: there may be other policies that there should be.
    pub wanted: Notify,
    /// A role changed: one that went may have been the last one under a policy that is left.
    pub freed: Notify,
    /// A limit is no more: one that came and went during a sweep leaves a policy, and nothing else that differs.
    pub gone: Notify,
}

/// Sweeps after every change of what there should be, and now and then, until the process drains.
pub async fn sweep_for_ever(ctx: &Arc<ControllerContext>, shutdown: &Shutdown, news: &SweepNews) {
    let sweeper = Arc::new(Sweeper::new(ctx.clone()));
    let for_ever = async {
        // A limit that is not known yet is not one that is gone.
        ctx.index.synced(&ResourceKind::KINDS).await;
        let mut backoff = RoundBackoff::default();
        loop {
            ctx.leadership.wait_until_leader().await;
            ctx.index.until_current(&ResourceKind::KINDS).await;
            let Ok(explained_then) = explained(&sweeper).await else {
                tokio::time::sleep(backoff.next(true)).await;
                continue;
            };
            let span = tracing::info_span!("sweep");
            let left = match sweeper.sweep(&explained_then).instrument(span).await {
                Ok(left) => left,
                Err(error) => {
                    tracing::warn!(error = chain(&error), "failed to sweep boundary policies");
                    true
                }
            };
            let swept = Instant::now();
            let pause = backoff.next(left);
            while let Ok(due) = tokio::time::timeout_at(swept + pause, news.next(left)).await {
                match due {
                    Due::Gone => {}
                    Due::Freed => tokio::time::sleep_until(swept + FIRST_PAUSE).await,
                    Due::Wanted => {
                        // Not for each: limits and accounts change in numbers.
                        tokio::time::sleep(GATHER).await;
                        if explained(&sweeper).await.is_ok_and(|now| now == explained_then) {
                            continue;
                        }
                    }
                }
                backoff.reset();
                break;
            }
        }
    };
    tokio::select! {
        () = for_ever => {}
        () = shutdown.draining() => {}
    }
}

/// Why a sweep is due, or may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Wanted,
    Freed,
    Gone,
}

impl SweepNews {
    /// The next piece of news; of roles only while a policy is left.
    async fn next(&self, left: bool) -> Due {
        tokio::select! {
            biased;
            () = self.gone.notified() => Due::Gone,
            () = self.wanted.notified() => Due::Wanted,
            () = self.freed.notified(), if left => Due::Freed,
        }
    }
}

/// What policies there should be, found on a thread where computing holds nobody up.
async fn explained(sweeper: &Arc<Sweeper>) -> Result<Explained, ReconcileError> {
    let (ctx, sweeper) = (Arc::clone(&sweeper.ctx), Arc::clone(sweeper));
    ctx.decide(move |_| sweeper.explained()).await
}

/// Removes policies of ours that no limit explains.
pub struct Sweeper {
    ctx: Arc<ControllerContext>,
}

impl Sweeper {
    #[must_use]
    pub fn new(ctx: Arc<ControllerContext>) -> Self {
        Self { ctx }
    }

    /// The ARNs that limits explain, by account. `None` while a limit can't be read: what it means to keep is not known.
    pub(crate) fn explained(&self) -> Explained {
        let index = &self.ctx.index;
        let limits = index.all_limits();
        let readable: Option<Vec<&Arc<Limit>>> = limits
            .iter()
            .map(|limit| match limit {
                LimitEntry::Valid(limit) => Some(limit),
                LimitEntry::Invalid { .. } => None,
            })
            .collect();
        let accounts = index.accounts();
        let known = accounts
            .iter()
            .filter_map(|name| index.account(name).known().cloned());
        known
            .map(|account| {
                let arns = readable.as_ref().map(|limits| {
                    let wanted = limits.iter().filter(|limit| explains(index, limit, &account));
                    wanted
                        .map(|limit| naming::boundary_arn(&self.ctx.cluster, &account, &limit.name))
                        .collect()
                });
                (account, arns)
            })
            .collect()
    }

    /// Sweeps every account once, several at a time: one that can't be reached holds up no other. Gives whether something is left that
    /// will have to go: a policy that is still some role's boundary stays until that role is gone.
    ///
    /// # Errors
    /// [`ReconcileError`]. What AWS says is logged, and counts as something left.
    pub(crate) async fn sweep(&self, explained: &Explained) -> Result<bool, ReconcileError> {
        let swept = explained.iter().map(|(account, keep)| async move {
            match keep {
                Some(keep) => self.sweep_account(account, keep).await,
                None => Ok(true),
            }
        });
        let outcomes: Vec<_> = stream::iter(swept).buffer_unordered(AT_ONCE).collect().await;
        let mut left = false;
        for outcome in outcomes {
            left |= outcome?;
        }
        Ok(left)
    }

    async fn sweep_account(
        &self,
        account: &Account,
        keep: &BTreeSet<PolicyArn>,
    ) -> Result<bool, ReconcileError> {
        let policies = self.ctx.aws.policies(account, CallPurpose::Look);
        let path = naming::limit_path(&self.ctx.cluster);
        let listed = match policies.list_policies(&path).await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::warn!(account = %account.name, %error, "failed to list boundary policies");
                return Ok(true);
            }
        };
        let mut left = false;
        let in_account = listed.iter().filter(|p| is_of(&p.arn, account));
        for policy in in_account.filter(|p| !keep.contains(&p.arn)) {
            left |= !self.remove(account, policies.as_ref(), policy).await?;
        }
        Ok(left)
    }

    /// Gives whether it is gone, or not ours to remove. What AWS does not find may only be late to be seen: the next list says so.
    async fn remove(
        &self,
        account: &Account,
        policies: &dyn Policies,
        listed: &ListedPolicy,
    ) -> Result<bool, ReconcileError> {
        if listed.attachment_count > 0 || listed.boundary_usage_count > 0 {
            return Ok(false);
        }
        let arn = &listed.arn;
        let observed = match policies.get_policy(arn).await {
            Ok(Some(observed)) => observed,
            // Listed, and not shown: one of the two is late. The next list says which.
            Ok(None) => return Ok(false),
            Err(error) => {
                tracing::warn!(policy = %arn, %error, "failed to read boundary policy");
                return Ok(false);
            }
        };
        let Some(limit) = owner(&self.ctx.cluster, &self.ctx.cluster_uid, &observed.tags) else {
            return Ok(true);
        };
        if observed.attachment_count > 0 || observed.boundary_usage_count > 0 {
            return Ok(false);
        }
        // What a watch does not show may have been made a moment ago.
        if self.is_wanted(&limit, account, arn).await? {
            return Ok(false);
        }
        match self.delete(policies, &observed).await {
            Ok(()) => {
                tracing::info!(policy = %arn, "boundary policy deleted: no limit explains it");
                Ok(true)
            }
            Err(BoundaryApplyError::NotLeader) => Err(ReconcileError::NotLeader),
            Err(error) => {
                tracing::info!(policy = %arn, error = %chain(&error), "failed to delete boundary policy");
                Ok(false)
            }
        }
    }

    /// Whether the limit, as the API server has it now, asks for this policy or can't be read.
    async fn is_wanted(
        &self,
        limit: &ObjectName,
        account: &Account,
        arn: &PolicyArn,
    ) -> Result<bool, ReconcileError> {
        let api = objects::cluster_wide::<DelegationLimit>(&self.ctx.client);
        let Some(object) = api.get_opt(limit.as_str()).await? else {
            return Ok(false);
        };
        let parsed = objects::parse::<DelegationLimit, _>(&object, convert::parse_limit);
        Ok(parsed.map_or(true, |limit| {
            explains(&self.ctx.index, &limit, account)
                && naming::boundary_arn(&self.ctx.cluster, account, &limit.name) == *arn
        }))
    }

    async fn delete(
        &self,
        policies: &dyn Policies,
        observed: &ObservedPolicy,
    ) -> Result<(), BoundaryApplyError> {
        let arn = &observed.arn;
        let may_write = || self.ctx.may_write();
        for version in observed.versions.iter().filter(|v| !v.is_default) {
            drop_version(policies, arn, &version.id, &may_write).await?;
        }
        if !self.ctx.may_write() {
            return Err(BoundaryApplyError::NotLeader);
        }
        policies
            .delete_policy(arn)
            .await
            .map_err(BoundaryApplyError::Delete)
    }
}

/// The limit that a policy of ours is of, by its tags. What another cluster of our cluster's name last owned is not ours to delete.
fn owner(
    cluster: &ClusterName,
    cluster_uid: &ClusterUid,
    tags: &BTreeMap<String, String>,
) -> Option<ObjectName> {
    let tag = |key: &str| tags.get(key).map(String::as_str);
    let ours = tag(naming::TAG_CLUSTER) == Some(cluster.as_str())
        && tag(naming::TAG_CLUSTER_UID) == Some(cluster_uid.as_str())
        && tag(naming::TAG_KIND) == Some(Kind::DelegationLimit.as_str());
    let name = tag(naming::TAG_NAME).filter(|_| ours)?;
    ObjectName::new(name).ok()
}

/// Whether a policy lives where the AWSAccount says that it is. An identity of another account or partition (the AWSAccount, or
/// the process, has a wrong one) is shown other policies, which no limit explains and nobody asked to be deleted.
fn is_of(arn: &PolicyArn, account: &Account) -> bool {
    arn.account() == &account.id && arn.partition() == &account.partition
}

/// Whether a limit asks for a boundary policy in an AWS account: by this AWSAccount, or by another one of the same id, may that
/// be used or not.
fn explains(index: &Index, limit: &Limit, account: &Account) -> bool {
    let is_it = |name: &ObjectName| *name == account.name || index.is_of_account(name, &account.id);
    limit.boundary == BoundaryMode::Generated
        && limit.carries_boundary()
        && limit.scope.accounts.iter().any(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lives_in_the_account_of_the_object_is_swept() {
        let account = crate::fixtures::account();
        for (arn, swept) in [
            ("arn:aws:iam::123456789012:policy/deputy/demo/limits/x", true),
            // An identity of another partition or account is shown what is there.
            (
                "arn:aws-us-gov:iam::123456789012:policy/deputy/demo/limits/x",
                false,
            ),
            ("arn:aws:iam::210987654321:policy/deputy/demo/limits/x", false),
        ] {
            assert_eq!(is_of(&PolicyArn::parse(arn).unwrap(), &account), swept, "{arn}");
        }
    }

    #[test]
    fn only_what_this_cluster_last_owned_is_swept() {
        let (cluster, uid) = (crate::fixtures::cluster(), crate::fixtures::cluster_uid());
        let limit = crate::fixtures::limit(&["s3:GetObject"]);
        let tags = naming::limit_tags(&cluster, &uid, &crate::fixtures::account(), &limit.name, None);
        let ours: BTreeMap<String, String> = tags
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        assert_eq!(owner(&cluster, &uid, &ours), Some(limit.name));
        for (key, value) in [
            (naming::TAG_CLUSTER, Some("other")),
            (naming::TAG_KIND, Some("AWSRole")),
            (naming::TAG_CLUSTER_UID, Some(crate::fixtures::OTHER_CLUSTER)),
            (naming::TAG_CLUSTER_UID, None),
        ] {
            let mut theirs = ours.clone();
            match value {
                Some(value) => drop(theirs.insert(key.to_owned(), value.to_owned())),
                None => drop(theirs.remove(key)),
            }
            assert_eq!(owner(&cluster, &uid, &theirs), None, "{key} {value:?}");
        }
    }

    #[test]
    fn a_limit_explains_by_every_account_of_the_id_used_or_not() {
        let index = crate::fixtures::index();
        let mut second = crate::fixtures::account_object();
        second.metadata.name = Some("second".into());
        second.metadata.uid = Some("uid-second".into());
        second.metadata.creation_timestamp = None;
        index.apply(ResourceKind::Accounts, second);
        let second = ObjectName::new("second").unwrap();
        assert!(index.account(&second).known().is_none());
        let mut limit = crate::fixtures::limit(&["s3:GetObject"]);
        let account = crate::fixtures::account();
        assert!(explains(&index, &limit, &account));
        limit.scope.accounts = BTreeSet::from([second]);
        assert!(explains(&index, &limit, &account));
        limit.scope.accounts = BTreeSet::from([ObjectName::new("elsewhere").unwrap()]);
        assert!(!explains(&index, &limit, &account));
    }
}
