//! Actions that take none of the statement's resources.

use deputy_policy::{Code, PolicyKind, reference};
use serde_json::{Value, json};

use super::{codes, findings, found};

fn statement(actions: &Value, resources: &Value) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resources})
}

/// The paths of the actions that take none of the resources.
fn without(actions: &Value, resources: &Value) -> Vec<String> {
    let found = found(Code::ActionWithoutResource, &statement(actions, resources));
    found.into_iter().map(|lint| lint.path).collect()
}

#[test]
fn an_action_on_a_bucket_takes_no_object() {
    let found = found(
        Code::ActionWithoutResource,
        &statement(&json!("s3:ListBucket"), &json!("arn:aws:s3:::bucket/*")),
    );
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].message,
        format!(
            "by AWS's service reference of {} s3:ListBucket takes only accesspoint (arn:*:s3:*:*:accesspoint/*), bucket \
             (arn:*:s3:::*), and none of the statement's resources can be one",
            reference::date()
        )
    );
}

#[test]
fn each_action_is_judged_by_itself() {
    let object = json!("arn:aws:s3:::bucket/*");
    assert_eq!(
        without(&json!(["s3:GetObject", "s3:ListBucket"]), &object),
        ["Statement[0].Action[1]"]
    );
    assert_eq!(
        without(
            &json!(["s3:GetObject", "s3:ListBucket"]),
            &json!("arn:aws:s3:::bucket")
        ),
        ["Statement[0].Action[0]"]
    );
    assert_eq!(
        without(
            &json!("dynamodb:GetItem"),
            &json!("arn:aws:dynamodb:*:*:table/t/index/*")
        ),
        ["Statement[0].Action[0]"]
    );
    assert_eq!(
        without(&json!("s3:GetObject"), &json!("arn:aws:sqs:*:*:queue")),
        ["Statement[0].Action[0]"]
    );
    // The account belongs into the ARN of a role, not into that of a bucket.
    assert_eq!(
        without(
            &json!("s3:GetObject"),
            &json!("arn:aws:s3:eu-west-1:111122223333:b/*")
        ),
        ["Statement[0].Action[0]"]
    );
    assert_eq!(
        without(&json!("iam:PassRole"), &json!("arn:aws:iam::111122223333:user/*")),
        ["Statement[0].Action[0]"]
    );
    // None of what a pattern matches.
    assert_eq!(without(&json!("s3:*Bucket"), &object), ["Statement[0].Action[0]"]);
    assert_eq!(
        without(
            &json!("secretsmanager:GetSecretValue"),
            &json!("arn:aws:secretsmanager:*:*:prod/*")
        ),
        ["Statement[0].Action[0]"]
    );
}

#[test]
fn an_action_that_only_reads_and_has_no_resource_is_named() {
    for (action, resource) in [
        ("ec2:DescribeInstances", "arn:aws:ec2:*:*:instance/i-0123"),
        ("ecr:GetAuthorizationToken", "arn:aws:ecr:*:*:repository/app"),
        ("s3:ListAllMyBuckets", "arn:aws:s3:::bucket"),
        ("s3:ListAllMyBuckets", "arn:aws:s3:::bucket/*"),
        ("iam:ListRoles", "arn:aws:iam::*:role/team-*"),
    ] {
        let found = found(
            Code::ActionWithoutResource,
            &statement(&json!(action), &json!(resource)),
        );
        assert_eq!(found.len(), 1, "{action}");
        assert!(
            found[0].message.contains("is asked about without a resource"),
            "{}",
            found[0].message
        );
    }
    for (action, resource) in [
        ("ec2:DescribeInstances", "*"),
        // What services ask about when something is listed.
        ("s3:ListAllMyBuckets", "arn:aws:s3:::*"),
        ("iam:ListRoles", "arn:aws:iam::111122223333:role/*"),
        ("logs:DescribeLogGroups", "arn:aws:logs:*:*:log-group:*"),
        ("ec2:DescribeInstances", "arn:aws:ec2:eu-west-1:111122223333:*"),
        // The reference leaves out what is made, and what has the tags.
        (
            "resource-groups:CreateGroup",
            "arn:aws:resource-groups:*:*:group/a",
        ),
        (
            "partnercentral:ListTagsForResource",
            "arn:aws:partnercentral:*:*:catalog/a",
        ),
    ] {
        assert_eq!(without(&json!(action), &json!(resource)), [""; 0], "{action}");
    }
}

#[test]
fn what_fits_is_not_spoken_of() {
    for (actions, resources) in [
        (json!("s3:ListBucket"), json!("arn:aws:s3:::bucket")),
        (json!("s3:GetObject"), json!("arn:aws:s3:::bucket/*")),
        (json!("s3:GetObject"), json!("arn:aws:s3:::bucket*")),
        (json!("s3:GetObject"), json!("arn:aws:s3:::${aws:username}")),
        (json!("s3:GetObject"), json!("arn:aws:s3:::b?cket/k")),
        (
            json!("s3:GetObject"),
            json!("arn:aws:s3:eu-west-1:111122223333:accesspoint/p/object/*"),
        ),
        (json!("s3:*"), json!("arn:aws:s3:::bucket")),
        (json!("*"), json!("arn:aws:s3:::bucket")),
        (
            json!("iam:PassRole"),
            json!("arn:aws:iam::111122223333:role/a/b/c"),
        ),
        (json!("ssm:SendCommand"), json!("arn:aws:ec2:*:*:instance/*")),
        (
            json!("logs:PutLogEvents"),
            json!("arn:aws:logs:*:*:log-group:/aws/lambda/f:log-stream:*"),
        ),
        (json!("logs:CreateLogStream"), json!("arn:aws:logs:*:*:*")),
        // A resource too many does no harm.
        (
            json!(["s3:GetObject"]),
            json!(["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]),
        ),
        (
            json!(["s3:GetObject", "s3:ListBucket"]),
            json!(["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]),
        ),
    ] {
        let statement = statement(&actions, &resources);
        let found: Vec<Code> = codes(&statement)
            .into_iter()
            .filter(|code| *code != Code::RedundantPattern)
            .collect();
        assert_eq!(found, [], "{statement}");
    }
    // Of what the reference does not know nothing is said.
    assert_eq!(
        without(
            &json!(["s3:NewAction", "acmecorp:Do"]),
            &json!("arn:aws:sqs:*:*:q")
        ),
        [""; 0]
    );
}

#[test]
fn negations_are_not_looked_at() {
    for statement in [
        json!({"Effect": "Deny", "Action": "s3:ListBucket", "NotResource": "arn:aws:s3:::bucket/*"}),
        json!({"Effect": "Deny", "NotAction": "s3:ListBucket", "Resource": "arn:aws:s3:::bucket/*"}),
    ] {
        assert_eq!(codes(&statement), [], "{statement}");
    }
    let deny = json!({"Effect": "Deny", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::bucket/*"});
    assert_eq!(codes(&deny), [Code::ActionWithoutResource]);
}

#[test]
fn many_are_said_at_once() {
    let actions: Vec<String> = [
        "Acl",
        "CORS",
        "Location",
        "Notification",
        "Policy",
        "Tagging",
        "Versioning",
        "Website",
        "Logging",
    ]
    .iter()
    .map(|what| format!("s3:GetBucket{what}"))
    .collect();
    let found = found(
        Code::ActionWithoutResource,
        &statement(&json!(actions), &json!("arn:aws:s3:::bucket/*")),
    );
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path, "Statement[0].Action");
    assert!(found[0].span.is_some());
    assert!(
        found[0].message.contains("9 of the 9 actions"),
        "{}",
        found[0].message
    );
    assert!(
        found[0]
            .message
            .ends_with("s3:GetBucketAcl, s3:GetBucketCORS, s3:GetBucketLocation and 6 more"),
        "{}",
        found[0].message
    );
}

#[test]
fn the_policy_of_a_bucket_is_looked_at_like_any_other() {
    let statement = json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": "arn:aws:s3:::bucket/*"});
    let found = findings(PolicyKind::Resource, &statement);
    assert_eq!(
        found.iter().map(|lint| lint.code).collect::<Vec<_>>(),
        [Code::ActionWithoutResource]
    );
}
