//! What is known of objects that were not read: whether they are what the index holds, and whether their status says what it should.

use deputy_api::{AWSRoleBindingStatus, AWSRoleStatus};
use kube::api::ObjectMeta;

use super::{changes::dirty, *};

/// A role with this status and these finalizers.
fn role_saying(status: &Value, finalizers: &[&str]) -> DynamicObject {
    let role = with(
        role("payments", "reader", "s3:GetObject"),
        "/status",
        status.clone(),
    );
    object(with(role, "/metadata/finalizers", json!(finalizers)))
}

fn ready(status: &str, since: &str) -> Value {
    json!({"type": "Ready", "status": status, "reason": "Ready", "message": "", "lastTransitionTime": since})
}

fn accepted(message: &str) -> Value {
    json!({"type": "Accepted", "status": "True", "reason": "WithinLimits", "message": message, "lastTransitionTime": CREATED})
}

fn saying(conditions: &[Value]) -> Value {
    json!({"observedGeneration": 1, "roleID": "AROAEXAMPLE", "conditions": conditions})
}

#[test]
fn what_a_status_says_is_told_from_every_other_one() {
    const OURS: &str = "deputy.dev/role";
    let index = index();
    let said = saying(&[ready("True", CREATED), accepted("within payments")]);
    let status: AWSRoleStatus = serde_json::from_value(said.clone()).unwrap();
    let told = index.told_of_role(status, &[OURS.to_owned()]);
    assert!(told.is_some());
    let earlier = "2020-01-02T03:04:05Z";
    let more = |key: &str, value: Value| with(said.clone(), &format!("/{key}"), value);
    let sessions = json!({"serviceAccounts": ["api"]});
    for (status, finalizers, is_same) in [
        (said.clone(), &[OURS][..], true),
        // When a condition became so, and which was written first, follows from no fact.
        (
            saying(&[accepted("within payments"), ready("True", earlier)]),
            &[OURS],
            true,
        ),
        (said.clone(), &[], false),
        (said.clone(), &[OURS, "another.dev/finalizer"], false),
        (
            saying(&[ready("False", CREATED), accepted("within payments")]),
            &[OURS],
            false,
        ),
        (
            saying(&[ready("True", CREATED), accepted("within others")]),
            &[OURS],
            false,
        ),
        (saying(&[ready("True", CREATED)]), &[OURS], false),
        (more("observedGeneration", json!(2)), &[OURS], false),
        (more("roleID", json!("AROAOTHER")), &[OURS], false),
        (more("trustHash", json!("abc")), &[OURS], false),
        (more("boundaryARN", json!("arn")), &[OURS], false),
        (more("limits", json!(["payments"])), &[OURS], false),
        (more("sessions", sessions), &[OURS], false),
        // Nothing of it can be read.
        (json!({"conditions": 7}), &[OURS], false),
    ] {
        index.apply(ResourceKind::Roles, role_saying(&status, finalizers));
        let stored = index.role(&role_id("payments", "reader")).unwrap();
        assert_eq!(stored.state.told == told, is_same, "{status} {finalizers:?}");
    }
    let other = super::index();
    other.apply(ResourceKind::Roles, role_saying(&said, &[OURS]));
    let stored = other.role(&role_id("payments", "reader")).unwrap();
    assert_ne!(stored.state.told, told, "each index has a key of its own");
}

#[test]
fn what_the_status_of_a_binding_says_is_told_from_every_other_one() {
    let index = index();
    let said = json!({"observedGeneration": 1, "roleARN": "arn", "conditions": [ready("True", CREATED)]});
    let status: AWSRoleBindingStatus = serde_json::from_value(said.clone()).unwrap();
    let told = index.told_of_binding(status);
    let refused = json!({"type": "SessionsIssued", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": CREATED});
    for (status, is_same) in [
        (said.clone(), true),
        (with(said.clone(), "/roleARN", json!("other")), false),
        (
            with(
                said.clone(),
                "/conditions",
                json!([ready("True", CREATED), refused]),
            ),
            false,
        ),
        (json!({}), false),
    ] {
        let binding = binding("payments", "reader", "reader", &["api"]);
        index.apply(
            ResourceKind::Bindings,
            object(with(binding, "/status", status.clone())),
        );
        let stored = index.binding(&id("payments", "reader")).unwrap();
        assert_eq!(stored.state.told == told, is_same, "{status}");
    }
}

#[test]
fn what_a_status_says_in_other_words_has_the_object_alone_looked_at() {
    let index = index();
    let reader = id("payments", "reader");
    for message in ["within payments", "other words"] {
        let said = role_saying(&saying(&[ready("True", CREATED), accepted(message)]), &[]);
        index.apply(
            ResourceKind::Roles,
            role_saying(&saying(&[ready("True", CREATED)]), &[]),
        );
        let first = dirty(&index, || index.apply(ResourceKind::Roles, said.clone()));
        let alone = BTreeSet::from([reader.clone().into()]);
        let expected = Dirty {
            roles: alone.clone(),
            echoed_roles: alone,
            ..Dirty::default()
        };
        assert_eq!(first, expected, "{message}");
        let again = dirty(&index, || index.apply(ResourceKind::Roles, said));
        assert_eq!(again, Dirty::default(), "{message}");
    }
}

/// The metadata of an object as it was read.
fn read(uid: Option<&str>, generation: Option<i64>) -> ObjectMeta {
    ObjectMeta {
        uid: uid.map(str::to_owned),
        generation,
        ..ObjectMeta::default()
    }
}

#[test]
fn what_is_remembered_is_taken_for_the_very_object_that_was_read() {
    let index = index();
    let (of_role, of_binding) = (role_id("payments", "reader"), id("payments", "reader"));
    for (uid, generation, is_that) in [
        (Some("uid-reader"), Some(1), true),
        (Some("uid-reader"), Some(2), false),
        (Some("uid-reader"), None, false),
        (Some("uid-other"), Some(1), false),
        (None, Some(1), false),
        (None, None, false),
    ] {
        let read = read(uid, generation);
        let role = index.decide_role_as_read(&of_role, &read);
        let binding = index.decide_binding_as_read(&of_binding, &read);
        assert_eq!(
            (role.is_some(), binding.is_some()),
            (is_that, is_that),
            "{read:?}"
        );
        if is_that {
            let made = made_anew(&index, || {
                assert!(index.decide_binding(&of_binding).unwrap().is_accepted());
            });
            assert_eq!(made, 0, "it is remembered");
        }
    }
    // An object without a generation, as one that no API server counted, is none that was read.
    let uncounted = with(
        role("payments", "reader", "s3:GetObject"),
        "/metadata/generation",
        json!(0),
    );
    index.apply(ResourceKind::Roles, object(uncounted));
    let read_again = read(Some("uid-reader"), Some(0));
    assert!(index.decide_role_as_read(&of_role, &read_again).is_none());
    // Nor one that is being deleted.
    index.apply(
        ResourceKind::Roles,
        object(deleting(role("payments", "reader", "s3:GetObject"))),
    );
    let read_again = read(Some("uid-reader"), Some(1));
    assert!(index.decide_role_as_read(&of_role, &read_again).is_none());
}

#[test]
fn what_is_remembered_follows_whatever_it_rests_on() {
    let index = index();
    let (of_role, read) = (role_id("payments", "reader"), read(Some("uid-reader"), Some(1)));
    let is_accepted = || {
        let (_, role) = index.decide_role_as_read(&of_role, &read).unwrap();
        role.is_accepted()
    };
    assert!(is_accepted());
    index.reset(
        ResourceKind::Limits,
        [object(again(limit("payments", &["payments*"], "s3:PutObject")))],
    );
    assert!(!is_accepted(), "the limit is another one");
}
