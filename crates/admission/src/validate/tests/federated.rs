//! `AWSFederatedUserBinding`.

use super::*;

fn manager(namespace: &str, user: &str) -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSFederatedUserBinding",
        "metadata": {"name": "manager", "namespace": namespace},
        "spec": {
            "accountRef": {"name": "production"}, "userName": user,
            "subjects": [{"kind": "ServiceAccount", "name": "reports"}],
            "session": {"policy": policy(&["s3:GetObject"], "arn:aws:s3:::productionapp/*")},
        },
    })
}

fn with_names(names: &[&str], more: &[Value]) -> Facts {
    let mut account = account();
    account["spec"]["federation"] = json!({"userARN": "arn:aws:iam::123456789012:user/deputy-federation"});
    let mut limit = limit(&["s3:GetObject"]);
    limit["spec"]["federatedUsers"] = json!(names);
    facts(&[&[account, limit], more].concat())
}

fn stored(mut object: Value) -> Value {
    object["metadata"]["creationTimestamp"] = json!("2026-01-02T03:04:05Z");
    object["metadata"]["uid"] = json!("6c0a9a6e-0000-0000-0000-000000000009");
    object
}

#[test]
fn a_federated_user_within_its_limits_is_let_in() {
    let answer = create(&with_names(&["Manager*"], &[]), &manager("payments", "Manager"));
    assert!(answer.allowed().is_empty(), "{answer:?}");
    assert_eq!(answer.audit("decision"), "accepted");
    assert_eq!(answer.audit("boundary"), "");
}

#[test]
fn what_is_wrong_with_a_federated_user_is_refused_where_it_stands() {
    let facts = with_names(&["Manager*"], &[]);
    let mut wide = manager("payments", "Manager");
    wide["spec"]["session"]["policy"] = policy(&["s3:PutObject"], "arn:aws:s3:::productionapp/*");
    let mut silent = manager("payments", "Manager");
    silent["spec"]["session"] = json!({"tags": {}});
    let mut managed = manager("payments", "Manager");
    managed["spec"]["session"]["policyARNs"] = json!(["arn:aws:iam::aws:policy/ReadOnlyAccess"]);
    for (object, code, field) in [
        (manager("payments", "Report"), 403, "spec.userName"),
        (wide, 403, "spec.session.policy.Statement[0]"),
        (silent, 422, "spec.session.policy"),
        (managed, 422, "spec.session.policyARNs"),
    ] {
        let answer = create(&facts, &object);
        answer.denied(code);
        assert_eq!(answer.fields(), [field]);
    }
}

#[test]
fn a_name_of_another_namespace_is_refused_without_saying_which() {
    let facts = with_names(&["Manager*"], &[stored(manager("payments-eu", "Manager"))]);
    let answer = create(&facts, &manager("payments", "manager"));
    // The limit compares with case, and whose a name is makes no difference of it.
    assert_eq!(answer.fields(), ["spec.userName", "spec.userName"]);
    let answer = create(&facts, &manager("payments", "Manager"));
    let message = answer.denied(403);
    assert!(
        message.contains("Conflict") && !message.contains("payments-eu"),
        "{message}"
    );
}

#[test]
fn name_and_account_of_a_federated_user_stay() {
    let old = stored(manager("payments", "Manager"));
    let facts = with_names(&["Manager*"], std::slice::from_ref(&old));
    let mut other = old.clone();
    other["spec"]["userName"] = json!("Manager2");
    let answer = update(&facts, &old, &other);
    answer.denied(422);
    assert_eq!(answer.fields(), ["spec.userName"]);
}

#[test]
fn a_limit_that_takes_a_name_away_says_how_many_it_suspends() {
    let facts = with_names(&["Manager*"], &[stored(manager("payments", "Manager"))]);
    let mut old = limit(&["s3:GetObject"]);
    old["spec"]["federatedUsers"] = json!(["Manager*"]);
    let warnings = update(&facts, &old, &limit(&["s3:GetObject"])).allowed();
    let suspends = "AWSFederatedUserBinding payments/manager";
    assert!(warnings.iter().any(|w| w.contains(suspends)), "{warnings:?}");
}

#[test]
fn an_account_with_federated_users_is_in_use() {
    let facts = with_names(&["Manager*"], &[stored(manager("payments", "Manager"))]);
    let mut account = account();
    account["spec"]["federation"] = json!({"userARN": "arn:aws:iam::123456789012:user/deputy-federation"});
    let answer = delete(&facts, &account);
    assert!(
        answer.denied(403).contains("1 AWSFederatedUserBindings"),
        "{answer:?}"
    );
}
