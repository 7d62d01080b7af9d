//! What is answered is true by the evaluator, and of what is accepted alone.

use deputy_policy::{AccessDecision, Document, Layers, PolicyKind, Request, evaluate};
use serde_json::Value;

use super::{
    grant::{everything_but, grants},
    subject::AskedSubject,
    what_can::what_can,
    who_can::who_can,
};
use crate::objects::{
    AskedWorld, ReadObjects,
    example::{self, APPLICATION, PLATFORM},
};

fn world(texts: &[&str]) -> AskedWorld {
    example::world(texts, None)
}

fn document(object: &str, pointer: &str, kind: PolicyKind) -> Document {
    let read = ReadObjects::of_text("x.yaml", object.to_owned(), None)
        .sound()
        .unwrap();
    let found = read
        .iter()
        .find_map(|object| object.value.pointer(pointer))
        .unwrap();
    Document::from_value(found, kind).unwrap()
}

#[test]
fn a_witness_is_allowed_by_role_session_and_boundary() {
    let world = world(&[PLATFORM, APPLICATION]);
    let found = grants(&world);
    assert!(found.held.is_empty());
    let witness = found.given[0]
        .request_of("s3:*", "arn:aws:s3:::productionapp/*")
        .unwrap()
        .unwrap();
    let role = document(APPLICATION, "/spec/policies/0/document", PolicyKind::Identity);
    let session = document(APPLICATION, "/spec/session/policy", PolicyKind::Session);
    let boundary = document(PLATFORM, "/spec/ceiling", PolicyKind::Boundary);
    let layers = Layers {
        identity: &[&role],
        boundary: Some(&boundary),
        session: Some(&[&session]),
    };
    let request = Request {
        action: witness.action,
        resource: witness.resource,
        principal: None,
        context: witness.context,
    };
    assert_eq!(evaluate(&layers, &request).decision, AccessDecision::Allowed);
}

#[test]
fn who_can_is_what_the_session_policy_leaves() {
    let world = world(&[PLATFORM, APPLICATION]);
    let can = |action: &str, resource: &str| {
        let found = who_can(&world, action, resource);
        found
            .iter()
            .map(|one| (one.can, one.subjects.join(",")))
            .collect::<Vec<_>>()
    };
    let uploader = ("yes", "ServiceAccount payments/uploader".to_owned());
    assert_eq!(
        can("s3:GetObject", "arn:aws:s3:::productionapp/x"),
        std::slice::from_ref(&uploader)
    );
    assert_eq!(can("s3:*", "*"), [uploader]);
    // The role may, its session may not.
    assert!(can("s3:DeleteObject", "arn:aws:s3:::productionapp/x").is_empty());
    assert!(can("s3:GetObject", "arn:aws:s3:::others/x").is_empty());
    // No bucket is an object.
    assert!(can("s3:GetObject", "arn:aws:s3:::productionapp").is_empty());
}

#[test]
fn what_is_not_accepted_grants_nothing() {
    let world = world(&[APPLICATION]);
    let found = grants(&world);
    assert_eq!((found.given.len(), found.held.len()), (0, 1));
    assert!(who_can(&world, "*", "*").is_empty());
}

#[test]
fn what_only_aws_knows_is_unknown_and_never_no() {
    let managed = APPLICATION.replace(
        "  policies:\n",
        "  managedPolicyARNs: [\"arn:aws:iam::aws:policy/ReadOnlyAccess\"]\n  policies:\n",
    );
    assert_ne!(managed, APPLICATION);
    let platform = PLATFORM.replace(
        "  session:\n",
        "  managedPolicies: [\"arn:aws:iam::aws:policy/*\"]\n  session:\n",
    );
    let world = world(&[&platform, &managed]);
    let found = who_can(&world, "s3:GetObject", "arn:aws:s3:::others/x");
    assert_eq!(found[0].can, "unknown", "{found:?}");
    assert!(found[0].unknown[0].contains("ReadOnlyAccess"));
}

#[test]
fn what_can_lists_what_is_left_with_a_request_each() {
    let world = world(&[PLATFORM, APPLICATION]);
    let subject: AskedSubject = "payments/uploader".parse().unwrap();
    let found = what_can(&world, &subject).unwrap();
    let told: Vec<_> = found[0].may.iter().map(|may| may.actions.as_str()).collect();
    assert_eq!(told, ["s3:ListBucket", "s3:GetObject", "s3:PutObject"]);
    for nobody in [
        "payments/other",
        "others/uploader",
        "user:ada",
        "arn:aws:iam::123456789012:role/x",
    ] {
        let subject: AskedSubject = nobody.parse().unwrap();
        assert!(what_can(&world, &subject).unwrap().is_empty(), "{nobody}");
    }
    let as_user: AskedSubject = "system:serviceaccount:payments:uploader".parse().unwrap();
    assert_eq!(as_user, subject);
}

#[test]
fn a_request_that_no_policy_can_name_is_bad_input() {
    assert!(everything_but("nonsense", "*").is_err());
    assert!(everything_but("s3:GetObject", "arn:aws:s3").is_err());
    let _value: Value = serde_json::from_str(&everything_but("s3:Get*", "*").unwrap().to_json()).unwrap();
}
