//! Events of the example's role, and what is left of it.

use std::collections::BTreeSet;

use deputy_policy::{Document, PolicyKind};
use serde_json::{Value, json};

use super::{
    events::TrailEvent,
    narrow::{NarrowedPolicies, narrow},
    proof::{elsewhere, prove},
    statement::OldPolicy,
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

/// What is left of a policy of these statements, proved to be within it, where the trail has everything.
fn left(statements: &Value, events: &[Value]) -> (Value, NarrowedPolicies) {
    let mut sight = sight(events);
    sight.has_all_data = true;
    sight.has_reads = true;
    sight.has_kms = true;
    left_by(statements, &sight)
}

fn left_by(statements: &Value, sight: &TrailSight) -> (Value, NarrowedPolicies) {
    let old = document(statements);
    let policy = OldPolicy {
        name: "own",
        written: &old,
        known: &old,
    };
    let narrowed = narrow(&[policy], &sight.roles[ROLE], sight).unwrap();
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
    let mut seen = event("s3", "GetBucketLocation", &json!({"bucketName": "app"}));
    seen["readOnly"] = true.into();
    // A data event of anybody shows of no other resource that the trail has its events.
    let mut other = data("s3", "GetObject", &json!({"bucketName": "other", "key": "k"}));
    other["userIdentity"] = Value::Null;
    let own = data("s3", "GetObject", &json!({"bucketName": "app", "key": "k"}));
    let (got, narrowed) = left_by(&statements, &sight(&[seen, other, own]));
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

/// A trail may be one of writes alone, and may leave AWS KMS out.
#[test]
fn what_a_trail_may_leave_out_stays() {
    let statements = json!([
        {"Effect": "Allow", "Action": ["sns:ListTopics", "sns:CreateTopic", "sns:DeleteTopic"], "Resource": "*"},
        {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:EnableKey"], "Resource": "*"},
        {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"},
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
    ]);
    let seen = event("sns", "CreateTopic", &Value::Null);
    let (got, narrowed) = left_by(&statements, &sight(std::slice::from_ref(&seen)));
    assert_eq!(
        got,
        json!([
            {"Effect": "Allow", "Action": ["sns:CreateTopic", "sns:ListTopics"], "Resource": "*"},
            statements[1],
            statements[2],
            statements[3],
        ])
    );
    let kept = narrowed.kept.join("\n");
    assert!(
        kept.contains("writes alone") && kept.contains("AWS KMS"),
        "{kept}"
    );
    // With such events of anybody they are not left out.
    let mut read = event("sts", "GetCallerIdentity", &Value::Null);
    read["readOnly"] = true.into();
    read["userIdentity"] = Value::Null;
    let mut key = event("kms", "CreateKey", &Value::Null);
    key["userIdentity"] = Value::Null;
    let (got, _) = left_by(&statements, &sight(&[seen, read, key]));
    assert_eq!(got[0]["Action"], "sns:CreateTopic");
    let text = got.to_string();
    assert!(!text.contains("kms:Decrypt") && !text.contains("ec2:*"), "{got}");
}

/// By what AWS allowed it is not known, so nothing of what may have allowed it goes.
#[test]
fn use_that_no_statement_has_keeps_the_resources() {
    let statements = json!([
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::a/*"},
        {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::a/*"},
    ]);
    let point = "arn:aws:s3:eu-west-1:123456789012:accesspoint/ap";
    let mut by_point = data("s3", "GetObject", &json!({"bucketName": point, "key": "k"}));
    by_point["resources"] = json!([{"ARN": format!("{point}/object/k")}, {"ARN": point}]);
    let by_alias = data(
        "s3",
        "GetObject",
        &json!({"bucketName": "ap-x1-s3alias", "key": "k"}),
    );
    for seen in [by_point, by_alias] {
        let (got, narrowed) = left(&statements, &[seen]);
        let expected = json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*"}]);
        assert_eq!(got, expected);
        assert!(!narrowed.kept.is_empty());
    }
    // What another statement has, this one need not have.
    let statements = json!([
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"},
    ]);
    let (got, narrowed) = left(
        &statements,
        &[data("s3", "GetObject", &json!({"bucketName": "a", "key": "k"}))],
    );
    assert_eq!(
        got,
        json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/k"}])
    );
    assert!(narrowed.kept.is_empty(), "{:?}", narrowed.kept);
}

#[test]
fn a_function_by_its_qualifier_is_the_one_that_the_statement_has() {
    let function = "arn:aws:lambda:eu-west-1:123456789012:function:a";
    let statements = json!([{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": [function, "arn:aws:lambda:*:*:function:b"]}]);
    let seen = data(
        "lambda",
        "Invoke",
        &json!({"functionName": "a", "qualifier": "live"}),
    );
    let (got, _) = left(&statements, &[seen]);
    assert_eq!(
        got,
        json!([{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function}])
    );
}

/// A guess stays, is said to be one, and is no use.
#[test]
fn a_guess_is_said_to_be_one() {
    for (seen, stays) in [
        (
            event(
                "secretsmanager",
                "CreateSecret",
                &json!({"name": "a", "tags": [{"key": "k"}]}),
            ),
            "secretsmanager:TagResource",
        ),
        (
            event(
                "sqs",
                "CreateQueue",
                &json!({"queueName": "a", "tags": {"k": "v"}}),
            ),
            "sqs:TagQueue",
        ),
        (
            data(
                "s3",
                "PutObject",
                &json!({"bucketName": "a", "key": "k", "x-amz-acl": "private"}),
            ),
            "s3:PutObjectAcl",
        ),
        (
            data(
                "s3",
                "CopyObject",
                &json!({"bucketName": "a", "key": "k", "x-amz-copy-source": "b/k"}),
            ),
            "s3:PutObjectTagging",
        ),
        (
            data("dynamodb", "ExecuteStatement", &Value::Null),
            "dynamodb:PartiQLDelete",
        ),
    ] {
        let statements = json!([{"Effect": "Allow", "Action": [stays, "s3:PutBucketAcl"], "Resource": "*"}]);
        let (got, narrowed) = left(&statements, std::slice::from_ref(&seen));
        assert_eq!(got[0]["Action"], stays, "{got}");
        let kept = narrowed.kept.join("\n");
        assert!(
            kept.contains(&format!("{stays}, which may have been used")),
            "{kept}"
        );
        let sight = sight(&[seen]);
        let elsewhere = elsewhere(&[], &sight.roles[ROLE]).unwrap();
        assert!(!elsewhere.contains(stays), "{elsewhere:?}");
    }
}

#[test]
fn what_cloud_control_does_is_not_taken_away() {
    let statements =
        json!([{"Effect": "Allow", "Action": ["s3:CreateBucket", "sqs:CreateQueue"], "Resource": "*"}]);
    for (kind, expected) in [
        ("AWS::S3::Bucket", json!("s3:CreateBucket")),
        ("AWS::Other::Thing", statements[0]["Action"].clone()),
    ] {
        let seen = event("cloudcontrolapi", "CreateResource", &json!({"typeName": kind}));
        assert_eq!(left(&statements, &[seen]).0[0]["Action"], expected, "{kind}");
    }
}

#[test]
fn what_the_files_can_not_show_is_said() {
    let mut sight = sight(&[
        event("iam", "GetRole", &Value::Null),
        event("sqs", "CreateQueue", &Value::Null),
    ]);
    sight.has_all_data = true;
    let assumed = sight.assumed().join("\n");
    assert!(
        assumed.contains("--data-events") && assumed.contains("eu-west-1"),
        "{assumed}"
    );
}
