//! Policies as the generator makes and edits them, before they become JSON.

use std::borrow::Cow;

use deputy_policy::{PolicyKind, Test};
use serde_json::{Map, Value, json};

use super::{
    keys::{GeneratedKey, KeyArity, key_named, theory_of},
    profiles::SoakProfile,
};
use crate::naive;

impl GeneratedKey {
    /// The key of a condition, which some policy of others than ours may have invented.
    pub fn of(condition: &ConditionDraft) -> Self {
        key_named(&condition.key).cloned().unwrap_or_else(|| Self {
            name: Cow::Owned(condition.key.clone()),
            theory: theory_of(condition.test),
            arity: KeyArity::Open,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionDraft {
    /// `""`, `ForAllValues:` or `ForAnyValue:`.
    pub set: &'static str,
    pub test: &'static str,
    pub if_exists: bool,
    pub key: String,
    pub values: Vec<String>,
}

impl ConditionDraft {
    fn read(operator: &str, key: &str, values: Vec<String>) -> Option<Self> {
        let sets = ["ForAllValues:", "ForAnyValue:"];
        let set = sets
            .into_iter()
            .find(|set| operator.starts_with(set))
            .unwrap_or("");
        let rest = operator.strip_prefix(set)?;
        let test = rest.strip_suffix("IfExists").unwrap_or(rest);
        Some(Self {
            set,
            test: Test::ALL
                .iter()
                .map(|test| test.as_str())
                .find(|known| *known == test)?,
            if_exists: test != rest,
            key: key.to_owned(),
            values,
        })
    }

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
pub struct PrincipalsDraft {
    pub negated: bool,
    pub listed: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementDraft {
    pub deny: bool,
    pub principals: Option<PrincipalsDraft>,
    pub not_action: bool,
    pub actions: Vec<String>,
    pub not_resource: bool,
    pub resources: Vec<String>,
    pub conditions: Vec<ConditionDraft>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDraft {
    pub kind: PolicyKind,
    pub profile: SoakProfile,
    /// Version 2008-10-17, in which nothing is a variable.
    pub old: bool,
    pub statements: Vec<StatementDraft>,
}

impl PolicyDraft {
    /// Reads a policy in the language of 2012, as far as the model goes.
    pub fn from_value(value: &Value, kind: PolicyKind, profile: SoakProfile) -> Option<Self> {
        let statements = naive::statements(value);
        Some(Self {
            kind,
            profile,
            old: false,
            statements: statements
                .into_iter()
                .map(StatementDraft::from_value)
                .collect::<Option<_>>()?,
        })
    }

    pub fn to_value(&self) -> Value {
        let statements: Vec<Value> = self.statements.iter().map(StatementDraft::to_value).collect();
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

impl StatementDraft {
    fn from_value(value: &Value) -> Option<Self> {
        let list = |name: &str| value.get(name).map(naive::texts);
        let mut conditions = Vec::new();
        for (operator, keys) in value
            .get("Condition")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            for (key, values) in keys.as_object()? {
                conditions.push(ConditionDraft::read(operator, key, naive::texts(values))?);
            }
        }
        Some(Self {
            deny: value["Effect"] == "Deny",
            principals: None,
            not_action: value.get("NotAction").is_some(),
            actions: list("Action").or_else(|| list("NotAction"))?,
            not_resource: value.get("NotResource").is_some(),
            resources: list("Resource").or_else(|| list("NotResource"))?,
            conditions,
        })
    }

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

impl PrincipalsDraft {
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
