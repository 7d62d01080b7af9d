//! Conditions, for the second evaluator (IAM User Guide, "Condition operators", "IfExists", "Null", "Multivalued context
//! keys").

use serde_json::Value;

use super::{
    ComparisonClass, Expand, Keys, ListReading, PatternToken, Readings, glob, same_arn, texts, tokens,
    values::{address_in_range, bytes_of_base64, compare_dates, compare_numbers, is_address, is_arn},
};

pub fn conditions_hold(statement: &Value, variables: bool, context: &Keys, readings: &Readings) -> bool {
    let Some(operators) = statement.get("Condition").and_then(Value::as_object) else {
        return true;
    };
    let expand = Expand { context, readings };
    operators.iter().all(|(operator, keys)| {
        let mut keys = keys.as_object().unwrap().iter();
        keys.all(|(key, values)| {
            let values = texts(values);
            // The same text means the same everywhere; which texts mean what, nobody says.
            if values.is_empty() {
                let half = (operator.len() + key.len()) % 2;
                return readings.unsaid[half].by(statement);
            }
            let variables = variables.then_some(expand);
            condition_holds(operator, key, &values, variables, context, readings)
        })
    })
}

fn condition_holds(
    operator: &str,
    key: &str,
    values: &[String],
    variables: Option<Expand<'_>>,
    context: &Keys,
    readings: &Readings,
) -> bool {
    let (set, operator) = operator.split_once(':').unwrap_or(("", operator));
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    // A key with an empty list is an absent key.
    let given = context.get(&key.to_lowercase()).filter(|list| !list.is_empty());
    if operator == "Null" {
        let absent = if given.is_none() { "true" } else { "false" };
        return values.iter().any(|value| value.to_lowercase() == absent);
    }
    // "StringNotLike" is true when "StringLike" is false for every value.
    let negated = operator.contains("Not");
    let positive = operator.replace("Not", "");
    let matches = |text: &String| {
        values
            .iter()
            .any(|value| value_matches(&positive, text, value, variables, readings))
    };
    let passes = |text: &String| {
        match not_of_type(&positive, text) {
            // Not a number, say, so it is not equal to one; or it can't be compared.
            Some(class) if negated && !matches(text) => readings.negated(class),
            _ => matches(text) != negated,
        }
    };
    match (set, given) {
        ("ForAllValues", None) => true,
        ("ForAllValues", Some(list)) => list.iter().all(passes),
        ("ForAnyValue", None) => if_exists && readings.any_if_exists,
        ("ForAnyValue", Some(list)) => list.iter().any(passes),
        (_, None) => negated || if_exists,
        (_, Some(list)) if list.len() == 1 => passes(&list[0]),
        (_, Some(list)) => match (readings.lists, negated) {
            (ListReading::Never, _) | (ListReading::NeverEqual, false) => false,
            (ListReading::NeverEqual, true) => true,
            (ListReading::Some, false) => list.iter().any(passes),
            (ListReading::Some, true) => list.iter().all(passes),
        },
    }
}

/// The class of an operator (without `Not`), when the text is not of its type.
fn not_of_type(operator: &str, text: &str) -> Option<ComparisonClass> {
    let (class, of_type) = if operator.starts_with("Numeric") {
        (ComparisonClass::Number, compare_numbers(text, text).is_some())
    } else if operator.starts_with("Date") {
        (ComparisonClass::Date, compare_dates(text, text).is_some())
    } else if operator == "IpAddress" {
        (ComparisonClass::Address, is_address(text))
    } else if operator.starts_with("Arn") {
        (ComparisonClass::Arn, is_arn(text))
    } else {
        return None;
    };
    (!of_type).then_some(class)
}

/// Whether the request's value matches the policy's under an operator that is not negated.
fn value_matches(
    operator: &str,
    text: &str,
    value: &str,
    variables: Option<Expand<'_>>,
    readings: &Readings,
) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let chars: Vec<char> = text.chars().collect();
    let ordered = |order: Option<std::cmp::Ordering>, name: &str| match name {
        "Equals" => order == Some(Equal),
        "LessThan" => order == Some(Less),
        "LessThanEquals" => matches!(order, Some(Less | Equal)),
        "GreaterThan" => order == Some(Greater),
        "GreaterThanEquals" => matches!(order, Some(Greater | Equal)),
        other => panic!("{other}"),
    };
    match operator {
        "StringEquals" => glob(&tokens(value, false, variables), &chars),
        "StringLike" => glob(&tokens(value, true, variables), &chars),
        "StringEqualsIgnoreCase" => {
            let lower = |token| match token {
                PatternToken::Letter(c) => PatternToken::Letter(c.to_lowercase().next().unwrap()),
                PatternToken::Value(Some(value)) => {
                    let text: String = value.into_iter().collect();
                    PatternToken::Value(Some(text.to_lowercase().chars().collect()))
                }
                other => other,
            };
            let pattern: Vec<PatternToken> = tokens(value, false, variables).into_iter().map(lower).collect();
            let text: Vec<char> = text.to_lowercase().chars().collect();
            glob(&pattern, &text)
        }
        "ArnEquals" | "ArnLike" if value == "*" => is_arn(text) || readings.star_is_any_text,
        "ArnEquals" | "ArnLike" => {
            let mut pattern = tokens(value, true, variables);
            if readings.colons {
                pattern = pattern.into_iter().flat_map(letters).collect();
            }
            same_arn(&pattern, text)
        }
        "Bool" => text.to_lowercase() == value.to_lowercase(),
        "BinaryEquals" => bytes_of_base64(text).is_some_and(|bytes| bytes_of_base64(value) == Some(bytes)),
        "IpAddress" => address_in_range(text, value),
        _ => {
            if let Some(name) = operator.strip_prefix("Numeric") {
                ordered(compare_numbers(text, value), name)
            } else if let Some(name) = operator.strip_prefix("Date") {
                ordered(compare_dates(text, value), name)
            } else {
                panic!("{operator}")
            }
        }
    }
}

/// The letters of a value, each of which is then what it is in a pattern.
fn letters(token: PatternToken) -> Vec<PatternToken> {
    match token {
        PatternToken::Value(Some(value)) => value.into_iter().map(PatternToken::Letter).collect(),
        other => vec![other],
    }
}
