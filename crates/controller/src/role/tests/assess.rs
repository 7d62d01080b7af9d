//! The plan for a role.

use std::sync::Arc;

use deputy_api::conditions::ConditionReason;
use deputy_delegation::{
    Decision, MissingFact, ObjectName, Reason, Violation,
    boundary::{self, AccountBoundary},
    model::BoundaryMode,
    naming,
    plan::{BoundaryInAws, DesiredRole},
    trust,
    trust::NamedPrincipals,
};
use deputy_index::{BoundaryInAccount, Entry, LimitState};

use crate::{
    fixtures::{
        account, binding, cluster, cluster_uid, existing_role, index, limit, role, role_object, uid, uploader,
    },
    orphans::TriedFor,
    role::{
        assess::{Finalizer, RolePlan, RoleWork, assess},
        dereference::{AccountInput, FINALIZER, PresentRole, RoleInputs, RoleStage},
        outcome::RoleOutcome,
        target::RoleTarget,
    },
    verified::FingerprintKey,
};

const READ_WRITE: &[&str] = &["s3:GetObject", "s3:PutObject"];

fn production() -> ObjectName {
    ObjectName::new("production").unwrap()
}

/// A role with the finalizer, in the account of the fixtures.
fn inputs(stage: RoleStage) -> RoleInputs {
    let mut object = role_object(&["s3:GetObject"]);
    object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    let account = Arc::new(account());
    RoleInputs {
        takeover: None,
        shares: None,
        cluster: cluster(),
        cluster_uid: cluster_uid(),
        id: uploader(),
        uid: uid("uid-uploader"),
        object: Some(object.into()),
        entry: None,
        account: AccountInput {
            name: Some(production()),
            usable: Entry::Known(Arc::clone(&account)),
            as_written: Some(account),
        },
        stage,
        now: jiff::Timestamp::UNIX_EPOCH,
    }
}

/// The same as one that has never been in AWS.
fn without_finalizer(mut inputs: RoleInputs) -> RoleInputs {
    inputs.object = Some(role_object(&["s3:GetObject"]).into());
    inputs
}

/// What the status of a limit has of its boundary in the account of the fixtures.
fn of_production(there: Option<BoundaryInAccount>) -> Arc<LimitState> {
    let boundaries = there.map(|there| ("production".to_owned(), there));
    Arc::new(LimitState {
        boundaries: boundaries.into_iter().collect(),
    })
}

/// A role under its limit, with this in AWS of the limit's boundary.
fn present(actions: &[&str], bound: bool, in_aws: Option<&str>) -> PresentRole {
    let (limit, role) = (Arc::new(limit(READ_WRITE)), role(actions));
    let there = in_aws.map(|hash| BoundaryInAccount {
        policy_arn: naming::boundary_arn(&cluster(), &account(), &limit.name)
            .to_string()
            .into(),
        document_hash: hash.into(),
        within: None,
        ceiling_hash: None,
    });
    PresentRole {
        decision: index().decide_role_with(&role),
        role: Some(Arc::new(role)),
        bindings: if bound {
            vec![Arc::new(binding())]
        } else {
            Vec::new()
        },
        named: NamedPrincipals::of(&[], true),
        limits: vec![Arc::clone(&limit)],
        boundary: Some((limit, of_production(there))),
    }
}

fn deleting(stays: bool) -> RoleStage {
    RoleStage::Deleting { stays }
}

fn plan(inputs: &RoleInputs) -> RolePlan {
    assess(inputs, &FingerprintKey::default())
}

fn target_of(inputs: &RoleInputs) -> RoleTarget {
    match plan(inputs).work {
        RoleWork::Converge(convergence) => convergence.target,
        other => panic!("nothing is done: {other:?}"),
    }
}

/// What is true without any call to AWS.
fn outcome_of(inputs: &RoleInputs) -> RoleOutcome {
    match plan(inputs).work {
        RoleWork::Nothing(outcome) => outcome,
        other => panic!("AWS is called: {other:?}"),
    }
}

/// The target of the role that reads.
fn target(bound: bool, in_aws: Option<&str>) -> RoleTarget {
    let present = present(&["s3:GetObject"], bound, in_aws);
    target_of(&inputs(RoleStage::Present(Box::new(present))))
}

fn hash_of_the_boundary() -> String {
    boundary::compile(&cluster(), &account(), &limit(READ_WRITE))
        .unwrap()
        .hash
}

fn provisioned(target: RoleTarget) -> DesiredRole {
    match target {
        RoleTarget::Provision(desired) => *desired,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_accepted_role_is_made_under_the_boundary_that_aws_has() {
    let desired = provisioned(target(true, Some(&hash_of_the_boundary())));
    let limit = ObjectName::new("payments").unwrap();
    assert_eq!(
        desired.boundary,
        Some(naming::boundary_arn(&cluster(), &account(), &limit).into())
    );
    assert_eq!(
        desired.trust,
        trust::for_issuer(&cluster(), &account(), &uploader())
    );
    let tags: Vec<&str> = desired.tags.keys().map(AsRef::as_ref).collect();
    assert_eq!(
        tags,
        [
            "cost-center",
            "deputy-cluster",
            "deputy-cluster-uid",
            "deputy-kind",
            "deputy-name",
            "deputy-namespace",
            "deputy-tags",
            "deputy-uid"
        ]
    );
}

#[test]
fn a_role_without_an_accepted_binding_is_made_and_trusts_nobody() {
    let desired = provisioned(target(false, Some(&hash_of_the_boundary())));
    assert_eq!(desired.trust, trust::deny_all());
}

#[test]
fn nothing_is_made_under_a_boundary_that_is_absent_or_says_something_else() {
    for in_aws in [None, Some("0123")] {
        assert!(
            matches!(target(true, in_aws), RoleTarget::Hold { .. }),
            "{in_aws:?}"
        );
    }
}

#[test]
fn a_role_under_a_policy_of_somebody_else_is_made_while_that_is_proved() {
    let policy = "arn:aws:iam::123456789012:policy/team";
    let mut limit = limit(READ_WRITE);
    limit.boundary = BoundaryMode::Reference(policy.parse().unwrap());
    let limit = Arc::new(limit);
    let boundary = boundary::in_account(&cluster(), &account(), &limit).unwrap();
    let Ok(AccountBoundary::Referenced(referenced)) = boundary.as_ref() else {
        panic!("{boundary:?}")
    };
    let proved = BoundaryInAccount {
        policy_arn: policy.into(),
        document_hash: "0123".into(),
        within: Some(true),
        ceiling_hash: Some(referenced.ceiling_hash.as_str().into()),
    };
    let target = |there: Option<BoundaryInAccount>| {
        let present = PresentRole {
            limits: vec![Arc::clone(&limit)],
            boundary: Some((Arc::clone(&limit), of_production(there))),
            ..present(&["s3:GetObject"], true, None)
        };
        target_of(&inputs(RoleStage::Present(Box::new(present))))
    };
    let desired = provisioned(target(Some(proved.clone())));
    assert_eq!(desired.boundary, Some(policy.parse().unwrap()));
    for (there, wanted) in [
        (None, BoundaryInAws::Missing),
        // It was proved against the limit as it was.
        (
            Some(BoundaryInAccount {
                ceiling_hash: Some("4567".into()),
                ..proved.clone()
            }),
            BoundaryInAws::Outdated,
        ),
        (
            Some(BoundaryInAccount {
                policy_arn: "arn:aws:iam::aws:policy/Other".into(),
                ..proved.clone()
            }),
            BoundaryInAws::Outdated,
        ),
        (
            Some(BoundaryInAccount {
                within: None,
                ..proved.clone()
            }),
            BoundaryInAws::Outdated,
        ),
        (
            Some(BoundaryInAccount {
                within: Some(false),
                ..proved
            }),
            BoundaryInAws::Exceeding,
        ),
    ] {
        let held = target(there);
        assert!(
            matches!(&held, RoleTarget::Hold { boundary, .. } if *boundary == wanted),
            "{held:?}"
        );
        assert_eq!(held.desired(), Some(&desired));
    }
}

#[test]
fn what_is_wanted_is_the_same_before_and_after_the_boundary_is_there() {
    let (before, after) = (target(true, None), target(true, Some(&hash_of_the_boundary())));
    assert!(after.desired().is_some() && before.desired() == after.desired());
    let key = FingerprintKey::default();
    let prints = [None, Some(hash_of_the_boundary())].map(|hash| {
        let present = present(&["s3:GetObject"], true, hash.as_deref());
        match assess(&inputs(RoleStage::Present(Box::new(present))), &key).work {
            RoleWork::Converge(convergence) => convergence.fingerprint,
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(prints[0], prints[1]);
}

#[test]
fn a_refusal_suspends_and_a_missing_fact_waits() {
    let refused = PresentRole {
        limits: Vec::new(),
        boundary: None,
        ..present(&["s3:DeleteObject"], true, None)
    };
    assert!(matches!(refused.decision, Decision::Refused(_)));
    assert_eq!(
        target_of(&inputs(RoleStage::Present(Box::new(refused)))),
        RoleTarget::Suspend
    );
    let undecided = PresentRole {
        decision: Decision::Undecided(MissingFact::AccountNotFound(production()).into()),
        ..present(&["s3:DeleteObject"], true, None)
    };
    assert_eq!(
        outcome_of(&inputs(RoleStage::Present(Box::new(undecided)))),
        RoleOutcome::waiting(
            ConditionReason::Progressing,
            "AWSAccount production does not exist"
        )
    );
}

#[test]
fn a_limit_that_changed_between_decision_and_look_up_is_waited_for() {
    let accepted = PresentRole {
        limits: Vec::new(),
        boundary: None,
        ..present(&["s3:GetObject"], true, None)
    };
    assert!(accepted.decision.is_accepted());
    assert!(matches!(
        target_of(&inputs(RoleStage::Present(Box::new(accepted)))),
        RoleTarget::Hold { .. }
    ));
}

/// A role that can't be read.
fn unreadable() -> PresentRole {
    PresentRole {
        role: None,
        decision: Decision::Refused(Violation::new(Reason::Structure, "spec", "can't be read").into()),
        bindings: Vec::new(),
        named: NamedPrincipals::of(&[], true),
        limits: Vec::new(),
        boundary: None,
    }
}

#[test]
fn only_what_is_to_be_made_gets_the_finalizer() {
    let made = present(&["s3:GetObject"], true, Some(&hash_of_the_boundary()));
    let made = inputs(RoleStage::Present(Box::new(made)));
    let add = Finalizer::Add {
        account: production(),
    };
    assert_eq!(plan(&made).finalizer, add);
    assert_eq!(plan(&without_finalizer(made)).finalizer, add);
    for stage in [
        RoleStage::Present(Box::new(present(&["s3:GetObject"], true, None))),
        RoleStage::Present(Box::new(unreadable())),
        deleting(false),
    ] {
        assert_eq!(plan(&inputs(stage)).finalizer, Finalizer::Keep);
    }
}

#[test]
fn aws_is_not_asked_about_what_was_never_there() {
    let held = present(&["s3:GetObject"], true, None);
    let held = without_finalizer(inputs(RoleStage::Present(Box::new(held))));
    assert!(matches!(
        outcome_of(&held),
        RoleOutcome::Waiting {
            reason: ConditionReason::BoundaryNotReady,
            ..
        }
    ));
    let refused = without_finalizer(inputs(RoleStage::Present(Box::new(unreadable()))));
    assert_eq!(outcome_of(&refused), RoleOutcome::Suspended { role_id: None });
}

#[test]
fn a_role_that_can_not_be_read_is_suspended_as_what_it_was() {
    assert_eq!(
        target_of(&inputs(RoleStage::Present(Box::new(unreadable())))),
        RoleTarget::Suspend
    );
}

#[test]
fn by_an_account_that_may_not_be_used_things_are_only_taken_away() {
    let not_usable = |stage| {
        let mut inputs = inputs(stage);
        inputs.account.usable = Entry::Unreadable("an older AWSAccount counts".into());
        inputs
    };
    let refused = not_usable(RoleStage::Present(Box::new(unreadable())));
    assert_eq!(target_of(&refused), RoleTarget::Suspend);
    let deleted = not_usable(deleting(false));
    assert_eq!(target_of(&deleted), RoleTarget::Delete);
    let accepted = present(&["s3:GetObject"], true, Some(&hash_of_the_boundary()));
    assert!(accepted.decision.is_accepted());
    let accepted = not_usable(RoleStage::Present(Box::new(accepted)));
    assert!(matches!(outcome_of(&accepted), RoleOutcome::Waiting { .. }));
}

#[test]
fn a_deletion_waits_for_an_account_that_is_not_known() {
    for (usable, part, tried_for) in [
        (Entry::Missing, "does not exist", TriedFor::Good),
        // It is mended, most likely.
        (
            Entry::Unreadable("spec.region".into()),
            "can't be read: spec.region",
            TriedFor::Passing,
        ),
    ] {
        let mut inputs = inputs(deleting(false));
        inputs.account.usable = usable;
        inputs.account.as_written = None;
        let RoleOutcome::Deleting { message, ended } = outcome_of(&inputs) else {
            panic!("{part}");
        };
        assert_eq!(ended, tried_for, "{part}");
        assert!(
            message.contains(part) && message.contains("production"),
            "{message}"
        );
    }
    // Of an object without a readable name of an account no role was ever made.
    let mut inputs = inputs(deleting(false));
    inputs.account.name = None;
    assert_eq!(outcome_of(&inputs), RoleOutcome::Deleted);
}

#[test]
fn a_role_that_is_to_stay_is_closed_and_not_deleted() {
    assert_eq!(target_of(&inputs(deleting(true))), RoleTarget::Retain);
}

#[test]
fn a_role_that_exists_is_looked_at_and_gets_no_finalizer() {
    let existing = existing_role();
    let accepted = PresentRole {
        role: Some(Arc::new(existing)),
        ..present(&["s3:GetObject"], true, None)
    };
    let accepted = inputs(RoleStage::Present(Box::new(accepted)));
    let plan = plan(&without_finalizer(accepted));
    assert_eq!(plan.finalizer, Finalizer::Keep);
    assert!(matches!(plan.work, RoleWork::Look(_)), "{:?}", plan.work);
    let refused = PresentRole {
        role: Some(Arc::new(existing_role())),
        decision: Decision::Refused(
            Violation::new(Reason::ExistingRole, "spec.existing.roleARN", "no").into(),
        ),
        ..present(&["s3:GetObject"], true, None)
    };
    let refused = without_finalizer(inputs(RoleStage::Present(Box::new(refused))));
    assert_eq!(outcome_of(&refused), RoleOutcome::Suspended { role_id: None });
}
