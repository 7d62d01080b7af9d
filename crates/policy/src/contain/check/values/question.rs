//! What is verified of one condition key.

use crate::{condition::atom::Atom, contain::check::branches::Branches, pattern::track::VariableCases};

pub(in crate::contain::check) struct KeyQuestion<'a> {
    pub(in crate::contain::check) key: &'a str,
    /// Whether requests are believed to have one value at most.
    pub(in crate::contain::check) single: bool,
    pub(in crate::contain::check) positive: Vec<&'a Atom>,
    pub(in crate::contain::check) negative: Vec<(usize, Vec<&'a Atom>)>,
    pub(in crate::contain::check) cases: &'a VariableCases,
    pub(in crate::contain::check) branches: &'a Branches,
}
