//! What a condition says of all requests of one kind: those without the key, with one value, with a list.
//!
//! The meaning is that of [`Atom::holds`], with what AWS leaves open spelled out: whoever proves something has to prove it
//! for every [`ConditionReading`].

use super::{
    atom::{Atom, Predicate},
    values::Values,
};
use crate::ast::SetOperator;

/// A type of values that a negated comparison is about. AWS does not define it for texts that are of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ComparedType {
    Number,
    Date,
    Address,
    Arn,
}

impl ComparedType {
    /// The type of what is compared with the values, when texts may be of another one.
    pub(crate) fn of(values: &Values) -> Option<Self> {
        match values {
            Values::Numbers(..) => Some(Self::Number),
            Values::Dates(..) => Some(Self::Date),
            Values::Addresses(_) => Some(Self::Address),
            Values::Arns(_) => Some(Self::Arn),
            // There is no negated comparison of bytes and flags, and every text is a text.
            Values::Binary(_) | Values::Bool { .. } | Values::Strings(_) | Values::Folded(_) => None,
        }
    }
}

/// Some of the types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct ComparedTypes(u8);

impl ComparedTypes {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(0b1111);

    pub(crate) fn contains(self, one: ComparedType) -> bool {
        self.0 >> one as u8 & 1 == 1
    }

    pub(crate) fn with(self, one: ComparedType) -> Self {
        Self(self.0 | 1 << one as u8)
    }

    fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Every choice of some of these.
    fn choices(self) -> impl Iterator<Item = Self> {
        (0..=self.0).filter(move |some| some & !self.0 == 0).map(Self)
    }
}

/// What a comparison without set operator makes of a list. AWS does not say; engines do the one or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Plain {
    /// It never holds, nor does its negation: what the evaluator takes.
    Fails,
    /// It never holds, so that its negation always does.
    Differs,
    /// It holds when some value passes, its negation when all do.
    LooksAtEach,
}

/// How undefined constructs are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConditionReading {
    /// A comparison without set operator of a list.
    pub(crate) plain_of_lists: Plain,
    /// `ForAnyValue:…IfExists` when the key is absent.
    pub(crate) any_if_exists: bool,
    /// The types whose negated comparisons hold for a text of another type.
    pub(crate) negated_of_others: ComparedTypes,
    /// Whether values that are all empty texts are none to `ForAllValues`, which the guide says ("a null data set, such as an empty string"), and so to
    /// `Null`, by which the guide says that one guards against that.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>
    pub(crate) empty_are_none: bool,
    /// Whether statements without `Resource` are about what is asked for, `NotResource` with a variable without value matches,
    /// and conditions without values hold.
    pub(crate) open: bool,
}

impl ConditionReading {
    /// The evaluator's.
    pub(crate) const OURS: Self = Self {
        plain_of_lists: Plain::Fails,
        any_if_exists: true,
        negated_of_others: ComparedTypes::ALL,
        empty_are_none: false,
        open: true,
    };

    /// All readings that differ for a key that is absent.
    pub(crate) const OF_ABSENT: [Self; 2] = [
        Self::OURS,
        Self {
            any_if_exists: false,
            ..Self::OURS
        },
    ];

    /// The same with what is open read the other way.
    pub(crate) fn closed(self) -> Self {
        Self { open: false, ..self }
    }

    /// The same where the values are all empty, and those are none to `ForAllValues`.
    pub(crate) fn of_empty(self) -> Self {
        Self {
            empty_are_none: true,
            ..self
        }
    }

    /// All readings that differ for values that are of another type than these, the evaluator's first. `plain`: the values
    /// are several, and some condition has no set operator.
    pub(crate) fn of_values(undefined: ComparedTypes, plain: bool) -> impl Iterator<Item = Self> {
        undefined.choices().flat_map(move |not_so| {
            let ours = Self {
                negated_of_others: ComparedTypes::ALL.without(not_so),
                ..Self::OURS
            };
            let others = [Plain::Differs, Plain::LooksAtEach].map(|plain_of_lists| Self {
                plain_of_lists,
                ..ours
            });
            std::iter::once(ours).chain(others.into_iter().filter(move |_| plain))
        })
    }
}

/// What is known of the values of a key towards the values of one condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ObservedValues {
    /// How many values the key has: 0, 1, or 2 for more.
    pub(crate) count: usize,
    /// Some value is one that the condition compares with.
    pub(crate) inside: bool,
    /// Some value is another one of their type.
    pub(crate) outside: bool,
    /// Some value is of another type.
    pub(crate) other: bool,
}

impl Atom {
    /// Whether the condition holds for such values.
    pub(crate) fn holds_for(&self, seen: ObservedValues, reading: ConditionReading) -> bool {
        let (set, negated, if_exists, values) = match &self.predicate {
            Predicate::Presence { absent, present } => {
                let is_none = seen.count == 0 || reading.empty_are_none;
                return if is_none { *absent } else { *present };
            }
            Predicate::Attached | Predicate::Unsaid { .. } => return reading.open,
            Predicate::Resolved => return seen.count == 1 || reading.open,
            Predicate::Compare {
                set,
                negated,
                if_exists,
                values,
            } => (*set, *negated, *if_exists, values),
        };
        if seen.count == 0 {
            return match set {
                None => negated || if_exists,
                Some(SetOperator::ForAllValues) => true,
                Some(SetOperator::ForAnyValue) => if_exists && reading.any_if_exists,
            };
        }
        let (all, some) = if negated {
            let others_pass =
                ComparedType::of(values).is_none_or(|of| reading.negated_of_others.contains(of));
            (
                !seen.inside && (others_pass || !seen.other),
                seen.outside || (others_pass && seen.other),
            )
        } else {
            (!seen.outside && !seen.other, seen.inside)
        };
        match set {
            Some(SetOperator::ForAllValues) => all || reading.empty_are_none,
            Some(SetOperator::ForAnyValue) => some,
            None if seen.count == 1 => all,
            None => match (reading.plain_of_lists, negated) {
                (Plain::Fails, _) | (Plain::Differs, false) => false,
                (Plain::Differs, true) => true,
                (Plain::LooksAtEach, false) => some,
                (Plain::LooksAtEach, true) => all,
            },
        }
    }

    /// The type for which the condition is not defined when a value is of another one.
    pub(crate) fn undefined_for_others_than(&self) -> Option<ComparedType> {
        match &self.predicate {
            Predicate::Compare {
                negated: true,
                values,
                ..
            } => ComparedType::of(values),
            _ => None,
        }
    }
}
