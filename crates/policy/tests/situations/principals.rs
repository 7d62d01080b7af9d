//! Whom a Principal or NotPrincipal element means.

use deputy_policy::{AccessDecision, Caller, PolicyKind, Request, Situation, SituationError};
use serde_json::{Value, json};

use crate::support::*;

use AccessDecision::{Allowed, ExplicitDeny, ImplicitDeny};

fn named(principal: Value, caller: &str) -> bool {
    let resource = naming(principal);
    decision(&Situation::new().resource_policy(&resource), &get(caller)) == Allowed
}

/// Whether `Deny` with this `NotPrincipal` denies the caller, who has everything otherwise.
fn denied(not_principal: Value, caller: &str) -> bool {
    let (full, session) = (allow(PolicyKind::Identity, "*"), allow(PolicyKind::Session, "*"));
    let resource = not_principal_policy(not_principal);
    let situation = Situation::new()
        .identity([&full])
        .session([&session])
        .resource_policy(&resource);
    match decision(&situation, &get(caller)) {
        ExplicitDeny => true,
        Allowed => false,
        ImplicitDeny => panic!("{caller} is not allowed by anything"),
    }
}

fn not_principal_policy(not_principal: Value) -> deputy_policy::Document {
    document(
        PolicyKind::Resource,
        json!([
            {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "NotPrincipal": not_principal, "Action": "*", "Resource": "*"},
        ]),
    )
}

#[test]
fn a_role_is_named_whatever_its_path_and_case() {
    let boundary_free = |principal: &str| named(aws(principal), SESSION);
    assert!(boundary_free("arn:aws:iam::123456789012:role/app"));
    assert!(
        boundary_free("arn:aws:iam::123456789012:role/team/x/app"),
        "the ARN of a session does not show the path of its role"
    );
    assert!(
        boundary_free("arn:aws:iam::123456789012:role/App"),
        "IAM has no two roles that differ in case only"
    );
    assert!(!boundary_free("arn:aws:iam::123456789012:role/app/other"));
    assert!(!boundary_free("arn:aws:iam::999999999999:role/app"));
    assert!(!boundary_free("arn:aws-cn:iam::123456789012:role/app"));
}

#[test]
fn two_role_arns_that_differ_in_path_are_two_roles() {
    let team = "arn:aws:iam::123456789012:role/team/app";
    assert!(named(aws(team), team));
    assert!(!named(aws("arn:aws:iam::123456789012:role/other/app"), team));
    assert!(!named(aws(ROLE), team));
}

#[test]
fn a_unique_id_is_the_caller_s_when_the_caller_has_it() {
    let (user, role) = ("AIDAEXAMPLEEXAMPLEEXA", "AROAEXAMPLEEXAMPLEEXA");
    let ask = |principal: &str, caller: &str, userid: Option<&str>| {
        let mut request = get(caller);
        if let Some(userid) = userid {
            request.context = request.context.with("aws:userid", userid);
        }
        let resource = naming(aws(principal));
        Situation::new().resource_policy(&resource).evaluate(&request)
    };
    let decision =
        |principal: &str, caller: &str, userid: &str| ask(principal, caller, Some(userid)).unwrap().decision;
    assert_eq!(decision(user, USER, user), Allowed);
    assert_eq!(decision(user, USER, "AIDAOTHEROTHEROTHEROT"), ImplicitDeny);
    assert_eq!(decision(role, SESSION, &format!("{role}:s1")), Allowed);
    assert_eq!(decision(role, SESSION, "AROAOTHEROTHEROTHEROT:s1"), ImplicitDeny);
    assert_eq!(
        ask(role, USER, None).unwrap().decision,
        ImplicitDeny,
        "AROA is the beginning of a role's id"
    );
    assert_eq!(
        ask(user, "ec2.amazonaws.com", None).unwrap().decision,
        ImplicitDeny
    );
    for (principal, caller) in [(user, USER), (role, SESSION), (role, ROLE)] {
        let answer = ask(principal, caller, None);
        assert_eq!(answer, Err(SituationError::UnknownCaller(principal.to_owned())));
    }
}

#[test]
fn a_deny_by_unique_id_or_canonical_user_id_may_mean_the_caller() {
    let canonical = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be";
    for (who, element) in [
        ("AIDAEXAMPLEEXAMPLEEXA", aws("AIDAEXAMPLEEXAMPLEEXA")),
        (canonical, json!({"CanonicalUser": canonical})),
    ] {
        let resource = document(
            PolicyKind::Resource,
            json!([
                {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "Principal": element, "Action": "s3:*", "Resource": "*"},
            ]),
        );
        let situation = Situation::new().resource_policy(&resource);
        let answer = situation.evaluate(&get(USER));
        assert_eq!(answer, Err(SituationError::UnknownCaller(who.to_owned())));
        let other = request(USER, "ec2:RunInstances", "*");
        assert!(situation.evaluate(&other).unwrap().is_allowed());
    }
}

#[test]
fn not_principal_may_spare_a_caller_by_an_id() {
    let canonical = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be";
    let resource = not_principal_policy(json!({"CanonicalUser": canonical}));
    let identity = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E127EXAMPLE51Z";
    let answer = Situation::new()
        .resource_policy(&resource)
        .evaluate(&get(identity));
    assert_eq!(answer, Err(SituationError::UnknownCaller(canonical.to_owned())));
    let service = Situation::new()
        .resource_policy(&resource)
        .evaluate(&get("logs.amazonaws.com"));
    assert_eq!(service.unwrap().decision, ExplicitDeny);
}

#[test]
fn a_caller_of_an_unknown_account_is_not_decided_on() {
    let resource = naming(json!("*"));
    for caller in [
        "AIDAEXAMPLEEXAMPLEEXA",
        "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be",
    ] {
        let answer = Situation::new().resource_policy(&resource).evaluate(&get(caller));
        assert_eq!(answer, Err(SituationError::UnknownAccount(caller.to_owned())));
    }
}

#[test]
fn sessions_users_and_federated_users_are_named_exactly() {
    assert!(named(aws(SESSION), SESSION));
    assert!(!named(
        aws("arn:aws:sts::123456789012:assumed-role/app/s2"),
        SESSION
    ));
    assert!(named(aws(USER), USER));
    assert!(
        !named(aws("arn:aws:iam::123456789012:user/Bob"), USER),
        "case matters"
    );
    assert!(
        !named(aws("arn:aws:iam::123456789012:user/team/bob"), USER),
        "the path too"
    );
    assert!(named(aws(FEDERATED), FEDERATED));
    assert!(!named(
        aws("arn:aws:sts::123456789012:federated-user/carol"),
        FEDERATED
    ));
    assert!(!named(aws("arn:aws:iam::123456789012:user/Carol"), FEDERATED));
}

#[test]
fn the_account_is_not_its_root_user() {
    let resource = naming(aws(ROOT));
    let situation = Situation::new().resource_policy(&resource);
    assert_eq!(
        decision(&situation, &get(USER)),
        ImplicitDeny,
        "leaves it to identity policies"
    );
    assert_eq!(decision(&situation, &get(ROOT)), Allowed);
    let full = allow(PolicyKind::Identity, "*");
    assert_eq!(decision(&situation.identity([&full]), &get(USER)), Allowed);
}

#[test]
fn everybody_includes_anonymous_callers_and_the_account_does_not() {
    assert!(named(json!("*"), "*") && named(aws("*"), "*"));
    assert!(!named(aws(ACCOUNT), "*") && !named(aws(USER), "*"));
}

#[test]
fn services_and_providers_are_named_exactly() {
    let host = "token.actions.githubusercontent.com";
    assert!(named(
        json!({"Service": ["ec2.amazonaws.com", "s3.amazonaws.com"]}),
        "s3.amazonaws.com"
    ));
    assert!(!named(
        json!({"Service": "ec2.amazonaws.com"}),
        "s3.amazonaws.com"
    ));
    assert!(named(json!({"Federated": host}), host));
    assert!(!named(json!({"Federated": host}), "accounts.google.com"));
    assert!(!named(json!({"Service": "s3.amazonaws.com"}), USER));
}

#[test]
fn not_principal_denies_everybody_but_the_user_with_its_account() {
    let bob_and_account = || json!({"AWS": [USER, ROOT]});
    assert!(!denied(bob_and_account(), USER));
    assert!(
        denied(bob_and_account(), "arn:aws:iam::123456789012:user/alice"),
        "the guide: everybody except Bob"
    );
    assert!(denied(bob_and_account(), SESSION));
    assert!(denied(bob_and_account(), "arn:aws:iam::999999999999:user/bob"));
    assert!(denied(bob_and_account(), "*"), "anonymous callers");
    assert!(denied(bob_and_account(), "logs.amazonaws.com"), "services");
    assert!(
        !denied(bob_and_account(), ROOT),
        "the account's root user is listed"
    );
    assert!(denied(aws(USER), USER), "the account must be listed too");
}

#[test]
fn not_principal_spares_a_session_listed_with_role_and_account() {
    assert!(!denied(json!({"AWS": [SESSION, ROLE, ROOT]}), SESSION));
    assert!(!denied(json!({"AWS": [SESSION, ROLE, ACCOUNT]}), SESSION));
    for missing in [[ROLE, ROOT], [SESSION, ROOT], [SESSION, ROLE]] {
        assert!(denied(json!({ "AWS": missing }), SESSION), "{missing:?}");
    }
    assert!(denied(
        json!({"AWS": [SESSION, ROLE, ROOT]}),
        "arn:aws:sts::123456789012:assumed-role/app/s2"
    ));
    assert!(
        denied(json!({"AWS": [SESSION, ROLE, ROOT]}), ROLE),
        "a session whose name is not known may be another one"
    );
}

#[test]
fn not_principal_spares_the_federated_users_and_services_listed() {
    assert!(!denied(json!({"AWS": [FEDERATED, ROOT]}), FEDERATED));
    assert!(denied(json!({"AWS": [FEDERATED]}), FEDERATED));
    assert!(!denied(
        json!({"Service": "logs.amazonaws.com"}),
        "logs.amazonaws.com"
    ));
    assert!(!denied(json!("*"), USER) && !denied(json!("*"), "*"));
}

#[test]
fn not_principal_always_denies_who_has_a_permissions_boundary() {
    let resource = not_principal_policy(json!({"AWS": [USER, SESSION, ROLE, FEDERATED, ROOT]}));
    let (full, boundary) = (allow(PolicyKind::Identity, "*"), allow(PolicyKind::Boundary, "*"));
    let situation = Situation::new().identity([&full]).resource_policy(&resource);
    let bounded = situation.clone().boundaries([&boundary]);
    for caller in [USER, SESSION, FEDERATED] {
        assert_eq!(decision(&situation, &get(caller)), Allowed, "{caller}");
        assert_eq!(decision(&bounded, &get(caller)), ExplicitDeny, "{caller}");
    }
    assert_eq!(decision(&bounded, &get(ROOT)), Allowed, "the root user has none");
}

#[test]
fn the_keys_that_follow_from_the_caller_are_those_of_the_guide() {
    let keys = |caller: &str| {
        let context = Caller::parse(caller).unwrap().context();
        context
            .iter()
            .map(|(key, values)| format!("{key}={}", values.join(",")))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let service = "aws:PrincipalIsAWSService=false";
    assert_eq!(
        keys("arn:aws:iam::123456789012:user/team/bob"),
        format!(
            "aws:PrincipalAccount=123456789012 aws:PrincipalArn=arn:aws:iam::123456789012:user/team/bob {service} \
             aws:PrincipalType=User aws:username=bob"
        )
    );
    assert_eq!(
        keys(SESSION),
        format!(
            "aws:PrincipalAccount=123456789012 aws:PrincipalArn={ROLE} {service} aws:PrincipalType=AssumedRole"
        )
    );
    assert_eq!(
        keys(FEDERATED),
        format!(
            "aws:PrincipalAccount=123456789012 aws:PrincipalArn={FEDERATED} {service} \
             aws:PrincipalType=FederatedUser aws:userid=123456789012:Carol"
        )
    );
    assert_eq!(
        keys(ROOT),
        format!(
            "aws:PrincipalAccount=123456789012 aws:PrincipalArn={ROOT} {service} aws:PrincipalType=Account \
             aws:userid=123456789012"
        )
    );
    assert_eq!(keys("*"), format!("{service} aws:PrincipalType=Anonymous"));
    assert_eq!(keys("s3.amazonaws.com"), "aws:PrincipalIsAWSService=true");
}

#[test]
fn the_arn_of_the_root_user_as_a_key_means_the_root_user_only() {
    let resource = document(
        PolicyKind::Resource,
        json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",
               "Condition": {"ArnEquals": {"aws:PrincipalArn": ROOT}}}),
    );
    let situation = Situation::new()
        .resource_policy(&resource)
        .resource_account(ACCOUNT);
    let ask = |caller: &str| {
        let mut request = get(caller);
        request.context = request.principal.as_ref().unwrap().context();
        decision(&situation, &request)
    };
    assert_eq!(
        (ask(ROOT), ask(USER), ask(SESSION)),
        (Allowed, ImplicitDeny, ImplicitDeny)
    );
}

#[test]
fn a_deny_of_somebody_who_may_be_the_caller_is_no_allow() {
    let denying = |who: &str, action: &str| {
        document(
            PolicyKind::Resource,
            json!([
                {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "Principal": aws(who), "Action": action, "Resource": "*"},
            ]),
        )
    };
    let ask = |who: &str, action: &str, request: &Request| {
        let resource = denying(who, action);
        Situation::new().resource_policy(&resource).evaluate(request)
    };
    let unknown = |answer| matches!(answer, Err(SituationError::UnknownCaller(_)));
    assert!(
        unknown(ask(USER, "s3:*", &get(FEDERATED))),
        "Bob may have made Carol's session"
    );
    assert!(
        unknown(ask(SESSION, "s3:*", &get(ROLE))),
        "s1 is a session of the role"
    );
    for (who, action, request) in [
        (USER, "ec2:*", get(FEDERATED)),
        ("arn:aws:iam::999999999999:user/bob", "s3:*", get(FEDERATED)),
        (
            "arn:aws:iam::123456789012:user/alice",
            "s3:*",
            carol_of_bob("s3:GetObject", OBJECT),
        ),
        (
            "arn:aws:sts::123456789012:assumed-role/app/s2",
            "s3:*",
            get(SESSION),
        ),
        (
            "arn:aws:sts::123456789012:assumed-role/other/s1",
            "s3:*",
            get(ROLE),
        ),
    ] {
        assert!(ask(who, action, &request).unwrap().is_allowed(), "{who}");
    }
    let denied = ask(USER, "s3:*", &carol_of_bob("s3:GetObject", OBJECT)).unwrap();
    assert_eq!(denied.decision, ExplicitDeny);
}
