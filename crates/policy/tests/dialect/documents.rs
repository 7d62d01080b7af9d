//! Documents as a whole: JSON, size, versions, elements, characters, Sids.

use deputy_policy::Version;

use crate::support::*;

#[test]
fn duplicate_keys_are_refused_at_every_level() {
    for (text, path) in [
        (
            r#"{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}"#,
            "Version",
        ),
        (
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}]}"#,
            "Statement[0].Effect",
        ),
        (
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a:b":"true"},"Bool":{"a:c":"true"}}}}"#,
            "Statement[0].Condition.Bool",
        ),
        (
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a:b":"true","a:b":"false"}}}}"#,
            "Statement[0].Condition.Bool.a:b",
        ),
        (
            r#"{"Version":"2012-10-17","\u0056ersion":"2012-10-17","Statement":[]}"#,
            "Version",
        ),
    ] {
        refuses_text(text, Kind::DuplicateKey, path);
    }
}

#[test]
fn text_that_is_not_json_is_refused() {
    for text in [
        "",
        "{",
        "nonsense",
        "{\"Version\":\"2012-10-17\"",
        "\u{feff}{}",
        "{} {}",
        "{\"a\":1e999}",
    ] {
        refuses_text(text, Kind::Json, "");
    }
}

#[test]
fn deep_nesting_is_refused() {
    let deep = format!("{}{}", "[".repeat(100_000 / 2), "]".repeat(100_000 / 2));
    refuses_text(&deep, Kind::Json, "");
    refuses_text(
        &format!("{}1{}", "{\"a\":".repeat(13), "}".repeat(13)),
        Kind::Json,
        "",
    );
}

#[test]
fn a_text_over_the_limit_is_refused_with_both_numbers() {
    let big = format!("{{\"Version\":\"{}\"}}", "x".repeat(262_144));
    let errors = Document::parse(&big, Identity).expect_err("accepted");
    assert!(
        errors.to_string().contains("262158") && errors.to_string().contains("262144"),
        "{errors}"
    );
    let value = serde_json::from_str(&big).unwrap();
    assert_eq!(
        Document::from_value(&value, Identity)
            .expect_err("accepted")
            .category(),
        "Size"
    );
}

#[test]
fn every_problem_is_listed() {
    let value = json!({"Version": "2008-10-17", "Extra": 1, "Statement": [
        {"Effect": "allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Allow", "Action": ["*:*", "s3:Get*", "s*:Get"], "Resource": ["arn:aws:s3", "*"]},
    ]});
    let errors = Document::from_value(&value, Identity).expect_err("accepted");
    let found: Vec<_> = errors.iter().map(|e| (e.path(), e.category())).collect();
    assert_eq!(
        found,
        [
            ("Extra", "UnknownElement"),
            ("Version", "Version"),
            ("Statement[0].Effect", "Type"),
            ("Statement[1].Action[0]", "Action"),
            ("Statement[1].Action[2]", "Action"),
            ("Statement[1].Resource[0]", "Resource"),
        ]
    );
}

#[test]
fn thousands_of_problems_are_counted_not_listed() {
    let bad: Vec<String> = (0..5000).map(|n| format!("x{n}")).collect();
    let errors = Document::from_value(&action(json!(bad)), Identity).expect_err("accepted");
    assert_eq!(errors.as_slice().len(), 65);
    assert!(errors.to_string().ends_with("and 4936 more problems"));
}

#[test]
fn the_version_must_be_2012_except_in_resource_and_trust_policies() {
    let with = |version: Value| json!({"Version": version, "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]});
    for kind in [Identity, Session, Boundary] {
        for version in [json!("2008-10-17"), json!("2012-10-18"), json!(2012), json!(null)] {
            refuses(&with(version), kind, Kind::Version, "Version");
        }
        let missing = json!({"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]});
        assert!(refuses(&missing, kind, Kind::Version, "Version").contains("2008-10-17"));
    }
    let old = json!({"Version": "2008-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:*",
        "Resource": "arn:aws:s3:::b/${aws:username}"}});
    assert_eq!(accepts(&old, Resource).version(), Version::V2008);
}

#[test]
fn elements_are_required_known_and_exclusive() {
    let base = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"});
    let with = |key: &str, value: Value| {
        let mut object = base.as_object().unwrap().clone();
        object.insert(key.to_owned(), value);
        statement(Value::Object(object))
    };
    let without = |key: &str| {
        let mut object = base.as_object().unwrap().clone();
        object.remove(key);
        statement(Value::Object(object))
    };
    refuses(
        &without("Effect"),
        Identity,
        Kind::MissingElement,
        "Statement[0].Effect",
    );
    refuses(
        &without("Action"),
        Identity,
        Kind::MissingElement,
        "Statement[0].Action",
    );
    refuses(
        &without("Resource"),
        Identity,
        Kind::MissingElement,
        "Statement[0].Resource",
    );
    refuses(
        &with("NotAction", json!("s3:*")),
        Identity,
        Kind::ForbiddenElement,
        "Statement[0]",
    );
    refuses(
        &with("NotResource", json!("*")),
        Identity,
        Kind::ForbiddenElement,
        "Statement[0]",
    );
    refuses(
        &with("Principal", json!("*")),
        Identity,
        Kind::ForbiddenElement,
        "Statement[0].Principal",
    );
    refuses(
        &with("NotPrincipal", json!("*")),
        Identity,
        Kind::ForbiddenElement,
        "Statement[0].NotPrincipal",
    );
    refuses(
        &with("Comment", json!("x")),
        Identity,
        Kind::UnknownElement,
        "Statement[0].Comment",
    );
    let hint = refuses(
        &with("condition", json!({})),
        Identity,
        Kind::UnknownElement,
        "Statement[0].condition",
    );
    assert!(hint.contains("did you mean Condition?"), "{hint}");
    refuses(
        &with("Effect", json!("denY")),
        Identity,
        Kind::Type,
        "Statement[0].Effect",
    );
    refuses(&statement(json!("x")), Identity, Kind::Type, "Statement[0]");
    refuses(&json!([]), Identity, Kind::Type, "");
    refuses(
        &json!({"Version": "2012-10-17"}),
        Identity,
        Kind::MissingElement,
        "Statement",
    );
}

#[test]
fn empty_lists_are_refused() {
    refuses(
        &json!({"Version": "2012-10-17", "Statement": []}),
        Identity,
        Kind::Empty,
        "Statement",
    );
    refuses(&action(json!([])), Identity, Kind::Empty, "Statement[0].Action");
    refuses(
        &get_object(json!([])),
        Identity,
        Kind::Empty,
        "Statement[0].Resource",
    );
    let path = "Statement[0].Condition.StringEquals";
    refuses(
        &condition(json!({"StringEquals": {}})),
        Identity,
        Kind::Empty,
        path,
    );
}

#[test]
fn characters_outside_of_latin_1_are_named() {
    for (text, code) in [
        ("arn:aws:s3:::b/\u{200b}a", "U+200B"),
        ("arn:aws:s3:::b/\u{202e}a", "U+202E"),
        ("arn:aws:s3:::b/\u{0}", "U+0000"),
        ("arn:aws:s3:::b/\u{1f512}", "U+1F512"),
    ] {
        let message = refuses(
            &get_object(json!(text)),
            Identity,
            Kind::Character,
            "Statement[0].Resource[0]",
        );
        assert!(message.contains(code), "{message}");
    }
    accepts(&get_object(json!("arn:aws:s3:::b/é ÿ")), Identity);
    let key = condition(json!({"StringEquals": {"aws:user\u{200d}name": "x"}}));
    let path = "Statement[0].Condition.StringEquals.aws:user\u{200d}name";
    refuses(&key, Identity, Kind::Character, path);
}

#[test]
fn sids_are_alphanumeric_and_unique_in_iam() {
    let with = |sids: [&str; 2]| {
        let one = |sid: &str| json!({"Sid": sid, "Effect": "Allow", "Action": "s3:*", "Resource": "*"});
        json!({"Version": "2012-10-17", "Statement": [one(sids[0]), one(sids[1])]})
    };
    accepts(&with(["A", "a"]), Identity);
    accepts(&with(["", ""]), Identity);
    refuses(&with(["A", "A"]), Identity, Kind::Sid, "Statement[1].Sid");
    refuses(&with(["A b", "A"]), Identity, Kind::Sid, "Statement[0].Sid");
}
