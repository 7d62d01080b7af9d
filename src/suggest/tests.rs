//! Events of the example's role, and what is left of it.

use std::collections::BTreeSet;

use deputy_policy::{Document, PolicyKind};
use serde_json::{Value, json};

use super::{
    events::TrailEvent,
    narrow::{NarrowedPolicies, OldPolicy, narrow},
    proof::prove,
    uses::TrailSight,
};

const ROLE: &str = "arn:aws:iam::123456789012:role/deputy/production-1/deputy.payments.uploader-x";

fn event(source: &str, name: &str, parameters: &Value) -> Value {
    json!({
        "eventSource": format!("{source}.amazonaws.com"),
        "eventName": name,
        "eventTime": "2026-11-01T00:00:00Z",
        "awsRegion": "eu-west-1",
        "recipientAccountId": "123456789012",
        "userIdentity": {"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"arn": ROLE}}},
        "requestParameters": parameters,
    })
}

fn data(source: &str, name: &str, parameters: &Value) -> Value {
    let mut event = event(source, name, parameters);
    event["eventCategory"] = "Data".into();
    event
}

fn sight(events: &[Value]) -> TrailSight {
    let mut sight = TrailSight::default();
    for event in events {
        let event: TrailEvent = serde_json::from_value(event.clone()).unwrap();
        sight.see(&event, |arn| arn == ROLE);
    }
    sight
}

fn document(statements: &Value) -> Document {
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    Document::from_value(&document, PolicyKind::Identity).unwrap()
}

/// What is left of a policy of these statements, proved to be within it.
fn left(statements: &Value, events: &[Value]) -> (Value, NarrowedPolicies) {
    let old = document(statements);
    let policy = OldPolicy {
        name: "own",
        written: &old,
        known: &old,
    };
    let sight = sight(events);
    let narrowed = narrow(&[policy], &sight.roles[ROLE], &sight).unwrap();
    let new: Vec<Document> = narrowed.documents.iter().flatten().cloned().collect();
    prove(&new, std::slice::from_ref(&old), None).unwrap();
    let value = new
        .first()
        .map_or(Value::Null, |new| new.to_value()["Statement"].clone());
    (value, narrowed)
}

#[test]
fn what_was_used_stays_and_the_rest_goes() {
    let statements = json!([
        {"Sid": "Objects", "Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::app", "arn:aws:s3:::app/*"]},
        {"Sid": "Queue", "Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:PurgeQueue"], "Resource": "*"},
        {"Sid": "Old", "Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"},
        {"Sid": "Never", "Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"},
    ]);
    let object = |name: &str, key: &str| data("s3", name, &json!({"bucketName": "app", "key": key}));
    let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs";
    let (got, narrowed) = left(
        &statements,
        &[
            object("GetObject", "in/1"),
            object("HeadObject", "in/2"),
            object("GetObject", "in/3"),
            object("GetObject", "in/4"),
            object("PutObject", "out/1"),
            data(
                "s3",
                "ListObjectsV2",
                &json!({"bucketName": "app", "prefix": "in/"}),
            ),
            data("sqs", "SendMessageBatch", &json!({"queueUrl": url})),
        ],
    );
    assert_eq!(
        got,
        json!([
            {"Sid": "Objects", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::app"},
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::app/in/*"},
            {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::app/out/1"},
            {"Sid": "Queue", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:eu-west-1:123456789012:jobs"},
            {"Sid": "Never", "Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"},
        ])
    );
    assert!(narrowed.kept.is_empty(), "{:?}", narrowed.kept);
    assert_eq!(narrowed.taken.len(), 3, "{:?}", narrowed.taken);
    assert!(
        narrowed.taken[2].contains("Statement[2] goes"),
        "{:?}",
        narrowed.taken
    );
}

#[test]
fn without_data_events_nothing_is_said_of_data() {
    let statements = json!([
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:GetBucketLocation", "s3:PutBucketTagging"], "Resource": "*"},
        {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/batch"},
    ]);
    let seen = [event("s3", "GetBucketLocation", &json!({"bucketName": "app"}))];
    let (got, narrowed) = left(&statements, &seen);
    assert_eq!(
        got,
        json!([
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
            {"Effect": "Allow", "Action": "s3:GetBucketLocation", "Resource": "arn:aws:s3:::app"},
            {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/batch"},
        ])
    );
    let kept = narrowed.kept.join("\n");
    assert!(
        kept.contains("data events") && kept.contains("iam:PassRole"),
        "{kept}"
    );
}

#[test]
fn what_is_not_known_stays() {
    let statements = json!([
        {"Effect": "Allow", "Action": ["ec2:RunInstances", "ec2:StopInstances"], "Resource": "arn:aws:ec2:*:*:*"},
        {"Effect": "Allow", "Action": ["apigateway:GET", "apigateway:POST", "sns:ListTopics"], "Resource": "*"},
        {"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"},
    ]);
    let seen = [
        event("ec2", "RunInstances", &json!({"instanceType": "t3.nano"})),
        event("apigateway", "CreateRestApi", &Value::Null),
    ];
    let (got, narrowed) = left(&statements, &seen);
    assert_eq!(
        got,
        json!([
            {"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "arn:aws:ec2:*:*:*"},
            {"Effect": "Allow", "Action": ["apigateway:GET", "apigateway:POST"], "Resource": "*"},
            {"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"},
        ])
    );
    assert_eq!(narrowed.kept.len(), 4, "{:?}", narrowed.kept);
    // Where not even the service is known, nothing goes.
    let (got, _) = left(&statements, &[event("nonsense", "DoIt", &Value::Null)]);
    assert_eq!(got, statements);
}

#[test]
fn a_refusal_and_the_event_of_somebody_else_are_no_use() {
    let mut denied = event("ec2", "StopInstances", &Value::Null);
    denied["errorCode"] = "Client.UnauthorizedOperation".into();
    let mut other = event("ec2", "StartInstances", &Value::Null);
    other["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] =
        "arn:aws:iam::123456789012:role/other".into();
    let failed = {
        let mut failed = event("ec2", "RebootInstances", &Value::Null);
        failed["errorCode"] = "Client.InvalidInstanceID.NotFound".into();
        failed
    };
    let sight = sight(&[denied, other, failed]);
    let uses = &sight.roles[ROLE];
    let used: BTreeSet<&str> = uses.used.keys().map(String::as_str).collect();
    assert_eq!(used, BTreeSet::from(["ec2:RebootInstances"]));
    assert_eq!(uses.denied.get("StopInstances of ec2.amazonaws.com"), Some(&1));
    assert_eq!((sight.events, uses.events), (3, 2));
}

#[test]
fn what_a_copy_reads_is_used_too() {
    let statements =
        json!([{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*"}]);
    let copy = json!({"bucketName": "to", "key": "k", "x-amz-copy-source": "/from/a/b"});
    let (got, _) = left(&statements, &[data("s3", "CopyObject", &copy)]);
    assert_eq!(
        got,
        json!([
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::from/a/b"},
            {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::to/k"},
        ])
    );
}

#[test]
fn a_key_that_would_be_a_pattern_is_not_one() {
    let statements =
        json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::app/in/*"}]);
    for key in ["in/*", "in/${aws:username}", "in/?"] {
        let seen = [data("s3", "GetObject", &json!({"bucketName": "app", "key": key}))];
        assert_eq!(left(&statements, &seen).0, statements, "{key}");
    }
}

#[test]
fn what_is_wider_is_not_proved() {
    let old =
        document(&json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*"}]));
    let new =
        document(&json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a*"}]));
    let why = prove(&[new], &[old], None).unwrap_err();
    assert!(why.starts_with("it would newly allow s3:GetObject"), "{why}");
}
