//! What is asked about cells that no single statement proves.

use super::{
    cells::{Cells, Overlaps},
    part::StatementPart,
};
use crate::{
    contain::{certificate::Picks, cover::StatementElements},
    work::Work,
};

/// What is asked about some cells: is there a request that all of the first match and none of the others?
pub(in crate::contain) struct CellQuestion<'a> {
    /// The Allow, with the elements of the cells only.
    pub(in crate::contain) own: StatementPart<'a>,
    /// The ceiling's Deny in question.
    pub(in crate::contain) deny: Option<StatementPart<'a>>,
    /// The statements that may remove such a request, with the patterns that overlap with the cells: the candidate's Denys,
    /// and the ceiling's Allows unless a Deny is in question.
    pub(in crate::contain) negative: Vec<StatementPart<'a>>,
    /// Those of which some pattern overlaps.
    pub(in crate::contain) alive: Vec<usize>,
}

impl<'a> CellQuestion<'a> {
    pub(in crate::contain) fn new(
        allow: &StatementElements<'a>,
        cells: &Cells,
        deny: Option<&StatementElements<'a>>,
        overlaps: &mut Overlaps<'a>,
        work: &mut Work,
    ) -> Self {
        let negative = overlaps.negative(cells, work);
        let none = |picks: &Picks| *picks == Picks::Only(Vec::new());
        let alive = negative
            .iter()
            .enumerate()
            .filter(|(_, part)| !none(&part.actions) && !none(&part.resources))
            .map(|(n, _)| n)
            .collect();
        Self {
            own: StatementPart {
                statement: allow.statement,
                actions: cells.actions.picks(allow.actions.negated),
                resources: cells.resources.picks(allow.resources.negated),
            },
            deny: deny.map(|deny| StatementPart::whole(deny.statement)),
            negative,
            alive,
        }
    }
}
