use deputy_delegation::model::*;

use crate::support::*;

#[test]
fn a_limit_applies_where_both_namespace_and_account_match() {
    let limit = limit("payments", productionapp());
    let applies = |namespace: &str, account: &str| {
        limit
            .scope
            .applies(&id(namespace, "x").namespace, &object(account))
    };
    assert!(applies("payments", "production"));
    assert!(applies("payments-eu", "production"));
    assert!(!applies("orders", "production"));
    assert!(!applies("payments", "staging"));
}

#[test]
fn an_unreadable_limit_without_a_readable_scope_applies_everywhere() {
    let entry = |scope| LimitEntry::Invalid {
        name: object("broken"),
        scope,
        error: "no".to_owned(),
    };
    assert!(entry(None).applies(&id("any", "x").namespace, &object("other")));
    let scoped = entry(Some(limit("payments", productionapp()).scope));
    assert!(scoped.applies(&id("payments", "x").namespace, &object("production")));
    assert!(!scoped.applies(&id("orders", "x").namespace, &object("production")));
}

#[test]
fn all_policies_of_a_role_become_one() {
    let role = role_with(&[
        ("list", productionapp()[0].clone()),
        ("objects", productionapp()[1].clone()),
    ]);
    let both = document(deputy_policy::PolicyKind::Identity, productionapp());
    assert!(role.inline_policy().unwrap().semantically_eq(&both));
    assert!(role_with(&[]).inline_policy().is_err());
}

#[test]
fn a_binding_names_a_role_of_its_own_namespace() {
    let mut binding = binding();
    binding.id.namespace = id("orders", "x").namespace;
    assert_eq!(binding.role_id(), id("orders", "uploader"));
}
