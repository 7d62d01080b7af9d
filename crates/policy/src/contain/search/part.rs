//! Parts of statements.

use crate::{
    compiled::CompiledStatement,
    contain::certificate::{Picks, Used},
    pattern::elements::Elements,
};

impl Picks {
    pub(in crate::contain) fn items<'a, P>(
        &'a self,
        elements: &'a Elements<P>,
    ) -> impl Iterator<Item = &'a P> {
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
pub(crate) struct StatementPart<'a> {
    pub(crate) statement: &'a CompiledStatement,
    pub(crate) actions: Picks,
    pub(crate) resources: Picks,
}

impl<'a> StatementPart<'a> {
    /// The statement with all its patterns.
    pub(in crate::contain) fn whole(statement: &'a CompiledStatement) -> Self {
        Self {
            statement,
            actions: Picks::All,
            resources: Picks::All,
        }
    }

    /// Whether it matches no request, because none of its patterns counts.
    pub(in crate::contain) fn is_void(&self) -> bool {
        let s = self.statement;
        let void = |picks: &Picks, negated: bool| !negated && *picks == Picks::Only(Vec::new());
        let of_resources = s.resources.as_ref();
        void(&self.actions, s.actions.negated)
            || of_resources.is_some_and(|r| void(&self.resources, r.negated))
    }
}

/// The patterns used, statement by statement.
pub(crate) fn used(negative: &[StatementPart<'_>]) -> Used {
    negative
        .iter()
        .map(|piece| (piece.actions.clone(), piece.resources.clone()))
        .collect()
}
