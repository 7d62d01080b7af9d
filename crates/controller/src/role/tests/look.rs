//! A role that exists: what is said of what AWS shows.

use std::sync::Arc;

use deputy_api::conditions::ConditionReason;
use deputy_aws::{AwsError, ErrorClass, ForeignRole};
use deputy_delegation::{Accepted, Decision, MaxSessionDuration, ObjectName, RoleArn, foreign_trust, trust};
use deputy_index::Entry;
use serde_json::{Value, json};

use crate::{
    fixtures::{account, binding, cluster, cluster_uid, existing_role, role_object, uid, uploader},
    role::{
        dereference::{AccountInput, PresentRole, RoleInputs, RoleStage},
        look::RoleLook,
        outcome::RoleOutcome,
    },
    verified::FingerprintKey,
};

const ARN: &str = "arn:aws:iam::123456789012:role/terraform/reports";

fn look(bound: bool) -> RoleLook {
    asked(bound, None, &FingerprintKey::default())
}

/// A look at an AWSRole that asks for one by its annotation.
fn asked(bound: bool, requested: Option<&str>, key: &FingerprintKey) -> RoleLook {
    let account = Arc::new(account());
    let accepted = Accepted {
        limits: vec![ObjectName::new("payments").unwrap()],
        boundary: Some(ObjectName::new("payments").unwrap()),
        would_refuse: Vec::new(),
        uses: Vec::new(),
    };
    let role = existing_role();
    let present = PresentRole {
        role: Some(Arc::new(role.clone())),
        decision: Decision::Accepted(accepted.clone()),
        bindings: if bound {
            vec![Arc::new(binding())]
        } else {
            Vec::new()
        },
        named: deputy_delegation::trust::NamedPrincipals::of(&[], true),
        limits: Vec::new(),
        boundary: None,
    };
    let inputs = RoleInputs {
        entry: None,
        takeover: None,
        shares: None,
        cluster: cluster(),
        cluster_uid: cluster_uid(),
        id: uploader(),
        uid: uid("uid-uploader"),
        object: requested.map(|value| {
            let mut object = role_object(&[]);
            let annotation = ("deputy.dev/reconcile-requested-at".to_owned(), value.to_owned());
            object.metadata.annotations = Some([annotation].into());
            object.into()
        }),
        account: AccountInput {
            name: Some(account.name.clone()),
            usable: Entry::Known(Arc::clone(&account)),
            as_written: Some(Arc::clone(&account)),
        },
        stage: RoleStage::Deleting { stays: false },
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    let arn = RoleArn::parse(ARN).unwrap();
    RoleLook::new(&inputs, &account, (&role, &arn), &present, &accepted, key)
}

fn role(trust: &str) -> ForeignRole {
    ForeignRole {
        arn: RoleArn::parse(ARN).unwrap(),
        unique_id: "AROAREPORTS".to_owned(),
        trust: trust.to_owned(),
        created: jiff::Timestamp::UNIX_EPOCH,
        max_session_seconds: 3600,
    }
}

fn ours() -> String {
    trust::for_issuer(&cluster(), &account(), &uploader()).to_json()
}

fn reason(outcome: RoleOutcome) -> (ConditionReason, String) {
    match outcome {
        RoleOutcome::Waiting { reason, message } => (reason, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_role_that_lets_the_broker_in_is_there() {
    for bound in [false, true] {
        assert_eq!(
            look(bound).seen(Ok(Some(role(&ours())))),
            RoleOutcome::Existing {
                bound,
                role_id: "AROAREPORTS".to_owned(),
                longest_session: MaxSessionDuration::HOUR,
                depends_on: [].into(),
            }
        );
    }
}

#[test]
fn a_trust_policy_that_does_not_let_the_broker_in_is_reported() {
    let (why, message) = reason(look(true).seen(Ok(Some(role(&trust::deny_all().to_json())))));
    assert_eq!(why, ConditionReason::TrustMissing);
    assert!(
        message.contains(ARN) && message.contains("status.trustStatement"),
        "{message}"
    );
    let (why, _) = reason(look(true).seen(Ok(Some(role("not JSON")))));
    assert_eq!(why, ConditionReason::TrustMissing);

    // Only for another ServiceAccount than the one of the binding.
    let statements: Value = serde_json::from_str(&foreign_trust::statements_to_add(
        &cluster(),
        &account(),
        &uploader(),
    ))
    .unwrap();
    let mut narrowed = json!({"Version": "2012-10-17", "Statement": statements});
    for statement in narrowed["Statement"].as_array_mut().unwrap() {
        statement["Condition"]["StringEquals"]["aws:RequestTag/deputy-service-account"] = json!("another");
    }
    let (why, _) = reason(look(true).seen(Ok(Some(role(&narrowed.to_string())))));
    assert_eq!(why, ConditionReason::TrustMissing);
}

#[test]
fn a_role_that_is_not_there_or_is_another_one_is_reported() {
    let (why, message) = reason(look(true).seen(Ok(None)));
    assert_eq!(why, ConditionReason::NotInAWS);
    assert!(message.contains(ARN), "{message}");
    let elsewhere = ForeignRole {
        arn: RoleArn::parse("arn:aws:iam::123456789012:role/reports").unwrap(),
        ..role(&ours())
    };
    let (why, message) = reason(look(true).seen(Ok(Some(elsewhere))));
    assert_eq!(why, ConditionReason::NotInAWS);
    assert!(message.contains("role/reports"), "{message}");
    let denied = AwsError::new("iam:GetRole", ErrorClass::AccessDenied, "no");
    assert_eq!(
        reason(look(true).seen(Err(denied))).0,
        ConditionReason::AccessDenied
    );
}

#[test]
fn a_changed_annotation_is_another_look() {
    let key = FingerprintKey::default();
    let of = |requested| asked(true, requested, &key).fingerprint();
    assert_eq!(of(None), of(None));
    assert_eq!(of(Some("1")), of(Some("1")));
    assert_ne!(of(None), of(Some("1")));
    assert_ne!(of(Some("1")), of(Some("2")));
}
