//! Which limits apply, and containment under each.

use deputy_policy::{Containment, Document, Effect, UnknownKind, UnknownReason, contains};

use crate::{
    boundary,
    model::{Account, BoundaryMode, Limit, LimitEntry},
    names::{NamespaceName, ObjectName},
};

use super::{DecisionInput, Reason, Violation, findings::Findings};

/// How many problems of an invalid limit a refusal repeats; the limit's own status lists all.
const LIMIT_PROBLEMS_SHOWN: usize = 3;

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
        findings: &mut Findings,
    ) -> Self {
        let mut entries: Vec<_> = input
            .limits
            .iter()
            .filter(|limit| limit.applies(namespace, account))
            .collect();
        entries.sort_by_key(|entry| entry.name());
        if entries.is_empty() {
            findings.refuse(
                Reason::NoLimit,
                field,
                format!("no DelegationLimit applies to namespace {namespace:?} in account {account:?}, so nothing may be granted there",
                    namespace = namespace.as_str(), account = account.as_str()),
            );
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
            let names: Vec<_> = applicable
                .limits
                .iter()
                .map(|limit| limit.name.as_str())
                .collect();
            findings.refuse(
                Reason::NoBoundary,
                field,
                format!(
                    "of the DelegationLimits that apply ({}) none has a boundary, so AWS itself would hold the role to nothing, and \
                     none is made; one of them needs boundary type Generated",
                    names.join(", ")
                ),
            );
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

    fn with_boundary(&self) -> impl Iterator<Item = &'a Limit> {
        self.limits
            .iter()
            .copied()
            .filter(|limit| limit.boundary == BoundaryMode::Generated)
    }

    /// The one limit whose boundary a role carries.
    pub(super) fn boundary(&self) -> Option<&ObjectName> {
        self.with_boundary().next().map(|limit| &limit.name)
    }

    /// Whether `policies` (one layer: a Deny in one holds for all) stay within every ceiling.
    pub(super) fn contain(&self, policies: &[Candidate<'_>], findings: &mut Findings) {
        let documents: Vec<_> = policies.iter().map(|policy| policy.document).collect();
        for limit in &self.limits {
            let whole = contains(&documents, &limit.ceiling);
            if whole.is_contained() {
                continue;
            }
            // Something is too much. Asked policy by policy, each with the denies of the others, every one that is too
            // much gets its own violation.
            let mut found = false;
            for index in 0..policies.len() {
                let with_denies = with_denies_of_others(policies, index);
                let documents: Vec<_> = with_denies.iter().collect();
                found |= report(
                    policies,
                    limit,
                    &contains(&documents, &limit.ceiling),
                    index,
                    findings,
                );
            }
            if !found {
                report(policies, limit, &whole, 0, findings);
            }
        }
    }
}

/// One policy of a grant, and how people find it.
pub(super) struct Candidate<'a> {
    pub(super) document: &'a Document,
    /// `policy "objects"`
    pub(super) title: String,
    /// `spec.policies[0].document`
    pub(super) field: String,
}

/// Adds the violation that `answer` says, if it is one. Document 0 of the question was policy `first`.
fn report(
    policies: &[Candidate<'_>],
    limit: &Limit,
    answer: &Containment,
    first: usize,
    findings: &mut Findings,
) -> bool {
    let place = |(document, statement): (usize, usize)| {
        let policy = policies.get(first.saturating_add(document));
        policy.map_or_else(
            || ("the grant".to_owned(), "spec".to_owned()),
            |policy| {
                (
                    format!("{} Statement[{statement}]", policy.title),
                    format!("{}.Statement[{statement}]", policy.field),
                )
            },
        )
    };
    match answer {
        Containment::Contained(_) => false,
        Containment::Exceeds(witness) => {
            let (title, field) = place(witness.candidate);
            findings.refuse_under(
                &limit.name,
                Reason::ExceedsLimit,
                field,
                format!(
                    "{title} grants {witness}, which limit {:?} does not allow",
                    limit.name.as_str()
                ),
            );
            true
        }
        Containment::Unknown(reason) => {
            let (title, field) = place(reason.candidate);
            findings.refuse_under(
                &limit.name,
                Reason::ContainmentUnknown,
                field,
                format!(
                    "{title} ({}) can't be proved to stay within limit {:?}: {}",
                    reason.construct,
                    limit.name.as_str(),
                    why_unknown(reason)
                ),
            );
            true
        }
    }
}

fn why_unknown(reason: &UnknownReason) -> String {
    let keys = if reason.keys.is_empty() {
        String::new()
    } else {
        format!(" (condition keys in question: {})", reason.keys.join(", "))
    };
    match (reason.kind, reason.ceiling) {
        (UnknownKind::Budget, _) => "the policies take too much work to compare".to_owned(),
        (UnknownKind::Undecided, Some(deny)) => {
            format!("it may reach what Statement[{deny}] of the ceiling denies{keys}")
        }
        (UnknownKind::Undecided, None) => format!(
            "whether the ceiling covers it depends on a variable's value, on how keys are related, or on what AWS does not \
             define{keys}"
        ),
        (UnknownKind::Unverified, _) => {
            "a proof was found that does not verify: a fault in Deputy, please report it with both policies"
                .to_owned()
        }
        (UnknownKind::Unsupported, _) => "policies of these kinds are not compared".to_owned(),
    }
}

/// Policy `index` and what the others deny.
fn with_denies_of_others(policies: &[Candidate<'_>], index: usize) -> Vec<Document> {
    let mut documents: Vec<_> = policies
        .get(index)
        .map(|policy| policy.document.clone())
        .into_iter()
        .collect();
    for (other, policy) in policies.iter().enumerate() {
        let denies: Vec<_> = policy
            .document
            .statements()
            .iter()
            .filter(|statement| other != index && statement.effect == Effect::Deny)
            .cloned()
            .collect();
        if !denies.is_empty() {
            // Left out on an error: fewer denies only make the question stricter.
            documents.extend(Document::new(policy.document.version(), denies, policy.document.kind()).ok());
        }
    }
    documents
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
    let alone = limit
        .checked
        .alone(|| boundary::check_limit(input.cluster, limit));
    let in_account = account
        .filter(|_| limit.boundary == BoundaryMode::Generated && alone.is_empty())
        .and_then(|account| {
            let key = (
                account.name.clone(),
                boundary::own_resources(input.cluster, account),
            );
            limit
                .checked
                .in_account(key, || boundary::compile(input.cluster, account, limit).err())
        });
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
