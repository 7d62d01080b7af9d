//! Names in Kubernetes and in AWS.

use std::{collections::BTreeSet, fs};

use deputy_admission::inject::SkipReason;
use deputy_api::{GROUP, VERSION, crds::crds};
use deputy_delegation::naming;

use crate::page::{codes, literals, root, row, rows, source};

const NAMES: &str = "Names in Kubernetes";
const AWS: &str = "Names in AWS";

#[test]
fn the_kinds_are_those_of_the_definitions() {
    assert_eq!(codes(&row(NAMES, "API group")[1]), [format!("{GROUP}/{VERSION}")]);
    let kinds = row(NAMES, "kinds")[1].clone();
    let listed: BTreeSet<_> = kinds
        .split("), ")
        .map(|k| k.trim_end_matches(')').to_owned())
        .collect();
    let defined: BTreeSet<_> = crds()
        .iter()
        .map(|crd| {
            let names = &crd.spec.names;
            let scope = if crd.spec.scope == "Cluster" {
                "cluster"
            } else {
                "namespace"
            };
            format!("`{}` ({scope}, `{}`", names.kind, names.plural)
        })
        .collect();
    assert_eq!(listed, defined);
}

#[test]
fn every_name_on_deputy_dev_is_in_the_code_and_on_the_page() {
    let page: BTreeSet<String> = rows(NAMES)
        .iter()
        .flat_map(|r| codes(&r[1]).into_iter().map(str::to_owned).collect::<Vec<_>>())
        .filter(|c| c.starts_with("deputy.dev/") && !c.ends_with(VERSION))
        .map(|c| {
            c.split(':')
                .next()
                .unwrap()
                .trim_end_matches(".CONTAINER")
                .to_owned()
        })
        .collect();
    let mut code = BTreeSet::new();
    for part in [
        "crates/admission",
        "crates/controller",
        "crates/broker",
        "crates/index",
        "crates/runtime",
        "crates/api",
        "src/uninstall",
    ] {
        let text = source(part);
        let names = literals(&text)
            .into_iter()
            .filter_map(|l| l.strip_prefix("deputy.dev/").map(str::to_owned));
        let is_name =
            |n: &String| !n.is_empty() && n.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c == '.');
        code.extend(
            names
                .map(|n| n.trim_end_matches('.').to_owned())
                .filter(is_name)
                .map(|n| format!("deputy.dev/{n}")),
        );
    }
    assert_eq!(page, code, "left: docs/contracts.md, right: the code");
}

#[test]
fn the_crate_that_a_row_names_has_its_values() {
    for row in rows(NAMES)
        .iter()
        .filter(|r| !r[0].starts_with("API") && !r[0].starts_with("kinds"))
    {
        let folder = codes(&row[2])[0].to_owned();
        let text = source(&folder);
        for value in codes(&row[1]) {
            let value = value
                .split([':', ' '])
                .next()
                .unwrap()
                .trim_end_matches("CONTAINER")
                .trim_end_matches('.');
            let in_code = literals(&text).contains(&value);
            // Names that the chart passes to the process.
            let in_chart = || chart().contains(value);
            assert!(
                in_code || in_chart(),
                "{}: {value} is neither in {folder} nor in the chart",
                row[0]
            );
        }
    }
}

#[test]
fn the_tags_are_those_of_the_code() {
    let tags = |what: &str| -> Vec<String> {
        let listed = row(AWS, what)[1].clone();
        codes(&listed)
            .into_iter()
            .filter(|c| c.starts_with("deputy-"))
            .map(str::to_owned)
            .collect()
    };
    use naming::{
        TAG_CLUSTER, TAG_CLUSTER_UID, TAG_KIND, TAG_NAME, TAG_NAMESPACE, TAG_PERSON, TAG_POD_UID,
        TAG_RETAINED, TAG_SERVICE_ACCOUNT, TAG_SESSION_POLICY, TAG_TAGS, TAG_UID,
    };
    assert_eq!(
        tags("tags on roles"),
        [
            TAG_CLUSTER,
            TAG_CLUSTER_UID,
            TAG_KIND,
            TAG_NAMESPACE,
            TAG_NAME,
            TAG_UID,
            TAG_TAGS,
            TAG_RETAINED
        ]
    );
    assert_eq!(
        tags("tags on boundary"),
        [
            TAG_CLUSTER,
            TAG_CLUSTER_UID,
            TAG_KIND,
            TAG_NAME,
            TAG_UID,
            TAG_TAGS
        ]
    );
    assert_eq!(
        tags("session tags"),
        [
            TAG_CLUSTER,
            TAG_NAMESPACE,
            TAG_SERVICE_ACCOUNT,
            TAG_POD_UID,
            TAG_SESSION_POLICY,
            TAG_PERSON
        ]
    );
    assert_eq!(codes(&row(AWS, "inline policy")[1]), [naming::INLINE_POLICY]);
    let sids = &row(AWS, "Sids in it of what denies everything")[1];
    let expected = [
        deputy_delegation::cut_sessions::SID,
        deputy_delegation::cut_sessions::SID_OF_PEOPLE,
        deputy_delegation::cut_sessions::SID_OF_EVERYBODY,
        deputy_delegation::cut_sessions::SID_OF_UNTAGGED,
        deputy_delegation::cut_sessions::SID_OF_NARROWED,
    ];
    assert_eq!(codes(sids), expected);
}

#[test]
fn paths_names_and_the_external_id_follow_the_page() {
    let vectors = fs::read_to_string(root().join("crates/delegation/tests/golden/names.json")).unwrap();
    let vectors: serde_json::Value = serde_json::from_str(&vectors).unwrap();
    assert!(vectors.as_object().is_some_and(|v| !v.is_empty()));
    let cluster = deputy_delegation::ClusterName::new("production-1").unwrap();
    let fill = |what: &str| codes(&row(AWS, what)[1])[0].replace("<clusterName>", "production-1");
    assert_eq!(fill("role path"), naming::role_path(&cluster).to_string());
    assert_eq!(
        fill("boundary policy path"),
        naming::limit_path(&cluster).to_string()
    );
    let id = deputy_delegation::model::RoleId {
        namespace: deputy_delegation::NamespaceName::new("payments").unwrap(),
        name: deputy_delegation::ObjectName::new("uploader").unwrap(),
        kind: deputy_delegation::model::RoleKind::AWSRole,
    };
    let external = fill("external id")
        .replace("<namespace>", "payments")
        .replace("<kind>", "AWSRole")
        .replace("<name>", "uploader");
    assert_eq!(external, naming::external_id(&cluster, &id).to_string());
    let name = naming::role_name(&cluster, &id).to_string();
    let pattern = codes(&row(AWS, "role name")[1])[0]
        .replace("<namespace>", "payments")
        .replace("<name>", "uploader");
    let (readable, hash) = name.split_at(name.len() - 16);
    assert_eq!((readable.to_owned() + "<hash>", hash.len()), (pattern, 16));
}

/// The finalizer that a policy of the chart keeps, and the one who takes it off, are those of the controller.
#[test]
fn the_policy_about_a_finalizer_names_it_and_the_controller() {
    let golden = fs::read_to_string(root().join("tests/chart/golden/minimal.yaml")).unwrap();
    let document = |kind: &str, name: &str| {
        let head = format!("kind: {kind}\nmetadata:\n  name: {name}\n");
        let found = golden.split("\n---\n").find(|d| d.contains(&head));
        found
            .unwrap_or_else(|| panic!("the chart has no {kind} {name}"))
            .to_owned()
    };
    let policy = document("ValidatingAdmissionPolicy", "deputy-statement-finalizer");
    let listed = row(NAMES, "finalizer on AWSResourcePolicyStatement");
    let finalizer = codes(&listed[1])[0];
    for object in ["oldObject", "object"] {
        let looked_for = format!("'{finalizer}' in {object}.metadata.?finalizers.orValue([])");
        assert!(policy.contains(&looked_for), "{looked_for}");
    }
    let account = document("ServiceAccount", "deputy-controller");
    let namespace = account
        .lines()
        .find_map(|l| l.strip_prefix("  namespace: "))
        .unwrap();
    let name = format!("request.userInfo.username == 'system:serviceaccount:{namespace}:deputy-controller'");
    assert!(policy.contains(&name), "{name}");
}

/// A pod that the webhook leaves alone, and the policies that come after it, go by one list.
#[test]
fn the_policies_let_in_what_the_webhook_leaves_alone() {
    let words: Vec<String> = SkipReason::ANNOTATED
        .iter()
        .map(|r| format!("skipped: {}", r.as_str()))
        .collect();
    let golden = fs::read_to_string(root().join("tests/chart/golden/minimal.yaml")).unwrap();
    let lists: Vec<Vec<&str>> = golden
        .split("variables.says in [")
        .skip(1)
        .map(|rest| {
            rest.split(']')
                .next()
                .unwrap()
                .split('\'')
                .skip(1)
                .step_by(2)
                .collect()
        })
        .collect();
    assert_eq!(
        lists.len(),
        2,
        "the policies for labels of pods and namespaces, and of ServiceAccounts"
    );
    for list in lists {
        assert_eq!(list, words);
    }
    let says = "variables.says == 'web-identity'";
    assert_eq!(
        golden.matches(says).count(),
        2,
        "both let in pods that call STS themselves"
    );
    let webhook = source("crates/admission/src/inject");
    assert!(literals(&webhook).contains(&"web-identity"));
    // Where there are agents on nodes, and nowhere else, the policies let in whom one serves.
    let with_agents = fs::read_to_string(root().join("tests/chart/golden/full.yaml")).unwrap();
    let says = "variables.says == 'node'";
    assert_eq!(
        (with_agents.matches(says).count(), golden.matches(says).count()),
        (2, 0)
    );
    assert!(literals(&webhook).contains(&"node"));
    let listed = row(NAMES, "annotations the webhook sets")[1].clone();
    for word in ["v1", "node", "web-identity"] {
        assert!(
            codes(&listed).iter().any(|c| c.ends_with(word)),
            "docs/contracts.md lacks {word}"
        );
    }
    for reason in SkipReason::ANNOTATED {
        assert!(
            codes(&listed).contains(&reason.as_str()),
            "docs/contracts.md lacks {}",
            reason.as_str()
        );
    }
}

/// The webhooks and policies of a render of the chart, each with its kind.
fn rules_of_admission(render: &str) -> Vec<(String, serde_json::Value)> {
    let golden = fs::read_to_string(root().join("tests/chart/golden").join(render)).unwrap();
    let documents = golden.split("\n---\n").filter(|d| d.contains("\nkind: "));
    let mut found = Vec::new();
    for document in documents {
        let object: serde_json::Value = serde_saphyr::from_str(document.trim_start_matches("---\n")).unwrap();
        let kind = object["kind"].as_str().unwrap().to_owned();
        match kind.as_str() {
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => {
                let hooks = object["webhooks"].as_array().unwrap();
                found.extend(hooks.iter().map(|hook| (kind.clone(), hook.clone())));
            }
            "ValidatingAdmissionPolicy" => found.push((kind, object["spec"]["matchConstraints"].clone())),
            _ => {}
        }
    }
    found
}

/// A request in another version of a kind is asked about as well.
#[test]
fn every_rule_of_admission_counts_for_every_version() {
    let rules = rules_of_admission("full.yaml");
    assert!(rules.len() >= 7, "{}", rules.len());
    for (kind, rule) in rules {
        assert_eq!(rule["matchPolicy"], "Equivalent", "{kind}: {rule:#}");
    }
    for crd in crds() {
        let served = crd.spec.versions.iter().filter(|v| v.served).count();
        assert_eq!(served, 1, "{}", crd.spec.names.kind);
    }
}

/// Or a webhook that is down could not come back.
#[test]
fn no_rule_of_admission_is_about_deputys_own_namespace() {
    let mut about_pods = 0;
    for (kind, rule) in rules_of_admission("minimal.yaml") {
        let asked = rule.get("rules").or_else(|| rule.get("resourceRules")).unwrap();
        if !asked.to_string().contains("\"pods\"") {
            continue;
        }
        about_pods += 1;
        let names = &rule["namespaceSelector"]["matchExpressions"][0];
        assert_eq!(names["key"], "kubernetes.io/metadata.name", "{kind}");
        let listed = names["values"].as_array().unwrap();
        let is_listed = |name: &str| listed.iter().any(|n| n == name);
        let leaves_out = match names["operator"].as_str().unwrap() {
            "NotIn" => is_listed("deputy") && is_listed("kube-node-lease"),
            "In" => !is_listed("deputy"),
            other => panic!("{other}"),
        };
        assert!(leaves_out, "{kind}: {names:#}");
    }
    assert_eq!(about_pods, 4);
}

/// What the chart installs; what tests it is in a folder below.
fn chart() -> String {
    let folder = root().join("charts/deputy/templates");
    fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

/// Helm and the processes take the same cluster names.
#[test]
fn the_chart_takes_the_cluster_names_that_the_processes_take() {
    let schema = fs::read_to_string(root().join("charts/deputy/values.schema.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let rule = &schema["properties"]["clusterName"];
    let longest = usize::try_from(rule["maxLength"].as_u64().unwrap()).unwrap();
    assert_eq!(rule["minLength"], 1);
    // A lower-case DNS label, as below.
    assert_eq!(rule["pattern"], "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$");
    let takes = |name: &str| deputy_delegation::ClusterName::new(name).is_ok();
    assert!(
        takes(&"a".repeat(longest)) && !takes(&"a".repeat(longest + 1)),
        "{longest}"
    );
    for (name, expected) in [
        ("a", true),
        ("1", true),
        ("a-1", true),
        ("a--b", true),
        ("", false),
        ("-a", false),
        ("a-", false),
        ("A", false),
        ("a.b", false),
        ("a_b", false),
        ("a/b", false),
        ("ä", false),
    ] {
        assert_eq!(takes(name), expected, "{name:?}");
    }
}
