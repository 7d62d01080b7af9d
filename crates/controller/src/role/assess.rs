//! *Validate* and *build*: what should become of a role, from everything that was looked up. Pure.

use std::collections::BTreeMap;

use deputy_delegation::{
    Accepted, ClusterName, Decision, IamPath, RoleName, TagKey, TagValue, Uid, boundary,
    model::{Account, Kind, Limit, ObjectId, Role},
    naming,
    plan::{self, Conflict, DesiredRole, IamCall, ObservedRole, TaggedOwner},
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
    pub fn plan_suspension(&self, observed: Option<&ObservedRole>) -> Result<Vec<IamCall>, Conflict> {
        self.or_adopt(plan::plan_suspension(
            &self.tags, &self.name, &self.path, observed,
        ))
    }

    /// What deletes `observed`. Nothing if it is not ours: then nothing of ours is left behind.
    ///
    /// # Errors
    /// None; of the same form as the other plans.
    pub fn plan_deletion(&self, observed: Option<&ObservedRole>) -> Result<Vec<IamCall>, Conflict> {
        let planned = plan::plan_deletion(&self.tags, &self.name, &self.path, observed);
        self.or_adopt(planned).or_else(|_not_ours| Ok(Vec::new()))
    }

    /// A role of a former object of this name is taken over before anything else is done to it. That object is gone: there
    /// is one of a kind, namespace and name at a time, and this one was read from the API server just now. Left alone, it
    /// would stay for ever, and with whatever trust it had.
    fn or_adopt(&self, planned: Result<Vec<IamCall>, Conflict>) -> Result<Vec<IamCall>, Conflict> {
        let Err(Conflict::OtherUid(_)) = planned else {
            return planned;
        };
        let uid = self
            .tags
            .iter()
            .filter(|(key, _)| key.as_str() == naming::TAG_UID);
        Ok(vec![IamCall::TagRole {
            role: self.name.clone(),
            tags: uid.map(|(key, value)| (key.clone(), value.clone())).collect(),
        }])
    }
}

/// What should become of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// It should be like this.
    Provision(Box<DesiredRole>),
    /// It should be like this once AWS has the boundary for it; until then it is nothing new. What is there stays if it
    /// is so already, and becomes unusable if it is something else: that may be more than the limit allows now.
    Hold {
        /// As it should be.
        desired: Box<DesiredRole>,
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
    pub fn plan(&self, ours: &Ownership, observed: Option<&ObservedRole>) -> Result<Vec<IamCall>, Conflict> {
        match self {
            // See `or_adopt`: whoever else was of this name is gone.
            Self::Provision(desired) => plan::plan(desired, observed, TaggedOwner::Gone),
            Self::Hold { desired, .. } => {
                let calls = plan::plan(desired, observed, TaggedOwner::Gone)?;
                if calls.iter().all(grants_nothing) {
                    Ok(Vec::new())
                } else {
                    ours.plan_suspension(observed)
                }
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

/// Whether a call changes nothing about who may do what: tags, and how long a session may be.
fn grants_nothing(call: &IamCall) -> bool {
    matches!(
        call,
        IamCall::TagRole { .. } | IamCall::UntagRole { .. } | IamCall::UpdateRole { .. }
    )
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
    let hold = |until| Target::Hold {
        desired: desired.clone(),
        until,
    };
    match (&accepted.boundary, boundary) {
        (None, _) => Target::Provision(desired),
        (Some(name), Some((limit, in_aws))) if limit.name == *name => {
            match boundary::compile(cluster, account, limit) {
                Ok(document) => match in_aws.get(account.name.as_str()) {
                    Some(hash) if *hash == document_hash(&document) => Target::Provision(desired),
                    Some(_) => hold(format!("{} is being brought up to date", arn(name))),
                    None => hold(format!("{} is not there yet", arn(name))),
                },
                // A limit that AWS can't hold is none: whatever is there must not be used.
                Err(_) => Target::Suspend,
            }
        }
        // The decision rests on a limit that was not looked up: it changed in between.
        (Some(name), _) => hold(format!("limit {name} has changed")),
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
