//! Roles on an IAM in memory that fails on order: wherever a call fails, and however, the next attempts end where they
//! should, and on no way there is more allowed than before or after.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use deputy_aws::{
    ErrorClass, NewPolicy, Policies,
    model::{Fault, InMemoryIam, Lag},
};
use deputy_delegation::{
    ManagedPolicyArn, boundary, naming,
    plan::{BoundaryInAws, DesiredRole, ObservedRole},
    trust,
};

use crate::{
    context::MayWrite,
    fixtures::{OTHER_CLUSTER, account, cluster, cluster_uid, limit, role, uid, uploader},
    queue::Superseded,
    role::{
        converge::{Converged, RoleApplyError, RoleCalls, RoleReads, converge},
        target::RoleTarget,
        tests::ours,
    },
};

const READER: &str = "arn:aws:iam::aws:policy/Reader";
const WRITER: &str = "arn:aws:iam::123456789012:policy/team/Writer";
const LIMIT: &[&str] = &["s3:GetObject", "s3:PutObject"];

/// An account with the limit's boundary in it.
async fn iam() -> InMemoryIam {
    let (account, limit) = (account(), limit(LIMIT));
    let iam = InMemoryIam::new(account.partition.clone(), account.id.clone());
    let policy = NewPolicy {
        name: naming::limit_policy_name(&cluster(), &limit.name),
        path: naming::limit_path(&cluster()),
        tags: naming::limit_tags(&cluster(), &cluster_uid(), &account, &limit.name, None),
        document: boundary::compile(&cluster(), &account, &limit).unwrap().document,
    };
    iam.create_policy(&policy).await.unwrap();
    for arn in [READER, WRITER] {
        let text =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
        iam.set_managed_policy(&managed_policy(arn), text);
    }
    iam.clear_log();
    iam
}

fn managed_policy(arn: &str) -> ManagedPolicyArn {
    ManagedPolicyArn::parse(arn).unwrap()
}

/// The same with managed policies, beside the inline one or alone.
fn with_managed(mut target: RoleTarget, arns: &[&str], alone: bool) -> RoleTarget {
    if let RoleTarget::Provision(desired) = &mut target {
        desired.attached = arns.iter().map(|arn| managed_policy(arn)).collect();
        if alone {
            desired.inline = None;
        }
    }
    target
}

fn desired(actions: &[&str], bound: bool) -> RoleTarget {
    let ours = ours();
    let role = role(actions);
    let owned = role.owned().unwrap();
    RoleTarget::Provision(Box::new(DesiredRole {
        name: ours.name,
        path: ours.path,
        trust: if bound {
            trust::for_issuer(&cluster(), &account(), &uploader())
        } else {
            trust::deny_all()
        },
        inline: owned.policies.inline().cloned(),
        attached: owned.policies.managed().clone(),
        boundary: Some(naming::boundary_arn(&cluster(), &account(), &limit(LIMIT).name).into()),
        tags: ours.tags,
        max_session_duration: owned.max_session_duration,
    }))
}

/// What may become of a role.
#[derive(Clone)]
enum Goal {
    Is(RoleTarget),
    Gone,
}

async fn reach(iam: &InMemoryIam, goal: &Goal) -> Result<Converged, RoleApplyError> {
    reach_while(iam, goal, &|| true).await
}

async fn reach_while(
    iam: &InMemoryIam,
    goal: &Goal,
    may_write: MayWrite<'_>,
) -> Result<Converged, RoleApplyError> {
    let ours = ours();
    let gone = RoleTarget::Delete;
    let target = match goal {
        Goal::Is(target) => target,
        Goal::Gone => &gone,
    };
    let steps = |observed: Option<&ObservedRole>| target.steps(&ours, observed);
    let calls = RoleCalls {
        roles: iam,
        revoking: iam,
        reads: RoleReads::Whole,
        superseded: &Superseded::never(),
    };
    converge(calls, &ours.name, may_write, steps).await
}

/// Tries as the queue does, until it works.
async fn reach_in_the_end(iam: &InMemoryIam, goal: &Goal) -> Converged {
    for _ in 0..10 {
        // A policy that is said not to exist may be one that is not known everywhere yet; a tag that was refused once is tried again.
        if let Ok(converged) = reach(iam, goal).await
            && converged.absent.is_empty()
            && converged.refused_tags.is_empty()
        {
            return converged;
        }
    }
    panic!("not reached in ten tries: {:#?}", iam.log());
}

/// The lives of a role: each step from the state before.
fn lives() -> Vec<(&'static str, Vec<Goal>)> {
    let reads = Goal::Is(desired(&["s3:GetObject"], true));
    let writes = Goal::Is(desired(&["s3:PutObject"], true));
    let unbound = Goal::Is(desired(&["s3:PutObject"], false));
    let suspended = Goal::Is(RoleTarget::Suspend);
    let managed = |arns: &[&str], alone| {
        let target = desired(&["s3:GetObject"], true);
        Goal::Is(with_managed(target, arns, alone))
    };
    let retained = Goal::Is(RoleTarget::Retain);
    vec![
        ("made", vec![reads.clone()]),
        ("changed", vec![reads.clone(), writes.clone()]),
        (
            "changed and unbound at once",
            vec![reads.clone(), unbound.clone()],
        ),
        ("bound and changed at once", vec![unbound, reads.clone()]),
        ("suspended", vec![reads.clone(), suspended.clone()]),
        (
            "suspended and restored",
            vec![reads.clone(), suspended.clone(), writes.clone()],
        ),
        ("left in the account", vec![reads.clone(), retained.clone()]),
        (
            "left in the account and taken back",
            vec![reads.clone(), retained.clone(), writes.clone()],
        ),
        (
            "left in the account while suspended",
            vec![reads.clone(), suspended.clone(), retained],
        ),
        ("deleted", vec![reads.clone(), Goal::Gone]),
        (
            "with managed policies, exchanged, and deleted",
            vec![managed(&[READER], false), managed(&[WRITER], true), Goal::Gone],
        ),
        (
            "from own policies to managed ones and back",
            vec![reads.clone(), managed(&[READER, WRITER], true), reads.clone()],
        ),
        ("deleted while suspended", vec![reads, suspended, Goal::Gone]),
    ]
}

/// What a role that is closed has in place of its inline policy.
const DENY_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Sid":"DenyAll","Effect":"Deny","Action":"*","Resource":"*"}]}"#;

/// Everything that the role was after each write is something that was asked for.
fn check(iam: &InMemoryIam, goals: &[Goal], what: &str) {
    let targets: Vec<&DesiredRole> = goals
        .iter()
        .filter_map(|goal| match goal {
            Goal::Is(RoleTarget::Provision(desired)) => Some(desired.as_ref()),
            _ => None,
        })
        .collect();
    // A role that is closed denies everything to its sessions.
    let inline: BTreeSet<String> = targets
        .iter()
        .filter_map(|t| t.inline.as_ref().map(|inline| inline.to_json()))
        .chain([DENY_ALL.to_owned()])
        .collect();
    let attached: BTreeSet<String> = targets
        .iter()
        .flat_map(|t| t.attached.iter().map(ToString::to_string))
        .collect();
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let trusts: Vec<_> = targets
        .iter()
        .map(|t| json(&t.trust.to_json()))
        .chain([json(&trust::deny_all().to_json())])
        .collect();
    for call in iam.log() {
        let Some(role) = call.role_after else { continue };
        assert!(
            role.boundary.is_some(),
            "{what}: without a boundary after {}",
            call.operation
        );
        assert!(
            role.inline.values().all(|p| inline.contains(p)),
            "{what}: {:?}",
            role.inline
        );
        assert!(
            role.attached.iter().all(|arn| attached.contains(arn)),
            "{what}: {:?}",
            role.attached
        );
        assert!(trusts.contains(&json(&role.trust)), "{what}: {}", role.trust);
    }
}

async fn settled(iam: &InMemoryIam, goals: &[Goal], what: &str) {
    let last = goals.last().unwrap();
    check(iam, goals, what);
    iam.clear_log();
    let again = reach(iam, last).await.unwrap();
    assert!(!again.changed, "{what}: unchanged means no write");
    assert_eq!(iam.writes(), Vec::<&str>::new(), "{what}");
    assert_eq!(iam.role_names().is_empty(), matches!(last, Goal::Gone), "{what}");
    assert_eq!(again.role_id.is_none(), matches!(last, Goal::Gone), "{what}");
}

/// How many calls a life takes when nothing fails.
async fn calls(goals: &[Goal]) -> usize {
    let iam = iam().await;
    for goal in goals {
        reach(&iam, goal).await.unwrap();
    }
    iam.log().len()
}

#[tokio::test]
async fn whichever_call_fails_and_however_every_life_ends_as_it_should() {
    for (name, goals) in lives() {
        for index in 0..calls(&goals).await {
            // Nothing is done by class here: one that AWS decided, one that may be either, one that looks like a lag.
            for class in [
                ErrorClass::AccessDenied,
                ErrorClass::Unreachable,
                ErrorClass::NotFound,
            ] {
                for fault in [Fault::before(class), Fault::after(class)] {
                    let what = format!("{name}: call {index}, {fault:?}");
                    let iam = iam().await;
                    iam.fail(fault.at(index));
                    for goal in &goals {
                        reach_in_the_end(&iam, goal).await;
                    }
                    settled(&iam, &goals, &what).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn whenever_the_process_dies_the_next_one_finishes() {
    for (name, goals) in lives() {
        for index in 0..=calls(&goals).await {
            let iam = iam().await;
            iam.die_after(index);
            let mut reached = 0;
            for goal in &goals {
                if reach(&iam, goal).await.is_err() {
                    break;
                }
                reached += 1;
            }
            iam.revive();
            // What was asked for last may also have changed while nobody was there.
            let rest = if reached < goals.len() {
                &goals[reached..]
            } else {
                &goals[goals.len() - 1..]
            };
            for goal in rest {
                reach_in_the_end(&iam, goal).await;
            }
            settled(&iam, &goals, &format!("{name}: died after {index} calls")).await;
        }
    }
}

#[tokio::test]
async fn no_write_begins_without_the_lease() {
    for (name, goals) in lives() {
        for allowed in 0..8 {
            let iam = iam().await;
            let (last, before) = goals.split_last().unwrap();
            for goal in before {
                reach(&iam, goal).await.unwrap();
            }
            iam.clear_log();
            let asked = AtomicUsize::new(0);
            let may_write = || asked.fetch_add(1, Ordering::SeqCst) < allowed;
            let outcome = reach_while(&iam, last, &may_write).await;
            let writes = iam.writes().len();
            assert!(writes <= allowed, "{name}: {writes} writes, {allowed} allowed");
            assert_eq!(
                outcome == Err(RoleApplyError::NotLeader),
                asked.load(Ordering::SeqCst) > allowed
            );
            reach_in_the_end(&iam, last).await;
            settled(&iam, &goals, name).await;
        }
    }
}

#[tokio::test]
async fn reads_that_lag_behind_delay_and_break_nothing() {
    for lag in 1..6 {
        let iam = iam().await;
        iam.set_lag(Lag {
            role_reads: lag,
            ..Lag::default()
        });
        let goals = [Goal::Is(desired(&["s3:GetObject"], true))];
        reach_in_the_end(&iam, &goals[0]).await;
        settled(&iam, &goals, &format!("{lag} reads late")).await;
    }
}

#[tokio::test]
async fn drift_is_repaired_and_the_unique_id_follows_a_role_that_was_made_again() {
    let iam = iam().await;
    let goal = Goal::Is(desired(&["s3:GetObject"], true));
    let first = reach(&iam, &goal).await.unwrap();
    let name = ours().name;
    let whole = iam.role(&name).unwrap();

    iam.tamper(&name, |role| {
        role.attached
            .push("arn:aws:iam::aws:policy/AdministratorAccess".into());
        role.inline.insert("extra".into(), role.inline["deputy"].clone());
        role.boundary = None;
        role.trust = trust::deny_all().to_json();
        role.tags.remove("cost-center");
        role.max_session_seconds = 43_200;
    });
    let repaired = reach(&iam, &goal).await.unwrap();
    assert!(repaired.changed && repaired.role_id == first.role_id);
    assert_eq!(iam.role(&name).unwrap(), whole);

    iam.uproot(&name);
    let again = reach(&iam, &goal).await.unwrap();
    assert!(again.changed && again.role_id.is_some() && again.role_id != first.role_id);
}

/// `target`, while the boundary of the limit is late.
fn hold(target: &RoleTarget, allowed: &[&str], boundary: BoundaryInAws) -> Goal {
    Goal::Is(RoleTarget::Hold {
        desired: Box::new(target.desired().unwrap().clone()),
        limits: vec![std::sync::Arc::new(limit(allowed))],
        boundary,
        until: "the boundary".into(),
    })
}

#[tokio::test]
async fn while_its_boundary_is_late_a_role_shrinks_and_does_not_grow() {
    let (late, gone) = (BoundaryInAws::Outdated, BoundaryInAws::Missing);
    let both = desired(LIMIT, true);
    let reads = desired(&["s3:GetObject"], true);
    let writes = desired(&["s3:PutObject"], true);
    let unbound = desired(&["s3:GetObject"], false);
    const UPDATE_TRUST: &str = "iam:UpdateAssumeRolePolicy";
    for (what, is, wanted, allowed, there, writes) in [
        ("nothing is made", None, &reads, LIMIT, late, vec![]),
        ("as it should be", Some(&reads), &reads, LIMIT, late, vec![]),
        (
            "as it should be, and the policy is gone",
            Some(&reads),
            &reads,
            LIMIT,
            gone,
            vec![],
        ),
        (
            "widened: what was accepted stays",
            Some(&reads),
            &both,
            LIMIT,
            late,
            vec![],
        ),
        (
            "something else: what was accepted stays",
            Some(&reads),
            &writes,
            LIMIT,
            late,
            vec![],
        ),
        (
            "narrowed",
            Some(&both),
            &reads,
            LIMIT,
            late,
            vec!["iam:PutRolePolicy"],
        ),
        ("unbound", Some(&reads), &unbound, LIMIT, late, vec![UPDATE_TRUST]),
        ("bound: opened later", Some(&unbound), &reads, LIMIT, late, vec![]),
        (
            "more than the limit allows now",
            Some(&both),
            &reads,
            &["s3:GetObject"][..],
            late,
            vec!["iam:PutRolePolicy", UPDATE_TRUST],
        ),
    ] {
        let iam = iam().await;
        if let Some(is) = is {
            reach(&iam, &Goal::Is(is.clone())).await.unwrap();
        }
        iam.clear_log();
        for _ in 0..2 {
            reach(&iam, &hold(wanted, allowed, there)).await.unwrap();
            assert_eq!(iam.writes(), writes, "{what}");
        }
        // In the end it becomes what it should be.
        reach(&iam, &Goal::Is(wanted.clone())).await.unwrap();
        let goals: Vec<Goal> = is.into_iter().chain([wanted]).cloned().map(Goal::Is).collect();
        settled(&iam, &goals, what).await;
    }
}

#[tokio::test]
async fn without_any_boundary_a_role_is_closed_until_there_is_one() {
    let reads = desired(&["s3:GetObject"], true);
    for (there, writes) in [
        (
            BoundaryInAws::Missing,
            &["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"][..],
        ),
        (BoundaryInAws::Outdated, &["iam:PutRolePermissionsBoundary"]),
    ] {
        let iam = iam().await;
        reach(&iam, &Goal::Is(reads.clone())).await.unwrap();
        iam.tamper(&ours().name, |role| role.boundary = None);
        iam.clear_log();
        reach(&iam, &hold(&reads, LIMIT, there)).await.unwrap();
        assert_eq!(iam.writes(), writes);
    }
}

#[tokio::test]
async fn another_issuer_is_trusted_instead_of_the_old_one_while_the_boundary_is_late() {
    let reads = desired(&["s3:GetObject"], true);
    let iam = iam().await;
    reach(&iam, &Goal::Is(reads.clone())).await.unwrap();
    let RoleTarget::Provision(mut desired) = reads else {
        panic!("provisioned")
    };
    let mut account = account();
    account.issuer = "arn:aws:iam::123456789012:user/another".parse().unwrap();
    desired.trust = trust::for_issuer(&cluster(), &account, &uploader());
    iam.clear_log();
    reach(
        &iam,
        &hold(
            &RoleTarget::Provision(desired.clone()),
            LIMIT,
            BoundaryInAws::Outdated,
        ),
    )
    .await
    .unwrap();
    assert_eq!(iam.writes(), ["iam:UpdateAssumeRolePolicy"]);
    assert!(iam.role(&ours().name).unwrap().trust.contains("user/another"));
}

/// Whether a trust policy in AWS means this.
fn says(text: &str, document: &deputy_policy::Document) -> bool {
    let parsed = deputy_policy::Document::parse(text, deputy_policy::PolicyKind::Trust);
    parsed.is_ok_and(|parsed| parsed.semantically_eq(document))
}

/// Everything about a role is to change, and most of it to shrink: narrower, unbound, shorter sessions, other tags, and somebody added
/// what is not ours. Also it was made for a former object.
async fn much_to_take_away() -> (InMemoryIam, RoleTarget) {
    let iam = iam().await;
    reach(&iam, &Goal::Is(desired(LIMIT, true))).await.unwrap();
    iam.tamper(&ours().name, |role| {
        role.attached
            .push("arn:aws:iam::aws:policy/AdministratorAccess".into());
        role.inline.insert("extra".into(), role.inline["deputy"].clone());
        role.boundary = None;
        role.max_session_seconds = 43_200;
        role.tags.insert("deputy-uid".into(), "uid-before".into());
    });
    let RoleTarget::Provision(mut narrow) = desired(&["s3:GetObject"], false) else {
        panic!("provisioned")
    };
    let mut account = account();
    account.tags = [("team".parse().unwrap(), "platform".parse().unwrap())]
        .try_into()
        .unwrap();
    narrow.tags = naming::role_tags(
        &cluster(),
        &cluster_uid(),
        &account,
        &uploader(),
        &uid("uid-uploader"),
    );
    (iam, RoleTarget::Provision(narrow))
}

#[tokio::test]
async fn whichever_call_aws_refuses_for_good_all_else_that_takes_away_is_done() {
    const CALLS: [&str; 8] = [
        "iam:UpdateAssumeRolePolicy",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:UpdateRole",
        "iam:TagRole",
        "iam:UntagRole",
    ];
    for class in [
        ErrorClass::AccessDenied,
        ErrorClass::LimitExceeded,
        ErrorClass::Throttled,
        ErrorClass::Service,
    ] {
        let (iam, narrow) = much_to_take_away().await;
        iam.clear_log();
        reach(&iam, &Goal::Is(narrow.clone())).await.unwrap();
        for operation in CALLS {
            assert!(iam.writes().contains(&operation), "the case has {operation}");
        }
        for refused in CALLS {
            let what = format!("{refused} {class}");
            let (iam, narrow) = much_to_take_away().await;
            let before = iam.role(&ours().name).unwrap();
            iam.fail(Fault::before(class).of(refused).times(usize::MAX));
            let outcome = reach(&iam, &Goal::Is(narrow.clone())).await;
            let role = iam.role(&ours().name).unwrap();
            let wanted = narrow.desired().unwrap();
            let done = [
                ("iam:UpdateAssumeRolePolicy", says(&role.trust, &wanted.trust)),
                ("iam:PutRolePermissionsBoundary", role.boundary.is_some()),
                (
                    "iam:PutRolePolicy",
                    role.inline["deputy"] == wanted.inline.as_ref().unwrap().to_json(),
                ),
                ("iam:DeleteRolePolicy", !role.inline.contains_key("extra")),
                ("iam:DetachRolePolicy", role.attached.is_empty()),
                ("iam:UpdateRole", role.max_session_seconds == 3600),
                (
                    "iam:TagRole",
                    role.tags.get("team").is_some_and(|v| v == "platform"),
                ),
                ("iam:UntagRole", !role.tags.contains_key("cost-center")),
            ];
            for (operation, is_done) in done {
                assert_eq!(is_done, operation != refused, "{what}: {operation}");
            }
            // Tags of the account are told and no failure; the tag that says whose the role is is one.
            match (refused, outcome) {
                ("iam:UntagRole", Ok(converged)) => assert!(!converged.refused_tags.is_empty(), "{what}"),
                (_, Err(RoleApplyError::Write(error))) => assert_eq!(error.operation(), refused, "{what}"),
                (_, other) => panic!("{what}: {other:?}"),
            }
            assert_eq!(role.unique_id, before.unique_id);
            iam.revive();
            reach_in_the_end(&iam, &Goal::Is(narrow.clone())).await;
            assert!(!reach(&iam, &Goal::Is(narrow)).await.unwrap().changed, "{what}");
        }
    }
}

#[tokio::test]
async fn nothing_is_given_after_a_call_that_failed() {
    // Adopted, widened and bound at once; the tag that says whose it is is refused.
    let iam = iam().await;
    reach(&iam, &Goal::Is(desired(&["s3:GetObject"], false)))
        .await
        .unwrap();
    iam.tamper(&ours().name, |role| {
        role.tags.insert("deputy-uid".into(), "uid-before".into());
    });
    iam.clear_log();
    iam.fail(
        Fault::before(ErrorClass::AccessDenied)
            .of("iam:TagRole")
            .times(usize::MAX),
    );
    let outcome = reach(&iam, &Goal::Is(desired(LIMIT, true))).await;
    assert!(matches!(outcome, Err(RoleApplyError::Write(_))), "{outcome:?}");
    assert_eq!(iam.writes(), Vec::<&str>::new());
}

#[tokio::test]
async fn tags_of_the_account_that_aws_refuses_keep_nothing_from_being_done() {
    let iam = iam().await;
    reach(&iam, &Goal::Is(desired(&["s3:GetObject"], true)))
        .await
        .unwrap();
    let RoleTarget::Provision(mut wider) = desired(LIMIT, true) else {
        panic!("provisioned")
    };
    let mut account = account();
    account
        .tags
        .insert("team".parse().unwrap(), "platform".parse().unwrap())
        .unwrap();
    wider.tags = naming::role_tags(
        &cluster(),
        &cluster_uid(),
        &account,
        &uploader(),
        &uid("uid-uploader"),
    );
    iam.fail(
        Fault::before(ErrorClass::AccessDenied)
            .of("iam:TagRole")
            .times(usize::MAX),
    );
    let converged = reach(&iam, &Goal::Is(RoleTarget::Provision(wider.clone())))
        .await
        .unwrap();
    assert_eq!(converged.refused_tags.len(), 1);
    assert_eq!(
        iam.role(&ours().name).unwrap().inline["deputy"],
        wider.inline.as_ref().unwrap().to_json()
    );
}

#[tokio::test]
async fn a_deletion_that_is_stuck_leaves_a_role_that_nobody_can_become() {
    for refused in ["iam:DeleteRolePolicy", "iam:DeleteRole"] {
        let iam = iam().await;
        reach(&iam, &Goal::Is(desired(LIMIT, true))).await.unwrap();
        iam.fail(
            Fault::before(ErrorClass::AccessDenied)
                .of(refused)
                .times(usize::MAX),
        );
        assert!(matches!(
            reach(&iam, &Goal::Gone).await,
            Err(RoleApplyError::Write(_))
        ));
        assert!(says(&iam.role(&ours().name).unwrap().trust, &trust::deny_all()));
        iam.revive();
        reach_in_the_end(&iam, &Goal::Gone).await;
        assert!(iam.role_names().is_empty());
    }
}

/// A role of our name with another uid on its tag.
async fn of_a_former_object(iam: &InMemoryIam) {
    reach(iam, &Goal::Is(desired(&["s3:GetObject"], true)))
        .await
        .unwrap();
    iam.tamper(&ours().name, |role| {
        role.tags.insert("deputy-uid".into(), "uid-before".into());
    });
    iam.clear_log();
}

#[tokio::test]
async fn a_role_of_a_former_object_is_closed_and_deleted_as_ours() {
    let iam = iam().await;
    of_a_former_object(&iam).await;
    reach(&iam, &Goal::Is(RoleTarget::Suspend)).await.unwrap();
    assert_eq!(iam.writes(), ["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"]);
    of_a_former_object(&iam).await;
    reach(&iam, &Goal::Gone).await.unwrap();
    assert_eq!(
        iam.writes(),
        [
            "iam:UpdateAssumeRolePolicy",
            "iam:DeleteRolePolicy",
            "iam:DeleteRole"
        ]
    );
    assert!(iam.role_names().is_empty());
}

#[tokio::test]
async fn a_role_that_is_not_ours_is_neither_changed_nor_deleted() {
    for (tag, value) in [
        ("deputy-cluster", Some("other")),
        ("deputy-namespace", Some("other")),
        ("deputy-name", Some("other")),
        ("deputy-cluster", None),
        ("deputy-kind", None),
        ("deputy-cluster-uid", Some(OTHER_CLUSTER)),
        ("deputy-cluster-uid", None),
    ] {
        let iam = iam().await;
        reach(&iam, &Goal::Is(desired(&["s3:GetObject"], true)))
            .await
            .unwrap();
        iam.tamper(&ours().name, |role| match value {
            Some(value) => drop(role.tags.insert(tag.into(), value.into())),
            None => drop(role.tags.remove(tag)),
        });
        iam.clear_log();
        for goal in [
            Goal::Is(desired(&["s3:PutObject"], true)),
            Goal::Is(RoleTarget::Suspend),
            Goal::Is(RoleTarget::Retain),
            Goal::Gone,
        ] {
            assert!(
                matches!(reach(&iam, &goal).await, Err(RoleApplyError::Conflict(_))),
                "{tag} {value:?}"
            );
        }
        assert_eq!(iam.writes(), Vec::<&str>::new(), "{tag} {value:?}");
    }
}

#[tokio::test]
async fn an_error_of_a_read_is_told_from_one_of_a_write() {
    let iam = iam().await;
    let goal = Goal::Is(desired(&["s3:GetObject"], true));
    iam.fail(Fault::before(ErrorClass::Service).of("iam:GetRole"));
    assert!(matches!(reach(&iam, &goal).await, Err(RoleApplyError::Read(_))));
    iam.fail(Fault::before(ErrorClass::LimitExceeded).of("iam:CreateRole"));
    assert!(matches!(reach(&iam, &goal).await, Err(RoleApplyError::Write(_))));
}

#[tokio::test]
async fn a_managed_policy_that_does_not_exist_keeps_nothing_else_from_being_done() {
    let iam = iam().await;
    let absent = managed_policy("arn:aws:iam::123456789012:policy/absent");
    let target = with_managed(
        desired(&["s3:GetObject"], true),
        &[&absent.to_string(), READER],
        false,
    );
    let goal = Goal::Is(target.clone());
    let converged = reach(&iam, &goal).await.unwrap();
    assert_eq!(converged.absent, std::slice::from_ref(&absent));
    let role = iam.role(&ours().name).unwrap();
    let wanted = target.desired().unwrap();
    assert_eq!(role.attached, [READER]);
    assert_eq!(role.inline["deputy"], wanted.inline.as_ref().unwrap().to_json());
    assert!(says(&role.trust, &wanted.trust));
    // Tried again, it is asked for once and nothing else is written.
    iam.clear_log();
    assert!(!reach(&iam, &goal).await.unwrap().changed);
    assert_eq!(iam.writes(), Vec::<&str>::new());
    let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
    iam.set_managed_policy(&absent, text);
    let converged = reach(&iam, &goal).await.unwrap();
    assert!(converged.absent.is_empty());
    assert_eq!(iam.role(&ours().name).unwrap().attached.len(), 2);
}

#[tokio::test]
async fn an_attachment_that_aws_refuses_holds_up_what_gives_and_nothing_that_takes() {
    let iam = iam().await;
    let before = with_managed(desired(&["s3:GetObject"], true), &[READER], false);
    reach(&iam, &Goal::Is(before)).await.unwrap();
    iam.fail(Fault::before(ErrorClass::LimitExceeded).of("iam:AttachRolePolicy"));
    let after = with_managed(desired(&["s3:PutObject"], true), &[WRITER], false);
    let refused = reach(&iam, &Goal::Is(after)).await.unwrap_err();
    assert!(matches!(refused, RoleApplyError::Write(error) if error.class() == ErrorClass::LimitExceeded));
    let role = iam.role(&ours().name).unwrap();
    assert_eq!(role.attached, [""; 0], "what is wanted no more is gone");
    assert!(
        role.inline["deputy"].contains("s3:GetObject"),
        "and nothing more is given"
    );
}
