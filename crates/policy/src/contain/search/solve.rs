//! The exact search: dimension by dimension, with the negative statements that are still alive.
//!
//! The parts of a request are independent, so what is left to ask after some dimensions depends only on the statements
//! that have matched in all of them. Every answer *no* leaves a tree behind that [`check`](crate::contain::check()) verifies.

use std::collections::{BTreeSet, HashMap};

use super::{
    query::{Query, RequestPart},
    words::Exhausted,
};
use crate::{
    contain::certificate::{CaseNode, CaseTree, NextCase},
    pattern::track::VariableCases,
    work::Work,
};

/// What the search came to.
pub(crate) enum Solution<W> {
    /// There is no such request.
    Proved(CaseTree),
    /// There is one, and it was confirmed.
    Found(W),
    /// Requests seemed to be possible, but none was confirmed: what the search is not exact about. The dimensions in which
    /// AWS leaves open what a condition means, when each of these requests depends on one.
    Open(Option<BTreeSet<usize>>),
    /// The work or the memory ran out.
    Exhausted,
}

/// A statement with more condition keys than this is not searched.
const MAX_DIMENSIONS: usize = 128;

/// So many requests are tried before the answer is [`Solution::Open`].
const MAX_ATTEMPTS: usize = 128;

/// What it costs to try one, for each statement.
const ATTEMPT: usize = 16;

enum Stop<W> {
    Found(W),
    Exhausted,
}

/// Where a sub-question begins: the dimension, and the statements alive.
type Place = (usize, Vec<usize>);

struct Solver<'q, 'a, W> {
    query: &'q Query<'a>,
    dimensions: usize,
    /// For each negative statement, one more than the last dimension that it looks at.
    until: &'q [usize],
    cases: &'q VariableCases,
    nodes: Vec<CaseNode>,
    /// `None`: open; and whether the way there was doubtful, in which case no request was tried.
    known: HashMap<Place, (Option<NextCase>, bool)>,
    path: Vec<RequestPart>,
    attempts: usize,
    /// The dimensions of doubtful branches that are open.
    doubts: &'q mut BTreeSet<usize>,
    /// Whether something else is open.
    unconfirmed: &'q mut bool,
    confirm: &'q mut dyn FnMut(&[RequestPart], &VariableCases) -> Option<W>,
}

/// Searches; `alive` are the negative statements to begin with, and `confirm` makes a request of the parts and says whether
/// it is what is looked for.
pub(crate) fn solve<W>(
    query: &Query<'_>,
    alive: &[usize],
    work: &mut Work,
    confirm: &mut dyn FnMut(&[RequestPart], &VariableCases) -> Option<W>,
) -> Solution<W> {
    let dimensions = query.dimensions().len();
    let until: Vec<usize> = (0..query.negative.len()).map(|i| query.looks_until(i)).collect();
    let Some(every) = query.variable_cases().filter(|_| dimensions <= MAX_DIMENSIONS) else {
        return Solution::Exhausted;
    };
    let mut tree = CaseTree::default();
    let mut open = false;
    let (mut doubts, mut unconfirmed) = (BTreeSet::new(), false);
    // One search for each case of the variables. Nodes are shared by number, answers are not: what a pattern with a variable
    // matches depends on the case.
    for cases in every {
        let mut solver = Solver {
            query,
            dimensions,
            until: &until,
            cases: &cases,
            nodes: std::mem::take(&mut tree.nodes),
            known: HashMap::new(),
            path: Vec::new(),
            attempts: MAX_ATTEMPTS,
            doubts: &mut doubts,
            unconfirmed: &mut unconfirmed,
            confirm: &mut *confirm,
        };
        let next = solver.solve((0, alive.to_vec()), false, work);
        tree.nodes = solver.nodes;
        match next {
            Ok(Some(next)) => tree.roots.push((cases, next)),
            Ok(None) => open = true,
            Err(Stop::Found(request)) => return Solution::Found(request),
            Err(Stop::Exhausted) => return Solution::Exhausted,
        }
    }
    if open {
        Solution::Open((!unconfirmed).then_some(doubts))
    } else {
        Solution::Proved(tree)
    }
}

impl<W> Solver<'_, '_, W> {
    /// `None` when the place is open.
    fn solve(&mut self, place: Place, doubtful: bool, work: &mut Work) -> Result<Option<NextCase>, Stop<W>> {
        let (depth, alive) = &place;
        if !work.charge(alive.len() + 1) {
            return Err(Stop::Exhausted);
        }
        // A statement that looks at none of the dimensions that are left and has matched in all others matches the request,
        // whatever is chosen now: the branch ends here, proved.
        let looks = |i: usize| self.until.get(i).is_none_or(|until| until > depth);
        if let Some(sure) = alive.iter().find(|i| !looks(**i)) {
            return Ok(Some(NextCase::Covered(
                u32::try_from(*sure).map_err(|_| Stop::Exhausted)?,
            )));
        }
        if *depth >= self.dimensions {
            return self.confirm_path(doubtful, work);
        }
        // Dimensions are independent, so a place that was reached before has the same answer. The one exception is a place
        // that was left open on a doubtful way: no request was tried there, so on a sure way it is looked at again.
        if let Some((next, was_doubtful)) = self.known.get(&place)
            && (next.is_some() || doubtful || !was_doubtful)
        {
            return Ok(*next);
        }
        let (branches, evidence) = self
            .query
            .branches(*depth, alive, self.cases, work)
            .map_err(|Exhausted| Stop::Exhausted)?;
        let mut proved = Vec::with_capacity(branches.len());
        let mut open = false;
        for branch in branches {
            self.path.push(branch.part);
            let next = self.solve(
                (depth + 1, branch.kept.clone()),
                doubtful || branch.doubtful,
                work,
            );
            self.path.pop();
            // The other branches are still looked at when one is open: one of them may lead to a request that exceeds.
            match next? {
                Some(next) => proved.push((branch.kept, next)),
                None => {
                    open = true;
                    if branch.doubtful {
                        self.doubts.insert(*depth);
                    }
                }
            }
        }
        // INVARIANT: a node is made only when every branch is proved, and its branches are made before it. So a tree has no
        // cycle, and a root that exists is a proof.
        let next = if open {
            None
        } else {
            let id = u32::try_from(self.nodes.len()).map_err(|_| Stop::Exhausted)?;
            self.nodes.push(CaseNode {
                dimension: u32::try_from(*depth).map_err(|_| Stop::Exhausted)?,
                alive: alive.clone(),
                branches: proved,
                evidence,
            });
            Some(NextCase::Node(id))
        };
        self.known.insert(place, (next, doubtful));
        Ok(next)
    }

    /// All dimensions are chosen and no negative statement matches.
    fn confirm_path(&mut self, doubtful: bool, work: &mut Work) -> Result<Option<NextCase>, Stop<W>> {
        // The way rests on a reading that AWS does not document, so no request of it certainly exceeds.
        if doubtful {
            return Ok(None);
        }
        *self.unconfirmed = true;
        if self.attempts == 0 {
            return Ok(None);
        }
        self.attempts -= 1;
        if !work.charge(ATTEMPT * self.until.len()) {
            return Err(Stop::Exhausted);
        }
        match (self.confirm)(&self.path, self.cases) {
            Some(request) => Err(Stop::Found(request)),
            None => Ok(None),
        }
    }
}
