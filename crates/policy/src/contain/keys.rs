//! The dimension of one condition key: absent, one value, or a list.

use std::collections::HashSet;

use super::{
    bits::Bits,
    points::{self, Point},
    words::{self, Clause, Exhausted, Literal, State, Words},
};
use crate::{
    condition::{
        atom::{Atom, Predicate, Values},
        case::{Facts, Reading},
    },
    keys::{Arity, KeyType, arity, value_type},
    positions::{self, Letter, Track, VariableCase, World},
    work::Work,
};

/// The question: the conditions on one key.
pub(crate) struct Key<'a> {
    /// Lower case.
    pub(crate) name: &'a str,
    /// Conditions that must hold.
    pub(crate) positive: Vec<&'a Atom>,
    /// For each negative statement that is alive, its conditions on the key.
    pub(crate) negative: Vec<(usize, Vec<&'a Atom>)>,
    pub(crate) world: &'a World,
}

/// Values of the key.
pub(crate) type Texts = Vec<Vec<Letter>>;

/// A way to be, and the statements (by their indices) whose conditions on the key then hold.
pub(crate) struct Choice {
    pub(crate) kept: Vec<usize>,
    /// `None`: absent.
    pub(crate) texts: Option<Texts>,
    /// AWS does not say that it is so.
    pub(crate) doubtful: bool,
}

/// What a certificate says about the texts of a key.
///
/// For each question of [`text_words`]: closed states, and for each kind of text in which value sets it surely is (bit
/// 2*i*), or surely is not (bit 2*i* + 1).
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    pub(crate) texts: Vec<(Vec<State>, Vec<Bits>)>,
}

/// One kind of text, by the value sets that contain it.
struct Kind {
    sets: Bits,
    text: Vec<Letter>,
    /// Not a number, date, address or bytes, where one is compared.
    other: bool,
}

/// Lists are made of so many kinds of texts at most.
const MAX_LISTS: usize = 4096;

/// The value sets of the conditions, each once.
fn value_sets<'a>(atoms: impl Iterator<Item = &'a Atom>) -> Vec<&'a Values> {
    let mut sets: Vec<&Values> = Vec::new();
    for atom in atoms {
        if let Predicate::Compare { values, .. } = &atom.predicate
            && !sets.contains(&values)
        {
            sets.push(values);
        }
    }
    sets
}

/// Values of one kind or of several.
struct Mix<'a> {
    sets: &'a [&'a Values],
    all: Bits,
    some: Bits,
    count: usize,
    other: bool,
}

impl Facts for Mix<'_> {
    fn count(&self) -> usize {
        self.count
    }

    fn within(&self, set: &Values) -> (bool, bool) {
        let index = self.sets.iter().position(|known| *known == set);
        index.map_or((false, false), |i| (self.all.contains(i), self.some.contains(i)))
    }

    fn of_other_type(&self, set: &Values) -> bool {
        self.other && points::is_typed(set)
    }
}

/// The smallest sets of statements that hold for some values of the key.
pub(crate) fn options(key: &Key<'_>, work: &mut Work) -> Result<(Vec<Choice>, Evidence), Exhausted> {
    let atoms = key
        .positive
        .iter()
        .copied()
        .chain(key.negative.iter().flat_map(|(_, atoms)| atoms.iter().copied()));
    let sets = value_sets(atoms.clone());
    let case = key
        .world
        .iter()
        .find(|(name, _)| name == key.name)
        .map(|(_, case)| *case);
    let arity = arity(key.name);
    let mut options: Vec<Choice> = Vec::new();
    let mut consider = |mix: &Mix<'_>, reading: Reading, doubtful: bool, texts: Option<Texts>| {
        if !key.positive.iter().all(|atom| atom.holds_in(mix, reading)) {
            return;
        }
        let holds = |atoms: &Vec<&Atom>| atoms.iter().all(|atom| atom.holds_in(mix, reading));
        let kept: Vec<usize> = key
            .negative
            .iter()
            .filter(|(_, atoms)| holds(atoms))
            .map(|(i, _)| *i)
            .collect();
        let within = |a: &[usize], b: &[usize]| a.iter().all(|i| b.contains(i));
        if options
            .iter()
            .any(|o| within(&o.kept, &kept) && (!o.doubtful || doubtful))
        {
            return;
        }
        options.retain(|o| !(within(&kept, &o.kept) && (o.doubtful || !doubtful)));
        options.push(Choice {
            kept,
            texts,
            doubtful,
        });
    };
    let none = Bits::collect(sets.iter().map(|_| false));
    if matches!(case, None | Some(VariableCase::Absent)) {
        let absent = Mix {
            sets: &sets,
            all: none.clone(),
            some: none.clone(),
            count: 0,
            other: false,
        };
        for reading in Reading::OF_ABSENT {
            consider(&absent, reading, reading != Reading::OURS, None);
        }
    }
    if case == Some(VariableCase::Absent) {
        return Ok((options, Evidence::default()));
    }
    let (kinds, evidence) = kinds(key, &sets, arity, work)?;
    let negated = atoms.clone().any(Atom::is_negated_comparison);
    for kind in kinds.iter().filter(|_| case != Some(VariableCase::List)) {
        let mix = Mix {
            sets: &sets,
            all: kind.sets.clone(),
            some: kind.sets.clone(),
            count: 1,
            other: kind.other,
        };
        let doubtful = kind.other && negated;
        for reading in Reading::OF_ONE {
            consider(&mix, reading, doubtful, Some(vec![kind.text.clone()]));
        }
    }
    let lists = arity != Arity::Single && case != Some(VariableCase::Present);
    if lists {
        let plain = atoms.clone().any(Atom::is_plain_comparison);
        let readings = if plain {
            &Reading::OF_LISTS[..]
        } else {
            &Reading::OF_ONE[..]
        };
        for (mix, texts) in mixes(&sets, &kinds, work)? {
            if !work.charge(readings.len()) {
                return Err(Exhausted);
            }
            for reading in readings {
                let doubtful = *reading != Reading::OURS || (mix.other && negated);
                consider(&mix, *reading, doubtful, Some(texts.clone()));
            }
        }
    }
    Ok((options, evidence))
}

/// The kinds of texts that the value sets tell apart.
fn kinds(
    key: &Key<'_>,
    sets: &[&Values],
    arity: Arity,
    work: &mut Work,
) -> Result<(Vec<Kind>, Evidence), Exhausted> {
    let mut kinds: Vec<Kind> = Vec::new();
    let mut evidence = Evidence::default();
    for words in text_words(key, sets, arity) {
        let answer = words::search(&words, work)?;
        for found in &answer.found {
            for sets in assignments(sets.len(), &found.kept).ok_or(Exhausted)? {
                if !kinds.iter().any(|kind| kind.sets == sets) {
                    kinds.push(Kind {
                        sets,
                        text: found.word.clone(),
                        other: false,
                    });
                }
            }
        }
        let vectors = answer.found.into_iter().map(|found| found.kept).collect();
        evidence.texts.push((answer.states, vectors));
    }
    let texts = sets.iter().any(|set| !points::is_typed(set));
    for class in points::CLASSES {
        let of_class: Vec<&Values> = sets
            .iter()
            .copied()
            .filter(|set| points::class(set) == Some(*class))
            .collect();
        if of_class.is_empty() {
            continue;
        }
        let typed = value_type(key.name).is_some_and(|t| points::is_of_type(*class, t));
        let mut typed_kinds: Vec<Kind> = Vec::new();
        for Point { text, other } in points::points(*class, &of_class, !typed) {
            if !work.charge(text.len() + sets.len()) {
                return Err(Exhausted);
            }
            let of_point = Bits::collect(sets.iter().map(|set| {
                points::class(set) == Some(*class) && set.accepts(&text, &crate::Context::new(), work)
            }));
            if !typed_kinds
                .iter()
                .any(|kind| kind.sets == of_point && (!kind.other || other))
            {
                typed_kinds.push(Kind {
                    sets: of_point,
                    text: text.chars().map(Letter::Char).collect(),
                    other,
                });
            }
        }
        // What texts of both classes there are nobody asks: each combination is taken to be possible.
        let mut product = Vec::new();
        for a in &kinds {
            for b in &typed_kinds {
                if !work.charge(sets.len() + b.text.len()) {
                    return Err(Exhausted);
                }
                product.push(Kind {
                    sets: a.sets.or(&b.sets),
                    text: if texts && b.other {
                        a.text.clone()
                    } else {
                        b.text.clone()
                    },
                    other: a.other || b.other,
                });
            }
        }
        kinds = product;
    }
    Ok((kinds, evidence))
}

/// The value set whose variables are letters: that of a condition that must hold.
fn designated(key: &Key<'_>, sets: &[&Values]) -> Option<usize> {
    let with_variables = key.positive.iter().filter(|atom| !atom.variables().is_empty());
    let set = with_variables.filter_map(|atom| atom.must_be_within()).next()?;
    sets.iter().position(|known| *known == set)
}

/// Questions for the words engine: in which of the sets is a text? Two clauses for each set, surely in and surely not in.
///
/// With variables there are two questions, about texts inside of the designated set and about those outside of it.
fn text_words(key: &Key<'_>, sets: &[&Values], arity: Arity) -> Vec<Words> {
    let Some(exact) = designated(key, sets) else {
        return vec![with_clauses(key, sets, None)];
    };
    let literal = |reading, accepted| {
        let tracks = sets
            .get(exact)
            .map_or_else(Vec::new, |set| tracks(set, key.world, reading));
        vec![Literal { tracks, accepted }]
    };
    let mut inside = with_clauses(key, sets, Some((exact, true)));
    inside.positive.push(literal(positions::Reading::Exact, true));
    if arity == Arity::Single {
        // Then the condition itself excludes the others.
        return vec![inside];
    }
    let mut outside = with_clauses(key, sets, Some((exact, false)));
    outside.positive.push(literal(positions::Reading::Surely, false));
    vec![inside, outside]
}

/// The clauses for all sets; of one it may be known whether the text is inside.
fn with_clauses(key: &Key<'_>, sets: &[&Values], known: Option<(usize, bool)>) -> Words {
    let mut words = Words::default();
    if value_type(key.name) == Some(KeyType::Bool) {
        let tracks = vec![Track::folded("true"), Track::folded("false")];
        words.positive.push(vec![Literal {
            tracks,
            accepted: true,
        }]);
    }
    let never = || -> Clause {
        vec![Literal {
            tracks: Vec::new(),
            accepted: true,
        }]
    };
    for (i, set) in sets.iter().enumerate() {
        let literal = |reading, accepted| -> Clause {
            vec![Literal {
                tracks: tracks(set, key.world, reading),
                accepted,
            }]
        };
        let both = match known {
            Some((k, true)) if k == i => [Vec::new(), never()],
            Some((k, false)) if k == i => [never(), Vec::new()],
            _ => [
                literal(positions::Reading::Surely, true),
                literal(positions::Reading::Maybe, false),
            ],
        };
        words.negative.extend(both);
    }
    words
}

/// The tracks of a set of texts; none for sets of other things.
fn tracks(set: &Values, world: &World, reading: positions::Reading) -> Vec<Track> {
    match set {
        Values::Strings(patterns) | Values::Folded(patterns) => patterns
            .iter()
            .filter_map(|p| Track::text(p, world, reading))
            .collect(),
        Values::Arns(patterns) => patterns
            .iter()
            .filter_map(|p| Track::arn(p, world, reading))
            .collect(),
        Values::Bool { yes, no } => {
            let flags = [(*yes, "true"), (*no, "false")];
            flags
                .into_iter()
                .filter(|(flag, _)| *flag)
                .map(|(_, text)| Track::folded(text))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The ways in which a text can be in the sets, given what is sure of it; `None` when there are too many.
fn assignments(sets: usize, kept: &Bits) -> Option<Vec<Bits>> {
    let mut ways: Vec<Vec<bool>> = vec![Vec::with_capacity(sets)];
    for i in 0..sets {
        // Variables may leave open whether it is inside.
        let inside = kept.contains(2 * i);
        let open = !inside && !kept.contains(2 * i + 1);
        if open {
            if ways.len() >= 1024 {
                return None;
            }
            let mut others = ways.clone();
            others.iter_mut().for_each(|way| way.push(true));
            ways.iter_mut().for_each(|way| way.push(false));
            ways.extend(others);
        } else {
            ways.iter_mut().for_each(|way| way.push(inside));
        }
    }
    Some(
        ways.into_iter()
            .map(|way| Bits::collect(way.into_iter()))
            .collect(),
    )
}

/// The lists of several values that the sets tell apart.
fn mixes<'a>(
    sets: &'a [&'a Values],
    kinds: &[Kind],
    work: &mut Work,
) -> Result<Vec<(Mix<'a>, Texts)>, Exhausted> {
    let mut seen = HashSet::new();
    let mut lists: Vec<(Mix<'a>, Texts)> = Vec::new();
    let mut next = 0;
    let mut add = |lists: &mut Vec<(Mix<'a>, Texts)>, all: Bits, some: Bits, other: bool, texts: Texts| {
        if seen.insert((all.clone(), some.clone(), other)) {
            let count = 2;
            lists.push((
                Mix {
                    sets,
                    all,
                    some,
                    count,
                    other,
                },
                texts,
            ));
        }
    };
    for a in kinds {
        let texts = vec![a.text.clone(), a.text.clone()];
        add(&mut lists, a.sets.clone(), a.sets.clone(), a.other, texts);
    }
    while next < lists.len() {
        for kind in kinds {
            if !work.charge(8) || lists.len() > MAX_LISTS {
                return Err(Exhausted);
            }
            let Some((mix, texts)) = lists.get(next) else {
                break;
            };
            let mut texts = texts.clone();
            // The first two were one and the same.
            if next < kinds.len() {
                texts.truncate(1);
            }
            texts.push(kind.text.clone());
            let (all, some) = (mix.all.and(&kind.sets), mix.some.or(&kind.sets));
            let other = mix.other || kind.other;
            add(&mut lists, all, some, other, texts);
        }
        next += 1;
    }
    Ok(lists)
}
