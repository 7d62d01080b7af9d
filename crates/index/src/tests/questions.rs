//! What is there.

use super::*;

#[test]
fn an_unreadable_limit_without_scope_holds_in_every_account() {
    let index = empty();
    index.apply(
        ResourceKind::Limits,
        object(made("DelegationLimit", None, "broken", json!("what"))),
    );
    assert_eq!(index.limits(&named("elsewhere")).len(), 1);
    index.delete(
        ResourceKind::Limits,
        &object(limit("broken", &["x"], "s3:*")).metadata,
    );
    assert!(index.limits(&named("elsewhere")).is_empty());
}

#[test]
fn bindings_are_in_the_order_of_their_age_and_then_of_their_names() {
    let index = index();
    let at = |name: &str, created: &str| {
        with(
            binding("payments", name, "reader", &["app"]),
            "/metadata/creationTimestamp",
            json!(created),
        )
    };
    index.apply(ResourceKind::Bindings, object(at("zulu", "2025-01-01T00:00:00Z")));
    index.apply(ResourceKind::Bindings, object(at("bravo", CREATED)));
    let order = ["zulu", "bravo", "reader"];
    let of_account = index.bindings_of_service_account(&ns("payments"), &sa("app"));
    let of_account: Vec<_> = of_account
        .iter()
        .map(|binding| binding.id.name.as_str())
        .collect();
    assert_eq!(of_account, order);
    assert_eq!(
        names(&index.bindings_of_role(&role_id("payments", "reader"))),
        order
    );
    assert!(
        index
            .bindings_of_service_account(&ns("other"), &sa("app"))
            .is_empty()
    );
}

#[test]
fn a_changed_subject_leaves_no_trace_in_the_index() {
    let index = index();
    index.apply(
        ResourceKind::Bindings,
        object(again(binding("payments", "reader", "reader", &["other"]))),
    );
    assert!(
        index
            .bindings_of_service_account(&ns("payments"), &sa("app"))
            .is_empty()
    );
    assert_eq!(
        index
            .bindings_of_service_account(&ns("payments"), &sa("other"))
            .len(),
        1
    );
    index.delete(
        ResourceKind::Bindings,
        &object(binding("payments", "reader", "reader", &[])).metadata,
    );
    assert!(
        index
            .bindings_of_service_account(&ns("payments"), &sa("other"))
            .is_empty()
    );
    assert!(index.bindings_of_role(&role_id("payments", "reader")).is_empty());
}

#[test]
fn what_is_not_in_a_list_is_gone_after_it() {
    let index = index();
    index.reset(
        ResourceKind::Roles,
        [object(role("payments", "new", "s3:GetObject"))],
    );
    assert!(index.role(&role_id("payments", "reader")).is_none());
    assert_eq!(
        index.roles_of_account(&named("production")),
        [role_id("payments", "new")]
    );
}

#[test]
fn only_labels_and_annotations_that_matter_are_kept() {
    let index = empty();
    let mut namespace = made("Namespace", None, "payments", json!(null));
    namespace["metadata"]["labels"] = json!({"deputy.dev/inject": "enabled", "team": "x", "deputy.devil/x": "y", "istio-injection": "enabled"});
    namespace["metadata"]["annotations"] = json!({
        "openshift.io/sa.scc.uid-range": "1000920000/10000", "note": "x", "linkerd.io/inject": "y".repeat(2049)
    });
    index.reset(ResourceKind::Namespaces, [object(namespace.clone())]);
    let kept = index.namespace(&ns("payments")).unwrap();
    assert_eq!(
        kept.labels.keys().collect::<Vec<_>>(),
        ["deputy.dev/inject", "istio-injection"]
    );
    assert_eq!(
        kept.annotations.keys().collect::<Vec<_>>(),
        ["openshift.io/sa.scc.uid-range"]
    );
    index.apply(ResourceKind::Namespaces, object(deleting(namespace)));
    assert!(
        index
            .namespace(&ns("payments"))
            .unwrap()
            .terminating_since
            .is_some()
    );
    let mut account = made("ServiceAccount", Some("payments"), "app", json!(null));
    account["metadata"]["annotations"] =
        json!({"eks.amazonaws.com/role-arn": "arn", "eks.amazonaws.com/audience": "x"});
    index.reset(ResourceKind::ServiceAccounts, [object(account)]);
    let kept = index.service_account(&ns("payments"), &sa("app")).unwrap();
    assert_eq!(
        kept.annotations.keys().collect::<Vec<_>>(),
        ["eks.amazonaws.com/role-arn"]
    );
    assert!(index.service_account(&ns("payments"), &sa("other")).is_none());
}

#[test]
fn roles_that_exist_are_not_counted_among_an_accounts_own() {
    let index = index();
    let production = named("production");
    assert_eq!(index.count_own_roles_of_account(&production), 1);
    let spec = json!({
        "accountRef": {"name": "production"},
        "existing": {"roleARN": "arn:aws:iam::123456789012:role/terraform/reports"},
    });
    let existing = with(role("payments", "reports", "s3:GetObject"), "/spec", spec);
    index.apply(ResourceKind::Roles, object(existing));
    assert_eq!(index.roles_of_account(&production).len(), 2);
    assert_eq!(index.count_own_roles_of_account(&production), 1);
    assert_eq!(index.count_own_roles_of_account(&named("staging")), 0);
}

#[test]
fn how_many_roles_a_person_accepts_to_lose_is_known_when_it_is_a_number() {
    let index = index();
    for (said, accepted) in [("12", 12), (" 3 ", 3), ("all", 0), ("-1", 0), ("", 0)] {
        let annotations = json!({"deputy.dev/accept-removing-orphans": said});
        let account = with(account("production"), "/metadata/annotations", annotations);
        index.apply(ResourceKind::Accounts, object(account));
        let view = index.account_view(&named("production")).unwrap();
        assert_eq!(view.state.accepted_removing, accepted, "{said}");
    }
}
