//! Whether Deputy's ServiceAccounts have the rights that the chart gives them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::doctor::{
    finding::{CheckOutcome, DoctorFinding},
    look::{list, of_object, text},
    snapshot::{DoctorSnapshot, PROCESSES},
};

const FIX: &str = "run helm upgrade: the chart has it";

/// API group, resources or paths, names where it is about some alone, verbs.
type Rule = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

/// The rules of a role.
struct Rights {
    /// `ClusterRole`, or `Role` of the release's namespace.
    kind: &'static str,
    /// Role, binding and ServiceAccount have this name.
    process: &'static str,
    rules: &'static [Rule],
}

/// What the chart gives without any value set; held against its render by a test.
const RIGHTS: &[Rights] = &[
    Rights {
        kind: "ClusterRole",
        process: "deputy-broker",
        rules: &[
            (
                "deputy.dev",
                &[
                    "awsaccounts",
                    "delegationlimits",
                    "awsroles",
                    "clusterawsroles",
                    "awsrolebindings",
                    "awsfederateduserbindings",
                ],
                &[],
                &["list", "watch"],
            ),
            (
                "deputy.dev",
                &["awsaccounts", "awsrolebindings", "awsfederateduserbindings"],
                &[],
                &["get"],
            ),
            (
                "deputy.dev",
                &[
                    "awsaccounts/status",
                    "awsrolebindings/status",
                    "awsfederateduserbindings/status",
                ],
                &[],
                &["patch"],
            ),
            (
                "",
                &["/.well-known/openid-configuration", "/openid/v1/jwks"],
                &[],
                &["get"],
            ),
            ("authentication.k8s.io", &["tokenreviews"], &[], &["create"]),
            ("", &["pods"], &[], &["list", "watch"]),
            ("", &["serviceaccounts"], &[], &["list", "watch"]),
            ("events.k8s.io", &["events"], &[], &["create"]),
        ],
    },
    Rights {
        kind: "Role",
        process: "deputy-broker",
        rules: &[
            (
                "",
                &["secrets"],
                &["deputy-broker-ca"],
                &["get", "watch", "update"],
            ),
            ("", &["configmaps"], &["deputy-broker-bundle"], &["get", "update"]),
            ("", &["configmaps"], &["deputy-cluster"], &["get"]),
        ],
    },
    Rights {
        kind: "ClusterRole",
        process: "deputy-controller",
        rules: &[
            (
                "deputy.dev",
                &[
                    "awsaccounts",
                    "delegationlimits",
                    "awsroles",
                    "clusterawsroles",
                    "awsrolebindings",
                    "awsfederateduserbindings",
                    "awsresourcepolicystatements",
                ],
                &[],
                &["list", "watch"],
            ),
            (
                "deputy.dev",
                &[
                    "awsaccounts",
                    "awsroles",
                    "clusterawsroles",
                    "awsrolebindings",
                    "awsfederateduserbindings",
                    "awsresourcepolicystatements",
                ],
                &[],
                &["get"],
            ),
            (
                "deputy.dev",
                &["awsroles", "clusterawsroles", "awsresourcepolicystatements"],
                &[],
                &["patch"],
            ),
            (
                "deputy.dev",
                &[
                    "awsaccounts/status",
                    "awsroles/status",
                    "clusterawsroles/status",
                    "awsrolebindings/status",
                    "awsfederateduserbindings/status",
                    "awsresourcepolicystatements/status",
                ],
                &[],
                &["patch"],
            ),
            ("", &["namespaces"], &[], &["get"]),
            ("events.k8s.io", &["events"], &[], &["create", "patch"]),
        ],
    },
    Rights {
        kind: "Role",
        process: "deputy-controller",
        rules: &[
            (
                "coordination.k8s.io",
                &["leases"],
                &["deputy-controller"],
                &["get", "update"],
            ),
            ("coordination.k8s.io", &["leases"], &[], &["create"]),
            ("", &["configmaps"], &["deputy-cluster"], &["get", "update"]),
        ],
    },
    Rights {
        kind: "ClusterRole",
        process: "deputy-limits",
        rules: &[
            (
                "deputy.dev",
                &[
                    "awsaccounts",
                    "delegationlimits",
                    "awsroles",
                    "clusterawsroles",
                    "awsrolebindings",
                    "awsfederateduserbindings",
                    "awsresourcepolicystatements",
                ],
                &[],
                &["list", "watch"],
            ),
            ("deputy.dev", &["delegationlimits", "awsaccounts"], &[], &["get"]),
            (
                "deputy.dev",
                &["delegationlimits/status", "awsaccounts/status"],
                &[],
                &["patch"],
            ),
            (
                "deputy.dev",
                &["namespacelimits"],
                &[],
                &["list", "create", "patch", "delete"],
            ),
            ("", &["namespaces"], &[], &["list", "watch"]),
            ("", &["namespaces"], &["kube-system"], &["get"]),
            ("events.k8s.io", &["events"], &[], &["create", "patch"]),
        ],
    },
    Rights {
        kind: "Role",
        process: "deputy-limits",
        rules: &[
            (
                "coordination.k8s.io",
                &["leases"],
                &["deputy-limits"],
                &["get", "update"],
            ),
            ("coordination.k8s.io", &["leases"], &[], &["create"]),
            ("", &["configmaps"], &["deputy-cluster"], &["get"]),
        ],
    },
    Rights {
        kind: "ClusterRole",
        process: "deputy-webhook",
        rules: &[
            (
                "deputy.dev",
                &[
                    "awsaccounts",
                    "delegationlimits",
                    "awsroles",
                    "clusterawsroles",
                    "awsrolebindings",
                    "awsfederateduserbindings",
                    "awsresourcepolicystatements",
                ],
                &[],
                &["list", "watch"],
            ),
            (
                "",
                &["namespaces", "serviceaccounts"],
                &[],
                &["get", "list", "watch"],
            ),
            (
                "admissionregistration.k8s.io",
                &["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
                &["deputy"],
                &["get", "watch", "patch"],
            ),
            ("events.k8s.io", &["events"], &[], &["create"]),
        ],
    },
    Rights {
        kind: "Role",
        process: "deputy-webhook",
        rules: &[
            (
                "",
                &["secrets"],
                &["deputy-webhook-ca"],
                &["get", "watch", "update"],
            ),
            ("", &["configmaps"], &["deputy-broker-bundle"], &["get", "watch"]),
            ("", &["configmaps"], &["deputy-cluster"], &["get"]),
            ("", &["services"], &["deputy-broker"], &["get"]),
        ],
    },
];

/// One right: group, resource or path, name or all, verb.
type Right = (String, String, Option<String>, String);

pub fn check(snapshot: &DoctorSnapshot) -> CheckOutcome {
    let mut found = Vec::new();
    for rights in RIGHTS {
        let title = format!("{} {}", rights.kind, rights.process);
        found.extend(of_object(snapshot, rights.kind, rights.process, FIX, |object| {
            let given = rights_of(list(object, "/rules"));
            let missing: Vec<String> = expected(rights)
                .iter()
                .filter(|right| !covers(&given, right))
                .map(words)
                .collect();
            match missing.is_empty() {
                true => Vec::new(),
                false => vec![DoctorFinding::error(
                    &title,
                    format!("it lacks {}", missing.join(", ")),
                    FIX,
                )],
            }
        }));
    }
    for process in PROCESSES {
        let name = format!("deputy-{process}");
        for (kind, role) in [("ClusterRoleBinding", "ClusterRole"), ("RoleBinding", "Role")] {
            found.extend(of_object(snapshot, kind, &name, FIX, |object| {
                let is_of = list(object, "/subjects").iter().any(|subject| {
                    (
                        text(subject, "/kind"),
                        text(subject, "/name"),
                        text(subject, "/namespace"),
                    ) == ("ServiceAccount", name.as_str(), snapshot.namespace.as_str())
                });
                let to = (text(object, "/roleRef/kind"), text(object, "/roleRef/name"));
                match is_of && to == (role, name.as_str()) {
                    true => Vec::new(),
                    false => vec![DoctorFinding::error(
                        &format!("{kind} {name}"),
                        format!(
                            "it does not give {role} {name} to ServiceAccount {}/{name}",
                            snapshot.namespace
                        ),
                        FIX,
                    )],
                }
            }));
        }
    }
    CheckOutcome::Looked(found)
}

fn expected(rights: &Rights) -> BTreeSet<Right> {
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

    #[test]
    fn the_rights_are_those_of_the_chart() {
        let text = std::fs::read_to_string("tests/chart/golden/minimal.yaml").unwrap();
        let documents: Vec<Value> = crate::yaml::read(&text)
            .unwrap()
            .iter()
            .map(crate::yaml::YamlNode::to_value)
            .collect();
        for rights in RIGHTS {
            let found = documents.iter().find(|document| {
                document["kind"] == rights.kind && document["metadata"]["name"] == rights.process
            });
            let rules = found.unwrap()["rules"].as_array().unwrap();
            assert_eq!(
                rights_of(rules),
                expected(rights),
                "{} {}",
                rights.kind,
                rights.process
            );
        }
        assert_eq!(RIGHTS.len(), 2 * PROCESSES.len());
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
