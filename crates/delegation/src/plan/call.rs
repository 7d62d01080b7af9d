//! The calls that a plan consists of, and what each is for.

use std::collections::BTreeMap;

use super::role::DesiredRole;
use crate::names::{ManagedPolicyArn, MaxSessionDuration, RoleName, TagKey, TagValue};

/// One call to IAM that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IamCall {
    /// Carries path, trust, boundary, tags and duration in one call.
    CreateRole {
        /// All of it but its policies.
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
    /// Attaches a managed policy. Attached already, it stays so.
    AttachRolePolicy {
        /// Which role.
        role: RoleName,
        /// Which policy.
        policy_arn: ManagedPolicyArn,
    },
    /// Detaches a managed policy.
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
        boundary: ManagedPolicyArn,
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
        max_session_duration: MaxSessionDuration,
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
            Self::AttachRolePolicy { .. } => "iam:AttachRolePolicy",
            Self::DetachRolePolicy { .. } => "iam:DetachRolePolicy",
            Self::PutRolePermissionsBoundary { .. } => "iam:PutRolePermissionsBoundary",
            Self::TagRole { .. } => "iam:TagRole",
            Self::UntagRole { .. } => "iam:UntagRole",
            Self::UpdateRole { .. } => "iam:UpdateRole",
            Self::DeleteRole { .. } => "iam:DeleteRole",
        }
    }

    /// The name of the role that it is about.
    #[must_use]
    pub fn role_name(&self) -> &RoleName {
        match self {
            Self::CreateRole { role } => &role.name,
            Self::UpdateAssumeRolePolicy { role, .. }
            | Self::PutRolePolicy { role, .. }
            | Self::DeleteRolePolicy { role, .. }
            | Self::AttachRolePolicy { role, .. }
            | Self::DetachRolePolicy { role, .. }
            | Self::PutRolePermissionsBoundary { role, .. }
            | Self::TagRole { role, .. }
            | Self::UntagRole { role, .. }
            | Self::UpdateRole { role, .. }
            | Self::DeleteRole { role } => role,
        }
    }
}

/// What a call is for, and so what becomes of it when another one has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// It takes something away, or has to be in place before anything is given: who owns the role, its boundary. Made whatever failed
    /// before.
    Shrinks,
    /// It gives something. Not made after a failure.
    Grows,
    /// It changes nothing about who may do what: tags of the account. Made last; a refusal is told and holds up nothing.
    Cosmetic,
}

/// One call of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The call.
    pub call: IamCall,
    /// What it is for.
    pub nature: Nature,
}

impl Step {
    /// A step that takes away.
    #[must_use]
    pub fn shrinks(call: IamCall) -> Self {
        let nature = Nature::Shrinks;
        Self { call, nature }
    }

    /// A step that gives.
    #[must_use]
    pub fn grows(call: IamCall) -> Self {
        let nature = Nature::Grows;
        Self { call, nature }
    }

    /// A step about tags of the account.
    #[must_use]
    pub fn cosmetic(call: IamCall) -> Self {
        let nature = Nature::Cosmetic;
        Self { call, nature }
    }
}
