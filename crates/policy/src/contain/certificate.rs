//! What a *contained* rests on, in a form that [`super::check()`] verifies without searching.

use std::{collections::BTreeSet, ops::Range};

use super::bits::Bits;
use crate::{document::place::StatementRef, pattern::track::VariableCase};

/// A statement of one of the candidate's layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerStatementRef {
    /// Index of the layer; the identity policies are the first.
    pub layer: usize,
    /// The statement in the layer.
    pub statement: StatementRef,
}

/// Proof that every request that all layers of a candidate allow is allowed by a ceiling.
///
/// For every Allow of the candidate's first layer, every pair of its actions and resources, and every goal (that the
/// ceiling allows it, and that no Deny of the ceiling denies it) there is an entry. [`super::check()`] verifies all.
#[derive(Debug, Clone, Default)]
pub struct Certificate {
    pub(crate) entries: Vec<CertificateEntry>,
}

/// The proof for some actions and resources of one Allow.
#[derive(Debug, Clone)]
pub struct CertificateEntry {
    /// An Allow of the first layer.
    pub allow: StatementRef,
    /// Indices of the elements; a negated list is one element.
    pub actions: Indices,
    /// The same.
    pub resources: Indices,
    /// What is proved of them.
    pub goal: Goal,
    /// By what.
    pub proof: Proof,
}

/// Some of the elements of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Indices {
    /// Neighbours.
    Range(Range<usize>),
    /// In ascending order.
    Some(Vec<usize>),
}

impl Indices {
    /// The indices.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
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
pub enum Goal {
    /// Some Allow of the ceiling, or a Deny of the candidate, matches.
    Allowed,
    /// This Deny of the ceiling does not match, or a Deny of the candidate does.
    NotDenied(usize),
}

/// How.
#[derive(Debug, Clone)]
pub enum Proof {
    /// This Allow of the ceiling includes all of it.
    ByAllow(usize),
    /// This Deny of the candidate includes all of it.
    ByDeny(LayerStatementRef),
    /// The actions have nothing in common with the Deny's.
    OtherActions,
    /// The resources have nothing in common with the Deny's.
    OtherResources,
    /// By case distinction, for every combination of Allows of the other layers.
    ByCases(Vec<Combination>),
}

/// The proof for one combination of Allows of the other layers.
#[derive(Debug, Clone)]
pub struct Combination {
    /// One Allow of each of the other layers.
    pub allows: Vec<StatementRef>,
    /// Which patterns the tree makes use of.
    pub used: Used,
    /// The case distinctions.
    pub tree: CaseTree,
}

/// Which patterns of each negative statement a tree makes use of; the statements are the candidate's Denys, layer by layer,
/// and then the ceiling's Allows if the goal is [`Goal::Allowed`].
pub type Used = Vec<(Picks, Picks)>;

impl Certificate {
    /// How many case distinctions it holds besides single covers; a measure of its size.
    pub fn distinctions(&self) -> usize {
        let trees = self.entries.iter().map(|entry| match &entry.proof {
            Proof::ByCases(trees) => trees.iter().map(|of| of.tree.nodes.len()).sum(),
            _ => 0,
        });
        trees.sum()
    }

    /// Those of `allows`, the indices of all Allows of the ceiling in order, on which it rests: it proves the same of a ceiling without
    /// the others. Where several include the same, it rests on one of them.
    pub fn rests_on(&self, allows: &[usize]) -> BTreeSet<usize> {
        let mut rests_on = BTreeSet::new();
        for entry in self.entries.iter().filter(|entry| entry.goal == Goal::Allowed) {
            match &entry.proof {
                Proof::ByAllow(index) => {
                    rests_on.insert(*index);
                }
                Proof::ByCases(trees) => {
                    for Combination { used, tree, .. } in trees {
                        // The ceiling's Allows come after the candidate's Denys.
                        let denies = used.len().saturating_sub(allows.len());
                        let covered = tree.leaves().filter_map(|negative| negative.checked_sub(denies));
                        rests_on.extend(covered.filter_map(|nth| allows.get(nth)));
                    }
                }
                Proof::ByDeny(_) | Proof::OtherActions | Proof::OtherResources => {}
            }
        }
        rests_on
    }

    /// How many single statements and trees it rests on.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }
}

/// A proof that no request answers the query.
#[derive(Debug, Clone, Default)]
pub struct CaseTree {
    /// For every case of the variables, where to begin.
    pub roots: Vec<(Vec<(String, VariableCase)>, NextCase)>,
    /// The case distinctions that lead on to one another.
    pub nodes: Vec<CaseNode>,
}

impl CaseTree {
    /// The negative statements that close its branches.
    fn leaves(&self) -> impl Iterator<Item = usize> {
        let roots = self.roots.iter().map(|(_, next)| next);
        let branches = self.nodes.iter().flat_map(|node| &node.branches);
        roots
            .chain(branches.map(|(_, next)| next))
            .filter_map(|next| match next {
                NextCase::Covered(negative) => usize::try_from(*negative).ok(),
                NextCase::Node(_) => None,
            })
    }
}

/// A case distinction in one dimension.
#[derive(Debug, Clone)]
pub struct CaseNode {
    /// Index of the dimension.
    pub dimension: u32,
    /// The negative statements that matched so far.
    pub alive: Vec<usize>,
    /// For every choice, a branch that keeps no more.
    pub branches: Vec<(Vec<usize>, NextCase)>,
    /// Why there are no other choices.
    pub evidence: CaseEvidence,
}

/// Where a branch of a proof leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextCase {
    /// This negative statement matches whatever the other dimensions are.
    Covered(u32),
    /// Another case distinction.
    Node(u32),
}

/// Why the branches are all there are.
#[derive(Debug, Clone)]
pub enum CaseEvidence {
    /// Closed states of the product of patterns.
    Words(Vec<ProductState>),
    /// A finite case distinction that the checker makes again.
    Cases,
    /// What the checker can't see for itself of the values of a condition key.
    Key(KeyEvidence),
}

/// A product state: index of track (over all literals in order) and position, sorted.
pub type ProductState = Box<[(u32, u32)]>;

/// What a certificate says about the texts of a key.
#[derive(Debug, Clone, Default)]
pub struct KeyEvidence {
    /// For each question about texts: closed states, and for each kind of text in which value sets it surely is (bit 2*i*), or
    /// surely is not (bit 2*i* + 1). None when the values are spelled out, so that the kinds are plain to see.
    pub texts: Vec<(Vec<ProductState>, Vec<Bits>)>,
}

/// Some of the patterns of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picks {
    /// All of them, also of a negated list.
    All,
    /// These, by index.
    Only(Vec<u32>),
}

impl Picks {
    /// These and those.
    pub(crate) fn or(self, more: &Self) -> Self {
        match (self, more) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::Only(some), Self::Only(more)) => {
                let mut all: Vec<u32> = some;
                if all.is_empty() {
                    all.clone_from(more);
                } else if all != *more {
                    all.extend(more);
                    all.sort_unstable();
                    all.dedup();
                }
                Self::Only(all)
            }
        }
    }
}

/// More callers than this are not told apart.
pub(crate) const MAX_CALLERS: usize = 20_000;
