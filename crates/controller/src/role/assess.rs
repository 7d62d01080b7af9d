//! *Validate* and *build*: what should become of a role, from everything that was looked up. Pure.

use std::collections::BTreeMap;

use deputy_delegation::{
    Accepted, ClusterName, Decision, IamPath, PolicyArn, RoleName, TagKey, TagValue, Uid, Violation,
    boundary,
    model::{Account, Kind, Limit, ObjectId, Role},
    naming,
    plan::DesiredRole,
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
}

/// What should become of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// It should be like this.
    Provision(Box<DesiredRole>),
    /// Not accepted: whatever is there becomes unusable, and stays.
    Suspend(Vec<Violation>),
    /// Nothing may be done before something else has happened.
    Wait(Waiting),
}

/// What a role waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// A fact that the decision needs.
    Facts(String),
    /// The boundary policy of this limit, in this account.
    Boundary(String),
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
    /// Its uid.
    pub uid: &'a Uid,
    /// Whether any accepted binding names it.
    pub bound: bool,
    /// The limit whose boundary it carries, and what is in AWS of it. `None` when no limit asks for one.
    pub boundary: Option<(&'a Limit, &'a BoundaryHashes)>,
}

/// What should become of a role under `decision`.
#[must_use]
pub fn assess(facts: &RoleFacts<'_>, decision: &Decision) -> Target {
    match decision {
        Decision::Refused(violations) => Target::Suspend(violations.clone()),
        Decision::Undecided(missing) => {
            let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            Target::Wait(Waiting::Facts(missing.join("; ")))
        }
        Decision::Accepted(accepted) => provision(facts, accepted),
    }
}

fn provision(facts: &RoleFacts<'_>, accepted: &Accepted) -> Target {
    let RoleFacts {
        cluster,
        account,
        role,
        uid,
        bound,
        boundary,
    } = *facts;
    let boundary = match (&accepted.boundary, boundary) {
        (None, _) => None,
        (Some(name), Some((limit, in_aws))) if limit.name == *name => {
            match ready(cluster, account, limit, in_aws) {
                Ok(arn) => Some(arn),
                Err(waiting) => return waiting,
            }
        }
        // The decision rests on a limit that was not looked up: it changed in between.
        (Some(name), _) => return Target::Wait(Waiting::Boundary(format!("limit {name} has changed"))),
    };
    let documents: Vec<&Document> = role.policies.iter().map(|p| &p.document).collect();
    let inline = match Document::merge(documents) {
        Ok(inline) => inline,
        Err(e) => {
            return Target::Suspend(vec![Violation {
                reason: deputy_delegation::Reason::Structure,
                field: "spec.policies".into(),
                limit: None,
                message: format!("the policies can't be joined into one: {e}"),
            }]);
        }
    };
    let Ownership { name, path, tags } = Ownership::of(cluster, account, &role.id, uid);
    let trust = if bound {
        trust::for_issuer(cluster, account, Kind::AWSRole, &role.id)
    } else {
        trust::deny_all()
    };
    Target::Provision(Box::new(DesiredRole {
        name,
        path,
        trust,
        inline,
        boundary,
        tags,
        max_session_duration: role.max_session_duration,
    }))
}

/// The boundary's ARN, once AWS has the document that the limit asks for now. A role is never made, nor given more, under
/// a boundary that says something else.
fn ready(
    cluster: &ClusterName,
    account: &Account,
    limit: &Limit,
    in_aws: &BoundaryHashes,
) -> Result<PolicyArn, Target> {
    let document = boundary::compile(cluster, account, limit).map_err(|v| Target::Suspend(vec![v]))?;
    let arn = naming::boundary_arn(cluster, account, &limit.name);
    match in_aws.get(account.name.as_str()) {
        Some(hash) if *hash == document_hash(&document) => Ok(arn),
        Some(_) => Err(Target::Wait(Waiting::Boundary(format!(
            "{arn} is being brought up to date"
        )))),
        None => Err(Target::Wait(Waiting::Boundary(format!("{arn} is not there yet")))),
    }
}

/// SHA-256 of a document's canonical form, in hexadecimal: how a limit's status says what is in AWS.
#[must_use]
pub fn document_hash(document: &Document) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(document.to_json().as_bytes()))
}
