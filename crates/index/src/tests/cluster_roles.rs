//! ClusterAWSRoles, and what they are where they are bound.

use super::*;

pub(super) fn cluster_role(namespaces: &[&str], action: &str) -> Value {
    let policies = json!([{"name": "p", "document": policy(action)}]);
    made(
        "ClusterAWSRole",
        None,
        "logs",
        json!({"namespaces": namespaces, "policies": policies}),
    )
}

fn bound(namespace: &str, name: &str) -> Value {
    let binding = binding(namespace, name, "logs", &["app"]);
    let binding = with(binding, "/spec/roleRef/kind", json!("ClusterAWSRole"));
    with(binding, "/spec/accountRef", json!({"name": "production"}))
}

fn instance(namespace: &str) -> RoleId {
    RoleId {
        namespace: ns(namespace),
        name: named("logs"),
        kind: RoleKind::ClusterAWSRole {
            account: named("production"),
        },
    }
}

fn recorded(object: Value, namespaces: &[&str]) -> Value {
    let entries: Vec<_> = namespaces
        .iter()
        .map(|namespace| {
            json!({
                "namespace": namespace, "account": "production", "roleARN": "arn", "roleID": "AROA", "ready": true,
                "reason": "Ready", "message": "", "observedGeneration": 1, "lastTransitionTime": CREATED,
            })
        })
        .collect();
    with(object, "/status", json!({"instances": entries}))
}

/// Two namespaces bind it, each under a limit of its own.
fn shared() -> Arc<Index> {
    let index = index();
    index.reset(
        ResourceKind::Limits,
        [
            object(limit("payments", &["payments*"], "s3:*")),
            object(limit("ledger", &["ledger"], "s3:PutObject")),
        ],
    );
    index.reset(
        ResourceKind::ClusterRoles,
        [object(cluster_role(&["payments", "ledger"], "s3:GetObject"))],
    );
    for namespace in ["payments", "ledger"] {
        index.apply(ResourceKind::Bindings, object(bound(namespace, "logs")));
    }
    index
}

fn decision(index: &Index, namespace: &str) -> Arc<Decision> {
    index.decide_role(&instance(namespace)).unwrap().1
}

#[test]
fn each_namespace_that_binds_it_is_decided_about_by_its_own_limits() {
    let index = shared();
    assert!(decision(&index, "payments").is_accepted());
    assert_eq!(reasons(&decision(&index, "ledger")), [Reason::ExceedsLimit]);
    let session = index.decide_binding(&id("payments", "logs")).unwrap();
    assert!(session.is_accepted());
    assert_eq!(session.role.known().unwrap().id, instance("payments"));
    assert!(!index.decide_binding(&id("ledger", "logs")).unwrap().is_accepted());
    // Grants like any other: a limit has them under it.
    assert!(
        index
            .roles_under_limit(&named("payments"))
            .contains(&instance("payments"))
    );
    assert_eq!(index.roles_of_account(&named("production")).len(), 3);
}

#[test]
fn a_namespace_that_it_does_not_allow_gets_nothing_of_it() {
    let index = shared();
    let mut narrower = cluster_role(&["ledger"], "s3:GetObject");
    narrower = again(narrower);
    let changes = index.subscribe();
    index.apply(ResourceKind::ClusterRoles, object(narrower));
    assert_eq!(
        reasons(&decision(&index, "payments")),
        [Reason::NamespaceNotAllowed]
    );
    let binding = index.decide_binding(&id("payments", "logs")).unwrap();
    assert_eq!(reasons(&binding.decision), [Reason::NamespaceNotAllowed]);
    let dirty = changes.take().unwrap();
    assert!(dirty.roles.contains(&instance("payments")) && dirty.roles.contains(&instance("ledger")));
    assert!(dirty.bindings.contains(&id("payments", "logs")));
    assert!(dirty.cluster_roles.contains(&named("logs")));
}

#[test]
fn an_awsrole_of_the_same_name_is_another_role() {
    let index = shared();
    index.apply(
        ResourceKind::Roles,
        object(role("payments", "logs", "s3:DeleteObject")),
    );
    assert!(decision(&index, "payments").is_accepted());
    // A list of AWSRoles takes none of them away.
    index.reset(ResourceKind::Roles, []);
    assert!(decision(&index, "payments").is_accepted());
    assert!(index.role(&role_id("payments", "logs")).is_none());
}

#[test]
fn the_last_binding_takes_it_along_and_what_is_in_aws_is_told() {
    let index = shared();
    let template = recorded(
        cluster_role(&["payments", "ledger"], "s3:GetObject"),
        &["payments"],
    );
    index.apply(ResourceKind::ClusterRoles, object(template));
    assert_eq!(
        index
            .role(&instance("payments"))
            .unwrap()
            .state
            .role_id
            .as_deref(),
        Some("AROA")
    );
    index.apply(ResourceKind::Bindings, object(bound("payments", "second")));
    let delete = |name: &str| index.delete(ResourceKind::Bindings, &object(bound("payments", name)).metadata);
    delete("logs");
    assert!(index.may_be_bound(&instance("payments")));
    let changes = index.subscribe();
    delete("second");
    assert!(!index.may_be_bound(&instance("payments")));
    assert!(index.role(&instance("payments")).is_none());
    assert!(changes.take().unwrap().roles.contains(&instance("payments")));
    // It is in AWS still: an account with it is in use.
    assert!(
        index
            .roles_of_account(&named("production"))
            .contains(&instance("payments"))
    );
    index.apply(
        ResourceKind::ClusterRoles,
        object(cluster_role(&["payments"], "s3:GetObject")),
    );
    assert!(
        !index
            .roles_of_account(&named("production"))
            .contains(&instance("payments"))
    );
}

#[test]
fn a_binding_that_can_not_be_read_keeps_what_it_may_name() {
    let index = shared();
    let template = recorded(
        cluster_role(&["payments", "ledger"], "s3:GetObject"),
        &["payments"],
    );
    index.apply(ResourceKind::ClusterRoles, object(template));
    let unreadable = again(with(bound("payments", "logs"), "/spec/subjects", json!([])));
    let may_be = |object_value: Value| {
        index.apply(ResourceKind::Bindings, object(object_value));
        assert!(index.role(&instance("payments")).is_none());
        index.may_be_bound(&instance("payments"))
    };
    assert!(may_be(unreadable.clone()));
    let generation = |object, n| with(object, "/metadata/generation", json!(n));
    let of_another_version = with(unreadable.clone(), "/spec/roleRef/kind", json!("Other"));
    assert!(may_be(generation(of_another_version, 3)));
    let elsewhere = with(unreadable.clone(), "/spec/accountRef/name", json!("sandbox"));
    assert!(!may_be(generation(elsewhere, 4)));
    let changes = index.subscribe();
    index.delete(ResourceKind::Bindings, &object(unreadable).metadata);
    assert!(changes.take().is_some());
}

#[test]
fn only_entries_that_changed_are_looked_at_again() {
    let index = shared();
    let template = || cluster_role(&["payments", "ledger"], "s3:GetObject");
    index.apply(
        ResourceKind::ClusterRoles,
        object(recorded(template(), &["payments"])),
    );
    let changes = index.subscribe();
    index.apply(
        ResourceKind::ClusterRoles,
        object(recorded(template(), &["payments"])),
    );
    assert!(changes.take().is_none(), "the same once more");
    index.apply(
        ResourceKind::ClusterRoles,
        object(recorded(template(), &["ledger", "payments"])),
    );
    assert_eq!(
        changes.take().unwrap().roles,
        BTreeSet::from([instance("ledger")])
    );
}

#[test]
fn what_a_change_of_it_would_suspend_is_said_of_every_namespace() {
    let index = shared();
    let parse = |value: Value| {
        let typed = serde_json::from_value(value).unwrap();
        Arc::new(deputy_api::parse_cluster_role(&typed).unwrap())
    };
    let suspended = |new: Option<Value>| {
        let new = new.map(parse);
        let found = index.suspended_by(ProposedChange::ClusterRole(&named("logs"), new.as_ref()), None);
        assert!(found.is_complete());
        (found.accepted, found.suspended)
    };
    let both = vec![
        GrantRef::Role(instance("payments")),
        GrantRef::Binding(id("payments", "logs")),
    ];
    // Those of ledger are not accepted as it is.
    assert_eq!(suspended(None), (2, both.clone()));
    assert_eq!(suspended(Some(cluster_role(&["ledger"], "s3:GetObject"))).1, both);
    assert!(
        suspended(Some(cluster_role(&["payments", "ledger"], "s3:PutObject")))
            .1
            .is_empty()
    );
}

#[test]
fn one_that_is_gone_or_going_grants_nothing() {
    let index = shared();
    index.apply(
        ResourceKind::ClusterRoles,
        object(deleting(cluster_role(&["payments", "ledger"], "s3:GetObject"))),
    );
    assert!(index.decide_role(&instance("payments")).is_none());
    assert!(
        !index
            .decide_binding(&id("payments", "logs"))
            .unwrap()
            .is_accepted()
    );
    index.reset(ResourceKind::ClusterRoles, []);
    assert!(index.role(&instance("payments")).is_none());
    // Its bindings stay, and wait for the next one.
    index.apply(
        ResourceKind::ClusterRoles,
        object(cluster_role(&["payments"], "s3:GetObject")),
    );
    assert!(decision(&index, "payments").is_accepted());
}

#[test]
fn who_sums_up_its_findings_is_told_when_they_change_and_nobody_else() {
    let index = shared();
    let template = recorded(
        cluster_role(&["payments", "ledger"], "s3:GetObject"),
        &["payments"],
    );
    index.apply(ResourceKind::ClusterRoles, object(template.clone()));
    let changes = index.subscribe();
    let capped = |message: &str| {
        let finding = json!({"reason": "Capped", "message": message});
        let template = with(template.clone(), "/status/instances/0/capped", finding);
        index.apply(ResourceKind::ClusterRoles, object(template));
        changes.take().unwrap_or_default()
    };
    for message in ["s3:GetObject", "s3:PutObject"] {
        let dirty = capped(message);
        assert_eq!(dirty.cluster_roles, BTreeSet::from([named("logs")]), "{message}");
        assert!(dirty.roles.is_empty() && dirty.bindings.is_empty(), "{dirty:?}");
    }
    assert!(capped("s3:PutObject").is_empty(), "nothing has changed");
}

#[test]
fn roles_that_name_an_account_are_those_whose_account_it_is() {
    let index = shared();
    let unreadable = |role: Value| with(again(role), "/spec/policies", json!("none"));
    index.apply(
        ResourceKind::Roles,
        object(deleting(role("payments", "going", "s3:GetObject"))),
    );
    index.apply(
        ResourceKind::Roles,
        object(unreadable(role("payments", "broken", "s3:GetObject"))),
    );
    let agree = |count: usize| {
        for (account, count) in [("production", count), ("staging", 0)] {
            let account = named(account);
            let of_account = |id: &RoleId| index.account_of_role(id).as_ref() == Some(&account);
            let mut expected = index.roles();
            expected.retain(of_account);
            assert_eq!(index.roles_naming(&account), expected);
            assert_eq!(expected.len(), count, "{account}");
        }
    };
    // Three are bound or written, and one is going.
    agree(4);
    index.apply(
        ResourceKind::ClusterRoles,
        object(unreadable(cluster_role(&["payments", "ledger"], "s3:GetObject"))),
    );
    agree(4);
}
