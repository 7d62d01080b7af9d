//! Verifies the case distinction on one condition key: absent, every kind of value, every list of such kinds.

use std::collections::BTreeSet;

use super::{Checked, ensure, product, product::Literal, tree::allowed};
use crate::{
    condition::{
        atom::{Atom, Predicate, Values},
        case::{Facts, Reading},
        value::Cidr,
    },
    contain::keys::Evidence,
    evaluate::Context,
    keys::{Arity, KeyType, arity, value_type},
    positions::{self, Track, VariableCase, World},
    work::Work,
};

pub(super) struct Question<'a> {
    pub(super) key: &'a str,
    pub(super) positive: Vec<&'a Atom>,
    pub(super) negative: Vec<(usize, Vec<&'a Atom>)>,
    pub(super) world: &'a World,
    pub(super) branches: &'a [&'a [usize]],
}

/// In which of the value sets a text is, or all texts of a list are and some is; and whether one is of another type than
/// what it is compared with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    all: Vec<bool>,
    some: Vec<bool>,
    other: bool,
}

struct Known<'a> {
    sets: &'a [&'a Values],
    kind: &'a Kind,
    count: usize,
}

impl Facts for Known<'_> {
    fn count(&self) -> usize {
        self.count
    }

    fn within(&self, set: &Values) -> (bool, bool) {
        let i = self
            .sets
            .iter()
            .position(|known| *known == set)
            .unwrap_or(usize::MAX);
        let get = |flags: &[bool]| flags.get(i).copied().unwrap_or(false);
        (get(&self.kind.all), get(&self.kind.some))
    }

    fn of_other_type(&self, set: &Values) -> bool {
        self.kind.other && class(set).is_some()
    }
}

/// Positive clauses, and negative ones with what they stand for.
type TextQuestion = (Vec<Vec<Literal>>, Vec<(usize, Vec<Literal>)>);

/// The types that are no texts with patterns.
fn class(set: &Values) -> Option<u8> {
    match set {
        Values::Numbers(..) => Some(0),
        Values::Dates(..) => Some(1),
        Values::Binary(_) => Some(2),
        Values::Addresses(_) => Some(3),
        _ => None,
    }
}

impl Question<'_> {
    pub(super) fn check(&self, evidence: &Evidence) -> Checked {
        let mut sets: Vec<&Values> = Vec::new();
        for atom in self
            .positive
            .iter()
            .chain(self.negative.iter().flat_map(|(_, atoms)| atoms))
        {
            if let Predicate::Compare { values, .. } = &atom.predicate
                && !sets.contains(&values)
            {
                sets.push(values);
            }
        }
        let case = self
            .world
            .iter()
            .find(|(key, _)| key == self.key)
            .map(|(_, case)| *case);
        let single = arity(self.key) == Arity::Single;
        let empty = Kind {
            all: vec![false; sets.len()],
            some: vec![false; sets.len()],
            other: false,
        };
        if matches!(case, None | Some(VariableCase::Absent)) {
            self.keeps(&sets, &empty, 0, &Reading::OF_ABSENT)?;
        }
        if case == Some(VariableCase::Absent) {
            return Ok(());
        }
        let kinds = self.kinds(&sets, single, evidence)?;
        if case != Some(VariableCase::List) {
            for kind in &kinds {
                self.keeps(&sets, kind, 1, &Reading::OF_ONE)?;
            }
        }
        if single || case == Some(VariableCase::Present) {
            return Ok(());
        }
        let mut lists = kinds.clone();
        loop {
            let join = |a: &Kind, b: &Kind| Kind {
                all: a.all.iter().zip(&b.all).map(|(a, b)| *a && *b).collect(),
                some: a.some.iter().zip(&b.some).map(|(a, b)| *a || *b).collect(),
                other: a.other || b.other,
            };
            let longer: BTreeSet<Kind> = lists
                .iter()
                .flat_map(|a| kinds.iter().map(move |b| join(a, b)))
                .collect();
            let more: BTreeSet<Kind> = lists.union(&longer).cloned().collect();
            if more.len() == lists.len() {
                break;
            }
            lists = more;
        }
        for list in &lists {
            self.keeps(&sets, list, 2, &Reading::OF_LISTS)?;
        }
        Ok(())
    }

    /// Whether under every reading a request with such values keeps a branch, or is none that is asked for.
    fn keeps(&self, sets: &[&Values], kind: &Kind, count: usize, readings: &[Reading]) -> Checked {
        let known = Known { sets, kind, count };
        for reading in readings {
            let hold = |atoms: &[&Atom]| atoms.iter().all(|atom| atom.holds_in(&known, *reading));
            let kept = self
                .negative
                .iter()
                .filter(|(_, atoms)| hold(atoms))
                .map(|(i, _)| *i);
            let asked = hold(&self.positive);
            ensure(
                !asked || allowed(&kept.collect::<Vec<_>>(), self.branches),
                "a value of a condition key is left out",
            )?;
        }
        Ok(())
    }

    /// All kinds of values.
    fn kinds(
        &self,
        sets: &[&Values],
        single: bool,
        evidence: &Evidence,
    ) -> Result<BTreeSet<Kind>, &'static str> {
        let mut kinds = BTreeSet::new();
        let questions = self.text_questions(sets, single);
        ensure(
            questions.len() == evidence.texts.len(),
            "a kind of text is not looked at",
        )?;
        for ((positive, negative), (states, vectors)) in questions.into_iter().zip(&evidence.texts) {
            let branches: Vec<Vec<usize>> = vectors.iter().map(|bits| bits.iter().collect()).collect();
            let views: Vec<&[usize]> = branches.iter().map(Vec::as_slice).collect();
            product::check(positive, negative, states, &views)?;
            for branch in &branches {
                let mut flags = vec![Vec::with_capacity(sets.len())];
                for i in 0..sets.len() {
                    // Neither surely inside nor surely outside: it may be either.
                    let (inside, outside) = (branch.contains(&(2 * i)), branch.contains(&(2 * i + 1)));
                    let ways = [true, false]
                        .into_iter()
                        .filter(|way| if *way { inside || !outside } else { !inside });
                    let with = |flags: &Vec<bool>, way: bool| [flags.as_slice(), &[way]].concat();
                    let ways: Vec<bool> = ways.collect();
                    ensure(flags.len() <= 4096, "it leaves too much open")?;
                    flags = flags
                        .iter()
                        .flat_map(|f| ways.iter().map(|way| with(f, *way)).collect::<Vec<_>>())
                        .collect();
                }
                kinds.extend(flags.into_iter().map(|all| Kind {
                    some: all.clone(),
                    all,
                    other: false,
                }));
            }
        }
        for wanted in 0..4 {
            let of_class: Vec<bool> = sets.iter().map(|set| class(set) == Some(wanted)).collect();
            if !of_class.contains(&true) {
                continue;
            }
            let typed = match value_type(self.key) {
                Some(KeyType::Numeric) => wanted == 0,
                Some(KeyType::Date) => wanted == 1,
                Some(KeyType::IpAddress) => wanted == 3,
                _ => false,
            };
            let mut pieces = pieces(wanted, sets);
            if !typed {
                pieces.insert((vec![false; sets.len()], true));
            }
            let join = |kind: &Kind, (inside, other): &(Vec<bool>, bool)| {
                let all: Vec<bool> = kind.all.iter().zip(inside).map(|(a, b)| *a || *b).collect();
                Kind {
                    some: all.clone(),
                    all,
                    other: kind.other || *other,
                }
            };
            kinds = kinds
                .iter()
                .flat_map(|kind| pieces.iter().map(move |piece| join(kind, piece)))
                .collect();
        }
        Ok(kinds)
    }

    /// The questions about texts: two negative clauses for each set, surely inside and surely outside. With variables, the
    /// texts inside of a set that must hold are one question, whose letters they are, and those outside another.
    fn text_questions(&self, sets: &[&Values], single: bool) -> Vec<TextQuestion> {
        use positions::Reading::{Exact, Maybe, Surely};
        let must = self.positive.iter().filter(|atom| !atom.variables().is_empty());
        let must = must.filter_map(|atom| match &atom.predicate {
            Predicate::Compare {
                negated: false,
                values,
                ..
            } => sets.iter().position(|set| *set == values),
            _ => None,
        });
        let exact = must.into_iter().next();
        let make = |set: &Values, reading, accepted| vec![Literal::new(self.tracks(set, reading), accepted)];
        let never = || vec![Literal::new(Vec::new(), true)];
        let question = |inside: Option<bool>| {
            let mut positive = Vec::new();
            if value_type(self.key) == Some(KeyType::Bool) {
                let flags = vec![Track::folded("true"), Track::folded("false")];
                positive.push(vec![Literal::new(flags, true)]);
            }
            let mut negative = Vec::new();
            for (i, set) in sets.iter().enumerate() {
                let known = inside.filter(|_| exact == Some(i));
                let (a, b) = match known {
                    Some(true) => (Vec::new(), never()),
                    Some(false) => (never(), Vec::new()),
                    None => (make(set, Surely, true), make(set, Maybe, false)),
                };
                negative.extend([(2 * i, a), (2 * i + 1, b)]);
                match known {
                    Some(true) => positive.push(make(set, Exact, true)),
                    Some(false) => positive.push(make(set, Surely, false)),
                    None => {}
                }
            }
            (positive, negative)
        };
        match exact {
            None => vec![question(None)],
            Some(_) if single => vec![question(Some(true))],
            Some(_) => vec![question(Some(true)), question(Some(false))],
        }
    }

    fn tracks(&self, set: &Values, reading: positions::Reading) -> Vec<Track> {
        match set {
            Values::Strings(patterns) | Values::Folded(patterns) => patterns
                .iter()
                .filter_map(|p| Track::text(p, self.world, reading))
                .collect(),
            Values::Arns(patterns) => patterns
                .iter()
                .filter_map(|p| Track::arn(p, self.world, reading))
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
}

/// In which sets the values of a type are: every threshold, what comes right before and after it, and one of no set.
fn pieces(wanted: u8, sets: &[&Values]) -> BTreeSet<(Vec<bool>, bool)> {
    let mut numbers: BTreeSet<i128> = BTreeSet::new();
    let mut bytes: BTreeSet<&[u8]> = BTreeSet::new();
    let mut texts: BTreeSet<String> = BTreeSet::new();
    for set in sets.iter().filter(|set| class(set) == Some(wanted)) {
        match set {
            Values::Numbers(_, values) | Values::Dates(_, values) => {
                numbers.extend(
                    values
                        .iter()
                        .flat_map(|v| [v.saturating_sub(1), *v, v.saturating_add(1)]),
                );
            }
            Values::Binary(values) => bytes.extend(values.iter().map(Vec::as_slice)),
            Values::Addresses(ranges) => {
                texts.extend(
                    ranges
                        .iter()
                        .map(Cidr::first)
                        .chain(ranges.iter().filter_map(Cidr::after)),
                );
                texts.extend(["0.0.0.0".to_owned(), "::".to_owned()]);
            }
            _ => {}
        }
    }
    let inside = |test: &dyn Fn(&Values) -> bool| {
        let flags = sets.iter().map(|set| class(set) == Some(wanted) && test(set));
        (flags.collect::<Vec<bool>>(), false)
    };
    let number = |n: i128| {
        inside(&|set| match set {
            Values::Numbers(compare, values) | Values::Dates(compare, values) => {
                values.iter().any(|v| compare.holds(n, *v))
            }
            _ => false,
        })
    };
    let of_bytes =
        |b: &[u8]| inside(&|set| matches!(set, Values::Binary(values) if values.iter().any(|v| v == b)));
    let none = (wanted == 2).then(|| (vec![false; sets.len()], false));
    let address = |text: &String| inside(&|set| set.accepts(text, &Context::new(), &mut Work::unlimited()));
    let by_number = numbers.into_iter().map(number);
    let by_bytes = bytes.into_iter().map(of_bytes);
    by_number
        .chain(by_bytes)
        .chain(texts.iter().map(address))
        .chain(none)
        .collect()
}
