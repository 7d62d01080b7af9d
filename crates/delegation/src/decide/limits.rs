//! Which limits apply, and whether they can be applied together.

use std::collections::BTreeSet;

use crate::{
    boundary,
    decision::{Accepted, Fact, Reason, Violation},
    model::{Account, BoundaryMode, Limit, LimitEntry},
    names::{NamespaceName, ObjectName},
};

use super::{containment::Granted, findings::Findings, input::DecisionInput};

/// How many problems of an invalid limit a refusal repeats; the limit's own status lists all.
const LIMIT_PROBLEMS_SHOWN: usize = 3;
/// How many accounts a refusal names.
const ACCOUNTS_SHOWN: usize = 8;

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

/// The limits that apply and can be read, by name.
pub(super) struct Applicable<'a> {
    pub(super) limits: Vec<&'a Limit>,
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
        if entries.is_empty() {
            findings.refuse(Reason::NoLimit, field, no_limit(input, namespace, account));
        }

        let mut limits = Vec::new();
        let all_readable = entries.iter().all(|e| matches!(e, LimitEntry::Valid(_)));
        for entry in entries {
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

        let applicable = Self { limits };
        let with_boundary: Vec<_> = applicable
            .with_boundary()
            .map(|limit| limit.name.as_str())
            .collect();
        if with_boundary.is_empty() && all_readable && !applicable.limits.is_empty() {
            applicable.without_boundary(needed, field, findings);
        }
        if with_boundary.len() > 1 {
            findings.refuse(
                Reason::BoundaryOverlap,
                field,
                format!(
                    "DelegationLimits {} all apply and each has a boundary, but a role can carry one; all but one need \
                     boundary type CheckOnly",
                    with_boundary.join(", ")
                ),
            );
        }
        applicable
    }

    /// That nothing in AWS would hold the grant, when something has to.
    fn without_boundary(&self, needed: NeededBoundary, field: &str, findings: &mut Findings) {
        let names: Vec<_> = self.limits.iter().map(|limit| limit.name.as_str()).collect();
        let names = names.join(", ");
        let message = match needed {
            NeededBoundary::None => return,
            NeededBoundary::OfRole => format!(
                "of the DelegationLimits that apply ({names}) none has a boundary, so AWS itself would hold the role to nothing, and \
                 none is made; one of them needs boundary type Generated"
            ),
            NeededBoundary::OfSession => format!(
                "the role exists, so what it may do is not known, and of the DelegationLimits that apply ({names}) none has a \
                 boundary to hold a session to; say spec.session.policy, or one of the limits needs boundary type Generated"
            ),
        };
        findings.refuse(Reason::NoBoundary, field, message);
    }

    pub(super) fn with_boundary(&self) -> impl Iterator<Item = &'a Limit> {
        self.limits
            .iter()
            .copied()
            .filter(|limit| limit.boundary == BoundaryMode::Generated)
    }

    /// On what an acceptance would rest. `None` without limits: nothing is ever accepted under none.
    pub(super) fn accepted(&self) -> Option<Accepted> {
        let limits: Vec<_> = self.limits.iter().map(|limit| limit.name.clone()).collect();
        (!limits.is_empty()).then(|| Accepted {
            limits,
            boundary: self.with_boundary().next().map(|limit| limit.name.clone()),
        })
    }

    /// Whether what is granted stays within every ceiling.
    pub(super) fn contain(&self, granted: &Granted<'_>, findings: &mut Findings) {
        for limit in &self.limits {
            granted.within(limit, findings);
        }
    }
}

/// That nothing applies, and what does: most often another account is meant.
fn no_limit(input: &DecisionInput<'_>, namespace: &NamespaceName, account: &ObjectName) -> String {
    let mut text = format!(
        "no DelegationLimit applies to namespace {:?} in account {:?}, so nothing may be granted there",
        namespace.as_str(),
        account.as_str()
    );
    if matches!(input.account, Fact::Missing) {
        text.push_str("; there is no such AWSAccount");
    }
    let scopes = input.limits.iter().filter_map(LimitEntry::scope);
    let accounts: BTreeSet<&str> = scopes
        .filter(|scope| scope.names(namespace))
        .flat_map(|scope| &scope.accounts)
        .map(ObjectName::as_str)
        .collect();
    if !accounts.is_empty() {
        let shown: Vec<_> = accounts.iter().copied().take(ACCOUNTS_SHOWN).collect();
        text.push_str(&format!(
            "; limits of the namespace are for: {}",
            shown.join(", ")
        ));
        if let Some(more) = accounts.len().checked_sub(ACCOUNTS_SHOWN).filter(|n| *n > 0) {
            text.push_str(&format!(" and {more} more"));
        }
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
    let alone = limit.checked.alone(|| boundary::check_limit(limit));
    let in_account = account
        .filter(|_| limit.boundary == BoundaryMode::Generated && alone.is_empty())
        .map(|account| boundary::generated(input.cluster, account, limit));
    let in_account = in_account.as_deref().and_then(|of| of.as_ref().err());
    let problems: Vec<&Violation> = alone.iter().chain(in_account).collect();
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
