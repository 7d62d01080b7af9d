//! Pairs with which an independent review once had a wrong answer, or that differ from such a pair in spelling only, each
//! with the answers that are right. The certificate of every *contained* is checked, and every witness by the second
//! evaluator, whoever is meant and however the pair is read.

use deputy_policy::PolicyKind;
use deputy_policy_testing::expect::{
    May::{self, BeContained, NotBeContained, OnlyBeUnknown, OnlyExceed},
    hold,
};
use serde_json::{Value, json};

const BOB: &str = "arn:aws:iam::444455556666:user/bob";
const ACCOUNT: &str = "444455556666";
const ROOT: &str = "arn:aws:iam::444455556666:root";
const USER_ID: &str = "AIDAEXAMPLEOFAUSER01";
const ROLE_ID: &str = "AROAEXAMPLEOFAROLE01";
const CANONICAL: &str = "7be4dcbbb2ab5b6f7f6bd5f8c0c37a4eaf6ac5b5a8db2f4d6e3e1c0f9a8b7c6d";
const IDENTITY: &str = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E2EXAMPLE";

fn about(effect: &str, principal: &Value, action: &str) -> Value {
    json!({"Effect": effect, "Principal": principal, "Action": action, "Resource": "arn:aws:s3:::b/*"})
}

fn allow(principal: &Value) -> Value {
    about("Allow", principal, "s3:GetObject")
}

fn deny(principal: &Value) -> Value {
    about("Deny", principal, "s3:*")
}

fn resource(candidate: Vec<Value>, ceiling: Vec<Value>, may: May) {
    hold(PolicyKind::Resource, candidate, ceiling, may);
}

fn trust(candidate: &Value, ceiling: &Value, may: May) {
    let statement = |principal: &Value| {
        vec![json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})]
    };
    hold(PolicyKind::Trust, statement(candidate), statement(ceiling), may);
}

#[test]
fn a_unique_id_is_a_living_user_or_role() {
    for id in [USER_ID, ROLE_ID] {
        let one = json!({"AWS": id});
        trust(&one, &json!({"Service": "lambda.amazonaws.com"}), OnlyExceed);
        trust(&one, &json!({"AWS": BOB}), NotBeContained);
        trust(&one, &json!({"AWS": ACCOUNT}), NotBeContained);
        trust(&one, &one, BeContained);
        trust(&one, &json!({"AWS": [id, BOB]}), BeContained);
        trust(&one, &json!("*"), BeContained);
        trust(&json!({"AWS": BOB}), &one, NotBeContained);
        // In a Deny it may be anybody of its sort.
        let everybody = allow(&json!("*"));
        resource(
            vec![everybody.clone()],
            vec![everybody.clone(), deny(&one)],
            NotBeContained,
        );
        resource(
            vec![everybody.clone(), deny(&one)],
            vec![everybody.clone(), deny(&one)],
            BeContained,
        );
        let service = allow(&json!({"Service": "lambda.amazonaws.com"}));
        resource(
            vec![service.clone()],
            vec![everybody.clone(), deny(&one)],
            BeContained,
        );
        // To spare it is to spare somebody.
        let others =
            json!({"Effect": "Deny", "NotPrincipal": {"AWS": id}, "Action": "s3:*", "Resource": "*"});
        resource(vec![everybody.clone(), others], vec![service], NotBeContained);
    }
    let bob = allow(&json!({"AWS": BOB}));
    let account = allow(&json!({"AWS": ACCOUNT}));
    resource(
        vec![bob.clone()],
        vec![account.clone(), deny(&json!({"AWS": USER_ID}))],
        OnlyBeUnknown,
    );
    // The id of a role is nobody's who is a user.
    resource(
        vec![bob],
        vec![account, deny(&json!({"AWS": ROLE_ID}))],
        BeContained,
    );
}

#[test]
fn a_canonical_user_id_is_an_account_or_an_origin_access_identity() {
    let canonical = json!({"CanonicalUser": CANONICAL});
    let (account, everybody) = (json!({"AWS": ACCOUNT}), json!("*"));
    for (one, other) in [(&canonical, &account), (&account, &canonical)] {
        resource(
            vec![allow(one)],
            vec![allow(&everybody), deny(other)],
            OnlyBeUnknown,
        );
        resource(vec![allow(one)], vec![allow(other)], NotBeContained);
        resource(
            vec![allow(one), deny(other)],
            vec![allow(one), deny(other)],
            BeContained,
        );
    }
    resource(
        vec![allow(&json!({"AWS": BOB}))],
        vec![allow(&everybody), deny(&canonical)],
        OnlyBeUnknown,
    );
    resource(
        vec![allow(&json!({"AWS": IDENTITY}))],
        vec![allow(&everybody), deny(&canonical)],
        OnlyBeUnknown,
    );
    resource(
        vec![allow(&json!({"AWS": IDENTITY}))],
        vec![allow(&everybody), deny(&account)],
        BeContained,
    );
    let service = json!({"Service": "logging.s3.amazonaws.com"});
    resource(
        vec![allow(&service)],
        vec![allow(&everybody), deny(&canonical)],
        BeContained,
    );
}

#[test]
fn a_role_with_another_path_is_another_role() {
    let role = |path: &str| json!({"AWS": format!("arn:aws:iam::444455556666:role/{path}deploy")});
    trust(&role("blue/"), &role("green/"), OnlyExceed);
    trust(&role(""), &role("green/"), OnlyExceed);
    trust(&role("green/"), &role("green/"), BeContained);
    let everybody = allow(&json!("*"));
    resource(
        vec![everybody.clone(), deny(&role("blue/"))],
        vec![everybody, deny(&role("green/"))],
        NotBeContained,
    );
}

#[test]
fn an_account_is_the_same_by_number_and_by_arn() {
    let (number, arn) = (json!({"AWS": ACCOUNT}), json!({"AWS": ROOT}));
    for (a, b) in [(&number, &arn), (&arn, &number)] {
        trust(a, b, BeContained);
        resource(vec![allow(a)], vec![allow(b)], BeContained);
        resource(
            vec![allow(&json!({"AWS": BOB})), deny(a)],
            vec![allow(&json!("*")), deny(b)],
            BeContained,
        );
    }
    let china = json!({"AWS": "arn:aws-cn:iam::444455556666:root"});
    trust(&china, &number, BeContained);
    trust(&china, &arn, OnlyExceed);
}

fn when(effect: &str, condition: Value) -> Value {
    json!({"Effect": effect, "Action": "s3:GetObject", "Resource": "*", "Condition": condition})
}

fn identity(candidate: Vec<Value>, ceiling: Vec<Value>, may: May) {
    hold(PolicyKind::Identity, candidate, ceiling, may);
}

fn always() -> Value {
    json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
}

#[test]
fn a_negated_comparison_with_a_text_of_another_type_is_not_defined() {
    for key in ["aws:PrincipalTag/rank", "a:rank"] {
        for (operator, negated, value) in [
            ("NumericEquals", "NumericNotEquals", "7"),
            ("DateEquals", "DateNotEquals", "2024-05-01"),
            ("IpAddress", "NotIpAddress", "192.0.2.0/24"),
            (
                "ArnEquals",
                "ArnNotEquals",
                "arn:aws:sqs:eu-west-1:444455556666:q",
            ),
            ("ArnLike", "ArnNotLike", "arn:aws:sqs:*:444455556666:q*"),
        ] {
            let (is, is_not) = (json!({operator: {key: value}}), json!({negated: {key: value}}));
            identity(
                vec![always(), when("Deny", is_not.clone())],
                vec![when("Allow", is.clone())],
                NotBeContained,
            );
            identity(
                vec![always()],
                vec![when("Allow", is.clone()), when("Allow", is_not.clone())],
                NotBeContained,
            );
            identity(
                vec![when("Allow", is_not.clone())],
                vec![when("Allow", is_not)],
                BeContained,
            );
            identity(
                vec![when("Allow", is)],
                vec![when("Allow", json!({"Null": {key: "false"}}))],
                BeContained,
            );
        }
    }
}

#[test]
fn a_text_may_be_of_one_type_and_not_of_another() {
    for key in ["aws:PrincipalTag/rank", "a:rank"] {
        for (candidate, is, is_not, value) in [
            (
                "NumericNotEquals",
                "IpAddressIfExists",
                "NotIpAddressIfExists",
                "192.0.2.0/24",
            ),
            (
                "DateNotEquals",
                "IpAddressIfExists",
                "NotIpAddressIfExists",
                "192.0.2.0/24",
            ),
            (
                "NotIpAddress",
                "NumericEqualsIfExists",
                "NumericNotEqualsIfExists",
                "7",
            ),
            (
                "ArnNotLike",
                "DateEqualsIfExists",
                "DateNotEqualsIfExists",
                "2024-05-01",
            ),
        ] {
            let of = match candidate {
                "NumericNotEquals" => "7",
                "DateNotEquals" => "2024-05-01",
                "NotIpAddress" => "192.0.2.0/24",
                _ => "arn:aws:s3:::b",
            };
            identity(
                vec![when("Allow", json!({candidate: {key: of}}))],
                vec![
                    when("Allow", json!({is: {key: value}})),
                    when("Allow", json!({is_not: {key: value}})),
                ],
                NotBeContained,
            );
        }
    }
}

#[test]
fn a_key_of_a_service_may_become_a_list() {
    for key in [
        "elasticloadbalancing:ListenerProtocol",
        "s3:prefix",
        "ec2:InstanceType",
    ] {
        identity(
            vec![when("Allow", json!({"ForAnyValue:StringEquals": {key: "x"}}))],
            vec![when("Allow", json!({"ForAllValues:StringEquals": {key: "x"}}))],
            OnlyExceed,
        );
        if key.starts_with("elasticloadbalancing") {
            // It is documented as a list by now.
            continue;
        }
        // Nobody asks for each of several: then it has the one that it is documented with.
        identity(
            vec![always()],
            vec![
                when("Allow", json!({"StringEqualsIfExists": {key: "x"}})),
                when("Allow", json!({"StringNotEquals": {key: "x"}})),
            ],
            BeContained,
        );
    }
    for key in ["aws:PrincipalTag/rank", "aws:SourceVpc"] {
        identity(
            vec![when("Allow", json!({"ForAnyValue:StringEquals": {key: "x"}}))],
            vec![when("Allow", json!({"ForAllValues:StringEquals": {key: "x"}}))],
            BeContained,
        );
    }
}

#[test]
fn a_key_with_a_type_has_values_of_that_type() {
    for (key, halves) in [
        (
            "aws:SecureTransport",
            json!([{"Bool": {"aws:SecureTransport": "true"}}, {"Bool": {"aws:SecureTransport": "false"}}]),
        ),
        (
            "aws:MultiFactorAuthAge",
            json!([{"NumericLessThan": {"aws:MultiFactorAuthAge": "60"}}, {"NumericGreaterThanEquals": {"aws:MultiFactorAuthAge": "60"}}]),
        ),
        (
            "aws:CurrentTime",
            json!([{"DateLessThan": {"aws:CurrentTime": "2030-01-01"}}, {"DateGreaterThanEquals": {"aws:CurrentTime": "2030-01-01"}}]),
        ),
        (
            "aws:SourceIp",
            json!([{"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "::/0"]}}, {"IpAddress": {"aws:SourceIp": "128.0.0.0/1"}}]),
        ),
    ] {
        let halves: Vec<Value> = halves
            .as_array()
            .unwrap()
            .iter()
            .map(|half| when("Allow", half.clone()))
            .collect();
        let given = when("Allow", json!({"Null": {key: "false"}}));
        identity(vec![given.clone()], halves.clone(), BeContained);
        identity(vec![given], halves[..1].to_vec(), OnlyExceed);
        identity(vec![always()], halves, OnlyExceed);
    }
}

#[test]
fn a_variable_may_be_the_name_that_is_left_out() {
    let own = json!({"Effect": "Allow", "Action": "iam:GetUser", "Resource": "arn:aws:iam::444455556666:user/${aws:username}"});
    let others =
        json!({"Effect": "Allow", "Action": "iam:*", "NotResource": "arn:aws:iam::444455556666:user/admin"});
    identity(vec![own], vec![others], NotBeContained);
}
