//! Bindings of federated users: whose a name is, and what a change means for them.

use std::time::Instant;

use deputy_api::conditions::{ConditionReason, Status};
use deputy_delegation::model::FederatedBinding;

use super::*;
use crate::AccountUse;

const EARLIER: &str = "2026-01-01T00:00:00Z";

fn federated(namespace: &str, name: &str, user: &str) -> Value {
    let spec = json!({
        "accountRef": {"name": "production"}, "userName": user,
        "subjects": [{"kind": "ServiceAccount", "name": "app"}],
        "session": {"policy": policy("s3:GetObject")},
    });
    made("AWSFederatedUserBinding", Some(namespace), name, spec)
}

fn made_at(object: Value, time: &str) -> Value {
    with(object, "/metadata/creationTimestamp", json!(time))
}

fn allowing(names: &[&str]) -> Value {
    let object = limit("payments", &["payments*"], "s3:*");
    with(object, "/spec/federatedUsers", json!(names))
}

/// An account with a federation user, a limit on payments* that allows Manager*, and these bindings.
fn with_bindings(bindings: &[Value]) -> Arc<Index> {
    let index = index();
    let user = json!({"userARN": "arn:aws:iam::123456789012:user/federation"});
    let account = with(account("production"), "/spec/federation", user);
    index.apply(ResourceKind::Accounts, object(again(account)));
    index.apply(ResourceKind::Limits, object(again(allowing(&["Manager*"]))));
    index.reset(
        ResourceKind::FederatedBindings,
        bindings.iter().cloned().map(object),
    );
    index
}

fn decided(index: &Index, namespace: &str, name: &str) -> Decision {
    let found = index.decide_federated(&id(namespace, name)).unwrap();
    found.decision.as_ref().clone()
}

/// With a change after the one that made it so.
fn third(object: Value) -> Value {
    with(object, "/metadata/generation", json!(3))
}

/// What is remembered of it.
fn remembered(index: &Index, name: &str) -> Arc<Decision> {
    index.decide_federated(&id("payments", name)).unwrap().decision
}

fn is_conflict(index: &Index, namespace: &str, name: &str) -> bool {
    match decided(index, namespace, name) {
        Decision::Refused(violations) => violations.iter().any(|v| v.reason == Reason::Conflict),
        Decision::Accepted(_) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_name_belongs_to_the_namespace_of_its_oldest_binding() {
    let index = with_bindings(&[
        federated("payments", "second", "Manager-Reports"),
        made_at(federated("payments-eu", "first", "Manager-reports"), EARLIER),
        federated("payments", "other", "Manager-other"),
    ]);
    assert!(decided(&index, "payments-eu", "first").is_accepted());
    assert!(
        is_conflict(&index, "payments", "second"),
        "case makes no difference"
    );
    assert!(decided(&index, "payments", "other").is_accepted());
    // On its way out it still has the name: what it gave may still be used.
    let leaving = made_at(federated("payments-eu", "first", "Manager-reports"), EARLIER);
    index.apply(ResourceKind::FederatedBindings, object(deleting(leaving.clone())));
    assert!(is_conflict(&index, "payments", "second"));
    index.delete(ResourceKind::FederatedBindings, &object(leaving).metadata);
    assert!(decided(&index, "payments", "second").is_accepted());
}

#[test]
fn a_decision_is_remembered_until_something_that_it_rests_on_changes() {
    let own = made_at(federated("payments", "own", "Manager-a"), "2026-01-03T00:00:00Z");
    let index = with_bindings(std::slice::from_ref(&own));
    let ask = || drop(remembered(&index, "own"));
    ask();
    let is_kept = |what: &str, kept: bool| {
        assert_eq!(made_anew(&index, ask) == 0, kept, "{what}");
    };
    let status = json!({"conditions": [], "observedGeneration": 1});
    let told = with(own.clone(), "/status", status);
    index.apply(ResourceKind::FederatedBindings, object(told));
    is_kept("its status", true);
    let others = federated("payments", "another", "Manager-b");
    index.apply(ResourceKind::FederatedBindings, object(others));
    is_kept("another binding", true);
    index.apply(ResourceKind::FederatedBindings, object(again(own.clone())));
    is_kept("the binding", false);
    index.apply(ResourceKind::Limits, object(third(allowing(&["Manager-*"]))));
    is_kept("a limit", false);
    let user = json!({"userARN": "arn:aws:iam::123456789012:user/other"});
    let account = with(account("production"), "/spec/federation", user);
    index.apply(ResourceKind::Accounts, object(third(account)));
    is_kept("the account", false);
    // Whoever had the name first, in another namespace.
    let first = made_at(federated("payments-eu", "first", "manager-A"), EARLIER);
    index.apply(ResourceKind::FederatedBindings, object(first.clone()));
    is_kept("whose the name is", false);
    assert!(is_conflict(&index, "payments", "own"));
    index.delete(ResourceKind::FederatedBindings, &object(first).metadata);
    is_kept("whose the name is", false);
    // One that is made again is decided about again.
    index.delete(ResourceKind::FederatedBindings, &object(own.clone()).metadata);
    index.apply(ResourceKind::FederatedBindings, object(own));
    is_kept("a binding made again", false);
}

#[test]
fn a_binding_that_cannot_be_read_keeps_its_name() {
    let broken = with(
        made_at(federated("payments-eu", "first", "Manager-reports"), EARLIER),
        "/spec/session",
        json!({"policy": {"Version": "2012-10-17", "Statement": "none"}}),
    );
    let index = with_bindings(&[broken, federated("payments", "second", "Manager-reports")]);
    assert!(index.decide_federated(&id("payments-eu", "first")).is_none());
    assert!(is_conflict(&index, "payments", "second"));
    assert_eq!(index.counts().unreadable, 1);
}

#[test]
fn bindings_of_one_namespace_share_a_name() {
    let index = with_bindings(&[
        federated("payments", "first", "Manager"),
        federated("payments", "second", "Manager"),
    ]);
    assert!(decided(&index, "payments", "first").is_accepted());
    assert!(decided(&index, "payments", "second").is_accepted());
}

#[test]
fn one_that_is_about_to_be_stored_is_younger_than_all_that_are() {
    let index = with_bindings(&[federated("payments", "first", "Manager")]);
    let parse = |value: Value| -> FederatedBinding {
        deputy_api::parse_federated_binding(&serde_json::from_value(value).unwrap()).unwrap()
    };
    let late = parse(federated("payments-eu", "late", "Manager"));
    assert_eq!(reasons(&index.decide_federated_with(&late)), [Reason::Conflict]);
    let free = parse(federated("payments-eu", "late", "Manager2"));
    assert!(index.decide_federated_with(&free).is_accepted());
}

#[test]
fn what_changes_a_decision_marks_the_bindings() {
    let index = with_bindings(&[federated("payments", "first", "Manager")]);
    let changes = index.subscribe();
    let first = BTreeSet::from([id("payments", "first")]);
    index.apply(
        ResourceKind::Limits,
        object(with(allowing(&["Other"]), "/metadata/generation", json!(3))),
    );
    assert_eq!(changes.take().unwrap().federated, first);
    assert_eq!(
        reasons(&decided(&index, "payments", "first")),
        [Reason::FederatedUser]
    );
    index.apply(
        ResourceKind::Accounts,
        object(with(account("production"), "/metadata/generation", json!(3))),
    );
    assert_eq!(changes.take().unwrap().federated, first);
    let late = federated("payments-eu", "late", "Manager");
    index.apply(ResourceKind::FederatedBindings, object(late));
    let both: BTreeSet<_> = [id("payments", "first"), id("payments-eu", "late")].into();
    assert_eq!(changes.take().unwrap().federated, both);
}

#[test]
fn what_a_narrower_limit_would_take_away_is_counted() {
    let index = with_bindings(&[federated("payments", "first", "Manager")]);
    let narrower = crate::parse::limit(&named("payments"), object(allowing(&[])));
    let name = named("payments");
    let change = ProposedChange::Limit(&name, Some(&narrower));
    let found = index.suspended_by(change, None);
    assert_eq!(
        found.suspended,
        [GrantRef::FederatedUser(id("payments", "first"))]
    );
    assert!(found.is_complete());
    let cut_short = index.suspended_by(change, Some(Instant::now()));
    assert!(!cut_short.is_complete());
}

#[test]
fn federated_users_count_among_the_grants_of_a_limit() {
    let index = with_bindings(&[]);
    let counted = |limit: &str| {
        let grants = index.grants_under(&named(limit)).unwrap();
        (
            grants.accepted,
            grants.suspended,
            grants.would_refuse,
            grants.ceiling_use,
        )
    };
    let (accepted, suspended, _, uses) = counted("payments");
    let changes = index.subscribe();
    index.apply(
        ResourceKind::FederatedBindings,
        object(federated("payments", "first", "Manager")),
    );
    // Its session policy uses the statement of the ceiling: without that it would not stay accepted.
    let dirty = changes.take().unwrap();
    assert_eq!(
        dirty.counted,
        BTreeMap::from([(named("payments"), BTreeSet::new())])
    );
    let (accepted_now, _, _, uses_now) = counted("payments");
    assert_eq!((accepted_now, uses_now[&0]), (accepted + 1, uses[&0] + 1));
    let other = federated("payments", "other", "Report");
    index.apply(ResourceKind::FederatedBindings, object(other));
    assert_eq!(counted("payments").1, suspended + 1);
    let strict = with(
        limit("strict", &["payments"], "s3:*"),
        "/spec/enforcement",
        json!("DryRun"),
    );
    index.apply(ResourceKind::Limits, object(strict));
    let refused = index.grants_under(&named("strict")).unwrap();
    let user = GrantRef::FederatedUser(id("payments", "first"));
    assert_eq!(refused.refusals[&user].first.reason, Reason::FederatedUser);
}

#[test]
fn an_account_is_used_by_its_federated_users() {
    let index = with_bindings(&[federated("payments", "first", "Manager")]);
    let uses = index.uses_of_account(&named("production"));
    assert!(uses.contains(&AccountUse::FederatedUser(id("payments", "first"))));
    assert!(index.uses_of_account(&named("produce")).is_empty());
}

#[test]
fn the_bindings_of_a_service_account_are_found_oldest_first() {
    let of = |name: &str| made_at(federated("payments", name, "Manager"), EARLIER);
    let index = with_bindings(&[
        federated("payments", "a-young-one", "Manager"),
        of("old"),
        deleting(of("leaving")),
        federated("payments-eu", "elsewhere", "Manager2"),
    ]);
    let found = index.bindings_of_service_account(&ns("payments"), &sa("app"));
    let names: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "AWSFederatedUserBinding payments/old",
            "AWSFederatedUserBinding payments/a-young-one",
            "AWSRoleBinding payments/reader"
        ]
    );
    let default = index.default_binding(&ns("payments"), &sa("app")).unwrap();
    assert_eq!(
        default.binding.to_string(),
        "AWSFederatedUserBinding payments/old"
    );
    let of_another = index.bindings_of_service_account(&ns("payments"), &sa("another"));
    assert!(of_another.is_empty());
}

#[test]
fn a_change_of_the_default_marks_the_bindings_of_either_kind() {
    let index = with_bindings(&[]);
    let changes = index.subscribe();
    let role: BTreeSet<_> = [id("payments", "reader")].into();
    let user: BTreeSet<_> = [id("payments", "first")].into();
    let first = made_at(federated("payments", "first", "Manager"), EARLIER);
    index.apply(ResourceKind::FederatedBindings, object(first.clone()));
    let found = changes.take().unwrap();
    assert_eq!((found.bindings, found.federated), (role.clone(), user.clone()));
    // The binding of a role becomes the older one.
    let reader = binding("payments", "reader", "reader", &["app"]);
    let older = with(
        reader,
        "/metadata/creationTimestamp",
        json!("2020-01-01T00:00:00Z"),
    );
    index.apply(ResourceKind::Bindings, object(again(older)));
    assert_eq!(changes.take().unwrap().federated, user);
    // One that can't be read may name anybody.
    let broken = with(again(first), "/spec/subjects", json!("none"));
    index.apply(ResourceKind::FederatedBindings, object(broken));
    assert_eq!(changes.take().unwrap().bindings, role);
}

#[test]
fn what_the_broker_says_marks_the_bindings_of_federated_users_there() {
    let index = with_bindings(&[federated("payments", "first", "Manager")]);
    let changes = index.subscribe();
    let says = |status: &str| {
        json!([{"type": "FederationReady", "status": status, "reason": "Ready", "message": "", "observedGeneration": 2,
            "lastTransitionTime": EARLIER}])
    };
    let user = json!({"userARN": "arn:aws:iam::123456789012:user/federation"});
    let mut account = again(with(account("production"), "/spec/federation", user));
    account["status"]["conditions"] = says("True");
    index.apply(ResourceKind::Accounts, object(account.clone()));
    let found = changes.take().unwrap();
    assert_eq!(found.federated, [id("payments", "first")].into());
    assert!(found.echoed_accounts.contains(&named("production")));
    let state = index.account_view(&named("production")).unwrap().state.clone();
    assert_eq!(state.federation.as_ref().unwrap().status, Status::True);
    // What STS says of the binding is the binding's own.
    let mut refused = federated("payments", "first", "Manager");
    refused["status"]["conditions"] = json!([{"type": "SessionsIssued", "status": "False", "reason": "AccessDenied",
        "message": "", "lastTransitionTime": EARLIER}]);
    index.apply(ResourceKind::FederatedBindings, object(refused));
    assert_eq!(
        changes.take().unwrap().federated,
        [id("payments", "first")].into()
    );
    let state = index.federated_binding(&id("payments", "first")).unwrap().state;
    assert_eq!(state.refused, Some(ConditionReason::AccessDenied));
}

#[test]
fn no_name_is_given_before_all_bindings_have_been_read() {
    let index = empty();
    for kind in ResourceKind::KINDS
        .into_iter()
        .filter(|k| *k != ResourceKind::FederatedBindings)
    {
        index.reset(kind, []);
    }
    index.apply(
        ResourceKind::FederatedBindings,
        object(federated("payments", "first", "Manager")),
    );
    assert!(index.decide_federated(&id("payments", "first")).is_none());
}
