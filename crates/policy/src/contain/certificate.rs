//! What a *contained* rests on, in a form that [`super::check()`] verifies without searching.

use std::ops::Range;

use super::{
    picks::{Picks, Piece},
    solve::Tree,
};

/// Index of a layer, of a document in it and of a statement in that.
pub(crate) type Place = (usize, usize, usize);

/// Proof that every request that all layers of a candidate allow is allowed by a ceiling.
///
/// For every Allow of the candidate's first layer, every pair of its actions and resources, and every target (that the
/// ceiling allows it, and that each Deny of the ceiling spares it) there is an entry. [`super::check()`] verifies all.
#[derive(Debug, Clone, Default)]
pub struct Certificate {
    pub(crate) entries: Vec<Entry>,
}

/// The proof for some actions and resources of one Allow.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Document and statement in the first layer.
    pub(crate) allow: (usize, usize),
    /// Indices of the elements; a negated list is one element.
    pub(crate) actions: Indices,
    pub(crate) resources: Indices,
    pub(crate) target: Target,
    pub(crate) proof: Proof,
}

/// Some of the elements of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Indices {
    Range(Range<usize>),
    /// In ascending order.
    Some(Vec<usize>),
}

impl Indices {
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let (range, list) = match self {
            Self::Range(range) => (range.clone(), &[][..]),
            Self::Some(list) => (0..0, list.as_slice()),
        };
        range.chain(list.iter().copied())
    }

    pub(crate) fn first(&self) -> Option<usize> {
        self.iter().next()
    }

    /// The patterns of the list; a negated one counts as a whole.
    pub(crate) fn picks(&self, negated: bool) -> Picks {
        if negated {
            Picks::All
        } else {
            Picks::Only(self.iter().filter_map(|i| u32::try_from(i).ok()).collect())
        }
    }
}

impl From<Range<usize>> for Indices {
    fn from(range: Range<usize>) -> Self {
        Self::Range(range)
    }
}

impl FromIterator<usize> for Indices {
    fn from_iter<T: IntoIterator<Item = usize>>(indices: T) -> Self {
        Self::Some(indices.into_iter().collect())
    }
}

/// What is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// Some Allow of the ceiling, or a Deny of the candidate, matches.
    Granted,
    /// This Deny of the ceiling does not match, or a Deny of the candidate does.
    Spared(usize),
}

/// How.
#[derive(Debug, Clone)]
pub(crate) enum Proof {
    /// This Allow of the ceiling includes all of it.
    Allowed(usize),
    /// This Deny of the candidate includes all of it.
    Denied(Place),
    /// The actions have nothing in common with the Deny's.
    OtherActions,
    /// The resources have nothing in common with the Deny's.
    OtherResources,
    /// By case distinction, for every combination of Allows of the other layers (document and statement of each).
    Trees(Vec<Combination>),
}

/// Document and statement of one Allow of each of the other layers, what the tree uses, and the tree.
pub(crate) type Combination = (Vec<(usize, usize)>, Used, Tree);

/// Which patterns of each negative statement a tree makes use of; the statements are the candidate's Denys, layer by layer,
/// and then the ceiling's Allows if the target is [`Target::Granted`].
pub(crate) type Used = Vec<(Picks, Picks)>;

/// The patterns used, statement by statement.
pub(crate) fn used(negative: &[Piece<'_>]) -> Used {
    negative
        .iter()
        .map(|piece| (piece.actions.clone(), piece.resources.clone()))
        .collect()
}

impl Certificate {
    /// How many case distinctions it holds besides single covers; a measure of its size.
    pub fn distinctions(&self) -> usize {
        let trees = self.entries.iter().map(|entry| match &entry.proof {
            Proof::Trees(trees) => trees.iter().map(|(_, _, tree)| tree.nodes.len()).sum(),
            _ => 0,
        });
        trees.sum()
    }

    /// How many single statements and trees it rests on.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }
}
