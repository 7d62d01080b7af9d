//! Cases in the spirit of AWS's published checks for new access: a reference that says what may be, and candidates that stay
//! within it or do not.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use deputy_policy::{Candidate, Containment, Document, PolicyKind, check, contains};
use serde_json::{Value, json};

fn document(kind: PolicyKind, statements: &Value) -> Document {
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    Document::from_value(&policy, kind).unwrap_or_else(|e| panic!("{policy}: {e}"))
}

/// What the witness says, or `contained`; a certificate must hold.
fn verdict(kind: PolicyKind, reference: &Value, candidate: &Value) -> String {
    let (candidate, reference) = (document(kind, candidate), document(kind, reference));
    match contains(&Candidate::new(&[&candidate]), &reference) {
        Containment::Contained(certificate) => {
            check(&certificate, &Candidate::new(&[&candidate]), &reference).unwrap();
            "contained".to_owned()
        }
        Containment::Exceeds(witness) => witness.to_string(),
        Containment::Unknown(reason) => panic!("{reason}"),
    }
}

/// Nobody but these may put objects; anything else anybody may.
fn bucket() -> Value {
    json!([
        {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::111111111111:role/writer", "222222222222"]},
         "Action": "s3:PutObject", "Resource": "*"},
        {"Effect": "Allow", "Principal": "*", "NotAction": "s3:PutObject", "Resource": "*"},
    ])
}

fn puts(principal: Value) -> Value {
    json!({"Effect": "Allow", "Principal": principal, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/*"})
}

#[test]
fn who_may_put_objects_is_compared_by_who_is_meant() {
    let bucket = bucket();
    let ask = |principal: Value| verdict(PolicyKind::Resource, &bucket, &puts(principal));
    assert_eq!(
        ask(json!({"AWS": "arn:aws:iam::111111111111:role/writer"})),
        "contained"
    );
    assert_eq!(
        ask(json!({"AWS": "arn:aws:sts::111111111111:assumed-role/writer/s1"})),
        "contained",
        "a session of the role"
    );
    assert_eq!(
        ask(json!({"AWS": "arn:aws:iam::222222222222:user/bob"})),
        "contained",
        "of the account"
    );
    assert_eq!(ask(json!({"AWS": "arn:aws:iam::222222222222:root"})), "contained");
    let witness = ask(json!({"AWS": "111111111111"}));
    assert!(
        witness.starts_with("s3:PutObject on arn:aws:s3:::b/") && witness.contains("111111111111"),
        "{witness}"
    );
    assert!(ask(json!({"Service": "logging.s3.amazonaws.com"})).ends_with("by logging.s3.amazonaws.com"));
    assert!(ask(json!("*")).contains(" by *"), "an anonymous caller");
}

#[test]
fn a_deny_for_everybody_else_makes_up_for_a_wide_allow() {
    let mut candidate = vec![puts(json!("*"))];
    candidate.push(
        json!({"Effect": "Deny", "Principal": "*", "Action": "s3:Put*", "Resource": "*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/writer"}}}),
    );
    let reference = json!([
        {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "*",
         "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/*"}}},
    ]);
    assert_eq!(
        verdict(PolicyKind::Resource, &reference, &json!(candidate)),
        "contained"
    );
    candidate.pop();
    assert_ne!(
        verdict(PolicyKind::Resource, &reference, &json!(candidate)),
        "contained"
    );
}

#[test]
fn trust_is_compared_by_principal_external_id_and_mfa() {
    let reference = json!([
        {"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "sts:AssumeRole",
         "Condition": {"StringEquals": {"sts:ExternalId": ["a", "b"]}}},
        {"Effect": "Allow", "Principal": {"AWS": "333333333333"}, "Action": "sts:AssumeRole",
         "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}},
    ]);
    let ask = |principal: &str, condition: Value| {
        let statement = json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole",
            "Condition": condition});
        verdict(PolicyKind::Trust, &reference, &statement)
    };
    let user = "arn:aws:iam::222222222222:user/bob";
    assert_eq!(
        ask(user, json!({"StringEquals": {"sts:ExternalId": "b"}})),
        "contained"
    );
    assert_ne!(
        ask(user, json!({"StringEquals": {"sts:ExternalId": "c"}})),
        "contained"
    );
    assert_ne!(
        ask(user, json!({"StringEqualsIfExists": {"sts:ExternalId": "b"}})),
        "contained",
        "without an external id"
    );
    let other = "arn:aws:iam::333333333333:user/eve";
    assert_eq!(
        ask(other, json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
        "contained"
    );
    assert_ne!(
        ask(
            other,
            json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}})
        ),
        "contained",
        "long-term keys have no such key"
    );
}

#[test]
fn networks_regions_and_times_are_compared_as_sets() {
    let allow = |condition: Value| json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": condition});
    let ask = |reference: Value, candidate: Value| verdict(PolicyKind::Identity, &reference, &candidate);
    let halves = json!([
        allow(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/9"}})),
        allow(json!({"IpAddress": {"aws:SourceIp": "10.128.0.0/9"}})),
    ]);
    assert_eq!(
        ask(
            halves.clone(),
            allow(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
        ),
        "contained"
    );
    assert_ne!(
        ask(
            halves,
            allow(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/7"}}))
        ),
        "contained"
    );
    let regions = allow(json!({"StringLike": {"aws:RequestedRegion": "eu-*"}}));
    assert_eq!(
        ask(
            regions.clone(),
            allow(json!({"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "eu-south-2"]}}))
        ),
        "contained"
    );
    assert_ne!(
        ask(
            regions,
            allow(json!({"StringNotLike": {"aws:RequestedRegion": "us-*"}}))
        ),
        "contained"
    );
    let before = |date: &str| allow(json!({"DateLessThan": {"aws:CurrentTime": date}}));
    assert_eq!(
        ask(before("2027-01-01"), before("2026-12-31T23:59:59Z")),
        "contained"
    );
    assert_eq!(
        ask(before("2027-01-01"), before("2027-01-01T01:00:00+01:00")),
        "contained"
    );
    assert_ne!(
        ask(before("2027-01-01"), before("2027-01-01T00:00:01Z")),
        "contained"
    );
}

#[test]
fn tags_that_a_request_may_set_are_compared_as_lists() {
    let tag = |condition: Value| json!({"Effect": "Allow", "Action": "ec2:CreateTags", "Resource": "arn:aws:ec2:*:*:instance/*", "Condition": condition});
    let reference = tag(json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "stage"]}}));
    let ask = |candidate: Value| verdict(PolicyKind::Identity, &reference, &tag(candidate));
    assert_eq!(
        ask(json!({"ForAllValues:StringEquals": {"aws:TagKeys": "team"}})),
        "contained"
    );
    let witness = ask(json!({"ForAnyValue:StringEquals": {"aws:TagKeys": "team"}}));
    assert!(witness.contains("aws:TagKeys=["), "a second tag: {witness}");
    assert_ne!(ask(json!({"Null": {"aws:TagKeys": "false"}})), "contained");
}
