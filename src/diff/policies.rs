//! The policies of an object, read as the operator reads them, by the namespaces in which they differ.

use deputy_admission::DeputyKind;
use deputy_api::{
    AWSFederatedUserBinding, AWSResourcePolicyStatement, AWSRole, AWSRoleBinding, ClusterAWSRole,
    DelegationLimit, convert::NAMESPACE_VARIABLE, parse_binding, parse_cluster_role, parse_federated_binding,
    parse_limit, parse_role, parse_statement,
};
use deputy_delegation::{NamespaceName, ObjectName, Violations};
use deputy_policy::{Document, PolicyKind};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::classes::unlimited;
use crate::objects::ReadObject;

/// So many namespaces of a ClusterAWSRole are looked at; of the others it is said that they are not.
const MAX_NAMESPACES: usize = 20;
/// What stands for the `*` of a pattern.
const ANY: &str = "any-namespace-5e7d0c";

/// A set of policies, and where each of them stands in its object.
#[derive(Debug, Clone, Default)]
pub struct PolicySet {
    pub documents: Vec<Document>,
    /// Such as `spec.policies[0].document`; empty of what no object says.
    pub paths: Vec<String>,
    /// What it allows beside, and only AWS knows.
    pub unknown: Vec<String>,
}

/// What the policies of a kind are used as.
pub fn policy_kind(kind: DeputyKind) -> PolicyKind {
    match kind {
        DeputyKind::Limit => PolicyKind::Boundary,
        DeputyKind::Binding | DeputyKind::FederatedBinding => PolicyKind::Session,
        DeputyKind::Role | DeputyKind::ClusterRole | DeputyKind::Statement | DeputyKind::Account => {
            PolicyKind::Identity
        }
    }
}

/// The policies of `object` in a namespace, which makes a difference to those of a ClusterAWSRole alone.
///
/// # Errors
/// What is wrong with the object.
pub fn policies(object: &ReadObject, namespace: &NamespaceName) -> Result<PolicySet, String> {
    let mut set = PolicySet::default();
    match object.kind {
        DeputyKind::Account => {}
        DeputyKind::Limit => {
            let limit = read::<DelegationLimit, _>(object, parse_limit)?;
            set.add("spec.ceiling".to_owned(), limit.ceiling.clone());
        }
        DeputyKind::Role => set.add_role(&read::<AWSRole, _>(object, parse_role)?, &object.value),
        DeputyKind::ClusterRole => {
            let template = read::<ClusterAWSRole, _>(object, parse_cluster_role)?;
            let account = ObjectName::new("account").map_err(|error| error.to_string())?;
            let role = template
                .instance(namespace, &account)
                .map_err(|error| error.to_string())?;
            set.add_role(&role, &object.value);
        }
        DeputyKind::Statement => {
            let statement = read::<AWSResourcePolicyStatement, _>(object, parse_statement)?;
            set.add("spec.statement".to_owned(), Document::clone(&statement.grant));
        }
        DeputyKind::Binding => {
            let binding = read::<AWSRoleBinding, _>(object, parse_binding)?;
            let arns = binding.session.policy_arns.iter();
            set.unknown
                .extend(arns.map(|arn| format!("what the managed policy {arn} leaves of the session")));
            match &binding.session.policy {
                Some(policy) => set.add("spec.session.policy".to_owned(), Document::clone(policy)),
                // All of the role.
                None if set.unknown.is_empty() => {
                    set.add(String::new(), unlimited(PolicyKind::Session)?);
                }
                None => {}
            }
        }
        DeputyKind::FederatedBinding => {
            let binding = read::<AWSFederatedUserBinding, _>(object, parse_federated_binding)?;
            if let Some(policy) = binding.share.policy() {
                set.add("spec.session.policy".to_owned(), Document::clone(policy));
            }
        }
    }
    Ok(set)
}

impl PolicySet {
    /// What counts beside the policies of this set or of `other`, and only AWS knows.
    pub fn beside<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let mut all: Vec<&str> = self
            .unknown
            .iter()
            .chain(&other.unknown)
            .map(String::as_str)
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn add(&mut self, path: String, document: Document) {
        self.paths.push(path);
        self.documents.push(document);
    }

    fn add_role(&mut self, role: &deputy_delegation::model::Role, object: &Value) {
        for (i, policy) in role.policies().iter().enumerate() {
            self.add(format!("spec.policies[{i}].document"), policy.document.clone());
        }
        let arns = object
            .pointer("/spec/managedPolicyARNs")
            .and_then(Value::as_array);
        let arns = arns.into_iter().flatten().filter_map(Value::as_str);
        self.unknown
            .extend(arns.map(|arn| format!("what the managed policy {arn} allows")));
        let existing = object.pointer("/spec/existing/roleARN").and_then(Value::as_str);
        self.unknown
            .extend(existing.map(|arn| format!("what {arn}, which is somebody else's, may do")));
    }
}

fn read<K: DeserializeOwned, T>(
    object: &ReadObject,
    parse: impl FnOnce(&K) -> Result<T, Violations>,
) -> Result<T, String> {
    let typed: K = serde_json::from_value(object.value.clone()).map_err(|error| error.to_string())?;
    parse(&typed).map_err(|violations| violations.to_string())
}

/// The namespaces in which an object is looked at.
#[derive(Debug)]
pub struct ComparedNamespaces {
    pub names: Vec<NamespaceName>,
    /// Whether it makes a difference, so that the text says so.
    pub differ: bool,
    /// Patterns, of which one namespace is looked at, and names that are too many.
    left: Vec<String>,
}

/// The namespaces in which an object is looked at, before and after: one, but of a ClusterAWSRole whose policies name its namespace one
/// for each that either version names.
pub fn namespaces(objects: &[&ReadObject]) -> Result<ComparedNamespaces, String> {
    let differs = |object: &&ReadObject| {
        let policies = object.value.pointer("/spec/policies").map(Value::to_string);
        object.kind == DeputyKind::ClusterRole
            && policies.is_some_and(|text| text.contains(NAMESPACE_VARIABLE))
    };
    let named = |name: &str| NamespaceName::new(name).map_err(|error| error.to_string());
    if !objects.iter().any(differs) {
        return Ok(ComparedNamespaces {
            names: vec![named(ANY)?],
            differ: false,
            left: Vec::new(),
        });
    }
    let (mut names, mut left): (Vec<String>, Vec<String>) = Default::default();
    for object in objects {
        let listed = object.value.pointer("/spec/namespaces").and_then(Value::as_array);
        for pattern in listed.into_iter().flatten().filter_map(Value::as_str) {
            let name = stand_in(pattern);
            let is_new = !names.contains(&name);
            if is_new && names.len() < MAX_NAMESPACES {
                names.push(name.clone());
            }
            let is_left = pattern.contains('*') || !names.contains(&name);
            if is_left && !left.iter().any(|known| known == pattern) {
                left.push(pattern.to_owned());
            }
        }
    }
    let names: Result<Vec<NamespaceName>, String> = names.iter().map(|name| named(name)).collect();
    Ok(ComparedNamespaces {
        names: names?,
        differ: true,
        left,
    })
}

impl ComparedNamespaces {
    /// The statements, as text, that one version has and the other has not, with the namespaces in which nobody looked at what they
    /// change. With the same statements a role is the same in every namespace.
    pub fn unknown(&self, old: Option<&ReadObject>, new: Option<&ReadObject>) -> Option<String> {
        if self.left.is_empty() {
            return None;
        }
        let (old, new) = (statements(old), statements(new));
        let added = beyond(&new, &old).map(|path| format!("{path} (new)"));
        let removed = beyond(&old, &new).map(|path| format!("{path} (old)"));
        let changed: Vec<String> = added.chain(removed).collect();
        if changed.is_empty() {
            return None;
        }
        let (left, changed) = (first(&self.left), first(&changed));
        Some(format!(
            "what it changes in other namespaces of {left} than those that are told is not known: there {changed} may count otherwise"
        ))
    }
}

/// A statement of an object, as it is written, with the version of its policy.
struct WrittenStatement<'a> {
    path: String,
    text: (Option<&'a Value>, &'a Value),
}

fn statements(object: Option<&ReadObject>) -> Vec<WrittenStatement<'_>> {
    let listed = object.and_then(|object| object.value.pointer("/spec/policies"));
    let mut found = Vec::new();
    for (i, policy) in listed.and_then(Value::as_array).into_iter().flatten().enumerate() {
        let Some(document) = policy.get("document") else {
            continue;
        };
        let all: &[Value] = match document.get("Statement") {
            Some(Value::Array(all)) => all,
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        found.extend(all.iter().enumerate().map(|(j, statement)| WrittenStatement {
            path: format!("spec.policies[{i}].document.Statement[{j}]"),
            text: (document.get("Version"), statement),
        }));
    }
    found
}

/// The paths of those of `these` that `those` have not.
fn beyond<'a>(
    these: &'a [WrittenStatement<'_>],
    those: &'a [WrittenStatement<'_>],
) -> impl Iterator<Item = &'a str> {
    let is_new = move |one: &&WrittenStatement<'_>| !those.iter().any(|other| other.text == one.text);
    these.iter().filter(is_new).map(|one| one.path.as_str())
}

/// The first few.
fn first(all: &[String]) -> String {
    let shown: Vec<&str> = all.iter().take(3).map(String::as_str).collect();
    match all.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A namespace that a pattern matches.
fn stand_in(pattern: &str) -> String {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern.to_owned();
    };
    let after = after.replace('*', "0");
    let room = 63_usize.saturating_sub(before.len() + after.len());
    let any: String = ANY.chars().take(room).collect();
    format!("{before}{any}{after}")
}
