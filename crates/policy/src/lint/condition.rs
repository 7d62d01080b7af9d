//! Lints on conditions.

use std::collections::HashSet;

use super::{
    finding::{Lint, allows},
    statement::variables,
};
use crate::{
    ast::{Condition, SetOperator, Statement, Test},
    condition::value::Cidr,
    document::{Document, code::Code},
    keys,
    reference::condition_key::{Arity, KeyType},
    text::quote,
};

/// Keys that every request has (IAM User Guide, "AWS global condition context keys").
const ALWAYS_PRESENT: &[&str] = &[
    "aws:currenttime",
    "aws:epochtime",
    "aws:principalisawsservice",
    "aws:principaltype",
    "aws:requestedregion",
    "aws:securetransport",
    "aws:useragent",
    "aws:userid",
    "aws:viaawsservice",
];

pub(super) fn lint(document: &Document, statement: &Statement, path: &str, found: &mut Vec<Lint>) {
    // What demands its key is not among what holds without it, so nothing demands for itself.
    let demanded: HashSet<String> = statement
        .conditions
        .iter()
        .filter(|condition| demands(condition))
        .map(|condition| condition.key.to_lowercase())
        .collect();
    for condition in &statement.conditions {
        let at = format!("{path}.Condition.{}.{}", condition.operator, condition.key);
        let key = condition.key.to_lowercase();
        if condition.values.is_empty() {
            let message = "there is no value, and AWS does not say what the condition means then";
            found.push(Lint::new(Code::EmptyConditionValues, at, message));
            continue;
        }
        if allows(statement.effect) && !demanded.contains(&key) {
            absence(condition, &key, &at, found);
        }
        operator(condition, &key, &at, found);
        values(document, condition, &at, found);
    }
}

/// Whether the condition fails when its key is absent.
fn demands(condition: &Condition) -> bool {
    let operator = condition.operator;
    match operator.test {
        _ if condition.values.is_empty() => false,
        Test::Null => condition
            .values
            .iter()
            .all(|value| value.eq_ignore_ascii_case("false")),
        test => match operator.set {
            Some(SetOperator::ForAllValues) => false,
            Some(SetOperator::ForAnyValue) => !operator.if_exists,
            None => !operator.if_exists && !test.is_negated(),
        },
    }
}

/// An Allow that holds without the key, by an operator that does not say so.
fn absence(condition: &Condition, key: &str, at: &str, found: &mut Vec<Lint>) {
    let operator = condition.operator;
    let demand = format!(
        "add \"Null\": {{\"{}\": \"false\"}} if the key must be there",
        condition.key
    );
    if operator.set == Some(SetOperator::ForAllValues) {
        let message = format!("ForAllValues holds when {} is absent; {demand}", condition.key);
        found.push(Lint::new(Code::ForAllValuesWithoutNull, at, message));
    }
    let negated = operator.set.is_none() && operator.test.is_negated() && !operator.if_exists;
    if negated && !ALWAYS_PRESENT.contains(&key) {
        let message = format!("{operator} holds when {} is absent; {demand}", condition.key);
        found.push(Lint::new(Code::NegatedOperatorOnAbsentKey, at, message));
    }
}

fn operator(condition: &Condition, key: &str, at: &str, found: &mut Vec<Lint>) {
    let operator = condition.operator;
    let any = operator.set == Some(SetOperator::ForAnyValue);
    if any && operator.test.is_negated() {
        let message = format!(
            "it holds as soon as one value of {} differs; ForAllValues:{} asks it of every value",
            condition.key,
            operator.test.as_str()
        );
        found.push(Lint::new(Code::NegatedForAnyValue, at, message));
    }
    if any && operator.if_exists {
        let message = format!(
            "AWS's pages disagree on what it means when {} is absent",
            condition.key
        );
        found.push(Lint::new(Code::ForAnyValueIfExists, at, message));
    }
    if operator.set.is_none() && operator.if_exists && operator.test.is_negated() {
        let name = operator.test.as_str();
        let mut lint = Lint::new(
            Code::RedundantIfExists,
            at,
            format!("{operator} is the same as {name}"),
        );
        lint.suggestion = Some(name.to_owned());
        found.push(lint);
    }
    if operator.test == Test::Null {
        return;
    }
    if operator.set.is_none() && keys::arity(key) == Arity::Multi {
        let message = format!(
            "{} can have several values, for which {operator} is undefined; write ForAllValues:{operator} or \
             ForAnyValue:{operator}",
            condition.key
        );
        found.push(Lint::new(Code::PlainOperatorOnListKey, at, message));
    }
    if let Some(value_type) = keys::value_type(key).filter(|t| !fits(operator.test, *t)) {
        let message = format!(
            "{} compares no {}, which {} is",
            operator,
            name_of(value_type),
            condition.key
        );
        found.push(Lint::new(Code::OperatorTypeMismatch, at, message));
    }
}

/// Whether an operator can compare values of a type as what they are. A string can hold anything.
fn fits(test: Test, value_type: KeyType) -> bool {
    use KeyType::{Arn, Bool, Date, IpAddress, Numeric, String};
    let name = test.as_str();
    match value_type {
        String => !matches!(test, Test::IpAddress | Test::NotIpAddress),
        Arn => name.starts_with("Arn") || name.starts_with("String"),
        Bool => test == Test::Bool || name.starts_with("String"),
        Numeric => name.starts_with("Numeric"),
        Date => name.starts_with("Date"),
        IpAddress => matches!(test, Test::IpAddress | Test::NotIpAddress),
    }
}

fn name_of(value_type: KeyType) -> &'static str {
    match value_type {
        KeyType::String => "strings",
        KeyType::Arn => "ARNs",
        KeyType::Bool => "booleans",
        KeyType::Numeric => "numbers",
        KeyType::Date => "dates",
        KeyType::IpAddress => "addresses",
    }
}

fn values(document: &Document, condition: &Condition, at: &str, found: &mut Vec<Lint>) {
    let test = condition.operator.test;
    let name = test.as_str();
    for (i, text) in condition.values.iter().enumerate() {
        let at = || format!("{at}[{i}]");
        match test {
            Test::StringLike | Test::StringNotLike => variables(document.version(), text, at, found),
            Test::IpAddress | Test::NotIpAddress => found.extend(address(text, at)),
            _ if name.starts_with("Arn") => variables(document.version(), text, at, found),
            _ if name.starts_with("String") && has_star(text) => {
                let message = format!(
                    "the * of {} is text; StringLike and StringNotLike have wildcards",
                    quote(text)
                );
                found.push(Lint::new(Code::WildcardInEquals, at(), message));
            }
            _ => {}
        }
    }
}

/// Whether a `*` stands outside of variables.
fn has_star(text: &str) -> bool {
    let mut pieces = text.split("${");
    let first = pieces.next().is_some_and(|piece| piece.contains('*'));
    first
        || pieces.any(|piece| {
            piece
                .split_once('}')
                .map_or(piece, |(_, rest)| rest)
                .contains('*')
        })
}

fn address(text: &str, at: impl Fn() -> String) -> Option<Lint> {
    let (address, prefix) = text.split_once('/')?;
    let first = Cidr::parse(text)?.first();
    if Cidr::parse(address) == Cidr::parse(&first) {
        return None;
    }
    let suggestion = format!("{first}/{prefix}");
    let mut lint = Lint::new(
        Code::AddressBitsBeyondPrefix,
        at(),
        format!("{} is the range {suggestion}", quote(text)),
    );
    lint.suggestion = Some(suggestion);
    Some(lint)
}
