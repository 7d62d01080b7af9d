//! The values of a condition, compiled.

use super::value::{self, Cidr};
use crate::{
    context::Context,
    pattern::{
        arn::{ArnPattern, ArnText},
        glob::{Inside, Pattern, fold},
    },
    work::Work,
};

/// So many pairs of values are compared one by one.
const MAX_COMPARED: usize = 1 << 14;

/// How a number or an instant is compared with the policy's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Compare {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Compare {
    pub(crate) fn holds(self, request: i128, policy: i128) -> bool {
        match self {
            Self::Equal => request == policy,
            Self::Less => request < policy,
            Self::LessOrEqual => request <= policy,
            Self::Greater => request > policy,
            Self::GreaterOrEqual => request >= policy,
        }
    }
}

/// The values of a condition: a set of texts, the union of what each value accepts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Values {
    /// Case-sensitive patterns; for the Equals operators without wildcards.
    Strings(Vec<Pattern>),
    /// Lower-cased patterns, compared with lower-cased texts.
    Folded(Vec<Pattern>),
    Arns(Vec<ArnPattern>),
    Numbers(Compare, Vec<i128>),
    Dates(Compare, Vec<i128>),
    Bool {
        yes: bool,
        no: bool,
    },
    Binary(Vec<Vec<u8>>),
    Addresses(Vec<Cidr>),
}

impl Values {
    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Strings(patterns) | Self::Folded(patterns) => patterns.len(),
            Self::Arns(patterns) => patterns.len(),
            Self::Numbers(_, values) | Self::Dates(_, values) => values.len(),
            Self::Bool { .. } => 1,
            Self::Binary(values) => values.len(),
            Self::Addresses(ranges) => ranges.len(),
        }
    }

    /// Whether the empty text is among them, as far as that does not depend on variables.
    pub(crate) fn take_nothing(&self) -> Option<bool> {
        match self {
            Self::Strings(patterns) | Self::Folded(patterns) => {
                let of_each = || patterns.iter().map(Pattern::takes_nothing);
                let never = of_each().all(|takes| takes == Some(false));
                if of_each().any(|takes| takes == Some(true)) {
                    Some(true)
                } else {
                    never.then_some(false)
                }
            }
            Self::Binary(values) => Some(values.iter().any(Vec::is_empty)),
            Self::Arns(_) | Self::Numbers(..) | Self::Dates(..) | Self::Bool { .. } | Self::Addresses(_) => {
                Some(false)
            }
        }
    }

    /// Whether everything in `other` is in `self`, whatever the values of variables are; `true` is certain. Long lists are
    /// not compared.
    pub(crate) fn includes(&self, other: &Self, work: &mut Work) -> bool {
        if self.len().saturating_mul(other.len()) > MAX_COMPARED || !work.charge(1 + other.len()) {
            return false;
        }
        match (self, other) {
            (Self::Strings(a), Self::Strings(b)) | (Self::Folded(a), Self::Folded(b)) => {
                b.iter().all(|b| a.iter().any(|a| a.includes(b, work)))
            }
            // A variable in a part before the last may have colons, and then AWS may see other parts.
            (Self::Arns(a), Self::Arns(b)) => b.iter().all(|b| {
                let fixed = b.head.iter().all(|part| part.variables().is_empty());
                a.iter().any(|a| a == b || (fixed && a.includes(b, work)))
            }),
            (Self::Addresses(a), Self::Addresses(b)) => b.iter().all(|b| a.iter().any(|a| a.includes(b))),
            (Self::Binary(a), Self::Binary(b)) => b.iter().all(|b| a.contains(b)),
            _ => false,
        }
    }

    /// Whether a text is of the type that the values are of; there are no other texts for texts, flags and bytes, of which
    /// no negated comparison asks for the type.
    pub(crate) fn is_of_type(&self, text: &str) -> bool {
        match self {
            Self::Strings(_) | Self::Folded(_) | Self::Bool { .. } | Self::Binary(_) => true,
            Self::Arns(_) => text.starts_with("arn:") && text.matches(':').count() >= 5,
            Self::Numbers(..) => value::decimal(text).is_some(),
            Self::Dates(..) => value::instant(text).is_some(),
            Self::Addresses(_) => Cidr::parse(text).is_some(),
        }
    }

    /// Whether one value of the request is in the set, with the values of variables read so. A text that is not of the
    /// operator's type is in no set.
    pub(crate) fn accepts(&self, text: &str, context: &Context, inside: Inside, work: &mut Work) -> bool {
        if !work.charge(self.len().saturating_add(text.len())) {
            return false;
        }
        match self {
            Self::Strings(patterns) => {
                let chars: Vec<char> = text.chars().collect();
                patterns
                    .iter()
                    .any(|pattern| pattern.matches_read(&chars, context, inside, work))
            }
            Self::Folded(patterns) => {
                let chars: Vec<char> = text.chars().map(fold).collect();
                patterns
                    .iter()
                    .any(|pattern| pattern.matches(&chars, context, work))
            }
            Self::Arns(patterns) => {
                let subject = ArnText::new(text);
                patterns
                    .iter()
                    .any(|pattern| pattern.matches_read(&subject, context, inside, work))
            }
            Self::Numbers(compare, values) => {
                value::decimal(text).is_some_and(|request| values.iter().any(|v| compare.holds(request, *v)))
            }
            Self::Dates(compare, values) => {
                value::instant(text).is_some_and(|request| values.iter().any(|v| compare.holds(request, *v)))
            }
            Self::Bool { yes, no } => {
                (*yes && text.eq_ignore_ascii_case("true")) || (*no && text.eq_ignore_ascii_case("false"))
            }
            Self::Binary(values) => value::base64(text).is_some_and(|request| values.contains(&request)),
            Self::Addresses(ranges) => {
                Cidr::parse(text).is_some_and(|request| ranges.iter().any(|range| range.includes(&request)))
            }
        }
    }
}
