//! Pods.

use super::*;

#[tokio::test]
async fn a_pod_that_asks_gets_the_patch_in_base64_without_any_read() {
    let case = Case::new(Live::Error, true);
    case.known(None, None);
    let pod = pod(Some("enabled"));
    let response = case.review("/mutate?timeout=5s", &pod_review(&pod)).await;
    assert!(is_injected(&patched(&pod, &response)));
    assert_eq!(response["auditAnnotations"]["injection"], "injected");
    assert_eq!(case.reads(), 0);
}

#[tokio::test]
async fn labels_come_from_the_index_the_accounts_before_the_namespaces() {
    for (of_account, of_namespace, injected) in [
        (Some("enabled"), Some("disabled"), true),
        (Some("disabled"), Some("enabled"), false),
        (None, Some("enabled"), true),
        (None, None, false),
    ] {
        let case = Case::new(Live::Error, true);
        case.index
            .reset(ResourceKind::Namespaces, [meta("payments", None, of_namespace)]);
        case.index.reset(
            ResourceKind::ServiceAccounts,
            [meta("uploader", Some("payments"), of_account)],
        );
        let pod = pod(None);
        let response = case.review("/mutate", &pod_review(&pod)).await;
        assert_eq!(is_injected(&patched(&pod, &response)), injected);
        assert_eq!(case.reads(), 0);
    }
}

#[tokio::test]
async fn on_a_miss_one_live_read_is_final() {
    let pod = pod(None);
    let case = Case::new(Live::Label("enabled"), true);
    case.index
        .reset(ResourceKind::Namespaces, [meta("payments", None, None)]);
    let response = case.review("/mutate", &pod_review(&pod)).await;
    assert!(is_injected(&patched(&pod, &response)));
    assert_eq!(case.reads(), 1);

    let case = Case::new(Live::Nothing, true);
    let response = case.review("/mutate", &pod_review(&pod)).await;
    assert!(!is_injected(&patched(&pod, &response)));
    assert_eq!(response["auditAnnotations"]["injection"], "skipped: not-labelled");
    assert_eq!(case.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn labels_that_are_known_from_long_ago_are_read_live() {
    let pod = pod(None);
    let case = Case::new(Live::Label("enabled"), true);
    case.index
        .reset(ResourceKind::Namespaces, [meta("payments", None, None)]);
    case.index.reset(
        ResourceKind::ServiceAccounts,
        [meta("uploader", Some("payments"), Some("disabled"))],
    );
    let response = case.review("/mutate", &pod_review(&pod)).await;
    assert!(!is_injected(&patched(&pod, &response)));
    assert_eq!(case.reads(), 0);
    tokio::time::advance(std::time::Duration::from_secs(31)).await;
    let response = case.review("/mutate", &pod_review(&pod)).await;
    assert!(is_injected(&patched(&pod, &response)));
    assert_eq!(case.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_undecided_pod_is_never_let_in_without_what_it_may_need() {
    for live in [Live::Error, Live::Silence] {
        let case = Case::new(live, true);
        let response = case.review("/mutate", &pod_review(&pod(None))).await;
        assert_eq!(
            (&response["allowed"], &response["status"]["code"]),
            (&json!(false), &json!(500))
        );
        let message = response["status"]["message"].as_str().unwrap();
        assert!(
            message.contains("could not be read: ServiceAccount uploader"),
            "{message}"
        );
        // Who asks may have an IAM role by its ServiceAccount; who declines is asked nothing.
        let response = case.review("/mutate", &pod_review(&pod(Some("enabled")))).await;
        assert_eq!(response["status"]["code"], 500);
        let disabled = pod(Some("disabled"));
        let response = case.review("/mutate", &pod_review(&disabled)).await;
        assert_eq!(patched(&disabled, &response), disabled);
    }
}

#[tokio::test]
async fn a_pod_without_service_account_has_the_default_one() {
    let case = Case::new(Live::Error, true);
    case.index
        .reset(ResourceKind::Namespaces, [meta("payments", None, None)]);
    case.index.reset(
        ResourceKind::ServiceAccounts,
        [meta("default", Some("payments"), Some("enabled"))],
    );
    for account in [Value::Null, json!("")] {
        let mut pod = pod(None);
        pod["spec"]["serviceAccountName"] = account;
        let response = case.review("/mutate", &pod_review(&pod)).await;
        assert!(is_injected(&patched(&pod, &response)));
    }
}

#[tokio::test]
async fn before_the_broker_is_known_only_pods_that_ask_have_to_wait() {
    let case = Case::new(Live::Nothing, false);
    let response = case.review("/mutate", &pod_review(&pod(Some("enabled")))).await;
    assert_eq!(
        (&response["allowed"], &response["status"]["code"]),
        (&json!(false), &json!(500))
    );
    let response = case.review("/mutate", &pod_review(&pod(None))).await;
    assert_eq!(response["allowed"], true);
}

#[tokio::test]
async fn a_pod_that_can_not_be_injected_is_let_in_and_says_why() {
    let case = Case::new(Live::Nothing, true);
    case.known(None, Some("enabled"));
    let mut pod = pod(None);
    pod["spec"]["hostNetwork"] = json!(true);
    let response = case.review("/mutate", &pod_review(&pod)).await;
    let annotation = &patched(&pod, &response)["metadata"]["annotations"]["deputy.dev/injected"];
    assert_eq!(annotation, "skipped: host-network");
    assert!(response["warnings"][0].as_str().unwrap().contains("hostNetwork"));
}

#[tokio::test]
async fn a_pod_in_its_nodes_network_needs_the_leave_of_its_namespaces_limits() {
    let case = Case::new(Live::Nothing, true);
    let mut pod = pod(Some("enabled"));
    pod["spec"]["hostNetwork"] = json!(true);
    pod["metadata"]["annotations"] = json!({"deputy.dev/delivery": "Node"});
    for (says, refused) in [
        (None, Some("no DelegationLimit names its namespace")),
        (
            Some(false),
            Some("DelegationLimit payments names its namespace and does not say"),
        ),
        (Some(true), None),
    ] {
        let mut limit = looks::limit("s3:GetObject");
        limit["metadata"]["generation"] = json!(if says == Some(true) { 2 } else { 1 });
        limit["spec"]["pods"] = json!({"allowHostNetwork": says == Some(true)});
        let limits = says.map(|_| serde_json::from_value(limit).unwrap());
        case.index.reset(ResourceKind::Limits, limits);
        let response = case.review("/mutate", &pod_review(&pod)).await;
        if let Some(refused) = refused {
            let said = (
                &response["status"]["code"],
                response["status"]["message"].as_str().unwrap(),
            );
            assert!(said.0 == 403 && said.1.contains(refused), "{response:#}");
        } else {
            let annotations = &patched(&pod, &response)["metadata"]["annotations"];
            assert_eq!(annotations["deputy.dev/injected"], "node");
        }
    }
}

#[tokio::test]
async fn warnings_go_to_the_pod_and_to_its_owner_but_not_of_a_dry_run() {
    let owners = json!([
        {"apiVersion": "v1", "kind": "Other", "name": "o", "uid": "1"},
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "app-1", "uid": "2", "controller": true}
    ]);
    for (owned, dry_run, windows) in [
        (true, false, false),
        (true, false, true),
        (true, true, false),
        (false, false, false),
    ] {
        let mut case = Case::new(Live::Nothing, true);
        let mut pod = pod(Some("enabled"));
        pod["spec"]["containers"][0]["env"] = json!([{"name": "AWS_PROFILE", "value": "x"}]);
        if windows {
            pod["spec"]["os"] = json!({"name": "windows"});
        }
        if owned {
            pod["metadata"]["ownerReferences"] = owners.clone();
        }
        let mut review = pod_review(&pod);
        review["request"]["dryRun"] = json!(dry_run);
        let response = case.review("/mutate", &review).await;
        let warning = response["warnings"][0].as_str().unwrap();
        let annotation = &patched(&pod, &response)["metadata"]["annotations"]["deputy.dev/injected-warnings"];
        assert_eq!(annotation, warning);
        match case.told.try_recv() {
            Ok(notice) => {
                assert!(owned && !dry_run);
                let about = notice.regarding;
                assert_eq!(
                    (about.uid.as_deref(), notice.text.lines().next()),
                    (Some("2"), Some(warning))
                );
                assert_eq!(about.namespace.as_deref(), Some("payments"));
            }
            Err(_) => assert!(!owned || dry_run),
        }
    }
}

#[tokio::test]
async fn a_stored_pod_that_nobody_asks_to_inject_loses_what_it_carries() {
    let case = Case::new(Live::Nothing, true);
    let asks = pod(Some("enabled"));
    let mut stored = patched(&asks, &case.review("/mutate", &pod_review(&asks)).await);
    assert!(is_injected(&stored));
    for label in [None, Some("disabled")] {
        stored["metadata"]["labels"] = label.map_or(json!({}), |l| json!({"deputy.dev/inject": l}));
        let response = case.review("/mutate", &pod_review(&stored)).await;
        let out = patched(&stored, &response);
        assert!(!is_injected(&out));
        assert!(!out["spec"].to_string().contains("deputy"), "{out}");
    }
}

#[tokio::test]
async fn nonsense_in_a_pods_annotations_is_refused() {
    let case = Case::new(Live::Nothing, true);
    let mut pod = pod(Some("enabled"));
    pod["metadata"]["annotations"] = json!({"deputy.dev/binding": "../x"});
    let response = case.review("/mutate", &pod_review(&pod)).await;
    assert_eq!(
        (&response["allowed"], &response["status"]["code"]),
        (&json!(false), &json!(403))
    );
}

#[tokio::test]
async fn the_region_of_the_binding_is_told_when_it_is_known() {
    let case = Case::new(Live::Nothing, true);
    let document = |resource: &str| {
        json!({"Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource}]})
    };
    let object = |value: Value| serde_json::from_value::<kube::api::DynamicObject>(value).unwrap();
    let api = "deputy.dev/v1alpha1";
    case.index.reset(
        ResourceKind::Accounts,
        [object(json!({"apiVersion": api, "kind": "AWSAccount",
        "metadata": {"name": "production"},
        "spec": {"accountID": "123456789012", "region": "ap-northeast-1",
            "issuer": {"principalARN": "arn:aws:iam::123456789012:role/deputy-broker"}}}))],
    );
    case.index.reset(ResourceKind::Limits, [object(json!({"apiVersion": api, "kind": "DelegationLimit",
        "metadata": {"name": "payments"},
        "spec": {"namespaces": ["payments"], "accounts": ["production"], "ceiling": document("arn:aws:s3:::b/*")}}))]);
    case.index.reset(
        ResourceKind::Roles,
        [object(json!({"apiVersion": api, "kind": "AWSRole",
        "metadata": {"name": "r", "namespace": "payments"},
        "spec": {"accountRef": {"name": "production"},
            "policies": [{"name": "p", "document": document("arn:aws:s3:::b/x")}]}}))],
    );
    case.index.reset(
        ResourceKind::Bindings,
        [object(json!({"apiVersion": api, "kind": "AWSRoleBinding",
        "metadata": {"name": "b", "namespace": "payments", "creationTimestamp": "2026-01-02T03:04:05Z"},
        "spec": {"roleRef": {"kind": "AWSRole", "name": "r"},
            "subjects": [{"kind": "ServiceAccount", "name": "uploader"}]}}))],
    );
    for (annotation, account, region) in [
        (None, "uploader", Some("ap-northeast-1")),
        (Some("b"), "uploader", Some("ap-northeast-1")),
        // Not known yet: the only account of the namespace's limits.
        (Some("other"), "uploader", Some("ap-northeast-1")),
        (Some("b"), "somebody", Some("ap-northeast-1")),
        (None, "somebody", Some("ap-northeast-1")),
    ] {
        let mut pod = pod(Some("enabled"));
        pod["spec"]["serviceAccountName"] = json!(account);
        if let Some(name) = annotation {
            pod["metadata"]["annotations"] = json!({"deputy.dev/binding": name});
        }
        let response = case.review("/mutate", &pod_review(&pod)).await;
        let pod = patched(&pod, &response);
        let env = pod["spec"]["containers"][0]["env"].as_array().unwrap();
        let found = env
            .iter()
            .find(|e| e["name"] == "AWS_REGION")
            .map(|e| e["value"].as_str().unwrap());
        assert_eq!(found, region, "{annotation:?} {account}");
    }
}

fn bound(name: &str, kind: &str, account: &str) -> kube::api::DynamicObject {
    let mut object = json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": kind,
        "metadata": {"name": name, "namespace": "payments", "creationTimestamp": "2026-01-02T03:04:05Z"},
        "spec": {"subjects": [{"kind": "ServiceAccount", "name": account}]},
    });
    if kind == "AWSRoleBinding" {
        object["spec"]["roleRef"] = json!({"kind": "AWSRole", "name": "r"});
    } else {
        object["spec"]["accountRef"] = json!({"name": "production"});
        object["spec"]["userName"] = json!("Manager");
        object["spec"]["session"] = json!({"resourcePolicyOnly": true});
    }
    serde_json::from_value(object).unwrap()
}

/// It is injected all the same, and no other binding is named: anybody may ask.
#[tokio::test(start_paused = true)]
async fn a_pod_whose_binding_is_not_there_yet_is_told_so() {
    let case = Case::new(Live::Label("enabled"), true);
    let bindings = [bound("secret", "AWSRoleBinding", "uploader")];
    case.index.reset(ResourceKind::Bindings, bindings);
    let users = [bound("manager", "AWSFederatedUserBinding", "reports")];
    case.index.reset(ResourceKind::FederatedBindings, users);
    let no_role = "deputy: no AWSRoleBinding \"nosuch\" is in namespace payments yet: ";
    let no_user = "deputy: no AWSFederatedUserBinding \"nosuch\" is in namespace payments yet: ";
    let no_default = "deputy: no binding in namespace payments names ServiceAccount other yet: ";
    let cases = [
        ("uploader", json!({}), None),
        ("reports", json!({}), None),
        ("other", json!({}), Some(no_default)),
        ("other", json!({"deputy.dev/binding": "secret"}), None),
        ("uploader", json!({"deputy.dev/binding": "nosuch"}), Some(no_role)),
        (
            "uploader",
            json!({"deputy.dev/binding.app": "nosuch"}),
            Some(no_role),
        ),
        (
            "uploader",
            json!({"deputy.dev/binding": "awsfederateduserbinding/nosuch"}),
            Some(no_user),
        ),
        (
            "reports",
            json!({"deputy.dev/binding": "awsfederateduserbinding/manager"}),
            None,
        ),
    ];
    let warned = async |account: &str, annotations: &Value| {
        let mut pod = pod(Some("enabled"));
        pod["spec"]["serviceAccountName"] = json!(account);
        pod["metadata"]["annotations"] = annotations.clone();
        let response = case.review("/mutate", &pod_review(&pod)).await;
        assert!(is_injected(&patched(&pod, &response)), "{response:#}");
        let warnings = response["warnings"].as_array().cloned().unwrap_or_default();
        let about = warnings.iter().map(|w| w.as_str().unwrap().to_owned());
        about.filter(|w| w.contains(" yet: ")).collect::<Vec<_>>()
    };
    for (account, annotations, wanted) in &cases {
        let said = warned(account, annotations).await;
        assert_eq!(
            said.len(),
            wanted.iter().len(),
            "{account} {annotations}: {said:?}"
        );
        for (said, wanted) in said.iter().zip(wanted) {
            assert!(said.starts_with(wanted) && said.chars().count() <= 256, "{said}");
            assert!(!said.contains("secret") && !said.contains("manager"), "{said}");
        }
    }
    // What is known of bindings is old: nothing is said.
    tokio::time::advance(std::time::Duration::from_secs(31)).await;
    let said = warned("other", &json!({"deputy.dev/binding.app": "nosuch"})).await;
    assert_eq!(said, [""; 0]);
}

#[tokio::test]
async fn crafted_reviews_at_mutate_are_denied() {
    let case = Case::new(Live::Nothing, true);
    for (pointer, value) in [
        ("/request/kind/kind", json!("Deployment")),
        ("/request/kind/group", json!("apps")),
        ("/request/resource/resource", json!("secrets")),
        ("/request/resource/version", json!("v2")),
        ("/request/namespace", Value::Null),
        ("/request/namespace", json!("../x")),
        ("/request/object", Value::Null),
    ] {
        let mut body = pod_review(&pod(Some("enabled")));
        *body.pointer_mut(pointer).unwrap() = value;
        let response = case.review("/mutate", &body).await;
        assert_eq!(
            (&response["allowed"], &response["status"]["code"]),
            (&json!(false), &json!(400)),
            "{pointer}"
        );
    }
}
