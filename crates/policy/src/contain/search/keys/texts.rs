//! The texts that patterns tell apart.

use std::collections::HashMap;

use super::question::KeyConditions;
use crate::{
    condition::{atom::Atom, values::Values},
    contain::{
        bits::Bits,
        search::words::{Exhausted, WordClause, WordLiteral, WordQuestion},
    },
    keys::value_type,
    pattern::track::{self, Track, VariableCases},
    reference::condition_key::{Arity, KeyType},
    work::Work,
};

/// A text, the sets that it is in, and whether it is an ARN.
pub(super) struct Spelled {
    pub(super) text: String,
    pub(super) inside: Vec<usize>,
    pub(super) is_arn: bool,
}

/// All kinds of texts when every value of every set is spelled out: each value, and what is none of them. `None` when the
/// values are patterns, have variables or ignore case, or the key has flags.
pub(super) fn spelled_out(
    key: &str,
    sets: &[&Values],
    asks_arn: bool,
    work: &mut Work,
) -> Result<Option<Vec<Spelled>>, Exhausted> {
    if value_type(key) == Some(KeyType::Bool) {
        return Ok(None);
    }
    let mut by_text: HashMap<String, Vec<usize>> = HashMap::new();
    for (i, set) in sets.iter().enumerate() {
        let Some(texts) = literals(set) else {
            return Ok(None);
        };
        for text in texts {
            if !work.charge(1 + text.len()) {
                return Err(Exhausted);
            }
            let inside = by_text.entry(text).or_default();
            if inside.last() != Some(&i) {
                inside.push(i);
            }
        }
    }
    let mut by_sets: HashMap<(Vec<usize>, bool), String> = HashMap::new();
    let fresh = |stem: &str| {
        let mut texts = std::iter::once(stem.to_owned()).chain((2..).map(|n| format!("{stem}{n}")));
        texts.find(|text| !by_text.contains_key(text)).unwrap_or_default()
    };
    let mut others = vec![(Vec::new(), fresh("something-else"))];
    if asks_arn {
        others.push((Vec::new(), fresh("arn:aws:s3:::something-else")));
    }
    for (text, inside) in by_text {
        let is_arn = !asks_arn || is_arn(&text);
        let best = by_sets.entry((inside, is_arn)).or_insert_with(|| text.clone());
        // The same answer every time, whatever the order of the map.
        if text < *best {
            *best = text;
        }
    }
    for (inside, text) in others {
        let is_arn = !asks_arn || is_arn(&text);
        by_sets.entry((inside, is_arn)).or_insert(text);
    }
    let spelled = by_sets
        .into_iter()
        .map(|((inside, is_arn), text)| Spelled { text, inside, is_arn });
    let mut spelled: Vec<Spelled> = spelled.collect();
    spelled.sort_by(|a, b| (&a.inside, &a.text).cmp(&(&b.inside, &b.text)));
    Ok(Some(spelled))
}

/// The texts of a set whose values are spelled out.
fn literals(set: &Values) -> Option<Vec<String>> {
    match set {
        Values::Strings(patterns) => patterns.iter().map(|pattern| pattern.as_literal()).collect(),
        Values::Arns(patterns) => patterns
            .iter()
            .map(|arn| {
                let parts: Option<Vec<String>> = arn.parts().map(|part| part.as_literal()).collect();
                Some(parts?.join(":"))
            })
            .collect(),
        _ => None,
    }
}

/// Whether a text is an ARN: `arn`, and five more parts.
fn is_arn(text: &str) -> bool {
    text.starts_with("arn:") && text.matches(':').count() >= 5
}

/// The value set whose variables are letters: that of a condition that must hold.
fn designated(key: &KeyConditions<'_>, sets: &[&Values]) -> Option<usize> {
    // An empty value may do for all values, and be in none of the sets: where the key has one value, that one would be left out.
    let is_exact = |atom: &&&Atom| key.arity != Arity::Single || !atom.is_for_all();
    let with_variables = key
        .positive
        .iter()
        .filter(|atom| !atom.variables().is_empty())
        .filter(is_exact);
    let set = with_variables
        .filter_map(|atom: &&Atom| atom.must_be_within())
        .next()?;
    sets.iter().position(|known| *known == set)
}

/// Questions for the words engine: in which of the sets is a text? Two clauses for each set, surely in and surely not in;
/// at the end, when it is asked, two for whether it is an ARN.
///
/// With variables there are two questions, about texts inside of the designated set and about those outside of it.
pub(super) fn questions(key: &KeyConditions<'_>, sets: &[&Values], asks_arn: bool) -> Vec<WordQuestion> {
    let Some(exact) = designated(key, sets) else {
        return vec![with_clauses(key, sets, None, asks_arn)];
    };
    let literal = |reading, accepted| {
        let tracks = sets
            .get(exact)
            .map_or_else(Vec::new, |set| tracks(set, key.cases, reading));
        vec![WordLiteral { tracks, accepted }]
    };
    let mut inside = with_clauses(key, sets, Some((exact, true)), asks_arn);
    inside.positive.push(literal(track::VariableReading::Exact, true));
    if key.arity == Arity::Single {
        // Then the condition itself excludes the others.
        return vec![inside];
    }
    let mut outside = with_clauses(key, sets, Some((exact, false)), asks_arn);
    outside
        .positive
        .push(literal(track::VariableReading::Surely, false));
    vec![inside, outside]
}

/// The clauses for all sets; of one it may be known whether the text is inside.
fn with_clauses(
    key: &KeyConditions<'_>,
    sets: &[&Values],
    known: Option<(usize, bool)>,
    asks_arn: bool,
) -> WordQuestion {
    let mut words = WordQuestion::default();
    if value_type(key.name) == Some(KeyType::Bool) {
        let tracks = vec![Track::folded("true"), Track::folded("false")];
        words.positive.push(vec![WordLiteral {
            tracks,
            accepted: true,
        }]);
    }
    let never = || -> WordClause {
        vec![WordLiteral {
            tracks: Vec::new(),
            accepted: true,
        }]
    };
    for (i, set) in sets.iter().enumerate() {
        let literal = |reading, accepted| -> WordClause {
            vec![WordLiteral {
                tracks: tracks(set, key.cases, reading),
                accepted,
            }]
        };
        let both = match known {
            Some((k, true)) if k == i => [Vec::new(), never()],
            Some((k, false)) if k == i => [never(), Vec::new()],
            _ => [
                literal(track::VariableReading::Surely, true),
                literal(track::VariableReading::Maybe, false),
            ],
        };
        words.negative.extend(both);
    }
    if asks_arn {
        // A variable's value may have colons: where one is a letter of the text, it may be an ARN or not.
        for (reading, accepted) in [
            (track::VariableReading::Surely, true),
            (track::VariableReading::Maybe, false),
        ] {
            words.negative.push(vec![WordLiteral {
                tracks: vec![Track::any_arn_read(reading)],
                accepted,
            }]);
        }
    }
    words
}

/// The tracks of a set of texts; none for sets of other things.
fn tracks(set: &Values, cases: &VariableCases, reading: track::VariableReading) -> Vec<Track> {
    match set {
        Values::Strings(patterns) | Values::Folded(patterns) => patterns
            .iter()
            .filter_map(|p| Track::text(p, cases, reading))
            .collect(),
        Values::Arns(patterns) => patterns
            .iter()
            .filter_map(|p| Track::arn(p, cases, reading))
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
pub(super) fn assignments(sets: usize, kept: &Bits) -> Option<Vec<Bits>> {
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
