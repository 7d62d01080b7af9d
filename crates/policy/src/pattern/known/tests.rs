use super::*;
use crate::{
    pattern::glob::Syntax,
    reference::{
        table::{service, services},
        tests::shape,
    },
};

fn pattern(text: &str) -> Pattern {
    let syntax = Syntax {
        wildcards: true,
        variables: false,
        fold: true,
    };
    Pattern::parse(text, syntax).unwrap()
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
    assert_eq!(
        actions_matching(&pattern("*")).count(),
        services().flat_map(Service::actions).count()
    );
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
                pattern.matches(&chars, &Context::new(), &mut Work::unlimited())
            })
            .collect();
        assert_eq!(found(text), slow, "{text}");
        assert!(!slow.is_empty(), "{text}");
    }
}

#[test]
fn the_form_of_every_resource_type_is_a_pattern() {
    let mut shapes = 0;
    for of in services().flat_map(Service::resource_types) {
        for shape in &of.shapes {
            shapes += 1;
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
    assert!(shapes > 1000, "{shapes}");
}

fn meets(shape: &Shape, text: &str) -> bool {
    let pattern = ResourcePattern::parse(text, Version::V2012).unwrap();
    shape.may_meet(pattern.arn().unwrap(), &mut Work::unlimited())
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
                let subject = ArnText::new(&format!("arn:p:s:::{text}"));
                resource.matches(&subject, &Context::new(), &mut Work::unlimited())
            });
            pairs += 1;
            assert_eq!(meets(&shape, &policy), common, "{form} and {word}");
        }
    }
    assert_eq!(pairs, 85 * 85);
}
