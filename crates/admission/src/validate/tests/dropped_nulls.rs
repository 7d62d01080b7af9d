//! A null that kubectl dropped is refused as one that arrives.

use super::*;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The binding as kubectl sends it when `written` is in the file.
fn applied(written: &Value, sent: &Value) -> Value {
    let mut object = sent.clone();
    object["metadata"]["annotations"] = json!({LAST_APPLIED: written.to_string()});
    object
}

fn with_session(session: Value) -> Value {
    let mut object = binding("nightly", None);
    object["spec"]["session"] = session;
    object
}

fn without_session() -> Value {
    let mut object = binding("nightly", None);
    object["spec"].as_object_mut().unwrap().remove("session");
    object
}

fn with_role() -> Facts {
    facts(&[account(), limit(&["s3:GetObject"]), role(&["s3:GetObject"])])
}

#[test]
fn a_null_that_kubectl_dropped_is_refused_with_the_words_of_one_that_arrives() {
    let facts = with_role();
    let mut other = binding("nightly", None);
    other["spec"]["subjects"][0]["name"] = json!("another");
    for (written, sent) in [
        (with_session(json!({"policy": null})), with_session(json!({}))),
        (
            with_session(json!({"policy": null})),
            with_session(json!({"scope": "Pod"})),
        ),
        (
            with_session(json!({"policy": null, "scope": "Pod"})),
            without_session(),
        ),
        (with_session(Value::Null), without_session()),
        (
            with_session(Value::Null),
            with_session(json!({"scope": "ServiceAccount"})),
        ),
    ] {
        let arrives = create(&facts, &written).denied(422).to_owned();
        assert!(arrives.contains("spec.session"), "{arrives}");
        let object = applied(&written, &sent);
        assert_eq!(create(&facts, &object).denied(422), arrives);
        let old = applied(&other, &other);
        assert_eq!(update(&facts, &old, &object).denied(422), arrives);
        assert_eq!(update(&facts, &other, &object).denied(422), arrives);
    }
}

#[test]
fn an_annotation_that_says_no_null_of_now_is_nothing() {
    let facts = with_role();
    let document = policy(&["s3:GetObject"], "arn:aws:s3:::productionapp/a/*");
    let narrow = with_session(json!({"policy": document}));
    let null = with_session(json!({"policy": null}));
    let sent = with_session(json!({}));
    let mut huge = null.clone();
    huge["metadata"]["annotations"] = json!({"a": "a".repeat(262_144)});
    for object in [
        applied(&sent, &sent),
        applied(&narrow, &narrow),
        // Somebody else put a policy in.
        applied(&null, &narrow),
        applied(&json!("text"), &sent),
        applied(&json!({"spec": 7}), &sent),
        applied(&json!({"spec": null}), &sent),
        applied(&json!({"spec": {"session": [null]}}), &sent),
        applied(&huge, &sent),
    ] {
        create(&facts, &object).allowed();
    }
    let mut unreadable = sent.clone();
    for text in ["", "{", "[[[[", "\u{0}"] {
        unreadable["metadata"]["annotations"] = json!({LAST_APPLIED: text});
        create(&facts, &unreadable).allowed();
    }
    // It is stored, and not kubectl apply but something else changes it now.
    let old = applied(&null, &sent);
    let mut new = old.clone();
    new["spec"]["subjects"][0]["name"] = json!("another");
    update(&facts, &old, &new).allowed();
}

/// Of the other kinds no null is kept, and absence means no more there.
#[test]
fn of_other_kinds_the_annotation_is_not_read() {
    let mut object = role(&["s3:GetObject"]);
    object["metadata"]["annotations"] = json!({LAST_APPLIED: json!({"spec": {"session": null}}).to_string()});
    create(&usual(), &object).allowed();
}
