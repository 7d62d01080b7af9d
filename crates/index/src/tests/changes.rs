//! What has to be decided again.

use super::*;

fn dirty(index: &Index, change: impl FnOnce()) -> Dirty {
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
    let decided = role_decision(&index);
    let dirty = dirty(&index, || index.apply(ResourceKind::Roles, object(ready.clone())));
    let state = index.role(&reader.clone().into()).unwrap().state;
    assert!(state.ready && state.role_id.as_deref() == Some("AROAEXAMPLE") && state.since == 1_767_323_045);
    assert_eq!(dirty.bindings, BTreeSet::from([reader.clone()]));
    assert!(
        Arc::ptr_eq(&decided, &role_decision(&index)),
        "a status changes no decision"
    );
    index.apply(ResourceKind::Roles, object(again(ready)));
    assert!(!index.role(&reader.clone().into()).unwrap().state.ready);
    // Whatever somebody wrote there: it is written anew, and the spec counts.
    let odd = with(
        again(role("payments", "reader", "s3:GetObject")),
        "/status",
        json!({"conditions": 7}),
    );
    index.apply(ResourceKind::Roles, object(odd));
    assert!(index.role(&reader.clone().into()).unwrap().parsed.is_ok());
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
