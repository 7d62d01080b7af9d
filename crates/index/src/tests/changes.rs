//! What has to be decided again.

use super::*;

pub(super) fn dirty(index: &Index, change: impl FnOnce()) -> Dirty {
    let subscription = index.subscribe();
    change();
    subscription.take().unwrap_or_default()
}

#[test]
fn a_changed_limit_makes_dirty_what_it_applied_to_before_and_after() {
    let index = index();
    index.apply(
        ResourceKind::Roles,
        object(role("other", "reader", "s3:GetObject")),
    );
    let moved = object(again(limit("payments", &["other"], "s3:*")));
    let dirty = dirty(&index, || index.apply(ResourceKind::Limits, moved));
    assert_eq!(
        dirty.roles,
        BTreeSet::from([role_id("other", "reader"), role_id("payments", "reader")])
    );
    assert_eq!(dirty.bindings, BTreeSet::from([id("payments", "reader")]));
    assert_eq!(dirty.limits, BTreeSet::from([named("payments")]));
}

#[test]
fn a_change_of_an_account_makes_its_roles_bindings_and_limits_dirty() {
    let index = index();
    let changed = object(again(with(
        account("production"),
        "/spec/region",
        json!("us-east-1"),
    )));
    let dirty = dirty(&index, || index.apply(ResourceKind::Accounts, changed));
    assert_eq!(dirty.roles, BTreeSet::from([role_id("payments", "reader")]));
    assert_eq!(dirty.bindings, BTreeSet::from([id("payments", "reader")]));
    assert_eq!((dirty.accounts.len(), dirty.limits.len()), (1, 1));
}

#[test]
fn a_binding_makes_its_role_and_the_bindings_in_its_shadow_dirty() {
    let index = index();
    index.apply(
        ResourceKind::Bindings,
        object(binding("payments", "second", "absent", &["app", "job"])),
    );
    index.apply(
        ResourceKind::Bindings,
        object(binding("payments", "third", "absent", &["job"])),
    );
    let gone = object(binding("payments", "reader", "reader", &[]));
    let dirty = dirty(&index, || index.delete(ResourceKind::Bindings, &gone.metadata));
    assert_eq!(dirty.roles, BTreeSet::from([role_id("payments", "reader")]));
    assert_eq!(
        dirty.bindings,
        BTreeSet::from([id("payments", "reader"), id("payments", "second")])
    );
}

#[test]
fn what_comes_again_unchanged_makes_nothing_dirty() {
    let index = index();
    let unchanged = dirty(&index, || {
        index.reset(ResourceKind::Accounts, [object(account("production"))]);
        index.reset(
            ResourceKind::Limits,
            [object(limit("payments", &["payments*"], "s3:*"))],
        );
        index.reset(
            ResourceKind::Roles,
            [object(role("payments", "reader", "s3:GetObject"))],
        );
        let labelled = with(
            binding("payments", "reader", "reader", &["app"]),
            "/metadata/labels",
            json!({"a": "b"}),
        );
        index.reset(ResourceKind::Bindings, [object(labelled)]);
    });
    assert_eq!(unchanged, Dirty::default());
}

#[test]
fn the_status_of_a_role_is_kept_as_far_as_it_is_about_its_spec() {
    let index = index();
    let status = json!({
        "observedGeneration": 1, "roleARN": "arn:aws:iam::123456789012:role/x", "roleID": "AROAEXAMPLE",
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": CREATED,
        }],
    });
    let reader = id("payments", "reader");
    let ready = with(role("payments", "reader", "s3:GetObject"), "/status", status);
    assert!(role_decision(&index).is_accepted());
    let dirty = dirty(&index, || index.apply(ResourceKind::Roles, object(ready.clone())));
    let state = index.role(&reader.clone().into()).unwrap().state;
    assert!(state.ready && state.role_id.as_deref() == Some("AROAEXAMPLE") && state.since == 1_767_323_045);
    assert_eq!(dirty.bindings, BTreeSet::from([reader.clone()]));
    let made = made_anew(&index, || drop(role_decision(&index)));
    assert_eq!(made, 0, "a status changes no decision");
    index.apply(ResourceKind::Roles, object(again(ready)));
    assert!(!index.role(&reader.clone().into()).unwrap().state.ready);
    // Whatever somebody wrote there: it is written anew, and the spec counts.
    let odd = with(
        again(role("payments", "reader", "s3:GetObject")),
        "/status",
        json!({"conditions": 7}),
    );
    index.apply(ResourceKind::Roles, object(odd));
    assert!(index.role(&reader.clone().into()).unwrap().is_readable());
}

#[tokio::test]
async fn whoever_waits_hears_of_synced_kinds_and_changes() {
    let index = empty();
    let subscription = index.subscribe();
    let (waiting, feeding) = (Arc::clone(&index), Arc::clone(&index));
    let waiter = tokio::spawn(async move { waiting.synced(&ResourceKind::KINDS).await });
    for kind in ResourceKind::KINDS {
        let objects = if kind == ResourceKind::Accounts {
            vec![object(account("production"))]
        } else {
            vec![]
        };
        feeding.reset(kind, objects);
    }
    waiter.await.unwrap();
    assert_eq!(
        subscription.next().await.accounts,
        BTreeSet::from([named("production")])
    );
    assert!(subscription.take().is_none());
}

/// The limit with this entry of `production` in its status.
fn limit_with(entry: Value) -> Value {
    let status = json!({"observedGeneration": 1, "boundaries": [entry]});
    with(limit("payments", &["payments*"], "s3:*"), "/status", status)
}

#[test]
fn what_the_status_of_a_limit_says_of_one_account_concerns_nothing_in_others() {
    let index = index();
    index.apply(ResourceKind::Accounts, object(account("staging")));
    let elsewhere = with(
        role("payments", "elsewhere", "s3:GetObject"),
        "/spec/accountRef/name",
        json!("staging"),
    );
    index.apply(ResourceKind::Roles, object(elsewhere));
    let both = with(
        again(limit("payments", &["payments*"], "s3:*")),
        "/spec/accounts",
        json!(["production", "staging"]),
    );
    index.apply(ResourceKind::Limits, object(both.clone()));
    let entry = json!({"account": "production", "policyARN": "arn:aws:iam::123456789012:policy/x", "documentHash": "0123"});
    let said = with(both, "/status", json!({"boundaries": [entry]}));
    let dirty = dirty(&index, || index.apply(ResourceKind::Limits, object(said)));
    assert_eq!(dirty.roles, BTreeSet::from([role_id("payments", "reader")]));
    let key = BoundaryKey {
        limit: named("payments"),
        account: named("production"),
    };
    assert_eq!(dirty.boundaries, BTreeSet::from([key]));
    // Nothing is decided otherwise, and the limit itself is told by who writes its status.
    assert!(dirty.counted.is_empty() && dirty.limits.is_empty());
}

#[test]
fn what_no_decision_reads_of_a_status_makes_nothing_dirty() {
    let index = index();
    let entry = |more: Value| {
        let mut entry = json!({"account": "production", "policyARN": "arn:aws:iam::123456789012:policy/x", "documentHash": "0123"});
        entry
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        entry
    };
    index.apply(ResourceKind::Limits, object(limit_with(entry(json!({})))));
    let ready = |status: &str| json!([{"type": "Ready", "status": status, "reason": "Throttled", "message": "", "lastTransitionTime": CREATED}]);
    let flips = dirty(&index, || {
        for more in [
            json!({"versionID": "v7"}),
            json!({"lastVerified": CREATED}),
            json!({"problem": {"reason": "Throttled", "message": "slower"}}),
            json!({"untagged": {"reason": "AccessDenied", "message": "no"}}),
        ] {
            index.apply(ResourceKind::Limits, object(limit_with(entry(more))));
        }
        for status in ["True", "False"] {
            let limit = with(limit_with(entry(json!({}))), "/status/conditions", ready(status));
            index.apply(
                ResourceKind::Limits,
                object(with(
                    limit,
                    "/status/grants",
                    json!({"accepted": 1, "suspended": 2}),
                )),
            );
            let account = with(
                account("production"),
                "/status",
                json!({"conditions": ready(status)}),
            );
            index.apply(ResourceKind::Accounts, object(account));
        }
    });
    assert_eq!(flips, Dirty::default());
}

#[test]
fn grants_are_counted_again_when_one_may_be_decided_otherwise_and_only_then() {
    let index = index();
    let counted = |change: &dyn Fn()| dirty(&index, change).counted;
    let only = |role: RoleId| BTreeMap::from([(named("payments"), BTreeSet::from([role]))]);
    let payments = only(role_id("payments", "reader"));
    let reader = || role("payments", "reader", "s3:GetObject");
    let made = counted(&|| index.apply(ResourceKind::Roles, object(again(reader()))));
    assert_eq!(made, payments);
    let status = json!({"observedGeneration": 2, "roleID": "AROAEXAMPLE"});
    let written = counted(&|| {
        index.apply(
            ResourceKind::Roles,
            object(with(again(reader()), "/status", status.clone())),
        )
    });
    assert!(written.is_empty(), "its status");
    let bound = counted(&|| {
        index.apply(
            ResourceKind::Bindings,
            object(binding("payments", "second", "reader", &["job"])),
        )
    });
    assert_eq!(bound, payments);
    let gone = object(reader());
    assert_eq!(
        counted(&|| index.delete(ResourceKind::Roles, &gone.metadata)),
        payments
    );
}

/// What the broker says of its identity is said of bindings, and of nothing else.
#[test]
fn what_the_broker_says_of_an_account_concerns_its_bindings_alone() {
    let index = index();
    let issuer = json!([{
        "type": "IssuerReady", "status": "False", "reason": "IdentityMismatch", "message": "another one",
        "lastTransitionTime": CREATED, "observedGeneration": 1,
    }]);
    let said = with(account("production"), "/status", json!({"conditions": issuer}));
    let dirty = dirty(&index, || index.apply(ResourceKind::Accounts, object(said)));
    assert_eq!(
        dirty,
        Dirty {
            accounts: BTreeSet::from([named("production")]),
            // Of the account itself nothing changed but its status.
            echoed_accounts: BTreeSet::from([named("production")]),
            bindings: BTreeSet::from([id("payments", "reader")]),
            ..Dirty::default()
        }
    );
}
