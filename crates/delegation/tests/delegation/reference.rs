//! A boundary that somebody else writes.

use deputy_delegation::{Reason, boundary::*, model::*};
use serde_json::{Value, json};

use crate::support::*;

const TEAM: &str = "arn:aws:iam::123456789012:policy/teams/payments";

fn referring(policy: &str, ceiling: Value) -> Limit {
    Limit {
        boundary: BoundaryMode::Reference(policy.parse().unwrap()),
        ..limit("payments", ceiling)
    }
}

fn referenced(limit: &Limit) -> ReferencedBoundary {
    match in_account(&cluster(), &account(), limit).unwrap().as_ref() {
        Ok(AccountBoundary::Referenced(referenced)) => referenced.clone(),
        other => panic!("{other:?}"),
    }
}

fn text(statements: Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

#[test]
fn a_policy_within_the_ceiling_is_a_boundary_and_a_wider_one_shows_a_request() {
    let boundary = referenced(&referring(TEAM, productionapp()));
    let narrow = text(json!([allow(
        json!("s3:GetObject"),
        json!("arn:aws:s3:::productionapp/*")
    )]));
    assert_eq!(boundary.prove(&narrow).unwrap().len(), 64);
    assert_eq!(boundary.prove(&narrow).unwrap(), hash_of(&narrow));
    let wide = text(json!([allow(json!("s3:GetObject"), json!("*"))]));
    let ReferenceError::Exceeds(witness) = boundary.prove(&wide).unwrap_err() else {
        panic!()
    };
    assert!(witness.starts_with("s3:GetObject on arn:aws:s3:::"), "{witness}");
    for broken in ["", "{}", "[1]"] {
        assert!(
            matches!(boundary.prove(broken), Err(ReferenceError::Unreadable(_))),
            "{broken}"
        );
        assert_eq!(hash_of(broken).len(), 64);
    }
}

#[test]
fn what_is_deputys_own_is_in_no_boundary() {
    let all = referring(TEAM, json!([allow(json!("*"), json!("*"))]));
    let boundary = referenced(&all);
    let error = boundary
        .prove(&text(json!([allow(json!("*"), json!("*"))])))
        .unwrap_err();
    let ReferenceError::Exceeds(witness) = &error else {
        panic!("{error}")
    };
    assert!(witness.contains("role/deputy"), "{witness}");
    let elsewhere = json!([{"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"}]);
    assert!(boundary.prove(&text(elsewhere)).is_ok());
}

#[test]
fn a_policy_of_another_account_or_partition_is_refused_there() {
    for (policy, fits) in [
        (TEAM, true),
        ("arn:aws:iam::aws:policy/ReadOnlyAccess", true),
        ("arn:aws:iam::aws:policy/job-function/ViewOnlyAccess", true),
        ("arn:aws:iam::210987654321:policy/teams/payments", false),
        ("arn:aws-cn:iam::123456789012:policy/teams/payments", false),
        ("arn:aws-cn:iam::aws:policy/ReadOnlyAccess", false),
    ] {
        let limit = referring(policy, productionapp());
        assert_eq!(arn(&cluster(), &account(), &limit).unwrap().to_string(), policy);
        let problem = problem(&cluster(), &account(), &limit);
        assert_eq!(problem.is_none(), fits, "{policy} {problem:?}");
        if let Some(problem) = problem {
            assert_eq!(problem.reason, Reason::Partition);
            assert_eq!(problem.field, "spec.boundary.policyARN");
            assert!(
                problem.message.contains("123456789012") && problem.message.contains(policy),
                "{problem}"
            );
        }
    }
}

#[test]
fn of_all_limits_that_apply_one_has_a_boundary_of_either_type() {
    let generated = limit("generated", productionapp());
    let referring = Limit {
        name: object("referring"),
        ..referring(TEAM, productionapp())
    };
    let checked = check_only("checked", productionapp());
    let reasons = |limits: &[&Limit]| {
        let limits = entries(limits.iter().map(|limit| (*limit).clone()));
        let decision = deputy_delegation::decide(&deputy_delegation::DecisionInput {
            cluster: &cluster(),
            grant: deputy_delegation::GrantSpec::Role(&role()),
            account: deputy_delegation::Fact::Known(&account()),
            limits: &limits,
        });
        match decision {
            deputy_delegation::Decision::Accepted(accepted) => Ok(accepted.boundary.unwrap().to_string()),
            deputy_delegation::Decision::Refused(violations) => Err(violations
                .iter()
                .map(|violation| violation.reason)
                .collect::<Vec<_>>()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(reasons(&[&referring]), Ok("referring".to_owned()));
    assert_eq!(reasons(&[&referring, &checked]), Ok("referring".to_owned()));
    assert_eq!(reasons(&[&generated, &checked]), Ok("generated".to_owned()));
    assert_eq!(
        reasons(&[&generated, &referring]),
        Err(vec![Reason::BoundaryOverlap])
    );
    assert_eq!(
        reasons(&[&generated, &referring, &checked]),
        Err(vec![Reason::BoundaryOverlap])
    );
    assert_eq!(reasons(&[&checked]), Err(vec![Reason::NoBoundary]));
}
