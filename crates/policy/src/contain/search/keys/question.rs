//! What is asked of one condition key, and how its values lie to the conditions.

use crate::{
    condition::atom::Atom,
    contain::bits::Bits,
    pattern::track::{Letter, VariableCases},
    reference::condition_key::Arity,
};

/// The question: the conditions on one key.
pub(crate) struct KeyConditions<'a> {
    /// Lower case.
    pub(crate) name: &'a str,
    pub(crate) arity: Arity,
    /// Conditions that must hold.
    pub(crate) positive: Vec<&'a Atom>,
    /// For each negative statement that is alive, its conditions on the key.
    pub(crate) negative: Vec<(usize, Vec<&'a Atom>)>,
    pub(crate) cases: &'a VariableCases,
}

/// Values of the key.
pub(crate) type KeyTexts = Vec<Vec<Letter>>;

/// How the values of a key (one, or the several of a list) lie to the value sets: for each set whether some value is in it,
/// whether some is another one of its type, and whether some is of another type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Profile {
    pub(super) inside: Bits,
    pub(super) outside: Bits,
    pub(super) other: Bits,
}

impl Profile {
    pub(super) fn join(&self, more: &Self) -> Self {
        Self {
            inside: self.inside.or(&more.inside),
            outside: self.outside.or(&more.outside),
            other: self.other.or(&more.other),
        }
    }
}
