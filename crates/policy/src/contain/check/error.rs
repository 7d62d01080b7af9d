//! Why a certificate proves nothing.

use std::fmt;

/// Why a certificate proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckError {
    /// What is wrong.
    pub(super) reason: &'static str,
    /// Index of the entry; `None` when something is missing.
    pub(super) entry: Option<usize>,
}

impl CheckError {
    /// Whether the work ran out, so that nothing is known of the certificate.
    pub(in crate::contain) fn is_budget(&self) -> bool {
        self.reason == TOO_MUCH
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry {
            Some(entry) => write!(
                f,
                "entry {entry} of the certificate does not hold: {}",
                self.reason
            ),
            None => write!(f, "the certificate does not hold: {}", self.reason),
        }
    }
}

impl std::error::Error for CheckError {}

/// What a part of the check says: nothing, or what is wrong.
pub(super) type CheckResult = Result<(), &'static str>;

pub(super) fn ensure(holds: bool, reason: &'static str) -> CheckResult {
    if holds { Ok(()) } else { Err(reason) }
}

pub(super) const TOO_MUCH: &str = "it takes too much work to verify";
