//! What the checker believes by itself. The search has its own words for it, and a certificate that leaves out what only the
//! checker would ask for is never made.

use std::collections::{BTreeSet, HashSet};

use serde_json::json;

use super::{
    conditions::{IN, OUT, holds, ways},
    principals::{Lists, everybody},
    *,
};
use crate::ast::PolicyKind;

fn document(statements: serde_json::Value) -> Document {
    let value = json!({"Version": "2012-10-17", "Statement": statements});
    Document::from_value(&value, PolicyKind::Resource).unwrap()
}

fn about(principal: serde_json::Value) -> serde_json::Value {
    json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "s3:GetObject", "Resource": "*"})
}

#[test]
fn a_comparison_of_a_list_is_read_in_three_ways() {
    let condition = |operator: &str| {
        let mut statement = about(json!("*"));
        statement["Condition"] = json!({operator: {"a:k": "x"}});
        document(json!([statement]))
    };
    let read = |operator: &str, places| -> Vec<bool> {
        let document = condition(operator);
        let atom = &document.compiled().statements[0].atoms[0];
        let all = ways(true, [false; 4], false);
        assert_eq!(all.len(), 3);
        all.into_iter().map(|way| holds(atom, 2, places, way)).collect()
    };
    assert_eq!(read("StringEquals", IN | OUT), [false, false, true]);
    assert_eq!(read("StringEquals", OUT), [false, false, false]);
    assert_eq!(read("StringNotEquals", IN | OUT), [false, true, false]);
    assert_eq!(read("StringNotEquals", OUT), [false, true, true]);
    assert_eq!(read("ForAllValues:StringNotEquals", OUT), [true; 3]);
    assert_eq!(ways(false, [false; 4], false).len(), 1);
    assert_eq!(ways(true, [true, false, false, true], true).len(), 24);
}

#[test]
fn all_documents_say_together_which_keys_are_lists_and_where_callers_are() {
    let mut empty = about(json!("444455556666"));
    empty["Condition"] = json!({"ForAnyValue:StringEquals": {"S3:Prefix": []}, "StringEquals": {"a:k": "x"}});
    let china = about(json!("arn:aws-cn:iam::444455556666:role/r"));
    let identity = about(json!(
        "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E2EXAMPLE"
    ));
    let (candidate, ceiling) = (document(json!([empty, identity])), document(json!([china])));
    let layer: &[&Document] = &[&candidate];
    let layers = [layer.to_vec()];
    let whole = SharedBeliefs::of(&layers, &ceiling);
    assert_eq!(whole.listed, HashSet::from(["s3:prefix".to_owned()]));
    assert_eq!(whole.partitions, BTreeSet::from(["aws", "aws-cn"]));
    let whole = SharedBeliefs::of(&[], &candidate);
    assert_eq!(whole.partitions, BTreeSet::from(["aws"]));
    let nobody = document(json!([about(json!("444455556666"))]));
    assert_eq!(
        SharedBeliefs::of(&[], &nobody).partitions,
        BTreeSet::from(["aws"])
    );
}

#[test]
fn where_paths_matter_a_listed_session_may_be_one_of_a_role_that_is_not_listed() {
    let session = "arn:aws:sts::444455556666:assumed-role/Deploy/ci";
    let arn = |role: &str| json!(format!("arn:aws:iam::444455556666:role/{role}"));
    for (role, elsewhere, may) in [
        ("deploy", "other/role", false),
        ("deploy", "prod/deploy", true),
        ("prod/deploy", "deploy", true),
    ] {
        let documents = [json!(session), arn(role)].map(|listed| document(json!([about(listed)])));
        let other = document(json!([about(arn(elsewhere))]));
        let elements = || {
            documents
                .iter()
                .filter_map(|d| d.statements()[0].principal.as_ref())
        };
        let all: &[&Document] = &[&documents[0], &documents[1]];
        let layers = [all.to_vec()];
        let whole = SharedBeliefs::of(&layers, &other);
        let lists: Vec<Lists> = elements().map(Lists::new).collect();
        let people = everybody(elements(), (&whole.partitions, &whole.wandering)).unwrap();
        let meant = |list: usize| {
            people
                .iter()
                .map(|one| one.is_meant(&lists[list]).0)
                .collect::<Vec<_>>()
        };
        let both: Vec<(bool, bool)> = meant(0).into_iter().zip(meant(1)).collect();
        assert!(both.contains(&(true, true)) && both.contains(&(false, true)));
        assert_eq!(both.contains(&(true, false)), may, "{role}, {elsewhere}");
    }
}
