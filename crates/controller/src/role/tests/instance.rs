//! The entry of what a ClusterAWSRole is in a namespace.

use deputy_api::{InstanceFinding, RoleInstance, conditions::ConditionReason};
use deputy_aws::{AwsError, ErrorClass};
use deputy_delegation::{
    Decision, ManagedPolicyArn, Reason, Violation,
    capped::Capping,
    model::{RoleId, RoleKind},
    trust::{LeftOutPrincipal, NamedPrincipals, WhyLeftOut},
};
use deputy_index::Entry;
use jiff::Timestamp;

use crate::{
    fixtures::{account, cluster, cluster_uid, object, policy, role, uid, uploader},
    role::{
        assess::{Finalizer, RoleWork, assess},
        capped::{CappedRole, Unread},
        dereference::{AccountInput, PresentRole, RoleInputs, RoleStage},
        instance::{begun, updated},
        outcome::{AppliedRole, RoleOutcome},
    },
    verified::FingerprintKey,
};
use std::sync::Arc;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn inputs(stage: RoleStage, entry: Option<RoleInstance>) -> RoleInputs {
    let account = Arc::new(account());
    let name = account.name.clone();
    let policies = serde_json::json!([{"name": "objects", "document": policy(&["s3:GetObject"])}]);
    let spec = serde_json::json!({"namespaces": ["payments"], "policies": policies});
    RoleInputs {
        takeover: None,
        shares: None,
        cluster: cluster(),
        cluster_uid: cluster_uid(),
        id: RoleId {
            kind: RoleKind::ClusterAWSRole {
                account: name.clone(),
            },
            ..uploader()
        },
        uid: uid("uid-uploader"),
        object: Some(object("ClusterAWSRole", None, "uploader", spec).into()),
        entry,
        account: AccountInput {
            name: Some(name),
            usable: Entry::Known(Arc::clone(&account)),
            as_written: Some(account),
        },
        stage,
        now: at(0),
    }
}

fn refused(reason: Reason, namespaces: &[&str]) -> RoleStage {
    let mut role = role(&["s3:GetObject"]);
    role.id = inputs(RoleStage::Deleting { stays: false }, None).id;
    let patterns = namespaces
        .iter()
        .map(|n| deputy_delegation::NamespacePattern::new(*n).unwrap());
    role.allowed_namespaces = Some(patterns.collect());
    RoleStage::Present(Box::new(PresentRole {
        role: Some(Arc::new(role)),
        decision: Decision::Refused(Violation::new(reason, "spec.policies", "too much").into()),
        bindings: Vec::new(),
        named: NamedPrincipals::of(&[], true),
        limits: Vec::new(),
        boundary: None,
    }))
}

fn applied(outcome: RoleOutcome) -> AppliedRole {
    AppliedRole {
        outcome,
        trusted_for: None,
        capped: CappedRole::NothingToCap,
        drift: None,
    }
}

#[test]
fn an_entry_with_an_arn_is_there_before_the_first_call_to_aws() {
    let deleting = || RoleStage::Deleting { stays: false };
    let first = begun(&inputs(deleting(), None), at(10)).unwrap();
    assert!(
        first
            .role_arn
            .as_ref()
            .unwrap()
            .contains(":role/deputy/demo/deputy.payments.uploader-")
    );
    assert_eq!((first.ready, first.reason.as_str()), (false, "Progressing"));
    assert_eq!(first.last_transition_time.0, at(10));
    // With it the role may be in AWS, and without it nothing of it ever was.
    let key = FingerprintKey::default();
    let with = assess(&inputs(deleting(), Some(first)), &key);
    assert!(matches!(with.work, RoleWork::Converge(_)) && with.finalizer == Finalizer::Keep);
    let without = assess(&inputs(deleting(), None), &key);
    assert!(
        matches!(without.work, RoleWork::Nothing(RoleOutcome::Deleted)),
        "{without:?}"
    );
}

#[test]
fn an_entry_says_why_it_is_refused_and_keeps_what_is_in_aws() {
    let suspended = |id: Option<&str>| {
        applied(RoleOutcome::Suspended {
            role_id: id.map(str::to_owned),
        })
    };
    let fresh = inputs(refused(Reason::ExceedsLimit, &["payments"]), None);
    let entry = updated(&fresh, &suspended(None), at(10)).unwrap();
    assert_eq!(
        (entry.reason.as_str(), entry.role_arn.as_deref()),
        ("ExceedsLimit", None)
    );
    let made = RoleInstance {
        role_id: Some("AROA".to_owned()),
        ready: true,
        ..begun(&fresh, at(10)).unwrap()
    };
    let later = inputs(refused(Reason::ExceedsLimit, &["payments"]), Some(made.clone()));
    let entry = updated(&later, &suspended(Some("AROA")), at(20)).unwrap();
    assert_eq!(
        (entry.role_arn, entry.role_id, entry.ready),
        (made.role_arn, made.role_id, false)
    );
    assert_eq!(entry.last_transition_time.0, at(20));
    let again = updated(
        &inputs(
            refused(Reason::ExceedsLimit, &["payments"]),
            updated(&later, &suspended(Some("AROA")), at(20)),
        ),
        &suspended(Some("AROA")),
        at(30),
    );
    assert_eq!(
        again.unwrap().last_transition_time.0,
        at(20),
        "nothing has changed since"
    );
}

#[test]
fn nobody_fills_the_list_from_where_it_may_not_be_bound() {
    let outcome = applied(RoleOutcome::Suspended { role_id: None });
    let outside = inputs(refused(Reason::NamespaceNotAllowed, &["ledger"]), None);
    assert_eq!(updated(&outside, &outcome, at(10)), None);
    let mut nowhere = inputs(refused(Reason::NoLimit, &["payments"]), None);
    nowhere.account.usable = Entry::Missing;
    nowhere.account.as_written = None;
    assert_eq!(updated(&nowhere, &outcome, at(10)), None);
}

#[test]
fn a_role_of_a_cluster_role_holds_up_no_namespace() {
    assert!(!inputs(RoleStage::Deleting { stays: false }, None).holds_up_namespace());
}

#[test]
fn an_entry_says_what_holds_up_nothing_until_it_is_looked_at_again() {
    let made = || RoleOutcome::Provisioned {
        bound: true,
        role_id: Some("AROA".to_owned()),
        trust_hash: None,
        untagged: vec![AwsError::new(
            "TagRole",
            ErrorClass::AccessDenied,
            "not authorized to perform: iam:TagRole",
        )],
        absent: Vec::new(),
        left_out: Vec::new(),
    };
    let arn: ManagedPolicyArn = "arn:aws:iam::aws:policy/ReadOnlyAccess".parse().unwrap();
    let unread = Unread {
        reason: ConditionReason::AccessDenied,
        message: "it can't be read".to_owned(),
    };
    let found = |capped: CappedRole| AppliedRole {
        capped,
        ..applied(made())
    };
    let present = || inputs(refused(Reason::NoLimit, &["payments"]), None);
    let first = begun(&present(), at(10)).unwrap();
    let with = |entry: RoleInstance| inputs(refused(Reason::NoLimit, &["payments"]), Some(entry));
    let unknown = CappedRole::Found(vec![(arn.clone(), Err(unread))]);
    let entry = updated(&with(first), &found(unknown), at(20)).unwrap();
    let reason = |finding: &Option<InstanceFinding>| finding.as_ref().map(|f| f.reason.clone());
    assert_eq!(reason(&entry.untagged).as_deref(), Some("AccessDenied"));
    let capped = entry.capped.clone().unwrap();
    assert_eq!(capped.reason, "AccessDenied");
    assert!(capped.message.unwrap().contains("ReadOnlyAccess"));
    // Nothing was looked at: what was said stays.
    let unseen = AppliedRole {
        capped: CappedRole::NotLookedAt,
        ..applied(RoleOutcome::waiting(ConditionReason::Throttled, "later"))
    };
    let later = updated(&with(entry.clone()), &unseen, at(30)).unwrap();
    assert_eq!((&later.untagged, &later.capped), (&entry.untagged, &entry.capped));
    let mut whole = found(CappedRole::Found(vec![(arn, Ok(Capping::Whole))]));
    if let RoleOutcome::Provisioned { untagged, .. } = &mut whole.outcome {
        untagged.clear();
    }
    let last = updated(&with(later), &whole, at(40)).unwrap();
    assert_eq!((last.untagged, last.capped), (None, None));
}

/// Where an entry has no room for all who are left out, no binding takes it that its own are trusted.
#[test]
fn an_entry_that_names_not_all_who_are_left_out_has_no_trust_hash() {
    for (count, is_whole) in [(1, true), (8, true), (9, false)] {
        let left_out = (0..count).map(|n| LeftOutPrincipal {
            arn: format!("arn:aws:iam::999999999999:user/u{n}"),
            why: WhyLeftOut::Unknown,
        });
        let outcome = RoleOutcome::Provisioned {
            bound: true,
            role_id: Some("AROA".to_owned()),
            trust_hash: Some("0a".to_owned()),
            untagged: Vec::new(),
            absent: Vec::new(),
            left_out: left_out.collect(),
        };
        let stage = || refused(Reason::NoLimit, &["payments"]);
        let first = begun(&inputs(stage(), None), at(10)).unwrap();
        let entry = updated(&inputs(stage(), Some(first)), &applied(outcome), at(20)).unwrap();
        assert_eq!(entry.left_out_principals.len(), count.min(8));
        assert_eq!(entry.trust_hash.is_some(), is_whole, "{count}");
    }
}
