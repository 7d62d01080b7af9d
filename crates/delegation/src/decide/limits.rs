//! Which limits apply, and whether they can be applied together.

use std::collections::BTreeSet;

use crate::{
    boundary,
    decision::{Accepted, Fact, Reason, Violation},
    model::{Account, Enforcement, Limit, LimitEntry},
    names::{NamespaceName, ObjectName},
};

use super::{containment::Granted, findings::Findings, input::DecisionInput};

/// How many problems of an invalid limit a refusal repeats; the limit's own status lists all.
const LIMIT_PROBLEMS_SHOWN: usize = 3;
/// How many accounts a refusal names.
const ACCOUNTS_SHOWN: usize = 8;
/// How many dry runs a refusal names.
const LIMITS_SHOWN: usize = 8;

/// What in AWS is to hold a grant, beside its own policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NeededBoundary {
    /// The role carries a limit's boundary.
    OfRole,
    /// The sessions get a limit's boundary as session policy.
    OfSession,
    /// Nothing, or it is decided elsewhere.
    None,
}

/// The limits that are asked, apply and can be read, by name.
pub(super) struct Applicable<'a> {
    pub(super) limits: Vec<&'a Limit>,
    /// Those that decide, asked or not, and have a boundary.
    carriers: Vec<&'a Limit>,
}

impl<'a> Applicable<'a> {
    /// Finds the limits of `namespace` in `account`, and whether they can be applied together. `facts` is the account
    /// itself, if it is known.
    pub(super) fn find(
        input: &DecisionInput<'a>,
        namespace: &NamespaceName,
        account: &ObjectName,
        facts: Option<&Account>,
        field: &str,
        needed: NeededBoundary,
        findings: &mut Findings,
    ) -> Self {
        let mut entries: Vec<_> = input
            .limits
            .iter()
            .filter(|limit| limit.applies(namespace, account))
            .collect();
        entries.sort_by_key(|entry| entry.name());
        let asked = findings.asked();
        let (entries, others): (Vec<_>, Vec<_>) = entries
            .into_iter()
            .partition(|entry| entry.enforcement() == asked);
        if entries.is_empty() && asked == Enforcement::Enforce {
            let dry: Vec<&str> = others.iter().map(|dry| dry.name().as_str()).collect();
            findings.refuse(Reason::NoLimit, field, no_limit(input, namespace, account, &dry));
        }

        let mut limits = Vec::new();
        let all_readable = entries.iter().all(|e| matches!(e, LimitEntry::Valid(_)));
        for entry in &entries {
            match entry {
                LimitEntry::Invalid { name, error, .. } => findings.refuse_under(
                    name,
                    Reason::LimitInvalid,
                    field,
                    format!(
                        "DelegationLimit {name} can't be read, so nothing may be granted under it: {error}"
                    ),
                ),
                LimitEntry::Valid(limit) => {
                    check(input, limit, facts, field, findings);
                    limits.push(limit.as_ref());
                }
            }
        }

        let enforced = match asked {
            Enforcement::Enforce => &entries,
            Enforcement::DryRun => &others,
        };
        let carriers = enforced
            .iter()
            .filter_map(|entry| match entry {
                LimitEntry::Valid(limit) => Some(limit.as_ref()),
                LimitEntry::Invalid { .. } => None,
            })
            .filter(|limit| limit.carries_boundary())
            .collect();
        let applicable = Self { limits, carriers };
        match asked {
            Enforcement::Enforce => {
                if applicable.carriers.is_empty() && all_readable && !applicable.limits.is_empty() {
                    applicable.without_boundary(needed, field, findings);
                }
                if applicable.carriers.len() > 1 {
                    findings.refuse(
                        Reason::BoundaryOverlap,
                        field,
                        overlap(&names(&applicable.carriers)),
                    );
                }
            }
            Enforcement::DryRun => applicable.would_overlap(field, findings),
        }
        applicable
    }

    /// That nothing in AWS would hold the grant, when something has to.
    fn without_boundary(&self, needed: NeededBoundary, field: &str, findings: &mut Findings) {
        let names = names(&self.limits).join(", ");
        let message = match needed {
            NeededBoundary::None => return,
            NeededBoundary::OfRole => format!(
                "of the DelegationLimits that apply ({names}) none has a boundary, so AWS itself would hold the role to nothing, and \
                 none is made; one of them needs boundary type Generated or Reference"
            ),
            NeededBoundary::OfSession => format!(
                "the role exists, so what it may do is not known, and of the DelegationLimits that apply ({names}) none has a \
                 boundary to hold a session to; say spec.session.policy, or one of the limits needs boundary type Generated"
            ),
        };
        findings.refuse(Reason::NoBoundary, field, message);
    }

    /// That a dry run, once it was enforced, would have a boundary beside that of another limit.
    fn would_overlap(&self, field: &str, findings: &mut Findings) {
        for limit in self.limits.iter().filter(|limit| limit.has_boundary()) {
            if !self.carriers.is_empty() {
                let both: Vec<&Limit> = self.carriers.iter().copied().chain([*limit]).collect();
                findings.refuse_under(
                    &limit.name,
                    Reason::BoundaryOverlap,
                    field,
                    overlap(&names(&both)),
                );
            }
        }
    }

    /// The limits that decide and have a boundary: more than one are refused.
    pub(super) fn with_boundary(&self) -> impl Iterator<Item = &'a Limit> {
        self.carriers.iter().copied()
    }

    /// On what an acceptance would rest. `None` without limits: nothing is ever accepted under none.
    pub(super) fn accepted(&self) -> Option<Accepted> {
        let limits: Vec<_> = self.limits.iter().map(|limit| limit.name.clone()).collect();
        (!limits.is_empty()).then(|| Accepted {
            limits,
            boundary: self.carriers.first().map(|limit| limit.name.clone()),
            would_refuse: Vec::new(),
            uses: Vec::new(),
        })
    }

    /// Whether what is granted stays within every ceiling.
    pub(super) fn contain(&self, granted: &Granted<'_>, findings: &mut Findings) {
        for limit in &self.limits {
            granted.within(limit, findings);
        }
    }
}

fn names<'a>(limits: &[&'a Limit]) -> Vec<&'a str> {
    limits.iter().map(|limit| limit.name.as_str()).collect()
}

/// That each of these limits has a boundary.
fn overlap(limits: &[&str]) -> String {
    format!(
        "DelegationLimits {} all apply and each has a boundary, but a role can carry one; all but one need boundary type CheckOnly",
        limits.join(", ")
    )
}

/// That nothing applies, and what does: most often another account is meant, or a dry run is taken for a limit.
fn no_limit(
    input: &DecisionInput<'_>,
    namespace: &NamespaceName,
    account: &ObjectName,
    dry: &[&str],
) -> String {
    let mut text = format!(
        "no DelegationLimit applies to namespace {:?} in account {:?}, so nothing may be granted there",
        namespace.as_str(),
        account.as_str()
    );
    if matches!(input.account, Fact::Missing) {
        text.push_str("; there is no such AWSAccount");
    }
    if !dry.is_empty() {
        text.push_str(&format!(
            "; {} there with enforcement DryRun, by which nothing is granted",
            shown(dry, LIMITS_SHOWN)
        ));
    }
    let enforced = input
        .limits
        .iter()
        .filter(|limit| limit.enforcement() == Enforcement::Enforce);
    let scopes = enforced.filter_map(LimitEntry::scope);
    let accounts: BTreeSet<&str> = scopes
        .filter(|scope| scope.names(namespace))
        .flat_map(|scope| &scope.accounts)
        .map(ObjectName::as_str)
        .collect();
    if !accounts.is_empty() {
        let accounts: Vec<&str> = accounts.into_iter().collect();
        text.push_str(&format!(
            "; limits of the namespace are for: {}",
            shown(&accounts, ACCOUNTS_SHOWN)
        ));
    }
    text
}

/// `a, b and 3 more`
pub(super) fn shown(names: &[&str], most: usize) -> String {
    let mut text = names.iter().copied().take(most).collect::<Vec<_>>().join(", ");
    if let Some(more) = names.len().checked_sub(most).filter(|n| *n > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// A limit that is wrong in itself allows nothing.
fn check(
    input: &DecisionInput<'_>,
    limit: &Limit,
    account: Option<&Account>,
    field: &str,
    findings: &mut Findings,
) {
    // The same for every grant under the limit, and found once.
    let alone = boundary::problems(limit);
    let in_account = account
        .filter(|_| limit.has_boundary() && alone.is_empty())
        .and_then(|account| boundary::problem(input.cluster, account, limit));
    let problems: Vec<&Violation> = alone.iter().chain(&in_account).collect();
    if problems.is_empty() {
        return;
    }
    let shown: Vec<_> = problems
        .iter()
        .take(LIMIT_PROBLEMS_SHOWN)
        .map(|problem| format!("{} {}", problem.field, problem.message))
        .collect();
    let more = problems.len().saturating_sub(shown.len());
    findings.refuse_under(
        &limit.name,
        Reason::LimitInvalid,
        field,
        format!(
            "DelegationLimit {} is not valid, so nothing may be granted under it: {}{}",
            limit.name,
            shown.join("; "),
            if more > 0 {
                format!("; and {more} more")
            } else {
                String::new()
            }
        ),
    );
}
