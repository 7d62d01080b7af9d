//! What names an account.

use super::*;
use crate::AccountUse;

fn uses(index: &Index, account: &str) -> Vec<AccountUse> {
    index.uses_of_account(&named(account)).into_iter().collect()
}

fn of_cluster_role(binding: Value) -> Value {
    let binding = with(binding, "/spec/roleRef/kind", json!("ClusterAWSRole"));
    with(binding, "/spec/accountRef", json!({"name": "production"}))
}

#[test]
fn what_names_an_account_uses_it_until_it_is_gone() {
    let index = index();
    let (role, limit) = (
        AccountUse::Role(role_id("payments", "reader")),
        AccountUse::Limit(named("payments")),
    );
    assert_eq!(uses(&index, "production"), [role, limit.clone()]);
    assert_eq!(uses(&index, "staging"), []);
    let reader = || super::role("payments", "reader", "s3:GetObject");
    index.apply(ResourceKind::Roles, object(deleting(reader())));
    assert_eq!(uses(&index, "production").len(), 2, "it is in AWS still");
    index.delete(ResourceKind::Roles, &object(reader()).metadata);
    assert_eq!(uses(&index, "production"), [limit]);
    let payments = super::limit("payments", &["payments*"], "s3:*");
    index.delete(ResourceKind::Limits, &object(payments).metadata);
    assert_eq!(uses(&index, "production"), []);
}

/// By the account that it names, as far as that can be read: by any, if it can't be.
#[test]
fn what_can_not_be_read_uses_an_account_as_well() {
    let index = empty();
    let broken = |name: &str| with(role("payments", name, "s3:GetObject"), "/spec/policies", json!(7));
    let there = broken("there");
    let elsewhere = with(broken("elsewhere"), "/spec/accountRef/name", json!("staging"));
    let anywhere = with(broken("anywhere"), "/spec/accountRef", json!(7));
    for role in [&there, &elsewhere, &anywhere] {
        index.apply(ResourceKind::Roles, object(role.clone()));
    }
    let role = |name| AccountUse::Role(role_id("payments", name));
    assert_eq!(uses(&index, "production"), [role("anywhere"), role("there")]);
    assert_eq!(uses(&index, "staging"), [role("anywhere"), role("elsewhere")]);
    assert_eq!(uses(&index, "other"), [role("anywhere")]);
    // Put right, it names the one that it names; deleted, none.
    let right = again(super::role("payments", "anywhere", "s3:GetObject"));
    index.apply(ResourceKind::Roles, object(right));
    index.delete(ResourceKind::Roles, &object(there).metadata);
    assert_eq!(uses(&index, "other"), []);
    assert_eq!(uses(&index, "production"), [role("anywhere")]);
    let limit = with(limit("broken", &["x"], "s3:*"), "/spec", json!("what"));
    index.apply(ResourceKind::Limits, object(limit));
    assert_eq!(uses(&index, "other"), [AccountUse::Limit(named("broken"))]);
}

#[test]
fn a_binding_of_a_cluster_role_uses_its_account_whether_that_is_there_or_not() {
    let index = empty();
    let bound = of_cluster_role(binding("payments", "logs", "logs", &["app"]));
    let broken = with(
        of_cluster_role(binding("payments", "broken", "logs", &["app"])),
        "/spec/session",
        json!({"duration": "5m"}),
    );
    for binding in [bound, broken] {
        index.apply(ResourceKind::Bindings, object(binding));
    }
    let binding = |name| AccountUse::Binding(id("payments", name));
    assert_eq!(uses(&index, "production"), [binding("broken"), binding("logs")]);
    assert_eq!(uses(&index, "staging"), []);
}
