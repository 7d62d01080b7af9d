//! From what AWS has to what is wanted: pure. Skeleton: bodies follow.

use crate::names::{IamPath, PolicyArn, RoleArn, RoleName, SessionDuration, TagKey, TagValue};
use deputy_policy::Document;
use std::collections::BTreeMap;

/// The role as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredRole {
    /// Its name.
    pub name: RoleName,
    /// Its path.
    pub path: IamPath,
    /// Its trust policy.
    pub trust: Document,
    /// Its one inline policy.
    pub inline: Document,
    /// Its permissions boundary.
    pub boundary: Option<PolicyArn>,
    /// All its tags: the ownership tags, and the account's.
    pub tags: BTreeMap<TagKey, TagValue>,
    /// MaxSessionDuration.
    pub max_session_duration: SessionDuration,
}

/// The role as AWS has it. Documents are the (URL-decoded) text that AWS returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRole {
    /// Its ARN.
    pub arn: RoleArn,
    /// Its unique id, `AROA…`.
    pub unique_id: String,
    /// Trust policy text.
    pub trust: String,
    /// Inline policies by name.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached managed policies (Deputy attaches none).
    pub attached: Vec<String>,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// Tags as they are.
    pub tags: BTreeMap<String, String>,
    /// MaxSessionDuration in seconds.
    pub max_session_seconds: u32,
}

/// One call to IAM that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IamCall {
    /// Carries path, trust, boundary, tags and duration in one call.
    CreateRole {
        /// All of it but the inline policy.
        role: Box<DesiredRole>,
    },
    /// Replaces the trust policy.
    UpdateAssumeRolePolicy {
        /// Which role.
        role: RoleName,
        /// Canonical JSON.
        document: String,
    },
    /// Writes an inline policy.
    PutRolePolicy {
        /// Which role.
        role: RoleName,
        /// Which policy.
        policy: String,
        /// Canonical JSON.
        document: String,
    },
    /// Removes an inline policy.
    DeleteRolePolicy {
        /// Which role.
        role: RoleName,
        /// Which policy.
        policy: String,
    },
    /// Detaches a managed policy (somebody attached it).
    DetachRolePolicy {
        /// Which role.
        role: RoleName,
        /// Its ARN as AWS gave it.
        policy_arn: String,
    },
    /// Sets the permissions boundary.
    PutRolePermissionsBoundary {
        /// Which role.
        role: RoleName,
        /// The boundary policy.
        boundary: PolicyArn,
    },
    /// Adds or changes tags.
    TagRole {
        /// Which role.
        role: RoleName,
        /// The tags to set.
        tags: BTreeMap<TagKey, TagValue>,
    },
    /// Removes tags.
    UntagRole {
        /// Which role.
        role: RoleName,
        /// Keys as AWS gave them.
        keys: Vec<String>,
    },
    /// Sets MaxSessionDuration.
    UpdateRole {
        /// Which role.
        role: RoleName,
        /// The duration.
        max_session_duration: SessionDuration,
    },
    /// Deletes the (emptied) role.
    DeleteRole {
        /// Which role.
        role: RoleName,
    },
}

impl IamCall {
    /// The IAM action, such as `iam:CreateRole`.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self {
            Self::CreateRole { .. } => "iam:CreateRole",
            Self::UpdateAssumeRolePolicy { .. } => "iam:UpdateAssumeRolePolicy",
            Self::PutRolePolicy { .. } => "iam:PutRolePolicy",
            Self::DeleteRolePolicy { .. } => "iam:DeleteRolePolicy",
            Self::DetachRolePolicy { .. } => "iam:DetachRolePolicy",
            Self::PutRolePermissionsBoundary { .. } => "iam:PutRolePermissionsBoundary",
            Self::TagRole { .. } => "iam:TagRole",
            Self::UntagRole { .. } => "iam:UntagRole",
            Self::UpdateRole { .. } => "iam:UpdateRole",
            Self::DeleteRole { .. } => "iam:DeleteRole",
        }
    }
}

/// Why a role of that name is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// It carries none of our tags, or not all of them.
    NotOurs,
    /// It belongs to another cluster, by its tag.
    OtherCluster(String),
    /// It belongs to another object (kind, namespace or name differ).
    OtherObject(String),
    /// It has our name but another path.
    OtherPath(String),
    /// It belongs to an object of our name with another uid that still lives.
    OtherUid(String),
}

/// Who of the owners on the tags is known to be alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaggedOwner {
    /// Another object with the tagged uid exists: the role is not ours to take.
    Alive,
    /// None does: a role of a former object of our name may be adopted.
    Gone,
}

/// The calls that make `observed` into `desired`, in an order in which the role never has more than both or less than either.
///
/// # Errors
/// When the role that is there is not ours.
pub fn plan(
    _desired: &DesiredRole,
    _observed: Option<&ObservedRole>,
    _tagged_owner: TaggedOwner,
) -> Result<Vec<IamCall>, Conflict> {
    unimplemented!()
}

/// The calls that delete a role of ours, in IAM's order (policies first). Empty if it is not there.
///
/// # Errors
/// When the role that is there is not ours.
pub fn plan_deletion(
    _desired_tags: &BTreeMap<TagKey, TagValue>,
    _name: &RoleName,
    _path: &IamPath,
    _observed: Option<&ObservedRole>,
) -> Result<Vec<IamCall>, Conflict> {
    unimplemented!()
}

/// The calls that make a role unusable and leave everything else: trust becomes deny-only. Empty if it is so already.
///
/// # Errors
/// When the role that is there is not ours.
pub fn plan_suspension(
    _desired_tags: &BTreeMap<TagKey, TagValue>,
    _name: &RoleName,
    _path: &IamPath,
    _observed: Option<&ObservedRole>,
) -> Result<Vec<IamCall>, Conflict> {
    unimplemented!()
}
