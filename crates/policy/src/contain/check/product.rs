//! Verifies that product states are closed: whatever word is read, one is always in a listed state, or nothing more can
//! come of it.

use std::collections::HashSet;

use super::{
    branches::Branches,
    error::{CheckResult, TOO_MUCH, ensure},
};
use crate::{
    contain::certificate::ProductState,
    pattern::{
        glob::fold,
        track::{Letter, Track},
    },
    work::Work,
};

/// Some track accepts the word, or none does.
pub(super) struct ProductLiteral {
    tracks: Vec<Track>,
    accepted: bool,
}

impl ProductLiteral {
    pub(super) fn new(tracks: Vec<Track>, accepted: bool) -> Self {
        Self { tracks, accepted }
    }
}

/// What is known of a literal in a state, of all words that follow.
#[derive(Clone, Copy, Default)]
struct Fate {
    /// Some track accepts every word.
    always: bool,
    /// Some track may accept a word.
    open: bool,
    /// Some track accepts the empty word.
    now: bool,
}

struct Product {
    tracks: Vec<Track>,
    /// For each track, its literal.
    literal_of: Vec<usize>,
    /// For each literal its clause, and whether it must be accepted. The positive clauses come first.
    literals: Vec<(usize, bool)>,
    positive: usize,
    /// The statements that the negative clauses stand for.
    negative: Vec<usize>,
    fold: bool,
}

/// Whether every word that satisfies the positive clauses satisfies at least the negative ones of some branch.
pub(super) fn check(
    positive: Vec<Vec<ProductLiteral>>,
    negative: Vec<(usize, Vec<ProductLiteral>)>,
    states: &[ProductState],
    branches: &Branches,
    work: &mut Work,
) -> CheckResult {
    // A branch that keeps nothing is below whatever a word keeps.
    if branches.has_empty() {
        return Ok(());
    }
    let product = Product::new(positive, negative);
    let listed: HashSet<&[(u32, u32)]> = states.iter().map(AsRef::as_ref).collect();
    let mut reached = Vec::new();
    product.start(&mut reached);
    // INVARIANT: the start and whatever a listed state leads to is listed, or is decided (no word follows, or all that follow
    // keep a branch). By induction over the length of the word every word ends in a listed state or passes a decided one, so
    // it is enough to look at listed states. Nothing is taken from the certificate unseen: a state too many costs work, a state
    // too few is an error.
    let closed = |reached: &mut Vec<(u32, u32)>, work: &mut Work| {
        ensure(work.charge(2 * reached.len() + product.literals.len()), TOO_MUCH)?;
        ensure(
            !product.simplify(reached, branches, work)? || listed.contains(reached.as_slice()),
            "a state is left out",
        )
    };
    closed(&mut reached, work)?;
    for state in states {
        let fates = product.fates(state);
        if product.satisfied(&fates, |fate, accepted| fate.now == accepted) {
            ensure(work.charge(branches.size() + product.literals.len()), TOO_MUCH)?;
            let kept = product.kept(&fates, |fate, accepted| fate.now == accepted);
            ensure(
                branches.allow(kept.into_iter()),
                "a word keeps less than every branch",
            )?;
        }
        for letter in product.letters(state) {
            reached.clear();
            product.advance(state, letter, &mut reached);
            closed(&mut reached, work)?;
        }
    }
    Ok(())
}

fn number(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

impl Product {
    fn new(positive: Vec<Vec<ProductLiteral>>, negative: Vec<(usize, Vec<ProductLiteral>)>) -> Self {
        let mut product = Self {
            tracks: Vec::new(),
            literal_of: Vec::new(),
            literals: Vec::new(),
            positive: positive.len(),
            negative: negative.iter().map(|(i, _)| *i).collect(),
            fold: false,
        };
        let clauses = positive
            .into_iter()
            .chain(negative.into_iter().map(|(_, clause)| clause));
        for (c, clause) in clauses.enumerate() {
            for literal in clause {
                product
                    .literal_of
                    .extend(literal.tracks.iter().map(|_| product.literals.len()));
                product.fold |= literal.tracks.iter().any(Track::folds);
                product.tracks.extend(literal.tracks);
                product.literals.push((c, literal.accepted));
            }
        }
        product
    }

    fn start(&self, out: &mut Vec<(u32, u32)>) {
        for (t, track) in self.tracks.iter().enumerate() {
            track.start(&mut |p| out.extend(pair(t, p)));
        }
    }

    fn advance(&self, state: &ProductState, letter: Letter, out: &mut Vec<(u32, u32)>) {
        for (t, p) in state.iter() {
            if let Some(track) = self.tracks.get(number(*t)) {
                track.advance(number(*p), letter, &mut |q| {
                    out.extend(u32::try_from(q).ok().map(|q| (*t, q)));
                });
            }
        }
    }

    fn fates(&self, here: &[(u32, u32)]) -> Vec<Fate> {
        let mut fates = vec![Fate::default(); self.literals.len()];
        for (t, p) in here {
            let (t, p) = (number(*t), number(*p));
            let Some((track, literal)) = self.tracks.get(t).zip(self.literal_of.get(t)) else {
                continue;
            };
            if let Some(fate) = fates.get_mut(*literal) {
                let always = track.is_everything_from(p);
                fate.open = true;
                fate.always |= always;
                fate.now |= always || p == track.len();
            }
        }
        fates
    }

    /// Whether all literals of the positive clauses are so.
    fn satisfied(&self, fates: &[Fate], is: impl Fn(&Fate, bool) -> bool) -> bool {
        let positive = self.literals.iter().zip(fates);
        positive
            .take_while(|((clause, _), _)| *clause < self.positive)
            .all(|((_, accepted), fate)| is(fate, *accepted))
    }

    /// For each negative clause, whether all its literals are so.
    fn clauses(&self, fates: &[Fate], is: impl Fn(&Fate, bool) -> bool) -> Vec<bool> {
        let mut so = vec![true; self.negative.len()];
        for ((clause, accepted), fate) in self.literals.iter().zip(fates) {
            let of = clause.checked_sub(self.positive).and_then(|n| so.get_mut(n));
            if let Some(so) = of
                && !is(fate, *accepted)
            {
                *so = false;
            }
        }
        so
    }

    /// The statements of which all literals are so.
    fn kept(&self, fates: &[Fate], is: impl Fn(&Fate, bool) -> bool) -> Vec<usize> {
        let so = self.clauses(fates, is);
        let both = self.negative.iter().zip(so);
        both.filter(|(_, so)| *so).map(|(i, _)| *i).collect()
    }

    /// Leaves out of a state what makes no difference; `false` when no word follows, or all that follow keep a branch.
    fn simplify(
        &self,
        here: &mut Vec<(u32, u32)>,
        branches: &Branches,
        work: &mut Work,
    ) -> Result<bool, &'static str> {
        here.sort_unstable();
        here.dedup();
        // What the last run of a track leads to includes all that stands before it.
        let mut at_run = None;
        here.reverse();
        here.retain(|(t, p)| {
            let before = at_run == Some(*t);
            let track = self.tracks.get(number(*t));
            if track.is_some_and(|track| track.is_at_run(number(*p))) {
                at_run = Some(*t);
            }
            !before
        });
        here.reverse();
        let fates = self.fates(here);
        // Of all words that follow: `lost` says that none satisfies the literal, `sure` that each does.
        let lost = |fate: &Fate, accepted: bool| if accepted { !fate.open } else { fate.always };
        let sure = |fate: &Fate, accepted: bool| if accepted { fate.always } else { !fate.open };
        if !self.satisfied(&fates, |fate, accepted| !lost(fate, accepted)) {
            return Ok(false);
        }
        let kept = self.kept(&fates, sure);
        ensure(work.charge(kept.len()), TOO_MUCH)?;
        if !kept.is_empty() {
            ensure(work.charge(branches.size()), TOO_MUCH)?;
            if branches.allow(kept.into_iter()) {
                return Ok(false);
            }
        }
        // The search makes states smaller in the same way, or they would not be found in its list. That they may be made
        // smaller rests on what is written here: what is dropped decides nothing, because the sign of it stays.
        let alive = self.clauses(&fates, |fate, accepted| !lost(fate, accepted));
        here.retain(|(t, p)| {
            let t = number(*t);
            let Some(literal) = self.literal_of.get(t) else {
                return false;
            };
            let (Some((clause, accepted)), Some(fate)) = (self.literals.get(*literal), fates.get(*literal))
            else {
                return false;
            };
            let Some(n) = clause.checked_sub(self.positive) else {
                return true;
            };
            let alive = alive.get(n).copied().unwrap_or(false);
            if alive && !(*accepted && fate.always) {
                return true;
            }
            // Of what is decided only the sign of it is kept.
            let sign = alive || !accepted;
            sign && self
                .tracks
                .get(t)
                .is_some_and(|track| track.is_everything_from(number(*p)))
        });
        Ok(true)
    }

    /// Every letter that some track tells from others, and one that none does.
    fn letters(&self, here: &ProductState) -> Vec<Letter> {
        let mut letters = Vec::new();
        for (t, p) in here.iter() {
            if let Some(track) = self.tracks.get(number(*t)) {
                track.expected(number(*p), &mut |letter| letters.push(letter));
            }
        }
        letters.sort_unstable();
        letters.dedup();
        let folded = |letter: &Letter| match letter {
            Letter::Char(c) if self.fold => Letter::Char(fold(*c)),
            letter => *letter,
        };
        let known: Vec<Letter> = letters.iter().map(folded).collect();
        let other = ('!'..='\u{ffff}')
            .map(Letter::Char)
            .find(|other| letters.binary_search(other).is_err() && !known.contains(&folded(other)));
        letters.extend(other);
        letters
    }
}

fn pair(t: usize, p: usize) -> Option<(u32, u32)> {
    Some((u32::try_from(t).ok()?, u32::try_from(p).ok()?))
}
