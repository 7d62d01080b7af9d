//! Users and roles that come and go, on an IAM in memory that stores them by their unique ids.

use std::{collections::BTreeMap, sync::Arc};

use deputy_aws::{
    ErrorClass,
    model::{Fault, InMemoryIam},
};
use deputy_delegation::{
    ExternalId, PrincipalArn, PrincipalId,
    model::{AwsPrincipal, Binding, SubjectList, Subjects},
    plan::DesiredRole,
    trust::{self, LeftOutPrincipal, NamedPrincipals, WhyLeftOut},
};

use crate::{
    fixtures::{account, binding, cluster, role, uploader},
    queue::Superseded,
    role::{
        converge::{Converged, RoleApplyError, RoleCalls, RoleReads, converge},
        target::RoleTarget,
        tests::ours,
        trust::{RoleTrust, TrustAttempts},
    },
};

const DEPLOY: &str = "arn:aws:iam::999999999999:role/ci/deploy";
const ALICE: &str = "arn:aws:iam::123456789012:user/alice";
const OTHER: &str = "arn:aws:iam::999999999999:role/other";

fn iam(principals: &[&str]) -> InMemoryIam {
    let account = account();
    let iam = InMemoryIam::new(account.partition.clone(), account.id.clone());
    for arn in principals {
        iam.add_principal(arn);
    }
    iam
}

/// Bindings, each of one subject: its ARN, and what it replaces.
fn bindings(subjects: &[(&str, Option<&str>)]) -> Vec<Arc<Binding>> {
    let of = |(place, (arn, replaces)): (usize, &(&str, Option<&str>))| {
        let id = ExternalId::new(format!("acme-{place}")).ok();
        let replaces = replaces.map(|id| PrincipalId::new(id).unwrap());
        let principal = AwsPrincipal::new(PrincipalArn::parse(arn).unwrap(), id, false, replaces).unwrap();
        Arc::new(Binding {
            subjects: Subjects::AwsPrincipals(SubjectList::new([principal]).unwrap()),
            ..binding()
        })
    };
    subjects.iter().enumerate().map(of).collect()
}

fn wanted(subjects: &[(&str, Option<&str>)], remembered: &[(&str, &str)]) -> (RoleTarget, RoleTrust) {
    let bindings = bindings(subjects);
    let compiled = trust::compile(&cluster(), &account(), &uploader(), &bindings);
    let (ours, role) = (ours(), role(&["s3:GetObject"]));
    let owned = role.owned().unwrap();
    let target = RoleTarget::Provision(Box::new(DesiredRole {
        name: ours.name,
        path: ours.path,
        trust: compiled.document.clone(),
        inline: owned.policies.inline().cloned(),
        attached: owned.policies.managed().clone(),
        boundary: None,
        tags: ours.tags,
        max_session_duration: owned.max_session_duration,
    }));
    let remembered = remembered
        .iter()
        .map(|(arn, id)| ((*arn).to_owned(), PrincipalId::new(*id).unwrap()));
    let trust = RoleTrust {
        compiled,
        named: NamedPrincipals::of(&bindings, true),
        remembered: remembered.collect(),
    };
    (target, trust)
}

/// As `carry_out` does, without a cluster.
async fn reach(
    iam: &InMemoryIam,
    target: &RoleTarget,
    trust: Option<&RoleTrust>,
) -> (Result<Converged, RoleApplyError>, Vec<LeftOutPrincipal>) {
    let (ours, attempts) = (ours(), TrustAttempts::new(trust));
    let calls = RoleCalls {
        roles: iam,
        revoking: iam,
        reads: RoleReads::Whole,
        superseded: &Superseded::never(),
    };
    let converged = loop {
        let converged = converge(calls, &ours.name, &|| true, |observed| {
            attempts.target(target, observed).steps(&ours, observed)
        })
        .await;
        if !attempts.goes_on(&converged) {
            break converged;
        }
    };
    (converged, attempts.left_out())
}

/// Brings the role there, and says whom it leaves out, and which id is gone.
async fn left_out(iam: &InMemoryIam, subjects: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
    let (target, trust) = wanted(subjects, &[]);
    let (converged, left_out) = reach(iam, &target, Some(&trust)).await;
    converged.unwrap();
    out(left_out)
}

fn out(left_out: Vec<LeftOutPrincipal>) -> BTreeMap<String, Option<String>> {
    let id = |why| match why {
        WhyLeftOut::Replaced(former) => Some(former.id().unwrap().to_string()),
        WhyLeftOut::Unknown => None,
        WhyLeftOut::NoRoom => panic!("no room"),
    };
    left_out.into_iter().map(|p| (p.arn, id(p.why))).collect()
}

fn trust_text(iam: &InMemoryIam) -> String {
    iam.role(&ours().name).unwrap().trust
}

/// The id that the trust policy shows in place of an ARN.
fn shown_id(iam: &InMemoryIam) -> String {
    let text = trust_text(iam);
    let ids = text
        .split('"')
        .find(|word| word.starts_with("AROA") || word.starts_with("AIDA"));
    ids.unwrap().to_owned()
}

fn replace(iam: &InMemoryIam, arn: &str) {
    iam.remove_principal(arn);
    iam.add_principal(arn);
}

#[tokio::test]
async fn one_that_was_deleted_and_made_again_is_trusted_when_its_subject_says_so() {
    let iam = iam(&[DEPLOY, ALICE]);
    let both = [(DEPLOY, None), (ALICE, None)];
    assert!(left_out(&iam, &both).await.is_empty());
    replace(&iam, DEPLOY);
    let gone = shown_id(&iam);
    let expected = BTreeMap::from([(DEPLOY.to_owned(), Some(gone.clone()))]);
    for _ in 0..2 {
        assert_eq!(left_out(&iam, &both).await, expected);
        assert!(trust_text(&iam).contains(ALICE) && !trust_text(&iam).contains(DEPLOY));
    }
    // Nobody names the other one any more; the record stays as it is.
    assert_eq!(left_out(&iam, &both[..1]).await, expected);
    // Suspended, closed, made again by hand: whatever is in between.
    let suspended = reach(&iam, &RoleTarget::Suspend, None).await;
    suspended.0.unwrap();
    assert!(!trust_text(&iam).contains("Allow") && trust_text(&iam).contains(&gone));
    assert_eq!(left_out(&iam, &both).await, expected);
    assert!(
        left_out(&iam, &[(DEPLOY, Some(&gone)), (ALICE, None)])
            .await
            .is_empty()
    );
    assert!(trust_text(&iam).contains(DEPLOY) && !trust_text(&iam).contains(&gone));
    // Once it is trusted, the subject need not say so any more.
    assert!(left_out(&iam, &both).await.is_empty());
}

#[tokio::test]
async fn one_that_is_deleted_unseen_is_noted_down_by_what_closes_the_role() {
    let iam = iam(&[DEPLOY, OTHER]);
    let both = [(DEPLOY, None), (OTHER, None)];
    assert!(left_out(&iam, &both).await.is_empty());
    iam.remove_principal(DEPLOY);
    replace(&iam, OTHER);
    for target in [RoleTarget::Suspend, RoleTarget::Retain] {
        reach(&iam, &target, None).await.0.unwrap();
        let noted = left_out(&iam, &both).await;
        assert_eq!(noted.len(), 2);
        assert!(noted.values().all(Option::is_some));
    }
    // Made again, it is still another one.
    iam.add_principal(DEPLOY);
    assert_eq!(left_out(&iam, &both).await.len(), 2);
}

#[tokio::test]
async fn a_role_that_was_deleted_by_hand_has_what_the_status_remembers() {
    let iam = iam(&[DEPLOY]);
    let gone = "AROADBQP57FF2AEXAMPLE";
    for made_again in [false, true] {
        let (target, trust) = wanted(&[(DEPLOY, None)], &[(DEPLOY, gone)]);
        let (converged, left_out) = reach(&iam, &target, Some(&trust)).await;
        converged.unwrap();
        assert_eq!(
            out(left_out),
            BTreeMap::from([(DEPLOY.to_owned(), Some(gone.to_owned()))])
        );
        assert!(trust_text(&iam).contains(gone) && !trust_text(&iam).contains(DEPLOY));
        if !made_again {
            iam.uproot(&ours().name);
        }
    }
}

/// AWS takes a trust policy whole or not at all. Whom it does not know is found by its message, or one by one.
#[tokio::test]
async fn one_whom_aws_does_not_know_keeps_nobody_else_out() {
    let unknown = |n: usize| format!("arn:aws:iam::999999999999:role/nobody-{n}");
    for (count, says_whom) in [(1, true), (3, true), (1, false), (3, false)] {
        let strangers: Vec<String> = (0..count).map(unknown).collect();
        let mut subjects: Vec<(&str, Option<&str>)> =
            strangers.iter().map(|arn| (arn.as_str(), None)).collect();
        subjects.extend([(DEPLOY, None), (ALICE, None)]);
        let expected: BTreeMap<_, _> = strangers.iter().map(|arn| (arn.clone(), None)).collect();
        // At its creation.
        let new = iam(&[DEPLOY, ALICE]);
        new.hide_principals_in_refusals(!says_whom);
        assert_eq!(left_out(&new, &subjects).await, expected, "{count} {says_whom}");
        assert!(trust_text(&new).contains(DEPLOY) && trust_text(&new).contains(ALICE));
        // Beside one that is trusted already, and one that goes.
        let old = iam(&[DEPLOY, ALICE, OTHER]);
        old.hide_principals_in_refusals(!says_whom);
        assert!(left_out(&old, &[(DEPLOY, None), (OTHER, None)]).await.is_empty());
        assert_eq!(left_out(&old, &subjects).await, expected, "{count} {says_whom}");
        let text = trust_text(&old);
        assert!(text.contains(DEPLOY) && text.contains(ALICE) && !text.contains(OTHER));
        // Once they are there they are trusted.
        strangers.iter().for_each(|arn| old.add_principal(arn));
        assert!(left_out(&old, &subjects).await.is_empty());
    }
}

#[tokio::test]
async fn more_strangers_than_are_looked_for_one_by_one_are_left_out_together() {
    let iam = iam(&[ALICE]);
    let accounts: Vec<String> = (0..20)
        .map(|n| format!("arn:aws:iam::99999999{n:04}:user/u"))
        .collect();
    let mut subjects: Vec<(&str, Option<&str>)> = vec![(ALICE, None)];
    subjects.extend(accounts.iter().map(|arn| (arn.as_str(), None)));
    for hidden in [true, false] {
        iam.hide_principals_in_refusals(hidden);
        let left_out = left_out(&iam, &subjects).await;
        assert!(
            !left_out.is_empty() && !left_out.contains_key(ALICE),
            "{left_out:?}"
        );
        assert!(trust_text(&iam).contains(ALICE));
    }
    let refused = iam
        .log()
        .into_iter()
        .filter(|call| call.outcome == "InvalidPrincipal")
        .count();
    assert!(refused <= 2 * 17, "{refused}");
}

/// A trust policy that AWS refuses for another reason is no reason to leave anybody out.
#[tokio::test]
async fn another_refusal_leaves_nobody_out() {
    let iam = iam(&[DEPLOY]);
    iam.fail(Fault::before(ErrorClass::MalformedPolicy).of("iam:CreateRole"));
    let (target, trust) = wanted(&[(DEPLOY, None)], &[]);
    let (converged, left_out) = reach(&iam, &target, Some(&trust)).await;
    assert!(converged.is_err() && left_out.is_empty());
    assert!(reach(&iam, &target, Some(&trust)).await.1.is_empty());
    assert!(trust_text(&iam).contains(DEPLOY));
}

/// What happens between the moment in which one is replaced and the one in which the role is to trust again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    Suspended,
    Retained,
    /// By hand; the status still has what it had.
    Deleted,
}

/// Whichever call fails, before AWS has it or after, however often and for whatever reason.
#[tokio::test]
async fn no_failure_in_between_has_one_trusted_again_who_was_replaced() {
    use Meanwhile::{Deleted, Nothing, Retained, Suspended};
    let classes = [
        ErrorClass::Unreachable,
        ErrorClass::AccessDenied,
        ErrorClass::InvalidPrincipal,
        ErrorClass::MalformedPolicy,
    ];
    let mut failed = 0;
    for meanwhile in [Nothing, Suspended, Retained, Deleted] {
        for operation in [
            "iam:GetRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:CreateRole",
        ] {
            for class in classes {
                for fault in [Fault::before(class), Fault::after(class)] {
                    for times in [1, 2, 5] {
                        let fault = fault.clone().of(operation).times(times);
                        failed += replaced_and_failing(meanwhile, fault).await;
                    }
                }
            }
        }
    }
    assert!(failed > 200, "only {failed} calls failed");
}

/// How many calls failed.
async fn replaced_and_failing(meanwhile: Meanwhile, fault: Fault) -> usize {
    let iam = iam(&[DEPLOY, ALICE]);
    let both = [(DEPLOY, None), (ALICE, None)];
    assert!(left_out(&iam, &both).await.is_empty());
    replace(&iam, DEPLOY);
    let gone = shown_id(&iam);
    let remembered: &[(&str, &str)] = match meanwhile {
        Meanwhile::Deleted => &[(DEPLOY, &gone)],
        _ => &[],
    };
    let (target, trust) = wanted(&both, remembered);
    let trusts_deploy = |when: &str| {
        let text = iam.role(&ours().name).map(|role| role.trust);
        let trusts = text.is_some_and(|text| text.contains(DEPLOY));
        assert!(!trusts, "{meanwhile:?}, {fault:?}, {when}: trusted again");
    };
    let before = iam.log().len();
    iam.fail(fault.clone());
    for _ in 0..2 {
        match meanwhile {
            Meanwhile::Nothing => {}
            Meanwhile::Suspended => drop(reach(&iam, &RoleTarget::Suspend, None).await),
            Meanwhile::Retained => {
                drop(reach(&iam, &RoleTarget::Retain, None).await);
            }
            Meanwhile::Deleted => iam.uproot(&ours().name),
        }
        trusts_deploy("meanwhile");
        drop(reach(&iam, &target, Some(&trust)).await);
        trusts_deploy("after it");
    }
    let log = iam.log();
    let failed = log
        .iter()
        .skip(before)
        .filter(|call| call.outcome != "ok")
        .count();
    iam.revive();
    let (converged, left) = reach(&iam, &target, Some(&trust)).await;
    converged.unwrap();
    assert_eq!(
        out(left),
        BTreeMap::from([(DEPLOY.to_owned(), Some(gone.clone()))])
    );
    let (target, trust) = wanted(&[(DEPLOY, Some(&gone)), (ALICE, None)], remembered);
    let (converged, left) = reach(&iam, &target, Some(&trust)).await;
    converged.unwrap();
    assert!(
        left.is_empty() && trust_text(&iam).contains(DEPLOY),
        "{meanwhile:?}, {fault:?}"
    );
    failed
}
