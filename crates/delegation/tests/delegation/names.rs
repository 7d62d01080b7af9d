use deputy_delegation::names::*;
use proptest::prelude::*;

#[test]
fn a_refused_name_says_type_text_and_rule() {
    let error = AccountId::new("12345").unwrap_err().to_string();
    assert_eq!(
        error,
        "account id \"12345\" is not valid: exactly 12 digits, as a string"
    );
}

#[test]
fn a_refused_name_is_cut_in_its_message() {
    let error = NamespaceName::new("x".repeat(100_000)).unwrap_err().to_string();
    assert!(error.len() < 200, "{error}");
}

#[test]
fn kubernetes_names_are_dns_labels_and_subdomains() {
    for good in ["a", "0", "a-b", "payments-eu"] {
        assert!(NamespaceName::new(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "-a",
        "a-",
        "A",
        "a.b",
        "a_b",
        "ä",
        "a\u{200b}",
        &"a".repeat(64),
    ] {
        assert!(NamespaceName::new(bad).is_err(), "{bad}");
    }
    for good in ["a.b", "a-b.c0"] {
        assert!(ObjectName::new(good).is_ok(), "{good}");
    }
    for bad in [".", "a..b", "a.", ".a", "a.-b", "a/b", &"a".repeat(254)] {
        assert!(ObjectName::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn account_ids_keep_their_leading_zeros_and_have_twelve_digits() {
    assert_eq!(AccountId::new("012345678901").unwrap().as_str(), "012345678901");
    for bad in [
        "12345678901",
        "1234567890123",
        "12345678901x",
        "１２３４５６７８９０１２",
        "",
    ] {
        assert!(AccountId::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn tags_are_ascii_and_never_aws_own() {
    assert!(TagKey::new("team").is_ok());
    assert!(TagValue::new("").is_ok());
    for bad in ["", "aws:x", "AWS:x", "te*m", "tëam", &"k".repeat(129)] {
        assert!(TagKey::new(bad).is_err(), "{bad}");
    }
    for bad in ["a*", "a,b", "a\n", &"v".repeat(257)] {
        assert!(TagValue::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn reserved_tags_are_reserved_in_every_spelling() {
    for key in ["deputy-cluster", "Deputy-Cluster", "DEPUTY-anything"] {
        assert!(TagKey::new(key).unwrap().is_reserved(), "{key}");
    }
    assert!(!TagKey::new("deputy").unwrap().is_reserved());
}

#[test]
fn arns_are_taken_apart_and_put_together_again() {
    let text = "arn:aws-us-gov:iam::123456789012:role/deputy/prod-1/deputy.a.b-x";
    let arn = RoleArn::parse(text).unwrap();
    assert_eq!(arn.partition().as_str(), "aws-us-gov");
    assert_eq!(arn.account().as_str(), "123456789012");
    assert_eq!(arn.path().as_str(), "/deputy/prod-1/");
    assert_eq!(arn.name(), "deputy.a.b-x");
    assert_eq!(arn.to_string(), text);
    let plain = IssuerArn::parse("arn:aws:iam::123456789012:user/deputy").unwrap();
    assert_eq!((plain.entity(), plain.path().as_str()), (IamEntity::User, "/"));
}

#[test]
fn an_arn_is_of_its_kind_and_holds_no_pattern() {
    for bad in [
        "arn:aws:iam::123456789012:user/a",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/a*",
        "arn:aws:iam::123456789012:role/*/a",
        "arn:aws:iam::123456789012:role/${aws:username}/a",
        "arn:aws:iam::123456789012:role//a",
        "arn:aws:iam::*:role/a",
        "arn:aws:iam:eu-west-1:123456789012:role/a",
        "arn:aws:sts::123456789012:assumed-role/a/b",
        "arn:*:iam::123456789012:role/a",
        "123456789012",
        "",
    ] {
        assert!(RoleArn::parse(bad).is_err(), "{bad}");
    }
    assert!(IssuerArn::parse("arn:aws:iam::123456789012:root").is_err());
    assert!(PolicyArn::parse("arn:aws:iam::aws:policy/AdministratorAccess").is_err());
}

#[test]
fn durations_are_read_as_people_write_them() {
    for (text, seconds) in [
        ("1h", 3600),
        ("90m", 5400),
        ("1h30m", 5400),
        ("3600s", 3600),
        ("30m", 1800),
        ("12h", 43_200),
    ] {
        assert_eq!(
            SessionDuration::parse(text).unwrap().as_seconds(),
            seconds,
            "{text}"
        );
    }
    for bad in [
        "",
        "h",
        "1",
        "1h30",
        "-1h",
        "1.5h",
        "1 h",
        "29m59s",
        "12h1s",
        "1d",
        "99999999999999999999h",
        "1H",
    ] {
        assert!(SessionDuration::parse(bad).is_err(), "{bad}");
        assert!(MaxSessionDuration::parse(bad).is_err(), "{bad}");
    }
    assert!(MaxSessionDuration::parse("59m").is_err());
    assert_eq!(
        MaxSessionDuration::parse("60m").unwrap(),
        MaxSessionDuration::HOUR
    );
}

#[test]
fn namespace_patterns_match_names_only() {
    let matches = |pattern: &str, name: &str| {
        NamespacePattern::new(pattern)
            .unwrap()
            .matches(&NamespaceName::new(name).unwrap())
    };
    assert!(matches("payments", "payments"));
    assert!(!matches("payments", "payments-eu"));
    assert!(matches("payments-*", "payments-eu"));
    assert!(!matches("payments-*", "payments"));
    assert!(matches("*", "anything"));
    assert!(matches("*-prod-*", "a-prod-b"));
    assert!(!matches("*-prod", "a-prod-b"));
    assert!(matches("a*b*c", "aXbXbXc".to_lowercase().as_str()));
    for bad in ["", "Payments", "a?b", "a.b", "[a]", &"a".repeat(64)] {
        assert!(NamespacePattern::new(bad).is_err(), "{bad}");
    }
}

/// What `*` means, said so simply that it can't be wrong.
fn matches_slowly(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skip| matches_slowly(rest, &text[skip..])),
        Some((c, rest)) => text.first() == Some(c) && matches_slowly(rest, &text[1..]),
    }
}

#[test]
fn a_region_says_its_partition() {
    for (region, partition) in [
        ("eu-west-1", Some("aws")),
        ("ap-northeast-1", Some("aws")),
        ("us-east-1", Some("aws")),
        ("il-central-1", Some("aws")),
        ("cn-north-1", Some("aws-cn")),
        ("us-gov-west-1", Some("aws-us-gov")),
        ("us-iso-east-1", Some("aws-iso")),
        ("us-isob-east-1", Some("aws-iso-b")),
        ("eu-isoe-west-1", Some("aws-iso-e")),
        ("us-isof-south-1", Some("aws-iso-f")),
        ("eusc-de-east-1", Some("aws-eusc")),
        ("us-new-east-1", None),
        ("mars-north-1", None),
    ] {
        assert_eq!(Region::new(region).unwrap().partition(), partition, "{region}");
    }
}

proptest! {
    #[test]
    fn patterns_match_what_their_definition_says(pattern in "[ab*]{1,8}", name in "[ab]{1,10}") {
        let fast = NamespacePattern::new(pattern.clone()).unwrap().matches(&NamespaceName::new(name.clone()).unwrap());
        prop_assert_eq!(fast, matches_slowly(pattern.as_bytes(), name.as_bytes()));
    }

    #[test]
    fn a_printed_duration_reads_as_the_same(seconds in 1800_u64..=43_200) {
        let duration = SessionDuration::from_seconds(seconds).unwrap();
        prop_assert_eq!(SessionDuration::parse(&duration.to_string()).unwrap(), duration);
    }

    #[test]
    fn no_text_makes_the_parsers_fail_otherwise_than_by_an_error(text in any::<String>()) {
        // What is accepted is printed as it was read.
        if let Ok(arn) = RoleArn::parse(&text) {
            prop_assert_eq!(arn.to_string(), text.clone());
        }
        for ok in [
            SessionDuration::parse(&text).is_ok(),
            NamespacePattern::new(text.clone()).is_ok(),
            ObjectName::new(text.clone()).is_ok(),
            IamPath::new(text.clone()).is_ok(),
            ExternalId::new(text.clone()).is_ok(),
        ] {
            prop_assert!(!ok || text.is_ascii());
        }
    }
}

#[test]
fn a_managed_policy_is_of_aws_or_of_an_account() {
    for (arn, owner, path, name) in [
        (
            "arn:aws:iam::aws:policy/ReadOnlyAccess",
            PolicyOwner::Aws,
            "/",
            "ReadOnlyAccess",
        ),
        (
            "arn:aws-cn:iam::aws:policy/job-function/Billing",
            PolicyOwner::Aws,
            "/job-function/",
            "Billing",
        ),
        (
            "arn:aws:iam::123456789012:policy/a/b/C",
            PolicyOwner::Account(AccountId::new("123456789012").unwrap()),
            "/a/b/",
            "C",
        ),
    ] {
        let parsed = ManagedPolicyArn::parse(arn).unwrap();
        assert_eq!(
            (parsed.owner(), parsed.path().as_str(), parsed.name()),
            (&owner, path, name)
        );
        assert_eq!(parsed.to_string(), arn);
        let of_customer = PolicyArn::parse(arn).ok().map(ManagedPolicyArn::from);
        assert_eq!(of_customer, (owner != PolicyOwner::Aws).then_some(parsed));
    }
    for arn in [
        "arn:aws:iam::aws:role/x",
        "arn:aws:iam::AWS:policy/x",
        "arn:aws:iam::12345678901:policy/x",
        "arn:aws:iam::aws:policy/",
        "arn:aws:iam::aws:policy/a*",
        "arn:aws:iam:us-east-1:aws:policy/x",
        "arn:aws:s3::aws:policy/x",
        "ReadOnlyAccess",
    ] {
        assert!(ManagedPolicyArn::parse(arn).is_err(), "{arn}");
    }
}

#[test]
fn a_pattern_on_arns_is_of_a_kind_of_entity_when_it_names_it() {
    for (pattern, of_policies) in [
        ("arn:aws:iam::aws:policy/AmazonS3*", true),
        ("arn:*:iam::*:policy/*", true),
        ("arn:aws:iam::aws:*", false),
        ("arn:aws:iam::aws:p*/x", false),
        ("arn:aws:iam::aws:role/x", false),
    ] {
        assert_eq!(
            IamArnPattern::new(pattern).unwrap().is_of("policy"),
            of_policies,
            "{pattern}"
        );
    }
}

#[test]
fn patterns_on_namespaces_overlap_when_a_name_may_be_in_both() {
    let pattern = |text: &str| NamespacePattern::new(text).unwrap();
    for (a, b, both) in [
        ("payments", "payments", true),
        ("payments", "payments-*", false),
        ("payments-*", "payments-", true),
        ("*", "payments", true),
        ("*", "*", true),
        ("team-*", "*-prod", true),
        ("team-*", "teams-*", false),
        ("a*b", "a*c", false),
        ("a*b*", "*ab", true),
        ("a*a", "a", false),
        ("*x*", "ab*c", true),
    ] {
        assert_eq!(pattern(a).overlaps(&pattern(b)), both, "{a} {b}");
        assert_eq!(pattern(b).overlaps(&pattern(a)), both, "{b} {a}");
    }
}
