//! What is answered is true by the evaluator, and of what is accepted alone.

use deputy_policy::{AccessDecision, Document, Layers, PolicyKind, Request, evaluate};
use serde_json::Value;

use super::{
    grant::everything_but,
    grants::grants,
    subject::AskedSubject,
    what_can::{undecided_of, what_can},
    who_can::{undecided_about, who_can},
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
        let found = who_can(&world, &grants(&world), action, resource);
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
    assert_eq!((found.given.len(), found.held.len()), (0, 0));
    assert_eq!(found.undecided.len(), 1);
    assert!(who_can(&world, &grants(&world), "*", "*").is_empty());
}

/// The documents of a text that have `kind`.
fn only(text: &str, kind: &str) -> String {
    let documents = text.split("---\n");
    let kept: Vec<&str> = documents
        .filter(|one| one.contains(&format!("kind: {kind}\n")))
        .collect();
    kept.join("---\n")
}

#[test]
fn what_is_not_among_the_files_is_told_and_is_never_a_no() {
    let check_only = PLATFORM.replace("type: Generated", "type: CheckOnly");
    assert_ne!(check_only, PLATFORM);
    let (account, limit) = (only(PLATFORM, "AWSAccount"), only(PLATFORM, "DelegationLimit"));
    let binding = only(APPLICATION, "AWSRoleBinding");
    for (texts, why) in [
        (
            vec![limit.as_str(), APPLICATION],
            "no AWSAccount \"production\" among the files",
        ),
        (vec![&account, APPLICATION], "no DelegationLimit among the files"),
        (
            vec![PLATFORM, &binding],
            "no AWSRole payments/uploader among the files",
        ),
        (vec![&check_only, APPLICATION], "boundary"),
    ] {
        let world = world(&texts);
        let told = undecided_about(&grants(&world), "s3:GetObject", "*");
        assert_eq!(told.len(), 1, "{why}");
        assert!(told[0].why.contains(why), "{told:?}");
        assert_eq!(told[0].subjects, ["ServiceAccount payments/uploader"]);
        let subject = "payments/uploader".parse().unwrap();
        assert_eq!(undecided_of(&world, &grants(&world), &subject), told);
        let other = "payments/other".parse().unwrap();
        assert!(undecided_of(&world, &grants(&world), &other).is_empty());
        // By no account and no limit can its policies allow that; of a role that is not there nothing is known.
        let others = undecided_about(&grants(&world), "sqs:SendMessage", "*");
        assert_eq!(others.is_empty(), !why.contains("no AWSRole "), "{others:?}");
    }
}

#[test]
fn what_is_refused_is_a_no_whatever_is_not_there() {
    let wide = APPLICATION.replacen("s3:ListBucket", "\"s3:*\"", 1);
    assert_ne!(wide, APPLICATION);
    let found = grants(&world(&[PLATFORM, &wide]));
    assert_eq!(
        (found.given.len(), found.held.len(), found.undecided.len()),
        (0, 1, 0)
    );
}

#[test]
fn a_federated_user_that_is_undecided_is_told_as_well() {
    let application = include_str!("../../examples/federation/20-application.yaml");
    let world = world(&[application]);
    let told = undecided_about(&grants(&world), "s3:GetObject", "*");
    let kinds: Vec<&str> = told
        .iter()
        .filter_map(|one| one.binding.split(' ').next())
        .collect();
    assert!(kinds.contains(&"AWSFederatedUserBinding"), "{told:?}");
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
    let found = who_can(&world, &grants(&world), "s3:GetObject", "arn:aws:s3:::others/x");
    assert_eq!(found[0].can, "unknown", "{found:?}");
    assert!(found[0].unknown[0].contains("ReadOnlyAccess"));
}

#[test]
fn what_can_lists_what_is_left_with_a_request_each() {
    let world = world(&[PLATFORM, APPLICATION]);
    let subject: AskedSubject = "payments/uploader".parse().unwrap();
    let found = what_can(&world, &grants(&world), &subject).unwrap();
    let told: Vec<_> = found[0].may.iter().map(|may| may.actions.as_str()).collect();
    assert_eq!(told, ["s3:ListBucket", "s3:GetObject", "s3:PutObject"]);
    for nobody in [
        "payments/other",
        "others/uploader",
        "user:ada",
        "arn:aws:iam::123456789012:role/x",
    ] {
        let subject: AskedSubject = nobody.parse().unwrap();
        assert!(
            what_can(&world, &grants(&world), &subject).unwrap().is_empty(),
            "{nobody}"
        );
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
