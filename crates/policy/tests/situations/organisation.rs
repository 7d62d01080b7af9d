//! Service control and resource control policies.

use deputy_policy::{AccessDecision, Document, Layer, PolicyKind, Situation, StatementRef};
use serde_json::json;

use crate::support::*;

use AccessDecision::{Allowed, ExplicitDeny, ImplicitDeny};

fn scp(action: &str) -> Document {
    allow(PolicyKind::ServiceControl, action)
}

fn rcp_full() -> Document {
    document(
        PolicyKind::ResourceControl,
        json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}),
    )
}

fn rcp_deny() -> Document {
    document(
        PolicyKind::ResourceControl,
        json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
               "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}}),
    )
}

#[test]
fn every_level_must_have_an_allow() {
    let full = allow(PolicyKind::Identity, "*");
    let situation = Situation::new().identity([&full]);
    let (all, s3, ec2) = (scp("*"), scp("s3:*"), scp("ec2:*"));
    let levels = |levels: &[&[&Document]]| {
        let situation = situation
            .clone()
            .service_control(levels.iter().map(|level| level.iter().copied()));
        decide(&situation, &get(USER))
    };
    assert!(levels(&[]).is_allowed(), "no organisation");
    assert!(levels(&[&[&all], &[&s3], &[&all]]).is_allowed());
    assert!(
        levels(&[&[&all], &[&ec2, &s3]]).is_allowed(),
        "one of a level's policies is enough"
    );
    for (given, silent) in [
        (&[&[&ec2][..], &[&all], &[&all]][..], 0),
        (&[&[&all], &[&ec2], &[&all]], 1),
        (&[&[&all], &[&all], &[&ec2]], 2),
        (&[&[&all], &[]], 1),
    ] {
        let refused = levels(given);
        assert_eq!(
            (refused.decision, refused.reason.layer),
            (ImplicitDeny, Layer::ServiceControl(silent))
        );
    }
}

#[test]
fn a_deny_of_any_level_denies() {
    let (full, all) = (allow(PolicyKind::Identity, "*"), scp("*"));
    let no = deny(PolicyKind::ServiceControl, "s3:GetObject");
    for position in 0..3 {
        let mut levels = vec![vec![&all]; 3];
        levels[position].push(&no);
        let situation = Situation::new().identity([&full]).service_control(levels);
        let refused = decide(&situation, &get(USER));
        assert_eq!(
            (refused.decision, refused.reason.layer),
            (ExplicitDeny, Layer::ServiceControl(position))
        );
        assert_eq!(
            refused.reason.statement,
            Some(StatementRef {
                document: 1,
                statement: 0
            })
        );
        assert!(decide(&situation, &request(USER, "s3:PutObject", OBJECT)).is_allowed());
    }
}

#[test]
fn service_control_policies_grant_nothing() {
    let all = scp("*");
    assert_eq!(
        decision(&Situation::new().service_control([[&all]]), &get(USER)),
        ImplicitDeny
    );
}

#[test]
fn service_control_policies_have_the_whole_language() {
    let full = allow(PolicyKind::Identity, "*");
    let policy = document(
        PolicyKind::ServiceControl,
        json!([
            {"Effect": "Allow", "NotAction": "iam:*", "Resource": "arn:aws:s3:::production*/*",
             "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}},
            {"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::*app/*"},
        ]),
    );
    let situation = Situation::new().identity([&full]).service_control([[&policy]]);
    let mut request = get(USER);
    assert_eq!(decision(&situation, &request), ImplicitDeny);
    request.context.set("aws:RequestedRegion", ["eu-west-1"]);
    assert_eq!(decision(&situation, &request), Allowed);
    request.resource = "arn:aws:s3:::production/a".to_owned();
    assert_eq!(decision(&situation, &request), ExplicitDeny);
}

#[test]
fn a_member_s_root_user_is_bound_and_nobody_of_the_management_account() {
    let (full, ec2) = (allow(PolicyKind::Identity, "*"), scp("ec2:*"));
    let situation = Situation::new().identity([&full]).service_control([[&ec2]]);
    for caller in [ROOT, USER, SESSION] {
        assert_eq!(decision(&situation, &get(caller)), ImplicitDeny, "{caller}");
        let member = situation.clone().management_account(OTHER);
        assert_eq!(decision(&member, &get(caller)), ImplicitDeny, "{caller}");
        let management = situation.clone().management_account(ACCOUNT);
        assert_eq!(decision(&management, &get(caller)), Allowed, "{caller}");
    }
}

#[test]
fn service_linked_roles_are_bound_by_no_policy_of_the_organisation() {
    let (full, no) = (
        allow(PolicyKind::Identity, "*"),
        deny(PolicyKind::ServiceControl, "*"),
    );
    let rcp = rcp_deny();
    let situation = Situation::new()
        .identity([&full])
        .service_control([[&no]])
        .resource_control([[&rcp]]);
    assert_eq!(decision(&situation, &get(SESSION)), ExplicitDeny);
    assert_eq!(decision(&situation.service_linked(true), &get(SESSION)), Allowed);
}

#[test]
fn a_resource_policy_does_not_lift_a_service_control_policy() {
    let (resource, ec2) = (naming(aws(USER)), scp("ec2:*"));
    let situation = Situation::new()
        .resource_policy(&resource)
        .service_control([[&ec2]]);
    assert_eq!(
        decide(&situation, &get(USER)).reason.layer,
        Layer::ServiceControl(0)
    );
}

#[test]
fn resource_control_policies_only_deny() {
    let full = allow(PolicyKind::Identity, "*");
    let (everything, denying) = (rcp_full(), rcp_deny());
    let situation = Situation::new().identity([&full]);
    let ours = {
        let mut request = get(USER);
        request.context.set("aws:PrincipalOrgID", ["o-1"]);
        request
    };
    let theirs = {
        let mut request = get(USER);
        request.context.set("aws:PrincipalOrgID", ["o-2"]);
        request
    };
    for levels in [
        vec![vec![&denying]],
        vec![vec![&everything, &denying]],
        vec![vec![], vec![&everything], vec![&denying]],
    ] {
        let situation = situation.clone().resource_control(levels);
        assert_eq!(
            decision(&situation, &ours),
            Allowed,
            "RCPFullAWSAccess is always attached"
        );
        assert_eq!(decision(&situation, &theirs), ExplicitDeny);
    }
    assert_eq!(
        decision(&Situation::new().resource_control([[&everything]]), &ours),
        ImplicitDeny,
        "grants nothing"
    );
}

#[test]
fn rcps_do_not_bind_resources_of_the_management_account() {
    let (full, denying) = (allow(PolicyKind::Identity, "*"), rcp_deny());
    let situation = Situation::new().identity([&full]).resource_control([[&denying]]);
    let theirs = {
        let mut request = get(USER);
        request.context.set("aws:PrincipalOrgID", ["o-2"]);
        request
    };
    assert_eq!(decision(&situation, &theirs), ExplicitDeny);
    assert_eq!(decision(&situation.management_account(ACCOUNT), &theirs), Allowed);
}

#[test]
fn an_endpoint_policy_must_allow_too() {
    let full = allow(PolicyKind::Identity, "*");
    let everybody = naming(json!("*"));
    let somebody = naming(aws("arn:aws:iam::123456789012:user/alice"));
    let situation = Situation::new().identity([&full]);
    assert_eq!(
        decision(&situation.clone().endpoint_policy(&everybody), &get(USER)),
        Allowed
    );
    let refused = decide(&situation.endpoint_policy(&somebody), &get(USER));
    assert_eq!(
        (refused.decision, refused.reason.layer),
        (ImplicitDeny, Layer::Endpoint)
    );
    assert_eq!(
        decision(&Situation::new().endpoint_policy(&everybody), &get(USER)),
        ImplicitDeny,
        "grants nothing"
    );
}
