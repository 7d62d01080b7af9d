//! How documents relate: what AWS has, and what is wanted.

use deputy_policy::{Candidate, Document, Effect, PolicyKind, Statement, contains};

use crate::trust;

/// How a change of the trust policy relates to what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrustChange {
    None,
    /// Trusts nobody that is not trusted now.
    Shrinks,
    /// Trusts everybody that is trusted now.
    Grows,
    /// Neither is known.
    Other,
}

pub(super) fn trust_change(observed: &str, desired: &Document) -> TrustChange {
    let observed = match Document::parse(observed, PolicyKind::Trust) {
        Ok(observed) => observed,
        // Nobody is trusted then: whoever is trusted now, it shrinks.
        Err(_) if !has_allow(desired) => return TrustChange::Shrinks,
        Err(_) => return TrustChange::Other,
    };
    let notes_the_same = trust::notes_the_same(&observed, desired);
    // What is noted down in a policy grants and denies nothing.
    let (observed, desired) = match (trust::without_record(&observed), trust::without_record(desired)) {
        (Some(observed), Some(desired)) => (observed, desired),
        _ if !has_allow(desired) => return TrustChange::Shrinks,
        _ => return TrustChange::Other,
    };
    let (observed, desired) = (&observed, &desired);
    if notes_the_same && observed.semantically_eq(desired) {
        TrustChange::None
    } else if within(desired, observed) {
        TrustChange::Shrinks
    } else if within(observed, desired) {
        TrustChange::Grows
    } else {
        TrustChange::Other
    }
}

/// Whether the trust policy is `closed` already, with all that is noted down in that.
pub(super) fn is_closed(observed: &str, closed: &Document) -> bool {
    trust_change(observed, closed) == TrustChange::None
}

/// Whether the text that AWS returned means the same as `document`. Text that can't be read is something else.
pub(super) fn same(text: &str, document: &Document, kind: PolicyKind) -> bool {
    Document::parse(text, kind).is_ok_and(|observed| observed.semantically_eq(document))
}

/// The denies of `document` that `other` does not say, as they are or within a wider one.
pub(super) fn denies_missing(document: &Document, other: Option<&Document>) -> Vec<Statement> {
    let denies = document.statements().iter().filter(|s| s.effect == Effect::Deny);
    denies
        .filter(|deny| other.is_none_or(|other| !(says(other, deny) || is_denied_by(other, deny))))
        .cloned()
        .collect()
}

/// Whether all that `deny` denies is certainly denied by one of the document's statements: as allows, the one would be within the other.
fn is_denied_by(document: &Document, deny: &Statement) -> bool {
    let allowing = |statement: &Statement, kind: PolicyKind| {
        let allow = Statement {
            effect: Effect::Allow,
            ..statement.clone()
        };
        Document::new(document.version(), vec![allow], kind).ok()
    };
    let Some(small) = allowing(deny, PolicyKind::Identity) else {
        return false;
    };
    let denies = document.statements().iter().filter(|s| s.effect == Effect::Deny);
    denies
        .filter_map(|larger| allowing(larger, PolicyKind::Boundary))
        .any(|larger| contains(&Candidate::new(&[&small]), &larger).is_contained())
}

fn has_allow(document: &Document) -> bool {
    document.statements().iter().any(|s| s.effect == Effect::Allow)
}

/// Whether `small` certainly trusts nobody whom `large` does not: it allows nothing at all, or every allow of it is one of
/// `large` and every deny of `large` is one of it.
fn within(small: &Document, large: &Document) -> bool {
    let with = |effect| move |statement: &&Statement| statement.effect == effect;
    !has_allow(small)
        || (small
            .statements()
            .iter()
            .filter(with(Effect::Allow))
            .all(|s| says(large, s))
            && large
                .statements()
                .iter()
                .filter(with(Effect::Deny))
                .all(|s| says(small, s)))
}

/// Whether one of the document's statements means the same as `statement`.
fn says(document: &Document, statement: &Statement) -> bool {
    let alone = |statement: &Statement| {
        Document::new(document.version(), vec![statement.clone()], document.kind()).ok()
    };
    let Some(wanted) = alone(statement) else {
        return false;
    };
    document
        .statements()
        .iter()
        .filter_map(alone)
        .any(|one| one.semantically_eq(&wanted))
}
