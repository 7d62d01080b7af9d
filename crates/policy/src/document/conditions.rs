//! Conditions: from JSON to the syntax tree, and what the dialect asks of them.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    code::Code,
    error::{ElementPath, ParseError, ParseErrorKind as Kind},
    parse::{Reader, name_of},
    syntax::{about_number, about_operator, about_value},
    validate::Checker,
};
use crate::{
    ast::{Condition, Operator, Test},
    condition::atom::Atom,
    text::quote,
};

impl Reader<'_> {
    pub(super) fn conditions(&mut self, value: &Value, path: ElementPath<'_>) -> Vec<Condition> {
        let mut conditions = Vec::new();
        let Some(operators) = value.as_object() else {
            self.problem(
                Kind::Type,
                Code::WrongType,
                path,
                format!("a Condition is an object, not {}", name_of(value)),
            );
            return conditions;
        };
        for (name, block) in operators {
            let path = format_args!("{path}.{name}");
            let Some(operator) = Operator::parse(name) else {
                let refusal = about_operator(name);
                let suggestion = refusal.suggestion.as_deref();
                self.correct(Kind::Operator, refusal.code, path, refusal.message, suggestion);
                continue;
            };
            let Some(keys) = block.as_object() else {
                self.problem(
                    Kind::Type,
                    Code::WrongType,
                    path,
                    format!("{} where an object of keys belongs", name_of(block)),
                );
                continue;
            };
            if keys.is_empty() {
                self.problem(Kind::Empty, Code::EmptyElement, path, "the operator has no keys");
            }
            for (key, value) in keys {
                let path = format_args!("{path}.{key}");
                let values = self.condition_values(operator, value, path);
                conditions.push(Condition {
                    operator,
                    key: key.clone(),
                    values,
                });
            }
        }
        conditions
    }

    fn condition_values(&mut self, operator: Operator, value: &Value, path: ElementPath<'_>) -> Vec<String> {
        match value {
            Value::Array(list) => {
                let mut texts = Vec::with_capacity(list.len());
                for (i, item) in list.iter().enumerate() {
                    texts.extend(self.condition_value(operator, item, || format!("{path}[{i}]")));
                }
                texts
            }
            one => {
                let text = self.condition_value(operator, one, || path.to_string());
                text.into_iter().collect()
            }
        }
    }

    /// Strings anywhere; booleans except where an address, number or date belongs; numbers for numbers and dates only,
    /// because an unquoted account id has lost its leading zeros before it gets here.
    fn condition_value(
        &mut self,
        operator: Operator,
        value: &Value,
        path: impl FnOnce() -> String,
    ) -> Option<String> {
        let name = operator.test.as_str();
        let numeric = name.starts_with("Numeric");
        match value {
            Value::String(text) => return Some(text.clone()),
            Value::Bool(flag)
                if operator.test == Test::Bool
                    || operator.test == Test::Null
                    || name.starts_with("String") =>
            {
                return Some(flag.to_string());
            }
            Value::Number(number) if numeric => return Some(number.to_string()),
            Value::Number(number) if name.starts_with("Date") && !number.is_f64() => {
                return Some(number.to_string());
            }
            _ => {}
        }
        // A path may be long, and there may be as many as there are values.
        self.problems.add(|| match value {
            Value::Number(number) => {
                let refusal = about_number(number, &operator.to_string());
                ParseError::new(Kind::ConditionValue, refusal.code, path(), refusal.message)
                    .suggest(refusal.suggestion)
            }
            other => {
                let message = format!("{} where a value for {operator} belongs", name_of(other));
                ParseError::new(Kind::ConditionValue, Code::WrongType, path(), message)
            }
        });
        None
    }
}

impl Checker<'_> {
    pub(super) fn conditions(&mut self, conditions: &[Condition], path: ElementPath<'_>) -> Vec<Atom> {
        let mut seen = HashSet::new();
        let mut atoms = Vec::with_capacity(conditions.len());
        for condition in conditions {
            let path = format_args!("{path}.{}.{}", condition.operator, condition.key);
            self.condition_key(condition, path);
            if !seen.insert((condition.operator, condition.key.to_lowercase())) {
                self.problem(
                    Kind::DuplicateKey,
                    Code::DuplicateKey,
                    path,
                    format!(
                        "the key {} is there twice (case does not matter)",
                        quote(&condition.key)
                    ),
                );
            }
            if condition.values.is_empty() {
                atoms.push(Atom::unsaid(condition));
                continue;
            }
            for (i, value) in condition.values.iter().enumerate() {
                self.characters(value, || format!("{path}[{i}]"));
            }
            match Atom::compile(condition, self.version) {
                Ok(atom) => atoms.push(atom),
                Err((index, message)) => {
                    let refusal = about_value(condition, index, self.version, message);
                    match index {
                        Some(i) => self.refuse(Kind::ConditionValue, format_args!("{path}[{i}]"), refusal),
                        None => self.refuse(Kind::ConditionValue, path, refusal),
                    }
                }
            }
        }
        atoms
    }

    fn condition_key(&mut self, condition: &Condition, path: ElementPath<'_>) {
        let key = condition.key.as_str();
        self.characters(key, || path.to_string());
        let malformed =
            !key.contains(':') || key.trim() != key || key.contains(['*', '?', '$', '{', '}', '"']);
        if malformed {
            let message = format!(
                "{} is not a condition key (prefix:name, no wildcards or variables)",
                quote(key)
            );
            self.problem(Kind::ConditionKey, Code::InvalidConditionKey, path, message);
        }
        let operator = condition.operator;
        if operator.test == Test::Null && (operator.set.is_some() || operator.if_exists) {
            self.problem(
                Kind::Operator,
                Code::NullModifier,
                path,
                "Null takes neither prefix nor suffix",
            );
        }
    }
}
