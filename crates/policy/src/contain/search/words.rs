//! The product search over the words of one dimension: which statements can a word leave out?
//!
//! A breadth-first walk over the sets of positions of all patterns at once. What is looked for are the smallest sets of
//! *negative* clauses that a word satisfies while it satisfies all *positive* ones.

use std::collections::HashMap;

use crate::{
    contain::{bits::Bits, certificate::ProductState},
    pattern::{
        glob::fold,
        track::{Letter, Track},
    },
    work::Work,
};

/// A literal: some track accepts the word, or none does.
#[derive(Debug, Clone)]
pub(crate) struct WordLiteral {
    pub(crate) tracks: Vec<Track>,
    pub(crate) accepted: bool,
}

/// All of these must hold.
pub(crate) type WordClause = Vec<WordLiteral>;

/// The question: words that satisfy every positive clause, by the negative clauses that they satisfy.
#[derive(Debug, Clone, Default)]
pub(crate) struct WordQuestion {
    pub(crate) positive: Vec<WordClause>,
    pub(crate) negative: Vec<WordClause>,
}

/// A word and the negative clauses that it surely satisfies.
#[derive(Debug, Clone)]
pub(crate) struct FoundWord {
    pub(crate) kept: Bits,
    pub(crate) word: Vec<Letter>,
}

/// The answer: no word keeps fewer than one of these does. The states are closed under all letters, apart from states
/// that lead to no word or to none that keeps less.
#[derive(Debug)]
pub(crate) struct FoundWords {
    pub(crate) found: Vec<FoundWord>,
    pub(crate) states: Vec<ProductState>,
}

/// So many positions are kept in memory at most; 12 bytes each with what belongs to them.
const MAX_POSITIONS: usize = 1 << 20;

/// The work or the memory ran out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exhausted;

/// One literal in the list of all.
struct Slot<'a> {
    accepted: bool,
    /// Index of the clause among positives and then negatives.
    clause: usize,
    literal: &'a WordLiteral,
}

struct Search<'a> {
    slots: Vec<Slot<'a>>,
    tracks: Vec<&'a Track>,
    /// For each track, its slot.
    slot_of: Vec<usize>,
    positives: usize,
    clauses: usize,
}

/// What a state says about its literals, slot by slot.
struct Outlook {
    /// Some track accepts every continuation.
    all: Vec<bool>,
    /// No track accepts any continuation.
    none: Vec<bool>,
    /// Some track accepts here.
    here: Vec<bool>,
}

pub(crate) fn search(words: &WordQuestion, work: &mut Work) -> Result<FoundWords, Exhausted> {
    let search = Search::new(words);
    let mut states: Vec<ProductState> = Vec::new();
    let mut index: HashMap<ProductState, u32> = HashMap::new();
    let mut parents: Vec<(u32, Letter)> = Vec::new();
    let mut found: Vec<FoundWord> = Vec::new();
    let mut positions = 0;
    if let Some(start) = search.enter(search.start(), &found, work)? {
        index.insert(start.clone(), 0);
        parents.push((0, Letter::Char(' ')));
        states.push(start);
    }
    let mut next = 0;
    // Breadth first, so that the word that is found for a set of clauses is a shortest one.
    // INVARIANT: every state that a state before `next` leads to is in `states`, was found to lead to no word, or leads to
    // none that keeps less than one of `found`. That is what "closed" means to the checker.
    while let Some(state) = states.get(next).cloned() {
        let outlook = search.outlook(&state);
        if search.accepts(&outlook) {
            let kept = search.kept(&outlook);
            if !found.iter().any(|f| f.kept.is_subset_of(&kept)) {
                found.retain(|f| !kept.is_subset_of(&f.kept));
                // No set is smaller than the empty one. No states are needed as evidence: a branch that keeps nothing is
                // below every other.
                let stop = kept.is_empty();
                found.push(FoundWord {
                    word: word_to(next, &parents),
                    kept,
                });
                if stop {
                    return Ok(FoundWords {
                        found,
                        states: Vec::new(),
                    });
                }
            }
        }
        // INVARIANT: `letters` has every letter that some track tells from others, and one that stands for all the rest. So
        // what holds after these letters holds after every letter.
        for letter in search.letters(&state, work)? {
            let reached = search.step(&state, letter, work)?;
            let Some(reached) = search.enter(reached, &found, work)? else {
                continue;
            };
            if index.contains_key(&reached) {
                continue;
            }
            positions += reached.len() + 4;
            if positions > MAX_POSITIONS {
                return Err(Exhausted);
            }
            let id = u32::try_from(states.len()).map_err(|_| Exhausted)?;
            index.insert(reached.clone(), id);
            parents.push((u32::try_from(next).map_err(|_| Exhausted)?, letter));
            states.push(reached);
        }
        next += 1;
    }
    Ok(FoundWords { found, states })
}

fn word_to(state: usize, parents: &[(u32, Letter)]) -> Vec<Letter> {
    let mut word = Vec::new();
    let mut at = state;
    while at != 0 {
        let Some((parent, letter)) = parents.get(at) else {
            break;
        };
        word.push(*letter);
        at = usize::try_from(*parent).unwrap_or(0);
    }
    word.reverse();
    word
}

impl<'a> Search<'a> {
    fn new(words: &'a WordQuestion) -> Self {
        let mut search = Self {
            slots: Vec::new(),
            tracks: Vec::new(),
            slot_of: Vec::new(),
            positives: words.positive.len(),
            clauses: words.positive.len() + words.negative.len(),
        };
        for (clause, literals) in words.positive.iter().chain(&words.negative).enumerate() {
            for literal in literals {
                for track in &literal.tracks {
                    search.slot_of.push(search.slots.len());
                    search.tracks.push(track);
                }
                search.slots.push(Slot {
                    accepted: literal.accepted,
                    clause,
                    literal,
                });
            }
        }
        search
    }

    fn start(&self) -> Vec<(u32, u32)> {
        let mut items = Vec::new();
        for (t, track) in self.tracks.iter().enumerate() {
            track.start(&mut |position| items.extend(item(t, position)));
        }
        items
    }

    fn step(
        &self,
        state: &ProductState,
        letter: Letter,
        work: &mut Work,
    ) -> Result<Vec<(u32, u32)>, Exhausted> {
        if !work.charge(state.len() + 1) {
            return Err(Exhausted);
        }
        let mut items = Vec::with_capacity(state.len());
        for (t, position) in state.iter() {
            let (t, position) = (index(*t), index(*position));
            if let Some(track) = self.tracks.get(t) {
                track.advance(position, letter, &mut |position| items.extend(item(t, position)));
            }
        }
        Ok(items)
    }

    /// The state in its normal form; `None` when it leads to no word, or to none that keeps less than what was found.
    fn enter(
        &self,
        mut items: Vec<(u32, u32)>,
        found: &[FoundWord],
        work: &mut Work,
    ) -> Result<Option<ProductState>, Exhausted> {
        if !work.charge(items.len() + self.slots.len()) {
            return Err(Exhausted);
        }
        self.drop_superfluous(&mut items);
        let outlook = self.outlook(&items);
        // Clauses that no continuation satisfies. A state in which a positive one is lost leads to no word.
        let mut lost = vec![false; self.clauses];
        for (s, slot) in self.slots.iter().enumerate() {
            let flags = if slot.accepted {
                &outlook.none
            } else {
                &outlook.all
            };
            if flag(flags, s)
                && let Some(lost) = lost.get_mut(slot.clause)
            {
                *lost = true;
            }
        }
        if lost.iter().take(self.positives).any(|lost| *lost) {
            return Ok(None);
        }
        // Negative clauses that every continuation satisfies. When some word that was found keeps no more than these, no
        // continuation can keep less than it, and the state is not worth entering.
        let mut sure = Bits::full(self.clauses - self.positives);
        for (s, slot) in self.slots.iter().enumerate() {
            let flags = if slot.accepted {
                &outlook.all
            } else {
                &outlook.none
            };
            if slot.clause >= self.positives && !flag(flags, s) {
                sure.remove(slot.clause - self.positives);
            }
        }
        if found.iter().any(|f| f.kept.is_subset_of(&sure)) {
            return Ok(None);
        }
        // Two states that differ only in what is decided are one: without this there would be a state for every way in which
        // a clause was lost. What is decided are negative clauses that no continuation satisfies, and literals that every
        // continuation satisfies.
        // INVARIANT: the outlook of the smaller state is the same as that of the whole.
        items.retain(|(t, position)| {
            let Some(s) = self.slot_of.get(index(*t)).copied() else {
                return false;
            };
            let Some(slot) = self.slots.get(s) else {
                return false;
            };
            if slot.clause < self.positives {
                return true;
            }
            if flag(&lost, slot.clause) {
                // That it is lost must still be seen: a literal that nothing accepts shows it by having no items.
                return !slot.accepted && self.everything(*t, *position);
            }
            !(slot.accepted && flag(&outlook.all, s)) || self.everything(*t, *position)
        });
        Ok(Some(items.into_boxed_slice()))
    }

    /// Sorts, and drops the positions of a track before the last one at a run ([`Track::is_at_run`]): whatever they accept is
    /// accepted from the run, too. It keeps the number of states small, because after a `*` the past does not matter.
    fn drop_superfluous(&self, items: &mut Vec<(u32, u32)>) {
        items.sort_unstable();
        items.dedup();
        // Moved to the front one by one; a position at a run takes the place of all that were moved of its track.
        let (mut kept, mut of_track, mut track) = (0, 0, None);
        for i in 0..items.len() {
            let Some((t, position)) = items.get(i).copied() else {
                break;
            };
            if track != Some(t) {
                (track, of_track) = (Some(t), kept);
            }
            let runs = |track: &&Track| track.is_at_run(index(position));
            if self.tracks.get(index(t)).is_some_and(runs) {
                kept = of_track;
            }
            if let Some(place) = items.get_mut(kept) {
                *place = (t, position);
            }
            kept += 1;
        }
        items.truncate(kept);
    }

    fn everything(&self, track: u32, position: u32) -> bool {
        self.tracks
            .get(index(track))
            .is_some_and(|track| track.is_everything_from(index(position)))
    }

    fn outlook(&self, items: &[(u32, u32)]) -> Outlook {
        let mut outlook = Outlook {
            all: vec![false; self.slots.len()],
            none: vec![true; self.slots.len()],
            here: vec![false; self.slots.len()],
        };
        for (t, position) in items {
            let (Some(s), Some(track)) = (self.slot_of.get(index(*t)).copied(), self.tracks.get(index(*t)))
            else {
                continue;
            };
            set(&mut outlook.none, s, false);
            if index(*position) == track.len() {
                set(&mut outlook.here, s, true);
            }
            if track.is_everything_from(index(*position)) {
                set(&mut outlook.all, s, true);
                set(&mut outlook.here, s, true);
            }
        }
        outlook
    }

    fn accepts(&self, outlook: &Outlook) -> bool {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.clause < self.positives)
            .all(|(s, slot)| flag(&outlook.here, s) == slot.accepted)
    }

    /// The negative clauses that the word read so far satisfies.
    fn kept(&self, outlook: &Outlook) -> Bits {
        let mut kept = Bits::full(self.clauses - self.positives);
        for (s, slot) in self.slots.iter().enumerate() {
            if slot.clause >= self.positives && flag(&outlook.here, s) != slot.accepted {
                kept.remove(slot.clause - self.positives);
            }
        }
        kept
    }

    /// The letters that some track waits for, and one that none does: all others lead where that one leads.
    fn letters(&self, state: &ProductState, work: &mut Work) -> Result<Vec<Letter>, Exhausted> {
        let mut letters = Vec::new();
        for (t, position) in state.iter() {
            if let Some(track) = self.tracks.get(index(*t)) {
                track.expected(index(*position), &mut |letter| letters.push(letter));
            }
        }
        if !work.charge(letters.len()) {
            return Err(Exhausted);
        }
        letters.sort_unstable();
        letters.dedup();
        let other = OTHERS
            .chars()
            .chain('\u{a1}'..='\u{fff}')
            .map(Letter::Char)
            .find(|other| letters.binary_search(other).is_err() && self.folds_to_nothing(*other, &letters));
        letters.extend(other);
        Ok(letters)
    }

    /// Whether no letter waited for is this one in another case.
    fn folds_to_nothing(&self, other: Letter, letters: &[Letter]) -> bool {
        let folds = |letter: Letter| match letter {
            Letter::Char(c) => Some(fold(c)),
            Letter::Var(_) | Letter::Folded(_) | Letter::Word(_) | Letter::Like(_) => None,
        };
        let cased = self
            .slots
            .iter()
            .any(|slot| slot.literal.tracks.iter().any(Track::folds));
        !cased || !letters.iter().any(|letter| folds(*letter) == folds(other))
    }
}

/// What a letter that nobody waits for is taken from, so that witnesses read well.
const OTHERS: &str = "axyz0123456789bcdefghijklmnopqrstuvwABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

fn index(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn item(track: usize, position: usize) -> Option<(u32, u32)> {
    Some((u32::try_from(track).ok()?, u32::try_from(position).ok()?))
}

fn flag(flags: &[bool], i: usize) -> bool {
    flags.get(i).copied().unwrap_or(false)
}

fn set(flags: &mut [bool], i: usize, value: bool) {
    if let Some(flag) = flags.get_mut(i) {
        *flag = value;
    }
}
