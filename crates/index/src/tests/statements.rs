//! Statements of resource policies: what is decided of them, and what marks them.

use super::*;
use crate::AccountUse;

const BUCKET: &str = "arn:aws:s3:::app";

fn statement(name: &str, principal: Value) -> Value {
    let spec = json!({
        "accountRef": {"name": "production"}, "resourceARN": BUCKET, "principals": [principal],
        "statement": {"Action": "s3:GetObject", "Resource": format!("{BUCKET}/*")},
    });
    made("AWSResourcePolicyStatement", Some("payments"), name, spec)
}

fn of_role(name: &str) -> Value {
    statement("read", json!({"kind": "AWSRole", "name": name}))
}

fn allowing(patterns: &[&str]) -> Value {
    let object = limit("payments", &["payments*"], "s3:*");
    with(object, "/spec/resourcePolicies", json!(patterns))
}

fn with_statement(object_: Value) -> Arc<Index> {
    let index = index();
    index.apply(ResourceKind::Limits, object(again(allowing(&[BUCKET]))));
    index.reset(ResourceKind::Statements, [object(object_)]);
    index
}

fn read() -> ObjectId {
    id("payments", "read")
}

fn is_accepted(index: &Index) -> bool {
    index.decide_statement(&read()).unwrap().is_accepted()
}

#[test]
fn a_statement_is_decided_by_the_limits_as_they_are() {
    let index = with_statement(of_role("reader"));
    assert!(is_accepted(&index));
    let known = index.statement(&read()).unwrap().parsed().unwrap();
    assert!(index.decide_statement_with(&known).is_accepted());
    let narrower = with(
        allowing(&["arn:aws:s3:::other"]),
        "/metadata/generation",
        json!(3),
    );
    index.apply(ResourceKind::Limits, object(narrower));
    assert!(!is_accepted(&index));
    assert!(!index.decide_statement_with(&known).is_accepted());
}

#[test]
fn what_a_statement_rests_on_marks_it() {
    let index = with_statement(of_role("reader"));
    let changes = index.subscribe();
    let is_marked = |what: &str, expected: bool| {
        let marked = changes
            .take()
            .is_some_and(|dirty| dirty.statements.contains(&read()));
        assert_eq!(marked, expected, "{what}");
    };
    let told = with(
        of_role("reader"),
        "/status",
        json!({"sid": "x", "conditions": []}),
    );
    index.apply(ResourceKind::Statements, object(told));
    is_marked("its status", false);
    index.apply(ResourceKind::Statements, object(again(of_role("reader"))));
    is_marked("the statement", true);
    let limit = with(allowing(&["arn:aws:s3:::*"]), "/metadata/generation", json!(3));
    index.apply(ResourceKind::Limits, object(limit));
    is_marked("a limit", true);
    let moved = with(again(account("production")), "/spec/region", json!("eu-west-1"));
    index.apply(ResourceKind::Accounts, object(moved));
    is_marked("the account", true);
    let made = with(
        role("payments", "reader", "s3:GetObject"),
        "/status",
        json!({"roleID": "AROA1"}),
    );
    index.apply(ResourceKind::Roles, object(made));
    is_marked("the status of its role", true);
    index.apply(
        ResourceKind::Roles,
        object(role("payments", "another", "s3:GetObject")),
    );
    is_marked("another role", false);
    index.delete(ResourceKind::Statements, &object(of_role("reader")).metadata);
    is_marked("that it is gone", true);
}

#[test]
fn a_federated_user_marks_the_statements_that_name_it() {
    let named = json!({"kind": "AWSFederatedUserBinding", "name": "manager"});
    let index = with_statement(statement("read", named));
    let changes = index.subscribe();
    let spec = json!({
        "accountRef": {"name": "production"}, "userName": "Manager",
        "subjects": [{"kind": "ServiceAccount", "name": "app"}], "session": {"resourcePolicyOnly": true},
    });
    let user = |name: &str| made("AWSFederatedUserBinding", Some("payments"), name, spec.clone());
    index.apply(ResourceKind::FederatedBindings, object(user("manager")));
    assert!(changes.take().unwrap().statements.contains(&read()));
}

#[test]
fn a_statement_counts_among_the_grants_and_the_uses() {
    let index = with_statement(of_role("reader"));
    let grants = index.grants_under(&named("payments")).unwrap();
    index.delete(ResourceKind::Statements, &object(of_role("reader")).metadata);
    let without = index.grants_under(&named("payments")).unwrap();
    assert_eq!(grants.accepted, without.accepted + 1);
    assert_eq!(grants.ceiling_use[&0], without.ceiling_use[&0] + 1);
    let broken = with(of_role("reader"), "/spec/principals", json!("none"));
    index.apply(ResourceKind::Statements, object(broken));
    let uses = index.uses_of_account(&named("production"));
    assert!(
        uses.contains(&AccountUse::Statement(read())),
        "also one that can't be read"
    );
    assert!(index.decide_statement(&read()).is_none());
}

#[test]
fn a_change_of_a_limit_says_which_statements_it_would_take_away() {
    let index = with_statement(of_role("reader"));
    let narrower = allowing(&[]);
    let narrower = deputy_api::parse_limit(&serde_json::from_value(narrower).unwrap()).unwrap();
    let narrower = LimitEntry::Valid(Arc::new(narrower));
    let change = ProposedChange::Limit(narrower.name(), Some(&narrower));
    let suspension = index.suspended_by(change, None);
    assert!(suspension.is_complete());
    assert_eq!(suspension.suspended, [GrantRef::Statement(read())]);
}
