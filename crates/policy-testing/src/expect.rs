//! Pairs with the answers that are right. The certificate of every *contained* is checked, and every witness by the second
//! evaluator, whoever is meant and however the pair is read.

use deputy_policy::{Candidate, Containment, Document, PolicyKind, check, contains};
use serde_json::{Value, json};

use crate::{
    engine::{CheckedVerdict, confirm, contain},
    forge::claims::claiming_more,
};

/// What an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    BeContained,
    NotBeContained,
    OnlyExceed,
    OnlyBeUnknown,
}

fn policy(statements: Vec<Value>) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// Asks whether statements are contained in others.
#[track_caller]
pub fn hold(kind: PolicyKind, candidate: Vec<Value>, ceiling: Vec<Value>, may: May) {
    let (candidate, ceiling) = (policy(candidate), policy(ceiling));
    let read = |value: &Value| Document::from_value(value, kind).unwrap();
    let (document, limit) = (read(&candidate), read(&ceiling));
    let verdict = contain(&Candidate::new(&[&document]), &limit);
    if let Containment::Contained(certificate) = contains(&Candidate::new(&[&document]), &limit) {
        // A proof that lacks something is none.
        for broken in claiming_more(&certificate) {
            assert!(
                check(&broken, &Candidate::new(&[&document]), &limit).is_err(),
                "{candidate} in {ceiling}"
            );
        }
    }
    let right = match &verdict {
        CheckedVerdict::Contained => may == May::BeContained,
        CheckedVerdict::Unproved(why) => panic!("{why}: {candidate} in {ceiling}"),
        CheckedVerdict::Exceeds(witness, bounded) => {
            confirm(kind, &[vec![candidate.clone()]], &ceiling, witness, *bounded).unwrap();
            matches!(may, May::NotBeContained | May::OnlyExceed)
        }
        CheckedVerdict::Unknown(why) => {
            assert!(
                !why.contains("does not verify"),
                "{why}: {candidate} in {ceiling}"
            );
            matches!(may, May::NotBeContained | May::OnlyBeUnknown)
        }
    };
    assert!(
        right,
        "{verdict:?}, but it may {may:?}\ncandidate {candidate}\nceiling   {ceiling}"
    );
}
