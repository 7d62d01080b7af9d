//! Compiled conditions: what they mean for a request.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{
    value::{self, Cidr},
    values::{Compare, Values},
};
use crate::{
    ast::{Condition, SetOperator, Test, Version},
    context::Context,
    pattern::{
        arn::ArnPattern,
        glob::{Inside, Pattern, Syntax},
        variable::Variable,
    },
    work::Work,
};

/// How a condition is read where AWS does not define it: a negated comparison with a text of another type, a comparison
/// without set operator with a list, `ForAnyValue:…IfExists` on an absent key, wildcards in the value of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undefined {
    /// As the evaluator takes it.
    Ours,
    /// It holds, if it does in some reading.
    Holds,
    /// It does not hold, unless it does in every reading.
    Fails,
}

impl Undefined {
    /// How wildcards in the value of a variable are read, of a list of patterns that may be negated.
    pub(crate) fn inside(self, negated: bool) -> Inside {
        match (self, negated) {
            (Self::Holds, false) | (Self::Fails, true) => Inside::Wildcards,
            (Self::Ours, _) | (Self::Holds, true) | (Self::Fails, false) => Inside::Literal,
        }
    }
}

/// What a condition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Predicate {
    /// `Null`: whether the key may be absent, whether it may be present.
    Presence { absent: bool, present: bool },
    /// A statement without `Resource` is about what its policy is attached to. That is what a request is about for which
    /// the policy is asked (IAM User Guide, "JSON policy document structure"), but not in every service: a statement
    /// without `Resource` in the policy of a KMS key has no effect (KMS API reference, `PutKeyPolicy`). Nor does AWS say
    /// whether one in the policy of a container is about what the container holds. So it is a condition that holds or
    /// does not, of all such statements alike.
    Attached,
    /// A statement whose `NotResource` has a variable without default needs a value of it. Without one (or with several) the
    /// pattern matches no resource, says the guide, so that the statement is about all others; engines differ.
    Resolved,
    /// A condition without values, of which AWS does not say whether it holds; the same text holds or does not everywhere.
    Unsaid {
        /// The key, lower case, when a set operator says that it may have several values.
        listed: Option<String>,
    },
    /// A comparison.
    Compare {
        set: Option<SetOperator>,
        /// The value must be outside of the set.
        negated: bool,
        /// The `IfExists` suffix.
        if_exists: bool,
        values: Values,
    },
}

/// What stands for the key of [`Predicate::Attached`]; no condition key is without a colon.
const ATTACHED: &str = "(the resource that the policy is attached to)";

/// One condition of a statement, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Atom {
    /// The key, lower case.
    pub(crate) key: String,
    /// The key as spelled.
    pub(crate) spelled: String,
    pub(crate) predicate: Predicate,
    /// A hash of the values, by which equal ones are found.
    pub(crate) fingerprint: u64,
}

impl Atom {
    /// Compiles a condition; the error is the index of the value (or `None` for the whole) and a sentence.
    pub(crate) fn compile(condition: &Condition, version: Version) -> Result<Self, (Option<usize>, String)> {
        let predicate = compile_predicate(condition, version)?;
        let mut hasher = DefaultHasher::new();
        if let Predicate::Compare { values, .. } = &predicate {
            values.hash(&mut hasher);
        }
        Ok(Self {
            key: condition.key.to_lowercase(),
            spelled: condition.key.clone(),
            predicate,
            fingerprint: hasher.finish(),
        })
    }

    /// The condition of a statement without `Resource` in a resource policy.
    pub(crate) fn attached() -> Self {
        Self {
            key: ATTACHED.to_owned(),
            spelled: ATTACHED.to_owned(),
            predicate: Predicate::Attached,
            fingerprint: 0,
        }
    }

    /// The condition of a statement whose `NotResource` has a variable.
    pub(crate) fn resolved(variable: &Variable) -> Self {
        Self {
            key: variable.key.clone(),
            spelled: variable.spelled.clone(),
            predicate: Predicate::Resolved,
            fingerprint: 0,
        }
    }

    /// A condition without values.
    pub(crate) fn unsaid(condition: &Condition) -> Self {
        // With spaces, which no condition key has.
        let key = condition.key.to_lowercase();
        let name = format!("({} {key} [])", condition.operator);
        let listed = condition.operator.set.map(|_| key);
        Self {
            key: name.clone(),
            spelled: name,
            predicate: Predicate::Unsaid { listed },
            fingerprint: 0,
        }
    }

    /// Whether it is no condition of the request's but one of what AWS means ([`Predicate::Attached`] and those after it).
    pub(crate) fn is_open(&self) -> bool {
        matches!(
            self.predicate,
            Predicate::Attached | Predicate::Resolved | Predicate::Unsaid { .. }
        )
    }

    /// The variables in the values.
    pub(crate) fn variables(&self) -> Vec<&Variable> {
        match &self.predicate {
            Predicate::Compare {
                values: Values::Strings(patterns) | Values::Folded(patterns),
                ..
            } => patterns.iter().flat_map(Pattern::variables).collect(),
            Predicate::Compare {
                values: Values::Arns(patterns),
                ..
            } => patterns
                .iter()
                .flat_map(ArnPattern::parts)
                .flat_map(Pattern::variables)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Whether it is a comparison without set operator.
    pub(crate) fn is_plain_comparison(&self) -> bool {
        matches!(self.predicate, Predicate::Compare { set: None, .. })
    }

    /// The key (lower case), when the condition has `ForAllValues` or `ForAnyValue` on it.
    pub(crate) fn listed_key(&self) -> Option<&str> {
        match &self.predicate {
            Predicate::Compare { set: Some(_), .. } => Some(&self.key),
            Predicate::Unsaid { listed } => listed.as_deref(),
            _ => None,
        }
    }

    /// Whether this holds whenever the other condition does: the same comparison of one key with more values, or for a
    /// negated one with fewer. `true` is certain, in every reading of what AWS does not define.
    pub(crate) fn follows_from(&self, other: &Self, work: &mut Work) -> bool {
        if self.key != other.key {
            return false;
        }
        if self.fingerprint == other.fingerprint && self.predicate == other.predicate {
            return true;
        }
        let (
            Predicate::Compare {
                set,
                negated,
                if_exists,
                values,
            },
            Predicate::Compare {
                set: of_other,
                negated: other_negated,
                if_exists: other_if_exists,
                values: other_values,
            },
        ) = (&self.predicate, &other.predicate)
        else {
            return false;
        };
        if (set, negated) != (of_other, other_negated) || (*other_if_exists && !if_exists) {
            return false;
        }
        if *negated {
            other_values.includes(values, work)
        } else {
            values.includes(other_values, work)
        }
    }

    /// Whether it asks about all values of the key.
    pub(crate) fn is_for_all(&self) -> bool {
        let of_all = Some(SetOperator::ForAllValues);
        matches!(&self.predicate, Predicate::Compare { set, .. } if *set == of_all)
    }

    /// What the value is in when the condition holds and the key has one value, unless that is an empty text.
    pub(crate) fn must_be_within(&self) -> Option<&Values> {
        match &self.predicate {
            Predicate::Compare {
                negated: false,
                values,
                ..
            } => Some(values),
            _ => None,
        }
    }

    /// Whether the condition holds for a request.
    pub(crate) fn holds(&self, context: &Context, work: &mut Work) -> bool {
        self.holds_read(context, Undefined::Ours, work)
    }

    /// The same with what AWS does not define read so.
    pub(crate) fn holds_read(&self, context: &Context, undefined: Undefined, work: &mut Work) -> bool {
        let values = context.get_lower(&self.key);
        match &self.predicate {
            Predicate::Presence { absent, present } => match values {
                None | Some([]) => *absent,
                Some(_) => *present,
            },
            // Only a statement can tell: see `CompiledStatement::covers`.
            Predicate::Attached | Predicate::Resolved | Predicate::Unsaid { .. } => true,
            Predicate::Compare {
                set,
                negated,
                if_exists,
                values: accepted,
            } => {
                let inside = undefined.inside(*negated);
                let mut passes = |text: &String| {
                    if *negated && undefined == Undefined::Fails && !accepted.is_of_type(text) {
                        return false;
                    }
                    accepted.accepts(text, context, inside, work) != *negated
                };
                match (set, values) {
                    (None, None | Some([])) => *negated || *if_exists,
                    (None, Some([value])) => passes(value),
                    // AWS does not say what several values mean here; iam-simulate found that it does not match.
                    (None, Some(_)) if undefined != Undefined::Holds => false,
                    // Where an equality does not hold of a list, its negation may hold of every one.
                    (None, Some(values)) => *negated || values.iter().any(passes),
                    (Some(SetOperator::ForAllValues), None) => true,
                    (Some(SetOperator::ForAllValues), Some(values)) => {
                        let are_empty = undefined == Undefined::Holds && values.iter().all(String::is_empty);
                        are_empty || values.iter().all(passes)
                    }
                    (Some(SetOperator::ForAnyValue), None | Some([])) => {
                        *if_exists && undefined != Undefined::Fails
                    }
                    (Some(SetOperator::ForAnyValue), Some(values)) => values.iter().any(passes),
                }
            }
        }
    }
}

fn compile_predicate(condition: &Condition, version: Version) -> Result<Predicate, (Option<usize>, String)> {
    use Test as T;
    let operator = condition.operator;
    let values = &condition.values;
    if operator.test == T::Null {
        let (absent, present) = flags(values)?;
        return Ok(Predicate::Presence { absent, present });
    }
    let pattern = Syntax::pattern(version);
    let exact = Syntax {
        wildcards: false,
        ..pattern
    };
    let folded = Syntax { fold: true, ..exact };
    let numbers = |compare| {
        each(values, |text| {
            value::decimal(text).ok_or_else(|| {
                format!("{text:?} is not a number of at most 18 digits before and 18 after the point")
            })
        })
        .map(|numbers| Values::Numbers(compare, numbers))
    };
    let dates = |compare| {
        each(values, |text| {
            value::instant(text).ok_or_else(|| match value::is_year_or_seconds(text) {
                true => format!("{text:?} may be a year or seconds since 1970: write {text}-01-01, or the seconds as a date"),
                false => format!("{text:?} is neither an ISO 8601 date nor seconds since 1970"),
            })
        })
        .map(|dates| Values::Dates(compare, dates))
    };
    let compiled = match operator.test {
        T::StringEquals | T::StringNotEquals => {
            Values::Strings(each(values, |text| Pattern::parse(text, exact))?)
        }
        T::StringLike | T::StringNotLike => {
            Values::Strings(each(values, |text| Pattern::parse(text, pattern))?)
        }
        T::StringEqualsIgnoreCase | T::StringNotEqualsIgnoreCase => {
            Values::Folded(each(values, |text| Pattern::parse(text, folded))?)
        }
        T::ArnEquals | T::ArnLike | T::ArnNotEquals | T::ArnNotLike => {
            Values::Arns(each(values, |text| ArnPattern::parse_value(text, version))?)
        }
        T::NumericEquals | T::NumericNotEquals => numbers(Compare::Equal)?,
        T::NumericLessThan => numbers(Compare::Less)?,
        T::NumericLessThanEquals => numbers(Compare::LessOrEqual)?,
        T::NumericGreaterThan => numbers(Compare::Greater)?,
        T::NumericGreaterThanEquals => numbers(Compare::GreaterOrEqual)?,
        T::DateEquals | T::DateNotEquals => dates(Compare::Equal)?,
        T::DateLessThan => dates(Compare::Less)?,
        T::DateLessThanEquals => dates(Compare::LessOrEqual)?,
        T::DateGreaterThan => dates(Compare::Greater)?,
        T::DateGreaterThanEquals => dates(Compare::GreaterOrEqual)?,
        T::Bool => {
            let (yes, no) = flags(values)?;
            Values::Bool { yes, no }
        }
        T::BinaryEquals => Values::Binary(each(values, |text| {
            value::base64(text).ok_or_else(|| format!("{text:?} is not base64"))
        })?),
        T::IpAddress | T::NotIpAddress => Values::Addresses(each(values, |text| {
            Cidr::parse(text).ok_or_else(|| format!("{text:?} is not an IP address or CIDR range"))
        })?),
        T::Null => return Err((None, "Null takes neither prefix nor suffix".to_owned())),
    };
    Ok(Predicate::Compare {
        set: operator.set,
        negated: operator.test.is_negated(),
        if_exists: operator.if_exists,
        values: compiled,
    })
}

fn each<T>(
    values: &[String],
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, (Option<usize>, String)> {
    values
        .iter()
        .enumerate()
        .map(|(i, text)| read(text).map_err(|e| (Some(i), e)))
        .collect()
}

/// Which of `true` and `false` are among the values.
fn flags(values: &[String]) -> Result<(bool, bool), (Option<usize>, String)> {
    let read = each(values, |text| match text {
        text if text.eq_ignore_ascii_case("true") => Ok(true),
        text if text.eq_ignore_ascii_case("false") => Ok(false),
        text => Err(format!("{text:?} is neither true nor false")),
    })?;
    Ok((read.contains(&true), read.contains(&false)))
}
