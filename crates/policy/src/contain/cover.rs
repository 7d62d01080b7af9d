//! Proof by single covers: inclusion and disjointness of the parts of statements. Everything here answers `true` only
//! when it is certain, as long as the work limit was not reached.

use std::sync::LazyLock;

use crate::{
    compiled::CompiledStatement,
    document::place::StatementRef,
    pattern::{
        arn::ResourcePattern,
        elements::{Elements, Language, PatternKey},
        glob::Pattern,
    },
    work::Work,
};

/// One part of a statement's actions or resources, whose union they are.
#[derive(Debug)]
pub(crate) enum Element<'a, P> {
    /// What a pattern matches.
    One(&'a P, PatternKey),
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
}

/// A statement in parts, with where it stands.
#[derive(Clone)]
pub(super) struct StatementElements<'a> {
    pub(super) position: StatementRef,
    pub(super) statement: &'a CompiledStatement,
    pub(super) actions: &'a Elements<Pattern>,
    pub(super) resources: &'a Elements<ResourcePattern>,
}

/// What a statement without resources (of a trust policy) is about: its one role.
static THE_ROLE: LazyLock<Elements<ResourcePattern>> =
    LazyLock::new(|| Elements::new(false, vec![ResourcePattern::Any]));

impl<'a> StatementElements<'a> {
    pub(super) fn new(position: StatementRef, statement: &'a CompiledStatement) -> Self {
        Self {
            position,
            statement,
            actions: &statement.actions,
            resources: statement.resources.as_ref().unwrap_or(&THE_ROLE),
        }
    }
}

/// Whether whoever and whatever the given statements are about satisfies the principal and the conditions of `wanted`, as
/// far as can be seen one by one: each of its conditions follows from one of theirs.
pub(super) fn implied(given: &[&CompiledStatement], wanted: &CompiledStatement, work: &mut Work) -> bool {
    let principal = match &wanted.principal {
        None => true,
        Some(wanted) if wanted.is_everybody() => true,
        wanted => given.iter().any(|g| g.principal == *wanted),
    };
    principal
        && wanted.atoms.iter().all(|w| {
            given.iter().any(|g| {
                work.charge(1 + g.atoms.len()) && g.atoms.iter().any(|atom| w.follows_from(atom, work))
            })
        })
}

/// The Deny of the candidate that removes all that `e` (a Deny of the ceiling) denies of the candidate's `action` and
/// `resource`.
pub(super) fn denied_anyway<'d>(
    candidate: &StatementElements<'_>,
    action: Element<'_, Pattern>,
    resource: Element<'_, ResourcePattern>,
    e: &StatementElements<'_>,
    denies: &'d [StatementElements<'d>],
    work: &mut Work,
) -> Option<&'d StatementElements<'d>> {
    denies.iter().find(|d| {
        implied(&[candidate.statement, e.statement], d.statement, work)
            && (action.within(d.actions, work)
                || parts(e.actions)
                    .into_iter()
                    .all(|part| part.within(d.actions, work)))
            && (resource.within(d.resources, work)
                || parts(e.resources)
                    .into_iter()
                    .all(|part| part.within(d.resources, work)))
    })
}

/// The Deny of the candidate that removes all of `action` and `resource`.
pub(super) fn denied_wholly<'d>(
    candidate: &StatementElements<'_>,
    action: Element<'_, Pattern>,
    resource: Element<'_, ResourcePattern>,
    denies: &'d [StatementElements<'d>],
    work: &mut Work,
) -> Option<&'d StatementElements<'d>> {
    denies.iter().find(|d| {
        action.within(d.actions, work)
            && resource.within(d.resources, work)
            && implied(&[candidate.statement], d.statement, work)
    })
}

/// The element that stands first.
pub(in crate::contain) fn first_part<P>(elements: &Elements<P>) -> Option<Element<'_, P>> {
    if elements.negated {
        Some(Element::Except(elements))
    } else {
        let (item, key) = (elements.items.first()?, elements.keys.first()?);
        Some(Element::One(item, *key))
    }
}
