//! The policy of the federation user.

use deputy_delegation::{bootstrap::*, model::*, names::*};
use deputy_policy::{Context, Document, Effect, Layers, Request, evaluate};
use serde_json::json;

use crate::support::*;

const USER: &str = "arn:aws:iam::123456789012:user/deputy-federation";

fn federated(name: &str, ceiling: serde_json::Value, patterns: &[&str]) -> Limit {
    let mut limit = limit(name, ceiling);
    limit.federated_users = patterns
        .iter()
        .map(|p| FederatedUserPattern::new(*p).unwrap())
        .collect();
    limit
}

fn of(limits: &[Limit]) -> Document {
    let account = Account {
        federation_user: Some(UserArn::parse(USER).unwrap()),
        ..account()
    };
    let setups = setups(&cluster(), &[account], limits).unwrap();
    let mut all = setups.into_iter().flat_map(|setup| setup.identities);
    let user = all.find(|identity| identity.arn.to_string() == USER).unwrap();
    assert_eq!(user.process, "deputy broker for federated users");
    assert_eq!(user.trust, None, "a user has keys");
    user.policy
}

fn may(policy: &Document, action: &str, resource: &str) -> bool {
    let request = Request {
        action: action.to_owned(),
        resource: resource.to_owned(),
        principal: None,
        context: Context::new(),
    };
    let layers = Layers {
        identity: &[policy],
        boundary: None,
        session: None,
    };
    evaluate(&layers, &request).is_allowed()
}

fn user(name: &str) -> String {
    format!("arn:aws:sts::123456789012:federated-user/{name}")
}

#[test]
fn the_federation_user_makes_the_sessions_that_limits_allow_and_nothing_else() {
    let policy = of(&[
        federated("payments", productionapp(), &["Manager*"]),
        federated(
            "ledger",
            json!([allow(json!("sqs:SendMessage"), json!("*"))]),
            &["Report"],
        ),
        // Neither a dry run nor a limit without names gives anything.
        dry_run(federated(
            "dry",
            json!([allow(json!("sns:Publish"), json!("*"))]),
            &["Dry"],
        )),
        limit("roles", json!([allow(json!("ec2:RunInstances"), json!("*"))])),
    ]);
    for action in ["sts:GetFederationToken", "sts:TagSession"] {
        assert!(may(&policy, action, &user("Manager-reports")));
        assert!(may(&policy, action, &user("Report")));
        assert!(!may(&policy, action, &user("Report2")));
        assert!(!may(&policy, action, &user("Dry")));
        assert!(!may(
            &policy,
            action,
            "arn:aws:sts::210987654321:federated-user/Report"
        ));
    }
    assert!(may(&policy, "s3:GetObject", "arn:aws:s3:::productionapp/a"));
    assert!(may(
        &policy,
        "sqs:SendMessage",
        "arn:aws:sqs:eu-west-1:123456789012:queue"
    ));
    for (action, resource) in [
        ("s3:GetObject", "arn:aws:s3:::another/a"),
        ("sns:Publish", "arn:aws:sns:eu-west-1:123456789012:topic"),
        (
            "ec2:RunInstances",
            "arn:aws:ec2:eu-west-1:123456789012:instance/i-1",
        ),
        ("sts:AssumeRole", "arn:aws:iam::123456789012:role/deputy/prod-1/x"),
        ("iam:GetUser", USER),
    ] {
        assert!(!may(&policy, action, resource), "{action}");
    }
}

#[test]
fn without_a_limit_that_allows_a_name_the_federation_user_may_nothing() {
    let policy = of(&[limit("roles", productionapp())]);
    assert!(policy.statements().iter().all(|s| s.effect == Effect::Deny));
}

/// What one ceiling denies, another may allow; what all deny, nobody may.
#[test]
fn the_cap_denies_what_every_ceiling_denies() {
    let ceiling = |also: &str| {
        json!([
            allow(json!("s3:*"), json!("*")),
            deny(json!("s3:DeleteBucket"), json!("*")),
            deny(json!(also), json!("*")),
        ])
    };
    let policy = of(&[
        federated("first", ceiling("s3:PutObject"), &["A*"]),
        federated("second", ceiling("s3:GetObject"), &["B*"]),
    ]);
    assert!(
        may(&policy, "s3:PutObject", "arn:aws:s3:::b/k") && may(&policy, "s3:GetObject", "arn:aws:s3:::b/k")
    );
    assert!(!may(&policy, "s3:DeleteBucket", "arn:aws:s3:::b"));
}

#[test]
fn an_account_without_a_federation_user_has_none_printed() {
    let limits = [federated("payments", productionapp(), &["Manager*"])];
    let setups = setups(&cluster(), &[account()], &limits).unwrap();
    let mut all = setups.iter().flat_map(|setup| &setup.identities);
    assert!(all.all(|identity| !identity.process.contains("federated")));
}
