//! What AWS says of resources, in all its ways.

use serde_json::{Value, json};

use super::{KEY, UPLOADER, denied, denied_on, with_statement};
use crate::denied::{
    document,
    message::{DenialLayer, DenialMessage},
};

/// How AWS says that one of three things is so, of a resource with a policy of its own.
const ONE_OF_THREE: &str = "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access";

fn parse(rest: &str) -> DenialMessage {
    let text = format!("User: {UPLOADER} is not authorized to perform: {rest}");
    DenialMessage::parse(&text).unwrap()
}

#[test]
fn the_resource_ends_where_the_reason_begins() {
    let named = Some(KEY);
    for (rest, resource, layer, absent) in [
        (
            format!("kms:Decrypt on resource: {KEY} {ONE_OF_THREE}"),
            named,
            DenialLayer::Resource,
            true,
        ),
        (
            format!("kms:Decrypt on the resource associated with this ciphertext {ONE_OF_THREE}"),
            None,
            DenialLayer::Resource,
            true,
        ),
        (
            format!("kms:GenerateDataKey on this resource {ONE_OF_THREE}"),
            None,
            DenialLayer::Resource,
            true,
        ),
        (
            format!(
                "kms:Decrypt on resource: {KEY} because no resource-based policy allows the kms:Decrypt action"
            ),
            named,
            DenialLayer::Resource,
            false,
        ),
        (
            format!("ecr:BatchGetImage on resource: {KEY} because no resource-based policies allow access"),
            named,
            DenialLayer::Resource,
            false,
        ),
        (
            "s3:GetObject on resource: \"arn:aws:s3:::a/x because no y\" because no session policy allows it"
                .to_owned(),
            Some("arn:aws:s3:::a/x because no y"),
            DenialLayer::Session,
            false,
        ),
        (
            "s3:GetObject on resource: \"arn:aws:s3:::a/x explicit deny in y\"".to_owned(),
            Some("arn:aws:s3:::a/x explicit deny in y"),
            DenialLayer::Unsaid,
            false,
        ),
    ] {
        let message = parse(&rest);
        assert_eq!(message.resource.as_deref(), resource, "{rest}");
        assert_eq!((message.layer, message.explicit), (layer, false), "{rest}");
        assert_eq!(message.may_be_absent, absent, "{rest}");
    }
}

#[test]
fn of_a_resource_based_policy_its_owner_is_named_and_no_change_is_proposed() {
    let world = with_statement("", "", "");
    for (action, policy) in [
        ("kms:Decrypt", "the key policy"),
        ("ecr:BatchGetImage", "the policy of the repository"),
        ("secretsmanager:GetSecretValue", "the policy of the secret"),
        ("s3:GetObject", "the policy of the bucket"),
        ("dynamodb:GetItem", "the policy of the resource"),
    ] {
        for what in [
            format!("{action} on resource: {KEY} {ONE_OF_THREE}"),
            format!("{action} on this resource {ONE_OF_THREE}"),
            format!(
                "{action} on resource: {KEY} because no resource-based policy allows the {action} action"
            ),
        ] {
            let found = denied(&world, "payments.uploader", &what);
            assert!(found.change.is_empty() && found.limits.is_none(), "{found:#?}");
            let told = found.lines()[0].clone();
            assert!(told.contains(policy) && told.contains("owner"), "{told}");
            assert_eq!(
                told.contains("the Region"),
                what.contains("does not exist"),
                "{told}"
            );
            assert_eq!(
                told.contains("AWSResourcePolicyStatement"),
                action.starts_with("s3:"),
                "{told}"
            );
        }
    }
}

#[test]
fn a_resource_that_is_no_arn_is_said_by_hand() {
    let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:my-secret-AbCdEf";
    let allow =
        format!("{{Effect: Allow, Action: \"secretsmanager:GetSecretValue\", Resource: \"{secret}\"}}");
    let world = with_statement("", "", &allow);
    for name in [
        "my-secret",
        "my-secret/of/folders",
        "prod secret",
        "arn",
        "table/x",
    ] {
        let what = format!(
            "secretsmanager:GetSecretValue on resource: {name} because no identity-based policy allows the secretsmanager:GetSecretValue action"
        );
        assert_eq!(parse(&what).resource.as_deref(), Some(name));
        let found = denied(&world, "payments.uploader", &what);
        assert!(found.change.is_empty(), "{found:#?}");
        let told = found.lines().join("\n");
        let expected = format!(
            "AWS calls the resource {name}, which is no ARN, so no change is proposed: say it by --resource ARN"
        );
        assert!(told.contains(&expected), "{told}");
        let found = denied_on(&world, "payments.uploader", &what, Some(secret)).unwrap();
        assert_eq!(found.limits.as_deref(), Some("accepted"), "{found:#?}");
        assert!(found.change.iter().all(|change| change.yaml.contains(secret)) && !found.change.is_empty());
        for wrong in ["my-secret", "arn:", "*"] {
            let error = denied_on(&world, "payments.uploader", &what, Some(wrong)).unwrap_err();
            assert!(error.starts_with(&format!("--resource {wrong}: ")), "{error}");
        }
    }
}

#[test]
fn a_message_is_found_in_json_however_deep() {
    let says = |action: &str| {
        format!(
            "User: {UPLOADER} is not authorized to perform: {action} on resource: \"arn:aws:s3:::productionapp/x\" because no session policy allows the {action} action"
        )
    };
    let expected = DenialMessage::parse(&says("s3:DeleteObject")).unwrap();
    let event =
        |action: &str| json!({"eventName": "x", "errorCode": "AccessDenied", "errorMessage": says(action)});
    let one = event("s3:DeleteObject");
    let log =
        json!({"level": "error", "err": {"msg": format!("An error occurred: {}", says("s3:DeleteObject"))}});
    for text in [
        one.to_string(),
        format!("{one:#}\n"),
        json!({"Records": [{"eventName": "y"}, one, one]}).to_string(),
        json!({"detail": one}).to_string(),
        json!([[one]]).to_string(),
        // As aws cloudtrail lookup-events gives events.
        json!({"Events": [{"EventId": "1", "CloudTrailEvent": one.to_string()}]}).to_string(),
        format!("{}\n{log}\n", json!({"level": "info"})),
        Value::from(says("s3:DeleteObject")).to_string(),
        // A line of a log around JSON, and JSON in JSON.
        format!("2026-12-01T00:00:00Z ERROR {log}"),
        format!("2026-12-01T00:00:00Z ERROR {}", Value::from(log.to_string())),
    ] {
        let (message, others) = document::read(&text).unwrap();
        assert_eq!(message, expected, "{text}");
        assert_eq!(others, None, "{text}");
    }
    let resource = "arn:aws:sqs:eu-west-1:123456789012:q";
    let short =
        format!("User: {UPLOADER} is not authorized to perform: sqs:SendMessage on resource: {resource}");
    let (message, _) = document::read(&format!("x {}", json!({"m": short, "n": 1}))).unwrap();
    assert_eq!(message.resource.as_deref(), Some(resource));
    // Of several different ones the first is taken, and the others are named.
    let many = json!({"Records": [{"errorMessage": "Access Denied"}, one, event("s3:GetObject"), one, event("s3:PutObject")]});
    let (message, others) = document::read(&many.to_string()).unwrap();
    assert_eq!(message, expected);
    let others = others.unwrap();
    for part in [
        "3 different denials",
        "Records[1].errorMessage",
        "Records[2].errorMessage (s3:GetObject by ",
        "Records[4].",
    ] {
        assert!(others.contains(part), "{others}");
    }
    for (text, expected) in [
        (json!({"errorMessage": "Access Denied"}).to_string(), "CloudTrail"),
        ("{}".to_owned(), "it is no message of a denial"),
        ("{".to_owned(), "it is no message of a denial"),
    ] {
        assert!(document::read(&text).unwrap_err().contains(expected), "{text}");
    }
}
