//! One boundary policy, read and written until AWS has it as it should be.

use std::collections::BTreeSet;

use deputy_aws::{AwsError, ErrorClass, NewPolicy, ObservedPolicy, Policies};
use deputy_delegation::{
    ClusterName, ClusterUid, PolicyArn, TagKey,
    model::{Account, Limit},
    naming,
    ownership::{self, ForeignCluster},
    tags::TagChanges,
};
use deputy_policy::{Document, PolicyKind};

use crate::context::MayWrite;

/// AWS may not show a change at once; that often it is looked at again in one go.
const LOOKS: usize = 3;
/// Versions that AWS keeps of a policy.
const VERSIONS_MAX: usize = 5;

/// A boundary policy as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredBoundary {
    pub arn: PolicyArn,
    /// All of it.
    pub policy: NewPolicy,
    /// Other clusters of our cluster's name from which it is taken over.
    pub adopt_from: BTreeSet<ClusterUid>,
}

impl DesiredBoundary {
    /// The boundary of `limit` in `account`, with `document` compiled for it.
    #[must_use]
    pub fn new(
        cluster: &ClusterName,
        cluster_uid: &ClusterUid,
        account: &Account,
        limit: &Limit,
        document: Document,
    ) -> Self {
        let tags = naming::limit_tags(cluster, cluster_uid, account, &limit.name, limit.uid.as_ref());
        Self {
            arn: naming::boundary_arn(cluster, account, &limit.name),
            policy: NewPolicy {
                name: naming::limit_policy_name(cluster, &limit.name),
                path: naming::limit_path(cluster),
                tags,
                document,
            },
            adopt_from: account.adopt_from.clone(),
        }
    }

    /// Whether `observed` is ours: by every tag of ownership but the uid, which a limit that is made again has anew; or another cluster's
    /// from which it is taken over.
    ///
    /// # Errors
    /// [`BoundaryApplyError::NotOurs`], [`BoundaryApplyError::OtherCluster`].
    fn check_owner(&self, observed: &ObservedPolicy) -> Result<(), BoundaryApplyError> {
        const ELSEWHERE: [&str; 3] = [naming::TAG_UID, naming::TAG_TAGS, naming::TAG_CLUSTER_UID];
        let says_whose = |key: &TagKey| key.is_reserved() && !ELSEWHERE.contains(&key.as_str());
        let (wanted, found) = (&self.policy.tags, &observed.tags);
        let is_ours = wanted
            .iter()
            .filter(|(key, _)| says_whose(key))
            .all(|(key, value)| found.get(key.as_str()).is_some_and(|v| v == value.as_str()));
        if !is_ours {
            return Err(BoundaryApplyError::NotOurs);
        }
        ownership::claim(wanted, &self.adopt_from, found).map_err(BoundaryApplyError::OtherCluster)?;
        Ok(())
    }
}

/// The version of a boundary policy that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionInForce {
    /// Its id.
    pub id: String,
    /// What it says, as AWS returned it.
    pub document: String,
}

/// What had to be written so that the document is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Nothing: it was in force.
    Nothing,
    /// The policy was not there.
    Created,
    /// A version with another document was in force.
    Replaced(VersionInForce),
}

/// A boundary policy whose document is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedBoundary {
    /// The id of its version.
    pub version_id: String,
    /// What was there before.
    pub written: Written,
    /// Why an old version is still there: it could be selected again.
    pub old_versions: Option<AwsError>,
    /// What AWS refused of tags.
    pub untagged: Vec<AwsError>,
}

impl AppliedBoundary {
    fn version(version_id: impl Into<String>, written: Written) -> Self {
        Self {
            version_id: version_id.into(),
            written,
            old_versions: None,
            untagged: Vec::new(),
        }
    }

    /// Whether there is nothing left to do.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.old_versions.is_none() && self.untagged.is_empty()
    }
}

/// Why a boundary policy could not be brought to where it should be. Another attempt goes on from where this one ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BoundaryApplyError {
    /// A policy of that name is there that is not ours.
    #[error("a policy of this name is not ours, and is left alone")]
    NotOurs,
    /// A policy of that name is there that another cluster of our cluster's name owns.
    #[error("a policy of this name is not this cluster's, and is left alone")]
    OtherCluster(#[source] ForeignCluster),
    /// AWS could not be read: whatever was there is there still, as far as anybody knows.
    #[error("AWS can't be read")]
    Read(#[source] AwsError),
    /// AWS refused to make it: it is not there.
    #[error("AWS refused to create the policy")]
    Create(#[source] AwsError),
    /// AWS refused to delete a version, or the policy.
    #[error("AWS refused to delete a version of the policy")]
    Delete(#[source] AwsError),
    /// AWS refused the new version, or to make room for it.
    #[error("AWS refused a new version of the policy")]
    Outdated {
        /// What it said.
        #[source]
        error: AwsError,
        /// What was in force before: unless the outcome is unknown it is still.
        in_force: Box<VersionInForce>,
    },
    /// AWS says that it is there, and does not show it.
    #[error("AWS does not show the policy where it should be")]
    NotShown,
    /// The Lease has too little time left for another write.
    #[error("the Lease has too little time left for a call to AWS")]
    NotLeader,
}

/// Makes the policy, or gives it a new version. The new version comes first: it may be the narrower one, and neither an old version that
/// AWS won't delete nor a tag that it refuses keeps the wider one in force. Old versions go next, as they could be selected again; tags
/// last.
///
/// # Errors
/// [`BoundaryApplyError`]; another attempt goes on from where this one ended.
pub async fn ensure(
    policies: &dyn Policies,
    desired: &DesiredBoundary,
    may_write: MayWrite<'_>,
) -> Result<AppliedBoundary, BoundaryApplyError> {
    for _ in 0..LOOKS {
        let observed = policies
            .get_policy(&desired.arn)
            .await
            .map_err(BoundaryApplyError::Read)?;
        match observed {
            None => {
                if !may_write() {
                    return Err(BoundaryApplyError::NotLeader);
                }
                match policies.create_policy(&desired.policy).await {
                    // Of an identity in another account or partition than the AWSAccount says.
                    Ok(created) if created != desired.arn => {
                        tracing::error!(%created, desired = %desired.arn, "boundary policy created in another account or partition");
                        return Err(BoundaryApplyError::NotShown);
                    }
                    Ok(_) => {
                        tracing::info!(policy = %desired.arn, "boundary policy created");
                        // The first version of every policy.
                        return Ok(AppliedBoundary::version("v1", Written::Created));
                    }
                    // Made a moment ago, by a call whose answer was lost: the next look may show it.
                    Err(error) if error.class() == ErrorClass::AlreadyExists => {}
                    Err(error) => return Err(refused(error, BoundaryApplyError::Create)),
                }
            }
            Some(observed) => {
                desired.check_owner(&observed)?;
                return update(policies, desired, &observed, may_write).await;
            }
        }
    }
    Err(BoundaryApplyError::NotShown)
}

async fn update(
    policies: &dyn Policies,
    desired: &DesiredBoundary,
    observed: &ObservedPolicy,
    may_write: MayWrite<'_>,
) -> Result<AppliedBoundary, BoundaryApplyError> {
    let arn = &desired.arn;
    let others = observed.versions.iter().filter(|v| !v.is_default);
    let mut old: Vec<&str> = others.map(|v| v.id.as_str()).collect();
    let same = Document::parse(&observed.document, PolicyKind::Boundary)
        .is_ok_and(|d| d.semantically_eq(&desired.policy.document));
    let mut applied = AppliedBoundary::version(observed.default_version.as_str(), Written::Nothing);
    if !same {
        let in_force = VersionInForce {
            id: observed.default_version.clone(),
            document: observed.document.clone(),
        };
        let outdated = |error| BoundaryApplyError::Outdated {
            error,
            in_force: Box::new(in_force.clone()),
        };
        if observed.versions.len() >= VERSIONS_MAX {
            match make_room(policies, arn, &mut old, may_write).await {
                Err(BoundaryApplyError::Delete(error)) => return Err(outdated(error)),
                made => made?,
            }
        }
        if !may_write() {
            return Err(BoundaryApplyError::NotLeader);
        }
        applied.version_id = policies
            .create_policy_version(arn, &desired.policy.document)
            .await
            .map_err(|error| refused(error, outdated))?;
        applied.written = Written::Replaced(in_force);
        tracing::info!(policy = %arn, version = applied.version_id, "boundary policy updated");
        old.push(&observed.default_version);
    }
    for version in old {
        match drop_version(policies, arn, version, may_write).await {
            Err(BoundaryApplyError::Delete(error)) => {
                applied.old_versions.get_or_insert(error);
            }
            dropped => dropped?,
        }
    }
    applied.untagged = tag(policies, desired, observed, may_write).await?;
    Ok(applied)
}

/// Deletes one of the old versions, whichever AWS lets go, and takes it out of the list.
async fn make_room(
    policies: &dyn Policies,
    arn: &PolicyArn,
    old: &mut Vec<&str>,
    may_write: MayWrite<'_>,
) -> Result<(), BoundaryApplyError> {
    let mut refused = None;
    for (index, version) in old.clone().into_iter().enumerate() {
        match drop_version(policies, arn, version, may_write).await {
            Ok(()) => {
                old.remove(index);
                return Ok(());
            }
            Err(BoundaryApplyError::NotLeader) => return Err(BoundaryApplyError::NotLeader),
            Err(stopped) => {
                refused.get_or_insert(stopped);
            }
        }
    }
    refused.map_or(Ok(()), Err)
}

/// Brings the tags to where they should be. Gives what AWS refused.
async fn tag(
    policies: &dyn Policies,
    desired: &DesiredBoundary,
    observed: &ObservedPolicy,
    may_write: MayWrite<'_>,
) -> Result<Vec<AwsError>, BoundaryApplyError> {
    let arn = &desired.arn;
    let mut refused = Vec::new();
    let mut changes = TagChanges::between(&desired.policy.tags, &observed.tags);
    let keys: Vec<String> = changes
        .remove_own
        .iter()
        .chain(&changes.remove)
        .cloned()
        .collect();
    if !keys.is_empty() {
        if !may_write() {
            return Err(BoundaryApplyError::NotLeader);
        }
        match policies.untag_policy(arn, &keys).await {
            Ok(()) => {
                let mut left = observed.tags.clone();
                left.retain(|key, _| !keys.contains(key));
                changes = TagChanges::between(&desired.policy.tags, &left);
            }
            Err(error) => refused.push(error),
        }
    }
    let mut tags = changes.set_own;
    tags.extend(changes.set);
    if !tags.is_empty() {
        if !may_write() {
            return Err(BoundaryApplyError::NotLeader);
        }
        refused.extend(policies.tag_policy(arn, &tags).await.err());
    }
    Ok(refused)
}

/// Deletes a version that is not in force. "Not found" alone does not say that it is gone: what answers may not know yet what was made a
/// moment ago. It is gone once AWS shows the policy without it.
pub(super) async fn drop_version(
    policies: &dyn Policies,
    arn: &PolicyArn,
    version: &str,
    may_write: MayWrite<'_>,
) -> Result<(), BoundaryApplyError> {
    if !may_write() {
        return Err(BoundaryApplyError::NotLeader);
    }
    let Err(error) = policies.delete_policy_version(arn, version).await else {
        return Ok(());
    };
    if error.class() == ErrorClass::NotFound
        && let Ok(Some(now)) = policies.get_policy(arn).await
        && now.versions.iter().all(|there| there.id != version)
    {
        return Ok(());
    }
    Err(refused(error, BoundaryApplyError::Delete))
}

/// What it is that a call failed: `otherwise`, unless the call was not made because the Lease has too little time left.
fn refused(error: AwsError, otherwise: impl FnOnce(AwsError) -> BoundaryApplyError) -> BoundaryApplyError {
    match error.class() {
        ErrorClass::NotLeader => BoundaryApplyError::NotLeader,
        _ => otherwise(error),
    }
}
