//! What documents are accepted, and what is said about those that are not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use deputy_policy::{
    Condition, Document, Effect, ParseErrorKind, PolicyKind, Principal, PrincipalElement, ResourceElement,
    Statement, Test, Version,
};
use serde_json::{Value, json};

/// An identity policy of one statement.
fn statement(statement: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

fn get_object(resource: Value) -> Value {
    statement(json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource}))
}

fn action(action: Value) -> Value {
    statement(json!({"Effect": "Allow", "Action": action, "Resource": "*"}))
}

fn condition(condition: Value) -> Value {
    statement(json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": condition}))
}

fn trust(principal: Value) -> Value {
    statement(json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}))
}

#[track_caller]
fn accepts(value: &Value, kind: PolicyKind) -> Document {
    let document = Document::from_value(value, kind).unwrap_or_else(|e| panic!("{value} is refused: {e}"));
    let again = Document::parse(&document.to_json(), kind).unwrap();
    assert_eq!(again, document, "the canonical form means the same");
    document
}

/// The document has one problem, of this kind, at this path.
#[track_caller]
fn refuses(value: &Value, kind: PolicyKind, problem: ParseErrorKind, path: &str) -> String {
    let errors = Document::from_value(value, kind).expect_err(&format!("{value} is accepted"));
    let first = &errors.as_slice()[0];
    assert_eq!((first.kind(), first.path()), (problem, path), "{errors}");
    assert_eq!(errors.as_slice().len(), 1, "{errors}");
    first.message().to_owned()
}

fn refuses_text(text: &str, problem: ParseErrorKind, path: &str) {
    let errors = Document::parse(text, PolicyKind::Identity).expect_err("accepted");
    let found: Vec<_> = errors.iter().map(|e| (e.kind(), e.path())).collect();
    assert!(found.contains(&(problem, path)), "{errors}");
}

use ParseErrorKind as Kind;
use PolicyKind::{Boundary, Identity, Resource, Session};

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
fn the_version_must_be_2012_except_for_resource_policies_and_trust_policies() {
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
    let path = "Statement[0].Condition.StringEquals.aws:username";
    refuses(
        &condition(json!({"StringEquals": {"aws:username": []}})),
        Identity,
        Kind::Empty,
        path,
    );
}

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
    ] {
        accepts(&get_object(json!(good)), Identity);
    }
    for bad in [
        "",
        "bucket",
        "arn:aws:s3:::",
        "aws:s3:::example_bucket",
        "arn:aws:s3:bucket",
        "arn:aws:*:::x",
        "arn:aws:s?:::x",
        "arn:aw*:s3:::x",
        "arn:aws:ec2:us-*:*:instance/*",
        "arn:aws:ec2:*:12345678901?:instance/*",
        "arn:aws:s3::${aws:PrincipalAccount}:x",
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
fn a_variable_in_not_resource_needs_a_default() {
    let with = |text: &str| statement(json!({"Effect": "Deny", "Action": "s3:*", "NotResource": text}));
    refuses(
        &with("arn:aws:s3:::${aws:username}"),
        Identity,
        Kind::Resource,
        "Statement[0].NotResource[0]",
    );
    accepts(&with("arn:aws:s3:::${aws:username, 'none'}"), Identity);
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

#[test]
fn operators_are_known_and_null_stands_alone() {
    let with = |operator: &str| condition(json!({operator: {"aws:username": "true"}}));
    for good in [
        "StringEquals",
        "StringLikeIfExists",
        "ForAllValues:StringNotLike",
        "ForAnyValue:StringEqualsIfExists",
    ] {
        accepts(&with(good), Identity);
    }
    for bad in [
        "stringEquals",
        "StringEqual",
        "NullIfExists",
        "ForAnyValue:Null",
        "ForSomeValues:StringEquals",
        "",
    ] {
        let path = format!("Statement[0].Condition.{bad}");
        refuses(&with(bad), Identity, Kind::Operator, &path);
    }
}

#[test]
fn unquoted_account_ids_are_refused() {
    for operator in [
        "StringEquals",
        "StringLike",
        "ArnLike",
        "Bool",
        "IpAddress",
        "BinaryEquals",
        "Null",
    ] {
        let value = condition(json!({operator: {"aws:PrincipalAccount": 12_345_678_901_u64}}));
        let path = format!("Statement[0].Condition.{operator}.aws:PrincipalAccount");
        refuses(&value, Identity, Kind::ConditionValue, &path);
    }
    accepts(
        &condition(json!({"NumericLessThan": {"aws:MultiFactorAuthAge": 3600}})),
        Identity,
    );
    accepts(
        &condition(json!({"NumericLessThan": {"aws:MultiFactorAuthAge": 0.5}})),
        Identity,
    );
    accepts(
        &condition(json!({"DateLessThan": {"aws:CurrentTime": 1_700_000_000}})),
        Identity,
    );
    accepts(
        &condition(json!({"Bool": {"aws:SecureTransport": true}})),
        Identity,
    );
    let float = condition(json!({"DateLessThan": {"aws:CurrentTime": 1.5}}));
    refuses(
        &float,
        Identity,
        Kind::ConditionValue,
        "Statement[0].Condition.DateLessThan.aws:CurrentTime",
    );
}

#[test]
fn condition_values_fit_their_operator() {
    for (operator, value) in [
        ("NumericEquals", "one"),
        ("NumericEquals", "1e5"),
        ("DateEquals", "yesterday"),
        ("DateEquals", "2023-02-29"),
        ("Bool", "yes"),
        ("Bool", "${aws:username}"),
        ("Null", "maybe"),
        ("BinaryEquals", "???"),
        ("IpAddress", "10.0.0.0/33"),
        ("IpAddress", "10.0.0"),
        ("ArnLike", "*"),
        ("ArnEquals", "arn:aws:s3"),
        ("StringEquals", "${unclosed"),
        ("StringEquals", "${aws:TagKeys}"),
    ] {
        let value = condition(json!({operator: {"aws:SourceIp": value}}));
        let path = format!("Statement[0].Condition.{operator}.aws:SourceIp[0]");
        refuses(&value, Identity, Kind::ConditionValue, &path);
    }
}

#[test]
fn condition_keys_are_names_and_unique_without_case() {
    for key in ["username", "aws:user*", "aws:${aws:username}", " aws:username"] {
        let path = format!("Statement[0].Condition.StringEquals.{key}");
        refuses(
            &condition(json!({"StringEquals": {key: "x"}})),
            Identity,
            Kind::ConditionKey,
            &path,
        );
    }
    let twice = condition(json!({"StringEquals": {"aws:username": "a", "AWS:UserName": "b"}}));
    refuses(
        &twice,
        Identity,
        Kind::DuplicateKey,
        "Statement[0].Condition.StringEquals.aws:username",
    );
    accepts(
        &condition(json!({"StringEquals": {"oidc.eks.us-east-1.amazonaws.com/id/E:sub": "a"}})),
        Identity,
    );
}

#[test]
fn keys_with_several_values_need_a_set_operator() {
    let path = "Statement[0].Condition.StringEquals.aws:TagKeys";
    refuses(
        &condition(json!({"StringEquals": {"aws:TagKeys": "x"}})),
        Identity,
        Kind::Operator,
        path,
    );
    accepts(
        &condition(json!({"ForAllValues:StringEquals": {"aws:TagKeys": "x"}})),
        Identity,
    );
    accepts(&condition(json!({"Null": {"aws:TagKeys": "true"}})), Identity);
}

#[test]
fn principals_are_complete_and_without_wildcards() {
    for good in [
        json!("*"),
        json!({"AWS": "*"}),
        json!({"AWS": "123456789012"}),
        json!({"AWS": ["arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:user/a/b"]}),
        json!({"AWS": "arn:aws:sts::123456789012:assumed-role/r/s"}),
        json!({"AWS": "AROAEXAMPLEEXAMPLEEXA"}),
        json!({"Service": "ec2.amazonaws.com"}),
        json!({"Federated": "arn:aws:iam::123456789012:oidc-provider/example.com"}),
        json!({"Federated": "*"}),
        json!({"Federated": "arn:aws:iam::<ACCOUNT ID>:oidc-provider/MyProvider"}),
    ] {
        accepts(&trust(good), PolicyKind::Trust);
    }
    for (bad, name) in [
        (json!({"AWS": "arn:aws:iam::123456789012:role/*"}), "AWS"),
        (json!({"AWS": "12345678901"}), "AWS"),
        (json!({"AWS": "arn:aws:iam::123456789012:group/g"}), "AWS"),
        (json!({"AWS": "arn:aws:iam::123456789012:role/"}), "AWS"),
        (json!({"Service": "ec2"}), "Service"),
        (json!({"AWS": "arn:aws:iam::*:root"}), "AWS"),
        (json!({"Service": "*.amazonaws.com"}), "Service"),
        (
            json!({"Federated": "arn:aws:iam::123456789012:saml-provider/*"}),
            "Federated",
        ),
    ] {
        let path = format!("Statement[0].Principal.{name}[0]");
        refuses(&trust(bad), PolicyKind::Trust, Kind::Principal, &path);
    }
    refuses(
        &trust(json!({})),
        PolicyKind::Trust,
        Kind::Empty,
        "Statement[0].Principal",
    );
    refuses(
        &trust(json!({"aws": "x"})),
        PolicyKind::Trust,
        Kind::UnknownElement,
        "Statement[0].Principal.aws",
    );
    let with_resource =
        statement(json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*", "Resource": "*"}));
    refuses(
        &with_resource,
        PolicyKind::Trust,
        Kind::ForbiddenElement,
        "Statement[0].Resource",
    );
    let nobody = statement(json!({"Effect": "Allow", "Action": "sts:AssumeRole"}));
    refuses(
        &nobody,
        PolicyKind::Trust,
        Kind::MissingElement,
        "Statement[0].Principal",
    );
}

#[test]
fn documents_made_from_statements_pass_the_same_checks() {
    let statement = |resources: Vec<String>| Statement {
        sid: None,
        effect: Effect::Allow,
        principal: None,
        action: deputy_policy::ActionElement::Action(vec!["s3:GetObject".to_owned()]),
        resource: Some(ResourceElement::Resource(resources)),
        conditions: vec![
            Condition::new(Test::StringEquals, "aws:username", ["b", "a"]),
            Condition::new(Test::Bool, "aws:SecureTransport", ["true"]),
        ],
    };
    let make = |statements| Document::new(Version::V2012, statements, Identity);
    let document = make(vec![statement(vec!["*".to_owned()])]).unwrap();
    assert_eq!(Document::parse(&document.to_json(), Identity).unwrap(), document);
    assert_eq!(
        make(vec![statement(vec![])]).expect_err("accepted").category(),
        "Empty"
    );
    assert_eq!(
        make(vec![statement(vec!["x".to_owned()])])
            .expect_err("accepted")
            .category(),
        "Resource"
    );
    assert_eq!(make(vec![]).expect_err("accepted").category(), "Empty");
}

#[test]
fn the_canonical_form_is_compact_and_ordered() {
    let document = accepts(
        &json!({"Statement": {"Resource": ["*"], "Action": ["s3:GetObject", "s3:PutObject"], "Effect": "Allow",
            "Condition": {"StringEquals": {"b:k": ["x"], "a:k": "y"}, "Bool": {"aws:SecureTransport": true}}},
            "Version": "2012-10-17"}),
        Identity,
    );
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"},"StringEquals":{"a:k":"y","b:k":"x"}}}]}"#;
    assert_eq!(document.to_json(), text);
    assert_eq!(document.size(), text.len());
    assert_eq!(document.to_value(), serde_json::from_str::<Value>(text).unwrap());
}

#[test]
fn spelling_does_not_change_the_meaning() {
    let parse = |value: Value| accepts(&value, PolicyKind::Trust);
    let a = parse(json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "x", "Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": ["sts:AssumeRole", "sts:TagSession"],
         "Condition": {"StringEquals": {"aws:PrincipalTag/Team": ["a", "b"]}}},
        {"Effect": "Deny", "Principal": "*", "Action": "sts:SetSourceIdentity"},
    ]}));
    let b = parse(json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": ["STS:setsourceidentity"]},
        {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::123456789012:root"]},
         "Action": ["sts:TagSession", "sts:AssumeRole"],
         "Condition": {"StringEquals": {"aws:principaltag/team": ["b", "a"]}}},
    ]}));
    assert!(a.semantically_eq(&b));
    assert_ne!(a, b);
    let c = parse(json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": ["sts:AssumeRole", "sts:TagSession"]},
        {"Effect": "Deny", "Principal": "*", "Action": "sts:SetSourceIdentity"},
    ]}));
    assert!(!a.semantically_eq(&c));
}

#[test]
fn a_merge_keeps_every_statement_and_drops_clashing_sids() {
    let one = |sid: &str, name: &str| {
        accepts(
            &statement(
                json!({"Sid": sid, "Effect": "Allow", "Action": format!("s3:{name}"), "Resource": "*"}),
            ),
            Identity,
        )
    };
    let merged = Document::merge([
        &one("A", "GetObject"),
        &one("A", "PutObject"),
        &one("B", "ListBucket"),
    ])
    .unwrap();
    let sids: Vec<_> = merged.statements().iter().map(|s| s.sid.as_deref()).collect();
    assert_eq!(sids, [Some("A"), None, Some("B")]);
    assert!(Document::merge([]).is_err());
    let session = Document::from_value(&action(json!("s3:*")), Session).unwrap();
    assert!(Document::merge([&one("A", "GetObject"), &session]).is_err());
}

#[test]
fn principal_builders_make_what_the_parser_reads() {
    let document = accepts(&trust(json!({"AWS": ["123456789012"]})), PolicyKind::Trust);
    assert_eq!(
        document.statements()[0].principal,
        Some(PrincipalElement::Principal(Principal::aws(["123456789012"])))
    );
}
