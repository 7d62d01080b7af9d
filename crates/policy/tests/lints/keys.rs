//! Condition keys that no request has.

use deputy_policy::{Code, reference};
use serde_json::{Value, json};

use super::{codes, found};

fn with(action: &str, condition: &Value) -> Value {
    json!({"Effect": "Deny", "Action": action, "Resource": "*", "Condition": condition})
}

#[test]
fn a_key_that_its_service_does_not_have_is_named() {
    let statement = with(
        "iam:CreateAccessKey",
        &json!({"NumericGreaterThan": {"iam:AccessKeysCount": "1"}}),
    );
    let found = found(Code::UnknownConditionKey, &statement);
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].path,
        "Statement[0].Condition.NumericGreaterThan.iam:AccessKeysCount"
    );
    assert_eq!(
        found[0].message,
        format!(
            "\"iam:AccessKeysCount\" is not in AWS's service reference of {}",
            reference::date()
        )
    );
    assert_eq!(codes(&statement), [Code::UnknownConditionKey]);
}

#[test]
fn a_slip_in_a_key_is_named() {
    for (key, meant) in [
        ("s3:prefx", "s3:prefix"),
        ("iam:PassToService", "iam:PassedToService"),
        ("aws:SourceVpcs", "aws:sourcevpc"),
        ("aws:PrincipalArns", "aws:principalarn"),
        ("aws:PrincipalTags/team", "aws:principaltag/team"),
        ("aws:ResourceTags/a/b", "aws:resourcetag/a/b"),
    ] {
        let statement = with("*", &json!({"StringEquals": {key: "a"}}));
        let found = found(Code::UnknownConditionKey, &statement);
        assert_eq!(found.len(), 1, "{key}");
        assert!(
            found[0].message.contains(&format!("did you mean {meant}")),
            "{}",
            found[0].message
        );
    }
    let statement = with("*", &json!({"StringEquals": {"aws:PrincipalTag": "a"}}));
    let found = found(Code::UnknownConditionKey, &statement);
    assert!(
        found[0].message.contains("the name of the tag is missing"),
        "{}",
        found[0].message
    );
}

#[test]
fn keys_that_exist_or_may_exist_are_not_spoken_of() {
    for key in [
        "s3:prefix",
        "S3:Prefix",
        "s3:ExistingObjectTag/team",
        "secretsmanager:ResourceTag/aws:secretsmanager:owningService",
        "kms:EncryptionContext:app",
        "aws:PrincipalTag/team",
        "aws:username",
        "sts:ExternalId",
        "ec2:SourceInstanceARN",
        // New global keys and claims of providers.
        "aws:SomethingEntirelyNew",
        "oidc.eks.eu-west-1.amazonaws.com/id/E:sub",
        "saml:whatever",
        "acmecorp:key",
    ] {
        let statement = with("*", &json!({"StringEquals": {key: "a"}}));
        assert_eq!(found(Code::UnknownConditionKey, &statement), [], "{key}");
    }
}

#[test]
fn a_variable_of_such_a_key_is_named_where_it_stands() {
    let statement = json!({"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": ["arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/${aws:usrname}/*", "arn:aws:s3:::b"],
        "Condition": {"StringLike": {"s3:prefix": ["${s3:nosuchkey, 'x'}", "${aws:userid}"]}}});
    let found = found(Code::VariableOfUnknownKey, &statement);
    let paths: Vec<&str> = found.iter().map(|lint| lint.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "Statement[0].Resource[1]",
            "Statement[0].Condition.StringLike.s3:prefix[0]"
        ]
    );
    assert!(
        found[0].message.contains("did you mean aws:username"),
        "{}",
        found[0].message
    );
    assert!(found.iter().all(|lint| lint.span.is_some()));
}

#[test]
fn a_key_that_none_of_the_actions_has_is_named() {
    for (action, key) in [
        ("s3:GetObject", "s3:prefix"),
        ("s3:Put*", "s3:max-keys"),
        ("iam:CreateRole", "iam:PassedToService"),
        ("sqs:SendMessage", "s3:prefix"),
        ("ec2:DescribeInstances", "ec2:ResourceTag/team"),
    ] {
        let statement = with(action, &json!({"StringEquals": {key: "a"}}));
        let found = found(Code::ConditionKeyOfOtherAction, &statement);
        assert_eq!(found.len(), 1, "{action} {key}");
        assert!(
            found[0].message.contains(key) && found[0].message.contains(reference::date()),
            "{}",
            found[0].message
        );
    }
    for (action, key) in [
        ("s3:ListBucket", "s3:prefix"),
        ("s3:*", "s3:prefix"),
        ("*", "s3:prefix"),
        ("iam:PassRole", "iam:PassedToService"),
        ("s3:GetObject", "s3:ExistingObjectTag/team"),
        ("ec2:TerminateInstances", "ec2:ResourceTag/team"),
        // Of resources, not of the action itself.
        ("kms:Decrypt", "kms:EncryptionContext:app"),
        // Nothing is known of the action.
        ("s3:NewAction", "s3:prefix"),
        // Global.
        ("s3:GetObject", "aws:ResourceTag/team"),
        ("s3:GetObject", "ec2:SourceInstanceARN"),
        ("s3:GetObject", "lambda:SourceFunctionArn"),
    ] {
        let statement = with(action, &json!({"StringEquals": {key: "a"}}));
        assert_eq!(
            found(Code::ConditionKeyOfOtherAction, &statement),
            [],
            "{action} {key}"
        );
    }
    // One action has it, the other not.
    let both = json!({"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*",
        "Condition": {"StringEquals": {"s3:prefix": "a"}}});
    assert_eq!(codes(&both), []);
    let all_but = json!({"Effect": "Deny", "NotAction": "s3:GetObject", "Resource": "*",
        "Condition": {"StringEquals": {"s3:prefix": "a"}}});
    assert_eq!(codes(&all_but), []);
}
