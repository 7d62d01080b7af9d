//! `AWSRole`.

use std::sync::Arc;

use deputy_api::{AWSRole, convert};
use deputy_delegation::{Accepted, Decision, MissingFact, ObjectName, Reason, Violation};

use super::{blast_radius, lints, object::ReviewedObject};
use crate::{
    facts::Facts,
    live::LookAgain,
    review::{ObjectWarning, Verdict},
};

pub(super) fn review(reviewed: &ReviewedObject<'_>, facts: &Facts) -> Verdict {
    match reviewed.parse::<AWSRole, _>(convert::parse_role) {
        Ok(role) => {
            let verdict = answer(reviewed, facts.decide_role(&role), LookAgain::Limits);
            let verdict = lints::warn_about_role(&role, verdict);
            if verdict.is_denied() {
                return verdict;
            }
            // Its bindings may have relied on more, such as a longer session.
            blast_radius::warn(reviewed, &facts.impact_of_role(&Arc::new(role)), verdict)
        }
        Err(refusal) => refusal,
    }
}

/// A decision as a verdict. What can't be decided yet is let in, and so is what no limit speaks of yet: it grants nothing
/// until it is accepted, and tools apply a limit and the roles under it in any order. `behind` is what the decision rests on
/// that the index may be behind with.
pub(super) fn answer(reviewed: &ReviewedObject<'_>, decision: Decision, behind: LookAgain) -> Verdict {
    match decision {
        Decision::Accepted(accepted) => {
            let limits: Vec<_> = accepted.limits.iter().map(|l| l.as_str()).collect();
            let verdict = Verdict::allow()
                .audit("decision", "accepted")
                .audit("limits", limits.join(","));
            let verdict = match &accepted.boundary {
                Some(boundary) => verdict.audit("boundary", boundary.as_str()),
                None => verdict,
            };
            would_be_refused(&accepted, verdict)
        }
        Decision::Refused(violations) if is_awaited(&violations) => {
            let mut reasons: Vec<_> = violations.iter().map(|v| v.reason).collect();
            reasons.dedup();
            let names: Vec<_> = reasons.iter().map(|reason| reason.as_str()).collect();
            let verdict = Verdict::allow()
                .audit("decision", "pending")
                .audit("reasons", names.join(","));
            let awaited = reasons
                .iter()
                .filter_map(|reason| Some((reason, awaited(*reason)?)));
            let verdict = awaited.fold(verdict, |verdict, (reason, what)| {
                let message = format!("{}: nothing is granted until {what}", reason.as_str());
                verdict.warn_of(ObjectWarning::new(Some(reason.as_str()), "", message))
            });
            violations
                .iter()
                .fold(verdict, |verdict, violation| {
                    let (code, field) = (violation.reason.as_str(), violation.field.as_str());
                    verdict.warn_of(ObjectWarning::new(Some(code), field, violation.message.as_str()))
                })
                .resting_on(behind)
        }
        Decision::Refused(violations) => {
            let final_anyway = violations.iter().all(|v| is_about_the_object_alone(v.reason));
            let mut reasons: Vec<_> = violations.iter().map(|v| v.reason.as_str()).collect();
            reasons.dedup();
            let verdict = Verdict::refused(&reviewed.title(), &violations)
                .audit("decision", "refused")
                .audit("reasons", reasons.join(","));
            if final_anyway {
                verdict
            } else {
                verdict.resting_on(behind)
            }
        }
        Decision::Undecided(missing) => {
            let names: Vec<_> = missing.iter().map(|m| m.as_str()).collect();
            let verdict = Verdict::allow()
                .audit("decision", "undecided")
                .audit("missing", names.join(","));
            missing
                .iter()
                .fold(verdict, |verdict, fact| {
                    let (code, field) = match fact {
                        MissingFact::AccountNotFound(_) => ("AccountNotFound", "spec.accountRef"),
                        MissingFact::RoleNotFound(_) => ("RoleNotFound", "spec.roleRef"),
                    };
                    let message = format!("{fact}; nothing is granted until it does");
                    verdict.warn_of(ObjectWarning::new(Some(code), field, message))
                })
                .resting_on(behind)
        }
    }
}

/// `verdict` with what dry runs would refuse.
fn would_be_refused(accepted: &Accepted, verdict: Verdict) -> Verdict {
    let mut limits: Vec<&str> = accepted
        .would_refuse
        .iter()
        .filter_map(|violation| violation.limit.as_ref())
        .map(ObjectName::as_str)
        .collect();
    limits.dedup();
    let verdict = if limits.is_empty() {
        verdict
    } else {
        verdict.audit("would-refuse", limits.join(","))
    };
    accepted.would_refuse.iter().fold(verdict, |verdict, violation| {
        let message = format!("DryRun, would be refused: {violation}");
        verdict.warn_of(ObjectWarning::new(
            Some("DryRun"),
            violation.field.as_str(),
            message,
        ))
    })
}

/// Whether an object that is decided about so is stored and grants nothing: an account, a role or a limit is not there.
#[must_use]
pub fn is_awaiting(decision: &Decision) -> bool {
    match decision {
        Decision::Accepted(_) => false,
        Decision::Refused(violations) => is_awaited(violations),
        Decision::Undecided(_) => true,
    }
}

fn is_awaited(violations: &[Violation]) -> bool {
    violations
        .iter()
        .all(|violation| awaited(violation.reason).is_some())
}

/// What is not there yet when a violation says no more than that.
fn awaited(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::NoLimit => Some("a DelegationLimit applies"),
        Reason::NoBoundary => Some("a DelegationLimit with boundary type Generated applies"),
        _ => None,
    }
}

/// Whether a violation is one whatever limits and accounts there are.
fn is_about_the_object_alone(reason: Reason) -> bool {
    match reason {
        Reason::Structure => true,
        Reason::NoLimit
        | Reason::LimitInvalid
        | Reason::BoundaryOverlap
        | Reason::NoBoundary
        | Reason::AccountInvalid
        | Reason::RoleInvalid
        | Reason::NamespaceNotAllowed
        | Reason::ExceedsLimit
        | Reason::ContainmentUnknown
        | Reason::TooLarge
        | Reason::Duration
        | Reason::SessionTag
        | Reason::Method
        | Reason::Escalation
        | Reason::TenantVariable
        | Reason::ManagedPolicy
        | Reason::Subject
        | Reason::Partition
        | Reason::ExistingRole
        | Reason::Retain
        | Reason::FederatedUser
        | Reason::ResourcePolicy
        | Reason::Conflict => false,
    }
}
