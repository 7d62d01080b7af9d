//! Which roles kiam and kube2iam give the pods of a namespace: what the annotations of namespaces say.

use std::collections::BTreeMap;

use deputy_delegation::wildcard_match;
use regex::RegexBuilder;
use serde_json::Value;

use super::former::{Former, OldGrant};

/// Of kiam: a regular expression.
const PERMITTED: &str = "iam.amazonaws.com/permitted";
/// Of kube2iam: a list of globs, in JSON.
const ALLOWED: &str = "iam.amazonaws.com/allowed-roles";
/// Bytes that a compiled expression may have; people's are names with a few alternatives.
const MAX_EXPRESSION: usize = 1 << 20;

/// The annotations of all namespaces of the exports.
#[derive(Debug, Default)]
pub struct NamespaceRules {
    /// By the name of the namespace: the annotation of [`NamespaceRules::key`], where there is one.
    namespaces: BTreeMap<String, Option<String>>,
}

impl NamespaceRules {
    /// The annotation that counts.
    pub fn key(former: Former) -> Option<&'static str> {
        match former {
            Former::Kiam => Some(PERMITTED),
            Former::Kube2iam => Some(ALLOWED),
            Former::Irsa | Former::PodIdentity => None,
        }
    }

    /// Remembers a namespace and what it is annotated with.
    pub fn insert(&mut self, namespace: &str, annotation: Option<&str>) {
        self.namespaces
            .insert(namespace.to_owned(), annotation.map(str::to_owned));
    }

    /// Why the pods of a grant are not given the role today. `prefix` is the ARN of the account's roles up to their
    /// paths.
    pub fn refusal(&self, former: Former, grant: &OldGrant, prefix: &str) -> Option<String> {
        let key = Self::key(former)?;
        // kube2iam looks at it with --namespace-restrictions only, and nobody writes it without.
        if former == Former::Kube2iam && self.namespaces.values().all(Option::is_none) {
            return None;
        }
        let (namespace, role) = (&grant.namespace, &grant.role);
        let refused = |why: String| Some(format!("it is not given {role} today: {why}"));
        let Some(annotation) = self.namespaces.get(namespace) else {
            return refused(format!(
                "the exports do not have Namespace {namespace}, whose {key} would have to allow it"
            ));
        };
        let Some(annotation) = annotation.as_deref().filter(|text| !text.is_empty()) else {
            return refused(format!("Namespace {namespace} has no {key}"));
        };
        let answer = match former {
            Former::Kiam => is_permitted(annotation, role),
            _ => is_allowed(annotation, role, prefix),
        };
        match answer {
            Ok(true) => None,
            Ok(false) => refused(format!(
                "{key} of Namespace {namespace} is {annotation}, which does not match it"
            )),
            Err(why) => refused(format!("{key} of Namespace {namespace} can't be read: {why}")),
        }
    }
}

/// As kiam asks it with its strict setting, without which more matches: all of the role's name, as the pod has it or, of an ARN, path and name.
fn is_permitted(expression: &str, role: &str) -> Result<bool, String> {
    let expression = RegexBuilder::new(&format!("^{expression}$"))
        .size_limit(MAX_EXPRESSION)
        .build()
        .map_err(|error| error.to_string())?;
    let name = role.split_once(":role/").map_or(role, |(_, name)| name);
    let name = name.trim_start_matches('/');
    Ok(expression.is_match(role) || expression.is_match(name))
}

/// As kube2iam asks it by default: the ARN, by globs that are ARNs or follow the account's prefix.
fn is_allowed(globs: &str, role: &str, prefix: &str) -> Result<bool, String> {
    let globs: Value = serde_json::from_str(globs).map_err(|error| error.to_string())?;
    let globs = globs.as_array().ok_or("it is no list in JSON")?;
    let arn = |text: &str| match text.starts_with("arn:") {
        true => text.to_owned(),
        false => format!("{prefix}{}", text.trim_start_matches('/')),
    };
    let role = arn(role);
    Ok(globs
        .iter()
        .filter_map(Value::as_str)
        .any(|glob| wildcard_match(&arn(glob), &role)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::former::OldWay;

    const PREFIX: &str = "arn:aws:iam::123456789012:role/";

    fn refusal(former: Former, namespaces: &[(&str, Option<&str>)], role: &str) -> Option<String> {
        let mut rules = NamespaceRules::default();
        for (namespace, annotation) in namespaces {
            rules.insert(namespace, *annotation);
        }
        let grant = OldGrant {
            namespace: "dev".to_owned(),
            service_account: "app".to_owned(),
            role: role.to_owned(),
            way: OldWay::Node,
        };
        rules.refusal(former, &grant, PREFIX)
    }

    #[test]
    fn kiam_gives_what_permitted_matches_as_a_whole() {
        let kiam = |permitted, role| refusal(Former::Kiam, &[("dev", permitted)], role);
        let arn = "arn:aws:iam::123456789012:role/eks/app";
        for (permitted, role) in [
            ("eks/.*", "eks/app"),
            ("eks/.*", "/eks/app"),
            ("eks/.*", arn),
            ("arn:aws:iam::123456789012:role/eks/.*", arn),
            (".*", "Admin"),
        ] {
            assert_eq!(kiam(Some(permitted), role), None, "{permitted} {role}");
        }
        for (permitted, role) in [("^$", "Admin"), ("app", "app-admin"), ("(", "(")] {
            assert!(kiam(Some(permitted), role).is_some(), "{permitted} {role}");
        }
        let said = "it is not given Admin today: Namespace dev has no iam.amazonaws.com/permitted";
        assert_eq!(kiam(None, "Admin").unwrap(), said);
        assert_eq!(kiam(Some(""), "Admin").unwrap(), said);
        assert!(refusal(Former::Kiam, &[("other", Some(".*"))], "Admin").is_some());
    }

    #[test]
    fn kube2iam_restricts_every_namespace_once_one_says_its_roles() {
        let kube2iam = |namespaces: &[_], role| refusal(Former::Kube2iam, namespaces, role);
        assert_eq!(kube2iam(&[("dev", None)], "Admin"), None);
        assert!(kube2iam(&[("dev", None), ("other", Some("[]"))], "Admin").is_some());
        for (globs, role, is_given) in [
            (r#"["eks/*"]"#, "eks/app", true),
            (r#"["eks/*"]"#, "arn:aws:iam::123456789012:role/eks/app", true),
            (r#"["eks/*"]"#, "arn:aws:iam::210987654321:role/eks/app", false),
            (r#"["arn:aws:iam::*:role/eks/*"]"#, "eks/app", true),
            (r#"["eks/*"]"#, "Admin", false),
            (r#"["a", "b*c*d"]"#, "bxcyd", true),
            (r#"["a", "b*c*d"]"#, "bxyd", false),
            (r#"["a"]"#, "ab", false),
            ("eks/*", "eks/app", false),
        ] {
            let refused = kube2iam(&[("dev", Some(globs))], role);
            assert_eq!(refused.is_none(), is_given, "{globs} {role}: {refused:?}");
        }
    }
}
