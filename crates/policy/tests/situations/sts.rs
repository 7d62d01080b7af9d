//! What STS, IAM and KMS decide whatever the policies say.

use deputy_policy::{AccessDecision, Context, Layer, PolicyKind, Rule, Situation};
use serde_json::json;

use crate::support::*;

use AccessDecision::{Allowed, ExplicitDeny, ImplicitDeny};

#[test]
fn nobody_can_be_denied_get_caller_identity() {
    let no = deny(PolicyKind::Identity, "*");
    let situation = Situation::new().identity([&no]).session_token(true);
    for caller in [USER, SESSION, FEDERATED, ROOT] {
        let allowed = decide(&situation, &request(caller, "sts:GetCallerIdentity", "*"));
        assert_eq!(
            (allowed.decision, allowed.reason.layer),
            (Allowed, Layer::Rule(Rule::NoPermissionNeeded)),
            "{caller}"
        );
    }
    assert_eq!(
        decision(&Situation::new(), &request("*", "sts:GetCallerIdentity", "*")),
        ImplicitDeny
    );
}

#[test]
fn get_session_token_needs_no_permission_and_cannot_be_denied() {
    let no = deny(PolicyKind::Identity, "sts:*");
    let ask = request(USER, "sts:GetSessionToken", "*");
    assert_eq!(decision(&Situation::new(), &ask), Allowed);
    assert_eq!(decision(&Situation::new().identity([&no]), &ask), Allowed);
}

#[test]
fn get_session_token_reaches_little_of_sts_and_iam_only_with_mfa() {
    let full = allow(PolicyKind::Identity, "*");
    let situation = Situation::new().identity([&full]).session_token(true);
    let ask = |action: &str| decide(&situation, &request(USER, action, "*"));
    for action in [
        "sts:GetFederationToken",
        "sts:GetSessionToken",
        "sts:GetAccessKeyInfo",
        "iam:ListUsers",
    ] {
        let refused = ask(action);
        assert_eq!(
            (refused.decision, refused.reason.layer),
            (ImplicitDeny, Layer::Rule(Rule::SessionTokenOperation)),
            "{action}"
        );
    }
    assert!(ask("sts:GetCallerIdentity").is_allowed() && ask("s3:ListAllMyBuckets").is_allowed());
    let trust = trusting(aws(USER));
    let assume = situation.clone().resource_policy(&trust);
    assert_eq!(decision(&assume, &request(USER, "sts:AssumeRole", ROLE)), Allowed);
    let with_mfa = |value: &str| {
        let context = Context::new().with("aws:MultiFactorAuthPresent", value);
        decision(&situation, &with(USER, "iam:ListUsers", "*", context))
    };
    assert_eq!((with_mfa("true"), with_mfa("false")), (Allowed, ImplicitDeny));
}

#[test]
fn a_role_session_cannot_get_federation_or_session_tokens() {
    let full = allow(PolicyKind::Identity, "*");
    let situation = Situation::new().identity([&full]);
    for action in [
        "sts:GetFederationToken",
        "sts:GetSessionToken",
        "STS:getfederationtoken",
    ] {
        let refused = decide(&situation, &request(SESSION, action, "*"));
        assert_eq!(
            (refused.decision, refused.reason.layer),
            (ImplicitDeny, Layer::Rule(Rule::RoleSessionOperation)),
            "{action}"
        );
    }
    let carol = request(USER, "sts:GetFederationToken", FEDERATED);
    assert_eq!(decision(&situation, &carol), Allowed, "a user can");
}

#[test]
fn a_federated_user_cannot_call_iam_nor_sts() {
    let (full, session) = (allow(PolicyKind::Identity, "*"), allow(PolicyKind::Session, "*"));
    let situation = Situation::new().identity([&full]).session([&session]);
    for action in [
        "iam:ListUsers",
        "IAM:GetUser",
        "sts:AssumeRole",
        "sts:GetFederationToken",
        "sts:GetSessionToken",
        "sts:GetAccessKeyInfo",
    ] {
        let refused = decide(&situation, &request(FEDERATED, action, "*"));
        assert_eq!(
            (refused.decision, refused.reason.layer),
            (ImplicitDeny, Layer::Rule(Rule::FederatedUserOperation)),
            "{action}"
        );
    }
    let trust = trusting(aws(FEDERATED));
    let named = situation.clone().resource_policy(&trust);
    assert_eq!(
        decision(&named, &request(FEDERATED, "sts:AssumeRole", ROLE)),
        ImplicitDeny
    );
    assert_eq!(decision(&situation, &get(FEDERATED)), Allowed);
}

#[test]
fn a_deny_is_reported_as_one_even_where_a_rule_refuses() {
    let no = deny(PolicyKind::Identity, "iam:*");
    let situation = Situation::new().identity([&no]);
    assert_eq!(
        decision(&situation, &request(FEDERATED, "iam:ListUsers", "*")),
        ExplicitDeny
    );
}

#[test]
fn a_federated_session_has_the_intersection_of_user_and_session_policy() {
    let user = allow(PolicyKind::Identity, "s3:*");
    let session = document(
        PolicyKind::Session,
        json!({"Effect": "Allow", "Action": ["s3:GetObject", "ec2:*"], "Resource": "*"}),
    );
    let situation = Situation::new().identity([&user]).session([&session]);
    assert_eq!(decision(&situation, &get(FEDERATED)), Allowed);
    assert_eq!(
        decision(&situation, &request(FEDERATED, "s3:PutObject", OBJECT)),
        ImplicitDeny
    );
    assert_eq!(
        decision(&situation, &request(FEDERATED, "ec2:RunInstances", "*")),
        ImplicitDeny
    );
}

#[test]
fn what_aws_manages_cannot_be_changed() {
    let full = allow(PolicyKind::Identity, "*");
    let situation = Situation::new().identity([&full]).resource_account(ACCOUNT);
    let ask = |action: &str, resource: &str| decide(&situation, &request(USER, action, resource));
    for (action, resource) in [
        (
            "iam:CreatePolicyVersion",
            "arn:aws:iam::aws:policy/ReadOnlyAccess",
        ),
        ("iam:DeletePolicy", "arn:aws:iam::aws:policy/service-role/X"),
        (
            "iam:PutRolePolicy",
            "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_x",
        ),
        (
            "kms:UpdateAlias",
            "arn:aws:kms:us-east-1:123456789012:alias/aws/s3",
        ),
    ] {
        let refused = ask(action, resource);
        assert_eq!(
            (refused.decision, refused.reason.layer),
            (ImplicitDeny, Layer::Rule(Rule::ManagedByAws)),
            "{action}"
        );
    }
    assert!(ask("iam:GetPolicyVersion", "arn:aws:iam::aws:policy/ReadOnlyAccess").is_allowed());
    assert!(ask("iam:CreatePolicyVersion", "arn:aws:iam::123456789012:policy/mine").is_allowed());
    assert!(ask("kms:UpdateAlias", "arn:aws:kms:us-east-1:123456789012:alias/mine").is_allowed());
}
