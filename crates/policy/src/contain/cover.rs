//! Proof by single covers: inclusion and disjointness of the parts of statements. Everything here answers `true` only
//! when it is certain, as long as the work limit was not reached.

use crate::{
    arn::ResourcePattern,
    compiled::{CompiledStatement, Elements},
    condition::atom::Atom,
    glob::Pattern,
    work::Work,
};

/// A set of texts given by a pattern.
pub(crate) trait Language {
    fn includes(&self, other: &Self, work: &mut Work) -> bool;
    fn may_intersect(&self, other: &Self, work: &mut Work) -> bool;
    fn is_everything(&self) -> bool;
}

impl Language for Pattern {
    fn includes(&self, other: &Self, work: &mut Work) -> bool {
        Self::includes(self, other, work)
    }

    fn may_intersect(&self, other: &Self, work: &mut Work) -> bool {
        Self::may_intersect(self, other, work)
    }

    fn is_everything(&self) -> bool {
        self.is_universal()
    }
}

impl Language for ResourcePattern {
    fn includes(&self, other: &Self, work: &mut Work) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Arn(_), Self::Any) => false,
            (Self::Arn(a), Self::Arn(b)) => a.includes(b, work),
        }
    }

    fn may_intersect(&self, other: &Self, work: &mut Work) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Arn(a), Self::Arn(b)) => a.may_intersect(b, work),
        }
    }

    fn is_everything(&self) -> bool {
        matches!(self, Self::Any)
    }
}

/// One part of a statement's actions or resources, whose union they are.
#[derive(Debug)]
pub(crate) enum Element<'a, P> {
    /// What a pattern matches.
    One(&'a P),
    /// What none of the patterns matches.
    Except(&'a [P]),
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
        vec![Element::Except(&elements.items)]
    } else {
        elements.items.iter().map(Element::One).collect()
    }
}

impl<P: Language> Element<'_, P> {
    pub(crate) fn within(self, other: Self, work: &mut Work) -> bool {
        match (self, other) {
            (Self::One(a), Self::One(b)) => b.includes(a, work),
            (Self::One(a), Self::Except(list)) => list.iter().all(|b| !a.may_intersect(b, work)),
            (Self::Except(list), Self::One(b)) => b.is_everything() || list.iter().any(Language::is_everything),
            (Self::Except(list), Self::Except(others)) => {
                others.iter().all(|other| list.iter().any(|one| one.includes(other, work)))
                    || list.iter().any(Language::is_everything)
            }
        }
    }

    pub(crate) fn apart(self, other: Self, work: &mut Work) -> bool {
        match (self, other) {
            (Self::One(a), Self::One(b)) => !a.may_intersect(b, work),
            (Self::One(a), Self::Except(list)) | (Self::Except(list), Self::One(a)) => {
                list.iter().any(|b| b.includes(a, work))
            }
            (Self::Except(a), Self::Except(b)) => a.iter().chain(b).any(Language::is_everything),
        }
    }

    /// Whether one of the parts includes this one.
    pub(crate) fn within_some(self, parts: &[Self], work: &mut Work) -> bool {
        parts.iter().any(|part| self.within(*part, work))
    }
}

/// A statement in parts, with where it stands.
pub(super) struct Parts<'a> {
    /// Index of the document and of the statement.
    pub(super) position: (usize, usize),
    pub(super) actions: Vec<Element<'a, Pattern>>,
    pub(super) resources: Vec<Element<'a, ResourcePattern>>,
    pub(super) atoms: &'a [Atom],
}

impl<'a> Parts<'a> {
    pub(super) fn new(position: (usize, usize), statement: &'a CompiledStatement) -> Self {
        Self {
            position,
            actions: parts(&statement.actions),
            resources: statement.resources.as_ref().map(parts).unwrap_or_default(),
            atoms: &statement.atoms,
        }
    }

    /// Whether no request satisfies the conditions, or those of both statements.
    pub(super) fn conditions_contradict(&self, other: &Self, work: &mut Work) -> bool {
        self.atoms.iter().any(|a| other.atoms.iter().any(|b| a.contradicts(b, work)))
    }
}

/// Whether the given conditions together satisfy all of `wanted`.
pub(super) fn conditions_imply(given: &[&[Atom]], wanted: &[Atom], work: &mut Work) -> bool {
    wanted.iter().all(|w| given.iter().any(|atoms| atoms.iter().any(|g| g.implies(w, work))))
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
    let useful: Vec<&Parts<'_>> =
        denies.iter().filter(|d| conditions_imply(&[candidate.atoms, e.atoms], d.atoms, work)).collect();
    if useful.is_empty() {
        return false;
    }
    let actions: Vec<_> = e.actions.iter().filter(|part| !action.apart(**part, work)).collect();
    let resources: Vec<_> = e.resources.iter().filter(|part| !resource.apart(**part, work)).collect();
    let all = useful.iter().any(|d| {
        (action.within_some(&d.actions, work) || actions.iter().all(|part| part.within_some(&d.actions, work)))
            && (resource.within_some(&d.resources, work)
                || resources.iter().all(|part| part.within_some(&d.resources, work)))
    });
    all || actions.iter().all(|a| {
        resources.iter().all(|r| {
            useful.iter().any(|d| {
                (action.within_some(&d.actions, work) || a.within_some(&d.actions, work))
                    && (resource.within_some(&d.resources, work) || r.within_some(&d.resources, work))
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
        action.within_some(&d.actions, work)
            && resource.within_some(&d.resources, work)
            && conditions_imply(&[candidate.atoms], d.atoms, work)
    })
}
