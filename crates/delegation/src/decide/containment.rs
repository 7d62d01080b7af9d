//! Containment of a grant under a limit, and what is said when it is not.

use std::borrow::Cow;

use deputy_policy::{
    Candidate, Containment, Document, Effect, UnknownKind, UnknownReason, contains, impossible,
    impossible_anywhere,
};

use crate::{decision::Reason, model::Limit, names::Partition};

use super::{
    excess::{Comparison, Excess},
    findings::Findings,
    known::KnownTags,
    nearest::nearest,
};

/// Parts of a grant that are listed for one limit; more are counted.
const MAX_LISTED: usize = 16;

/// One policy of a grant, and how people find it.
pub(super) struct GrantedPolicy<'a> {
    pub(super) document: &'a Document,
    /// `policy "objects"`
    pub(super) title: String,
    /// `spec.policies[0].document`
    pub(super) field: String,
    /// Whether the field is the one statement of the document, and not the document.
    pub(super) is_statement: bool,
}

impl GrantedPolicy<'_> {
    /// A statement, for people, and where it is.
    fn place(&self, statement: usize) -> (String, String) {
        if self.is_statement {
            return (self.title.clone(), self.field.clone());
        }
        (
            format!("{} Statement[{statement}]", self.title),
            format!("{}.Statement[{statement}]", self.field),
        )
    }
}

/// What is granted: one layer of policies (a Deny in one holds for all), and what else has to allow it.
pub(super) struct Granted<'a> {
    pub(super) policies: &'a [GrantedPolicy<'a>],
    /// The role, when `policies` are a session's.
    pub(super) role: Option<&'a [&'a Document]>,
    /// The partition of the account in which AWS holds it to the boundary of a limit that has one; `None` where it does not.
    pub(super) held_in: Option<&'a Partition>,
    /// What is known of every request.
    pub(super) known: KnownTags<'a>,
}

impl Granted<'_> {
    /// Adds a violation for each part that exceeds the limit's ceiling, or may.
    pub(super) fn within(&self, limit: &Limit, findings: &mut Findings) {
        let ceiling = self.known.put_in(&limit.ceiling);
        let policies: Vec<Cow<'_, Document>> = self
            .policies
            .iter()
            .map(|p| self.known.put_in(p.document))
            .collect();
        let role: Vec<Cow<'_, Document>> = self
            .role
            .into_iter()
            .flatten()
            .map(|d| self.known.put_in(d))
            .collect();
        let all = policies.iter().chain(&role).chain([&ceiling]);
        let all: Vec<&Document> = all.map(AsRef::as_ref).collect();
        let known = self.known.layer(&all);
        let known: Vec<Vec<&Document>> = known.iter().map(|layer| vec![layer]).collect();
        let held_in = self.held_in.filter(|_| limit.boundary.is_in_aws());
        let compare =
            |first: &[&Document], others: &[Vec<&Document>]| Compared::new(first, others, &ceiling, held_in);

        let first: Vec<&Document> = policies.iter().map(AsRef::as_ref).collect();
        let mut compared = compare(&first, &known);
        let mut others = known.clone();
        if covered(&compared.answer, limit, &ceiling, findings) {
            return;
        }
        if self.role.is_some() {
            let role: Vec<&Document> = role.iter().map(AsRef::as_ref).collect();
            // A session has what the role *and* its policy allow: where one of them stays within, both do.
            if covered(&compare(&role, &known).answer, limit, &ceiling, findings) {
                return;
            }
            others.push(role);
            compared = compare(&first, &others);
            if covered(&compared.answer, limit, &ceiling, findings) {
                return;
            }
        }
        if !findings.lists() {
            findings.refuse_under(&limit.name, Reason::ExceedsLimit, "spec", "not within the limit");
            return;
        }
        let mut denies: Vec<Document> = first.iter().filter_map(|policy| denies_of(policy)).collect();
        denies.extend(compared.impossible);
        let comparison = Comparison {
            policies: &first,
            denies: &denies,
            others: &others,
            ceiling: &ceiling,
        };
        self.report(limit, &ceiling, &compared.answer, &comparison, findings);
    }

    fn report(
        &self,
        limit: &Limit,
        ceiling: &Document,
        whole: &Containment,
        comparison: &Comparison<'_>,
        findings: &mut Findings,
    ) {
        let mut excesses = comparison.excesses();
        if excesses.found.is_empty() && excesses.open.is_empty() {
            // Only the whole was too much work, or it is known of it alone.
            match whole {
                Containment::Contained(_) => {}
                Containment::Exceeds(witness) => excesses.found.push(Excess {
                    policy: witness.candidate.document,
                    statement: witness.candidate.statement,
                    element: None,
                    witness: witness.clone(),
                }),
                Containment::Unknown(reason) => {
                    let at = reason.candidate;
                    excesses.open.push((at.document, at.statement, reason.clone()));
                }
            }
        }
        let name = limit.name.as_str();
        for excess in excesses.found.iter().take(MAX_LISTED) {
            let (title, field) = self.place(excess.policy, excess.statement);
            let field = match &excess.element {
                Some(element) => format!("{field}.{element}"),
                None => field,
            };
            let witness = &excess.witness;
            findings.refuse_under(
                &limit.name,
                Reason::ExceedsLimit,
                field,
                format!(
                    "{title} grants {witness}, which limit {name:?} does not allow: {}",
                    nearest(ceiling, witness)
                ),
            );
        }
        for (policy, statement, reason) in excesses.open.iter().take(MAX_LISTED) {
            let (title, field) = self.place(*policy, *statement);
            findings.refuse_under(
                &limit.name,
                Reason::ContainmentUnknown,
                field,
                format!(
                    "{title} ({}) can't be proved to stay within limit {name:?}: {}",
                    reason.construct,
                    why_unknown(reason)
                ),
            );
        }
        let more =
            excesses.found.len().saturating_sub(MAX_LISTED) + excesses.open.len().saturating_sub(MAX_LISTED);
        if more > 0 || excesses.not_asked > 0 {
            let not_asked = match excesses.not_asked {
                0 => String::new(),
                n => format!("; {n} statements were not looked at"),
            };
            findings.refuse_under(
                &limit.name,
                Reason::ExceedsLimit,
                self.policies.first().map_or("spec", |p| p.field.as_str()),
                format!("and {more} more under limit {name:?}{not_asked}"),
            );
        }
    }

    /// How people find a statement.
    fn place(&self, policy: usize, statement: usize) -> (String, String) {
        self.policies.get(policy).map_or_else(
            || ("the grant".to_owned(), "spec".to_owned()),
            |policy| policy.place(statement),
        )
    }
}

/// An answer, and what was left out of the question.
struct Compared {
    answer: Containment,
    /// Requests that AWS can't make, as denies.
    impossible: Vec<Document>,
}

impl Compared {
    /// Requests that AWS can't make do not count where a boundary in AWS holds the same ceiling: the reference that says so may
    /// be behind.
    fn new(
        first: &[&Document],
        others: &[Vec<&Document>],
        ceiling: &Document,
        held_in: Option<&Partition>,
    ) -> Self {
        let ask = |impossible: Vec<Document>| {
            let first: Vec<&Document> = first.iter().copied().chain(&impossible).collect();
            let candidate = Candidate::new(&first);
            let candidate = others
                .iter()
                .fold(candidate, |candidate, layer| candidate.layer(layer));
            Self {
                answer: contains(&candidate, ceiling),
                impossible,
            }
        };
        let mut compared = ask(Vec::new());
        let Some(partition) = held_in else { return compared };
        // One after the other, since the second adds more to compare.
        let left_out: [&dyn Fn() -> Option<Document>; 2] = [&|| impossible(first), &|| {
            impossible_anywhere(first, partition.as_str())
        }];
        for left_out in left_out {
            if compared.answer.is_contained() {
                break;
            }
            let Some(more) = left_out() else { continue };
            let mut all = compared.impossible.clone();
            all.push(more);
            let asked = ask(all);
            // What is too much to compare changes no answer.
            let is_unknown = |compared: &Self| matches!(compared.answer, Containment::Unknown(_));
            if !is_unknown(&asked) || is_unknown(&compared) {
                compared = asked;
            }
        }
        compared
    }
}

/// Whether the answer is that all is within the limit; then it is noted by which statements of the ceiling.
fn covered(answer: &Containment, limit: &Limit, ceiling: &Document, findings: &mut Findings) -> bool {
    let Containment::Contained(certificate) = answer else {
        return false;
    };
    if findings.lists() {
        let statements = ceiling.statements().iter().enumerate();
        let allows: Vec<usize> = statements
            .filter(|(_, statement)| statement.effect == Effect::Allow)
            .map(|(index, _)| index)
            .collect();
        findings.covered(&limit.name, certificate.rests_on(&allows));
    }
    true
}

/// What a policy denies.
fn denies_of(policy: &Document) -> Option<Document> {
    let denies: Vec<_> = policy
        .statements()
        .iter()
        .filter(|statement| statement.effect == Effect::Deny)
        .cloned()
        .collect();
    if denies.is_empty() {
        return None;
    }
    // Left out on an error: fewer denies only make the question stricter.
    Document::new(policy.version(), denies, policy.kind()).ok()
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
