//! ARNs of buckets, queues and topics, and patterns on them.

use deputy_delegation::names::*;
use proptest::prelude::*;

fn resource(text: &str) -> PolicyResource {
    PolicyResource::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn pattern(text: &str) -> PolicyResourcePattern {
    PolicyResourcePattern::new(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn resources_with_policies_are_taken_apart_and_put_together_again() {
    use PolicyResourceKind::{Bucket, Queue, Topic};
    let home = Some(("eu-west-1", "012345678901"));
    for (text, partition, kind, of, name) in [
        ("arn:aws:s3:::productionapp", "aws", Bucket, None, "productionapp"),
        ("arn:aws-cn:s3:::a.b-3", "aws-cn", Bucket, None, "a.b-3"),
        (
            "arn:aws:sqs:eu-west-1:012345678901:Or_ders-1",
            "aws",
            Queue,
            home,
            "Or_ders-1",
        ),
        (
            "arn:aws:sqs:eu-west-1:012345678901:a.fifo",
            "aws",
            Queue,
            home,
            "a.fifo",
        ),
        (
            "arn:aws:sns:eu-west-1:012345678901:orders",
            "aws",
            Topic,
            home,
            "orders",
        ),
        (
            "arn:aws:sns:eu-west-1:012345678901:a.fifo",
            "aws",
            Topic,
            home,
            "a.fifo",
        ),
    ] {
        let is = resource(text);
        let (is_partition, is_kind, is_name) = (is.partition().as_str(), is.kind(), is.name());
        assert_eq!(
            (is_partition, is_kind, is_name),
            (partition, kind, name),
            "{text}"
        );
        let is_home = is
            .home()
            .map(|home| (home.region.as_str(), home.account.as_str()));
        assert_eq!(is_home, of, "{text}");
        assert_eq!(is.to_string(), text);
    }
    for (name, max) in [("sqs", 80), ("sns", 256)] {
        let arn = |length: usize, end: &str| {
            let stem = "q".repeat(length - end.len());
            format!("arn:aws:{name}:eu-west-1:123456789012:{stem}{end}")
        };
        for end in ["", ".fifo"] {
            assert!(PolicyResource::parse(&arn(max, end)).is_ok(), "{name}{end}");
            assert!(PolicyResource::parse(&arn(max + 1, end)).is_err(), "{name}{end}");
        }
    }
}

#[test]
fn what_is_no_bucket_queue_or_topic_is_refused() {
    for bad in [
        "",
        "productionapp",
        "arn:aws:s3:::",
        "arn:aws:s3:::ab",
        "arn:aws:s3:::productionapp/key",
        "arn:aws:s3:::productionapp/*",
        "arn:aws:s3:::production*",
        "arn:aws:s3:::production?pp",
        "arn:aws:s3:::${aws:username}",
        "arn:aws:s3:::ProductionApp",
        "arn:aws:s3:::-productionapp",
        "arn:aws:s3:::productionapp-",
        "arn:aws:s3:::.productionapp",
        "arn:aws:s3:::production..app",
        "arn:aws:s3:::192.168.5.4",
        "arn:aws:s3:::productionäpp",
        "arn:aws:s3:eu-west-1::productionapp",
        "arn:aws:s3::123456789012:productionapp",
        "arn:aws:s3:eu-west-1:123456789012:accesspoint",
        "arn:*:s3:::productionapp",
        "arn::s3:::productionapp",
        "arn:aws:S3:::productionapp",
        "ARN:aws:s3:::productionapp",
        " arn:aws:s3:::productionapp",
        "arn:aws:s3:::productionapp\n",
        "arn:aws:sqs:::orders",
        "arn:aws:sqs:eu-west-1::orders",
        "arn:aws:sqs::123456789012:orders",
        "arn:aws:sqs:*:123456789012:orders",
        "arn:aws:sqs:eu-west-1:*:orders",
        "arn:aws:sqs:eu-west-1:12345678901:orders",
        "arn:aws:sqs:eu-west-1:123456789012:",
        "arn:aws:sqs:eu-west-1:123456789012:*",
        "arn:aws:sqs:eu-west-1:123456789012:or.ders",
        "arn:aws:sqs:eu-west-1:123456789012:.fifo",
        "arn:aws:sqs:eu-west-1:123456789012:a.fifo.fifo",
        "arn:aws:sqs:eu-west-1:123456789012:a.FIFO",
        "arn:aws:sqs:eu-west-1:123456789012:orders:x",
        "arn:aws:sns:eu-west-1:123456789012:orders:1b2c",
        "arn:aws:sns:eu-west-1:123456789012:or/ders",
        "arn:aws:sns:eu-west-1:123456789012:endpoint/GCM/app/1",
        "arn:aws:iam::123456789012:role/x",
        "arn:aws:kms:eu-west-1:123456789012:key",
        "arn:aws:lambda:eu-west-1:123456789012:orders",
    ] {
        assert!(PolicyResource::parse(bad).is_err(), "{bad}");
    }
    for name in ["a".repeat(64), "é".repeat(20)] {
        assert!(
            PolicyResource::parse(&format!("arn:aws:s3:::{name}")).is_err(),
            "{name}"
        );
    }
    let error = PolicyResource::parse(&"x".repeat(100_000))
        .unwrap_err()
        .to_string();
    assert!(error.len() < 400, "{error}");
}

#[test]
fn the_policy_of_a_resource_is_about_itself_and_of_a_bucket_what_is_in_it() {
    let bucket = resource("arn:aws:s3:::app");
    for named in [
        "arn:aws:s3:::app",
        "arn:aws:s3:::app/*",
        "arn:aws:s3:::app/a/${aws:userid}/*",
    ] {
        assert!(bucket.holds(named), "{named}");
    }
    for named in [
        "*",
        "arn:aws:s3:::*",
        "arn:aws:s3:::app*",
        "arn:aws:s3:::app?",
        "arn:aws:s3:::ap",
        "arn:aws:s3:::app2",
        "arn:aws:s3:::app2/*",
        "arn:aws-cn:s3:::app/*",
        "arn:*:s3:::app/*",
        "arn:aws:s3:::App",
        "",
    ] {
        assert!(!bucket.holds(named), "{named}");
    }
    for service in ["sqs", "sns"] {
        let own = format!("arn:aws:{service}:eu-west-1:123456789012:orders");
        let it = resource(&own);
        assert!(it.holds(&own));
        for more in ["*", "/*", ":*", "-new"] {
            assert!(!it.holds(&format!("{own}{more}")), "{own}{more}");
        }
        assert!(!it.holds(&format!("arn:aws:{service}:*:123456789012:orders")));
    }
}

#[test]
fn a_pattern_on_resources_is_an_arn_with_its_service_said() {
    for good in [
        "arn:aws:s3:::productionapp",
        "arn:*:s3:::*",
        "arn:aws:s3:::*-reports-*",
        "arn:aws:sqs:*:123456789012:orders-*",
        "arn:aws:sns:eu-*:*:*.fifo",
    ] {
        assert_eq!(pattern(good).to_string(), good);
        assert_eq!(pattern(good).as_str(), good);
    }
    for bad in [
        "",
        "*",
        "arn:*",
        "arn:aws:*:::productionapp",
        "arn:aws:s*:::productionapp",
        "arn:aws:s3:*",
        "arn:aws:s3:::",
        "arn:aws:s3:*:*:productionapp",
        "arn:aws:s3:eu-west-1::productionapp",
        "arn::s3:::productionapp",
        "arn:aws:s3:::productionapp/*",
        "arn:aws:s3:::production?pp",
        "arn:aws:s3:::${aws:username}",
        "arn:aws:s3:::a b",
        "arn:aws:sqs:::orders",
        "arn:aws:sqs:eu-west-1::orders",
        "arn:aws:sqs:eu-west-1:*:",
        "arn:aws:sqs:*:orders",
        "arn:aws:sns:*:*:orders:*",
        "arn:aws:iam::123456789012:x",
    ] {
        assert!(PolicyResourcePattern::new(bad).is_err(), "{bad}");
    }
    let long = |length: usize| format!("arn:aws:s3:::{}", "a".repeat(length - 13));
    assert!(PolicyResourcePattern::new(long(320)).is_ok());
    assert!(PolicyResourcePattern::new(long(321)).is_err());
}

#[test]
fn a_pattern_covers_resources_part_by_part() {
    const ORDERS: &str = "arn:aws:sqs:eu-west-1:123456789012:orders";
    for (text, arn, is) in [
        ("arn:aws:s3:::productionapp", "arn:aws:s3:::productionapp", true),
        ("arn:aws:s3:::productionapp", "arn:aws:s3:::productionapp2", false),
        ("arn:aws:s3:::production*", "arn:aws:s3:::productionapp", true),
        ("arn:aws:s3:::*app", "arn:aws:s3:::productionapp", true),
        ("arn:aws:s3:::Production*", "arn:aws:s3:::productionapp", false),
        ("arn:*:s3:::*", "arn:aws-cn:s3:::productionapp", true),
        ("arn:aws:s3:::*", "arn:aws-cn:s3:::productionapp", false),
        ("arn:aws:sqs:*:*:*", "arn:aws:s3:::productionapp", false),
        ("arn:aws:sqs:*:*:*", ORDERS, true),
        ("arn:aws:sns:*:*:*", ORDERS, false),
        ("arn:aws:s3:::*", ORDERS, false),
        ("arn:aws:sqs:eu-*:123456789012:orders", ORDERS, true),
        ("arn:aws:sqs:us-*:123456789012:orders", ORDERS, false),
        ("arn:aws:sqs:*:210987654321:orders", ORDERS, false),
        ("arn:aws:sqs:*:123456789012:Orders", ORDERS, false),
        ("arn:aws:sqs:*:123456789012:order", ORDERS, false),
        ("arn:aws:sqs:*:123456789012:*.fifo", ORDERS, false),
    ] {
        assert_eq!(pattern(text).matches(&resource(arn)), is, "{text} {arn}");
    }
}

/// What a pattern covers of an account is what the provisioner may reach there: never a resource that no limit could allow.
#[test]
fn what_a_pattern_covers_in_an_account_names_the_account() {
    use PolicyResourceKind::{Bucket, Queue, Topic};
    let (aws, home) = (
        Partition::new("aws").unwrap(),
        AccountId::new("123456789012").unwrap(),
    );
    for (text, said) in [
        ("arn:aws:s3:::app-*", Some((Bucket, "arn:aws:s3:::app-*"))),
        ("arn:*:s3:::app", Some((Bucket, "arn:aws:s3:::app"))),
        ("arn:aws-cn:s3:::app", None),
        (
            "arn:aws:sqs:*:*:orders",
            Some((Queue, "arn:aws:sqs:*:123456789012:orders")),
        ),
        (
            "arn:a*:sns:eu-*:12*:*",
            Some((Topic, "arn:aws:sns:eu-*:123456789012:*")),
        ),
        ("arn:aws:sns:*:210987654321:*", None),
        ("arn:aws-us-gov:sqs:*:*:orders", None),
    ] {
        let is = pattern(text).in_account(&aws, &home);
        let is = is.as_ref().map(|(kind, text)| (*kind, text.as_str()));
        assert_eq!(is, said, "{text}");
    }
}

proptest! {
    #[test]
    fn a_resource_that_is_read_is_printed_as_it_was(text in "arn:aws:(s3|sqs|sns):[a-z0-9:/.*-]{0,30}|\\PC*") {
        if let Ok(resource) = PolicyResource::parse(&text) {
            prop_assert_eq!(resource.to_string(), text.clone());
            prop_assert!(text.is_ascii() && !text.contains(['*', '?', '$', '/']));
        }
    }
}
