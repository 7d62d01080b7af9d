use deputy_delegation::{model::*, names::*, quota};
use deputy_policy::PolicyKind;

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
        enforcement: Enforcement::Enforce,
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
    let both = document(PolicyKind::Identity, productionapp());
    assert!(
        role.owned()
            .unwrap()
            .policies
            .inline()
            .unwrap()
            .semantically_eq(&both)
    );
}

#[test]
fn policies_of_a_role_follow_every_rule_of_the_list() {
    let named = |name: &str| policy(name, productionapp());
    assert_eq!(RolePolicies::new([], []), Err(RolePoliciesError::Empty));
    let many = (0..=quota::POLICIES_OF_ROLE).map(|i| named(&format!("p{i}")));
    assert_eq!(RolePolicies::new(many, []), Err(RolePoliciesError::Count(11)));
    assert_eq!(
        RolePolicies::new([named("a"), named("a")], []),
        Err(RolePoliciesError::Repeated(named("a").name))
    );
    let session = NamedPolicy {
        document: document(PolicyKind::Session, productionapp()),
        ..named("a")
    };
    assert!(matches!(
        RolePolicies::new([session], []),
        Err(RolePoliciesError::Kind(_))
    ));
    for bad in ["", "Objects", "a b", "-a", &"x".repeat(64)] {
        assert!(RolePolicyName::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_binding_names_one_subject_to_a_hundred() {
    let subjects = |n: usize| {
        Subjects::of_service_accounts((0..n).map(|i| ServiceAccountName::new(format!("sa-{i}")).unwrap()))
    };
    assert!(subjects(0).is_err() && subjects(101).is_err());
    assert_eq!(subjects(100).unwrap().service_accounts().len(), 100);
}

#[test]
fn a_session_policy_is_of_its_kind() {
    assert!(SessionPolicy::new(document(PolicyKind::Identity, productionapp())).is_err());
}
