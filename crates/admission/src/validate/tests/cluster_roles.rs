//! `ClusterAWSRole`, and the bindings that make roles of it.

use super::*;

fn cluster_role(namespaces: &[&str], actions: &[&str]) -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "ClusterAWSRole",
        "metadata": {"name": "shared", "uid": "6c0a9a6e-0000-0000-0000-000000000009"},
        "spec": {
            "namespaces": namespaces,
            "policies": [{"name": "objects", "document": policy(actions, "arn:aws:s3:::productionapp/*")}],
            "maxSessionDuration": "1h",
        },
    })
}

fn bound(namespace: &str, name: &str) -> Value {
    let mut object = binding(name, Some("2026-01-02T03:04:05Z"));
    object["metadata"]["namespace"] = json!(namespace);
    object["spec"]["roleRef"] = json!({"kind": "ClusterAWSRole", "name": "shared"});
    object["spec"]["accountRef"] = json!({"name": "production"});
    object
}

fn with(objects: &[Value]) -> Facts {
    let usual = [account(), limit(&["s3:GetObject", "s3:PutObject"])];
    facts(&[&usual, objects].concat())
}

#[test]
fn a_binding_that_makes_too_much_of_a_cluster_role_is_refused() {
    let wide = cluster_role(&["payments"], &["s3:GetObject", "s3:DeleteObject"]);
    let answer = create(&with(&[wide]), &bound("payments", "reader"));
    let message = answer.denied(403);
    assert!(
        message.contains("ClusterAWSRole shared (namespace payments, account production)")
            && message.contains("s3:DeleteObject")
            && message.contains("ExceedsLimit"),
        "{message}"
    );
    assert_eq!(answer.fields(), ["spec.roleRef"]);
    let fine = with(&[cluster_role(&["payments"], &["s3:GetObject"])]);
    create(&fine, &bound("payments", "reader")).allowed();
}

#[test]
fn a_binding_in_a_namespace_that_is_not_allowed_is_refused() {
    let elsewhere = with(&[cluster_role(&["ledger"], &["s3:GetObject"])]);
    let answer = create(&elsewhere, &bound("payments", "reader"));
    let message = answer.denied(403);
    assert!(message.contains("NamespaceNotAllowed"), "{message}");
    // Who may bind it is none of a tenant's business.
    assert!(!message.contains("ledger"), "{message}");
}

#[test]
fn a_binding_before_its_cluster_role_or_limit_waits_for_it() {
    let warnings = create(&usual(), &bound("payments", "reader")).allowed();
    assert!(
        warnings.iter().any(|w| w.contains("ClusterAWSRole shared")),
        "{warnings:?}"
    );
    let without_limit = with(&[cluster_role(&["other"], &["s3:GetObject"])]);
    let warnings = create(&without_limit, &bound("other", "reader")).allowed();
    assert!(warnings.iter().any(|w| w.contains("NoLimit")), "{warnings:?}");
}

#[test]
fn a_cluster_role_that_many_grants_rest_on_changes_only_when_that_is_meant() {
    let old = cluster_role(&["payments"], &["s3:GetObject"]);
    let bindings = (0..6).map(|n| bound("payments", &format!("reader-{n}")));
    let objects: Vec<_> = std::iter::once(old.clone()).chain(bindings).collect();
    let facts = with(&objects);
    let wide = cluster_role(&["payments"], &["s3:DeleteObject"]);
    let message = update(&facts, &old, &wide).denied(403).to_owned();
    assert!(message.contains("accept-suspending: \"7\""), "{message}");
    assert!(delete(&facts, &old).denied(403).contains("is in use"));
    let mut meant = wide;
    meant["metadata"]["annotations"] = json!({"deputy.dev/accept-suspending": "7"});
    update(&facts, &old, &meant).allowed();
    update(
        &facts,
        &old,
        &cluster_role(&["payments", "ledger"], &["s3:GetObject"]),
    )
    .allowed();
}

#[test]
fn a_cluster_role_that_can_not_be_read_is_refused_with_every_field() {
    let mut wrong = cluster_role(&["Upper"], &["s3:GetObject"]);
    wrong["spec"]["maxSessionDuration"] = json!("5m");
    let answer = create(&usual(), &wrong);
    answer.denied(422);
    assert_eq!(answer.fields(), ["spec.namespaces[0]", "spec.maxSessionDuration"]);
}
