//! What has to be decided again.

use super::*;

fn dirty(world: &World, change: impl FnOnce()) -> Dirty {
    let subscription = world.subscribe();
    change();
    subscription.take().unwrap_or_default()
}

#[test]
fn a_change_of_a_limit_makes_dirty_what_it_applied_to_and_what_it_applies_to() {
    let world = world();
    world.apply(Watched::Roles, object(role("other", "reader", "s3:GetObject")));
    let moved = object(again(limit("payments", &["other"], "s3:*")));
    let dirty = dirty(&world, || world.apply(Watched::Limits, moved));
    assert_eq!(
        dirty.roles,
        BTreeSet::from([id("other", "reader"), id("payments", "reader")])
    );
    assert_eq!(dirty.bindings, BTreeSet::from([id("payments", "reader")]));
    assert_eq!(dirty.limits, BTreeSet::from([named("payments")]));
}

#[test]
fn a_change_of_an_account_makes_its_roles_bindings_and_limits_dirty() {
    let world = world();
    let changed = object(again(with(
        account("production"),
        "/spec/region",
        json!("us-east-1"),
    )));
    let dirty = dirty(&world, || world.apply(Watched::Accounts, changed));
    let reader = BTreeSet::from([id("payments", "reader")]);
    assert_eq!((&dirty.roles, &dirty.bindings), (&reader, &reader));
    assert_eq!((dirty.accounts.len(), dirty.limits.len()), (1, 1));
}

#[test]
fn a_binding_makes_its_role_and_the_bindings_in_its_shadow_dirty() {
    let world = world();
    world.apply(
        Watched::Bindings,
        object(binding("payments", "second", "absent", &["app", "job"])),
    );
    world.apply(
        Watched::Bindings,
        object(binding("payments", "third", "absent", &["job"])),
    );
    let gone = object(binding("payments", "reader", "reader", &[]));
    let dirty = dirty(&world, || world.delete(Watched::Bindings, &gone.metadata));
    assert_eq!(dirty.roles, BTreeSet::from([id("payments", "reader")]));
    assert_eq!(
        dirty.bindings,
        BTreeSet::from([id("payments", "reader"), id("payments", "second")])
    );
}

#[test]
fn what_comes_again_unchanged_makes_nothing_dirty() {
    let world = world();
    let unchanged = dirty(&world, || {
        world.reset(Watched::Accounts, [object(account("production"))]);
        world.reset(
            Watched::Limits,
            [object(limit("payments", &["payments*"], "s3:*"))],
        );
        world.reset(
            Watched::Roles,
            [object(role("payments", "reader", "s3:GetObject"))],
        );
        let labelled = with(
            binding("payments", "reader", "reader", &["app"]),
            "/metadata/labels",
            json!({"a": "b"}),
        );
        world.reset(Watched::Bindings, [object(labelled)]);
    });
    assert_eq!(unchanged, Dirty::default());
}

#[test]
fn the_status_of_a_role_is_kept_as_far_as_it_is_about_its_spec() {
    let world = world();
    let status = json!({
        "observedGeneration": 1, "roleARN": "arn:aws:iam::123456789012:role/x", "roleID": "AROAEXAMPLE",
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": CREATED,
        }],
    });
    let reader = id("payments", "reader");
    let ready = with(role("payments", "reader", "s3:GetObject"), "/status", status);
    let decided = role_decision(&world);
    let dirty = dirty(&world, || world.apply(Watched::Roles, object(ready.clone())));
    let state = world.role(&reader).unwrap().state;
    assert!(state.ready && state.role_id.as_deref() == Some("AROAEXAMPLE") && state.since == 1_767_323_045);
    assert_eq!(dirty.bindings, BTreeSet::from([reader.clone()]));
    assert!(
        Arc::ptr_eq(&decided, &role_decision(&world)),
        "a status changes no decision"
    );
    world.apply(Watched::Roles, object(again(ready)));
    assert!(!world.role(&reader).unwrap().state.ready);
    // Whatever somebody wrote there: it is written anew, and the spec counts.
    let odd = with(
        again(role("payments", "reader", "s3:GetObject")),
        "/status",
        json!({"conditions": 7}),
    );
    world.apply(Watched::Roles, object(odd));
    assert!(world.role(&reader).unwrap().parsed.is_ok());
}

#[tokio::test]
async fn whoever_waits_hears_that_a_kind_has_been_read_and_that_something_changed() {
    let world = empty();
    let subscription = world.subscribe();
    let (waiting, feeding) = (Arc::clone(&world), Arc::clone(&world));
    let waiter = tokio::spawn(async move { waiting.synced(&Watched::KINDS).await });
    for kind in Watched::KINDS {
        let objects = if kind == Watched::Accounts {
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
