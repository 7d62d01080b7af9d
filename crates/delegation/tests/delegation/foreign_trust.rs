//! Whether the trust policy of a role that exists lets the broker in.

use deputy_delegation::{
    RoleArn,
    foreign_trust::{BrokerCall, BrokerEntry, ForeignTrustError, admits, statements_to_add},
    model::Account,
};
use serde_json::{Value, json};

use crate::support::*;

const ARN: &str = "arn:aws:iam::123456789012:role/terraform/reports";

fn entry(account: &Account, statements: Value) -> Result<BrokerEntry, ForeignTrustError> {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let call = BrokerCall::of_any(&cluster(), &uploader());
    admits(
        account,
        &account.issuer,
        &RoleArn::parse(ARN).unwrap(),
        &text,
        &call,
    )
}

fn to_add() -> Vec<Value> {
    serde_json::from_str(&statements_to_add(&cluster(), &account(), &uploader())).unwrap()
}

fn allowed(depends_on: &[&str]) -> Result<BrokerEntry, ForeignTrustError> {
    Ok(BrokerEntry::Allowed {
        depends_on: depends_on.iter().map(|&key| key.to_owned()).collect(),
    })
}

#[test]
fn what_the_owner_adds_lets_the_broker_in() {
    let other = json!({"Effect": "Allow", "Principal": {"AWS": "999999999999"}, "Action": "sts:AssumeRole"});
    assert_eq!(entry(&account(), json!([other])), Ok(BrokerEntry::Refused));
    let mut statements = to_add();
    assert_eq!(entry(&account(), json!(statements)), allowed(&[]));
    statements.push(other);
    assert_eq!(entry(&account(), json!(statements)), allowed(&[]));
    // Each of the two is needed.
    for left_out in 0..2 {
        let mut statements = to_add();
        statements.remove(left_out);
        assert_eq!(
            entry(&account(), json!(statements)),
            Ok(BrokerEntry::Refused),
            "{left_out}"
        );
    }
}

#[test]
fn an_owner_may_say_it_in_other_words() {
    let issuer = account().issuer.to_string();
    let both = json!(["sts:AssumeRole", "sts:TagSession"]);
    for (principal, condition, wanted) in [
        (issuer.as_str(), json!({}), allowed(&[])),
        (
            "123456789012",
            json!({"StringLike": {"sts:ExternalId": "prod-1/*"}}),
            allowed(&[]),
        ),
        (
            issuer.as_str(),
            json!({"StringEquals": {"sts:ExternalId": "another"}}),
            Ok(BrokerEntry::Refused),
        ),
        (
            issuer.as_str(),
            json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
            Ok(BrokerEntry::Refused),
        ),
        (
            issuer.as_str(),
            json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}, "StringLike": {"sts:ExternalId": "prod-1/*"}}),
            allowed(&["aws:principalorgid"]),
        ),
        (
            issuer.as_str(),
            json!({"StringEquals": {"aws:PrincipalOrgID": "o-1", "sts:ExternalId": "another"}}),
            Ok(BrokerEntry::Refused),
        ),
        (
            "arn:aws:iam::123456789012:role/somebody",
            json!({}),
            Ok(BrokerEntry::Refused),
        ),
    ] {
        let statement = json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": both, "Condition": condition});
        assert_eq!(
            entry(&account(), json!([statement])),
            wanted,
            "{principal} {condition}"
        );
    }
    let anybody = json!({"Effect": "Allow", "Principal": {"AWS": issuer}, "Action": both});
    let deny = |condition: Value| json!([anybody, {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Condition": condition}]);
    let by_network = deny(json!({"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}));
    assert_eq!(entry(&account(), by_network), allowed(&["aws:sourceip"]));
    let by_tag = deny(json!({"StringEquals": {"aws:RequestTag/deputy-namespace": "payments"}}));
    assert_eq!(entry(&account(), by_tag), Ok(BrokerEntry::Refused));
}

#[test]
fn what_can_not_be_read_is_not_said_to_let_anybody_in() {
    let call = BrokerCall::of_any(&cluster(), &uploader());
    let answer = admits(
        &account(),
        &account().issuer,
        &RoleArn::parse(ARN).unwrap(),
        "{",
        &call,
    );
    assert!(
        matches!(answer, Err(ForeignTrustError::Document(_))),
        "{answer:?}"
    );
}

#[test]
fn the_owner_is_told_the_statements_for_issuers_of_before_as_well() {
    let mut both = account();
    both.previous_issuers
        .insert(deputy_delegation::IssuerArn::parse("arn:aws:iam::123456789012:user/second-broker").unwrap());
    let text = statements_to_add(&cluster(), &both, &uploader());
    assert!(
        both.issuers()
            .iter()
            .all(|issuer| text.contains(&issuer.to_string())),
        "{text}"
    );
}
