//! Conditions: operators, keys and values.

use deputy_policy::{Code, lint};

use crate::support::*;

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
        ("ArnLike", "arn:*"),
        ("ArnLike", "**"),
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
fn what_engines_read_differently_is_read_and_warned_of() {
    for (value, code) in [
        (
            json!({"StringEquals": {"aws:TagKeys": "x"}}),
            Code::PlainOperatorOnListKey,
        ),
        (
            json!({"StringEquals": {"aws:username": []}}),
            Code::EmptyConditionValues,
        ),
        (json!({"Null": {"aws:username": []}}), Code::EmptyConditionValues),
    ] {
        let document = accepts(&condition(value), Identity);
        let found: Vec<Code> = lint(&document, None).iter().map(|lint| lint.code).collect();
        assert_eq!(found, [code]);
    }
    let sound = json!({"ForAnyValue:StringEquals": {"aws:TagKeys": "x"}, "Null": {"aws:TagKeys": "false"}});
    assert_eq!(lint(&accepts(&condition(sound), Identity), None), []);
}
