//! The exact search: dimension by dimension, with the negative statements that are still alive.
//!
//! The parts of a request are independent, so what is left to ask after some dimensions depends only on the statements
//! that have matched in all of them. Every answer *no* leaves a tree behind that [`super::check`] verifies.

use std::collections::{BTreeSet, HashMap};

use super::{
    forms::Form,
    keys,
    query::{Dimension, Evidence, Part, Query},
    words::Exhausted,
};
use crate::{
    pattern::track::{Letter, VariableCase, World},
    work::Work,
};

/// Where a branch of a proof leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// This negative statement matches whatever the other dimensions are.
    Covered(u32),
    /// Another case distinction.
    Node(u32),
}

/// A case distinction in one dimension.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Index of the dimension.
    pub(crate) dimension: u32,
    /// The negative statements that matched so far.
    pub(crate) alive: Vec<usize>,
    /// For every choice, a branch that keeps no more.
    pub(crate) branches: Vec<(Vec<usize>, Next)>,
    pub(crate) evidence: Evidence,
}

/// A proof that no request answers the query.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    /// For every case of the variables, where to begin.
    pub(crate) worlds: Vec<(Vec<(String, VariableCase)>, Next)>,
    pub(crate) nodes: Vec<Node>,
}

/// What the search came to.
pub(crate) enum Answer<W> {
    /// There is no such request.
    Proved(Tree),
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

/// So many requests are tried before the answer is [`Answer::Open`].
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
    world: &'q World,
    nodes: Vec<Node>,
    /// `None`: open; and whether the way there was doubtful, in which case no request was tried.
    known: HashMap<Place, (Option<Next>, bool)>,
    path: Vec<Part>,
    attempts: usize,
    /// The dimensions of doubtful branches that are open.
    doubts: &'q mut BTreeSet<usize>,
    /// Whether something else is open.
    unconfirmed: &'q mut bool,
    confirm: &'q mut dyn FnMut(&[Part], &World) -> Option<W>,
}

/// Searches; `alive` are the negative statements to begin with, and `confirm` makes a request of the parts and says whether
/// it is what is looked for.
pub(crate) fn solve<W>(
    query: &Query<'_>,
    alive: &[usize],
    work: &mut Work,
    confirm: &mut dyn FnMut(&[Part], &World) -> Option<W>,
) -> Answer<W> {
    let dimensions = query.dimensions().len();
    let until: Vec<usize> = (0..query.negative.len()).map(|i| query.looks_until(i)).collect();
    let Some(worlds) = query.worlds().filter(|_| dimensions <= MAX_DIMENSIONS) else {
        return Answer::Exhausted;
    };
    let mut tree = Tree::default();
    let mut open = false;
    let (mut doubts, mut unconfirmed) = (BTreeSet::new(), false);
    for world in worlds {
        let mut solver = Solver {
            query,
            dimensions,
            until: &until,
            world: &world,
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
            Ok(Some(next)) => tree.worlds.push((world, next)),
            Ok(None) => open = true,
            Err(Stop::Found(request)) => return Answer::Found(request),
            Err(Stop::Exhausted) => return Answer::Exhausted,
        }
    }
    if open {
        Answer::Open((!unconfirmed).then_some(doubts))
    } else {
        Answer::Proved(tree)
    }
}

impl<W> Solver<'_, '_, W> {
    /// `None` when the place is open.
    fn solve(&mut self, place: Place, doubtful: bool, work: &mut Work) -> Result<Option<Next>, Stop<W>> {
        let (depth, alive) = &place;
        if !work.charge(alive.len() + 1) {
            return Err(Stop::Exhausted);
        }
        let looks = |i: usize| self.until.get(i).is_none_or(|until| until > depth);
        if let Some(sure) = alive.iter().find(|i| !looks(**i)) {
            return Ok(Some(Next::Covered(
                u32::try_from(*sure).map_err(|_| Stop::Exhausted)?,
            )));
        }
        if *depth >= self.dimensions {
            return self.confirm_path(doubtful, work);
        }
        if let Some((next, was_doubtful)) = self.known.get(&place)
            && (next.is_some() || doubtful || !was_doubtful)
        {
            return Ok(*next);
        }
        let (branches, evidence) = self
            .query
            .branches(*depth, alive, self.world, work)
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
        let next = if open {
            None
        } else {
            let id = u32::try_from(self.nodes.len()).map_err(|_| Stop::Exhausted)?;
            self.nodes.push(Node {
                dimension: u32::try_from(*depth).map_err(|_| Stop::Exhausted)?,
                alive: alive.clone(),
                branches: proved,
                evidence,
            });
            Some(Next::Node(id))
        };
        self.known.insert(place, (next, doubtful));
        Ok(next)
    }

    /// All dimensions are chosen and no negative statement matches.
    fn confirm_path(&mut self, doubtful: bool, work: &mut Work) -> Result<Option<Next>, Stop<W>> {
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
        match (self.confirm)(&self.path, self.world) {
            Some(request) => Err(Stop::Found(request)),
            None => Ok(None),
        }
    }
}

/// The value that stands for a variable, and the text of a word with such values put in.
pub(crate) struct Values {
    values: Vec<String>,
}

impl Values {
    /// Values for all variables of a world: what the key was chosen to be, or something harmless.
    pub(crate) fn choose(parts: &[Part], dimensions: &[Dimension], world: &World) -> Self {
        let chosen = |key: &str| {
            let (_, part) = dimensions
                .iter()
                .zip(parts)
                .find(|(dimension, _)| matches!(dimension, Dimension::Key(name) if name == key))?;
            match part {
                Part::Key(Some(texts)) => plain_text(texts.first()?),
                _ => None,
            }
        };
        let usual = |key: &str| {
            Form::of(key)
                .examples()
                .first()
                .map_or_else(String::new, |text| (*text).to_owned())
        };
        let values = world
            .iter()
            .map(|(key, _)| chosen(key).unwrap_or_else(|| usual(key)));
        Self {
            values: values.collect(),
        }
    }

    pub(crate) fn get(&self, variable: usize) -> &str {
        self.values.get(variable).map_or("", String::as_str)
    }

    /// The text of a word.
    pub(crate) fn text(&self, word: &[Letter]) -> String {
        let mut text = String::new();
        for letter in word {
            match letter {
                Letter::Char(c) => text.push(*c),
                Letter::Var(v) | Letter::Word(v) | Letter::Like(v) => {
                    text.push_str(self.get(usize::from(*v)))
                }
                Letter::Folded(v) => text.push_str(&in_other_case(self.get(usize::from(*v)))),
            }
        }
        text
    }

    pub(crate) fn texts(&self, texts: &keys::Texts) -> Vec<String> {
        texts.iter().map(|word| self.text(word)).collect()
    }
}

/// The text in another case, when it has one.
fn in_other_case(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    if upper == text {
        text.to_ascii_lowercase()
    } else {
        upper
    }
}

fn plain_text(word: &[Letter]) -> Option<String> {
    word.iter()
        .map(|letter| match letter {
            Letter::Char(c) => Some(*c),
            Letter::Var(_) | Letter::Folded(_) | Letter::Word(_) | Letter::Like(_) => None,
        })
        .collect()
}
