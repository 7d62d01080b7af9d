//! Policies as the generator makes and edits them, before they become JSON.

use deputy_policy::PolicyKind;
use serde_json::{Map, Value, json};

/// What the values of a context key are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theory {
    Text,
    Number,
    Date,
    Bool,
    Address,
    Arn,
    Binary,
}

/// A context key that the generator uses.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    pub name: &'static str,
    pub theory: Theory,
    /// Whether a request may have several values of it.
    pub list: bool,
    /// Whether it has several values by definition, so that conditions need a set operator.
    pub multi_valued: bool,
}

const fn key(name: &'static str, theory: Theory) -> Key {
    Key {
        name,
        theory,
        list: false,
        multi_valued: false,
    }
}

/// Few keys, so that conditions of different statements meet.
pub const KEYS: &[Key] = &[
    key("aws:PrincipalTag/a", Theory::Text),
    key("aws:username", Theory::Text),
    key("s3:prefix", Theory::Text),
    Key {
        name: "a:k",
        theory: Theory::Text,
        list: true,
        multi_valued: false,
    },
    Key {
        name: "aws:TagKeys",
        theory: Theory::Text,
        list: true,
        multi_valued: true,
    },
    key("aws:MultiFactorAuthAge", Theory::Number),
    key("s3:max-keys", Theory::Number),
    key("aws:CurrentTime", Theory::Date),
    key("aws:SecureTransport", Theory::Bool),
    key("aws:MultiFactorAuthPresent", Theory::Bool),
    key("aws:SourceIp", Theory::Address),
    key("aws:SourceArn", Theory::Arn),
    Key {
        name: "a:b",
        theory: Theory::Binary,
        list: true,
        multi_valued: false,
    },
];

/// The key with this name, whatever the case.
pub fn key_named(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name.eq_ignore_ascii_case(name))
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `""`, `ForAllValues:` or `ForAnyValue:`.
    pub set: &'static str,
    pub test: &'static str,
    pub if_exists: bool,
    pub key: String,
    pub values: Vec<String>,
}

impl Condition {
    pub fn operator(&self) -> String {
        format!(
            "{}{}{}",
            self.set,
            self.test,
            if self.if_exists { "IfExists" } else { "" }
        )
    }

    pub fn is_negated(&self) -> bool {
        self.test.contains("Not")
    }
}

/// Principals: type and text; none means `"*"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principals {
    pub negated: bool,
    pub listed: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub deny: bool,
    pub principals: Option<Principals>,
    pub not_action: bool,
    pub actions: Vec<String>,
    pub not_resource: bool,
    pub resources: Vec<String>,
    pub conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub kind: PolicyKind,
    /// Version 2008-10-17, in which nothing is a variable.
    pub old: bool,
    pub statements: Vec<Statement>,
}

impl Policy {
    pub fn to_value(&self) -> Value {
        let statements: Vec<Value> = self.statements.iter().map(Statement::to_value).collect();
        let version = if self.old { "2008-10-17" } else { "2012-10-17" };
        json!({"Version": version, "Statement": statements})
    }
}

fn one_or_more(texts: &[String]) -> Value {
    match texts {
        [one] => json!(one),
        texts => json!(texts),
    }
}

impl Statement {
    fn to_value(&self) -> Value {
        let mut object = Map::new();
        let mut set = |name: &str, value| object.insert(name.to_owned(), value);
        set("Effect", json!(if self.deny { "Deny" } else { "Allow" }));
        if let Some(principals) = &self.principals {
            let name = if principals.negated {
                "NotPrincipal"
            } else {
                "Principal"
            };
            set(name, principals.to_value());
        }
        set(
            if self.not_action { "NotAction" } else { "Action" },
            one_or_more(&self.actions),
        );
        if !self.resources.is_empty() {
            let name = if self.not_resource {
                "NotResource"
            } else {
                "Resource"
            };
            set(name, one_or_more(&self.resources));
        }
        if !self.conditions.is_empty() {
            let mut blocks = Map::new();
            for condition in &self.conditions {
                let block = blocks.entry(condition.operator()).or_insert_with(|| json!({}));
                block[condition.key.as_str()] = one_or_more(&condition.values);
            }
            set("Condition", Value::Object(blocks));
        }
        Value::Object(object)
    }
}

impl Principals {
    fn to_value(&self) -> Value {
        if self.listed.is_empty() {
            return json!("*");
        }
        let mut types = Map::new();
        for (kind, text) in &self.listed {
            let list = types.entry(*kind).or_insert_with(|| json!([]));
            if let Some(list) = list.as_array_mut() {
                list.push(json!(text));
            }
        }
        Value::Object(types)
    }
}
