//! What a decision has found so far.

use crate::names::ObjectName;

use super::{Accepted, Decision, MissingFact, Reason, Violation, limits::Applicable};

/// Violations and missing facts, in the order in which they were found.
#[derive(Debug)]
pub(super) struct Findings {
    lists: bool,
    violations: Vec<Violation>,
    missing: Vec<MissingFact>,
}

impl Findings {
    /// Nothing yet. `lists`: whether all that is too much is wanted, or only whether anything is.
    pub(super) fn new(lists: bool) -> Self {
        Self {
            lists,
            violations: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Whether all that is too much is wanted.
    pub(super) fn lists(&self) -> bool {
        self.lists
    }

    /// A rule that no limit sets is broken.
    pub(super) fn refuse(&mut self, reason: Reason, field: impl Into<String>, message: impl Into<String>) {
        self.violations.push(Violation {
            reason,
            field: field.into(),
            limit: None,
            message: message.into(),
        });
    }

    /// A limit is exceeded, or can't be applied.
    pub(super) fn refuse_under(
        &mut self,
        limit: &ObjectName,
        reason: Reason,
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.violations.push(Violation {
            reason,
            field: field.into(),
            limit: Some(limit.clone()),
            message: message.into(),
        });
    }

    /// A fact is not known yet.
    pub(super) fn miss(&mut self, fact: MissingFact) {
        self.missing.push(fact);
    }

    /// The decision: refused when anything is wrong, undecided when anything is missing, else accepted under `limits`.
    /// Without limits nothing is ever accepted: who could not look them up has found something else to report.
    pub(super) fn decision(mut self, limits: Option<Applicable<'_>>) -> Decision {
        if self.violations.is_empty() && self.missing.is_empty() {
            match limits.filter(|applicable| !applicable.limits.is_empty()) {
                Some(applicable) => {
                    return Decision::Accepted(Accepted {
                        boundary: applicable.boundary().cloned(),
                        limits: applicable.limits.iter().map(|limit| limit.name.clone()).collect(),
                    });
                }
                None => self.refuse(Reason::NoLimit, "spec", "no DelegationLimit was applied"),
            }
        }
        if self.violations.is_empty() {
            Decision::Undecided(self.missing)
        } else {
            Decision::Refused(self.violations)
        }
    }
}
