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

/// The account with these issuers: the first is the one of now.
fn issued_by(names: &[&str]) -> Account {
    let arn = |name: &str| IssuerArn::parse(&format!("arn:aws:iam::123456789012:user/{name}")).unwrap();
    Account {
        issuer: arn(names[0]),
        previous_issuers: names[1..].iter().map(|name| arn(name)).collect(),
        ..account()
    }
}

#[test]
fn a_broker_is_shut_out_when_who_it_may_be_is_left_out() {
    use RunningBroker::{Issuer, PreviousIssuer, Stranger, Unknown};
    for (before, after, shut_out) in [
        (&["a"][..], &["b"][..], &[Issuer, Unknown][..]),
        (&["a"], &["b", "a"], &[]),
        (&["a"], &["a", "b"], &[]),
        (&["b", "a"], &["a", "b"], &[]),
        (&["b", "a"], &["b"], &[PreviousIssuer, Unknown]),
        (&["b", "a"], &["a"], &[Issuer, Unknown]),
        (&["c", "a", "b"], &["c", "b"], &[PreviousIssuer, Unknown]),
    ] {
        let found: Vec<_> = [Issuer, PreviousIssuer, Stranger, Unknown]
            .into_iter()
            .filter(|broker| broker.is_shut_out(&issued_by(before), &issued_by(after)))
            .collect();
        assert_eq!(found, shut_out, "{before:?} {after:?}");
    }
}

#[test]
fn a_pod_is_reached_as_long_as_it_may_ask_as_it_was_made_to() {
    let (before, other) = (issued_by(&["a"]), issued_by(&["b"]));
    let provider = |name: &str| OidcProvider {
        arn: OidcProviderArn::parse(&format!(
            "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/{name}"
        ))
        .unwrap(),
        audience: Audience::new("sts.amazonaws.com").unwrap(),
    };
    let known_by = |account: &Account, name: &str| Account {
        oidc: Some(provider(name)),
        ..account.clone()
    };
    let by = |method| Binding {
        method: Some(method),
        ..binding()
    };
    let broker = by(SessionMethod::AssumeRole);
    let itself = by(SessionMethod::AssumeRoleWithWebIdentity);
    let reached = |binding: &Binding, before: &Account, after: &Account| {
        still_reached(binding, before, after, RunningBroker::Issuer)
    };
    // The broker asks, or the pod itself.
    assert!(!reached(&broker, &before, &other));
    assert!(reached(
        &broker,
        &known_by(&before, "one"),
        &known_by(&before, "two")
    ));
    assert!(reached(
        &itself,
        &known_by(&before, "one"),
        &known_by(&other, "one")
    ));
    assert!(!reached(
        &itself,
        &known_by(&before, "one"),
        &known_by(&before, "two")
    ));
    // Of the account's own method.
    let default = |method| Account {
        default_method: method,
        ..known_by(&before, "one")
    };
    let (first, second) = (
        default(SessionMethod::AssumeRole),
        default(SessionMethod::AssumeRoleWithWebIdentity),
    );
    assert!(!reached(&binding(), &first, &second) && !reached(&binding(), &second, &first));
    assert!(reached(&broker, &first, &second) && reached(&itself, &first, &second));
}
