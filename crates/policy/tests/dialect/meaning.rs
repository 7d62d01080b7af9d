//! Documents made from statements, canonical forms, equality and unions.

use deputy_policy::{Condition, Effect, ResourceElement, Statement, Test, Version};

use crate::support::*;

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
