//! Boundary policies whose limit is gone, or names their account no more. A limit has no finalizer: the tags are the record.

use std::{collections::HashSet, sync::Arc};

use deputy_aws::{ErrorClass, Policies};
use deputy_delegation::{
    PolicyArn,
    model::{Account, BoundaryMode, Kind, LimitEntry},
    naming,
};
use deputy_index::Entry;

use crate::{context::Context, error::Error};

/// Removes policies of ours that no limit explains.
pub struct Sweeper {
    ctx: Arc<Context>,
}

impl Sweeper {
    /// A sweeper in `ctx`.
    #[must_use]
    pub fn new(ctx: Arc<Context>) -> Self {
        Self { ctx }
    }

    /// Sweeps every account once. Gives whether something is left that will have to go: a policy that is still some role's
    /// boundary stays until that role is gone.
    ///
    /// # Errors
    /// [`Error::NotLeader`]. What AWS says is logged, and counts as something left.
    pub async fn sweep(&self) -> Result<bool, Error> {
        let mut left = false;
        for name in self.ctx.world.accounts() {
            if let Entry::Known(account) = self.ctx.world.account(&name) {
                left |= self.sweep_account(&account).await?;
            }
        }
        Ok(left)
    }

    /// The ARNs that limits explain. `None` while a limit can't be read: what it means to keep is not known then.
    fn explained(&self, account: &Account) -> Option<HashSet<PolicyArn>> {
        let mut keep = HashSet::new();
        for limit in self.ctx.world.all_limits() {
            match limit {
                LimitEntry::Invalid { .. } => return None,
                LimitEntry::Valid(limit) => {
                    if limit.boundary == BoundaryMode::Generated
                        && limit.scope.accounts.contains(&account.name)
                    {
                        keep.insert(naming::boundary_arn(&self.ctx.cluster, account, &limit.name));
                    }
                }
            }
        }
        Some(keep)
    }

    async fn sweep_account(&self, account: &Account) -> Result<bool, Error> {
        let policies = self.ctx.aws.policies(account);
        let listed = match policies
            .list_policies(&naming::limit_path(&self.ctx.cluster))
            .await
        {
            Ok(listed) => listed,
            Err(error) => {
                tracing::warn!(account = %account.name, %error, "boundary policies can't be listed");
                return Ok(true);
            }
        };
        let Some(keep) = self.explained(account) else {
            return Ok(true);
        };
        let mut left = false;
        for policy in listed.iter().filter(|p| !keep.contains(&p.arn)) {
            left |= !self.remove(&policies, &policy.arn).await?;
        }
        Ok(left)
    }

    /// Gives whether it is gone, or not ours to remove.
    async fn remove(&self, policies: &Arc<dyn Policies>, arn: &PolicyArn) -> Result<bool, Error> {
        let observed = match policies.get_policy(arn).await {
            Ok(Some(observed)) => observed,
            Ok(None) => return Ok(true),
            Err(error) => {
                tracing::warn!(policy = %arn, %error, "boundary policy can't be read");
                return Ok(false);
            }
        };
        let tag = |key: &str| observed.tags.get(key).map(String::as_str);
        if tag("deputy-cluster") != Some(self.ctx.cluster.as_str())
            || tag("deputy-kind") != Some(Kind::DelegationLimit.as_str())
        {
            return Ok(true);
        }
        if observed.attachment_count > 0 || observed.boundary_usage_count > 0 {
            return Ok(false);
        }
        for version in observed.versions.iter().filter(|v| !v.is_default) {
            self.fence()?;
            if let Err(error) = policies.delete_policy_version(arn, &version.id).await {
                tracing::warn!(policy = %arn, %error, "old version can't be deleted");
                return Ok(false);
            }
        }
        self.fence()?;
        match policies.delete_policy(arn).await {
            Ok(()) => {
                tracing::info!(policy = %arn, "boundary policy deleted: no limit explains it");
                Ok(true)
            }
            Err(error) if error.class() == ErrorClass::NotFound => Ok(true),
            Err(error) => {
                tracing::info!(policy = %arn, %error, "boundary policy not deleted yet");
                Ok(false)
            }
        }
    }

    fn fence(&self) -> Result<(), Error> {
        if self.ctx.may_write() {
            Ok(())
        } else {
            Err(Error::NotLeader)
        }
    }
}
