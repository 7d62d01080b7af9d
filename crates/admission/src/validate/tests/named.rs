//! Deletions of what others name: nothing is refused, and whoever deletes is told.

use super::*;

fn of(kind: &str, name: &str, principal: &str) -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSResourcePolicyStatement",
        "metadata": {"name": name, "namespace": "payments", "uid": format!("6c0a9a6e-{name}")},
        "spec": {
            "accountRef": {"name": "production"}, "resourceARN": "arn:aws:s3:::productionapp",
            "principals": [{"kind": kind, "name": principal}],
            "statement": {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::productionapp/*"},
        },
    })
}

fn cluster_role() -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "ClusterAWSRole",
        "metadata": {"name": ROLE_NAME, "uid": "6c0a9a6e-0000-0000-0000-000000000007"},
        "spec": {
            "namespaces": ["payments"],
            "policies": [{"name": "objects", "document": policy(&["s3:GetObject"], "arn:aws:s3:::productionapp/*")}],
        },
    })
}

fn bound(name: &str) -> Value {
    let mut object = binding(name, Some("2026-01-02T03:04:05Z"));
    object["spec"]["roleRef"]["kind"] = json!("ClusterAWSRole");
    object["spec"]["accountRef"] = json!({"name": "production"});
    object
}

fn federated() -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSFederatedUserBinding",
        "metadata": {"name": "manager", "namespace": "payments", "uid": "6c0a9a6e-0000-0000-0000-000000000008"},
        "spec": {
            "accountRef": {"name": "production"}, "userName": "Manager",
            "subjects": [{"kind": "ServiceAccount", "name": "reports"}],
            "session": {"resourcePolicyOnly": true},
        },
    })
}

/// Without limits nothing of it is accepted: it is named all the same.
fn cluster() -> Vec<Value> {
    vec![
        account(),
        role(&["s3:GetObject"]),
        cluster_role(),
        federated(),
        of("AWSRole", "of-role", ROLE_NAME),
        of("ClusterAWSRole", "of-cluster-role", ROLE_NAME),
        of("AWSFederatedUserBinding", "of-user", "manager"),
        of("AWSRole", "of-another", "another"),
        binding("nightly", Some("2026-01-02T03:04:06Z")),
        binding("daily", Some("2026-01-02T03:04:05Z")),
        bound("shared"),
    ]
}

#[test]
fn whoever_deletes_what_others_name_is_told_how_many_they_are_and_which() {
    let facts = facts(&cluster());
    for (object, wanted) in [
        (
            role(&["s3:GetObject"]),
            &[
                "AWSRole uploader: named by 2 AWSRoleBindings, which give no further credentials once it is gone: payments/daily, \
                 payments/nightly",
                "AWSRole uploader: named by 1 AWSResourcePolicyStatement, which leaves it out in AWS once it is gone: payments/of-role",
            ][..],
        ),
        (
            cluster_role(),
            &[
                "ClusterAWSRole uploader: named by 1 AWSRoleBinding, which gives no further credentials once it is gone: payments/shared",
                "ClusterAWSRole uploader: named by 1 AWSResourcePolicyStatement, which leaves it out in AWS once it is gone: \
                 payments/of-cluster-role",
            ],
        ),
        (
            federated(),
            &[
                "AWSFederatedUserBinding manager: named by 1 AWSResourcePolicyStatement, which leaves it out in AWS once it is gone: \
                 payments/of-user",
            ],
        ),
    ] {
        assert_eq!(delete(&facts, &object).allowed(), wanted);
        let mut dry = body("DELETE", None, Some(&object));
        dry["request"]["dryRun"] = json!(true);
        assert_eq!(ask(&facts, &dry).allowed(), wanted);
    }
    for object in [
        binding("daily", None),
        of("AWSRole", "of-role", ROLE_NAME),
        role_of("payments", "free", &["s3:GetObject"]),
    ] {
        assert_eq!(delete(&facts, &object).allowed(), [""; 0]);
    }
}

/// What is deleted with it, as by `kubectl delete -f`, loses nothing by it.
#[test]
fn what_is_being_deleted_itself_names_nothing() {
    let mut objects = cluster();
    for object in &mut objects {
        if ["AWSRoleBinding", "AWSResourcePolicyStatement"].contains(&object["kind"].as_str().unwrap()) {
            object["metadata"]["deletionTimestamp"] = json!("2026-01-02T03:04:05Z");
        }
    }
    let facts = facts(&objects);
    for object in [role(&["s3:GetObject"]), cluster_role(), federated()] {
        assert_eq!(delete(&facts, &object).allowed(), [""; 0]);
    }
}

/// Of many, long names, in one warning.
#[test]
fn a_warning_of_many_has_their_number_and_the_first_names() {
    let mut objects = vec![account(), role(&["s3:GetObject"])];
    objects.extend((0..1000).map(|n| {
        binding(
            &format!("{}-{n:04}", "b".repeat(40)),
            Some("2026-01-02T03:04:05Z"),
        )
    }));
    let warnings = delete(&facts(&objects), &role(&["s3:GetObject"])).allowed();
    assert!(
        warnings[0].contains("named by 1000 AWSRoleBindings")
            && warnings[0].contains("-0000")
            && warnings[0].ends_with("and 999 more"),
        "{warnings:?}"
    );
}

#[test]
fn who_has_not_shown_the_object_is_told_no_name() {
    let mut made_up = role(&["s3:GetObject"]);
    made_up["metadata"]["uid"] = json!("00000000-0000-0000-0000-000000000000");
    let told = delete(&facts(&cluster()), &made_up).0.to_string();
    assert!(
        told.contains("kubectl get awsroles") && !told.contains("nightly"),
        "{told}"
    );
}

/// Without an index, and of an object that can't be read: nothing is known, and nothing stands in the way.
#[test]
fn no_deletion_in_a_namespace_waits_for_what_is_known() {
    let empty = Facts::new(Arc::new(Index::new(ClusterName::new("prod-1").unwrap())));
    let mut odd = role(&["s3:GetObject"]);
    odd["metadata"]["name"] = json!("Not A Name");
    for object in [
        role(&["s3:GetObject"]),
        federated(),
        binding("b", None),
        of("AWSRole", "s", "r"),
        odd,
    ] {
        assert_eq!(delete(&empty, &object).allowed(), [""; 0], "{object}");
    }
}
