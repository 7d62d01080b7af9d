//! What [`super::contains`] answers.

use std::fmt;

use super::certificate::Certificate;
use crate::{context::Context, document::place::StatementRef, principal::caller::Caller};

/// The answer of [`super::contains`]. There is no default: what is not known is not contained.
#[derive(Debug, Clone)]
pub enum Containment {
    /// Every request that the candidate allows is allowed by the ceiling.
    Contained(Certificate),
    /// This request is allowed by the candidate and not by the ceiling; the evaluator confirmed both.
    Exceeds(Witness),
    /// Neither could be shown.
    Unknown(UnknownReason),
}

impl Containment {
    /// Whether the candidate is known to stay within the ceiling.
    pub fn is_contained(&self) -> bool {
        matches!(self, Self::Contained(_))
    }
}

/// A request that the candidate allows and the ceiling does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// `service:Action`.
    pub action: String,
    /// ARN of the resource; `*` for a request without one. In trust policies the role is meant, and this is `*`.
    pub resource: String,
    /// Who asks, when the policies say whom they are about.
    pub principal: Option<Caller>,
    /// Whether the one who asks has a permissions boundary, which `NotPrincipal` does not spare.
    pub bounded: bool,
    /// Context keys that the request has; all others are absent.
    pub context: Context,
    /// The statement of the candidate's first layer that allows the request.
    pub candidate: StatementRef,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)?;
        if let Some(caller) = &self.principal {
            write!(f, " by {caller}")?;
            // The ARN of a session does not show the path of its role.
            if let Caller::RoleSession {
                account,
                path: Some(path),
                role,
                session: Some(_),
            } = caller
                && !path.is_empty()
            {
                let (partition, id) = (&account.partition, &account.id);
                write!(f, " (a session of arn:{partition}:iam::{id}:role/{path}{role})")?;
            }
            if self.bounded {
                f.write_str(" (who has a permissions boundary)")?;
            }
        }
        if self.context.is_empty() {
            Ok(())
        } else {
            write!(f, " with {}", self.context)
        }
    }
}

/// The class of an [`UnknownReason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnknownKind {
    /// The work limit ran out.
    Budget,
    /// The search found no proof, and no request that certainly exceeds: the answer depends on something that AWS does not
    /// define or that is not modelled (see the crate's README, "What it does not know").
    Undecided,
    /// Policies of these kinds can't be compared with each other.
    Unsupported,
    /// The search found a proof that the checker refuses: a fault of this crate. Nothing is accepted on it; it is counted
    /// ([`super::unverified_certificates`]), and should be reported.
    Unverified,
}

/// Why there is no answer, with the statements that caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownReason {
    /// The class.
    pub kind: UnknownKind,
    /// The statement of the candidate's first layer.
    pub candidate: StatementRef,
    /// Index of the ceiling's Deny statement, when the question was about one.
    pub ceiling: Option<usize>,
    /// The construct, such as `s3:Get* on arn:aws:s3:::a/*`.
    pub construct: String,
    /// The condition keys, as spelled, in conditions and as variables, that an undecided answer depends on: those on which AWS
    /// leaves open what a condition means, when nothing else is in the way, else those that the question looks at. At most
    /// eight.
    pub keys: Vec<String>,
}

impl UnknownReason {
    /// About the policy as a whole: no statement of it is the cause.
    pub(super) fn of_policy(kind: UnknownKind) -> Self {
        Self {
            kind,
            candidate: StatementRef {
                document: 0,
                statement: 0,
            },
            ceiling: None,
            construct: "the policy".to_owned(),
            keys: Vec::new(),
        }
    }
}

impl fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StatementRef { document, statement } = self.candidate;
        write!(
            f,
            "it could not be decided whether {} (statement {statement} of document {document}) ",
            self.construct
        )?;
        match (self.kind, self.ceiling) {
            (UnknownKind::Budget, _) => {
                f.write_str("stays within the ceiling: the policies take too much work to compare")
            }
            (UnknownKind::Undecided, deny) => {
                match deny {
                    Some(deny) => write!(f, "avoids what statement {deny} of the ceiling denies")?,
                    None => f.write_str("stays within the ceiling")?,
                }
                f.write_str(": that depends on a variable's value, on how keys are related, or on what AWS does not define")?;
                if self.keys.is_empty() {
                    return Ok(());
                }
                write!(f, " (in question: {})", self.keys.join(", "))
            }
            (UnknownKind::Unverified, _) => f.write_str(
                "stays within the ceiling: a proof was found that does not verify, which is a fault in Deputy; please \
                 report it with both policies",
            ),
            (UnknownKind::Unsupported, _) => f.write_str(
                "stays within the ceiling: policies of these kinds are not compared with each other",
            ),
        }
    }
}
