//! What lies in what, one element and one statement at a time.

use super::{conditions, principals, source::SourceStatement};
use crate::{
    ast::{Principal, PrincipalElement},
    compiled::CompiledStatement,
    contain::certificate::Indices,
    pattern::{
        arn::ResourcePattern,
        elements::{Elements, Language, PatternKey},
    },
    work::Work,
};

/// An element of a list: one pattern, or everything outside of the list.
pub(super) enum CheckedElement<'a, P> {
    One(&'a P, PatternKey),
    Except(&'a Elements<P>),
}

impl<P> Clone for CheckedElement<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for CheckedElement<'_, P> {}

pub(super) fn elements<P>(list: &Elements<P>) -> Vec<CheckedElement<'_, P>> {
    if list.negated {
        vec![CheckedElement::Except(list)]
    } else {
        let keyed = list.items.iter().zip(&list.keys);
        keyed.map(|(item, key)| CheckedElement::One(item, *key)).collect()
    }
}

/// The elements with these indices, which must ascend.
pub(super) fn chosen<'a, P>(
    all: &[CheckedElement<'a, P>],
    indices: &Indices,
) -> Result<Vec<CheckedElement<'a, P>>, &'static str> {
    let mut last = None;
    let mut chosen = Vec::new();
    for i in indices.iter() {
        let in_order = last.is_none_or(|last| last < i);
        last = Some(i);
        let element = all.get(i).filter(|_| in_order);
        chosen.push(*element.ok_or("it names an element that is not there")?);
    }
    Ok(chosen)
}

/// Whether an element lies in what a list describes; for a plain list, in one of its patterns.
pub(super) fn within<P: Language>(element: CheckedElement<'_, P>, of: &Elements<P>, work: &mut Work) -> bool {
    match (element, of.negated) {
        // The list's index only says where to look; what is found is compared.
        (CheckedElement::One(one, key), false) => of.covers(one, key, work),
        (CheckedElement::One(one, key), true) => of
            .items
            .iter()
            .zip(&of.keys)
            .all(|item| disjoint(item, (one, &key), work)),
        (CheckedElement::Except(list), false) => [list, of]
            .iter()
            .any(|list| list.items.iter().any(P::is_everything)),
        (CheckedElement::Except(list), true) => of
            .items
            .iter()
            .zip(&of.keys)
            .all(|(item, key)| list.covers(item, *key, work)),
    }
}

/// Whether an element has nothing in common with what a list describes.
pub(super) fn apart<P: Language>(element: CheckedElement<'_, P>, of: &Elements<P>, work: &mut Work) -> bool {
    match (element, of.negated) {
        (CheckedElement::One(one, key), false) => of
            .items
            .iter()
            .zip(&of.keys)
            .all(|item| disjoint(item, (one, &key), work)),
        (CheckedElement::One(one, key), true) => of.covers(one, key, work),
        (CheckedElement::Except(list), false) => of
            .items
            .iter()
            .zip(&of.keys)
            .all(|(item, key)| list.covers(item, *key, work)),
        (CheckedElement::Except(list), true) => [list, of]
            .iter()
            .any(|list| list.items.iter().any(P::is_everything)),
    }
}

/// Whether two patterns have nothing in common.
pub(super) fn disjoint<P: Language>(
    (a, key): (&P, &PatternKey),
    (b, other): (&P, &PatternKey),
    work: &mut Work,
) -> bool {
    work.step() && (key.is_of_another_service(*other) || !a.may_intersect(b, work)) && !work.exhausted()
}

pub(super) fn resources_within(
    resources: &[CheckedElement<'_, ResourcePattern>],
    of: &CompiledStatement,
    work: &mut Work,
) -> bool {
    of.resources
        .as_ref()
        .is_none_or(|list| !resources.is_empty() && resources.iter().all(|r| within(*r, list, work)))
}

/// Whether the principal of a statement is that of one that matches, and all its conditions follow from those that hold.
pub(super) fn implied(given: &[SourceStatement<'_>], of: SourceStatement<'_>, work: &mut Work) -> bool {
    let wanted = &of.written.principal;
    let anyone = Some(PrincipalElement::Principal(Principal::Anyone));
    let principal = wanted.is_none()
        || *wanted == anyone
        || given.iter().any(|g| g.written.principal == *wanted)
        || wanted.as_ref().is_some_and(principals::is_everybody);
    let mut among = |atom| {
        given.iter().any(|g| {
            g.compiled
                .atoms
                .iter()
                .any(|own| conditions::follows(atom, own, work))
        })
    };
    principal && of.compiled.atoms.iter().all(&mut among)
}
