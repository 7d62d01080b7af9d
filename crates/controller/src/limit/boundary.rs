//! *Apply*: one boundary policy, read and written until AWS has it as it should be.

use deputy_aws::{AwsError, ErrorClass, NewPolicy, ObservedPolicy, Policies};
use deputy_delegation::{
    ClusterName, PolicyArn, TagKey,
    model::{Account, Limit},
    naming,
    tags::TagChanges,
};
use deputy_policy::{Document, PolicyKind};

use crate::role::converge::MayWrite;

/// AWS may not show a change at once; that often it is looked at again in one go.
const LOOKS: usize = 3;
/// Versions that AWS keeps of a policy.
const VERSIONS_MAX: usize = 5;

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
        let tags = naming::limit_tags(cluster, account, &limit.name, limit.uid.as_ref());
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
        let says_whose = |key: &TagKey| {
            key.is_reserved() && key.as_str() != naming::TAG_UID && key.as_str() != naming::TAG_TAGS
        };
        self.policy
            .tags
            .iter()
            .filter(|(key, _)| says_whose(key))
            .all(|(key, value)| {
                observed
                    .tags
                    .get(key.as_str())
                    .is_some_and(|v| v == value.as_str())
            })
    }
}

/// The document is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// The id of its version.
    pub version_id: String,
    /// Why an old version is still there: it could be selected again.
    pub old_versions: Option<AwsError>,
    /// What AWS refused of tags.
    pub untagged: Vec<AwsError>,
}

impl InForce {
    fn version(version_id: impl Into<String>) -> Self {
        Self {
            version_id: version_id.into(),
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

/// Makes the policy, or gives it a new version. The new version comes first: it may be the narrower one, and neither an old version that
/// AWS won't delete nor a tag that it refuses keeps the wider one in force. Old versions go next, as they could be selected again; tags
/// last.
///
/// # Errors
/// [`Stopped`]; another attempt goes on from where this one ended.
pub async fn ensure(
    policies: &dyn Policies,
    wanted: &Wanted,
    may_write: MayWrite<'_>,
) -> Result<InForce, Stopped> {
    for _ in 0..LOOKS {
        let observed = policies.get_policy(&wanted.arn).await.map_err(Stopped::Unread)?;
        match observed {
            None => {
                if !may_write() {
                    return Err(Stopped::NotLeader);
                }
                match policies.create_policy(&wanted.policy).await {
                    // Of an identity in another account or partition than the AWSAccount says.
                    Ok(made) if made != wanted.arn => {
                        tracing::error!(%made, wanted = %wanted.arn, "boundary policy made elsewhere");
                        return Err(Stopped::NotShown);
                    }
                    Ok(_) => {
                        tracing::info!(policy = %wanted.arn, "boundary policy made");
                        // The first version of every policy.
                        return Ok(InForce::version("v1"));
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
) -> Result<InForce, Stopped> {
    let arn = &wanted.arn;
    let others = observed.versions.iter().filter(|v| !v.is_default);
    let mut old: Vec<&str> = others.map(|v| v.id.as_str()).collect();
    let same = Document::parse(&observed.document, PolicyKind::Boundary)
        .is_ok_and(|d| d.semantically_eq(&wanted.policy.document));
    let mut in_force = InForce::version(observed.default_version.as_str());
    if !same {
        if observed.versions.len() >= VERSIONS_MAX {
            make_room(policies, arn, &mut old, may_write).await?;
        }
        if !may_write() {
            return Err(Stopped::NotLeader);
        }
        in_force.version_id = policies
            .create_policy_version(arn, &wanted.policy.document)
            .await
            .map_err(Stopped::NotChanged)?;
        tracing::info!(policy = %arn, version = in_force.version_id, "boundary policy changed");
        old.push(&observed.default_version);
    }
    for version in old {
        match drop_version(policies, arn, version, may_write).await {
            Err(Stopped::NotChanged(error)) => {
                in_force.old_versions.get_or_insert(error);
            }
            dropped => dropped?,
        }
    }
    in_force.untagged = tag(policies, wanted, observed, may_write).await?;
    Ok(in_force)
}

/// Deletes one of the old versions, whichever AWS lets go, and takes it out of the list.
async fn make_room(
    policies: &dyn Policies,
    arn: &PolicyArn,
    old: &mut Vec<&str>,
    may_write: MayWrite<'_>,
) -> Result<(), Stopped> {
    let mut refused = None;
    for (index, version) in old.clone().into_iter().enumerate() {
        match drop_version(policies, arn, version, may_write).await {
            Ok(()) => {
                old.remove(index);
                return Ok(());
            }
            Err(Stopped::NotLeader) => return Err(Stopped::NotLeader),
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
    wanted: &Wanted,
    observed: &ObservedPolicy,
    may_write: MayWrite<'_>,
) -> Result<Vec<AwsError>, Stopped> {
    let arn = &wanted.arn;
    let mut refused = Vec::new();
    let mut changes = TagChanges::between(&wanted.policy.tags, &observed.tags);
    let keys: Vec<String> = changes
        .remove_own
        .iter()
        .chain(&changes.remove)
        .cloned()
        .collect();
    if !keys.is_empty() {
        if !may_write() {
            return Err(Stopped::NotLeader);
        }
        match policies.untag_policy(arn, &keys).await {
            Ok(()) => {
                let mut left = observed.tags.clone();
                left.retain(|key, _| !keys.contains(key));
                changes = TagChanges::between(&wanted.policy.tags, &left);
            }
            Err(error) => refused.push(error),
        }
    }
    let mut tags = changes.set_own;
    tags.extend(changes.set);
    if !tags.is_empty() {
        if !may_write() {
            return Err(Stopped::NotLeader);
        }
        refused.extend(policies.tag_policy(arn, &tags).await.err());
    }
    Ok(refused)
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
