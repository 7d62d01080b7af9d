//! Containment: is everything that a candidate allows allowed by a ceiling?

use std::fmt;

use crate::{document::Document, evaluate::Context};

/// The answer of [`contains`]. There is no default: what is not known is not contained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Containment {
    /// Every request that the candidate allows is allowed by the ceiling.
    Contained,
    /// This request is allowed by the candidate and not by the ceiling; the evaluator confirmed both.
    Exceeds(Witness),
    /// Neither could be shown.
    Unknown(UnknownReason),
}

/// A request that the candidate allows and the ceiling does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// `service:Action`.
    pub action: String,
    /// ARN of the resource.
    pub resource: String,
    /// Context keys that the request has; all others are absent.
    pub context: Context,
    /// Index of the candidate's document and of its statement that allows the request.
    pub candidate: (usize, usize),
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)?;
        if self.context.is_empty() { Ok(()) } else { write!(f, " with {}", self.context) }
    }
}

/// The class of an [`UnknownReason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnknownKind {
    /// The work limit ran out.
    Budget,
    /// No single statement of the ceiling covers the candidate's, and no request was found that exceeds it.
    Undecided,
}

/// Why there is no answer, with the statements that caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownReason {
    /// The class.
    pub kind: UnknownKind,
    /// Index of the candidate's document and of its statement.
    pub candidate: (usize, usize),
    /// Index of the ceiling's Deny statement, when the question was about one.
    pub ceiling: Option<usize>,
    /// The construct, such as `s3:Get* on arn:aws:s3:::a/*`.
    pub construct: String,
}

impl fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.construct)
    }
}

/// Whether the union of the candidate's documents (one layer: Denys of each hold for all) stays within the ceiling.
pub fn contains(candidate: &[&Document], ceiling: &Document) -> Containment {
    let _ = (candidate, ceiling);
    Containment::Unknown(UnknownReason {
        kind: UnknownKind::Undecided,
        candidate: (0, 0),
        ceiling: None,
        construct: String::new(),
    })
}
