//! Actions that AWS's service reference does not have.

use deputy_policy::{Code, reference};
use serde_json::json;

use super::{codes, found};

/// What is said of an action, and what is suggested.
fn said(action: &str) -> (String, Option<String>) {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
    let found = found(Code::UnknownAction, &statement);
    assert_eq!(found.len(), 1, "{action}");
    assert_eq!(found[0].path, "Statement[0].Action[0]");
    assert!(
        found[0].message.contains(reference::date()),
        "{}",
        found[0].message
    );
    (found[0].message.clone(), found[0].suggestion.clone())
}

#[test]
fn an_operation_of_the_api_is_no_action() {
    for (operation, action) in [
        ("s3:ListObjectsV2", "s3:ListBucket"),
        ("s3:HeadObject", "s3:GetObject"),
        ("S3:headbucket", "s3:ListBucket"),
        ("s3:ListBuckets", "s3:ListAllMyBuckets"),
        ("sqs:SendMessageBatch", "sqs:SendMessage"),
        ("lambda:Invoke", "lambda:InvokeFunction"),
    ] {
        let (message, suggestion) = said(operation);
        assert_eq!(suggestion.as_deref(), Some(action), "{message}");
        assert!(
            message.contains("an operation of the API") && message.contains(action),
            "{message}"
        );
    }
    let (message, suggestion) = said("s3:CopyObject");
    assert_eq!(suggestion, None);
    assert!(
        message.ends_with("which s3:GetObject or s3:PutObject allows"),
        "{message}"
    );
}

#[test]
fn a_slip_is_named() {
    for (slip, action) in [
        ("s3:GetObjct", "s3:GetObject"),
        ("s3:PutOjbect", "s3:PutObject"),
        ("s3:GetObjects", "s3:GetObject"),
        ("dynamodb:PutItems", "dynamodb:PutItem"),
        ("iam:PassRoles", "iam:PassRole"),
        // Another verb for the same.
        ("ec2:ListInstances", "ec2:DescribeInstances"),
        ("lambda:DescribeFunction", "lambda:GetFunction"),
    ] {
        let (message, suggestion) = said(slip);
        assert!(message.contains(&format!("did you mean {action}")), "{message}");
        assert!(
            suggestion.is_none_or(|suggestion| suggestion == action),
            "{message}"
        );
    }
    let (message, suggestion) = said("s3:FetchTheThing");
    assert_eq!(suggestion, None);
    assert_eq!(
        message,
        format!(
            "\"s3:FetchTheThing\" is not in AWS's service reference of {}",
            reference::date()
        )
    );
}

#[test]
fn a_pattern_without_actions_is_named() {
    for pattern in [
        "s3:Head*",
        "ec2:?escribeInstance",
        "iam:*Nothing*",
        "s3:GetObject?",
    ] {
        let (message, suggestion) = said(pattern);
        assert!(
            message.contains("no action of") && message.contains(pattern),
            "{message}"
        );
        assert_eq!(suggestion, None);
    }
}

#[test]
fn actions_that_exist_are_not_spoken_of() {
    for action in [
        "*",
        "s3:*",
        "s3:GetObject",
        "S3:GETOBJECT",
        "s3:Get*",
        "ec2:*instance*",
        "iam:?etRole",
        "rds-db:connect",
        "execute-api:Invoke",
        "codestar-connections:UseConnection",
    ] {
        let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
        assert_eq!(codes(&statement), [], "{action}");
    }
}

#[test]
fn a_not_action_and_a_deny_are_looked_at_too() {
    for statement in [
        json!({"Effect": "Deny", "NotAction": ["iam:GetUser", "iam:GetUserX"], "Resource": "*"}),
        json!({"Effect": "Deny", "Action": ["iam:GetUser", "iam:GetUserX"], "Resource": "*"}),
    ] {
        let found = found(Code::UnknownAction, &statement);
        assert_eq!(found.len(), 1);
        assert!(found[0].path.ends_with("Action[1]"), "{}", found[0].path);
    }
}

#[test]
fn services_that_are_unknown_are_named() {
    for (action, meant) in [
        (
            "elb:DescribeLoadBalancers",
            Some("elasticloadbalancing:DescribeLoadBalancers"),
        ),
        ("dynamdb:GetItem", Some("dynamodb:GetItem")),
        ("stepfunctions:StartExecution", Some("states:StartExecution")),
        ("s4:GetObject", None),
        ("acmecorp:DoIt", None),
        ("acmecorp:*", None),
    ] {
        let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
        let found = found(Code::UnknownService, &statement);
        assert_eq!(found.len(), 1, "{action}");
        assert_eq!(found[0].suggestion.as_deref(), meant, "{action}");
        assert!(found[0].message.contains(reference::date()));
        assert_eq!(codes(&statement), [Code::UnknownService]);
    }
}
