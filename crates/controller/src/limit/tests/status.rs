//! What is said about a limit.

use std::sync::Arc;

use deputy_api::{DelegationLimitStatus, conditions};
use deputy_index::{Index, ResourceKind};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    fixtures,
    limit::{
        apply::AppliedLimit,
        dereference::{LimitInputs, ReadableLimit},
        status::updated,
    },
};

/// The status of the limit `name`, of which AWS has all there should be.
fn status_of(index: &Index, name: &str) -> DelegationLimitStatus {
    let name = deputy_delegation::ObjectName::new(name).unwrap();
    let (entry, _, _) = index.limit(&name).unwrap();
    let deputy_delegation::model::LimitEntry::Valid(limit) = entry else {
        panic!("{entry:?}")
    };
    let inputs = LimitInputs {
        cluster: fixtures::cluster(),
        object: fixtures::limit_object(&[]),
        limit: Ok(ReadableLimit::look_up(index, limit)),
    };
    let applied = AppliedLimit {
        boundaries: Some(Vec::new()),
        ..AppliedLimit::default()
    };
    updated(
        &DelegationLimitStatus::default(),
        &inputs,
        &applied,
        Timestamp::UNIX_EPOCH,
    )
}

fn with_dry_run(actions: &[&str]) -> Arc<Index> {
    let index = fixtures::index();
    let spec = json!({
        "namespaces": ["payments"], "accounts": ["production"], "enforcement": "DryRun",
        "ceiling": fixtures::policy(actions),
    });
    let object = fixtures::object("DelegationLimit", None, "strict", spec);
    index.apply(ResourceKind::Limits, object);
    index
}

fn message(status: &DelegationLimitStatus) -> &str {
    let ready = conditions::find(&status.conditions, conditions::ConditionType::Ready).unwrap();
    assert_eq!(ready.status, "True");
    &ready.message
}

#[test]
fn a_dry_run_says_what_it_would_refuse_and_why() {
    let index = with_dry_run(&["s3:PutObject"]);
    let status = status_of(&index, "strict");
    assert!(message(&status).starts_with("a dry run: nothing is refused"));
    let json: Value = serde_json::to_value(&status).unwrap();
    assert_eq!(json["grants"], json!({"accepted": 2, "suspended": 0}));
    assert_eq!(json["wouldRefuse"]["count"], 2);
    let first = &json["wouldRefuse"]["grants"][0];
    assert_eq!(
        (
            &first["kind"],
            &first["namespace"],
            &first["name"],
            &first["reason"]
        ),
        (
            &json!("AWSRole"),
            &json!("payments"),
            &json!("uploader"),
            // Its boundary, too, would be one too many.
            &json!("BoundaryOverlap")
        )
    );
    let text = first["message"].as_str().unwrap();
    assert!(
        text.contains("payments, strict") && text.ends_with("(and 1 more)"),
        "{text}"
    );
    let second = &json["wouldRefuse"]["grants"][1];
    assert_eq!(second["kind"], "AWSRoleBinding");
    for grant in [first, second] {
        assert!(
            grant["message"].as_str().unwrap().chars().count() <= 512,
            "{grant}"
        );
    }
}

#[test]
fn a_limit_that_is_enforced_has_nothing_that_it_would_refuse() {
    let index = with_dry_run(&["s3:PutObject"]);
    let status = status_of(&index, "payments");
    assert_eq!(message(&status), "the limit is in force");
    assert_eq!(status.would_refuse, None);
    let json: Value = serde_json::to_value(&status).unwrap();
    assert_eq!(json["ceilingUse"], json!([{"statement": 0, "grants": 1}]));
    assert_eq!(status_of(&index, "strict").ceiling_use, []);
    // A dry run by which all is well says so.
    let clean = status_of(&with_dry_run(&["s3:*"]), "strict")
        .would_refuse
        .unwrap();
    assert_eq!(
        clean.grants.len(),
        2,
        "its boundary would be one too many: {clean:?}"
    );
}
