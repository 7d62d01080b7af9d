//! From what AWS has to what is wanted, as IAM calls in a safe order.
//!
//! IAM has no transactions: between two calls everybody sees what is there, and the process may die. So the order is such
//! that at every moment the role can do no more than it could before or shall do afterwards, and no less than what both
//! have in common; and that planning again from any point goes on to the same end.
//!
//! A call may also be refused for good, by a quota or by a policy of the organisation. So each one says what it is for ([`Nature`]):
//! nothing keeps what takes away from being done, nothing is given after a failure, and tags hold up neither.

mod call;
mod compare;
mod cut;
mod order;
mod permissions;
mod role;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use deputy_policy::Document;

pub use self::{
    call::{IamCall, Nature, Step},
    role::{DesiredRole, ObservedRole},
};

use crate::{
    names::{ClusterUid, IamPath, RoleName, TagKey, TagValue},
    naming::{self, TAG_CLUSTER, TAG_KIND, TAG_NAME, TAG_NAMESPACE, TAG_RETAINED, TAG_UID},
    ownership::{self, ForeignCluster},
};

/// Why a role of that name is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// It carries none of our tags, or not all of them.
    NotOurs,
    /// It belongs to another cluster, by its tag.
    OtherCluster(String),
    /// It belongs to another cluster of our cluster's name, or is not known to belong to ours.
    OtherClusterUid(ForeignCluster),
    /// It belongs to another object (kind, namespace or name differ).
    OtherObject(String),
    /// It has our name but another path.
    OtherPath(String),
    /// It belongs to an object of our name with another uid that still lives.
    OtherUid(String),
}

impl Conflict {
    /// The name for metrics and events.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::NotOurs => "NotOurs",
            Self::OtherCluster(_) => "OtherCluster",
            Self::OtherClusterUid(_) => "OtherClusterUid",
            Self::OtherObject(_) => "OtherObject",
            Self::OtherPath(_) => "OtherPath",
            Self::OtherUid(_) => "OtherUid",
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => f.write_str("a role of this name is there without all of Deputy's tags"),
            Self::OtherCluster(cluster) => {
                write!(
                    f,
                    "the role of this name belongs to the cluster {cluster:?}, by its tag"
                )
            }
            Self::OtherClusterUid(why) => write!(f, "it is not this cluster's: {why}"),
            Self::OtherObject(object) => write!(f, "the role of this name belongs to {object}, by its tags"),
            Self::OtherPath(arn) => write!(f, "a role of this name is there as {arn}"),
            Self::OtherUid(uid) => write!(
                f,
                "the role belongs to another object of this name that still lives, with uid {uid}, by its tag"
            ),
        }
    }
}

impl std::error::Error for Conflict {}

/// Who of the owners on the tags is known to be alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaggedOwner<'a> {
    /// Another object with the tagged uid exists: the role is not ours to take.
    Alive,
    /// None does: a role of a former object of our name may be adopted.
    Gone,
    /// Nor do these other clusters of our cluster's name, as far as the account is concerned: what they own may be adopted, too.
    GoneWith(&'a BTreeSet<ClusterUid>),
}

/// No other cluster.
const NONE: &BTreeSet<ClusterUid> = &BTreeSet::new();

impl<'a> TaggedOwner<'a> {
    fn clusters(self) -> &'a BTreeSet<ClusterUid> {
        match self {
            Self::Alive | Self::Gone => NONE,
            Self::GoneWith(clusters) => clusters,
        }
    }
}

/// The calls that make `observed` into `desired`, in an order in which the role never has more than both or less than either.
///
/// Documents are compared by meaning; what is as it should be is not written. A permissions boundary is never removed:
/// without one desired, the one that is there stays.
///
/// # Errors
/// When the role that is there is not ours.
pub fn plan(
    desired: &DesiredRole,
    observed: Option<&ObservedRole>,
    tagged_owner: TaggedOwner<'_>,
) -> Result<Vec<Step>, Conflict> {
    let Some(observed) = observed else {
        // Usable before it has permissions, which harms nobody: it can't do anything yet.
        let mut steps = vec![Step::grows(IamCall::CreateRole {
            role: Box::new(desired.clone()),
        })];
        steps.extend(permissions::first(desired));
        return Ok(steps);
    };
    may_become(desired, observed, tagged_owner)?;
    Ok(order::update(desired, observed))
}

/// What AWS has of a boundary that is not as its limit asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundaryInAws {
    /// Nothing.
    Missing,
    /// What the limit once asked for.
    Outdated,
    /// A policy of somebody else that is not known to stay within the limit: it holds nothing that was accepted by name alone.
    Exceeding,
}

/// The half of [`plan`] that may be done while the boundary in AWS is not the one that the limit asks for.
///
/// What is there was accepted once. If it is within `ceilings`, the limits as they are now, it stays open, and only what
/// takes away is done. What a managed policy says is not asked: it was accepted by name, and the limit's own boundary holds it, as that
/// is; under the boundary of another limit it is held to nothing that is known. If it is not, or can't be read, or nothing holds the role and the boundary is [`BoundaryInAws::Missing`], nobody may become it. Nothing is made.
///
/// # Errors
/// When the role that is there is not ours.
pub fn plan_hold(
    desired: &DesiredRole,
    observed: Option<&ObservedRole>,
    ceilings: &[&Document],
    boundary: BoundaryInAws,
    tagged_owner: TaggedOwner<'_>,
) -> Result<Vec<Step>, Conflict> {
    let Some(observed) = observed else {
        return Ok(Vec::new());
    };
    may_become(desired, observed, tagged_owner)?;
    let held = permissions::is_held(desired, observed);
    let holds = match boundary {
        BoundaryInAws::Missing => held,
        BoundaryInAws::Outdated => true,
        BoundaryInAws::Exceeding => observed.attached.is_empty(),
    };
    let stays = holds && !permissions::is_held_by_another(desired, observed);
    if !(stays && permissions::is_within(observed, ceilings)) {
        return Ok(order::close(&desired.name, &desired.tags, observed));
    }
    let mut steps = order::update(desired, observed);
    // From one of Deputy's boundaries to another only when that is as it should be.
    let moves = |call: &IamCall| held && matches!(call, IamCall::PutRolePermissionsBoundary { .. });
    steps.retain(|step| step.nature == Nature::Shrinks && !moves(&step.call));
    Ok(steps)
}

/// The calls that delete a role of ours, in IAM's order (policies first). Empty if it is not there. Its trust goes first of all: if
/// something keeps it, nobody can become it meanwhile. What another cluster last owned is not ours, may it be adopted or not.
///
/// # Errors
/// When the role that is there is not ours.
pub fn plan_deletion(
    desired_tags: &BTreeMap<TagKey, TagValue>,
    name: &RoleName,
    path: &IamPath,
    observed: Option<&ObservedRole>,
) -> Result<Vec<Step>, Conflict> {
    let Some((observed, mut steps)) = closed(desired_tags, name, path, observed)? else {
        return Ok(Vec::new());
    };
    steps.extend(permissions::take_all(name, observed));
    steps.push(Step::shrinks(IamCall::DeleteRole { role: name.clone() }));
    Ok(steps)
}

/// The calls that make a role unusable and leave everything else: its sessions are denied everything, and trust becomes deny-only. Empty if
/// it is so already. One that is taken over from another cluster is tagged as this one's then: that it stays closed is up to this one.
///
/// # Errors
/// When the role that is there is not ours.
pub fn plan_suspension(
    desired_tags: &BTreeMap<TagKey, TagValue>,
    name: &RoleName,
    path: &IamPath,
    observed: Option<&ObservedRole>,
    tagged_owner: TaggedOwner<'_>,
) -> Result<Vec<Step>, Conflict> {
    let Some(observed) = observed else {
        return Ok(Vec::new());
    };
    may_be_taken(desired_tags, name, path, observed, tagged_owner)?;
    Ok(order::close(name, desired_tags, observed))
}

/// The calls that leave a role of ours in the account when its object goes: trust becomes deny-only, all else stays, and a tag says whose
/// it was. Empty if it is so already, or not there.
///
/// # Errors
/// When the role that is there is not ours.
pub fn plan_retention(
    desired_tags: &BTreeMap<TagKey, TagValue>,
    name: &RoleName,
    path: &IamPath,
    observed: Option<&ObservedRole>,
) -> Result<Vec<Step>, Conflict> {
    let Some((observed, mut steps)) = closed(desired_tags, name, path, observed)? else {
        return Ok(Vec::new());
    };
    if let Some(uid) = desired_tags.get(TAG_UID)
        && observed.tags.get(TAG_RETAINED).map(String::as_str) != Some(uid.as_str())
    {
        // No reason to keep the object: the role is closed without it, too.
        steps.push(Step::cosmetic(IamCall::TagRole {
            role: name.clone(),
            tags: BTreeMap::from([naming::tag(TAG_RETAINED, uid.as_str())]),
        }));
    }
    Ok(steps)
}

/// The calls that shut a role of ours whose object goes, and that is not deleted yet: trust becomes deny-only, and everything is denied to its
/// sessions. All else stays, so that an object made again has the same role. Empty if it is so already, or not there.
///
/// # Errors
/// When the role that is there is not ours.
pub fn plan_shutting(
    desired_tags: &BTreeMap<TagKey, TagValue>,
    name: &RoleName,
    path: &IamPath,
    observed: Option<&ObservedRole>,
) -> Result<Vec<Step>, Conflict> {
    let Some((observed, mut steps)) = closed(desired_tags, name, path, observed)? else {
        return Ok(Vec::new());
    };
    steps.extend(cut::cut(name, observed));
    Ok(steps)
}

/// A role of ours that is there, and what closes its trust: with that everything begins that becomes of a role whose object goes.
fn closed<'a>(
    desired_tags: &BTreeMap<TagKey, TagValue>,
    name: &RoleName,
    path: &IamPath,
    observed: Option<&'a ObservedRole>,
) -> Result<Option<(&'a ObservedRole, Vec<Step>)>, Conflict> {
    let Some(observed) = observed else {
        return Ok(None);
    };
    owned_by_this_object(desired_tags, name, path, observed)?;
    let steps = order::close_trust(name, observed).into_iter().collect();
    Ok(Some((observed, steps)))
}

/// Whether `observed` is the role of an object of our name in our cluster, or in one of `adopt_from`, by path and tags.
fn owned(
    tags: &BTreeMap<TagKey, TagValue>,
    name: &RoleName,
    path: &IamPath,
    observed: &ObservedRole,
    adopt_from: &BTreeSet<ClusterUid>,
) -> Result<(), Conflict> {
    let wanted = |key: &str| tags.get(key).map(TagValue::as_str);
    let found = |key: &str| observed.tags.get(key).map(String::as_str);

    let cluster = found(TAG_CLUSTER).ok_or(Conflict::NotOurs)?;
    let (kind, namespace, object) = match (found(TAG_KIND), found(TAG_NAMESPACE), found(TAG_NAME)) {
        (Some(kind), Some(namespace), Some(object)) => (kind, namespace, object),
        _ => return Err(Conflict::NotOurs),
    };
    if wanted(TAG_CLUSTER) != Some(cluster) {
        return Err(Conflict::OtherCluster(cluster.to_owned()));
    }
    let same = wanted(TAG_KIND) == Some(kind)
        && wanted(TAG_NAMESPACE) == Some(namespace)
        && wanted(TAG_NAME) == Some(object);
    if !same {
        return Err(Conflict::OtherObject(format!("{kind} {namespace}/{object}")));
    }
    // Role names are unique ignoring case: the one that is there may be spelled otherwise.
    if observed.arn.path() != path || observed.arn.name() != name.as_str() {
        return Err(Conflict::OtherPath(observed.arn.to_string()));
    }
    // Last: what it says is how such a role is taken over.
    ownership::claim(tags, adopt_from, &observed.tags).map_err(Conflict::OtherClusterUid)?;
    Ok(())
}

/// Whether `observed` may become the role that is desired.
fn may_become(
    desired: &DesiredRole,
    observed: &ObservedRole,
    tagged_owner: TaggedOwner<'_>,
) -> Result<(), Conflict> {
    let DesiredRole { tags, name, path, .. } = desired;
    may_be_taken(tags, name, path, observed, tagged_owner)
}

/// As [`owned`], or of somebody who is gone.
fn may_be_taken(
    tags: &BTreeMap<TagKey, TagValue>,
    name: &RoleName,
    path: &IamPath,
    observed: &ObservedRole,
    tagged_owner: TaggedOwner<'_>,
) -> Result<(), Conflict> {
    owned(tags, name, path, observed, tagged_owner.clusters())?;
    match (other_uid(tags, observed), tagged_owner) {
        (Some(uid), TaggedOwner::Alive) => Err(Conflict::OtherUid(uid)),
        _ => Ok(()),
    }
}

/// As [`owned`], and by the very object: what may be taken away must not be a namesake's.
fn owned_by_this_object(
    tags: &BTreeMap<TagKey, TagValue>,
    name: &RoleName,
    path: &IamPath,
    observed: &ObservedRole,
) -> Result<(), Conflict> {
    owned(tags, name, path, observed, NONE)?;
    other_uid(tags, observed).map_or(Ok(()), |uid| Err(Conflict::OtherUid(uid)))
}

/// The uid on the role's tag, if it is there and not ours.
fn other_uid(tags: &BTreeMap<TagKey, TagValue>, observed: &ObservedRole) -> Option<String> {
    let found = observed.tags.get(TAG_UID)?;
    let ours = tags.get(TAG_UID).is_some_and(|uid| uid.as_str() == found);
    (!ours).then(|| found.clone())
}
