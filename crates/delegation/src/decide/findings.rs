//! What a decision has found so far.

use std::collections::BTreeSet;

use crate::{
    decision::{Accepted, CeilingUse, Decision, MissingFact, Reason, Violation, Violations},
    model::Enforcement,
    names::ObjectName,
};

/// Violations and missing facts, in the order in which they were found.
#[derive(Debug)]
pub(super) struct Findings {
    lists: bool,
    asked: Enforcement,
    violations: Vec<Violation>,
    missing: Vec<MissingFact>,
    uses: Vec<CeilingUse>,
}

impl Findings {
    /// Nothing yet. `lists`: whether all that is too much is wanted, or only whether anything is. `asked`: the limits that are asked.
    pub(super) fn new(lists: bool, asked: Enforcement) -> Self {
        Self {
            lists,
            asked,
            violations: Vec::new(),
            missing: Vec::new(),
            uses: Vec::new(),
        }
    }

    /// Whether all that is too much is wanted.
    pub(super) fn lists(&self) -> bool {
        self.lists
    }

    /// Which limits are asked: those that decide, or the others, as if they did.
    pub(super) fn asked(&self) -> Enforcement {
        self.asked
    }

    /// A rule that no limit sets is broken.
    pub(super) fn refuse(&mut self, reason: Reason, field: impl Into<String>, message: impl Into<String>) {
        self.violations.push(Violation::new(reason, field, message));
    }

    /// A limit is exceeded, or can't be applied.
    pub(super) fn refuse_under(
        &mut self,
        limit: &ObjectName,
        reason: Reason,
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.violations
            .push(Violation::new(reason, field, message).under(limit));
    }

    /// What was granted is within the ceiling of a limit, by these statements of it.
    pub(super) fn covered(&mut self, limit: &ObjectName, statements: BTreeSet<usize>) {
        match self.uses.iter_mut().find(|of| of.limit == *limit) {
            Some(of) => of.statements.extend(statements),
            None => self.uses.push(CeilingUse {
                limit: limit.clone(),
                statements,
            }),
        }
    }

    /// A fact is not known yet.
    pub(super) fn miss(&mut self, fact: MissingFact) {
        self.missing.push(fact);
    }

    /// The decision: refused when anything is wrong, undecided when anything is missing, else what rests on `accepted`.
    /// Without it nothing is ever accepted: who could not look the limits up has found something else to report.
    pub(super) fn decision(mut self, accepted: Option<Accepted>) -> Decision {
        if self.violations.is_empty() && self.missing.is_empty() {
            match accepted {
                Some(accepted) => {
                    return Decision::Accepted(Accepted {
                        uses: self.uses,
                        ..accepted
                    });
                }
                None => self.refuse(Reason::NoLimit, "spec", "no DelegationLimit was applied"),
            }
        }
        match Violations::from_vec(self.violations) {
            Some(violations) => Decision::Refused(violations),
            None => Decision::Undecided(self.missing.into()),
        }
    }
}
