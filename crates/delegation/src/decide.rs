//! The one decision: webhook, controllers, broker and the offline check all call [`decide`].
//!
//! Everything that is wrong is listed, in this order: structure and sizes, account, limits, durations and tags,
//! containment in the order of the limits' names.

mod binding;
mod containment;
mod excess;
mod findings;
mod known;
mod limits;
mod nearest;
mod role;

pub use binding::SESSION_POLICY_QUOTA;
pub use role::{ROLE_POLICIES_QUOTA, TAGS_QUOTA};

use std::fmt;

use self::findings::Findings;
use crate::{
    model::{Account, Binding, LimitEntry, ObjectId, Role},
    names::{ClusterName, ObjectName},
};

/// A fact that may not be known: absent is not the same as unreadable.
#[derive(Debug)]
pub enum Fact<'a, T> {
    /// Known.
    Known(&'a T),
    /// The object does not exist (yet).
    Missing,
    /// The object is there but can't be read, or may not be used, with the reason.
    Unreadable(&'a str),
}

// Derived, these would ask for `T: Copy`; the fact only borrows.
impl<T> Clone for Fact<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Fact<'_, T> {}

/// What is decided about.
#[derive(Debug, Clone, Copy)]
pub enum Grant<'a> {
    /// The permissions of a role.
    Role(&'a Role),
    /// A binding, with the role it names.
    Binding {
        /// The binding.
        binding: &'a Binding,
        /// Its role.
        role: Fact<'a, Role>,
    },
}

/// Everything a decision may depend on.
#[derive(Debug, Clone, Copy)]
pub struct DecisionInput<'a> {
    /// This cluster.
    pub cluster: &'a ClusterName,
    /// The grant.
    pub grant: Grant<'a>,
    /// The account that the role names. [`Fact::Missing`] also while the role itself is not known.
    pub account: Fact<'a, Account>,
    /// All limits there are; those that do not apply are passed over.
    pub limits: &'a [LimitEntry],
}

/// The answer. There is no default: an error is never an allow.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Within every limit that applies.
    Accepted(Accepted),
    /// Refused, with every violation.
    Refused(Vec<Violation>),
    /// Can't be decided before these facts are known.
    Undecided(Vec<MissingFact>),
}

impl Decision {
    /// Whether it is an acceptance. Undecided is not.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted(_))
    }
}

/// On what an acceptance rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The limits that apply, by name, in order.
    pub limits: Vec<ObjectName>,
    /// The one limit whose generated boundary the role carries.
    pub boundary: Option<ObjectName>,
}

/// One reason for a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// For machines.
    pub reason: Reason,
    /// Where in the object: `spec.policies[0].document.Statement[1]`.
    pub field: String,
    /// Which limit, if it is one.
    pub limit: Option<ObjectName>,
    /// For people, with numbers and, for containment, the witness.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({}", self.field, self.message, self.reason)?;
        match &self.limit {
            Some(limit) => write!(f, ", limit {limit})"),
            None => f.write_str(")"),
        }
    }
}

/// Machine-readable reasons: a contract (condition reasons, metrics).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No limit applies to this namespace and account.
    NoLimit,
    /// A limit that applies can't be read.
    LimitInvalid,
    /// More than one limit that applies carries a boundary.
    BoundaryOverlap,
    /// Limits apply, and none of them has a boundary: AWS would hold the role to nothing.
    NoBoundary,
    /// The account can't be read, or may not be used.
    AccountInvalid,
    /// The role can't be read.
    RoleInvalid,
    /// Grants a request that the ceiling does not allow; the message shows one.
    ExceedsLimit,
    /// Whether it exceeds the ceiling can't be proved either way; the message names the construct.
    ContainmentUnknown,
    /// Longer than AWS takes.
    TooLarge,
    /// A session longer than allowed, or shorter than usable.
    Duration,
    /// A session tag that no limit allows, or that is reserved.
    SessionTag,
    /// A ceiling that reaches IAM itself without acknowledgement.
    Escalation,
    /// A policy variable in a ceiling that a tenant could set.
    TenantVariable,
    /// An ARN of another partition than the account's, which AWS does not take.
    Partition,
    /// Any other rule of structure.
    Structure,
}

impl Reason {
    /// The reason's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoLimit => "NoLimit",
            Self::LimitInvalid => "LimitInvalid",
            Self::BoundaryOverlap => "BoundaryOverlap",
            Self::NoBoundary => "NoBoundary",
            Self::AccountInvalid => "AccountInvalid",
            Self::RoleInvalid => "RoleInvalid",
            Self::ExceedsLimit => "ExceedsLimit",
            Self::ContainmentUnknown => "ContainmentUnknown",
            Self::TooLarge => "TooLarge",
            Self::Duration => "Duration",
            Self::SessionTag => "SessionTag",
            Self::Escalation => "Escalation",
            Self::TenantVariable => "TenantVariable",
            Self::Partition => "Partition",
            Self::Structure => "Structure",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A fact that is not there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingFact {
    /// The AWSAccount does not exist.
    AccountNotFound(ObjectName),
    /// The AWSRole does not exist.
    RoleNotFound(ObjectId),
}

impl MissingFact {
    /// The name for conditions and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::AccountNotFound(_) => "AccountNotFound",
            Self::RoleNotFound(_) => "RoleNotFound",
        }
    }
}

impl fmt::Display for MissingFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccountNotFound(name) => write!(f, "AWSAccount {name} does not exist"),
            Self::RoleNotFound(id) => write!(f, "AWSRole {id} does not exist"),
        }
    }
}

/// Decides whether a grant stays within every limit of its namespace and account.
///
/// A violation that is certain refuses also while other facts are missing.
pub fn decide(input: &DecisionInput<'_>) -> Decision {
    decided(input, Findings::new(true))
}

/// Whether [`decide`] accepts. What exceeds a limit is not looked for part by part, which takes most of the time of a refusal.
#[must_use]
pub fn accepts(input: &DecisionInput<'_>) -> bool {
    decided(input, Findings::new(false)).is_accepted()
}

fn decided(input: &DecisionInput<'_>, findings: Findings) -> Decision {
    match input.grant {
        Grant::Role(role) => role::decide(input, role, findings),
        Grant::Binding { binding, role } => binding::decide(input, binding, role, findings),
    }
}
