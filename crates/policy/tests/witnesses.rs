//! Witnesses: requests that there can be, and that read well.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use deputy_policy::{Candidate, Containment, Document, PolicyKind, Witness, contains};
use serde_json::{Value, json};

fn policy(statements: Value) -> Document {
    Document::from_value(
        &json!({"Version": "2012-10-17", "Statement": statements}),
        PolicyKind::Identity,
    )
    .unwrap()
}

/// Allows everything under each of the conditions.
fn when(conditions: &[Value]) -> Document {
    let statements: Vec<Value> = conditions
        .iter()
        .map(|condition| json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": condition}))
        .collect();
    policy(json!(statements))
}

#[track_caller]
fn exceeds(candidate: &Document, ceiling: &Document) -> Witness {
    match contains(&Candidate::new(&[candidate]), ceiling) {
        Containment::Exceeds(witness) => witness,
        other => panic!("{} in {}: {other:?}", candidate.to_json(), ceiling.to_json()),
    }
}

#[track_caller]
fn value(witness: &Witness, key: &str) -> String {
    match witness.context.get(key) {
        Some([value]) => value.clone(),
        other => panic!("{key}: {other:?} in {witness}"),
    }
}

#[test]
fn a_typed_key_has_values_of_its_type_only() {
    for (key, low, high) in [
        (
            "aws:SecureTransport",
            json!({"Bool": {"aws:SecureTransport": "true"}}),
            json!({"Bool": {"aws:SecureTransport": "false"}}),
        ),
        (
            "s3:max-keys",
            json!({"NumericLessThan": {"s3:max-keys": "10"}}),
            json!({"NumericGreaterThanEquals": {"s3:max-keys": "10"}}),
        ),
        (
            "aws:CurrentTime",
            json!({"DateLessThan": {"aws:CurrentTime": "2030-01-01"}}),
            json!({"DateGreaterThanEquals": {"aws:CurrentTime": "2030-01-01"}}),
        ),
        (
            "aws:SourceIp",
            json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
            json!({"IpAddress": {"aws:SourceIp": "::/0"}}),
        ),
    ] {
        let given = when(&[json!({"Null": {key: "false"}})]);
        let both = when(&[low.clone(), high.clone()]);
        let answer = contains(&Candidate::new(&[&given]), &both);
        assert!(answer.is_contained(), "{key}: {answer:?}");
        // Each half alone is less, and the witness is in the other one.
        for half in [low, high] {
            let witness = exceeds(&given, &when(&[half]));
            value(&witness, key);
        }
    }
}

#[test]
fn texts_for_typed_keys_are_of_the_type() {
    let possible = |key: &str, text: &str| match key {
        "aws:SecureTransport" => text == "true" || text == "false",
        "s3:max-keys" => text.parse::<f64>().is_ok(),
        "aws:CurrentTime" => text.parse::<i64>().is_ok() || text.starts_with("20"),
        "aws:SourceIp" => text.parse::<std::net::IpAddr>().is_ok(),
        "aws:PrincipalArn" => text.starts_with("arn:aws:") && text.matches(':').count() >= 5,
        "aws:PrincipalAccount" => text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()),
        "aws:RequestedRegion" => text.matches('-').count() >= 2,
        "aws:username" => !text.is_empty(),
        other => panic!("{other}"),
    };
    for (key, other) in [
        ("aws:SecureTransport", "true"),
        ("s3:max-keys", "5"),
        ("aws:CurrentTime", "2020-01-01"),
        ("aws:SourceIp", "10.0.0.1"),
        ("aws:PrincipalArn", "arn:aws:iam::123456789012:role/r"),
        ("aws:PrincipalAccount", "123456789012"),
        ("aws:RequestedRegion", "us-east-1"),
        ("aws:username", "Maria"),
    ] {
        let ceiling = when(&[
            json!({"StringEquals": {key: other}}),
            json!({"Null": {key: "true"}}),
        ]);
        let beginning: String = other.chars().take(6).collect();
        for wish in [
            json!({}),
            json!({"Null": {key: "false"}}),
            json!({"StringNotEquals": {key: other}}),
            json!({"StringLike": {key: "*"}}),
            json!({"StringLike": {key: format!("{beginning}*")}}),
            json!({"StringLike": {key: format!("*{beginning}*")}}),
        ] {
            match contains(&Candidate::new(&[&when(std::slice::from_ref(&wish))]), &ceiling) {
                Containment::Exceeds(witness) => {
                    let value = value(&witness, key);
                    assert!(possible(key, &value), "{wish}: {witness}");
                }
                // No other value begins so.
                Containment::Contained(_) if key == "aws:SecureTransport" => {}
                other => panic!("{key} {wish}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_key_of_one_value_gets_no_list() {
    let given = when(&[json!({"ForAllValues:StringEquals": {"aws:PrincipalTag/a": ["x", "y"]}})]);
    let ceiling = when(&[json!({"StringEqualsIfExists": {"aws:PrincipalTag/a": "x"}})]);
    assert_eq!(value(&exceeds(&given, &ceiling), "aws:PrincipalTag/a"), "y");
}

#[test]
fn the_resource_of_a_trust_policy_is_a_star() {
    let trust = |condition: Value| {
        let statement =
            json!({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole", "Condition": condition});
        let document = json!({"Version": "2012-10-17", "Statement": statement});
        Document::from_value(&document, PolicyKind::Trust).unwrap()
    };
    for (candidate, ceiling) in [
        (json!({}), json!({"StringEquals": {"sts:ExternalId": "a"}})),
        (
            json!({"StringLike": {"sts:ExternalId": "a*"}}),
            json!({"StringLike": {"sts:ExternalId": "a?"}}),
        ),
        (
            json!({"StringLike": {"sts:ExternalId": "?a*"}}),
            json!({"StringNotLike": {"sts:ExternalId": "*b*"}}),
        ),
    ] {
        let witness = exceeds(&trust(candidate), &trust(ceiling));
        assert_eq!(witness.resource, "*", "{witness}");
    }
}

#[test]
fn arns_have_the_parts_that_requests_have() {
    // Only the exact search finds these: no statement's own words exceed.
    for (candidate, ceiling) in [
        ("*", vec!["arn:aws:s3:::*", "arn:aws:iam::*:*"]),
        (
            "arn:*:dynamodb:*:*:table/*",
            vec!["arn:*:dynamodb:*:*:table/?", "arn:*:dynamodb:*:*:table/??*x"],
        ),
        ("arn:aws:s3:::*", vec!["arn:aws:s3:::a*", "arn:aws:s3:::b*"]),
        ("arn:aws:s3:*:*:*", vec!["arn:aws:s3:::?"]),
        ("arn:aws:sqs:eu-*:*:*", vec!["arn:aws:sqs:eu-*:*:?"]),
        ("arn:aws:sqs:*-1:12*:*", vec!["arn:aws:sqs:*:*:?"]),
        ("arn:aws:iam::*:user/*", vec!["arn:aws:iam::*:user/a*"]),
    ] {
        let allow =
            |resources: Value| policy(json!({"Effect": "Allow", "Action": "*", "Resource": resources}));
        let witness = exceeds(&allow(json!(candidate)), &allow(json!(ceiling)));
        if witness.resource == "*" {
            continue;
        }
        let parts: Vec<&str> = witness.resource.splitn(6, ':').collect();
        let [arn, partition, service, region, account, rest] = parts.as_slice() else {
            panic!("{witness}");
        };
        assert_eq!((*arn, *partition), ("arn", "aws"), "{witness}");
        assert!(!service.is_empty() && !rest.is_empty(), "{witness}");
        let (regional, owned) = match *service {
            "s3" => (false, false),
            "iam" => (false, true),
            // An image of AWS's.
            "ec2" => (true, false),
            _ => (true, true),
        };
        assert_eq!(region.is_empty(), !regional, "{witness}");
        assert_eq!(account.is_empty(), !owned, "{witness}");
        assert!(!regional || region.matches('-').count() == 2, "{witness}");
        assert!(!owned || account.len() == 12, "{witness}");
    }
}

/// What the witness says of a statement's actions and resources, in a ceiling.
#[track_caller]
fn named(candidate: (Value, Value), ceiling: Value) -> String {
    let (actions, resources) = candidate;
    let wish = policy(json!({"Effect": "Allow", "Action": actions, "Resource": resources}));
    exceeds(&wish, &policy(ceiling)).to_string()
}

#[test]
fn witnesses_name_actions_that_exist_on_resources_that_they_take() {
    let nothing = json!({"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"});
    let all = |effect: &str, action: Value, resource: Value| json!({"Effect": effect, "Action": action, "Resource": resource});
    let but = |deny: Value| json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}, deny]);
    for (actions, resources, ceiling, expected) in [
        // A literal action on everything: the simplest type that it takes, or none.
        (
            json!("sqs:SendMessage"),
            json!("*"),
            nothing.clone(),
            "sqs:SendMessage on arn:aws:sqs:us-east-1:123456789012:any",
        ),
        (
            json!("ec2:DescribeInstances"),
            json!("*"),
            nothing.clone(),
            "ec2:DescribeInstances on *",
        ),
        (
            json!("iam:GetUser"),
            json!("*"),
            nothing.clone(),
            "iam:GetUser on arn:aws:iam::123456789012:user/any",
        ),
        // Wildcards stand for an action that there is.
        (
            json!("guardduty:Get*"),
            json!("*"),
            nothing.clone(),
            "guardduty:GetAdministratorAccount on *",
        ),
        (
            json!("s3:*"),
            json!("arn:aws:s3:::b"),
            nothing.clone(),
            "s3:ListBucket on arn:aws:s3:::b",
        ),
        (
            json!("s3:*"),
            json!("arn:aws:s3:::b/*"),
            nothing.clone(),
            "s3:GetObject on arn:aws:s3:::b/a",
        ),
        // Of several elements, a pair that fits.
        (
            json!(["s3:GetObject", "s3:ListBucket"]),
            json!(["arn:aws:s3:::b", "arn:aws:s3:::b/*"]),
            nothing.clone(),
            "s3:GetObject on arn:aws:s3:::b/a",
        ),
        (
            json!(["s3:GetObject", "s3:ListBucket"]),
            json!(["arn:aws:s3:::b", "arn:aws:s3:::b/*"]),
            all("Allow", json!("s3:GetObject"), json!("*")),
            "s3:ListBucket on arn:aws:s3:::b",
        ),
        // What only the exact search finds.
        (
            json!("iam:*AccessKey*"),
            json!("*"),
            all(
                "Allow",
                json!([
                    "iam:CreateAccessKey",
                    "iam:DeleteAccessKey",
                    "iam:ListAccessKeys",
                    "iam:Update*"
                ]),
                json!("*"),
            ),
            "iam:GetAccessKeyLastUsed on arn:aws:iam::123456789012:user/any",
        ),
        (
            json!("*"),
            json!("*"),
            json!({"Effect": "Allow", "NotAction": "kms:*", "Resource": "*"}),
            "kms:Decrypt on arn:aws:kms:us-east-1:123456789012:key/any",
        ),
        (
            json!("s3:*"),
            json!("arn:aws:s3:::*"),
            but(all("Deny", json!("s3:*Tagging"), json!("arn:aws:s3:::logs/*"))),
            "s3:DeleteObjectTagging on arn:aws:s3:::logs/a",
        ),
        // What nobody has heard of is left as it is.
        (
            json!("s3:NoSuchThing"),
            json!("arn:aws:s3:::b"),
            nothing.clone(),
            "s3:NoSuchThing on arn:aws:s3:::b",
        ),
        (
            json!("nosuchservice:*"),
            json!("*"),
            nothing,
            "nosuchservice:Any on arn:aws:nosuchservice:us-east-1:123456789012:any",
        ),
    ] {
        assert_eq!(named((actions, resources), ceiling), expected);
    }
}

#[test]
fn a_variable_may_be_the_name_that_is_written_out() {
    let own = policy(json!([
        {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "arn:aws:iam::*:user/${aws:username}"}
    ]));
    let lena = "arn:aws:iam::444455556666:user/Lena";
    for ceiling in [
        json!([{"Effect": "Allow", "Action": "iam:*", "NotResource": lena}]),
        json!([
            {"Effect": "Allow", "Action": "iam:*", "Resource": "*"},
            {"Effect": "Deny", "Action": "iam:*", "Resource": lena},
        ]),
    ] {
        let witness = exceeds(&own, &policy(ceiling));
        assert_eq!(value(&witness, "aws:username"), "Lena");
        assert_eq!(witness.resource, lena);
    }
}

#[test]
fn a_variable_stands_for_nothing_that_its_key_cannot_be() {
    for (variable, never, perhaps) in [
        ("aws:SourceIp", "secret", "10.0.0.7"),
        ("aws:CurrentTime", "secret", "2030-01-01"),
        ("aws:PrincipalAccount", "secret", "444455556666"),
        ("aws:RequestedRegion", "secret", "eu-west-1"),
        ("aws:username", "a/b", "Lena"),
    ] {
        let candidate = policy(json!({"Effect": "Allow", "Action": "s3:GetObject",
            "Resource": format!("arn:aws:s3:::b/${{{variable}}}")}));
        let but = |name: &str| {
            policy(json!([
                {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
                {"Effect": "Deny", "Action": "s3:*", "Resource": format!("arn:aws:s3:::b/{name}")},
            ]))
        };
        let answer = contains(&Candidate::new(&[&candidate]), &but(never));
        assert!(
            !matches!(answer, Containment::Exceeds(_)),
            "{variable}: {answer:?}"
        );
        assert_eq!(value(&exceeds(&candidate, &but(perhaps)), variable), perhaps);
    }
}

#[test]
fn what_cannot_be_decided_names_the_keys_in_question() {
    // Not the other one, which both policies look at.
    let vpc = json!({"aws:SourceVpc": "vpc-*"});
    let candidate = when(&[json!({"StringLike": vpc})]);
    let ceiling = when(&[
        json!({"StringLike": vpc, "NumericEquals": {"aws:PrincipalTag/Rank": "5"}}),
        json!({"StringLike": vpc, "NumericNotEquals": {"aws:PrincipalTag/Rank": "5"}}),
    ]);
    let answer = deputy_policy::contains(&Candidate::new(&[&candidate]), &ceiling);
    let deputy_policy::Containment::Unknown(reason) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(reason.keys, ["aws:PrincipalTag/Rank"]);
    assert!(
        reason
            .to_string()
            .ends_with("(in question: aws:PrincipalTag/Rank)"),
        "{reason}"
    );
}

#[test]
fn beside_the_usual_region_and_account_another_one_is_shown() {
    let of = |action: &str, resource: &str| {
        policy(json!([{"Effect": "Allow", "Action": action, "Resource": resource}]))
    };
    for (action, wish, ceiling, shown) in [
        (
            "dynamodb:GetItem",
            "*",
            "arn:aws:dynamodb:us-east-1:123456789012:table/*",
            ":table/",
        ),
        (
            "ec2:RevokeSecurityGroupIngress",
            "*",
            "arn:aws:ec2:us-east-1:123456789012:security-group/*",
            ":security-group/",
        ),
        (
            "ec2:RevokeSecurityGroupIngress",
            "arn:aws:ec2:*:*:*",
            "arn:aws:ec2:us-east-1:123456789012:security-group/*",
            ":security-group/",
        ),
        (
            "sqs:SendMessage",
            "arn:aws:sqs:*:*:*",
            "arn:aws:sqs:us-east-1:123456789012:*",
            "arn:aws:sqs:",
        ),
        ("sqs:SendMessage", "*", "arn:aws:sqs:*:*:*", "arn:aws-cn:sqs:"),
    ] {
        let witness = exceeds(&of(action, wish), &of(action, ceiling));
        assert!(witness.resource.contains(shown), "{action} on {wish}: {witness}");
    }
}
