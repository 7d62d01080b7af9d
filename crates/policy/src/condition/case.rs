//! What a condition says of all requests of one kind: those without the key, with one value, with a list.
//!
//! The meaning is that of [`Atom::holds`], with what AWS leaves open spelled out: whoever proves something has to prove it
//! for every [`Reading`].

use super::{
    SetOperator,
    atom::{Atom, Predicate, Values},
};

/// What a comparison without set operator makes of a list of several values; AWS does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum OfList {
    /// It does not hold: what the evaluator takes.
    Never,
    /// It holds when some value passes.
    Some,
    /// It holds when all values pass.
    All,
}

/// How undefined constructs are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Reading {
    /// Comparisons without set operator on lists.
    pub(crate) plain: OfList,
    /// The same for negated comparisons.
    pub(crate) negated: OfList,
    /// `ForAnyValue:…IfExists` when the key is absent.
    pub(crate) any_if_exists: bool,
    /// Negated comparisons of numbers, dates, addresses and bytes with a text that is none.
    pub(crate) negated_of_other_type: bool,
}

impl Reading {
    /// The evaluator's.
    pub(crate) const OURS: Self = Self {
        plain: OfList::Never,
        negated: OfList::Never,
        any_if_exists: true,
        negated_of_other_type: true,
    };

    /// All readings that differ for a key that is absent.
    pub(crate) const OF_ABSENT: [Self; 2] = [
        Self::OURS,
        Self {
            any_if_exists: false,
            ..Self::OURS
        },
    ];

    /// All readings that differ for one value.
    pub(crate) const OF_ONE: [Self; 2] = [
        Self::OURS,
        Self {
            negated_of_other_type: false,
            ..Self::OURS
        },
    ];

    /// All readings that differ for lists of a key that may be a list as far as is known.
    pub(crate) fn of_lists() -> impl Iterator<Item = Self> {
        const ALL: [OfList; 3] = [OfList::Never, OfList::Some, OfList::All];
        Self::OF_ONE.into_iter().flat_map(|one| {
            ALL.into_iter().flat_map(move |plain| {
                ALL.into_iter().map(move |negated| Self {
                    plain,
                    negated,
                    ..one
                })
            })
        })
    }
}

/// What is known of the values of a key, by the sets of texts that conditions compare them with.
pub(crate) trait Facts {
    /// How many values there are: 0, 1 or 2 for more.
    fn count(&self) -> usize;
    /// Whether all values are in the set, and whether some value is.
    fn within(&self, set: &Values) -> (bool, bool);
    /// Whether some value is of another type than the set's.
    fn of_other_type(&self, set: &Values) -> bool;
}

impl Atom {
    /// Whether the condition holds for such values.
    pub(crate) fn holds_in(&self, facts: &impl Facts, reading: Reading) -> bool {
        let (set, negated, if_exists, values) = match &self.predicate {
            Predicate::Presence { absent, present } => {
                return if facts.count() == 0 { *absent } else { *present };
            }
            Predicate::Compare {
                set,
                negated,
                if_exists,
                values,
            } => (*set, *negated, *if_exists, values),
        };
        if facts.count() == 0 {
            return match set {
                None => negated || if_exists,
                Some(SetOperator::ForAllValues) => true,
                Some(SetOperator::ForAnyValue) => if_exists && reading.any_if_exists,
            };
        }
        let (all_in, some_in) = facts.within(values);
        let undefined = negated && !reading.negated_of_other_type && facts.of_other_type(values);
        let (all, some) = match (negated, undefined) {
            (false, _) => (all_in, some_in),
            (true, false) => (!some_in, !all_in),
            // With several values the others may pass.
            (true, true) => (false, !all_in && facts.count() > 1),
        };
        match set {
            Some(SetOperator::ForAllValues) => all,
            Some(SetOperator::ForAnyValue) => some,
            None if facts.count() == 1 => all,
            None => match if negated { reading.negated } else { reading.plain } {
                OfList::Never => false,
                OfList::Some => some,
                OfList::All => all,
            },
        }
    }
}
