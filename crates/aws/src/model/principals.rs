//! KnownPrincipals in trust policies: stored as unique ids, shown as ARNs while they live.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::{AwsError, ErrorClass};

/// The users and roles there are, in any account.
#[derive(Clone)]
pub(super) struct KnownPrincipals {
    there: BTreeMap<String, Principal>,
    /// Whether a refusal says for whom it is.
    pub(super) says_whom: bool,
}

impl Default for KnownPrincipals {
    fn default() -> Self {
        Self {
            there: BTreeMap::new(),
            says_whom: true,
        }
    }
}

#[derive(Clone)]
struct Principal {
    id: String,
    /// How many trust policies that name it are refused yet.
    unknown_for: u32,
}

impl KnownPrincipals {
    pub(super) fn add(&mut self, arn: &str, id: String, unknown_for: u32) {
        self.there
            .entry(arn.to_owned())
            .or_insert(Principal { id, unknown_for });
    }

    pub(super) fn remove(&mut self, arn: &str) {
        self.there.remove(arn);
    }

    /// The unique id of a user or role.
    pub(super) fn id(&self, arn: &str) -> Option<String> {
        self.there.get(arn).map(|known| known.id.clone())
    }

    /// Whether somebody has this unique id.
    pub(super) fn has_id(&self, id: &str) -> bool {
        self.there.values().any(|known| known.id == id)
    }

    /// Whether a policy that names it is taken: it is there, and known everywhere.
    pub(super) fn may_be_named(&mut self, arn: &str) -> bool {
        match self.there.get_mut(arn) {
            Some(known) if known.unknown_for == 0 => true,
            Some(known) => {
                known.unknown_for -= 1;
                false
            }
            None => false,
        }
    }

    /// The trust policy `text` as IAM stores it.
    pub(super) fn stored(
        &mut self,
        operation: &'static str,
        partition: &str,
        text: &str,
    ) -> Result<String, AwsError> {
        let mut document = parse(text);
        let mut bad = None;
        for_each_principal(&mut document, |principal| {
            let is_entity =
                principal.contains(":iam:") && (principal.contains(":role/") || principal.contains(":user/"));
            let is_id = principal.starts_with("AROA") || principal.starts_with("AIDA");
            if principal.len() == 12 && principal.bytes().all(|b| b.is_ascii_digit()) {
                *principal = format!("arn:{partition}:iam::{principal}:root");
            } else if is_entity {
                match self.there.get_mut(principal.as_str()) {
                    Some(known) if known.unknown_for == 0 => *principal = known.id.clone(),
                    Some(known) => {
                        known.unknown_for -= 1;
                        bad.get_or_insert_with(|| principal.clone());
                    }
                    None => {
                        bad.get_or_insert_with(|| principal.clone());
                    }
                }
            } else if is_id && !self.has_id(principal) {
                bad.get_or_insert_with(|| principal.clone());
            }
        });
        match bad {
            Some(principal) => Err(AwsError::new(
                operation,
                ErrorClass::InvalidPrincipal,
                &if self.says_whom {
                    format!("Invalid principal in policy: \"AWS\":\"{principal}\"")
                } else {
                    "Invalid principal in policy".to_owned()
                },
            )
            .with_code("MalformedPolicyDocument")),
            None => Ok(document.to_string()),
        }
    }

    /// The stored trust policy `text` as IAM shows it.
    pub(super) fn shown(&self, text: &str) -> String {
        let mut document = parse(text);
        for_each_principal(&mut document, |principal| {
            if let Some((arn, _)) = self.there.iter().find(|(_, known)| known.id == *principal) {
                principal.clone_from(arn);
            }
        });
        document.to_string()
    }
}

fn parse(text: &str) -> Value {
    // What is not JSON has no principals; it was checked before it was stored.
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// The principals of a policy by `"AWS"`, as written.
pub(super) fn principals_of(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for_each_principal(&mut parse(text), |principal| all.push(principal.clone()));
    all
}

/// The policy with other principals in the places of those for which `other` knows one; `None` when that is nobody.
pub(super) fn with_principals(text: &str, other: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut document = parse(text);
    let mut changed = false;
    for_each_principal(&mut document, |principal| {
        if let Some(other) = other(principal) {
            *principal = other;
            changed = true;
        }
    });
    changed.then(|| document.to_string())
}

fn for_each_principal(document: &mut Value, mut visit: impl FnMut(&mut String)) {
    let statements = match document.get_mut("Statement") {
        Some(Value::Array(list)) => list.iter_mut().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    for statement in statements {
        match statement.get_mut("Principal").and_then(|p| p.get_mut("AWS")) {
            Some(Value::String(one)) => visit(one),
            Some(Value::Array(list)) => {
                for principal in list {
                    if let Value::String(principal) = principal {
                        visit(principal);
                    }
                }
            }
            _ => {}
        }
    }
}
