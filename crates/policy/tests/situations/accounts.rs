//! Accounts: whose resource it is, and callers without account.

use deputy_policy::{
    AccessDecision, Context, Document, Layer, PolicyKind, Request, Rule, Situation, SituationError,
};
use serde_json::json;

use crate::support::*;

use AccessDecision::{Allowed, ExplicitDeny, ImplicitDeny};

fn foreign<'a>() -> Situation<'a> {
    Situation::new().resource_account(OTHER)
}

#[test]
fn across_accounts_both_sides_must_allow_however_the_caller_is_named() {
    let full = allow(PolicyKind::Identity, "s3:*");
    let session_policy = allow(PolicyKind::Session, "s3:*");
    for (principal, request) in [
        (aws(ROOT), get(USER)),
        (aws(ACCOUNT), get(SESSION)),
        (aws(USER), get(USER)),
        (aws(ROLE), get(SESSION)),
        (aws(SESSION), get(SESSION)),
        (aws(FEDERATED), get(FEDERATED)),
        (aws(USER), carol_of_bob("s3:GetObject", OBJECT)),
        (json!("*"), get(USER)),
    ] {
        let resource = naming(principal.clone());
        let of_federated = request
            .principal
            .as_ref()
            .unwrap()
            .to_string()
            .contains("federated");
        let session = of_federated.then_some(&session_policy);
        let both = foreign()
            .resource_policy(&resource)
            .identity([&full])
            .session(session);
        assert_eq!(decision(&both, &request), Allowed, "{principal}");
        let no_identity = decide(&both.clone().identity([]), &request);
        assert_eq!(
            (no_identity.decision, no_identity.reason.layer),
            (ImplicitDeny, Layer::Identity),
            "{principal}"
        );
        let only_identity = foreign().identity([&full]).session(session);
        let refused = decide(&only_identity, &request);
        assert_eq!(
            refused.reason.layer,
            Layer::Rule(Rule::ResourcePolicyMissing),
            "{principal}"
        );
        let for_another = naming(aws("arn:aws:iam::123456789012:user/alice"));
        let refused = decide(&only_identity.resource_policy(&for_another), &request);
        assert_eq!(
            (refused.decision, refused.reason.layer),
            (ImplicitDeny, Layer::Resource),
            "{principal}"
        );
    }
}

#[test]
fn across_accounts_boundary_and_session_cap_who_is_named_directly() {
    let full = allow(PolicyKind::Identity, "s3:*");
    let (boundary, session) = (silent(PolicyKind::Boundary), silent(PolicyKind::Session));
    for principal in [aws(SESSION), aws(ROLE), json!("*")] {
        let resource = naming(principal);
        let both = foreign().resource_policy(&resource).identity([&full]);
        assert_eq!(
            decide(&both.clone().boundaries([&boundary]), &get(SESSION))
                .reason
                .layer,
            Layer::Boundary
        );
        assert_eq!(
            decide(&both.clone().session([&session]), &get(SESSION))
                .reason
                .layer,
            Layer::Session
        );
    }
    let named = naming(aws(FEDERATED));
    let refused = decide(
        &foreign().resource_policy(&named).identity([&full]),
        &get(FEDERATED),
    );
    assert_eq!(
        refused.reason.layer,
        Layer::Rule(Rule::FederatedUserWithoutSessionPolicy)
    );
}

#[test]
fn a_root_user_needs_the_other_account_s_leave_only() {
    let resource = naming(aws(ROOT));
    assert_eq!(
        decision(&foreign().resource_policy(&resource), &get(ROOT)),
        Allowed
    );
    assert_eq!(decision(&foreign(), &get(ROOT)), ImplicitDeny);
}

#[test]
fn scps_bind_the_callers_account_and_rcps_the_resources() {
    let (full, resource) = (allow(PolicyKind::Identity, "s3:*"), naming(aws(USER)));
    let both = foreign().resource_policy(&resource).identity([&full]);
    let scp = allow(PolicyKind::ServiceControl, "ec2:*");
    assert_eq!(
        decide(&both.clone().service_control([[&scp]]), &get(USER))
            .reason
            .layer,
        Layer::ServiceControl(0)
    );
    let rcp = document(
        PolicyKind::ResourceControl,
        json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}),
    );
    assert_eq!(
        decision(&both.resource_control([[&rcp]]), &get(USER)),
        ExplicitDeny
    );
}

#[test]
fn the_account_of_the_resource_is_given_or_in_its_arn_or_the_caller_s() {
    let full = allow(PolicyKind::Identity, "*");
    let situation = Situation::new().identity([&full]);
    let topic = |account: &str| request(USER, "sns:Publish", &format!("arn:aws:sns:us-east-1:{account}:t"));
    assert_eq!(decision(&situation, &topic(ACCOUNT)), Allowed);
    assert_eq!(
        decision(&situation, &topic(OTHER)),
        ImplicitDeny,
        "the ARN says whose it is"
    );
    assert_eq!(decision(&situation, &get(USER)), Allowed, "an ARN of S3 does not");
    assert_eq!(
        decision(&situation, &request(USER, "s3:ListAllMyBuckets", "*")),
        Allowed
    );
    let given = situation.clone().resource_account(OTHER);
    assert_eq!(decision(&given, &get(USER)), ImplicitDeny);
    let given = situation.clone().resource_account(ACCOUNT);
    assert_eq!(
        decision(&given, &topic(OTHER)),
        Allowed,
        "what is given counts more than the ARN"
    );
    let given = situation.resource_account(ACCOUNT);
    assert_eq!(decision(&given, &get(USER)), Allowed);
}

#[test]
fn callers_without_account_have_the_resource_policy_only() {
    let full = allow(PolicyKind::Identity, "*");
    let provider = "arn:aws:iam::123456789012:saml-provider/corp";
    let identity = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E127EXAMPLE51Z";
    for (caller, principal) in [
        (identity, aws(identity)),
        ("*", json!("*")),
        ("logs.amazonaws.com", json!({"Service": "logs.amazonaws.com"})),
        (provider, json!({"Federated": provider})),
    ] {
        let resource = naming(principal);
        let (boundary, scp) = (silent(PolicyKind::Boundary), silent(PolicyKind::ServiceControl));
        let situation = Situation::new().resource_policy(&resource);
        assert_eq!(decision(&situation, &get(caller)), Allowed, "{caller}");
        let situation = situation.boundaries([&boundary]).service_control([[&scp]]);
        assert_eq!(
            decision(&situation, &get(caller)),
            Allowed,
            "{caller}: these are not its own"
        );
        assert_eq!(
            decision(&Situation::new().identity([&full]), &get(caller)),
            ImplicitDeny,
            "{caller}"
        );
        for other in [aws(ACCOUNT), aws(USER), json!({"Service": "s3.amazonaws.com"})] {
            let resource = naming(other.clone());
            assert_eq!(
                decision(&Situation::new().resource_policy(&resource), &get(caller)),
                ImplicitDeny,
                "{caller} {other}"
            );
        }
        let rcp = document(
            PolicyKind::ResourceControl,
            json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}),
        );
        assert_eq!(
            decision(&situation.resource_control([[&rcp]]), &get(caller)),
            ExplicitDeny,
            "{caller}"
        );
    }
}

#[test]
fn without_a_caller_the_principal_s_own_side_is_asked() {
    let full = allow(PolicyKind::Identity, "*");
    let ask = |action: &str, resource: &str| Request {
        principal: None,
        ..request(USER, action, resource)
    };
    let situation = Situation::new().identity([&full]);
    assert_eq!(decision(&situation, &ask("sts:AssumeRole", ROLE)), Allowed);
    assert_eq!(decision(&situation, &ask("kms:Decrypt", KEY)), Allowed);
    let boundary = silent(PolicyKind::Boundary);
    assert_eq!(
        decision(
            &situation.clone().boundaries([&boundary]),
            &ask("s3:GetObject", OBJECT)
        ),
        ImplicitDeny
    );
    let resource = naming(json!("*"));
    let rcp = document(
        PolicyKind::ResourceControl,
        json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}),
    );
    for situation in [
        situation.clone().resource_policy(&resource),
        situation.clone().endpoint_policy(&resource),
        situation.clone().resource_control([[&rcp]]),
        situation.clone().resource_account(ACCOUNT),
    ] {
        let refused = situation.evaluate(&ask("s3:GetObject", OBJECT));
        assert!(
            matches!(refused, Err(SituationError::NoPrincipal(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn what_does_not_fit_together_is_an_error() {
    let (identity, resource) = (allow(PolicyKind::Identity, "*"), naming(json!("*")));
    let kind =
        |situation: Situation<'_>| matches!(situation.evaluate(&get(USER)), Err(SituationError::Kind { .. }));
    let wrong: &Document = &identity;
    assert!(kind(Situation::new().identity([&resource])));
    assert!(kind(Situation::new().boundaries([wrong])));
    assert!(kind(Situation::new().session([wrong])));
    assert!(kind(Situation::new().resource_policy(wrong)));
    assert!(kind(Situation::new().endpoint_policy(wrong)));
    assert!(kind(Situation::new().service_control([[wrong]])));
    assert!(kind(Situation::new().resource_control([[wrong]])));
    let trust = trusting(json!("*"));
    assert!(
        kind(Situation::new().resource_policy(&trust)),
        "a trust policy of a bucket"
    );
    let assume = request(USER, "sts:AssumeRole", ROLE);
    assert!(
        Situation::new()
            .resource_policy(&resource)
            .evaluate(&assume)
            .is_err(),
        "and the reverse"
    );
    for id in ["", "12345678901", "arn:aws:iam::123456789012:root"] {
        let refused = Situation::new().resource_account(id).evaluate(&get(USER));
        assert!(matches!(
            refused,
            Err(SituationError::Account { what: "resource", .. })
        ));
        let refused = Situation::new().management_account(id).evaluate(&get(USER));
        assert!(matches!(
            refused,
            Err(SituationError::Account {
                what: "management",
                ..
            })
        ));
    }
    let long = request(USER, "s3:GetObject", &"a".repeat(10_000));
    let refused = Situation::new().evaluate(&long);
    assert!(matches!(
        refused,
        Err(SituationError::TooLong { what: "resource", .. })
    ));
}

#[test]
fn costly_patterns_are_an_error_and_not_an_answer() {
    let statement = json!({"Effect": "Allow", "Action": "*",
        "Resource": (0..8).map(|i| format!("arn:aws:s3:::*{}b{i}", "a".repeat(4000))).collect::<Vec<_>>()});
    let policy = identity(statement);
    let object = format!("arn:aws:s3:::{}", "a".repeat(8000));
    let refused = Situation::new()
        .identity([&policy])
        .evaluate(&request(USER, "s3:GetObject", &object));
    assert!(matches!(refused, Err(SituationError::Budget(_))), "{refused:?}");
}

#[test]
fn long_values_in_many_places_are_an_error_and_not_a_flood() {
    let policy = identity(json!({"Effect": "Allow", "Action": "*",
        "Resource": format!("arn:aws:s3:::b/{}", "${a:b}".repeat(8000))}));
    let context = Context::new().with("a:b", "x".repeat(500_000));
    let refused = Situation::new()
        .identity([&policy])
        .evaluate(&with(USER, "s3:GetObject", OBJECT, context));
    assert!(matches!(refused, Err(SituationError::Budget(_))), "{refused:?}");
    let conditions: serde_json::Map<_, _> = (0..100).map(|i| (format!("a:{i}"), json!("y"))).collect();
    let statement = json!({"Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {"StringNotLike": conditions, "ForAnyValue:StringEquals": {"a:none": "x"}}});
    let policy = identity(json!(vec![statement; 20]));
    let mut context = Context::new();
    for i in 0..100 {
        context.set(format!("a:{i}"), ["z".repeat(100_000)]);
    }
    let refused = Situation::new()
        .identity([&policy])
        .evaluate(&with(USER, "s3:GetObject", OBJECT, context));
    assert!(matches!(refused, Err(SituationError::Budget(_))), "{refused:?}");
}

#[test]
fn credentials_end_at_the_partition() {
    let full = allow(PolicyKind::Identity, "*");
    let china = request(USER, "s3:GetObject", "arn:aws-cn:s3:::b/a");
    let refused = decide(&Situation::new().identity([&full]), &china);
    assert_eq!(
        (refused.decision, refused.reason.layer),
        (ImplicitDeny, Layer::Rule(Rule::OtherPartition))
    );
}
