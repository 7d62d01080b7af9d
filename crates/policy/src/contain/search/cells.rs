//! How the elements of an Allow overlap with other statements: cells that overlap alike with all of them share one proof.

use std::collections::HashMap;

use super::part::StatementPart;
use crate::{
    contain::{
        bits::Bits,
        certificate::{Indices, Picks},
        cover::{Element, StatementElements, parts},
    },
    pattern::elements::{Elements, Language},
    work::Work,
};

/// A rectangle of action and resource elements.
#[derive(Debug, Clone)]
pub(in crate::contain) struct Cells {
    pub(in crate::contain) actions: Indices,
    pub(in crate::contain) resources: Indices,
}

impl Cells {
    pub(in crate::contain) fn all<P, R>(actions: &[P], resources: &[R]) -> Self {
        Self {
            actions: Indices::from(0..actions.len()),
            resources: Indices::from(0..resources.len()),
        }
    }

    pub(in crate::contain) fn of(
        actions: impl IntoIterator<Item = usize>,
        resources: impl IntoIterator<Item = usize>,
    ) -> Self {
        Self {
            actions: actions.into_iter().collect(),
            resources: resources.into_iter().collect(),
        }
    }
}

/// The indices of equal values, in the order of the first of each.
pub(in crate::contain) fn classes(values: &[Bits], work: &mut Work) -> Vec<(Bits, Vec<usize>)> {
    let mut index: HashMap<&Bits, usize> = HashMap::new();
    let mut classes: Vec<(Bits, Vec<usize>)> = Vec::new();
    for (i, bits) in values.iter().enumerate() {
        if !work.step() {
            break;
        }
        let class = *index.entry(bits).or_insert(classes.len());
        match classes.get_mut(class) {
            Some((_, of_class)) => of_class.push(i),
            None => classes.push((bits.clone(), vec![i])),
        }
    }
    classes
}

/// How one element overlaps with every statement.
struct ElementOverlap {
    /// Statements that include it.
    covered: Bits,
    /// Statements that may have something in common with it.
    met: Bits,
    /// Their patterns that may.
    picks: Vec<Picks>,
}

impl ElementOverlap {
    fn new<'a, P: Language + 'a>(
        element: Element<'_, P>,
        lists: impl Iterator<Item = &'a Elements<P>> + Clone,
        work: &mut Work,
    ) -> Self {
        // What is kept of each statement has its price, too.
        let covered = Bits::collect(
            lists
                .clone()
                .map(|list| work.charge(8) && element.within(list, work)),
        );
        let picks: Vec<Picks> = lists.map(|list| near(list, element, work)).collect();
        Self {
            covered,
            met: Bits::collect(picks.iter().map(|picks| *picks != Picks::Only(Vec::new()))),
            picks,
        }
    }

    /// Every statement includes it or has nothing in common with it, so that elements with the same `covered` can't be told
    /// apart by any statement.
    fn is_clean(&self) -> bool {
        self.covered == self.met
    }
}

/// The statements that may remove an Allow's requests, and how its elements overlap with them. An element is compared with
/// all statements when it is first asked for: most are proved without.
pub(in crate::contain) struct Overlaps<'a> {
    allow: StatementElements<'a>,
    statements: Vec<StatementElements<'a>>,
    actions: HashMap<usize, ElementOverlap>,
    resources: HashMap<usize, ElementOverlap>,
}

impl<'a> Overlaps<'a> {
    pub(in crate::contain) fn new(
        allow: &StatementElements<'a>,
        statements: Vec<StatementElements<'a>>,
    ) -> Self {
        Self {
            allow: allow.clone(),
            statements,
            actions: HashMap::new(),
            resources: HashMap::new(),
        }
    }

    fn look(&mut self, rows: &[usize], columns: &[usize], work: &mut Work) {
        let (actions, resources) = (parts(self.allow.actions), parts(self.allow.resources));
        for i in rows {
            if let Some(action) = actions.get(*i) {
                let lists = self.statements.iter().map(|n| n.actions);
                self.actions
                    .entry(*i)
                    .or_insert_with(|| ElementOverlap::new(*action, lists, work));
            }
        }
        for j in columns {
            if let Some(resource) = resources.get(*j) {
                let lists = self.statements.iter().map(|n| n.resources);
                self.resources
                    .entry(*j)
                    .or_insert_with(|| ElementOverlap::new(*resource, lists, work));
            }
        }
    }

    /// The cells in groups that overlap alike with all statements. An element that some statement includes in part stands alone.
    pub(in crate::contain) fn groups(
        &mut self,
        rows: &[usize],
        columns: &[usize],
        work: &mut Work,
    ) -> Vec<Cells> {
        self.look(rows, columns, work);
        let alike = |all: &[usize], overlaps: &HashMap<usize, ElementOverlap>| {
            let mut index: HashMap<&Bits, usize> = HashMap::new();
            let mut groups: Vec<Vec<usize>> = Vec::new();
            for i in all {
                let known = overlaps.get(i).filter(|overlap| overlap.is_clean());
                let group = known.map_or(groups.len(), |overlap| {
                    *index.entry(&overlap.covered).or_insert(groups.len())
                });
                match groups.get_mut(group) {
                    Some(group) => group.push(*i),
                    None => groups.push(vec![*i]),
                }
            }
            groups
        };
        let rows = alike(rows, &self.actions);
        let columns = alike(columns, &self.resources);
        let cells = rows.iter().flat_map(|rows| {
            columns
                .iter()
                .map(|columns| Cells::of(rows.iter().copied(), columns.iter().copied()))
        });
        cells.collect()
    }

    /// The statements with the patterns that may have something in common with the cells.
    pub(in crate::contain) fn negative(&mut self, cells: &Cells, work: &mut Work) -> Vec<StatementPart<'a>> {
        let (rows, columns): (Vec<usize>, Vec<usize>) =
            (cells.actions.iter().collect(), cells.resources.iter().collect());
        self.look(&rows, &columns, work);
        let union = |all: &[usize], overlaps: &HashMap<usize, ElementOverlap>, n: usize| {
            let picks = all.iter().filter_map(|i| overlaps.get(i)?.picks.get(n));
            picks.fold(Picks::Only(Vec::new()), |sum, more| sum.or(more))
        };
        let piece = |(n, statement): (usize, &StatementElements<'a>)| StatementPart {
            statement: statement.statement,
            actions: union(&rows, &self.actions, n),
            resources: union(&columns, &self.resources, n),
        };
        self.statements.iter().enumerate().map(piece).collect()
    }
}

/// The patterns of a list that may have something in common with an element.
fn near<P: Language>(elements: &Elements<P>, element: Element<'_, P>, work: &mut Work) -> Picks {
    let Element::One(one, key) = element else {
        return Picks::All;
    };
    if elements.negated {
        return Picks::All;
    }
    let meeting = elements.meeting(one, key, work).into_iter();
    Picks::Only(meeting.filter_map(|i| u32::try_from(i).ok()).collect())
}
