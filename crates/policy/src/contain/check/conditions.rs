//! What conditions say of values of a kind. Written apart from [`crate::condition::case`].

use crate::{
    ast::SetOperator,
    condition::{
        atom::{Atom, Predicate},
        values::Values,
    },
    pattern::arn::ArnPattern,
    work::Work,
};

/// Where values lie towards a value set, as a set of these: some value is in it, is another one of its type, or is of
/// another type.
pub(super) type Places = u8;

pub(super) const IN: Places = 1;
pub(super) const OUT: Places = 2;
pub(super) const ALIEN: Places = 4;

/// The types for which AWS does not define a negated comparison with a text of another one.
pub(super) const TYPES: usize = 4;

/// The index of the type of a value set, if it has one of these types.
pub(super) fn type_of(values: &Values) -> Option<usize> {
    match values {
        Values::Numbers(..) => Some(0),
        Values::Dates(..) => Some(1),
        Values::Addresses(_) => Some(2),
        Values::Arns(_) => Some(3),
        Values::Strings(_) | Values::Folded(_) | Values::Bool { .. } | Values::Binary(_) => None,
    }
}

/// One way to read what AWS does not define. Both policies are read in the same way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Way {
    /// What a comparison without set operator makes of a list.
    lists: Lists,
    /// `ForAnyValue:…IfExists` holds when the key is absent.
    pub(super) absent: bool,
    /// Statements without `Resource` are about nothing, those whose `NotResource` has a variable without value do not match,
    /// and conditions without values do not hold.
    pub(super) closed: bool,
    /// The values are empty texts, and none to `ForAllValues` and to `Null`.
    pub(super) empty: bool,
    /// For each type: a negated comparison fails for a text of another type.
    pub(super) aliens_fail: [bool; TYPES],
}

/// Whether a comparison without set operator fails for lists, whether only its negation holds, or whether every value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Lists {
    #[default]
    Fail,
    AreUnequal,
    Count,
}

/// All ways in which a key may be absent.
pub(super) fn ways_of_absence() -> Vec<Way> {
    let ways = [(false, false), (true, false), (false, true), (true, true)];
    let way = |(absent, closed)| Way {
        absent,
        closed,
        ..Way::default()
    };
    ways.map(way).to_vec()
}

/// All ways for values; with lists read in each way where that matters, and the types that matter, and with what is `open`.
pub(super) fn ways(lists: bool, types: [bool; TYPES], open: bool) -> Vec<Way> {
    let of_lists: &[Lists] = if lists {
        &[Lists::Fail, Lists::AreUnequal, Lists::Count]
    } else {
        &[Lists::Fail]
    };
    let way = |lists: &Lists| Way {
        lists: *lists,
        ..Way::default()
    };
    let mut ways: Vec<Way> = of_lists.iter().map(way).collect();
    let mut double = |change: &dyn Fn(&mut Way)| {
        let mut more = ways.clone();
        more.iter_mut().for_each(change);
        ways.extend(more);
    };
    if open {
        double(&|way| way.closed = true);
    }
    for (i, matters) in types.into_iter().enumerate() {
        if matters {
            double(&|way| {
                way.aliens_fail
                    .iter_mut()
                    .skip(i)
                    .take(1)
                    .for_each(|fails| *fails = true)
            });
        }
    }
    ways
}

/// Whether a condition holds for `count` values (2: several) that lie so towards its value set.
pub(super) fn holds(atom: &Atom, count: usize, places: Places, way: Way) -> bool {
    let Predicate::Compare {
        set,
        negated,
        if_exists,
        values,
    } = &atom.predicate
    else {
        return match &atom.predicate {
            Predicate::Presence { absent, .. } if count == 0 || way.empty => *absent,
            Predicate::Presence { present, .. } => *present,
            Predicate::Attached | Predicate::Unsaid { .. } => !way.closed,
            Predicate::Resolved => count == 1 || !way.closed,
            Predicate::Compare { .. } => false,
        };
    };
    if count == 0 {
        return match set {
            Some(SetOperator::ForAllValues) => true,
            Some(SetOperator::ForAnyValue) => *if_exists && way.absent,
            None => *negated || *if_exists,
        };
    }
    let aliens_fail = type_of(values)
        .and_then(|of| way.aliens_fail.get(of))
        .copied()
        .unwrap_or(false);
    // Which values pass.
    let passing = match (*negated, aliens_fail) {
        (false, _) => IN,
        (true, true) => OUT,
        (true, false) => OUT | ALIEN,
    };
    let (all, some) = (places & !passing == 0, places & passing != 0);
    match set {
        Some(SetOperator::ForAllValues) => all || way.empty,
        Some(SetOperator::ForAnyValue) => some,
        None if count == 1 => all,
        None => match way.lists {
            Lists::Fail => false,
            Lists::AreUnequal => *negated,
            Lists::Count if *negated => all,
            Lists::Count => some,
        },
    }
}

/// Whether a condition holds whenever another one does: it is the same, or the same comparison with values among which all
/// of the other's are (negated: which are all among the other's).
pub(super) fn follows(wanted: &Atom, given: &Atom, work: &mut Work) -> bool {
    if !work.step() || wanted.key != given.key {
        return false;
    }
    let (wide, narrow) = match (&wanted.predicate, &given.predicate) {
        (wanted, given) if wanted == given => return true,
        (
            Predicate::Compare {
                set,
                negated,
                if_exists,
                values,
            },
            Predicate::Compare {
                set: given_set,
                negated: given_negated,
                if_exists: given_if_exists,
                values: given_values,
            },
        ) => {
            let same = set == given_set && negated == given_negated;
            // Where the key is absent IfExists holds.
            if !same || (*given_if_exists && !*if_exists) {
                return false;
            }
            if *negated {
                (given_values, values)
            } else {
                (values, given_values)
            }
        }
        _ => return false,
    };
    if !work.charge(narrow.len()) {
        return false;
    }
    match (wide, narrow) {
        (Values::Strings(wide), Values::Strings(narrow)) | (Values::Folded(wide), Values::Folded(narrow)) => {
            narrow.iter().all(|n| wide.iter().any(|w| w.includes(n, work)))
        }
        (Values::Arns(wide), Values::Arns(narrow)) => {
            // Colons in the value of a variable would make other parts of an ARN.
            let sure = |n: &ArnPattern| n.head.iter().all(|part| part.variables().is_empty());
            narrow
                .iter()
                .all(|n| wide.iter().any(|w| w == n || (sure(n) && w.includes(n, work))))
        }
        (Values::Addresses(wide), Values::Addresses(narrow)) => {
            narrow.iter().all(|n| wide.iter().any(|w| w.includes(n)))
        }
        (Values::Binary(wide), Values::Binary(narrow)) => narrow.iter().all(|n| wide.contains(n)),
        _ => false,
    }
}
