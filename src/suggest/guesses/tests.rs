//! What is guessed of events, and said so.

use serde_json::json;

use super::*;

#[test]
fn what_a_request_may_have_asked_for() {
    let tags = json!({"tags": [{"key": "a", "value": "b"}]});
    for (source, name, parameters, expected) in [
        (
            "secretsmanager",
            "CreateSecret",
            tags.clone(),
            vec!["secretsmanager:TagResource"],
        ),
        (
            "elasticloadbalancing",
            "CreateLoadBalancer",
            tags.clone(),
            vec!["elasticloadbalancing:AddTags"],
        ),
        (
            "sqs",
            "CreateQueue",
            json!({"tags": {"a": "b"}}),
            vec!["sqs:TagQueue"],
        ),
        ("ecs", "RunTask", tags.clone(), vec!["ecs:TagResource"]),
        (
            "ec2",
            "RunInstances",
            json!({"tagSpecificationSet": {"items": [1]}}),
            vec!["ec2:CreateTags"],
        ),
        ("ecs", "RunTask", json!({"tags": []}), Vec::new()),
        ("ecs", "ListTasks", tags.clone(), Vec::new()),
        (
            "secretsmanager",
            "CreateSecret",
            json!({"omitted": true}),
            vec!["secretsmanager:TagResource"],
        ),
        (
            "s3",
            "PutObject",
            json!({"x-amz-acl": "private"}),
            vec!["s3:PutObjectAcl"],
        ),
        ("s3", "GetObject", json!({"x-amz-acl": "private"}), Vec::new()),
        (
            "s3",
            "CreateBucket",
            json!({"x-amz-acl": "private"}),
            vec!["s3:PutBucketAcl"],
        ),
        ("s3", "CopyObject", Value::Null, vec!["s3:PutObjectTagging"]),
        (
            "dynamodb",
            "ExecuteStatement",
            json!({"statement": "select * from \"a\""}),
            vec!["dynamodb:PartiQLSelect"],
        ),
        (
            "dynamodb",
            "ExecuteStatement",
            Value::Null,
            vec![
                "dynamodb:PartiQLDelete",
                "dynamodb:PartiQLInsert",
                "dynamodb:PartiQLSelect",
                "dynamodb:PartiQLUpdate",
            ],
        ),
    ] {
        let got = guesses(&format!("{source}.amazonaws.com"), name, &parameters);
        assert_eq!(got, expected, "{name} {parameters}");
    }
}

/// A name that AWS does not have would be looked for in vain.
#[test]
fn the_tables_have_actions_that_there_are() {
    let services = [
        "cloudsearch",
        "acm",
        "rds",
        "kinesis",
        "glacier",
        "autoscaling",
        "ec2",
        "s3",
        "inspector",
        "resource-groups",
        "elemental-support-cases",
        "acm-pca",
        "firehose",
        "iam",
        "logs",
        "cassandra",
        "codestar",
        "sqs",
        "kinesisvideo",
        "route53domains",
        "elasticbeanstalk",
    ];
    for action in TAGGING {
        let mut all = services.iter().map(|service| format!("{service}:{action}"));
        assert!(all.any(|action| has_action(&action)), "{action}");
    }
    for (service, _, actions) in MAYBE {
        for action in *actions {
            assert!(has_action(&format!("{service}:{action}")), "{service}:{action}");
        }
    }
}

#[test]
fn cloud_control_acts_for_who_asks() {
    let parameters = json!({"typeName": "AWS::S3::Bucket"});
    let service = controlled("cloudcontrolapi.amazonaws.com", &parameters);
    assert_eq!(service.as_deref(), Some("s3"));
    assert_eq!(controlled("s3.amazonaws.com", &parameters), None);
}
