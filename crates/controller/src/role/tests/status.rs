//! What is said about a role.

use std::time::Duration;

use deputy_api::{AWSRoleStatus, conditions::ConditionReason};
use deputy_aws::{AwsError, ErrorClass};
use deputy_delegation::{
    Accepted, Decision, ManagedPolicyArn, MissingFact, ObjectName, PrincipalId, Reason, Violation,
    capped::Capping,
    trust::{FormerPrincipal, LeftOutPrincipal, WhyLeftOut},
};
use jiff::Timestamp;

use crate::{
    queue::Requeue,
    report::{LOOK_AGAIN, reason_of},
    role::{
        capped::{CappedRole, Unread},
        outcome::{AppliedRole, RoleOutcome},
        status::{next_requeue, write_capped, write_decision, write_outcome},
    },
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn accepted() -> Decision {
    let payments = ObjectName::new("payments").unwrap();
    Decision::Accepted(Accepted {
        limits: vec![payments.clone()],
        boundary: Some(payments),
        would_refuse: Vec::new(),
        uses: Vec::new(),
    })
}

fn refused() -> Decision {
    Decision::Refused(
        Violation {
            reason: Reason::ExceedsLimit,
            field: "spec.policies[0].document.Statement[0]".into(),
            limit: Some(ObjectName::new("payments").unwrap()),
            message: "grants s3:DeleteObject".into(),
        }
        .into(),
    )
}

fn undecided() -> Decision {
    Decision::Undecided(MissingFact::AccountNotFound(ObjectName::new("production").unwrap()).into())
}

fn done(bound: bool) -> RoleOutcome {
    RoleOutcome::Provisioned {
        bound,
        role_id: Some("AROA1".into()),
        trust_hash: None,
        untagged: Vec::new(),
        absent: Vec::new(),
        left_out: Vec::new(),
    }
}

fn write(
    status: &mut AWSRoleStatus,
    decision: &Decision,
    outcome: &RoleOutcome,
    generation: Option<i64>,
    now: Timestamp,
) {
    write_decision(status, decision, generation, now);
    write_outcome(status, outcome, generation, now);
}

/// When a role is looked at again of which AWS is trusted to be so for a while.
fn next(outcome: RoleOutcome, trusted_for: Duration) -> Requeue {
    next_requeue(&AppliedRole {
        outcome,
        trusted_for: Some(trusted_for),
        capped: CappedRole::NotLookedAt,
        drift: None,
    })
}

/// Type, status and reason of every condition, in short.
fn conditions_of(decision: &Decision, outcome: &RoleOutcome) -> Vec<String> {
    let mut status = AWSRoleStatus::default();
    write(&mut status, decision, outcome, Some(3), at(10));
    assert!(status.conditions.iter().all(|c| c.observed_generation == Some(3)));
    let conditions = status.conditions.iter();
    conditions
        .map(|c| format!("{}={} {}", c.type_, c.status, c.reason))
        .collect()
}

#[test]
fn the_conditions_say_what_was_decided_and_how_far_it_came() {
    let suspended = |id: Option<&str>| RoleOutcome::Suspended {
        role_id: id.map(Into::into),
    };
    let table = [
        (
            accepted(),
            done(true),
            vec![
                "Accepted=True WithinLimits",
                "Provisioned=True UpToDate",
                "Ready=True Ready",
                "Tagged=True UpToDate",
            ],
        ),
        (
            refused(),
            suspended(Some("AROA1")),
            vec![
                "Accepted=False ExceedsLimit",
                "Provisioned=False Suspended",
                "Ready=False Suspended",
            ],
        ),
        (
            refused(),
            suspended(None),
            vec![
                "Accepted=False ExceedsLimit",
                "Provisioned=False NotAccepted",
                "Ready=False NotAccepted",
            ],
        ),
        (
            undecided(),
            RoleOutcome::waiting(ConditionReason::AccountNotFound, "no account"),
            vec![
                "Accepted=Unknown AccountNotFound",
                "Provisioned=False AccountNotFound",
                "Ready=False AccountNotFound",
            ],
        ),
        (
            accepted(),
            RoleOutcome::waiting(ConditionReason::BoundaryNotReady, "soon"),
            vec![
                "Accepted=True WithinLimits",
                "Provisioned=False BoundaryNotReady",
                "Ready=False BoundaryNotReady",
            ],
        ),
    ];
    for (decision, outcome, expected) in table {
        assert_eq!(conditions_of(&decision, &outcome), expected);
    }
}

#[test]
fn the_unique_id_stays_while_nothing_is_known_and_goes_with_the_role() {
    let mut status = AWSRoleStatus::default();
    write(&mut status, &accepted(), &done(true), Some(1), at(1));
    assert_eq!(status.role_id.as_deref(), Some("AROA1"));
    let waiting = RoleOutcome::waiting(ConditionReason::Unavailable, "AWS is away");
    write(&mut status, &accepted(), &waiting, Some(1), at(2));
    assert_eq!(status.role_id.as_deref(), Some("AROA1"));
    let gone = RoleOutcome::Suspended { role_id: None };
    write(&mut status, &refused(), &gone, Some(1), at(3));
    assert_eq!(status.role_id, None);
}

#[test]
fn saying_the_same_again_changes_nothing() {
    let mut status = AWSRoleStatus::default();
    write(&mut status, &accepted(), &done(false), Some(1), at(1));
    let before = status.clone();
    write(&mut status, &accepted(), &done(false), Some(1), at(99));
    assert_eq!(status, before);
}

#[test]
fn the_words_of_an_error_are_the_same_each_time() {
    let error =
        |message: &str| AwsError::new("iam:GetRole", ErrorClass::Throttled, message).with_code("CallBudget");
    assert_eq!(
        reason_of(&error("would allow it in 3.1 s")),
        reason_of(&error("would allow it in 7.9 s"))
    );
    let denied =
        AwsError::new("iam:CreateRole", ErrorClass::AccessDenied, "not authorized").with_code("AccessDenied");
    assert_eq!(
        reason_of(&denied),
        (
            ConditionReason::AccessDenied,
            "iam:CreateRole: AccessDenied (AccessDenied): not authorized".to_owned()
        )
    );
}

#[test]
fn every_class_of_error_has_a_reason_that_is_a_contract() {
    for class in ErrorClass::ALL {
        let (reason, message) = reason_of(&AwsError::new("iam:GetRole", class, "x"));
        assert!(
            !reason.as_str().is_empty() && message.contains(class.as_str()),
            "{class}"
        );
    }
}

#[test]
fn what_only_a_change_helps_is_not_tried_over_and_over() {
    let trusted = Duration::from_secs(1800);
    assert_eq!(next(done(true), trusted), Requeue::After(trusted));
    for reason in [
        ConditionReason::AccountNotFound,
        ConditionReason::BoundaryNotReady,
        ConditionReason::Conflict,
        ConditionReason::QuotaExceeded,
        ConditionReason::AccountInvalid,
    ] {
        let action = next(RoleOutcome::waiting(reason, ""), trusted);
        assert_eq!(action, Requeue::After(LOOK_AGAIN), "{reason}");
    }
    for reason in [
        ConditionReason::Unavailable,
        ConditionReason::Throttled,
        ConditionReason::Progressing,
        ConditionReason::AWSError,
    ] {
        assert_eq!(
            next(RoleOutcome::waiting(reason, ""), trusted),
            Requeue::Retry,
            "{reason}"
        );
    }
}

#[test]
fn tags_that_aws_refuses_are_told_and_the_role_is_ready() {
    let refused = |class| RoleOutcome::Provisioned {
        bound: true,
        role_id: Some("AROA1".into()),
        trust_hash: None,
        untagged: vec![AwsError::new(
            "iam:TagRole",
            class,
            "an organisation's tag policy",
        )],
        absent: Vec::new(),
        left_out: Vec::new(),
    };
    let denied = refused(ErrorClass::AccessDenied);
    let conditions = conditions_of(&accepted(), &denied);
    assert!(conditions.contains(&"Ready=True Ready".to_owned()));
    assert!(conditions.contains(&"Tagged=False AccessDenied".to_owned()));
    // Nobody tells us when the policy changes; what passes is tried again soon.
    assert_eq!(
        next(denied, Duration::from_secs(3600)),
        Requeue::After(LOOK_AGAIN)
    );
    assert_eq!(
        next(refused(ErrorClass::Throttled), Duration::from_secs(3600)),
        Requeue::Retry
    );
}

fn arn(name: &str) -> ManagedPolicyArn {
    ManagedPolicyArn::parse(&format!("arn:aws:iam::aws:policy/{name}")).unwrap()
}

#[test]
fn a_role_that_lacks_a_managed_policy_is_not_ready_and_looked_at_slowly() {
    let outcome = RoleOutcome::Provisioned {
        bound: true,
        role_id: Some("AROA1".into()),
        trust_hash: None,
        untagged: Vec::new(),
        absent: vec![arn("Gone")],
        left_out: Vec::new(),
    };
    let mut status = AWSRoleStatus::default();
    write(&mut status, &accepted(), &outcome, Some(3), at(10));
    // Its other permissions are there: the broker goes by the id.
    assert_eq!(status.role_id.as_deref(), Some("AROA1"));
    let conditions = conditions_of(&accepted(), &outcome);
    assert!(
        conditions.contains(&"Ready=False PolicyNotFound".to_owned()),
        "{conditions:?}"
    );
    assert!(conditions.contains(&"Provisioned=False PolicyNotFound".to_owned()));
    let ready = status.conditions.iter().find(|c| c.type_ == "Ready").unwrap();
    assert!(ready.message.contains("policy/Gone"), "{}", ready.message);
    assert_eq!(
        next(outcome, Duration::from_secs(3600)),
        Requeue::After(LOOK_AGAIN)
    );
}

/// Whoever is left out, the others have what they had: the role is ready, and looked at again soon.
#[test]
fn whom_a_trust_policy_leaves_out_is_said_with_what_brings_them_back() {
    let arn = "arn:aws:iam::999999999999:role/ci/deploy";
    let id = PrincipalId::new("AROADBQP57FF2AEXAMPLE").unwrap();
    let without = |why: Option<WhyLeftOut>| RoleOutcome::Provisioned {
        bound: true,
        role_id: Some("AROA1".into()),
        trust_hash: None,
        untagged: Vec::new(),
        absent: Vec::new(),
        left_out: why
            .map(|why| LeftOutPrincipal {
                arn: arn.to_owned(),
                why,
            })
            .into_iter()
            .collect(),
    };
    let replaced = |former| Some(WhyLeftOut::Replaced(former));
    for (why, provisioned, condition, reason) in [
        (
            replaced(FormerPrincipal::Known(id.clone())),
            "True UpToDate",
            Some("replaces: AROADBQP57FF2AEXAMPLE"),
            "PrincipalReplaced",
        ),
        (
            replaced(FormerPrincipal::Lost),
            "True UpToDate",
            Some("or of this one"),
            "PrincipalReplaced",
        ),
        (
            Some(WhyLeftOut::Unknown),
            "False InvalidPrincipal",
            None,
            "InvalidPrincipal",
        ),
        (
            Some(WhyLeftOut::NoRoom),
            "False TrustPolicyFull",
            None,
            "TrustPolicyFull",
        ),
    ] {
        let outcome = without(why);
        let mut status = AWSRoleStatus::default();
        write(&mut status, &accepted(), &outcome, Some(3), at(10));
        let conditions = conditions_of(&accepted(), &outcome);
        assert!(
            conditions.contains(&format!("Provisioned={provisioned}")),
            "{conditions:?}"
        );
        assert!(
            conditions.contains(&"Ready=True Ready".to_owned()),
            "{conditions:?}"
        );
        let said = status.conditions.iter().find(|c| c.type_ == "PrincipalReplaced");
        assert_eq!(said.map(|c| c.status.as_str()), condition.map(|_| "True"));
        assert!(said.is_none_or(|c| c.message.contains(arn) && c.message.contains(condition.unwrap())));
        assert_eq!(status.left_out_principals[0].reason, reason);
        // Not looked at, or closed: what is known stays known.
        let known = status.left_out_principals.clone();
        for other in [
            RoleOutcome::Suspended { role_id: None },
            RoleOutcome::waiting(ConditionReason::Throttled, "slower"),
        ] {
            write(&mut status, &accepted(), &other, Some(3), at(20));
            assert_eq!(status.left_out_principals, known);
        }
        assert_eq!(
            next(outcome, Duration::from_secs(3600)),
            Requeue::After(LOOK_AGAIN)
        );
        write(&mut status, &accepted(), &without(None), Some(3), at(30));
        assert!(status.left_out_principals.is_empty());
        assert!(status.conditions.iter().all(|c| c.type_ != "PrincipalReplaced"));
    }
}

#[test]
fn what_a_boundary_cuts_off_is_said_beside_what_is_not_known() {
    let whole = (arn("Whole"), Ok(Capping::Whole));
    let cut_off = (arn("Cut"), Ok(Capping::CutOff("s3:PutObject on *".into())));
    let odd = (
        arn("Odd"),
        Ok(Capping::Undecided("Condition can't be compared".into())),
    );
    let unread = |reason| {
        let message = "AWS is away".to_owned();
        (arn("Unread"), Err(Unread { reason, message }))
    };
    let away = unread(ConditionReason::Unavailable);
    for (found, says, names) in [
        (vec![whole.clone()], "CappedByBoundary=False NotCapped", ""),
        (
            vec![whole.clone(), cut_off.clone()],
            "CappedByBoundary=True Capped",
            "policy/Cut allows s3:PutObject on *",
        ),
        (
            vec![away.clone(), cut_off],
            "CappedByBoundary=True Capped",
            "policy/Unread: AWS is away",
        ),
        (
            vec![away.clone(), whole.clone()],
            "CappedByBoundary=Unknown Unavailable",
            "AWS is away",
        ),
        (
            vec![whole, odd],
            "CappedByBoundary=Unknown ContainmentUnknown",
            "policy/Odd",
        ),
    ] {
        let mut status = AWSRoleStatus::default();
        let has_unread = found.contains(&away);
        let capped = CappedRole::Found(found);
        write_capped(&mut status, &capped, Some(3), at(10));
        let condition = &status.conditions[0];
        let short = format!("{}={} {}", condition.type_, condition.status, condition.reason);
        assert_eq!(short, says);
        assert!(condition.message.contains(names), "{}", condition.message);
        let applied = |capped| AppliedRole {
            outcome: done(true),
            trusted_for: Some(Duration::from_secs(3600)),
            capped,
            drift: None,
        };
        let soon = Duration::from_secs(if has_unread { 600 } else { 3600 });
        assert_eq!(next_requeue(&applied(capped)), Requeue::After(soon));
        // Not looked at, it stays; without managed policies it goes.
        let before = status.clone();
        write_capped(&mut status, &CappedRole::NotLookedAt, Some(4), at(20));
        assert_eq!(status, before);
        write_capped(&mut status, &CappedRole::NothingToCap, Some(4), at(20));
        assert!(status.conditions.is_empty());
    }
}
