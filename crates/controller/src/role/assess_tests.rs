use deputy_delegation::{MissingFact, ObjectName};

use super::*;
use crate::fixtures::{account, cluster, index, limit, role, uid, uploader};

const READ_WRITE: &[&str] = &["s3:GetObject", "s3:PutObject"];

/// The target of the role that reads, under its limit, with this in AWS of the limit's boundary.
fn target(bound: bool, in_aws: Option<&str>) -> Target {
    let (cluster, account, limit, role) = (cluster(), account(), limit(READ_WRITE), role(&["s3:GetObject"]));
    let ours = Ownership::of(&cluster, &account, &uploader(), &uid("uid-uploader"));
    let hashes: BoundaryHashes = in_aws
        .map(|hash| ("production".to_owned(), hash.to_owned()))
        .into_iter()
        .collect();
    let facts = RoleFacts {
        cluster: &cluster,
        account: &account,
        role: &role,
        ours: &ours,
        bound,
        limits: &[std::sync::Arc::new(limit.clone())],
        boundary: Some((&limit, &hashes)),
    };
    assess(&facts, &index().decide_role_with(&role))
}

fn hash_of_the_boundary() -> String {
    document_hash(&boundary::compile(&cluster(), &account(), &limit(READ_WRITE)).unwrap())
}

fn provisioned(target: Target) -> DesiredRole {
    match target {
        Target::Provision(desired) => *desired,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_accepted_role_is_made_under_the_boundary_that_aws_has() {
    let desired = provisioned(target(true, Some(&hash_of_the_boundary())));
    let limit = ObjectName::new("payments").unwrap();
    assert_eq!(
        desired.boundary,
        Some(naming::boundary_arn(&cluster(), &account(), &limit))
    );
    assert_eq!(
        desired.trust,
        trust::for_issuer(&cluster(), &account(), Kind::AWSRole, &uploader())
    );
    let tags: Vec<&str> = desired.tags.keys().map(AsRef::as_ref).collect();
    assert_eq!(
        tags,
        [
            "cost-center",
            "deputy-cluster",
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
        assert!(matches!(target(true, in_aws), Target::Hold { .. }), "{in_aws:?}");
    }
}

#[test]
fn what_is_wanted_is_the_same_before_and_after_the_boundary_is_there() {
    let (before, after) = (target(true, None), target(true, Some(&hash_of_the_boundary())));
    assert!(after.desired().is_some() && before.desired() == after.desired());
}

#[test]
fn a_refusal_suspends_and_a_missing_fact_waits() {
    let (cluster, account, role) = (cluster(), account(), role(&["s3:DeleteObject"]));
    let ours = Ownership::of(&cluster, &account, &uploader(), &uid("uid-uploader"));
    let facts = RoleFacts {
        cluster: &cluster,
        account: &account,
        role: &role,
        ours: &ours,
        bound: true,
        limits: &[],
        boundary: None,
    };
    let refused = index().decide_role_with(&role);
    assert!(matches!(refused, Decision::Refused(_)));
    assert_eq!(assess(&facts, &refused), Target::Suspend);
    let missing = Decision::Undecided(MissingFact::AccountNotFound(account.name.clone()).into());
    assert_eq!(
        assess(&facts, &missing),
        Target::Wait("AWSAccount production does not exist".into())
    );
}

#[test]
fn a_limit_that_changed_between_decision_and_look_up_is_waited_for() {
    let (cluster, account, role) = (cluster(), account(), role(&["s3:GetObject"]));
    let ours = Ownership::of(&cluster, &account, &uploader(), &uid("uid-uploader"));
    let facts = RoleFacts {
        cluster: &cluster,
        account: &account,
        role: &role,
        ours: &ours,
        bound: true,
        limits: &[],
        boundary: None,
    };
    let accepted = index().decide_role_with(&role);
    assert!(accepted.is_accepted());
    assert!(matches!(assess(&facts, &accepted), Target::Hold { .. }));
}
