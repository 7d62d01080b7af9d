//! Whether Deputy's ServiceAccounts have the rights that the chart gives them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::chart_rights::{GivenRights, RIGHTS, RIGHTS_FOR_PEOPLE};
use crate::doctor::{
    finding::{CheckOutcome, DoctorFinding, UPGRADE},
    look::{list, of_object, text},
    snapshot::{DoctorSnapshot, PEOPLE_ROLE, PEOPLE_SERVICE, PROCESSES},
};

/// One right: group, resource or path, name or all, verb.
type Right = (String, String, Option<String>, String);

pub fn check(snapshot: &DoctorSnapshot) -> CheckOutcome {
    let mut found = Vec::new();
    let mut all: Vec<&GivenRights> = RIGHTS.iter().collect();
    let mut bindings = Vec::new();
    for process in PROCESSES {
        let name = format!("deputy-{process}");
        bindings.push(("ClusterRoleBinding", name.clone()));
        bindings.push(("RoleBinding", name));
    }
    match snapshot.object("APIService", PEOPLE_SERVICE) {
        Ok(None) => {}
        Ok(Some(_)) => {
            all.extend(RIGHTS_FOR_PEOPLE);
            bindings.push(("RoleBinding", PEOPLE_ROLE.to_owned()));
        }
        Err(why) => found.push(DoctorFinding::unknown(
            &format!("APIService {PEOPLE_SERVICE}"),
            why,
        )),
    }
    for rights in all {
        found.extend(of_object(snapshot, rights.kind, rights.name, UPGRADE, |object| {
            of_role(rights, object)
        }));
    }
    for (kind, name) in bindings {
        found.extend(of_object(snapshot, kind, &name, UPGRADE, |object| {
            of_binding(kind, &name, &snapshot.namespace, object)
        }));
    }
    CheckOutcome::Looked(found)
}

fn of_role(rights: &GivenRights, object: &Value) -> Vec<DoctorFinding> {
    let given = rights_of(list(object, "/rules"));
    let missing: Vec<String> = expected(rights)
        .iter()
        .filter(|right| !covers(&given, right))
        .map(words)
        .collect();
    match missing.is_empty() {
        true => Vec::new(),
        false => vec![DoctorFinding::error(
            &format!("{} {}", rights.kind, rights.name),
            format!("it lacks {}", missing.join(", ")),
            UPGRADE,
        )],
    }
}

/// Role and ServiceAccount have the name of the binding.
fn of_binding(kind: &str, name: &str, namespace: &str, object: &Value) -> Vec<DoctorFinding> {
    let account = name.rsplit('/').next().unwrap_or(name);
    let is_of = list(object, "/subjects").iter().any(|subject| {
        let of = |field: &str| text(subject, field);
        (of("/kind"), of("/name"), of("/namespace")) == ("ServiceAccount", account, namespace)
    });
    let role = kind.trim_end_matches("Binding");
    let to = (text(object, "/roleRef/kind"), text(object, "/roleRef/name"));
    match is_of && to == (role, account) {
        true => Vec::new(),
        false => vec![DoctorFinding::error(
            &format!("{kind} {name}"),
            format!("it does not give {role} {account} to ServiceAccount {namespace}/{account}"),
            UPGRADE,
        )],
    }
}

fn expected(rights: &GivenRights) -> BTreeSet<Right> {
    let mut all = BTreeSet::new();
    for (group, resources, names, verbs) in rights.rules {
        let names: Vec<Option<String>> = match names {
            [] => vec![None],
            names => names.iter().map(|name| Some((*name).to_owned())).collect(),
        };
        for resource in *resources {
            for name in &names {
                for verb in *verbs {
                    let (group, resource) = ((*group).to_owned(), (*resource).to_owned());
                    all.insert((group, resource, name.clone(), (*verb).to_owned()));
                }
            }
        }
    }
    all
}

fn rights_of(rules: &[Value]) -> BTreeSet<Right> {
    let texts = |rule: &Value, field: &str| -> Vec<String> {
        let listed = list(rule, &format!("/{field}")).iter().filter_map(Value::as_str);
        listed.map(str::to_owned).collect()
    };
    let mut all = BTreeSet::new();
    for rule in rules {
        let mut groups = texts(rule, "apiGroups");
        let mut resources = texts(rule, "resources");
        let paths = texts(rule, "nonResourceURLs");
        if !paths.is_empty() {
            groups = vec![String::new()];
            resources = paths;
        }
        let names: Vec<Option<String>> = match texts(rule, "resourceNames") {
            names if names.is_empty() => vec![None],
            names => names.into_iter().map(Some).collect(),
        };
        for group in &groups {
            for resource in &resources {
                for name in &names {
                    for verb in texts(rule, "verbs") {
                        all.insert((group.clone(), resource.clone(), name.clone(), verb));
                    }
                }
            }
        }
    }
    all
}

/// Whether one of these has the right: as it is, for all names, or by a wildcard.
fn covers(given: &BTreeSet<Right>, right: &Right) -> bool {
    let is = |pattern: &str, text: &str| pattern == "*" || pattern == text;
    let (group, resource, name, verb) = right;
    given
        .iter()
        .any(|(g, r, n, v)| is(g, group) && is(r, resource) && is(v, verb) && (n.is_none() || n == name))
}

fn words((group, resource, name, verb): &Right) -> String {
    let of = if group.is_empty() {
        String::new()
    } else {
        format!(".{group}")
    };
    let name = name.as_ref().map_or_else(String::new, |name| format!(" {name}"));
    format!("{verb} {resource}{of}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a render of the chart gives by the role of a name.
    fn rendered(render: &str, rights: &GivenRights) -> BTreeSet<Right> {
        let text = std::fs::read_to_string(format!("tests/chart/golden/{render}.yaml")).unwrap();
        let nodes = crate::yaml::read(&text).unwrap();
        let (namespace, name) = rights.name.split_once('/').unwrap_or(("deputy", rights.name));
        let found = nodes.iter().map(crate::yaml::YamlNode::to_value).find(|one| {
            let is_there = rights.kind == "ClusterRole" || one["metadata"]["namespace"] == namespace;
            one["kind"] == rights.kind && one["metadata"]["name"] == name && is_there
        });
        rights_of(list(&found.unwrap(), "/rules"))
    }

    #[test]
    fn the_rights_are_those_of_the_chart() {
        for rights in RIGHTS {
            let is = rendered("minimal", rights);
            assert_eq!(is, expected(rights), "{} {}", rights.kind, rights.name);
        }
        assert_eq!(RIGHTS.len(), 2 * PROCESSES.len());
    }

    #[test]
    fn with_people_the_broker_has_more() {
        for rights in RIGHTS_FOR_PEOPLE {
            let always = RIGHTS
                .iter()
                .find(|one| (one.kind, one.name) == (rights.kind, rights.name));
            let mut all = always.map(expected).unwrap_or_default();
            all.extend(expected(rights));
            let is = rendered("full", rights);
            assert_eq!(is, all, "{} {}", rights.kind, rights.name);
        }
    }

    #[test]
    fn a_right_may_be_had_in_other_ways() {
        let right = ("".into(), "secrets".into(), Some("a".into()), "get".into());
        let given = |rule: Value| rights_of(&[rule]);
        for (rule, expected) in [
            (
                serde_json::json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}),
                true,
            ),
            (
                serde_json::json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}),
                true,
            ),
            (
                serde_json::json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["b"], "verbs": ["get"]}),
                false,
            ),
            (
                serde_json::json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}),
                false,
            ),
        ] {
            assert_eq!(covers(&given(rule.clone()), &right), expected, "{rule}");
        }
    }
}
