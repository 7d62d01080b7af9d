//! The policies of a ClusterAWSRole as they are in a namespace that binds it: `${namespace}` is its name.

use deputy_api::convert::{NAMESPACE_ELEMENTS, NAMESPACE_VARIABLE};

use crate::yaml::{YamlKind, YamlNode};

/// What stands for the `*` of a pattern on namespaces. Nobody writes a policy for a namespace of that name, so only a wildcard or a policy
/// variable of a ceiling covers it.
const ANY: &str = "any-namespace-5e7d0c";
/// Characters of the longest name of a namespace.
const LONGEST: usize = 63;

/// In which namespaces a ClusterAWSRole is looked at, where that makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InNamespaces {
    /// In each that it names, and in one for each pattern.
    Each,
    /// In the one with the longest name, where its policies are largest.
    Longest,
}

/// A namespace that may bind a ClusterAWSRole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingNamespace {
    /// Its name; of a pattern, that of one that matches it.
    pub name: String,
    /// What it stands for, if it was made of a pattern.
    pattern: Option<String>,
}

impl std::fmt::Display for BindingNamespace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "namespace {}", self.name)?;
        match &self.pattern {
            Some(pattern) => write!(f, ", which stands for {pattern}"),
            None => Ok(()),
        }
    }
}

impl BindingNamespace {
    fn of(listed: &str, fill: impl Fn(usize) -> String) -> Self {
        let Some((before, after)) = listed.split_once('*') else {
            return Self {
                name: listed.to_owned(),
                pattern: None,
            };
        };
        // A name does not end in a hyphen.
        let after = after.replace('*', "0");
        let room = LONGEST.saturating_sub(before.len() + after.len());
        Self {
            name: format!("{before}{}{after}", fill(room)),
            pattern: Some(listed.to_owned()),
        }
    }
}

/// The namespaces of a `spec.namespaces` in which policies are looked at. None when no policy has `${namespace}`: they are the same
/// everywhere.
pub fn namespaces(listed: &[YamlNode], policies: &[&YamlNode], which: InNamespaces) -> Vec<BindingNamespace> {
    if !policies.iter().any(|policy| has_variable(policy)) {
        return Vec::new();
    }
    let listed = listed.iter().filter_map(YamlNode::as_str);
    match which {
        InNamespaces::Each => {
            let cut = |room: usize| ANY.chars().take(room).collect();
            listed.map(|listed| BindingNamespace::of(listed, cut)).collect()
        }
        InNamespaces::Longest => {
            let all = listed.map(|listed| BindingNamespace::of(listed, |room| "a".repeat(room)));
            all.max_by_key(|namespace| namespace.name.len())
                .into_iter()
                .collect()
        }
    }
}

fn has_variable(node: &YamlNode) -> bool {
    node.as_str()
        .is_some_and(|text| text.contains(NAMESPACE_VARIABLE))
        || node.items().iter().any(has_variable)
        || node.members().iter().any(|(_, value)| has_variable(value))
}

/// A policy with the name of a namespace in place of the variable, everything where it stands in the file.
pub fn put_in(policy: &YamlNode, namespace: &str) -> YamlNode {
    let mut policy = policy.clone();
    for statements in members(&mut policy, &["Statement"]) {
        let statements = match &mut statements.kind {
            YamlKind::List(statements) => statements.as_mut_slice(),
            _ => std::slice::from_mut(statements),
        };
        for statement in statements {
            for value in members(statement, &NAMESPACE_ELEMENTS) {
                put_into(value, namespace);
            }
        }
    }
    policy
}

/// The values of these keys, as often as they are there.
fn members<'a>(node: &'a mut YamlNode, keys: &'a [&str]) -> impl Iterator<Item = &'a mut YamlNode> {
    let members = match &mut node.kind {
        YamlKind::Map(members) => members.as_mut_slice(),
        _ => &mut [],
    };
    let named = members
        .iter_mut()
        .filter(|(key, _)| keys.contains(&key.name.as_str()));
    named.map(|(_, value)| value)
}

/// Into every text of a value; not into keys.
fn put_into(node: &mut YamlNode, namespace: &str) {
    match &mut node.kind {
        YamlKind::Text(text) => *text = text.replace(NAMESPACE_VARIABLE, namespace),
        YamlKind::List(items) => items.iter_mut().for_each(|item| put_into(item, namespace)),
        YamlKind::Map(members) => members
            .iter_mut()
            .for_each(|(_, value)| put_into(value, namespace)),
        YamlKind::Null | YamlKind::Bool(_) | YamlKind::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use deputy_api::{ClusterAWSRole, parse_cluster_role};
    use deputy_delegation::{NamespaceName, NamespacePattern, ObjectName};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pattern_is_looked_at_in_a_namespace_that_it_matches() {
        let long = format!("{}-*", "a".repeat(60));
        for listed in [
            "payments",
            "*",
            "payments-*",
            "*-team-*",
            "team-*-dev",
            long.as_str(),
        ] {
            let pattern = NamespacePattern::new(listed).unwrap();
            for which in [InNamespaces::Each, InNamespaces::Longest] {
                let text = format!("- {listed:?}\n- \"${{namespace}}\"");
                let nodes = crate::yaml::read(&text).unwrap();
                let (names, policy) = nodes[0].items().split_at(1);
                let found = namespaces(names, &[&policy[0]], which);
                let name = NamespaceName::new(found[0].name.as_str()).unwrap();
                assert!(pattern.matches(&name), "{listed}: {name}");
                assert_eq!(found[0].pattern.is_some(), listed.contains('*'));
            }
        }
    }

    #[test]
    fn a_policy_is_what_the_operator_makes_of_it() {
        let yaml = "Version: \"2012-10-17\"\nStatement:\n- Effect: Allow\n  Action: s3:GetObject\n  \
                    Resource: [\"arn:aws:s3:::app/${namespace}/*\", \"arn:aws:s3:::app/${aws:PrincipalTag/deputy-namespace}\"]\n  \
                    Condition: {StringLike: {\"s3:prefix\": \"${namespace}/${namespace}*\"}}\n";
        let node = crate::yaml::read(yaml).unwrap().remove(0);
        let object = json!({
            "apiVersion": "deputy.dev/v1alpha1", "kind": "ClusterAWSRole", "metadata": {"name": "own-folder"},
            "spec": {"namespaces": ["payments"], "policies": [{"name": "own", "document": node.to_value()}]},
        });
        let object: ClusterAWSRole = serde_json::from_value(object).unwrap();
        let (namespace, account) = (NamespaceName::new("payments"), ObjectName::new("production"));
        let template = parse_cluster_role(&object).unwrap();
        let role = template.instance(&namespace.unwrap(), &account.unwrap()).unwrap();
        let made = put_in(&node, "payments").to_value();
        let made = deputy_policy::Document::parse(&made.to_string(), deputy_policy::PolicyKind::Identity);
        assert_eq!(made.unwrap(), role.policies()[0].document);
    }
}
