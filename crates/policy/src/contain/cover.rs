//! Proof by single covers: inclusion and disjointness of the parts of statements. Everything here answers `true` only
//! when it is certain, as long as the work limit was not reached.

use crate::{
    arn::ResourcePattern,
    compiled::CompiledStatement,
    condition::atom::Atom,
    elements::{Elements, Key, Language},
    glob::Pattern,
    work::Work,
};

/// One part of a statement's actions or resources, whose union they are.
#[derive(Debug)]
pub(crate) enum Element<'a, P> {
    /// What a pattern matches.
    One(&'a P, Key),
    /// What none of the patterns matches.
    Except(&'a Elements<P>),
}

impl<P> Clone for Element<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Element<'_, P> {}

/// The parts: one for each pattern, or one complement.
pub(crate) fn parts<P>(elements: &Elements<P>) -> Vec<Element<'_, P>> {
    if elements.negated {
        vec![Element::Except(elements)]
    } else {
        elements
            .items
            .iter()
            .zip(&elements.keys)
            .map(|(item, key)| Element::One(item, *key))
            .collect()
    }
}

impl<P: Language> Element<'_, P> {
    /// Whether the part lies in what `elements` describe; for a list, in one of its patterns.
    pub(crate) fn within(self, elements: &Elements<P>, work: &mut Work) -> bool {
        match (self, elements.negated) {
            (Self::One(one, key), false) => elements.covers(one, key, work),
            (Self::One(one, key), true) => !elements.meets(one, key, work),
            (Self::Except(list), false) => elements.has_everything() || list.has_everything(),
            (Self::Except(list), true) => list.has_everything() || list.covers_all(elements, work),
        }
    }

    /// Whether the part has nothing in common with what `elements` describe.
    pub(crate) fn apart_from(self, elements: &Elements<P>, work: &mut Work) -> bool {
        match (self, elements.negated) {
            (Self::One(one, key), false) => !elements.meets(one, key, work),
            (Self::One(one, key), true) => elements.covers(one, key, work),
            (Self::Except(list), false) => list.covers_all(elements, work),
            (Self::Except(list), true) => list.has_everything() || elements.has_everything(),
        }
    }

    /// Whether the part has nothing in common with another.
    fn apart(self, other: Self, work: &mut Work) -> bool {
        match (self, other) {
            (Self::One(a, _), Self::One(b, _)) => !a.may_intersect(b, work),
            (part, Self::Except(list)) => part.apart_from(list, work),
            (Self::Except(list), Self::One(b, key)) => list.covers(b, key, work),
        }
    }
}

/// A statement in parts, with where it stands.
pub(super) struct Parts<'a> {
    /// Index of the document and of the statement.
    pub(super) position: (usize, usize),
    pub(super) actions: &'a Elements<Pattern>,
    pub(super) resources: &'a Elements<ResourcePattern>,
    pub(super) atoms: &'a [Atom],
}

impl<'a> Parts<'a> {
    /// `None` for statements of trust policies, which have no resources.
    pub(super) fn new(position: (usize, usize), statement: &'a CompiledStatement) -> Option<Self> {
        let resources = statement.resources.as_ref()?;
        Some(Self {
            position,
            actions: &statement.actions,
            resources,
            atoms: &statement.atoms,
        })
    }

    /// Whether no request satisfies the conditions, or those of both statements.
    pub(super) fn conditions_contradict(&self, other: &Self, work: &mut Work) -> bool {
        self.atoms
            .iter()
            .any(|a| other.atoms.iter().any(|b| a.contradicts(b, work)))
    }
}

/// Whether the given conditions together satisfy all of `wanted`.
pub(super) fn conditions_imply(given: &[&[Atom]], wanted: &[Atom], work: &mut Work) -> bool {
    wanted
        .iter()
        .all(|w| given.iter().any(|atoms| atoms.iter().any(|g| g.implies(w, work))))
}

/// Whether the candidate's own Deny statements remove all that `e` (a Deny of the ceiling) denies of the candidate's
/// `action` and `resource`.
pub(super) fn denied_anyway(
    candidate: &Parts<'_>,
    action: Element<'_, Pattern>,
    resource: Element<'_, ResourcePattern>,
    e: &Parts<'_>,
    denies: &[Parts<'_>],
    work: &mut Work,
) -> bool {
    let useful: Vec<&Parts<'_>> = denies
        .iter()
        .filter(|d| conditions_imply(&[candidate.atoms, e.atoms], d.atoms, work))
        .collect();
    if useful.is_empty() {
        return false;
    }
    let actions: Vec<_> = parts(e.actions)
        .into_iter()
        .filter(|part| !action.apart(*part, work))
        .collect();
    let resources: Vec<_> = parts(e.resources)
        .into_iter()
        .filter(|part| !resource.apart(*part, work))
        .collect();
    let all = useful.iter().any(|d| {
        (action.within(d.actions, work) || actions.iter().all(|part| part.within(d.actions, work)))
            && (resource.within(d.resources, work)
                || resources.iter().all(|part| part.within(d.resources, work)))
    });
    all || actions.iter().all(|a| {
        resources.iter().all(|r| {
            useful.iter().any(|d| {
                (action.within(d.actions, work) || a.within(d.actions, work))
                    && (resource.within(d.resources, work) || r.within(d.resources, work))
            })
        })
    })
}

/// Whether one of the candidate's own Deny statements removes all of `action` and `resource`.
pub(super) fn denied_wholly(
    candidate: &Parts<'_>,
    action: Element<'_, Pattern>,
    resource: Element<'_, ResourcePattern>,
    denies: &[Parts<'_>],
    work: &mut Work,
) -> bool {
    denies.iter().any(|d| {
        action.within(d.actions, work)
            && resource.within(d.resources, work)
            && conditions_imply(&[candidate.atoms], d.atoms, work)
    })
}
