//! The kinds of values of a key that the value sets of conditions tell apart.

use std::collections::HashSet;

use super::{
    points,
    question::{KeyConditions, Profile},
    texts,
};
use crate::{
    condition::{case::ComparedType, values::Values},
    contain::{
        bits::Bits,
        certificate::KeyEvidence,
        search::words::{self, Exhausted},
    },
    keys::value_type,
    pattern::track::Letter,
    reference::condition_key::KeyType,
    work::Work,
};

/// One kind of value, with an example.
pub(super) struct ValueKind {
    pub(super) profile: Profile,
    pub(super) text: Vec<Letter>,
}

/// A kind while it is put together: for each set whether the value is in it, and whether it is of another type.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Draft {
    inside: Bits,
    other: Bits,
}

/// So many kinds are told apart.
const MAX_KINDS: usize = 1 << 14;

/// The kinds; `undefined` says for each set the type that a negated comparison with it is defined for.
pub(super) fn kinds(
    key: &KeyConditions<'_>,
    sets: &[&Values],
    undefined: &[Option<ComparedType>],
    work: &mut Work,
) -> Result<(Vec<ValueKind>, KeyEvidence), Exhausted> {
    let (mut kinds, evidence) = of_texts(key, sets, undefined, work)?;
    let texts = sets.iter().any(|set| points::class(set).is_none());
    for class in points::CLASSES {
        let of_class: Vec<usize> = (0..sets.len())
            .filter(|i| sets.get(*i).and_then(|set| points::class(set)) == Some(*class))
            .collect();
        if of_class.is_empty() {
            continue;
        }
        let values: Vec<&Values> = of_class.iter().filter_map(|i| sets.get(*i).copied()).collect();
        let typed = value_type(key.name).is_some_and(|of| points::is_of_type(*class, of));
        let pieces = pieces(*class, &of_class, &values, sets.len(), typed, work)?;
        // What texts of several types there are nobody asks: each combination is taken to be possible.
        let mut seen: HashSet<Draft> = HashSet::new();
        let mut product = Vec::new();
        for (draft, text) in &kinds {
            for (piece, typed_text) in &pieces {
                if !work.charge(4 + sets.len() / 8) || product.len() > MAX_KINDS {
                    return Err(Exhausted);
                }
                let both = Draft {
                    inside: draft.inside.or(&piece.inside),
                    other: draft.other.or(&piece.other),
                };
                if seen.insert(both.clone()) {
                    product.push((both, typed_text.as_ref().unwrap_or(text).clone()));
                }
            }
        }
        kinds = product;
    }
    let fresh = || "something-else".chars().map(Letter::Char).collect();
    let kinds = kinds.into_iter().map(|(draft, text)| ValueKind {
        text: if text.is_empty() && !texts { fresh() } else { text },
        profile: Profile {
            outside: Bits::collect(
                (0..sets.len()).map(|i| !draft.inside.contains(i) && !draft.other.contains(i)),
            ),
            inside: draft.inside,
            other: draft.other,
        },
    });
    Ok((kinds.collect(), evidence))
}

type Drafts = Vec<(Draft, Vec<Letter>)>;

/// A piece with an example; what is of another type has none.
type Piece = (Draft, Option<Vec<Letter>>);

/// The pieces into which the values of the class cut its type, and what is of another type.
fn pieces(
    class: points::Class,
    of_class: &[usize],
    values: &[&Values],
    count: usize,
    typed: bool,
    work: &mut Work,
) -> Result<Vec<Piece>, Exhausted> {
    let none = Bits::empty(count);
    let mut seen: HashSet<Bits> = HashSet::new();
    let mut pieces = Vec::new();
    let size: usize = values.iter().map(|set| 1 + set.len()).sum();
    for point in points::points(class, values) {
        if !work.charge(16 + size) {
            return Err(Exhausted);
        }
        let mut inside = none.clone();
        for (i, set) in of_class.iter().zip(values) {
            if point.is_in(set) {
                inside.insert(*i);
            }
        }
        if seen.insert(inside.clone()) {
            let other = none.clone();
            pieces.push((
                Draft { inside, other },
                Some(point.text().chars().map(Letter::Char).collect()),
            ));
        }
    }
    if !typed {
        let mut other = none.clone();
        of_class.iter().for_each(|i| other.insert(*i));
        pieces.push((Draft { inside: none, other }, None));
    }
    Ok(pieces)
}

/// The kinds of texts that texts and patterns tell apart.
fn of_texts(
    key: &KeyConditions<'_>,
    sets: &[&Values],
    undefined: &[Option<ComparedType>],
    work: &mut Work,
) -> Result<(Drafts, KeyEvidence), Exhausted> {
    let none = || Bits::empty(sets.len());
    let of_texts: Vec<usize> = (0..sets.len())
        .filter(|i| sets.get(*i).is_some_and(|set| points::class(set).is_none()))
        .collect();
    if of_texts.is_empty() {
        let draft = Draft {
            inside: none(),
            other: none(),
        };
        return Ok((vec![(draft, Vec::new())], KeyEvidence::default()));
    }
    // Whether a text is an ARN matters where a negated comparison asks; keys of ARNs have nothing else.
    let arns: Vec<usize> = if value_type(key.name) == Some(KeyType::Arn) {
        Vec::new()
    } else {
        let of_arns = |i: &usize| undefined.get(*i) == Some(&Some(ComparedType::Arn));
        of_texts.iter().copied().filter(of_arns).collect()
    };
    let others = |is_arn: bool| {
        let mut other = none();
        if !is_arn {
            arns.iter().for_each(|i| other.insert(*i));
        }
        other
    };
    let values: Vec<&Values> = of_texts.iter().filter_map(|i| sets.get(*i).copied()).collect();
    let asks_arn = !arns.is_empty();
    if let Some(texts) = texts::spelled_out(key.name, &values, asks_arn, work)? {
        if !work.charge(texts.len().saturating_mul(4 + sets.len() / 8)) {
            return Err(Exhausted);
        }
        let drafts = texts.into_iter().map(|spelled| {
            let mut inside = none();
            let sets = spelled.inside.iter().filter_map(|i| of_texts.get(*i));
            sets.for_each(|i| inside.insert(*i));
            let draft = Draft {
                inside,
                other: others(spelled.is_arn),
            };
            (draft, spelled.text.chars().map(Letter::Char).collect())
        });
        return Ok((drafts.collect(), KeyEvidence::default()));
    }
    let mut seen: HashSet<Draft> = HashSet::new();
    let mut drafts = Vec::new();
    let mut evidence = KeyEvidence::default();
    for words in texts::questions(key, &values, asks_arn) {
        let answer = words::search(&words, work)?;
        for found in &answer.found {
            // The last one says whether it is an ARN.
            let asked = values.len() + usize::from(asks_arn);
            for way in texts::assignments(asked, &found.kept).ok_or(Exhausted)? {
                let mut inside = none();
                for (n, i) in of_texts.iter().enumerate() {
                    if way.contains(n) {
                        inside.insert(*i);
                    }
                }
                let draft = Draft {
                    inside,
                    other: others(!asks_arn || way.contains(values.len())),
                };
                if seen.insert(draft.clone()) {
                    drafts.push((draft, found.word.clone()));
                }
            }
        }
        let vectors = answer.found.into_iter().map(|found| found.kept).collect();
        evidence.texts.push((answer.states, vectors));
    }
    Ok((drafts, evidence))
}
