//! The words of an answer: what [`crate::decide()`] takes as a fact, and what it says.
//!
//! Every crate above speaks them, so nothing here knows how a decision is made.

use std::{collections::BTreeSet, fmt, ops::Deref};

use crate::names::{ObjectName, RoleId};

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

/// The answer. There is no default: an error is never an allow.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Within every limit that applies.
    Accepted(Accepted),
    /// Refused, with every violation.
    Refused(Violations),
    /// Can't be decided before these facts are known.
    Undecided(MissingFacts),
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
    /// What limits of enforcement DryRun would refuse, each violation with its limit: nothing is refused by it.
    pub would_refuse: Vec<Violation>,
    /// Of each limit the statements of its ceiling on which the acceptance rests.
    pub uses: Vec<CeilingUse>,
}

/// The Allows of a ceiling on which the acceptance of a grant rests: it would be accepted without the others, too. Where several cover
/// the same, it rests on one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CeilingUse {
    /// The limit.
    pub limit: ObjectName,
    /// Indices of statements, in order.
    pub statements: BTreeSet<usize>,
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

impl Violation {
    /// A violation of a rule that no limit sets.
    #[must_use]
    pub fn new(reason: Reason, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            reason,
            field: field.into(),
            limit: None,
            message: message.into(),
        }
    }

    /// The same, of a limit.
    #[must_use]
    pub fn under(self, limit: &ObjectName) -> Self {
        Self {
            limit: Some(limit.clone()),
            ..self
        }
    }
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

/// Every reason for a refusal, in the order in which they were found; at least one.
///
/// `{}` writes them in one line (`a; b`), `{:#}` one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// All of `violations`; `None` when there are none.
    #[must_use]
    pub fn from_vec(violations: Vec<Violation>) -> Option<Self> {
        (!violations.is_empty()).then_some(Self(violations))
    }

    /// `Ok` when nothing was found, else the refusal.
    ///
    /// # Errors
    /// When `violations` has any.
    pub fn none_of(violations: Vec<Violation>) -> Result<(), Self> {
        Self::from_vec(violations).map_or(Ok(()), Err)
    }

    /// The reason that stands for all of them: that of the first one.
    #[must_use]
    pub fn reason(&self) -> Reason {
        // INVARIANT: there is at least one. What is no contract is the reason of none.
        self.0.first().map_or(Reason::Structure, |first| first.reason)
    }

    /// The reasons, each once where it is repeated in a row.
    #[must_use]
    pub fn reasons(&self) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = self.0.iter().map(|violation| violation.reason).collect();
        reasons.dedup();
        reasons
    }

    /// Place and message alone, in one line: inside a sentence that has a reason of its own.
    pub fn messages(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            write_separated(
                f,
                "; ",
                self.0
                    .iter()
                    .map(|v| fmt::from_fn(|f| write!(f, "{}: {}", v.field, v.message))),
            )
        })
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_separated(f, separator(f), &self.0)
    }
}

impl std::error::Error for Violations {}

impl From<Violation> for Violations {
    fn from(violation: Violation) -> Self {
        Self(vec![violation])
    }
}

impl Deref for Violations {
    type Target = [Violation];
    fn deref(&self) -> &[Violation] {
        &self.0
    }
}

impl IntoIterator for Violations {
    type Item = Violation;
    type IntoIter = std::vec::IntoIter<Violation>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Violations {
    type Item = &'a Violation;
    type IntoIter = std::slice::Iter<'a, Violation>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
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
    /// A ClusterAWSRole does not allow the namespace that binds it.
    NamespaceNotAllowed,
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
    /// A method that a limit does not list, that the account can't do, or that does not go with what a session is to be.
    Method,
    /// A ceiling that reaches IAM itself without acknowledgement.
    Escalation,
    /// A policy variable in a ceiling that a tenant could set.
    TenantVariable,
    /// A subject that no rule of a limit covers, or that can't be one of this role.
    Subject,
    /// An ARN of another partition than the account's, which AWS does not take.
    Partition,
    /// A managed policy that a limit does not name, or that can be nobody\'s here.
    ManagedPolicy,
    /// A role that exists and may not be bound: no limit names it, it is of another account, or it is Deputy's own or a service's.
    ExistingRole,
    /// A role that is to stay when its object is deleted, which a limit does not allow.
    Retain,
    /// A federated user whose name a limit does not allow, or of an account that has no federation user.
    FederatedUser,
    /// A resource whose policy a limit lets have no statement, or that is of another account.
    ResourcePolicy,
    /// What is asked for belongs to another namespace already.
    Conflict,
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
            Self::NamespaceNotAllowed => "NamespaceNotAllowed",
            Self::ExceedsLimit => "ExceedsLimit",
            Self::ContainmentUnknown => "ContainmentUnknown",
            Self::TooLarge => "TooLarge",
            Self::Duration => "Duration",
            Self::SessionTag => "SessionTag",
            Self::Method => "Method",
            Self::Escalation => "Escalation",
            Self::TenantVariable => "TenantVariable",
            Self::Subject => "Subject",
            Self::Partition => "Partition",
            Self::ManagedPolicy => "ManagedPolicy",
            Self::ExistingRole => "ExistingRole",
            Self::Retain => "Retain",
            Self::FederatedUser => "FederatedUser",
            Self::ResourcePolicy => "ResourcePolicy",
            Self::Conflict => "Conflict",
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
    /// The AWSRole or ClusterAWSRole does not exist.
    RoleNotFound(RoleId),
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
            Self::RoleNotFound(id) => write!(f, "{} does not exist", id.title()),
        }
    }
}

/// Every fact that is not there yet. None where whoever asks has not read all objects, and can't say what is missing.
///
/// `{}` writes them in one line (`a; b`), `{:#}` one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingFacts(Vec<MissingFact>);

impl MissingFacts {
    /// What is missing is not known.
    pub const UNKNOWN: Self = Self(Vec::new());

    /// Whether a role is among them.
    #[must_use]
    pub fn has_role(&self) -> bool {
        self.0
            .iter()
            .any(|fact| matches!(fact, MissingFact::RoleNotFound(_)))
    }
}

impl fmt::Display for MissingFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_separated(f, separator(f), &self.0)
    }
}

impl From<Vec<MissingFact>> for MissingFacts {
    fn from(facts: Vec<MissingFact>) -> Self {
        Self(facts)
    }
}

impl From<MissingFact> for MissingFacts {
    fn from(fact: MissingFact) -> Self {
        Self(vec![fact])
    }
}

impl Deref for MissingFacts {
    type Target = [MissingFact];
    fn deref(&self) -> &[MissingFact] {
        &self.0
    }
}

impl<'a> IntoIterator for &'a MissingFacts {
    type Item = &'a MissingFact;
    type IntoIter = std::slice::Iter<'a, MissingFact>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

fn separator(f: &fmt::Formatter<'_>) -> &'static str {
    if f.alternate() { "\n" } else { "; " }
}

fn write_separated<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    separator: &str,
    items: impl IntoIterator<Item = T>,
) -> fmt::Result {
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_are_written_in_one_line_or_one_a_line() {
        let limit = ObjectName::new("payments").unwrap();
        let violations = Violations::from_vec(vec![
            Violation::new(Reason::Duration, "spec.a", "is too long"),
            Violation::new(Reason::SessionTag, "spec.b", "is not allowed").under(&limit),
        ])
        .unwrap();
        let (first, second) = (
            "spec.a: is too long (Duration)",
            "spec.b: is not allowed (SessionTag, limit payments)",
        );
        assert_eq!(violations.to_string(), format!("{first}; {second}"));
        assert_eq!(format!("{violations:#}"), format!("{first}\n{second}"));
        assert_eq!(
            violations.messages().to_string(),
            "spec.a: is too long; spec.b: is not allowed"
        );
        assert_eq!(violations.reason(), Reason::Duration);
        assert_eq!(Violations::from_vec(Vec::new()), None);
    }

    #[test]
    fn every_missing_fact_is_named() {
        let name = ObjectName::new("production").unwrap();
        let role = RoleId {
            namespace: crate::names::NamespaceName::new("payments").unwrap(),
            name: name.clone(),
            kind: crate::names::RoleKind::AWSRole,
        };
        let facts = MissingFacts::from(vec![
            MissingFact::AccountNotFound(name),
            MissingFact::RoleNotFound(role),
        ]);
        assert_eq!(
            facts.to_string(),
            "AWSAccount production does not exist; AWSRole payments/production does not exist"
        );
        assert!(facts.has_role());
    }
}
