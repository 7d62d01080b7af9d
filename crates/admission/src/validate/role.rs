//! `AWSRole`.

use std::sync::Arc;

use deputy_api::{AWSRole, convert};
use deputy_delegation::Decision;

use super::{Subject, brake};
use crate::{facts::Facts, review::Verdict};

pub(super) fn review(subject: &Subject<'_>, facts: &Facts) -> Verdict {
    match subject.parse::<AWSRole, _>(convert::parse_role) {
        Ok(role) => {
            let decision = facts.decide_role(&role);
            let refused = matches!(decision, Decision::Refused(_));
            let verdict = answer(subject, decision);
            if refused {
                return verdict;
            }
            // Its bindings may have relied on more, such as a longer session.
            brake::warn(&facts.impact_of_role(&Arc::new(role)), verdict)
        }
        Err(refusal) => refusal,
    }
}

/// A decision as a verdict. What can't be decided yet is let in: it grants nothing until it is accepted.
pub(super) fn answer(subject: &Subject<'_>, decision: Decision) -> Verdict {
    match decision {
        Decision::Accepted(accepted) => {
            let limits: Vec<_> = accepted.limits.iter().map(|l| l.as_str()).collect();
            let verdict = Verdict::allow()
                .audit("decision", "accepted")
                .audit("limits", limits.join(","));
            match accepted.boundary {
                Some(boundary) => verdict.audit("boundary", boundary.as_str()),
                None => verdict,
            }
        }
        Decision::Refused(violations) => {
            let mut reasons: Vec<_> = violations.iter().map(|v| v.reason.as_str()).collect();
            reasons.dedup();
            Verdict::refused(&subject.title(), &violations)
                .audit("decision", "refused")
                .audit("reasons", reasons.join(","))
        }
        Decision::Undecided(missing) => {
            let names: Vec<_> = missing.iter().map(|m| m.as_str()).collect();
            let verdict = Verdict::allow()
                .audit("decision", "undecided")
                .audit("missing", names.join(","));
            missing.iter().fold(verdict, |verdict, fact| {
                verdict.warn(format!("{fact}; nothing is granted until it does"))
            })
        }
    }
}
