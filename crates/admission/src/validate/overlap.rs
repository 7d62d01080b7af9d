//! Two limits with a boundary where both apply: a role can carry one boundary, so nothing could be granted there.

use deputy_api::convert;
use deputy_delegation::{
    NamespaceName, ObjectName, Reason, Violation,
    model::{Limit, LimitEntry, LimitScope},
};

use super::object::ReviewedObject;
use crate::{facts::Facts, review::Verdict};

/// Limits that a refusal names.
const LIMITS_SHOWN: usize = 8;

/// Where a limit meets another one that has a boundary, too.
struct Overlap {
    other: ObjectName,
    account: ObjectName,
    /// The pattern of the limit under review.
    pattern: usize,
    /// Whether there is a namespace that both name, or one of them spells one out that the other covers: else there may come to be one.
    is_certain: bool,
}

/// `verdict`, unless the limit has a boundary where another one has one, and did not before. Of a dry run, which has none yet, it is a warning. Who means it says so
/// (`deputy.dev/accept-suspending`): then it is a warning.
pub(super) fn guard(
    reviewed: &ReviewedObject<'_>,
    facts: &Facts,
    limit: &Limit,
    had_boundary: bool,
    is_meant: bool,
    verdict: Verdict,
) -> Verdict {
    let found: Vec<Overlap> = if limit.has_boundary() {
        overlaps(facts, limit)
    } else {
        Vec::new()
    };
    if !limit.carries_boundary() {
        return found.iter().fold(verdict, |verdict, overlap| {
            let message = overlap.violation(limit).message;
            verdict.warn(format!("BoundaryOverlap, once it is enforced: {message}"))
        });
    }
    let before = reviewed.old.and_then(convert::scope_of);
    let is_new = |overlap: &&Overlap| {
        let entries = facts.limits(&overlap.account);
        let other = entries.iter().find(|entry| *entry.name() == overlap.other);
        let met = |before: &LimitScope| {
            before.accounts.contains(&overlap.account)
                && other
                    .and_then(LimitEntry::scope)
                    .is_some_and(|other| meet(before, other))
        };
        !(had_boundary && before.as_ref().is_some_and(met))
    };
    let refused: Vec<Violation> = found
        .iter()
        .filter(|overlap| overlap.is_certain && !is_meant)
        .filter(is_new)
        .map(|overlap| overlap.violation(limit))
        .collect();
    if !refused.is_empty() {
        return Verdict::refused(&reviewed.title(), &refused)
            .audit("decision", "refused")
            .audit("reasons", Reason::BoundaryOverlap.as_str());
    }
    found.iter().fold(verdict, |verdict, overlap| {
        verdict.warn(format!("BoundaryOverlap: {}", overlap.violation(limit).message))
    })
}

impl Overlap {
    fn violation(&self, limit: &Limit) -> Violation {
        let pattern = limit.scope.namespaces.get(self.pattern);
        let where_ = if self.is_certain {
            "is also for namespaces"
        } else {
            "may also be for namespaces"
        };
        let message = format!(
            "DelegationLimit {} has a boundary, and {where_} of {:?} in account {}, as {} is; a role can carry one boundary, so nothing is \
             granted there: one of the two needs boundary type CheckOnly, enforcement DryRun, or other namespaces",
            self.other,
            pattern.map_or("", |pattern| pattern.as_str()),
            self.account,
            limit.name,
        );
        let field = format!("spec.namespaces[{}]", self.pattern);
        Violation::new(Reason::BoundaryOverlap, field, message)
    }
}

/// One for each other limit.
fn overlaps(facts: &Facts, limit: &Limit) -> Vec<Overlap> {
    let living = facts.living_namespaces();
    let mut found: Vec<Overlap> = Vec::new();
    for account in &limit.scope.accounts {
        for entry in facts.limits(account).iter() {
            let LimitEntry::Valid(other) = entry else { continue };
            let is_known = found.iter().any(|overlap| overlap.other == other.name);
            if other.name == limit.name
                || !other.carries_boundary()
                || is_known
                || found.len() >= LIMITS_SHOWN
            {
                continue;
            }
            if let Some((pattern, is_certain)) = meeting(&limit.scope, &other.scope, &living) {
                found.push(Overlap {
                    other: other.name.clone(),
                    account: account.clone(),
                    pattern,
                    is_certain,
                });
            }
        }
    }
    found
}

/// Whether some namespace may be in both.
fn meet(a: &LimitScope, b: &LimitScope) -> bool {
    meeting(a, b, &[]).is_some()
}

/// The pattern of `scope` by which it meets `other`, and whether that is certain.
fn meeting(scope: &LimitScope, other: &LimitScope, living: &[NamespaceName]) -> Option<(usize, bool)> {
    // Spelled out, or there.
    let spelled = scope.namespaces.iter().chain(&other.namespaces);
    let spelled = spelled.filter_map(|pattern| NamespaceName::new(pattern.as_str()).ok());
    let named: Vec<NamespaceName> = spelled.chain(living.iter().cloned()).collect();
    let certain = scope.namespaces.iter().position(|pattern| {
        named
            .iter()
            .any(|name| pattern.matches(name) && other.names(name))
    });
    let possible = || {
        scope
            .namespaces
            .iter()
            .position(|pattern| other.namespaces.iter().any(|theirs| pattern.overlaps(theirs)))
    };
    certain
        .map(|pattern| (pattern, true))
        .or_else(|| possible().map(|pattern| (pattern, false)))
}
