//! Verifies that product states are closed: whatever word is read, one is always in a listed state, or nothing more can
//! come of it.

use std::collections::{BTreeMap, HashSet};

use super::{Checked, ensure, tree::allowed};
use crate::positions::{Letter, Track};

/// Index of track and position, sorted.
pub(super) type State = Box<[(u32, u32)]>;

/// Some track accepts the word, or none does.
pub(super) struct Literal {
    tracks: Vec<Track>,
    accepted: bool,
}

impl Literal {
    pub(super) fn new(tracks: Vec<Track>, accepted: bool) -> Self {
        Self { tracks, accepted }
    }
}

/// The positions of each track of a literal.
type Positions = Vec<Vec<usize>>;

/// What is known of a literal in a state, of all words that follow.
struct Fate {
    always: bool,
    never: bool,
    now: bool,
}

struct Product {
    /// Literals with the index of their clause: first of the positive ones, then of the negative ones.
    literals: Vec<(usize, Literal)>,
    positive: usize,
    /// The statements that the negative clauses stand for.
    negative: Vec<usize>,
    fold: bool,
}

/// Whether every word that satisfies the positive clauses satisfies at least the negative ones of some branch.
pub(super) fn check(
    positive: Vec<Vec<Literal>>,
    negative: Vec<(usize, Vec<Literal>)>,
    states: &[State],
    branches: &[&[usize]],
) -> Checked {
    if branches.iter().any(|branch| branch.is_empty()) {
        return Ok(());
    }
    let count = positive.len();
    let statements = negative.iter().map(|(i, _)| *i).collect();
    let clauses = positive
        .into_iter()
        .chain(negative.into_iter().map(|(_, clause)| clause))
        .enumerate();
    let literals: Vec<(usize, Literal)> = clauses
        .flat_map(|(c, clause)| clause.into_iter().map(move |literal| (c, literal)))
        .collect();
    let product = Product {
        positive: count,
        negative: statements,
        fold: literals
            .iter()
            .any(|(_, literal)| literal.tracks.iter().any(Track::folds)),
        literals,
    };
    let listed: HashSet<&State> = states.iter().collect();
    let closed = |reached: Vec<Positions>| {
        let state = product.simplified(reached, branches);
        ensure(
            state.is_none_or(|state| listed.contains(&state)),
            "a state is left out",
        )
    };
    closed(product.start())?;
    for state in states {
        let here = product.positions(state);
        let fates: Vec<Fate> = product.fates(&here);
        if product.holds(&fates, |fate, accepted| fate.now == accepted) {
            let kept = product.kept(&fates, |fate, accepted| fate.now == accepted);
            ensure(allowed(&kept, branches), "a word keeps less than every branch")?;
        }
        for letter in product.letters(&here) {
            closed(product.after(&here, letter))?;
        }
    }
    Ok(())
}

impl Product {
    fn map(&self, mut each: impl FnMut(usize, usize, &Track) -> Vec<usize>) -> Vec<Positions> {
        let literals = self.literals.iter().enumerate();
        literals
            .map(|(l, (_, literal))| {
                literal
                    .tracks
                    .iter()
                    .enumerate()
                    .map(|(t, track)| each(l, t, track))
                    .collect()
            })
            .collect()
    }

    fn start(&self) -> Vec<Positions> {
        self.map(|_, _, track| {
            let mut positions = Vec::new();
            track.start(&mut |p| positions.push(p));
            positions
        })
    }

    fn after(&self, here: &[Positions], letter: Letter) -> Vec<Positions> {
        self.map(|l, t, track| {
            let mut positions = Vec::new();
            for position in here.get(l).and_then(|tracks| tracks.get(t)).into_iter().flatten() {
                track.advance(*position, letter, &mut |p| positions.push(p));
            }
            positions
        })
    }

    fn positions(&self, state: &State) -> Vec<Positions> {
        let mut listed: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (t, position) in state.iter() {
            listed.entry(*t).or_default().extend(usize::try_from(*position));
        }
        let mut index = 0..;
        self.map(|_, _, _| {
            index
                .next()
                .and_then(|t: u32| listed.get(&t).cloned())
                .unwrap_or_default()
        })
    }

    fn fates(&self, here: &[Positions]) -> Vec<Fate> {
        let literals = self.literals.iter().zip(here);
        let fate = |((_, literal), positions): (&(usize, Literal), &Positions)| {
            let all = || {
                literal
                    .tracks
                    .iter()
                    .zip(positions)
                    .flat_map(|(track, ps)| ps.iter().map(move |p| (track, *p)))
            };
            let always = all().any(|(track, p)| track.is_everything_from(p));
            Fate {
                always,
                never: all().next().is_none(),
                now: always || all().any(|(track, p)| p == track.len()),
            }
        };
        literals.map(fate).collect()
    }

    /// Whether all literals of the positive clauses are so.
    fn holds(&self, fates: &[Fate], is: impl Fn(&Fate, bool) -> bool) -> bool {
        let positive = self
            .literals
            .iter()
            .zip(fates)
            .filter(|((clause, _), _)| *clause < self.positive);
        positive
            .into_iter()
            .all(|((_, literal), fate)| is(fate, literal.accepted))
    }

    /// The statements of which all literals are so.
    fn kept(&self, fates: &[Fate], is: impl Fn(&Fate, bool) -> bool) -> Vec<usize> {
        let lost = |n: usize| {
            let mut of_clause = self
                .literals
                .iter()
                .zip(fates)
                .filter(move |((c, _), _)| *c == self.positive + n);
            of_clause.any(|((_, literal), fate)| !is(fate, literal.accepted))
        };
        self.negative
            .iter()
            .enumerate()
            .filter(|(n, _)| !lost(*n))
            .map(|(_, i)| *i)
            .collect()
    }

    /// The state without what makes no difference; `None` when no word follows, or all that follow keep a branch.
    fn simplified(&self, mut here: Vec<Positions>, branches: &[&[usize]]) -> Option<State> {
        for ((_, literal), positions) in self.literals.iter().zip(&mut here) {
            for (track, positions) in literal.tracks.iter().zip(positions) {
                positions.sort_unstable();
                positions.dedup();
                // What a run leads to includes all that stands before it.
                if let Some(run) = positions.iter().rposition(|p| track.is_at_run(*p)) {
                    positions.drain(..run);
                }
            }
        }
        let fates = self.fates(&here);
        let lost = |fate: &Fate, accepted: bool| if accepted { fate.never } else { fate.always };
        let sure = |fate: &Fate, accepted: bool| if accepted { fate.always } else { fate.never };
        if !self.holds(&fates, |fate, accepted| !lost(fate, accepted))
            || allowed(&self.kept(&fates, sure), branches)
        {
            return None;
        }
        let alive = self.kept(&fates, |fate, accepted| !lost(fate, accepted));
        let (mut state, mut t) = (Vec::new(), 0);
        for (((clause, literal), positions), fate) in self.literals.iter().zip(here).zip(&fates) {
            let statement = clause
                .checked_sub(self.positive)
                .and_then(|n| self.negative.get(n));
            let done = statement.is_some_and(|i| !alive.contains(i))
                || (statement.is_some() && literal.accepted && fate.always);
            let keep_sign = statement.is_some_and(|i| alive.contains(i)) || !literal.accepted;
            for (track, positions) in literal.tracks.iter().zip(positions) {
                // Of what is decided only the sign of it is kept.
                let keep = |p: &usize| !done || (keep_sign && track.is_everything_from(*p));
                state.extend(
                    positions
                        .into_iter()
                        .filter(keep)
                        .filter_map(|p| Some((t, u32::try_from(p).ok()?))),
                );
                t += 1;
            }
        }
        Some(state.into_boxed_slice())
    }

    /// Every letter that some track tells from others, and one that none does.
    fn letters(&self, here: &[Positions]) -> Vec<Letter> {
        let mut letters = Vec::new();
        for ((_, literal), positions) in self.literals.iter().zip(here) {
            for (track, positions) in literal.tracks.iter().zip(positions) {
                positions
                    .iter()
                    .for_each(|p| track.expected(*p, &mut |letter| letters.push(letter)));
            }
        }
        letters.sort_unstable();
        letters.dedup();
        let folded = |letter: &Letter| match letter {
            Letter::Char(c) if self.fold => Letter::Char(crate::glob::fold(*c)),
            letter => *letter,
        };
        let other = ('!'..='\u{ffff}').map(Letter::Char);
        let known: Vec<Letter> = letters.iter().map(folded).collect();
        let other = other
            .into_iter()
            .find(|other| !letters.contains(other) && !known.contains(&folded(other)));
        letters.extend(other);
        letters
    }
}
