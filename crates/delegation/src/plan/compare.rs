//! How documents relate: what AWS has, and what is wanted.

use deputy_policy::{
    Candidate, Condition, Document, Effect, PolicyKind, Principal, PrincipalElement, Statement, Test,
    contains,
};

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

/// A trust policy of those allows of `desired` that let in nobody whom the one that is there does not: for the time between the two. `None`
/// when there are none.
pub(super) fn common_trust(observed: &str, desired: &Document) -> Option<Document> {
    let observed = Document::parse(observed, PolicyKind::Trust).ok()?;
    let observed = trust::without_record(&observed)?;
    let is_common = |statement: &&Statement| {
        statement.effect == Effect::Deny
            || says(&observed, statement)
            || is_narrower_than_one_of(statement, &observed)
    };
    let statements = desired.statements().iter().filter(is_common).cloned().collect();
    let common = Document::new(desired.version(), statements, PolicyKind::Trust).ok()?;
    let plain = trust::without_record(&common)?;
    (has_allow(&plain) && within(&plain, &observed)).then_some(common)
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
/// `large` or a narrower one, and every deny of `large` is one of it.
fn within(small: &Document, large: &Document) -> bool {
    let with = |effect| move |statement: &&Statement| statement.effect == effect;
    !has_allow(small)
        || (small
            .statements()
            .iter()
            .filter(with(Effect::Allow))
            .all(|s| says(large, s) || is_narrower_than_one_of(s, large))
            && large
                .statements()
                .iter()
                .filter(with(Effect::Deny))
                .all(|s| says(small, s)))
}

/// Whether a statement of `document` has all that `statement` has, and whom it lets in beside: principals and values are lists of which it
/// is enough to be in one.
fn is_narrower_than_one_of(statement: &Statement, document: &Document) -> bool {
    let is_narrower = |large: &Statement| {
        let same_but_who = |s: &Statement| Statement {
            sid: None,
            principal: None,
            conditions: Vec::new(),
            ..s.clone()
        };
        same_but_who(statement) == same_but_who(large)
            && are_among(statement.principal.as_ref(), large.principal.as_ref())
            && large.conditions.iter().all(|wide| {
                let holds = |narrow: &Condition| is_within(narrow, wide);
                statement.conditions.iter().any(holds)
            })
    };
    document.statements().iter().any(is_narrower)
}

/// Whether all of these principals of AWS are named there, too. Of others nothing is known.
fn are_among(few: Option<&PrincipalElement>, many: Option<&PrincipalElement>) -> bool {
    let named = |element: Option<&PrincipalElement>| match element {
        Some(PrincipalElement::Principal(Principal::Listed {
            aws,
            service,
            federated,
            canonical_user,
        })) if service.is_empty() && federated.is_empty() && canonical_user.is_empty() => Some(aws.clone()),
        _ => None,
    };
    match (named(few), named(many)) {
        (Some(few), Some(many)) => few.iter().all(|one| many.contains(one)),
        _ => false,
    }
}

/// Whether whatever satisfies one condition satisfies the other: by the same test, which asks that one of its values is there, of fewer values.
fn is_within(narrow: &Condition, wide: &Condition) -> bool {
    let is_plain = wide.operator.set.is_none()
        && !wide.operator.if_exists
        && matches!(
            wide.operator.test,
            Test::ArnEquals | Test::StringEquals | Test::Bool
        );
    let same_key = narrow.key.eq_ignore_ascii_case(&wide.key);
    let fewer = || narrow.values.iter().all(|value| wide.values.contains(value));
    is_plain && narrow.operator == wide.operator && same_key && fewer()
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
