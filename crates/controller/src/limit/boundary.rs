//! *Apply*: one boundary policy, read and written until AWS has it as it should be.

use std::collections::BTreeMap;

use deputy_aws::{AwsError, ErrorClass, NewPolicy, ObservedPolicy, Policies};
use deputy_delegation::{
    ClusterName, PolicyArn, TagKey, TagValue,
    model::{Account, Limit},
    naming,
};
use deputy_policy::{Document, PolicyKind};

use crate::role::converge::MayWrite;

/// AWS may not show a change at once; that often it is looked at again in one go.
const LOOKS: usize = 3;

/// A boundary policy as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its ARN.
    pub arn: PolicyArn,
    /// All of it.
    pub policy: NewPolicy,
}

impl Wanted {
    /// The boundary of `limit` in `account`, with `document` compiled for it.
    #[must_use]
    pub fn new(cluster: &ClusterName, account: &Account, limit: &Limit, document: Document) -> Self {
        // The account's own beside them: many organisations refuse what is not tagged.
        let own = account.tags.iter().filter(|(key, _)| !key.is_reserved());
        let mut tags: BTreeMap<_, _> = own.map(|(key, value)| (key.clone(), value.clone())).collect();
        tags.extend(naming::limit_tags(cluster, &limit.name, limit.uid.as_ref()));
        Self {
            arn: naming::boundary_arn(cluster, account, &limit.name),
            policy: NewPolicy {
                name: naming::limit_policy_name(cluster, &limit.name),
                path: naming::limit_path(cluster),
                tags,
                document,
            },
        }
    }

    /// Ours: every tag of ownership but the uid, which a limit that is made again has anew.
    fn owns(&self, observed: &ObservedPolicy) -> bool {
        self.policy
            .tags
            .iter()
            .filter(|(key, _)| key.is_reserved() && key.as_str() != naming::TAG_UID)
            .all(|(key, value)| {
                observed
                    .tags
                    .get(key.as_str())
                    .is_some_and(|v| v == value.as_str())
            })
    }

    /// Tags that are not as they should be.
    fn stale_tags(&self, observed: &ObservedPolicy) -> BTreeMap<TagKey, TagValue> {
        let tags = self.policy.tags.iter();
        tags.filter(|(key, value)| {
            observed.tags.get(key.as_str()).map(String::as_str) != Some(value.as_str())
        })
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
    }
}

/// Why a boundary policy is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// A policy of that name is there that is not ours.
    NotOurs,
    /// AWS could not be read: whatever was there is there still, as far as anybody knows.
    Unread(AwsError),
    /// AWS refused to make it: it is not there.
    NotMade(AwsError),
    /// AWS refused a change of what is there.
    NotChanged(AwsError),
    /// AWS says that it is there, and does not show it.
    NotShown,
    /// The Lease has too little time left for another write.
    NotLeader,
}

/// Makes the policy, or gives it a new version, and gives the id of the version in force. Old versions go at once: they
/// could be selected again.
///
/// # Errors
/// [`Stopped`]; another attempt goes on from where this one ended.
pub async fn ensure(
    policies: &dyn Policies,
    wanted: &Wanted,
    may_write: MayWrite<'_>,
) -> Result<String, Stopped> {
    for _ in 0..LOOKS {
        let observed = policies.get_policy(&wanted.arn).await.map_err(Stopped::Unread)?;
        match observed {
            None => {
                if !may_write() {
                    return Err(Stopped::NotLeader);
                }
                match policies.create_policy(&wanted.policy).await {
                    Ok(_) => {
                        tracing::info!(policy = %wanted.arn, "boundary policy made");
                        // The first version of every policy.
                        return Ok("v1".to_owned());
                    }
                    // Made a moment ago, by a call whose answer was lost: the next look may show it.
                    Err(error) if error.class() == ErrorClass::AlreadyExists => {}
                    Err(error) => return Err(Stopped::NotMade(error)),
                }
            }
            Some(observed) if !wanted.owns(&observed) => return Err(Stopped::NotOurs),
            Some(observed) => return update(policies, wanted, &observed, may_write).await,
        }
    }
    Err(Stopped::NotShown)
}

async fn update(
    policies: &dyn Policies,
    wanted: &Wanted,
    observed: &ObservedPolicy,
    may_write: MayWrite<'_>,
) -> Result<String, Stopped> {
    let arn = &wanted.arn;
    // Anything but the default version is in the way of the next one, or a way back to a wider boundary.
    for version in observed.versions.iter().filter(|v| !v.is_default) {
        drop_version(policies, arn, &version.id, may_write).await?;
    }
    let stale = wanted.stale_tags(observed);
    if !stale.is_empty() {
        if !may_write() {
            return Err(Stopped::NotLeader);
        }
        policies
            .tag_policy(arn, &stale)
            .await
            .map_err(Stopped::NotChanged)?;
    }
    let same = Document::parse(&observed.document, PolicyKind::Boundary)
        .is_ok_and(|d| d.semantically_eq(&wanted.policy.document));
    if same {
        return Ok(observed.default_version.clone());
    }
    if !may_write() {
        return Err(Stopped::NotLeader);
    }
    let version = policies
        .create_policy_version(arn, &wanted.policy.document)
        .await
        .map_err(Stopped::NotChanged)?;
    tracing::info!(policy = %arn, version, "boundary policy changed");
    drop_version(policies, arn, &observed.default_version, may_write).await?;
    Ok(version)
}

/// Deletes a version that is not in force, or is gone already.
pub(super) async fn drop_version(
    policies: &dyn Policies,
    arn: &PolicyArn,
    version: &str,
    may_write: MayWrite<'_>,
) -> Result<(), Stopped> {
    if !may_write() {
        return Err(Stopped::NotLeader);
    }
    match policies.delete_policy_version(arn, version).await {
        Err(error) if error.class() != ErrorClass::NotFound => Err(Stopped::NotChanged(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "boundary_tests.rs"]
mod tests;
