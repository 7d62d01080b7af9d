//! What follows from a condition: implication and contradiction between two conditions on one key.
//!
//! Both answer `true` only when it is certain.

use super::{
    SetOperator,
    atom::{Atom, Compare, Predicate, Values},
};
use crate::{arn::ArnPattern, evaluate::Context, variable::is_single_valued, work::Work};

impl Atom {
    /// Whether every request for which `self` holds also satisfies `other`.
    pub(crate) fn implies(&self, other: &Self, work: &mut Work) -> bool {
        if !work.step() || self.key != other.key {
            return false;
        }
        if self.predicate == other.predicate {
            return true;
        }
        match (&self.predicate, &other.predicate) {
            (
                Predicate::Presence {
                    absent: a,
                    present: p,
                },
                Predicate::Presence {
                    absent: b,
                    present: q,
                },
            ) => (!a || *b) && (!p || *q),
            (
                _,
                Predicate::Presence {
                    absent: true,
                    present: true,
                },
            ) => true,
            (Predicate::Compare { .. }, Predicate::Presence { present, .. }) => {
                *present && !self.may_hold_when_absent()
            }
            (
                Predicate::Presence {
                    absent: true,
                    present: false,
                },
                Predicate::Compare { .. },
            ) => other.must_hold_when_absent(),
            (Predicate::Presence { .. }, Predicate::Compare { .. }) => false,
            (
                Predicate::Compare {
                    set: set_a,
                    negated: neg_a,
                    values: a,
                    ..
                },
                Predicate::Compare {
                    set: set_b,
                    negated: neg_b,
                    values: b,
                    ..
                },
            ) => {
                // One matching value is some matching value; a negated comparison of several values without a set
                // operator is undefined, so it implies nothing about sets.
                let sets =
                    set_a == set_b || (set_a.is_none() && *set_b == Some(SetOperator::ForAnyValue) && !neg_a);
                sets && (!self.may_hold_when_absent() || other.must_hold_when_absent())
                    && match (neg_a, neg_b) {
                        (false, false) => a.subset_of(b, work),
                        // Of a list, one value may be in `a` and another one in `b`.
                        (false, true) => {
                            (set_a.is_some() || is_single_valued(&self.key)) && a.apart_from(b, work)
                        }
                        (true, true) => b.subset_of(a, work),
                        (true, false) => false,
                    }
            }
        }
    }

    /// Whether no request satisfies both.
    pub(crate) fn contradicts(&self, other: &Self, work: &mut Work) -> bool {
        if !work.step()
            || self.key != other.key
            || (self.may_hold_when_absent() && other.may_hold_when_absent())
        {
            return false;
        }
        match (&self.predicate, &other.predicate) {
            (Predicate::Presence { present: p, .. }, Predicate::Presence { present: q, .. }) => !(*p && *q),
            (Predicate::Presence { present, .. }, Predicate::Compare { .. })
            | (Predicate::Compare { .. }, Predicate::Presence { present, .. }) => !present,
            (
                Predicate::Compare {
                    set: set_a,
                    negated: neg_a,
                    values: a,
                    ..
                },
                Predicate::Compare {
                    set: set_b,
                    negated: neg_b,
                    values: b,
                    ..
                },
            ) => {
                use SetOperator::{ForAllValues, ForAnyValue};
                let same_value = match (set_a, set_b) {
                    (None, None) => is_single_valued(&self.key),
                    (Some(ForAllValues), Some(ForAnyValue)) | (Some(ForAnyValue), Some(ForAllValues)) => true,
                    _ => false,
                };
                same_value
                    && match (neg_a, neg_b) {
                        (false, false) => a.apart_from(b, work),
                        (false, true) => a.subset_of(b, work),
                        (true, false) => b.subset_of(a, work),
                        (true, true) => false,
                    }
            }
        }
    }

    /// Whether the condition may hold when the key is absent (or has no value). `ForAnyValue:…IfExists` is documented
    /// both ways, so it may.
    fn may_hold_when_absent(&self) -> bool {
        match &self.predicate {
            Predicate::Presence { absent, .. } => *absent,
            Predicate::Compare {
                set: Some(SetOperator::ForAllValues),
                ..
            } => true,
            Predicate::Compare {
                set: Some(SetOperator::ForAnyValue),
                if_exists,
                ..
            } => *if_exists,
            Predicate::Compare {
                set: None,
                negated,
                if_exists,
                ..
            } => *negated || *if_exists,
        }
    }

    /// Whether the condition certainly holds when the key is absent (or has no value).
    fn must_hold_when_absent(&self) -> bool {
        let any = matches!(
            &self.predicate,
            Predicate::Compare {
                set: Some(SetOperator::ForAnyValue),
                ..
            }
        );
        self.may_hold_when_absent() && !any
    }
}

impl Values {
    /// Whether every text of `self` is in `other`.
    fn subset_of(&self, other: &Self, work: &mut Work) -> bool {
        if !work.charge(self.len().saturating_mul(other.len())) {
            return false;
        }
        match (self, other) {
            (Self::Strings(a), Self::Strings(b)) | (Self::Folded(a), Self::Folded(b)) => {
                a.iter().all(|x| b.iter().any(|y| y.includes(x, work)))
            }
            (Self::Arns(a), Self::Arns(b)) => a.iter().all(|x| b.iter().any(|y| y.includes(x, work))),
            (Self::Numbers(f, a), Self::Numbers(g, b)) | (Self::Dates(f, a), Self::Dates(g, b)) => {
                a.iter().all(|x| b.iter().any(|y| range_within(*f, *x, *g, *y)))
            }
            (Self::Bool { yes: a, no: b }, Self::Bool { yes: c, no: d }) => (!a || *c) && (!b || *d),
            (Self::Binary(a), Self::Binary(b)) => a.iter().all(|x| b.contains(x)),
            (Self::Addresses(a), Self::Addresses(b)) => a.iter().all(|x| b.iter().any(|y| y.includes(x))),
            _ => self
                .literals()
                .is_some_and(|texts| texts.iter().all(|text| other.accepts_surely(text, work))),
        }
    }

    /// Whether no text is in both.
    fn apart_from(&self, other: &Self, work: &mut Work) -> bool {
        if !work.charge(self.len().saturating_mul(other.len())) {
            return false;
        }
        match (self, other) {
            (Self::Strings(a), Self::Strings(b)) | (Self::Folded(a), Self::Folded(b)) => {
                a.iter().all(|x| b.iter().all(|y| !x.may_intersect(y, work)))
            }
            (Self::Arns(a), Self::Arns(b)) => a.iter().all(|x| b.iter().all(|y| !x.may_intersect(y, work))),
            (Self::Numbers(f, a), Self::Numbers(g, b)) | (Self::Dates(f, a), Self::Dates(g, b)) => {
                a.iter().all(|x| b.iter().all(|y| ranges_apart(*f, *x, *g, *y)))
            }
            (Self::Bool { yes: a, no: b }, Self::Bool { yes: c, no: d }) => !(*a && *c || *b && *d),
            (Self::Binary(a), Self::Binary(b)) => a.iter().all(|x| !b.contains(x)),
            (Self::Addresses(a), Self::Addresses(b)) => a.iter().all(|x| b.iter().all(|y| !x.intersects(y))),
            _ => false,
        }
    }

    /// All texts of the set, when they are finitely many and known.
    fn literals(&self) -> Option<Vec<String>> {
        match self {
            Self::Strings(patterns) => patterns.iter().map(|pattern| pattern.as_literal()).collect(),
            Self::Arns(patterns) => patterns.iter().map(|pattern| pattern.as_literal()).collect(),
            _ => None,
        }
    }

    /// Whether the text is in the set whatever the values of variables; without context, only constants accept.
    fn accepts_surely(&self, text: &str, work: &mut Work) -> bool {
        let variables = match self {
            Self::Strings(patterns) | Self::Folded(patterns) => {
                patterns.iter().any(|p| !p.variables().is_empty())
            }
            Self::Arns(patterns) => patterns
                .iter()
                .flat_map(ArnPattern::parts)
                .any(|part| !part.variables().is_empty()),
            _ => false,
        };
        !variables && self.accepts(text, &Context::new(), work)
    }
}

/// Whether `{v: v f x}` lies within `{v: v g y}`.
fn range_within(f: Compare, x: i128, g: Compare, y: i128) -> bool {
    use Compare::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
    match (f, g) {
        (Equal, g) => g.holds(x, y),
        (Less, Less) | (LessOrEqual, LessOrEqual) | (Less, LessOrEqual) => x <= y,
        (LessOrEqual, Less) => x < y,
        (Greater, Greater) | (GreaterOrEqual, GreaterOrEqual) | (Greater, GreaterOrEqual) => x >= y,
        (GreaterOrEqual, Greater) => x > y,
        _ => false,
    }
}

/// Whether `{v: v f x}` and `{v: v g y}` have nothing in common.
fn ranges_apart(f: Compare, x: i128, g: Compare, y: i128) -> bool {
    use Compare::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
    match (f, g) {
        (Equal, g) => !g.holds(x, y),
        (f, Equal) => !f.holds(y, x),
        (LessOrEqual, GreaterOrEqual) => x < y,
        (GreaterOrEqual, LessOrEqual) => x > y,
        (Less | LessOrEqual, Greater | GreaterOrEqual) => x <= y,
        (Greater | GreaterOrEqual, Less | LessOrEqual) => x >= y,
        _ => false,
    }
}
