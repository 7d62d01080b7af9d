//! All kinds of values of a key: where they lie towards every value set.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::question::KeyQuestion;
use crate::{
    ast::SetOperator,
    condition::{atom::Predicate, value::Cidr, values::Values},
    contain::{
        certificate::KeyEvidence,
        check::{
            branches::Branches,
            conditions::{ALIEN, IN, OUT, Places},
            error::{TOO_MUCH, ensure},
            product::{self, ProductLiteral},
        },
    },
    keys::value_type,
    pattern::{
        glob::Pattern,
        track::{Track, VariableReading},
    },
    reference::condition_key::KeyType,
    work::Work,
};

/// For each value set, where the value lies.
pub(super) type KindPlaces = Vec<Places>;

/// So many kinds are looked at.
const MAX_KINDS: usize = 1 << 15;

/// The types that are no texts with patterns.
fn class(set: &Values) -> Option<u8> {
    match set {
        Values::Numbers(..) => Some(0),
        Values::Dates(..) => Some(1),
        Values::Binary(_) => Some(2),
        Values::Addresses(_) => Some(3),
        Values::Strings(_) | Values::Folded(_) | Values::Arns(_) | Values::Bool { .. } => None,
    }
}

/// Whether all values of the key are of the class, so that there are no others.
fn is_typed(key: &str, wanted: u8) -> bool {
    match value_type(key) {
        Some(KeyType::Numeric) => wanted == 0,
        Some(KeyType::Date) => wanted == 1,
        Some(KeyType::IpAddress) => wanted == 3,
        _ => false,
    }
}

pub(super) fn kinds(
    question: &KeyQuestion<'_>,
    sets: &[&Values],
    evidence: &KeyEvidence,
    work: &mut Work,
) -> Result<Vec<KindPlaces>, &'static str> {
    let mut kinds: HashSet<KindPlaces> = of_texts(question, sets, evidence, work)?;
    for wanted in 0..4 {
        let members: Vec<usize> = (0..sets.len())
            .filter(|i| sets.get(*i).and_then(|set| class(set)) == Some(wanted))
            .collect();
        if members.is_empty() {
            continue;
        }
        let mut pieces: BTreeSet<KindPlaces> = BTreeSet::new();
        for inside in pieces_of(wanted, sets, &members, work)? {
            let mut piece = vec![0; sets.len()];
            for i in &members {
                set_at(&mut piece, *i, if inside.contains(i) { IN } else { OUT });
            }
            pieces.insert(piece);
        }
        // Nothing asks whether a text is base64 but the positive comparison, which then fails like for other bytes.
        if !is_typed(question.key, wanted) && wanted != 2 {
            let mut piece = vec![0; sets.len()];
            members.iter().for_each(|i| set_at(&mut piece, *i, ALIEN));
            pieces.insert(piece);
        }
        let mut product = HashSet::new();
        for kind in &kinds {
            for piece in &pieces {
                ensure(
                    work.charge(4 + kind.len() / 4) && product.len() <= MAX_KINDS,
                    TOO_MUCH,
                )?;
                product.insert(kind.iter().zip(piece).map(|(a, b)| a | b).collect());
            }
        }
        kinds = product;
    }
    Ok(kinds.into_iter().collect())
}

fn set_at(kind: &mut KindPlaces, i: usize, place: Places) {
    if let Some(at) = kind.get_mut(i) {
        *at = place;
    }
}

/// In which of the members the values of a type are: every threshold, what comes right before and after it, and one of
/// none.
fn pieces_of(
    wanted: u8,
    sets: &[&Values],
    members: &[usize],
    work: &mut Work,
) -> Result<Vec<BTreeSet<usize>>, &'static str> {
    let mut numbers: BTreeSet<i128> = BTreeSet::new();
    let mut bytes: BTreeSet<&[u8]> = BTreeSet::new();
    let mut addresses: Vec<Cidr> = ["0.0.0.0", "::"].into_iter().filter_map(Cidr::parse).collect();
    let of = |i: &usize| sets.get(*i).copied();
    for set in members.iter().filter_map(of) {
        match set {
            Values::Numbers(_, values) | Values::Dates(_, values) => {
                let around = |v: &i128| [v.saturating_sub(1), *v, v.saturating_add(1)];
                numbers.extend(values.iter().flat_map(around));
            }
            Values::Binary(values) => bytes.extend(values.iter().map(Vec::as_slice)),
            Values::Addresses(ranges) => {
                let edges = ranges
                    .iter()
                    .flat_map(|range| [Some(range.first()), range.after()]);
                addresses.extend(edges.flatten().filter_map(|text| Cidr::parse(&text)));
            }
            _ => {}
        }
    }
    let size: usize = members.iter().filter_map(of).map(Values::len).sum();
    let points = match wanted {
        0 | 1 => numbers.len(),
        2 => 1 + bytes.len(),
        _ => addresses.len(),
    };
    ensure(work.charge(points.saturating_mul(size + members.len())), TOO_MUCH)?;
    let inside = |test: &dyn Fn(&Values) -> bool| -> BTreeSet<usize> {
        members
            .iter()
            .copied()
            .filter(|i| of(i).is_some_and(test))
            .collect()
    };
    Ok(match wanted {
        0 | 1 => {
            let at = |n: i128| {
                inside(&|set| match set {
                    Values::Numbers(compare, values) | Values::Dates(compare, values) => {
                        values.iter().any(|v| compare.holds(n, *v))
                    }
                    _ => false,
                })
            };
            numbers.into_iter().map(at).collect()
        }
        2 => {
            let at = |b: &[u8]| {
                inside(&|set| matches!(set, Values::Binary(values) if values.iter().any(|v| v == b)))
            };
            bytes.into_iter().map(at).chain([BTreeSet::new()]).collect()
        }
        _ => {
            let at = |a: Cidr| {
                inside(
                    &|set| matches!(set, Values::Addresses(ranges) if ranges.iter().any(|r| r.includes(&a))),
                )
            };
            addresses.into_iter().map(at).collect()
        }
    })
}

/// Whether the empty text may be a value of this kind. Texts of a type are never empty, but where nobody says of which type they are, any kind
/// outside of such a set may be.
pub(super) fn may_be_empty(key: &str, sets: &[&Values], kind: &KindPlaces) -> bool {
    if !matches!(value_type(key), None | Some(KeyType::String)) {
        return false;
    }
    sets.iter().zip(kind).all(|(set, place)| {
        let is_inside = place & IN != 0;
        match set {
            Values::Strings(patterns) | Values::Folded(patterns) => {
                let of_each: Vec<Option<bool>> = patterns.iter().map(Pattern::takes_nothing).collect();
                match is_inside {
                    true => of_each.iter().any(|takes| *takes != Some(false)),
                    false => of_each.iter().all(|takes| *takes != Some(true)),
                }
            }
            Values::Binary(values) => is_inside == values.contains(&Vec::new()),
            _ => !is_inside,
        }
    })
}

/// The kinds of texts; other sets are left open (0).
fn of_texts(
    question: &KeyQuestion<'_>,
    sets: &[&Values],
    evidence: &KeyEvidence,
    work: &mut Work,
) -> Result<HashSet<KindPlaces>, &'static str> {
    let members: Vec<usize> = (0..sets.len())
        .filter(|i| sets.get(*i).is_some_and(|set| class(set).is_none()))
        .collect();
    if members.is_empty() {
        return Ok(HashSet::from([vec![0; sets.len()]]));
    }
    let asks = asking_for_arns(question, sets);
    // A text that is no ARN is of another type for the sets of ARNs whose negated comparison asks.
    let kind = |inside: &dyn Fn(usize) -> bool, is_arn: bool| {
        let mut kind = vec![0; sets.len()];
        for (n, i) in members.iter().enumerate() {
            let place = match inside(n) {
                true => IN,
                false if !is_arn && asks.contains(i) => ALIEN,
                false => OUT,
            };
            set_at(&mut kind, *i, place);
        }
        kind
    };
    if let Some(texts) = spelled_out(question.key, sets, &members, work)? {
        ensure(
            work.charge(texts.len().saturating_mul(4 + sets.len() / 4)),
            TOO_MUCH,
        )?;
        let mut kinds: HashSet<KindPlaces> = texts
            .iter()
            .map(|(text, inside)| kind(&|n| inside.contains(&n), is_arn(text)))
            .collect();
        // What is none of them: an ARN, and another text.
        kinds.insert(kind(&|_| false, true));
        kinds.insert(kind(&|_| false, false));
        return Ok(kinds);
    }
    let mut kinds = HashSet::new();
    let questions = questions(question, sets, &members, !asks.is_empty());
    ensure(
        questions.len() == evidence.texts.len(),
        "a kind of text is not looked at",
    )?;
    let last = members.len();
    for ((positive, negative), (states, vectors)) in questions.into_iter().zip(&evidence.texts) {
        let vectors: Vec<Vec<usize>> = vectors.iter().map(|bits| bits.iter().collect()).collect();
        let branches = Branches::new(vectors.iter().cloned());
        product::check(positive, negative, states, &branches, work)?;
        for vector in &vectors {
            let asked = last + usize::from(!asks.is_empty());
            let mut ways: Vec<Vec<bool>> = vec![Vec::with_capacity(asked)];
            for n in 0..asked {
                // Neither surely inside nor surely outside: it may be either.
                let (inside, outside) = (vector.contains(&(2 * n)), vector.contains(&(2 * n + 1)));
                let open = !inside && !outside;
                ensure(ways.len() <= 4096 && work.charge(1 + ways.len()), TOO_MUCH)?;
                let more = if open { ways.clone() } else { Vec::new() };
                ways.iter_mut().for_each(|way| way.push(inside || open));
                ways.extend(more.into_iter().map(|mut way| {
                    way.push(false);
                    way
                }));
            }
            kinds.extend(ways.iter().map(|way| {
                let is = |n: usize| way.get(n).copied().unwrap_or(false);
                kind(&is, asks.is_empty() || is(last))
            }));
        }
    }
    Ok(kinds)
}

/// The sets of ARNs that a negated comparison is made with, unless all values of the key are ARNs.
fn asking_for_arns(question: &KeyQuestion<'_>, sets: &[&Values]) -> BTreeSet<usize> {
    if value_type(question.key) == Some(KeyType::Arn) {
        return BTreeSet::new();
    }
    let atoms = question
        .positive
        .iter()
        .chain(question.negative.iter().flat_map(|(_, atoms)| atoms));
    let compared: HashSet<&Values> = atoms
        .filter_map(|atom| match &atom.predicate {
            Predicate::Compare {
                negated: true,
                values: values @ Values::Arns(_),
                ..
            } => Some(values),
            _ => None,
        })
        .collect();
    (0..sets.len())
        .filter(|i| sets.get(*i).is_some_and(|set| compared.contains(set)))
        .collect()
}

fn is_arn(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    parts.next() == Some("arn") && parts.count() == 5
}

/// Every text that is spelled out, with the members that have it; `None` when something else than such texts is asked for.
fn spelled_out(
    key: &str,
    sets: &[&Values],
    members: &[usize],
    work: &mut Work,
) -> Result<Option<BTreeMap<String, BTreeSet<usize>>>, &'static str> {
    let mut texts: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (n, set) in members.iter().filter_map(|i| sets.get(*i)).enumerate() {
        let mut add = |text: Option<String>| -> Result<bool, &'static str> {
            let Some(text) = text else { return Ok(false) };
            ensure(work.charge(2 + text.len()), TOO_MUCH)?;
            texts.entry(text).or_default().insert(n);
            Ok(true)
        };
        let all = match set {
            Values::Strings(patterns) => {
                let mut all = true;
                for pattern in patterns {
                    all = all && add(pattern.as_literal())?;
                }
                all
            }
            Values::Arns(patterns) => {
                let mut all = true;
                for arn in patterns {
                    let [a, b, c, d, e] = arn.head.each_ref().map(|part| part.as_literal());
                    let text = (|| Some([a?, b?, c?, d?, e?, arn.rest.as_literal()?].join(":")))();
                    all = all && add(text)?;
                }
                all
            }
            _ => false,
        };
        if !all || value_type(key) == Some(KeyType::Bool) {
            return Ok(None);
        }
    }
    Ok(Some(texts))
}

/// Positive clauses, and negative ones with what they stand for.
type TextQuestion = (Vec<Vec<ProductLiteral>>, Vec<(usize, Vec<ProductLiteral>)>);

/// The questions about texts: two negative clauses for each set, surely inside and surely outside, and two more for being an
/// ARN when that matters. With variables, the texts inside of a set that must hold are one question, whose letters they
/// are, and those outside another.
fn questions(
    question: &KeyQuestion<'_>,
    sets: &[&Values],
    members: &[usize],
    arns: bool,
) -> Vec<TextQuestion> {
    let own: Vec<&Values> = members.iter().filter_map(|i| sets.get(*i).copied()).collect();
    let must = question
        .positive
        .iter()
        .filter(|atom| !atom.variables().is_empty());
    let exact = must
        .filter_map(|atom| match &atom.predicate {
            // For all values holds of an empty one as well, wherever that lies: with one value no other question would look at it.
            Predicate::Compare {
                set: Some(SetOperator::ForAllValues),
                ..
            } if question.single => None,
            Predicate::Compare {
                negated: false,
                values,
                ..
            } => own.iter().position(|set| *set == values),
            _ => None,
        })
        .next();
    let make =
        |set: &Values, reading, accepted| vec![ProductLiteral::new(tracks(question, set, reading), accepted)];
    let never = || vec![ProductLiteral::new(Vec::new(), true)];
    let ask = |inside: Option<bool>| {
        let mut positive = Vec::new();
        if value_type(question.key) == Some(KeyType::Bool) {
            let flags = vec![Track::folded("true"), Track::folded("false")];
            positive.push(vec![ProductLiteral::new(flags, true)]);
        }
        let mut negative = Vec::new();
        for (n, set) in own.iter().enumerate() {
            let known = inside.filter(|_| exact == Some(n));
            let (a, b) = match known {
                Some(true) => (Vec::new(), never()),
                Some(false) => (never(), Vec::new()),
                None => (
                    make(set, VariableReading::Surely, true),
                    make(set, VariableReading::Maybe, false),
                ),
            };
            negative.extend([(2 * n, a), (2 * n + 1, b)]);
            match known {
                Some(true) => positive.push(make(set, VariableReading::Exact, true)),
                Some(false) => positive.push(make(set, VariableReading::Surely, false)),
                None => {}
            }
        }
        if arns {
            let any = |reading| vec![Track::any_arn_read(reading)];
            negative.push((
                2 * own.len(),
                vec![ProductLiteral::new(any(VariableReading::Surely), true)],
            ));
            negative.push((
                2 * own.len() + 1,
                vec![ProductLiteral::new(any(VariableReading::Maybe), false)],
            ));
        }
        (positive, negative)
    };
    match exact {
        None => vec![ask(None)],
        Some(_) if question.single => vec![ask(Some(true))],
        Some(_) => vec![ask(Some(true)), ask(Some(false))],
    }
}

fn tracks(question: &KeyQuestion<'_>, set: &Values, reading: VariableReading) -> Vec<Track> {
    match set {
        Values::Strings(patterns) | Values::Folded(patterns) => patterns
            .iter()
            .filter_map(|p| Track::text(p, question.cases, reading))
            .collect(),
        Values::Arns(patterns) => patterns
            .iter()
            .filter_map(|p| Track::arn(p, question.cases, reading))
            .collect(),
        Values::Bool { yes, no } => {
            let (yes, no) = (
                yes.then(|| Track::folded("true")),
                no.then(|| Track::folded("false")),
            );
            yes.into_iter().chain(no).collect()
        }
        _ => Vec::new(),
    }
}
