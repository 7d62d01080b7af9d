//! The dimension of one condition key: absent, one value, or a list.

mod kinds;
mod points;
pub(in crate::contain) mod question;
mod texts;

use std::collections::{HashMap, HashSet};

use self::{
    kinds::ValueKind,
    question::{KeyConditions, KeyTexts, Profile},
};
use super::words::Exhausted;
use crate::{
    condition::{
        atom::{Atom, Predicate},
        case::{ComparedType, ComparedTypes, ConditionReading, ObservedValues},
        values::Values,
    },
    contain::{bits::Bits, certificate::KeyEvidence},
    keys::value_type,
    pattern::track::VariableCase,
    reference::condition_key::{Arity, KeyType},
    work::Work,
};

/// A way to be, and the statements (by their indices) whose conditions on the key then hold.
pub(crate) struct KeyChoice {
    pub(crate) kept: Vec<usize>,
    /// `None`: absent.
    pub(crate) texts: Option<KeyTexts>,
    /// AWS does not say that it is so.
    pub(crate) doubtful: bool,
}

/// Lists are made of so many kinds of texts at most.
const MAX_LISTS: usize = 4096;

/// The value sets of conditions, each once.
struct Sets<'a> {
    sets: Vec<&'a Values>,
    index: HashMap<u64, Vec<usize>>,
}

impl<'a> Sets<'a> {
    fn new() -> Self {
        Self {
            sets: Vec::new(),
            index: HashMap::new(),
        }
    }

    /// The index of the condition's values, which are added when they are new; `None` for conditions without values.
    fn add(&mut self, atom: &'a Atom) -> Option<usize> {
        let Predicate::Compare { values, .. } = &atom.predicate else {
            return None;
        };
        let same = self.index.entry(atom.fingerprint).or_default();
        let known = same.iter().find(|i| self.sets.get(**i) == Some(&values));
        Some(known.copied().unwrap_or_else(|| {
            same.push(self.sets.len());
            self.sets.push(values);
            self.sets.len() - 1
        }))
    }
}

/// A way for the key to be: absent, or values with how they lie.
struct Way<'p> {
    profile: Option<&'p Profile>,
    count: usize,
    texts: Option<KeyTexts>,
}

impl Way<'_> {
    const ABSENT: Self = Self {
        profile: None,
        count: 0,
        texts: None,
    };
}

/// A condition with the index of its values.
struct Located<'a> {
    atom: &'a Atom,
    set: Option<usize>,
}

/// The located conditions, and what was found so far.
struct Options<'k, 'a> {
    key: &'k KeyConditions<'a>,
    sets: Vec<&'a Values>,
    positive: Vec<Located<'a>>,
    /// In the order of `key.negative`.
    negative: Vec<Vec<Located<'a>>>,
    atoms: usize,
    /// Types of sets that some negated comparison uses, by set.
    undefined: Vec<Option<ComparedType>>,
    /// Whether some comparison has no set operator.
    plain: bool,
    /// Whether some condition is about all values.
    of_all: bool,
    /// Whether some condition is one of what AWS means.
    open: bool,
    found: Vec<(Bits, bool, Option<KeyTexts>)>,
}

/// The smallest sets of statements that hold for some values of the key.
pub(crate) fn options(
    key: &KeyConditions<'_>,
    work: &mut Work,
) -> Result<(Vec<KeyChoice>, KeyEvidence), Exhausted> {
    let mut options = Options::new(key, work)?;
    let case = key
        .cases
        .iter()
        .find(|(name, _)| name == key.name)
        .map(|(_, case)| *case);
    // A key that is used as a variable has a case already, and only what fits it is looked at.
    if matches!(case, None | Some(VariableCase::Absent)) {
        options.consider_open(&Way::ABSENT, &ConditionReading::OF_ABSENT, work)?;
    }
    if case == Some(VariableCase::Absent) {
        return Ok((options.choices(), KeyEvidence::default()));
    }
    let (kinds, evidence) = kinds::kinds(key, &options.sets, &options.undefined, work)?;
    let is_one = case != Some(VariableCase::List);
    // INVARIANT: a list is left out only where AWS says that the key has one value at most.
    let is_list = key.arity != Arity::Single && case != Some(VariableCase::Present);
    for kind in &kinds {
        if is_one {
            options.consider_empty(kind, 1, work)?;
        }
        if is_list {
            options.consider_empty(kind, 2, work)?;
        }
    }
    if is_one {
        for kind in &kinds {
            let readings = options.readings(&kind.profile, false);
            let way = Way {
                profile: Some(&kind.profile),
                count: 1,
                texts: Some(vec![kind.text.clone()]),
            };
            options.consider(&way, &readings, false, work)?;
        }
    }
    if is_list {
        for (profile, texts) in lists(&kinds, work)? {
            let readings = options.readings(&profile, options.plain);
            let way = Way {
                profile: Some(&profile),
                count: 2,
                texts: Some(texts),
            };
            options.consider_open(&way, &readings, work)?;
        }
    }
    Ok((options.choices(), evidence))
}

impl<'k, 'a> Options<'k, 'a> {
    fn new(key: &'k KeyConditions<'a>, work: &mut Work) -> Result<Self, Exhausted> {
        let mut sets = Sets::new();
        let mut locate = |atoms: &[&'a Atom]| {
            let located = atoms.iter().map(|atom| Located {
                atom,
                set: sets.add(atom),
            });
            located.collect::<Vec<_>>()
        };
        let positive = locate(&key.positive);
        let negative: Vec<Vec<Located<'a>>> = key.negative.iter().map(|(_, atoms)| locate(atoms)).collect();
        let all = || positive.iter().chain(negative.iter().flatten());
        let atoms = all().count();
        if !work.charge(8 * atoms) {
            return Err(Exhausted);
        }
        let mut undefined = vec![None; sets.sets.len()];
        for located in all() {
            if let (Some(of), Some(set)) = (located.atom.undefined_for_others_than(), located.set)
                && let Some(undefined) = undefined.get_mut(set)
            {
                *undefined = Some(of);
            }
        }
        let plain = all().any(|located| located.atom.is_plain_comparison());
        let of_all = all().any(|located| located.atom.is_for_all());
        let open = all().any(|located| located.atom.is_open());
        Ok(Self {
            key,
            sets: sets.sets,
            atoms,
            undefined,
            plain,
            of_all,
            open,
            positive,
            negative,
            found: Vec::new(),
        })
    }

    /// All readings that may differ for such values, the evaluator's first.
    fn readings(&self, profile: &Profile, plain: bool) -> Vec<ConditionReading> {
        let undefined = self.undefined.iter().enumerate();
        let types = undefined
            .filter(|(set, _)| profile.other.contains(*set))
            .filter_map(|(_, of)| *of)
            .fold(ComparedTypes::NONE, ComparedTypes::with);
        ConditionReading::of_values(types, plain).collect()
    }

    /// The same where what is open matters: as AWS documents it, and, in doubt, otherwise.
    fn consider_open(
        &mut self,
        way: &Way<'_>,
        readings: &[ConditionReading],
        work: &mut Work,
    ) -> Result<(), Exhausted> {
        self.consider(way, readings, false, work)?;
        self.consider_closed(way, readings, work)
    }

    /// Where what is open matters: in doubt, otherwise than AWS documents it.
    fn consider_closed(
        &mut self,
        way: &Way<'_>,
        readings: &[ConditionReading],
        work: &mut Work,
    ) -> Result<(), Exhausted> {
        if self.open {
            let others: Vec<ConditionReading> = readings.iter().map(|reading| reading.closed()).collect();
            self.consider(way, &others, true, work)?;
        }
        Ok(())
    }

    /// Whether the values may be empty texts, and it matters that those may be none. Texts of a type are never empty.
    fn may_be_empty(&self, kind: &ValueKind) -> bool {
        let is_text = matches!(value_type(self.key.name), None | Some(KeyType::String));
        let fits = |(i, set): (usize, &&Values)| {
            let is_inside = kind.profile.inside.contains(i);
            set.take_nothing().is_none_or(|takes| takes == is_inside)
        };
        self.of_all && is_text && self.sets.iter().enumerate().all(fits)
    }

    /// So many empty texts that are none to `ForAllValues`, which AWS says in words and not for each operator.
    fn consider_empty(&mut self, kind: &ValueKind, count: usize, work: &mut Work) -> Result<(), Exhausted> {
        if !self.may_be_empty(kind) {
            return Ok(());
        }
        let readings = self.readings(&kind.profile, count > 1 && self.plain).into_iter();
        let readings: Vec<ConditionReading> = readings.map(ConditionReading::of_empty).collect();
        let way = Way {
            profile: Some(&kind.profile),
            count,
            texts: Some(vec![Vec::new(); count]),
        };
        self.consider(&way, &readings, true, work)?;
        self.consider_closed(&way, &readings, work)
    }

    /// Adds a way to be under each reading. Where the readings differ, nobody knows which one is so.
    fn consider(
        &mut self,
        way: &Way<'_>,
        readings: &[ConditionReading],
        doubtful: bool,
        work: &mut Work,
    ) -> Result<(), Exhausted> {
        if !work.charge((3 * self.atoms + 8) * readings.len()) {
            return Err(Exhausted);
        }
        let holds = |located: &Located<'_>, reading: ConditionReading| {
            let is = |bits: fn(&Profile) -> &Bits| {
                way.profile
                    .zip(located.set)
                    .is_some_and(|(profile, set)| bits(profile).contains(set))
            };
            let seen = ObservedValues {
                count: way.count,
                inside: is(|profile| &profile.inside),
                outside: is(|profile| &profile.outside),
                other: is(|profile| &profile.other),
            };
            located.atom.holds_for(seen, reading)
        };
        // What follows from each reading: nothing, when a positive condition fails, else the negative statements whose
        // conditions all hold.
        let mut outcomes: Vec<Option<Bits>> = Vec::with_capacity(readings.len());
        for reading in readings {
            let outcome = self
                .positive
                .iter()
                .all(|located| holds(located, *reading))
                .then(|| {
                    let all = |atoms: &Vec<Located<'_>>| atoms.iter().all(|located| holds(located, *reading));
                    Bits::collect(self.negative.iter().map(all))
                });
            if !outcomes.contains(&outcome) {
                outcomes.push(outcome);
            }
        }
        // INVARIANT: every outcome is kept, those in doubt too, since a proof must hold for each. A witness is only made of
        // those on which all readings agree.
        let doubtful = doubtful || outcomes.len() > 1;
        for kept in outcomes.into_iter().flatten() {
            if !work.charge(4 * self.found.len()) {
                return Err(Exhausted);
            }
            // An outcome that keeps more than a known one asks nothing new, but a sure outcome is not given up for a doubtful
            // one: only from a sure one a witness can be made.
            let worse =
                |(known, in_doubt, _): &(Bits, bool, _)| known.is_subset_of(&kept) && (!in_doubt || doubtful);
            if !self.found.iter().any(worse) {
                self.found
                    .retain(|(known, in_doubt, _)| !(kept.is_subset_of(known) && (*in_doubt || !doubtful)));
                self.found.push((kept, doubtful, way.texts.clone()));
            }
        }
        Ok(())
    }

    fn choices(self) -> Vec<KeyChoice> {
        let negative = &self.key.negative;
        let choice = |(kept, doubtful, texts): (Bits, bool, Option<KeyTexts>)| KeyChoice {
            kept: kept
                .iter()
                .filter_map(|n| negative.get(n).map(|(i, _)| *i))
                .collect(),
            texts,
            doubtful,
        };
        self.found.into_iter().map(choice).collect()
    }
}

/// The lists of several values that the sets tell apart.
fn lists(kinds: &[ValueKind], work: &mut Work) -> Result<Vec<(Profile, KeyTexts)>, Exhausted> {
    let mut seen: HashSet<Profile> = HashSet::new();
    let mut lists: Vec<(Profile, KeyTexts)> = Vec::new();
    for kind in kinds {
        if seen.insert(kind.profile.clone()) {
            lists.push((kind.profile.clone(), vec![kind.text.clone(), kind.text.clone()]));
        }
    }
    let singles = lists.len();
    // All unions of kinds: conditions look at a list only through which kinds of values are in it.
    // INVARIANT: when the loop ends, `lists` is closed under adding a value of any kind.
    let mut next = 0;
    while let Some((profile, texts)) = lists.get(next).cloned() {
        for kind in kinds {
            if !work.charge(8 + kind.text.len() + texts.len()) || lists.len() > MAX_LISTS {
                return Err(Exhausted);
            }
            let joined = profile.join(&kind.profile);
            if !seen.insert(joined.clone()) {
                continue;
            }
            // The first two were one and the same.
            let kept = if next < singles { 1 } else { texts.len() };
            let mut texts: KeyTexts = texts.iter().take(kept).cloned().collect();
            texts.push(kind.text.clone());
            lists.push((joined, texts));
        }
        next += 1;
    }
    Ok(lists)
}
