//! What is answered without a review is what a review is answered.

use deputy_delegation::Reason;
use serde_json::json;

use super::*;
use crate::{ObjectOutcome, answer};

fn index(objects: &[Value]) -> Arc<Index> {
    facts(objects).index()
}

#[test]
fn an_object_is_answered_about_as_in_its_review() {
    let there = [account(), limit(&["s3:GetObject", "s3:PutObject"])];
    let mut elsewhere = role(&["s3:GetObject"]);
    elsewhere["metadata"]["namespace"] = json!("others");
    let mut mistyped = role(&["s3:GetObject"]);
    mistyped["spec"]["polices"] = json!([]);
    for object in [
        role(&["s3:GetObject"]),
        role(&["s3:DeleteObject"]),
        elsewhere,
        mistyped,
        binding("uploader", None),
        limit(&["s3:*"]),
        account(),
    ] {
        let asked = answer(&index(&there), &object, None).unwrap();
        let reviewed = create(&usual(), &object);
        let is_refused = matches!(asked.outcome, ObjectOutcome::Refused { .. });
        assert_eq!(is_refused, reviewed.0["allowed"] == false, "{object}");
        let warned = reviewed.0["warnings"].as_array().map_or(0, Vec::len);
        assert_eq!(asked.warnings.len(), warned, "{object}: {asked:?}");
    }
}

#[test]
fn a_refusal_without_review_has_every_violation_with_its_limit() {
    let there = [account(), limit(&["s3:GetObject", "s3:PutObject"])];
    let asked = answer(&index(&there), &role(&["s3:DeleteObject"]), None).unwrap();
    let ObjectOutcome::Refused { violations, .. } = asked.outcome else {
        panic!("{asked:?}")
    };
    assert_eq!(violations[0].reason, Reason::ExceedsLimit);
    assert_eq!(violations[0].limit.as_ref().unwrap().as_str(), "payments");
    assert_eq!(violations[0].field, "spec.policies[0].document.Statement[0]");
}

#[test]
fn what_waits_for_a_limit_is_not_accepted() {
    let asked = answer(&index(&[account()]), &role(&["s3:GetObject"]), None).unwrap();
    assert_eq!(asked.outcome, ObjectOutcome::Awaiting);
    assert_eq!(asked.warnings[0].code, Some("NoLimit"));
    assert_eq!(answer(&index(&[]), &json!({"kind": "AWSRole"}), None), None);
}
