//! Actions and resources.

use deputy_policy::{Candidate, Code, Containment, Context, Layers, Request, contains, evaluate, lint};

use crate::support::*;

#[test]
fn actions_are_a_star_or_a_service_and_a_name() {
    for good in [
        "*",
        "s3:*",
        "s3:Get*",
        "S3:getobject",
        "ec2:Describe?nstances",
        "execute-api:Invoke",
        "a4b:x",
    ] {
        accepts(&action(json!(good)), Identity);
    }
    for bad in [
        "*:*",
        "s*:GetObject",
        "?3:Get",
        "s3",
        "s3:",
        ":Get",
        "s3:Get Object",
        "s3:Get:Object",
        "",
        "s3:${a:b}",
    ] {
        refuses(
            &action(json!(bad)),
            Identity,
            Kind::Action,
            "Statement[0].Action[0]",
        );
    }
}

#[test]
fn resources_are_a_star_or_a_complete_arn() {
    for good in [
        "*",
        "arn:aws:s3:::bucket/*",
        "arn:aws:s3:::*",
        "arn:*:s3:::b",
        "arn:aws:ec2:*:*:*/*",
        "arn:aws:dynamodb:us-east-1:123456789012:table/t?",
        "arn:aws:s3:::home/${aws:username}/*",
        "arn:aws:s3:::home/${aws:PrincipalTag/team, 'company-wide'}/${*}${?}${$}",
        "arn:aws:states:us-east-1:123456789012:execution:a:b:c",
        "arn:aw*:s3:::x",
        "arn:aws:ec2:us-*:*:instance/*",
        "arn:aws:ec2:*:12345678901?:instance/*",
        "arn:*:kms:*:${aws:PrincipalAccount}:key/*",
        "arn:aws:sqs:${aws:RequestedRegion}:${AWS:ResourceAccount}:${aws:username}",
        "arn:aws:cloudfront:*",
        "arn:*:s3:*",
        "arn:aws:dynamodb:eu-*:*",
    ] {
        accepts(&get_object(json!(good)), Identity);
    }
    for bad in [
        "",
        "bucket",
        "arn:aws:s3:::",
        "aws:s3:::example_bucket",
        "arn:aws:s3:bucket",
        "arn:aws:s3",
        "arn:aws:*",
        "arn:aws:*:*",
        "arn:aws:s3:b*",
        "arn:aws:dynamodb:*:table/t*",
        "aws:s3:*",
        "arn:aws:*:::x",
        "arn:aws:s?:::x",
        "arn:aws:s3::${aws:username}:x",
        "arn:aws:s3::1${aws:PrincipalAccount}:x",
        "arn:aws:s3::${aws:PrincipalAccount, '1'}:x",
        "arn:aws:s3:${aws:PrincipalAccount}::x",
        "arn:aws:s3::${aws:RequestedRegion}:x",
        "arn:${aws:PrincipalAccount}:s3:::x",
        "arn:aws:${aws:PrincipalAccount}:::x",
        "arn:aws:s3:::x/${aws:username",
        "arn:aws:s3:::x/${}",
        "arn:aws:s3:::x/${aws:username, other}",
        "arn:aws:s3:::x/${aws:username,'*'}",
        "arn:aws:s3:::x/${aws:TagKeys}",
        "arn::s3:::x",
        "ARN:aws:s3:::x",
    ] {
        if bad == "arn:aws:s3:::" {
            accepts(&get_object(json!(bad)), Identity);
        } else {
            refuses(
                &get_object(json!(bad)),
                Identity,
                Kind::Resource,
                "Statement[0].Resource[0]",
            );
        }
    }
}

#[test]
fn a_variable_in_not_resource_is_read_and_warned_of() {
    let with = |text: &str| {
        let value = json!({"Effect": "Deny", "Action": "s3:*", "NotResource": text});
        let document = accepts(&statement(value), Identity);
        let codes = lint(&document, None).into_iter().map(|lint| lint.code);
        codes.collect::<Vec<Code>>()
    };
    assert_eq!(
        with("arn:aws:s3:::${aws:username}"),
        [Code::VariableInNotResource]
    );
    assert_eq!(with("arn:aws:s3:::${aws:username, 'none'}"), []);
    refuses(
        &statement(
            json!({"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3::${aws:PrincipalAccount}:x"}),
        ),
        Identity,
        Kind::Resource,
        "Statement[0].NotResource[0]",
    );
}

/// Whether an identity policy for the resources allows something on the resource.
fn reaches(resources: &str, resource: &str) -> bool {
    let document = accepts(&get_object(json!(resources)), Identity);
    let layers = Layers {
        identity: &[&document],
        ..Layers::default()
    };
    let request = Request {
        action: "s3:GetObject".to_owned(),
        resource: resource.to_owned(),
        principal: None,
        context: Context::new(),
    };
    evaluate(&layers, &request).is_allowed()
}

#[test]
fn wildcards_in_the_first_parts_stay_in_their_part() {
    for (pattern, resource, matches) in [
        ("arn:aws:sns:us-*:1:t", "arn:aws:sns:us-east-1:1:t", true),
        ("arn:aws:sns:us-*:1:t", "arn:aws:sns:us-:1:t", true),
        ("arn:aws:sns:us-*:1:t", "arn:aws:sns:eu-west-1:1:t", false),
        ("arn:aws:sns:us-*:1:t", "arn:aws:sns:us-east-1:2:1:t", false),
        ("arn:aws:sns:*-1:1:t", "arn:aws:sns:us-east-1:1:t", true),
        ("arn:aws:sns:*-1:1:t", "arn:aws:sns:us-east-2:1:t", false),
        ("arn:aws:sns:us-east-?:1:t", "arn:aws:sns:us-east-2:1:t", true),
        ("arn:aws:sns:us-east-?:1:t", "arn:aws:sns:us-east-12:1:t", false),
        ("arn:aws*:sns::12*:t", "arn:aws-cn:sns::123:t", true),
        ("arn:aws*:sns::12*:t", "arn:aws-cn:sns::13:t", false),
    ] {
        assert_eq!(reaches(pattern, resource), matches, "{pattern} {resource}");
    }
}

#[test]
fn a_short_arn_that_ends_in_a_star_is_every_arn_that_begins_so() {
    for (pattern, resource, matches) in [
        (
            "arn:aws:cloudfront:*",
            "arn:aws:cloudfront::1:distribution/d",
            true,
        ),
        ("arn:aws:cloudfront:*", "arn:aws:cloudfront:::", true),
        (
            "arn:aws:cloudfront:*",
            "arn:aws-cn:cloudfront::1:distribution/d",
            false,
        ),
        (
            "arn:aws:cloudfront:*",
            "arn:aws:cloudfronts::1:distribution/d",
            false,
        ),
        ("arn:aws:cloudfront:*", "*", false),
        ("arn:aws:sqs:eu-*:*", "arn:aws:sqs:eu-west-1:1:q", true),
        ("arn:aws:sqs:eu-*:*", "arn:aws:sqs:us-east-1:1:q", false),
    ] {
        assert_eq!(reaches(pattern, resource), matches, "{pattern} {resource}");
    }
}

#[test]
fn patterns_are_contained_by_what_they_match() {
    let within = |a: &str, b: &str| {
        let read = |text: &str| accepts(&get_object(json!(text)), Identity);
        match contains(&Candidate::new(&[&read(a)]), &read(b)) {
            Containment::Contained(_) => true,
            Containment::Exceeds(witness) => {
                assert!(reaches(a, &witness.resource) && !reaches(b, &witness.resource));
                false
            }
            Containment::Unknown(why) => panic!("{a} {b}: {why}"),
        }
    };
    let short = "arn:aws:cloudfront:*";
    for (a, b) in [
        ("arn:aws:cloudfront:::x", short),
        (short, "arn:aws:cloudfront:*:*:*"),
        ("arn:aws:cloudfront:*:*:*", short),
        (short, "arn:aws:cloudfront:*:*"),
        ("arn:aws:sns:us-east-1:1:t", "arn:aws:sns:us-*:1:t"),
        ("arn:aws:sns:us-east-*:1:t", "arn:aws:sns:us-*:1:t"),
        ("arn:aws:sns:us-*:1:t", "arn:aws:sns:us-*:1:t"),
        ("arn:aws:sns:us-*:1:t", "arn:aws:sns:*:1:t"),
        ("arn:aws:sns:us-*-1:1:t", "arn:aws:sns:*-1:1:t"),
        ("arn:aws:sns::123456789012:t", "arn:aws:sns::12345678901?:t"),
        ("arn:aws-cn:sns:::t", "arn:aws*:sns:::t"),
    ] {
        assert!(within(a, b), "{a} {b}");
    }
    for (a, b) in [
        (short, "arn:aws:cloudfront::*:*"),
        ("*", short),
        ("arn:aws:sns:us-*:1:t", "arn:aws:sns:us-east-*:1:t"),
        ("arn:aws:sns:*:1:t", "arn:aws:sns:us-*:1:t"),
        ("arn:aws:sns:us-*:1:t", "arn:aws:sns:*-1:1:t"),
        ("arn:aws:sns::12345678901?:t", "arn:aws:sns::123456789012:t"),
        ("arn:*:sns:::t", "arn:aws*:sns:::t"),
    ] {
        assert!(!within(a, b), "{a} {b}");
    }
}
