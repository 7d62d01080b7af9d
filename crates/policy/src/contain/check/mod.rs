//! Verifies a [`Certificate`] without searching, and without anything of the search.
//!
//! What is trusted beside this folder:
//! - what the values of conditions mean ([`crate::condition::atom`], [`crate::condition::value`]);
//! - what patterns match, and elements and ARNs made of them ([`crate::pattern::glob`], [`crate::pattern::track`],
//!   [`crate::pattern::elements`], [`crate::pattern::arn`]);
//! - what is believed of condition keys ([`crate::keys::value_type`], [`crate::keys::lasting_arity`], in the words of
//!   [`crate::reference::condition_key`]).
//!
//! Whom principals mean, how values lie to conditions and how what AWS does not define is read stands here a second time.

mod branches;
mod conditions;
mod error;
mod inclusion;
mod part;
mod principals;
mod product;
mod shared;
mod source;
#[cfg(test)]
mod tests;
mod tree;
mod values;

pub use error::CheckError;

use std::collections::HashMap;

use self::{
    error::{CheckResult, TOO_MUCH, ensure},
    inclusion::{CheckedElement, apart, chosen, elements, implied, resources_within, within},
    shared::SharedBeliefs,
    source::{CandidateLayers, SourceStatement, statement, statements},
};
use super::{
    bits::Bits,
    candidate::Candidate,
    certificate::{Certificate, CertificateEntry, Goal, Indices, Proof},
};
use crate::{
    ast::Effect,
    compiled::CompiledStatement,
    document::{Document, place::StatementRef},
    pattern::{arn::ResourcePattern, glob::Pattern},
    work::Work,
};

/// Whether the certificate proves that what the candidate allows is allowed by the ceiling. Takes whatever work it needs.
///
/// # Errors
/// What does not hold, or what is not proved at all.
pub fn check(
    certificate: &Certificate,
    candidate: &Candidate<'_>,
    ceiling: &Document,
) -> Result<(), CheckError> {
    check_within(certificate, candidate.layers(), ceiling, &mut Work::unlimited())
}

/// The same with a limit of work; more is an error.
pub(super) fn check_within(
    certificate: &Certificate,
    layers: CandidateLayers<'_>,
    ceiling: &Document,
    work: &mut Work,
) -> Result<(), CheckError> {
    let Some(first) = layers.first() else {
        return Ok(());
    };
    // Made when a proof by case distinction asks for it; most have none.
    let mut whole = None;
    let mut by_claim: HashMap<(StatementRef, Goal), Vec<&CertificateEntry>> = HashMap::new();
    for (i, entry) in certificate.entries.iter().enumerate() {
        let trees = matches!(entry.proof, Proof::ByCases(_));
        if trees && whole.is_none() {
            whole = Some(SharedBeliefs::of(layers, ceiling));
        }
        check_entry(entry, layers, ceiling, whole.as_ref(), work).map_err(|reason| CheckError {
            reason,
            entry: Some(i),
        })?;
        by_claim.entry((entry.allow, entry.goal)).or_default().push(entry);
    }
    let denies = statements(ceiling, Effect::Deny).map(|(e, _)| Goal::NotDenied(e));
    let goals: Vec<Goal> = std::iter::once(Goal::Allowed).chain(denies).collect();
    for (d, document) in first.iter().enumerate() {
        for (s, allow) in statements(document, Effect::Allow) {
            let place = StatementRef {
                document: d,
                statement: s,
            };
            for goal in &goals {
                let entries = by_claim.get(&(place, *goal)).map_or(&[][..], Vec::as_slice);
                let proved = covered(
                    entries,
                    elements(&allow.compiled.actions).len(),
                    resources(allow.compiled),
                    work,
                );
                let reason = "an element of the candidate is not proved";
                ensure(proved, reason).map_err(|reason| CheckError { reason, entry: None })?;
            }
        }
    }
    ensure(!work.exhausted(), TOO_MUCH).map_err(|reason| CheckError { reason, entry: None })
}

/// Whether the entries' rectangles cover so many rows and columns.
fn covered(entries: &[&CertificateEntry], rows: usize, columns: usize, work: &mut Work) -> bool {
    let whole = |indices: &Indices, count: usize| *indices == Indices::Range(0..count);
    if entries
        .iter()
        .any(|e| whole(&e.actions, rows) && whole(&e.resources, columns))
    {
        return true;
    }
    let mut of_row: Vec<Bits> = vec![Bits::empty(columns); rows];
    for entry in entries {
        let mut some = Bits::empty(columns);
        entry.resources.iter().for_each(|r| some.insert(r));
        for row in entry.actions.iter() {
            if !work.charge(1 + columns / 64) {
                return false;
            }
            if let Some(bits) = of_row.get_mut(row) {
                *bits = bits.or(&some);
            }
        }
    }
    let all = Bits::full(columns);
    of_row.iter().all(|bits| all.is_subset_of(bits))
}

/// How many resource elements there are; a statement of a trust policy is about its one role.
fn resources(statement: &CompiledStatement) -> usize {
    statement
        .resources
        .as_ref()
        .map_or(1, |list| if list.negated { 1 } else { list.items.len() })
}

fn check_entry(
    entry: &CertificateEntry,
    layers: CandidateLayers<'_>,
    ceiling: &Document,
    whole: Option<&SharedBeliefs<'_>>,
    work: &mut Work,
) -> CheckResult {
    let no_layer = "it names a document that is not there";
    let document = layers
        .first()
        .and_then(|layer| layer.get(entry.allow.document))
        .ok_or(no_layer)?;
    let source = statement(document, entry.allow.statement, Effect::Allow)?;
    let allow = source.compiled;
    let deny = match entry.goal {
        Goal::Allowed => None,
        Goal::NotDenied(e) => Some(statement(ceiling, e, Effect::Deny)?),
    };
    let of_actions = elements(&allow.actions);
    let actions = chosen(&of_actions, &entry.actions)?;
    let of_resources = allow.resources.as_ref().map(elements).unwrap_or_default();
    let resources = match &allow.resources {
        Some(_) => chosen(&of_resources, &entry.resources)?,
        None => Vec::new(),
    };
    ensure(work.charge(1 + actions.len() + resources.len()), TOO_MUCH)?;
    match (&entry.proof, deny) {
        (Proof::ByAllow(n), None) => {
            let n = statement(ceiling, *n, Effect::Allow)?;
            let includes = actions.iter().all(|a| within(*a, &n.compiled.actions, work))
                && resources_within(&resources, n.compiled, work);
            ensure(
                includes && implied(&[source], n, work),
                "the ceiling's statement does not include it",
            )
        }
        (Proof::ByDeny(place), deny) => {
            let document = layers
                .get(place.layer)
                .and_then(|layer| layer.get(place.statement.document))
                .ok_or(no_layer)?;
            let d = statement(document, place.statement.statement, Effect::Deny)?;
            let includes = includes_what_is_denied(d, &actions, &resources, deny, work);
            let given: Vec<SourceStatement<'_>> = std::iter::once(source).chain(deny).collect();
            ensure(
                includes && implied(&given, d, work),
                "the candidate's Deny does not include it",
            )
        }
        (Proof::OtherActions, Some(e)) => ensure(
            actions.iter().all(|a| apart(*a, &e.compiled.actions, work)),
            "its actions may be denied",
        ),
        (Proof::OtherResources, Some(e)) => {
            let list = e.compiled.resources.as_ref();
            let others = list.is_some_and(|list| resources.iter().all(|r| apart(*r, list, work)));
            ensure(others && !resources.is_empty(), "its resources may be denied")
        }
        (Proof::ByCases(trees), deny) => {
            let whole = whole.ok_or("it has no case distinction")?;
            let claim = tree::Claim {
                allow: source,
                actions: &entry.actions,
                resources: &entry.resources,
                deny,
                whole,
            };
            tree::check(trees, layers, ceiling, &claim, work)
        }
        (Proof::ByAllow(_), Some(_)) | (Proof::OtherActions | Proof::OtherResources, None) => {
            Err("its proof is about something else")
        }
    }
}

/// Whether the candidate's Deny `d` includes the elements, or of actions and of resources what the ceiling's Deny in question
/// denies: a request that is in question is in both.
fn includes_what_is_denied(
    d: SourceStatement<'_>,
    actions: &[CheckedElement<'_, Pattern>],
    resources: &[CheckedElement<'_, ResourcePattern>],
    of_ceiling: Option<SourceStatement<'_>>,
    work: &mut Work,
) -> bool {
    let of_ceiling = of_ceiling.map(|e| e.compiled);
    let by_actions = actions.iter().all(|a| within(*a, &d.compiled.actions, work))
        || of_ceiling.is_some_and(|e| {
            elements(&e.actions)
                .into_iter()
                .all(|a| within(a, &d.compiled.actions, work))
        });
    let mut of_its_resources = |e: &CompiledStatement| {
        let list = e.resources.as_ref().map(elements).unwrap_or_default();
        e.resources.is_some() && resources_within(&list, d.compiled, work)
    };
    let by_ceiling = of_ceiling.is_some_and(&mut of_its_resources);
    by_actions && (by_ceiling || resources_within(resources, d.compiled, work))
}
