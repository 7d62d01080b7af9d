//! *Validate* and *build*: what should become of a role, from everything that was looked up. Pure.

use std::{collections::BTreeMap, sync::Arc};

use deputy_delegation::{
    Accepted, ClusterName, Decision, IamPath, RoleName, TagKey, TagValue, Uid, boundary,
    model::{Account, Kind, Limit, ObjectId, Role},
    naming,
    plan::{self, Conflict, DesiredRole, ObservedRole, Step, TaggedOwner},
    trust,
};
use deputy_policy::Document;
use sha2::{Digest, Sha256};

/// How a role's AWS side is found: by name, and known as ours by path and tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// Its name.
    pub name: RoleName,
    /// Its path.
    pub path: IamPath,
    /// The tags that make it ours.
    pub tags: BTreeMap<TagKey, TagValue>,
}

impl Ownership {
    /// Of the role of `id` in `account`.
    #[must_use]
    pub fn of(cluster: &ClusterName, account: &Account, id: &ObjectId, uid: &Uid) -> Self {
        Self {
            name: naming::role_name(cluster, Kind::AWSRole, id),
            path: naming::role_path(cluster),
            tags: naming::role_tags(cluster, account, id, uid),
        }
    }

    /// What makes `observed` unusable.
    ///
    /// # Errors
    /// When it is not ours.
    pub fn plan_suspension(&self, observed: Option<&ObservedRole>) -> Result<Vec<Step>, Conflict> {
        plan::plan_suspension(&self.tags_for(observed), &self.name, &self.path, observed)
    }

    /// What deletes `observed`. Nothing if it is not ours: then nothing of ours is left behind.
    ///
    /// # Errors
    /// None; of the same form as the other plans.
    pub fn plan_deletion(&self, observed: Option<&ObservedRole>) -> Result<Vec<Step>, Conflict> {
        let planned = plan::plan_deletion(&self.tags_for(observed), &self.name, &self.path, observed);
        planned.or_else(|_not_ours| Ok(Vec::new()))
    }

    /// The tags that make `observed` ours to take away: also with the uid of a former object of this name. That object is gone:
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

/// What should become of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// It should be like this.
    Provision(Box<DesiredRole>),
    /// It should be like this once AWS has the boundary for it; until then it is nothing new. What is there shrinks to it, and
    /// stays open if the limits allow it as they are now.
    Hold {
        /// As it should be.
        desired: Box<DesiredRole>,
        /// The limits that apply.
        limits: Vec<Arc<Limit>>,
        /// Whether there is a boundary policy, though not the one that the limit asks for now.
        boundary_is_there: bool,
        /// What it waits for, for people.
        until: String,
    },
    /// Not accepted: whatever is there becomes unusable, and stays.
    Suspend,
    /// Nothing can be decided before these facts are known.
    Wait(String),
}

impl Target {
    /// The calls that bring `observed` there.
    ///
    /// # Errors
    /// When it is not ours.
    pub fn plan(&self, ours: &Ownership, observed: Option<&ObservedRole>) -> Result<Vec<Step>, Conflict> {
        match self {
            // See `tags_for`: whoever else was of this name is gone.
            Self::Provision(desired) => plan::plan(desired, observed, TaggedOwner::Gone),
            Self::Hold {
                desired,
                limits,
                boundary_is_there,
                ..
            } => {
                let ceilings: Vec<&Document> = limits.iter().map(|limit| &limit.ceiling).collect();
                plan::plan_hold(desired, observed, &ceilings, *boundary_is_there)
            }
            Self::Suspend => ours.plan_suspension(observed),
            Self::Wait(_) => Ok(Vec::new()),
        }
    }

    /// The role as it should be, if it should be there and usable.
    #[must_use]
    pub fn desired(&self) -> Option<&DesiredRole> {
        match self {
            Self::Provision(desired) | Self::Hold { desired, .. } => Some(desired),
            Self::Suspend | Self::Wait(_) => None,
        }
    }
}

/// Whether a boundary policy is in AWS, as the status of its limit says: the hashes of the documents there, by account name.
pub type BoundaryHashes = BTreeMap<String, String>;

/// Everything that was looked up about a role.
#[derive(Debug, Clone, Copy)]
pub struct RoleFacts<'a> {
    /// This cluster.
    pub cluster: &'a ClusterName,
    /// Its account.
    pub account: &'a Account,
    /// The role.
    pub role: &'a Role,
    /// What makes its AWS side its own.
    pub ours: &'a Ownership,
    /// Whether any accepted binding names it.
    pub bound: bool,
    /// The limits that apply.
    pub limits: &'a [Arc<Limit>],
    /// The limit whose boundary it carries, and what is in AWS of it. `None` when no limit asks for one.
    pub boundary: Option<(&'a Limit, &'a BoundaryHashes)>,
}

/// What should become of a role under `decision`.
#[must_use]
pub fn assess(facts: &RoleFacts<'_>, decision: &Decision) -> Target {
    match decision {
        Decision::Refused(_) => Target::Suspend,
        Decision::Undecided(missing) => {
            let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            Target::Wait(missing.join("; "))
        }
        Decision::Accepted(accepted) => provision(facts, accepted),
    }
}

fn provision(facts: &RoleFacts<'_>, accepted: &Accepted) -> Target {
    let RoleFacts {
        cluster,
        account,
        role,
        ours,
        bound,
        limits,
        boundary,
    } = *facts;
    let trust = if bound {
        trust::for_issuer(cluster, account, Kind::AWSRole, &role.id)
    } else {
        trust::deny_all()
    };
    let Ok(inline) = role.inline_policy() else {
        // It was merged for the decision, too: what can't be merged was refused.
        return Target::Suspend;
    };
    let arn = |limit| naming::boundary_arn(cluster, account, limit);
    let desired = Box::new(DesiredRole {
        name: ours.name.clone(),
        path: ours.path.clone(),
        trust,
        inline,
        boundary: accepted.boundary.as_ref().map(arn),
        tags: ours.tags.clone(),
        max_session_duration: role.max_session_duration,
    });
    let hold = |boundary_is_there, until| Target::Hold {
        desired: desired.clone(),
        limits: limits.to_vec(),
        boundary_is_there,
        until,
    };
    match (&accepted.boundary, boundary) {
        (None, _) => Target::Provision(desired),
        (Some(name), Some((limit, in_aws))) if limit.name == *name => {
            match boundary::compile(cluster, account, limit) {
                Ok(document) => match in_aws.get(account.name.as_str()) {
                    Some(hash) if *hash == document_hash(&document) => Target::Provision(desired),
                    Some(_) => hold(
                        true,
                        format!(
                            "{} is being brought up to date; until then nothing more is granted",
                            arn(name)
                        ),
                    ),
                    None => hold(false, format!("{} is not there yet", arn(name))),
                },
                // A limit that AWS can't hold is none: whatever is there must not be used.
                Err(_) => Target::Suspend,
            }
        }
        // The decision rests on a limit that was not looked up: it changed in between.
        (Some(name), _) => hold(false, format!("limit {name} has changed")),
    }
}

/// SHA-256 of a document's canonical form, in hexadecimal: how a limit's status says what is in AWS.
#[must_use]
pub fn document_hash(document: &Document) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(document.to_json().as_bytes()))
}

#[cfg(test)]
#[path = "assess_tests.rs"]
mod tests;
