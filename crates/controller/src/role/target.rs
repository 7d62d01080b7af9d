//! What a role is to be in AWS, and how its role there is known as ours. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use deputy_delegation::{
    Accepted, ClusterName, ClusterUid, IamPath, ManagedPolicyArn, ObjectName, RoleName, TagKey, TagValue,
    Uid, boundary,
    model::{Account, Limit, OwnedRole, RoleId},
    naming,
    plan::{self, BoundaryInAws, Conflict, DesiredRole, IamCall, Nature, ObservedRole, Step, TaggedOwner},
};
use deputy_index::boundary_state;
use deputy_policy::Document;

use super::{converge::RoleReads, dereference::PresentRole};

/// How a role is found in AWS: by name, and known as ours by path and tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    pub name: RoleName,
    pub path: IamPath,
    /// The tags that make it ours.
    pub tags: BTreeMap<TagKey, TagValue>,
    /// Other clusters of our cluster's name from which it is taken over.
    pub adopt_from: BTreeSet<ClusterUid>,
}

impl Ownership {
    /// Of the role of `id` in `account`.
    #[must_use]
    pub fn of(
        cluster: &ClusterName,
        cluster_uid: &ClusterUid,
        account: &Account,
        id: &RoleId,
        uid: &Uid,
    ) -> Self {
        Self {
            name: naming::role_name(cluster, id),
            path: naming::role_path(cluster),
            tags: naming::role_tags(cluster, cluster_uid, account, id, uid),
            adopt_from: account.adopt_from.clone(),
        }
    }

    /// The tags that make `observed` ours to take away for good: also with the uid of a former object of this name. That object is gone:
    /// there is one of a kind, namespace and name at a time, and this one was read from the API server just now. Left alone, its role
    /// would stay for ever, and with whatever trust it had. It is not tagged anew first: that AWS refuses a tag is no reason to leave a
    /// role open.
    fn tags_for(&self, observed: Option<&ObservedRole>) -> BTreeMap<TagKey, TagValue> {
        let mut tags = self.tags.clone();
        let former = observed
            .and_then(|role| role.tags.get(naming::TAG_UID))
            .and_then(|uid| TagValue::new(uid.as_str()).ok());
        if let (Some(former), Some(uid)) = (former, tags.get_mut(naming::TAG_UID)) {
            *uid = former;
        }
        tags
    }
}

/// What a role is to be in AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleTarget {
    /// It should be like this.
    Provision(Box<DesiredRole>),
    /// It should be like this once AWS has the boundary for it; until then it is nothing new. What is there shrinks to it, and
    /// stays open if the limits allow it as they are now.
    Hold {
        /// As it should be.
        desired: Box<DesiredRole>,
        limits: Vec<Arc<Limit>>,
        /// What there is of the boundary, which is not as the limit asks now.
        boundary: BoundaryInAws,
        /// What it waits for, for people.
        until: String,
    },
    /// Not accepted: whatever is there becomes unusable, and stays.
    Suspend,
    /// Its object goes, and it stays: closed, and with a tag that says so.
    Retain,
    /// Its object goes, and it is not deleted yet: shut, and else as it is.
    Shut,
    /// Nothing of ours is left.
    Delete,
}

impl RoleTarget {
    /// The calls that bring `observed` there.
    ///
    /// # Errors
    /// When it is not ours. Of an object that goes that is no failure: nothing of ours is left behind.
    pub fn steps(
        &self,
        ownership: &Ownership,
        observed: Option<&ObservedRole>,
    ) -> Result<Vec<Step>, Conflict> {
        let Ownership { name, path, .. } = ownership;
        // See `tags_for`: whoever else was of this name is gone.
        let owner = TaggedOwner::GoneWith(&ownership.adopt_from);
        match self {
            Self::Provision(desired) => plan::plan(desired, observed, owner),
            Self::Hold {
                desired,
                limits,
                boundary,
                ..
            } => {
                let ceilings: Vec<&Document> = limits.iter().map(|limit| &limit.ceiling).collect();
                plan::plan_hold(desired, observed, &ceilings, *boundary, owner)
            }
            Self::Suspend => plan::plan_suspension(&ownership.tags, name, path, observed, owner),
            Self::Retain => plan::plan_retention(&ownership.tags_for(observed), name, path, observed),
            Self::Shut => plan::plan_shutting(&ownership.tags_for(observed), name, path, observed),
            Self::Delete => plan::plan_deletion(&ownership.tags_for(observed), name, path, observed),
        }
    }

    /// The same with another trust policy, where one is wanted.
    #[must_use]
    pub fn with_trust(&self, trust: Document) -> Self {
        let mut target = self.clone();
        if let Self::Provision(desired) | Self::Hold { desired, .. } = &mut target {
            desired.trust = trust;
        }
        target
    }

    /// What of a role the calls rest on.
    #[must_use]
    pub fn reads(&self) -> RoleReads {
        match self {
            Self::Suspend | Self::Retain | Self::Shut => RoleReads::ToClose,
            // A role goes after its policies.
            Self::Provision(_) | Self::Hold { .. } | Self::Delete => RoleReads::Whole,
        }
    }

    /// Whether a step of its plan is one that shuts somebody out and lets in whom the target lets in: what else there is of the role than its
    /// trust policy makes no difference to it.
    #[must_use]
    pub fn shuts_out(&self, step: &Step) -> bool {
        let IamCall::UpdateAssumeRolePolicy { document, .. } = &step.call else {
            return false;
        };
        step.nature == Nature::Shrinks
            && self
                .desired()
                .is_none_or(|desired| *document == desired.trust.to_json())
    }

    /// The role as it should be, if it should be there and usable.
    #[must_use]
    pub fn desired(&self) -> Option<&DesiredRole> {
        match self {
            Self::Provision(desired) | Self::Hold { desired, .. } => Some(desired),
            Self::Suspend | Self::Retain | Self::Shut | Self::Delete => None,
        }
    }
}

/// What an accepted role is to be: made, or held until AWS has the boundary for it. Its trust policy is `trust`, as if AWS knew all whom that
/// names, and its inline policy `inline`.
#[must_use]
pub fn provision(
    cluster: &ClusterName,
    account: &Account,
    ownership: &Ownership,
    owned: &OwnedRole,
    present: &PresentRole,
    accepted: &Accepted,
    (trust, inline): (Document, Option<Document>),
) -> RoleTarget {
    let arn = |name| boundary_arn(cluster, account, &present.limits, name);
    let desired = Box::new(DesiredRole {
        name: ownership.name.clone(),
        path: ownership.path.clone(),
        trust,
        inline,
        attached: owned.policies.managed().clone(),
        boundary: accepted.boundary.as_ref().map(arn),
        tags: ownership.tags.clone(),
        max_session_duration: owned.max_session_duration,
    });
    let hold = |boundary, until| RoleTarget::Hold {
        desired: desired.clone(),
        limits: present.limits.clone(),
        boundary,
        until,
    };
    match (&accepted.boundary, &present.boundary) {
        (None, _) => RoleTarget::Provision(desired),
        (Some(name), Some((limit, in_aws))) if limit.name == *name => {
            match boundary::in_account(cluster, account, limit).as_deref() {
                Some(Ok(wanted)) => {
                    match boundary_state(wanted, &arn(name), in_aws.boundary(&account.name)) {
                        Ok(()) => RoleTarget::Provision(desired),
                        Err((state, until)) => hold(state, until),
                    }
                }
                // A limit that AWS can't hold is none: whatever is there must not be used.
                Some(Err(_)) | None => RoleTarget::Suspend,
            }
        }
        // The decision rests on a limit that was not looked up: it changed in between.
        (Some(name), _) => hold(BoundaryInAws::Missing, format!("limit {name} has changed")),
    }
}

/// The policy that a role under the limit carries.
#[must_use]
pub fn boundary_arn(
    cluster: &ClusterName,
    account: &Account,
    limits: &[Arc<Limit>],
    name: &ObjectName,
) -> ManagedPolicyArn {
    let limit = limits.iter().find(|limit| limit.name == *name);
    limit
        .and_then(|limit| boundary::arn(cluster, account, limit))
        .unwrap_or_else(|| naming::boundary_arn(cluster, account, name).into())
}
