//! What a condition says of all requests of one kind: those without the key, with one value, with a list.
//!
//! The meaning is that of [`Atom::holds`], with what AWS leaves open spelled out: whoever proves something has to prove it
//! for every [`Reading`].

use super::{
    SetOperator,
    atom::{Atom, Predicate, Values},
};

/// How undefined constructs are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Reading {
    /// A comparison without set operator holds for a list when some value passes, a negated one when all do; otherwise it
    /// never holds for a list, which is what the evaluator takes. AWS does not say; engines do the one or the other.
    pub(crate) plain_of_lists: bool,
    /// `ForAnyValue:…IfExists` when the key is absent.
    pub(crate) any_if_exists: bool,
    /// Negated comparisons of numbers, dates, addresses and bytes with a text that is none.
    pub(crate) negated_of_other_type: bool,
    /// Statements without `Resource`.
    pub(crate) attached: bool,
}

impl Reading {
    /// The evaluator's.
    pub(crate) const OURS: Self = Self {
        plain_of_lists: false,
        any_if_exists: true,
        negated_of_other_type: true,
        attached: true,
    };

    /// All readings that differ for a key that is absent.
    pub(crate) const OF_ABSENT: [Self; 3] = [
        Self::OURS,
        Self {
            any_if_exists: false,
            ..Self::OURS
        },
        Self {
            attached: false,
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

    /// All readings that differ for several values.
    pub(crate) const OF_LISTS: [Self; 4] = {
        let [ours, other] = Self::OF_ONE;
        [
            ours,
            other,
            Self {
                plain_of_lists: true,
                ..ours
            },
            Self {
                plain_of_lists: true,
                ..other
            },
        ]
    };
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
            Predicate::Attached => return reading.attached,
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
            None if !reading.plain_of_lists => false,
            None if negated => all,
            None => some,
        }
    }
}
