//! Where the IAM role of a grant comes from.

use super::parts::RolePolicies;
use crate::names::{MaxSessionDuration, RoleArn};

/// Whose the IAM role is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleSource {
    /// Deputy makes it, and deletes it.
    Owned(OwnedRole),
    /// It is there, and somebody else's: Deputy gives sessions of it, and never writes it.
    Existing(ExistingRole),
}

/// A role that Deputy makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRole {
    /// What it may do.
    pub policies: RolePolicies,
    /// `MaxSessionDuration` of the role.
    pub max_session_duration: MaxSessionDuration,
    /// What becomes of it when its object is deleted.
    pub deletion: DeletionPolicy,
    /// Whose sessions end when somebody loses it.
    pub revocation: Revocation,
}

/// Whose sessions of a role end when somebody loses it, or part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Revocation {
    /// Those of ServiceAccounts that lost it, which are told apart by their tags. All others live until they expire.
    Distinguishable,
    /// Also sessions of whom keeps it, where those that are to end can't be told apart from them.
    All,
}

/// What becomes of a role when its object is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeletionPolicy {
    /// It is deleted.
    Delete,
    /// It stays, and nobody can become it.
    Retain,
}

/// A role that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingRole {
    /// Which one.
    pub arn: RoleArn,
}
