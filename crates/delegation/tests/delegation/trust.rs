use deputy_delegation::{model::*, names::*, quota, trust::*};
use deputy_policy::{Caller, Context, Document, PolicyKind, Request, evaluate_trust};

use crate::support::*;

fn with(key: &str, value: &str) -> Request {
    let mut request = broker_request("sts:AssumeRole");
    request.context.set(key, [value]);
    request
}

fn without(key: &str) -> Request {
    let full = broker_request("sts:AssumeRole");
    let mut context = Context::new();
    for (name, values) in full.context.iter() {
        if !name.eq_ignore_ascii_case(key) {
            context.set(name, values.iter().cloned());
        }
    }
    Request { context, ..full }
}

fn trust() -> Document {
    for_issuer(&cluster(), &account(), &uploader())
}

#[test]
fn the_trust_policy_is_as_published() {
    assert_golden("trust.json", &trust().to_value());
    assert_golden("trust-deny-all.json", &deny_all().to_value());
}

#[test]
fn the_issuer_may_make_and_tag_sessions_of_this_object() {
    assert!(evaluate_trust(&trust(), &broker_request("sts:AssumeRole")).is_allowed());
    assert!(evaluate_trust(&trust(), &broker_request("sts:TagSession")).is_allowed());
}

#[test]
fn aws_refuses_every_other_request() {
    for (why, request) in [
        (
            "another object's external id",
            with("sts:ExternalId", "prod-1/payments/AWSRole/other"),
        ),
        (
            "another namespace's external id",
            with("sts:ExternalId", "prod-1/orders/AWSRole/uploader"),
        ),
        ("a pattern as external id", with("sts:ExternalId", "*")),
        ("no external id", without("sts:ExternalId")),
        (
            "another namespace's tag",
            with("aws:RequestTag/deputy-namespace", "orders"),
        ),
        ("no namespace tag", without("aws:RequestTag/deputy-namespace")),
        (
            "another cluster's tag",
            with("aws:RequestTag/deputy-cluster", "prod-2"),
        ),
        ("no cluster tag", without("aws:RequestTag/deputy-cluster")),
        (
            "another role of the account",
            with(
                "aws:PrincipalArn",
                "arn:aws:iam::123456789012:role/deputy-brokers",
            ),
        ),
        ("nobody known", without("aws:PrincipalArn")),
        (
            "another account",
            Request {
                principal: Some(Caller::parse("arn:aws:iam::999999999999:role/deputy-broker").unwrap()),
                ..with("aws:PrincipalArn", "arn:aws:iam::999999999999:role/deputy-broker")
            },
        ),
        ("another action", broker_request("sts:SetSourceIdentity")),
        (
            "a token instead of an issuer",
            broker_request("sts:AssumeRoleWithWebIdentity"),
        ),
    ] {
        assert!(!evaluate_trust(&trust(), &request).is_allowed(), "{why}");
    }
}

#[test]
fn tags_of_another_namespace_are_refused_for_tagging_too() {
    let mut request = broker_request("sts:TagSession");
    request.context.set("aws:RequestTag/deputy-namespace", ["orders"]);
    assert!(!evaluate_trust(&trust(), &request).is_allowed());
}

#[test]
fn a_suspended_role_trusts_nobody() {
    for action in [
        "sts:AssumeRole",
        "sts:TagSession",
        "sts:AssumeRoleWithWebIdentity",
    ] {
        assert!(
            !evaluate_trust(&deny_all(), &broker_request(action)).is_allowed(),
            "{action}"
        );
    }
}

#[test]
fn an_issuer_of_another_account_and_partition_is_named_there() {
    let account = Account {
        partition: Partition::new("aws-cn").unwrap(),
        issuer: IssuerArn::parse("arn:aws-cn:iam::210987654321:user/deputy/broker").unwrap(),
        ..account()
    };
    let text = for_issuer(&cluster(), &account, &uploader()).to_json();
    assert!(text.contains("arn:aws-cn:iam::210987654321:root"), "{text}");
    assert!(
        text.contains("arn:aws-cn:iam::210987654321:user/deputy/broker"),
        "{text}"
    );
}

#[test]
fn the_longest_names_fit_into_the_quota() {
    let long = [
        ["n"; 63].concat(),
        ["n"; 63].concat(),
        ["n"; 63].concat(),
        ["n"; 61].concat(),
    ]
    .join(".");
    let cluster = ClusterName::new("c".repeat(32)).unwrap();
    let trust = for_issuer(&cluster, &account(), &role_id(&"n".repeat(63), &long));
    assert!(trust.size() <= quota::TRUST_POLICY, "{}", trust.size());
}

#[test]
fn what_is_written_reads_back_as_the_same_document() {
    for document in [trust(), deny_all()] {
        let read = Document::parse(&document.to_json(), PolicyKind::Trust).unwrap();
        assert!(read.semantically_eq(&document));
        assert_eq!(read.to_json(), document.to_json());
    }
}

/// An account whose issuer takes the place of others.
fn rotating(issuer: &str, previous: &[&str]) -> Account {
    let parse = |arn: &str| IssuerArn::parse(arn).unwrap();
    Account {
        issuer: parse(issuer),
        previous_issuers: previous.iter().map(|arn| parse(arn)).collect(),
        ..account()
    }
}

const NEW_ISSUER: &str = "arn:aws:iam::210987654321:user/second-broker";

#[test]
fn issuers_of_before_are_let_in_like_the_one_of_now() {
    let trust_of = |account: &Account| for_issuer(&cluster(), account, &uploader());
    let both = trust_of(&rotating(NEW_ISSUER, &[ISSUER]));
    assert_eq!(
        both,
        trust_of(&rotating(ISSUER, &[NEW_ISSUER])),
        "no write when they change places"
    );
    let text = both.to_json();
    assert!(
        !text.contains("Like") && text.contains("arn:aws:iam::210987654321:root"),
        "{text}"
    );
    for issuer in [ISSUER, NEW_ISSUER, "arn:aws:iam::123456789012:user/somebody"] {
        for action in ["sts:AssumeRole", "sts:TagSession"] {
            let mut request = broker_request(action);
            request.principal = Caller::parse(issuer).ok();
            request.context.set("aws:PrincipalArn", [issuer]);
            let allowed = |account: &Account| evaluate_trust(&trust_of(account), &request).is_allowed();
            assert_eq!(
                allowed(&rotating(NEW_ISSUER, &[ISSUER])),
                !issuer.ends_with("somebody"),
                "{issuer}"
            );
            assert_eq!(
                allowed(&rotating(NEW_ISSUER, &[])),
                issuer == NEW_ISSUER,
                "{issuer}"
            );
        }
    }
}
