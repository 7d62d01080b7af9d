//! The evaluator, line by line of the AWS guide.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use deputy_policy::{
    AccessDecision, Caller, Context, Document, Layer, Layers, PolicyKind, Request, StatementRef, evaluate,
    evaluate_trust,
};
use serde_json::{Value, json};

fn identity(statements: Value) -> Document {
    document(statements, PolicyKind::Identity)
}

fn document(statements: Value, kind: PolicyKind) -> Document {
    Document::from_value(&json!({"Version": "2012-10-17", "Statement": statements}), kind).unwrap()
}

fn request(action: &str, resource: &str, context: Context) -> Request {
    Request {
        action: action.to_owned(),
        resource: resource.to_owned(),
        principal: None,
        context,
    }
}

fn allowed(document: &Document, action: &str, resource: &str, context: Context) -> bool {
    let layers = Layers {
        identity: &[document],
        ..Layers::default()
    };
    evaluate(&layers, &request(action, resource, context)).is_allowed()
}

/// Whether one condition holds in a context.
fn holds(condition: Value, context: Context) -> bool {
    let policy = identity(json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}));
    allowed(&policy, "s3:GetObject", "arn:aws:s3:::b/o", context)
}

fn resource_matches(pattern: &str, resource: &str) -> bool {
    let policy = identity(json!({"Effect": "Allow", "Action": "*", "Resource": pattern}));
    allowed(&policy, "s3:GetObject", resource, Context::new())
}

fn none() -> Context {
    Context::new()
}

/// The user policy of the guide's `productionapp` example.
fn productionapp() -> Document {
    identity(json!([
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::productionapp"},
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
         "Resource": "arn:aws:s3:::productionapp/*"},
    ]))
}

#[test]
fn a_session_policy_that_leaves_out_delete_object_drops_it() {
    let user = productionapp();
    let session = document(
        json!([
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::productionapp"},
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::productionapp/*"},
        ]),
        PolicyKind::Session,
    );
    let (identity, session) = ([&user], [&session]);
    let without = Layers {
        identity: &identity,
        ..Layers::default()
    };
    let with = Layers {
        session: Some(&session),
        ..without
    };
    let delete = request("s3:DeleteObject", "arn:aws:s3:::productionapp/a", none());
    let get = request("s3:GetObject", "arn:aws:s3:::productionapp/a", none());
    assert!(evaluate(&without, &delete).is_allowed());
    assert!(evaluate(&with, &get).is_allowed());
    let refused = evaluate(&with, &delete);
    assert_eq!(
        (refused.decision, refused.reason.layer),
        (AccessDecision::ImplicitDeny, Layer::Session)
    );
}

#[test]
fn a_session_has_the_intersection_of_user_and_session_policy() {
    let user = productionapp();
    let session = document(
        json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}),
        PolicyKind::Session,
    );
    let layers = Layers {
        identity: &[&user],
        session: Some(&[&session]),
        boundary: None,
    };
    assert!(
        evaluate(
            &layers,
            &request("s3:GetObject", "arn:aws:s3:::productionapp/a", none())
        )
        .is_allowed()
    );
    assert!(!evaluate(&layers, &request("s3:GetObject", "arn:aws:s3:::other/a", none())).is_allowed());
    assert!(
        !evaluate(
            &layers,
            &request("s3:CreateBucket", "arn:aws:s3:::productionapp", none())
        )
        .is_allowed()
    );
}

#[test]
fn an_empty_list_of_session_policies_allows_nothing() {
    let user = productionapp();
    let layers = Layers {
        identity: &[&user],
        session: Some(&[]),
        boundary: None,
    };
    assert!(
        !evaluate(
            &layers,
            &request("s3:GetObject", "arn:aws:s3:::productionapp/a", none())
        )
        .is_allowed()
    );
    assert!(!evaluate(&Layers::default(), &request("s3:GetObject", "*", none())).is_allowed());
}

#[test]
fn a_boundary_must_allow_too() {
    let user = identity(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}));
    let boundary = document(
        json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}),
        PolicyKind::Boundary,
    );
    let layers = Layers {
        identity: &[&user],
        boundary: Some(&boundary),
        session: None,
    };
    assert!(evaluate(&layers, &request("s3:GetObject", "*", none())).is_allowed());
    let refused = evaluate(&layers, &request("ec2:RunInstances", "*", none()));
    assert_eq!(
        (refused.decision, refused.reason.layer),
        (AccessDecision::ImplicitDeny, Layer::Boundary)
    );
}

#[test]
fn an_explicit_deny_of_any_layer_wins_and_is_named() {
    let user = identity(json!({"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}));
    let deny = json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Sid": "NoDelete", "Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"},
    ]);
    let session = document(deny, PolicyKind::Session);
    let layers = Layers {
        identity: &[&user],
        session: Some(&[&session]),
        boundary: None,
    };
    let refused = evaluate(&layers, &request("s3:DeleteObject", "*", none()));
    assert_eq!(
        (refused.decision, refused.reason.layer),
        (AccessDecision::ExplicitDeny, Layer::Session)
    );
    assert_eq!(
        (refused.reason.statement, refused.reason.sid.as_deref()),
        (
            Some(StatementRef {
                document: 0,
                statement: 1
            }),
            Some("NoDelete")
        )
    );
    assert_eq!(
        refused.to_string(),
        "denied by statement 1 of session policy document 0 (Sid NoDelete)"
    );
}

#[test]
fn the_policies_of_an_identity_are_a_union() {
    let (a, b) = (
        identity(json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})),
        identity(json!({"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"})),
    );
    let layers = Layers {
        identity: &[&a, &b],
        ..Layers::default()
    };
    assert!(evaluate(&layers, &request("s3:GetObject", "*", none())).is_allowed());
    assert_eq!(
        evaluate(&layers, &request("s3:PutObject", "*", none())).decision,
        AccessDecision::ExplicitDeny
    );
}

#[test]
fn actions_have_no_case_and_question_marks_are_one_character() {
    let policy =
        identity(json!({"Effect": "Allow", "Action": ["s3:get?bject", "IAM:*Role"], "Resource": "*"}));
    for action in ["s3:GetObject", "S3:GETOBJECT", "iam:CreateRole", "iam:Role"] {
        assert!(allowed(&policy, action, "*", none()), "{action}");
    }
    for action in ["s3:Getbject", "s3:GetOObject", "iam:CreateRoles", "s3:Role"] {
        assert!(!allowed(&policy, action, "*", none()), "{action}");
    }
}

#[test]
fn not_action_and_not_resource_are_complements() {
    let policy = identity(
        json!({"Effect": "Allow", "NotAction": ["iam:*", "sts:AssumeRole"],
        "NotResource": ["arn:aws:s3:::secret", "arn:aws:s3:::secret/*"]}),
    );
    assert!(allowed(&policy, "s3:GetObject", "arn:aws:s3:::open/a", none()));
    assert!(allowed(&policy, "ec2:DescribeInstances", "*", none()));
    assert!(!allowed(&policy, "IAM:GetRole", "arn:aws:s3:::open/a", none()));
    assert!(!allowed(&policy, "sts:assumerole", "*", none()));
    assert!(!allowed(&policy, "s3:GetObject", "arn:aws:s3:::secret/a", none()));
}

#[test]
fn resource_wildcards_cross_slashes() {
    let pattern = "arn:aws:s3:::b/*/test/*";
    for key in [
        "b/1/test/object.jpg",
        "b/1///test///o",
        "b//test/o",
        "b/1/test/",
        "b/1/2/test/o",
    ] {
        assert!(resource_matches(pattern, &format!("arn:aws:s3:::{key}")), "{key}");
    }
    for key in ["b/1-test/o", "b/test/o", "b/1/2/test.jpg"] {
        assert!(
            !resource_matches(pattern, &format!("arn:aws:s3:::{key}")),
            "{key}"
        );
    }
    assert!(resource_matches("arn:aws:s3:::b/??", "arn:aws:s3:::b/aé"));
    assert!(!resource_matches("arn:aws:s3:::b/??", "arn:aws:s3:::b/a"));
    assert!(!resource_matches("arn:aws:s3:::B/*", "arn:aws:s3:::b/a"));
}

#[test]
fn wildcards_of_the_first_five_parts_stay_in_their_part() {
    let pattern = "arn:aws:ecs:*:*:cluster/x";
    assert!(resource_matches(
        pattern,
        "arn:aws:ecs:us-east-1:123456789012:cluster/x"
    ));
    assert!(resource_matches(pattern, "arn:aws:ecs:::cluster/x"));
    assert!(!resource_matches(pattern, "arn:aws:ecs:a:b:service:cluster/x"));
    assert!(resource_matches(
        "arn:aws:states:*:*:execution:*",
        "arn:aws:states:a:b:execution:c:d:e"
    ));
    assert!(resource_matches(
        "arn:aws:ec2:*:*:*/*",
        "arn:aws:ec2:r:a:instance/i"
    ));
    assert!(!resource_matches("arn:aws:s3:::*", "*"));
    assert!(resource_matches("*", "*"));
}

#[test]
fn variables_take_their_value_from_the_context() {
    let pattern = "arn:aws:s3:::home/${aws:username}/*";
    let policy = identity(json!({"Effect": "Allow", "Action": "*", "Resource": pattern}));
    let get = |key: &str, context| {
        allowed(
            &policy,
            "s3:GetObject",
            &format!("arn:aws:s3:::home/{key}"),
            context,
        )
    };
    let bob = || none().with("AWS:UserName", "bob");
    assert!(get("bob/a", bob()));
    assert!(!get("alice/a", bob()));
    assert!(
        !get("bob/a", none()),
        "without a value the resource matches nothing"
    );
    assert!(!get("bob/a", none().with_many("aws:username", ["bob", "carol"])));
    assert!(
        !get("bob/a", none().with("aws:username", "*")),
        "a wildcard in a value is a character"
    );
    assert!(get("*/a", none().with("aws:username", "*")));
}

#[test]
fn defaults_and_literals_of_variables() {
    let pattern = "arn:aws:s3:::b/${aws:PrincipalTag/team, 'company-wide'}/${*}${?}${$}";
    let policy = identity(json!({"Effect": "Allow", "Action": "*", "Resource": pattern}));
    let get =
        |key: &str, context| allowed(&policy, "s3:GetObject", &format!("arn:aws:s3:::b/{key}"), context);
    assert!(get("company-wide/*?$", none()));
    assert!(get("red/*?$", none().with("aws:PrincipalTag/Team", "red")));
    assert!(!get("red/aa$", none().with("aws:PrincipalTag/Team", "red")));
}

#[test]
fn variables_are_text_in_the_old_version() {
    let policy = json!({"Version": "2008-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "*",
        "Resource": "arn:aws:s3:::b/${aws:username}"}});
    let policy = Document::from_value(&policy, PolicyKind::Resource).unwrap();
    let ask = |resource: &str| {
        let mut request = request("s3:GetObject", resource, none().with("aws:username", "bob"));
        request.principal = Caller::parse("arn:aws:iam::123456789012:user/bob").ok();
        let layers = Layers {
            identity: &[&policy],
            ..Layers::default()
        };
        evaluate(&layers, &request).is_allowed()
    };
    assert!(ask("arn:aws:s3:::b/${aws:username}"));
    assert!(!ask("arn:aws:s3:::b/bob"));
}

#[test]
fn operators_and_keys_are_anded_and_values_ored() {
    let condition = || json!({"StringEquals": {"a:x": ["1", "2"], "a:y": "3"}, "Bool": {"a:z": "true"}});
    let all = || none().with("a:x", "2").with("a:y", "3").with("a:z", "TRUE");
    assert!(holds(condition(), all()));
    assert!(!holds(condition(), all().with("a:x", "3")));
    assert!(!holds(condition(), all().with("a:y", "1")));
    assert!(!holds(condition(), all().with("a:z", "false")));
}

#[test]
fn several_values_of_a_negated_operator_are_nor() {
    let condition = || json!({"StringNotEquals": {"a:x": ["1", "2"]}});
    assert!(!holds(condition(), none().with("a:x", "1")));
    assert!(!holds(condition(), none().with("a:x", "2")));
    assert!(holds(condition(), none().with("a:x", "3")));
}

#[test]
fn a_missing_key_fails_positive_and_passes_negated_operators() {
    let value = |operator: &str| match operator {
        o if o.starts_with("Numeric") => "5",
        o if o.starts_with("Date") => "2020-01-01",
        o if o.contains("Ip") => "10.0.0.0/8",
        o if o.starts_with("Arn") => "arn:aws:s3:::b",
        o if o.starts_with("Binary") => "YWJj",
        "Bool" => "true",
        _ => "x",
    };
    let missing = |operator: String, base: &str| holds(json!({operator: {"a:k": value(base)}}), none());
    for operator in [
        "StringEquals",
        "StringEqualsIgnoreCase",
        "StringLike",
        "NumericEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
        "DateEquals",
        "DateLessThan",
        "DateLessThanEquals",
        "DateGreaterThan",
        "DateGreaterThanEquals",
        "Bool",
        "BinaryEquals",
        "IpAddress",
        "ArnEquals",
        "ArnLike",
    ] {
        assert!(!missing(operator.to_owned(), operator), "{operator}");
        assert!(
            missing(format!("{operator}IfExists"), operator),
            "{operator}IfExists"
        );
        assert!(
            missing(format!("ForAllValues:{operator}"), operator),
            "ForAllValues:{operator}"
        );
        assert!(
            !missing(format!("ForAnyValue:{operator}"), operator),
            "ForAnyValue:{operator}"
        );
    }
    for operator in [
        "StringNotEquals",
        "StringNotEqualsIgnoreCase",
        "StringNotLike",
        "NumericNotEquals",
        "DateNotEquals",
        "NotIpAddress",
        "ArnNotEquals",
        "ArnNotLike",
    ] {
        assert!(missing(operator.to_owned(), operator), "{operator}");
        assert!(
            missing(format!("{operator}IfExists"), operator),
            "{operator}IfExists"
        );
        assert!(
            missing(format!("ForAllValues:{operator}"), operator),
            "ForAllValues:{operator}"
        );
        assert!(
            !missing(format!("ForAnyValue:{operator}"), operator),
            "ForAnyValue:{operator}"
        );
    }
}

#[test]
fn if_exists_does_not_change_a_key_that_is_there() {
    assert!(!holds(
        json!({"StringEqualsIfExists": {"a:k": "x"}}),
        none().with("a:k", "y")
    ));
    assert!(!holds(
        json!({"StringNotEqualsIfExists": {"a:k": "x"}}),
        none().with("a:k", "x")
    ));
}

#[test]
fn null_asks_for_absence() {
    let null = |value: &str| json!({"Null": {"a:k": value}});
    assert!(holds(null("true"), none()));
    assert!(!holds(null("true"), none().with("a:k", "")));
    assert!(holds(null("false"), none().with("a:k", "x")));
    assert!(!holds(null("false"), none()));
    assert!(holds(json!({"Null": {"a:k": ["true", "false"]}}), none()));
}

#[test]
fn multi_factor_age_absent_is_not_false() {
    assert!(!holds(
        json!({"Bool": {"aws:MultiFactorAuthPresent": "false"}}),
        none()
    ));
    assert!(holds(
        json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}),
        none()
    ));
}

#[test]
fn string_operators() {
    let is = |operator: &str, policy: &str, value: &str| {
        holds(json!({operator: {"a:k": policy}}), none().with("a:k", value))
    };
    assert!(is("StringEquals", "a*", "a*") && !is("StringEquals", "a*", "ab"));
    assert!(is("StringEqualsIgnoreCase", "StraÉ", "sTRAé") && !is("StringEquals", "a", "A"));
    assert!(is("StringNotEqualsIgnoreCase", "a", "b") && !is("StringNotEqualsIgnoreCase", "a", "A"));
    assert!(is("StringLike", "a*c?", "abbcd") && !is("StringLike", "a*c?", "abbc"));
    assert!(is("StringNotLike", "a*", "b") && !is("StringNotLike", "a*", "ab"));
    assert!(is("StringLike", "a${*}", "a*") && !is("StringLike", "a${*}", "ab"));
    assert!(is("StringLike", "*", ""));
}

#[test]
fn variables_in_condition_values() {
    let condition = |operator: &str| json!({operator: {"s3:prefix": ["shared/*", "${aws:username}/*"]}});
    let context = |prefix: &str| none().with("s3:prefix", prefix);
    assert!(holds(
        condition("StringLike"),
        context("bob/x").with("aws:username", "bob")
    ));
    assert!(!holds(
        condition("StringLike"),
        context("bob/x").with("aws:username", "carol")
    ));
    assert!(!holds(condition("StringLike"), context("bob/x")));
    assert!(holds(condition("StringNotLike"), context("bob/x")));
    assert!(holds(condition("StringLike"), context("shared/x")));
}

#[test]
fn numbers_are_exact_decimals() {
    let is = |operator: &str, policy: &str, value: &str| {
        holds(json!({operator: {"a:k": policy}}), none().with("a:k", value))
    };
    assert!(is("NumericEquals", "1.50", "1.5") && is("NumericEquals", "10", "010"));
    assert!(!is("NumericEquals", "0.1", "0.1000000000000001"));
    assert!(is("NumericLessThan", "5", "4.999") && !is("NumericLessThan", "5", "5"));
    assert!(is("NumericLessThanEquals", "5", "5") && is("NumericGreaterThan", "-5", "-4"));
    assert!(is("NumericGreaterThanEquals", "5", "5") && is("NumericNotEquals", "5", "6"));
    assert!(!is("NumericEquals", "5", "abc") && !is("NumericLessThan", "5", ""));
    assert!(holds(
        json!({"NumericLessThan": {"a:k": ["1", "9"]}}),
        none().with("a:k", "5")
    ));
}

#[test]
fn dates_compare_as_instants() {
    let is = |operator: &str, policy: &str, value: &str| {
        holds(json!({operator: {"a:k": policy}}), none().with("a:k", value))
    };
    assert!(is("DateEquals", "2020-01-01T00:00:00Z", "1577836800"));
    assert!(is("DateEquals", "2020-01", "2020-01-01") && is("DateEquals", "2020-01", "2020-01-01T00:00Z"));
    // The year or seconds since 1970: AWS does not say.
    assert!(!is("DateEquals", "2020-01-01", "2020") && !is("DateEquals", "1970-01-01T00:33:40Z", "2020"));
    assert!(is(
        "DateEquals",
        "2020-01-01T01:00:00+01:00",
        "2020-01-01T00:00:00.000Z"
    ));
    assert!(is(
        "DateLessThan",
        "2020-02-29T12:00:00Z",
        "2020-02-29T11:59:59.9Z"
    ));
    assert!(
        is("DateGreaterThan", "2020-02-28", "2020-02-29")
            && !is("DateGreaterThan", "2020-03-01", "2020-02-29")
    );
    assert!(is("DateNotEquals", "2020-01-01", "2020-01-02"));
    assert!(!is("DateLessThan", "2020-01-01", "2021-13-01"));
}

#[test]
fn addresses_match_ranges_of_their_family() {
    let is = |operator: &str, policy: &str, value: &str| {
        holds(
            json!({operator: {"aws:SourceIp": policy}}),
            none().with("aws:SourceIp", value),
        )
    };
    assert!(
        is("IpAddress", "203.0.113.0/24", "203.0.113.7") && !is("IpAddress", "203.0.113.0/24", "203.0.114.7")
    );
    assert!(is("IpAddress", "203.0.113.7", "203.0.113.7") && is("IpAddress", "0.0.0.0/0", "1.2.3.4"));
    assert!(is(
        "IpAddress",
        "2001:DB8:1234:5678::/64",
        "2001:db8:1234:5678::1"
    ));
    assert!(!is("IpAddress", "::/0", "1.2.3.4") && !is("IpAddress", "0.0.0.0/0", "::1"));
    assert!(is("NotIpAddress", "10.0.0.0/8", "11.0.0.1") && !is("NotIpAddress", "10.0.0.0/8", "10.1.2.3"));
}

#[test]
fn binary_values_compare_as_bytes() {
    let is = |value: &str| {
        holds(
            json!({"BinaryEquals": {"a:k": "QmluYXJ5"}}),
            none().with("a:k", value),
        )
    };
    assert!(is("QmluYXJ5") && !is("QmluYXJ6") && !is("Binary?"));
}

#[test]
fn arn_like_does_not_cross_parts_and_string_like_does() {
    let pattern = "arn:aws:someservice:*:111122223333:finance/*";
    let value = "arn:aws:someservice:us-east-1:and:more:111122223333:finance/x";
    let is = |operator: &str, value: &str| {
        holds(
            json!({operator: {"aws:SourceArn": pattern}}),
            none().with("aws:SourceArn", value),
        )
    };
    assert!(is("StringLike", value) && !is("ArnLike", value) && !is("ArnEquals", value));
    assert!(is(
        "ArnEquals",
        "arn:aws:someservice:us-east-1:111122223333:finance/a:b/c"
    ));
    assert!(is("ArnNotLike", value) && !is("ArnLike", "not an arn"));
    assert!(!is(
        "ArnLike",
        "arn:aws:someservice:us-east-1:111122223333:Finance/x"
    ));
}

#[test]
fn set_operators_look_at_every_value() {
    let is = |operator: &str, values: &[&str]| {
        let context = none().with_many("aws:TagKeys", values.iter().copied());
        holds(json!({operator: {"aws:TagKeys": ["a", "b"]}}), context)
    };
    assert!(is("ForAllValues:StringEquals", &["a", "b"]) && !is("ForAllValues:StringEquals", &["a", "c"]));
    assert!(is("ForAllValues:StringEquals", &[]) && !is("ForAnyValue:StringEquals", &[]));
    assert!(is("ForAnyValue:StringEquals", &["c", "a"]) && !is("ForAnyValue:StringEquals", &["c"]));
    assert!(
        is("ForAllValues:StringNotEquals", &["c", "d"]) && !is("ForAllValues:StringNotEquals", &["c", "a"])
    );
    assert!(
        is("ForAnyValue:StringNotEquals", &["c", "a"]) && !is("ForAnyValue:StringNotEquals", &["a", "b"])
    );
}

#[test]
fn several_values_without_a_set_operator_do_not_match() {
    let two = || none().with_many("a:k", ["x", "y"]);
    assert!(!holds(json!({"StringEquals": {"a:k": "x"}}), two()));
    assert!(!holds(json!({"StringNotEquals": {"a:k": "z"}}), two()));
}

#[test]
fn condition_keys_have_no_case_tag_names_included() {
    let condition = json!({"StringEquals": {"aws:RequestTag/Team": "x"}});
    assert!(holds(condition, none().with("AWS:requesttag/TEAM", "x")));
}

#[test]
fn an_empty_value_is_not_a_missing_one() {
    assert!(holds(
        json!({"StringEquals": {"a:k": ""}}),
        none().with("a:k", "")
    ));
    assert!(!holds(
        json!({"StringEqualsIfExists": {"a:k": "x"}}),
        none().with("a:k", "")
    ));
}

/// A trust policy as Deputy compiles it: the issuer's account, narrowed to the issuer and to one binding.
fn binding_trust() -> Document {
    let issuer = json!({"aws:PrincipalArn": "arn:aws:iam::123456789012:role/deputy-broker"});
    let tags =
        json!({"aws:RequestTag/deputy-namespace": "payments", "aws:RequestTag/deputy-cluster": "prod"});
    let mut assume = tags.as_object().unwrap().clone();
    assume.insert(
        "sts:ExternalId".to_owned(),
        json!("prod/payments/AWSRole/uploader"),
    );
    document(
        json!([
            {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole",
             "Condition": {"ArnEquals": issuer, "StringEquals": assume}},
            {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:TagSession",
             "Condition": {"ArnEquals": issuer, "StringEquals": tags}},
        ]),
        PolicyKind::Trust,
    )
}

fn broker(action: &str, context: Context) -> Request {
    Request {
        action: action.to_owned(),
        resource: "arn:aws:iam::123456789012:role/deputy/prod/uploader".to_owned(),
        principal: Caller::parse("arn:aws:sts::123456789012:assumed-role/deputy-broker/session").ok(),
        context,
    }
}

fn broker_context() -> Context {
    none()
        .with("aws:PrincipalArn", "arn:aws:iam::123456789012:role/deputy-broker")
        .with("sts:ExternalId", "prod/payments/AWSRole/uploader")
        .with("aws:RequestTag/deputy-namespace", "payments")
        .with("aws:RequestTag/deputy-cluster", "prod")
}

#[test]
fn our_trust_policy_lets_the_issuer_in_with_everything_right() {
    let trust = binding_trust();
    assert!(evaluate_trust(&trust, &broker("sts:AssumeRole", broker_context())).is_allowed());
    assert!(evaluate_trust(&trust, &broker("sts:TagSession", broker_context())).is_allowed());
}

#[test]
fn our_trust_policy_refuses_a_confused_broker() {
    let trust = binding_trust();
    for (key, wrong) in [
        ("sts:ExternalId", "prod/other/AWSRole/uploader"),
        ("aws:RequestTag/deputy-namespace", "other"),
        ("aws:RequestTag/deputy-cluster", "test"),
        (
            "aws:PrincipalArn",
            "arn:aws:iam::123456789012:role/deputy-broker2",
        ),
    ] {
        let request = broker("sts:AssumeRole", broker_context().with(key, wrong));
        let refused = evaluate_trust(&trust, &request);
        assert_eq!(
            (refused.decision, refused.reason.layer),
            (AccessDecision::ImplicitDeny, Layer::Trust),
            "{key}"
        );
    }
    assert!(!evaluate_trust(&trust, &broker("sts:AssumeRole", none())).is_allowed());
    assert!(!evaluate_trust(&trust, &broker("sts:SetSourceIdentity", broker_context())).is_allowed());
}

#[test]
fn principals_match_as_the_guide_says() {
    let trusts = |principal: Value, caller: &str| {
        let statement = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
        let trust = document(statement, PolicyKind::Trust);
        let mut request = request("sts:AssumeRole", "arn:aws:iam::123456789012:role/r", none());
        request.principal = Some(Caller::parse(caller).unwrap());
        evaluate_trust(&trust, &request).is_allowed()
    };
    let session = "arn:aws:sts::123456789012:assumed-role/app/s1";
    let user = "arn:aws:iam::123456789012:user/team/bob";
    let aws = |arn: &str| json!({"AWS": arn});
    for principal in ["123456789012", "arn:aws:iam::123456789012:root"] {
        assert!(
            trusts(aws(principal), session) && trusts(aws(principal), user),
            "{principal}"
        );
        assert!(
            !trusts(aws(principal), "arn:aws:iam::999999999999:user/bob"),
            "{principal}"
        );
    }
    assert!(
        trusts(aws("arn:aws:iam::123456789012:role/path/app"), session),
        "the role's path is not in the session"
    );
    assert!(trusts(
        aws("arn:aws:iam::123456789012:role/app"),
        "arn:aws:iam::123456789012:role/app"
    ));
    assert!(!trusts(aws("arn:aws:iam::123456789012:role/app2"), session));
    assert!(!trusts(aws("arn:aws:iam::999999999999:role/app"), session));
    assert!(!trusts(aws("arn:aws-cn:iam::123456789012:role/app"), session));
    assert!(!trusts(aws("arn:aws:iam::123456789012:user/app"), session));
    assert!(trusts(aws(session), session));
    assert!(!trusts(
        aws(session),
        "arn:aws:sts::123456789012:assumed-role/app/s2"
    ));
    assert!(trusts(aws(user), user) && !trusts(aws(user), "arn:aws:iam::123456789012:user/team/Bob"));
    assert!(
        !trusts(aws("AIDAEXAMPLEEXAMPLEEXA"), user),
        "a unique id stands for a deleted principal"
    );
    assert!(trusts(json!("*"), user) && trusts(aws("*"), session));
    assert!(trusts(
        json!({"Service": "ec2.amazonaws.com"}),
        "ec2.amazonaws.com"
    ));
    assert!(!trusts(
        json!({"Service": "ec2.amazonaws.com"}),
        "ecs.amazonaws.com"
    ));
}

#[test]
fn a_deny_only_trust_policy_lets_nobody_in() {
    let trust = document(
        json!({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}),
        PolicyKind::Trust,
    );
    assert_eq!(
        evaluate_trust(&trust, &broker("sts:AssumeRole", broker_context())).decision,
        AccessDecision::ExplicitDeny
    );
    assert_eq!(
        evaluate_trust(&trust, &broker("sts:TagSession", broker_context())).decision,
        AccessDecision::ImplicitDeny
    );
}

#[test]
fn a_trust_policy_without_caller_lets_nobody_in() {
    let mut request = broker("sts:AssumeRole", broker_context());
    request.principal = None;
    assert!(!evaluate_trust(&binding_trust(), &request).is_allowed());
}

#[test]
fn adversarial_patterns_are_matched_in_reasonable_time() {
    let pattern = format!("arn:aws:s3:::{}b", "a*".repeat(2000));
    assert!(!resource_matches(
        &pattern,
        &format!("arn:aws:s3:::{}", "a".repeat(10_000))
    ));
}
