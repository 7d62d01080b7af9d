//! Parts of statements.

use crate::{compiled::CompiledStatement, pattern::elements::Elements};

/// Some of the patterns of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Picks {
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

    pub(super) fn items<'a, P>(&'a self, elements: &'a Elements<P>) -> impl Iterator<Item = &'a P> {
        elements
            .items
            .iter()
            .enumerate()
            .filter_map(move |(i, item)| match self {
                Self::All => Some(item),
                Self::Only(list) => u32::try_from(i)
                    .is_ok_and(|i| list.binary_search(&i).is_ok())
                    .then_some(item),
            })
    }
}

/// A statement, or the part of it with these actions and resources only.
#[derive(Debug, Clone)]
pub(crate) struct Piece<'a> {
    pub(crate) statement: &'a CompiledStatement,
    pub(crate) actions: Picks,
    pub(crate) resources: Picks,
}

impl Piece<'_> {
    /// Whether it matches no request, because none of its patterns counts.
    pub(super) fn is_void(&self) -> bool {
        let s = self.statement;
        let void = |picks: &Picks, negated: bool| !negated && *picks == Picks::Only(Vec::new());
        let of_resources = s.resources.as_ref();
        void(&self.actions, s.actions.negated)
            || of_resources.is_some_and(|r| void(&self.resources, r.negated))
    }
}
