//! Why a decision was made.

use deputy_policy::{
    AccessDecision, Context, Layer, Layers, Named, PolicyKind, Situation,
    evaluate::{Mismatch, Need},
    explain_layers, explain_trust,
};
use serde_json::json;

use crate::support::*;

#[test]
fn every_statement_of_every_layer_says_why_it_does_not_match() {
    let policy = identity(json!([
        {"Sid": "Put", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::home/${aws:username}/*"},
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {
            "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
            "StringEquals": {"aws:PrincipalTag/team": ["a", "b"]},
            "Bool": {"aws:SecureTransport": "true"},
        }},
    ]));
    let bucket = document(
        PolicyKind::Resource,
        json!({"Effect": "Allow", "Principal": aws("arn:aws:iam::123456789012:user/alice"), "Action": "*", "Resource": "*"}),
    );
    let boundary = allow(PolicyKind::Boundary, "s3:*");
    let situation = Situation::new()
        .identity([&policy])
        .resource_policy(&bucket)
        .boundaries([&boundary]);
    let context = Context::new()
        .with("aws:SourceIp", "192.0.2.1")
        .with("aws:SecureTransport", "true");
    let explained = situation
        .explain(&with(USER, "s3:GetObject", OBJECT, context))
        .unwrap();
    assert_eq!(explained.evaluation.decision, AccessDecision::ImplicitDeny);
    let outcomes: Vec<_> = explained
        .layers
        .iter()
        .map(|l| (l.layer, l.need, l.outcome))
        .collect();
    assert_eq!(
        outcomes,
        [
            (Layer::Resource, Need::SameAccount, AccessDecision::ImplicitDeny),
            (Layer::Identity, Need::MustAllow, AccessDecision::ImplicitDeny),
            (Layer::Boundary, Need::MustAllow, AccessDecision::Allowed),
        ]
    );
    let of_identity = &explained.layers[1].statements;
    assert_eq!(of_identity[0].sid.as_deref(), Some("Put"));
    assert_eq!(
        of_identity[0].mismatches,
        [Mismatch::Action {
            action: "s3:GetObject".into()
        }]
    );
    let resource = Mismatch::Resource {
        resource: OBJECT.into(),
        without_value: vec!["aws:username".into()],
    };
    assert_eq!(of_identity[1].mismatches, [resource]);
    assert_eq!(of_identity[2].mismatches.len(), 2, "two of three conditions");
    assert_eq!(
        explained.layers[0].statements[0].mismatches,
        [Mismatch::Principal { caller: USER.into() }]
    );
    assert_eq!(
        explained.to_string(),
        "not allowed: no statement of the identity policy allows it
  resource policy: is silent (need not allow: within one account the identity policies are enough)
    document 0 statement 0 does not allow: it is not about arn:aws:iam::123456789012:user/bob
  identity policy: is silent (must allow)
    document 0 statement 0 (Put) does not allow: its actions do not match s3:GetObject
    document 0 statement 1 does not allow: its resources do not match arn:aws:s3:::productionapp/a (no single value for \"aws:username\")
    document 0 statement 2 does not allow: IpAddress aws:SourceIp wants \"10.0.0.0/8\", the request has \"192.0.2.1\"; \
StringEquals aws:PrincipalTag/team wants \"a\", \"b\", the request does not have the key
  permissions boundary: allows (must allow)
    document 0 statement 0 allows"
    );
}

#[test]
fn an_explanation_says_what_denies_and_what_was_not_needed() {
    let (full, bucket) = (silent(PolicyKind::Identity), naming(aws(SESSION)));
    let session = silent(PolicyKind::Session);
    let situation = Situation::new()
        .identity([&full])
        .session([&session])
        .resource_policy(&bucket);
    let allowed = situation.explain(&get(SESSION)).unwrap();
    assert!(allowed.evaluation.is_allowed());
    assert_eq!(allowed.layers[0].statements[0].named, Some(Named::Directly));
    assert_eq!(allowed.layers[1].need, Need::NamedDirectly);
    let no = deny(PolicyKind::Identity, "s3:Get*");
    let everything = allow(PolicyKind::Identity, "*");
    let denied = situation
        .identity([&everything, &no])
        .explain(&get(SESSION))
        .unwrap();
    assert_eq!(denied.evaluation.decision, AccessDecision::ExplicitDeny);
    assert_eq!(denied.layers[1].outcome, AccessDecision::ExplicitDeny);
    assert!(
        denied.to_string().contains("document 1 statement 0 denies"),
        "{denied}"
    );
}

#[test]
fn the_decision_of_an_explanation_is_that_of_the_evaluation() {
    let full = allow(PolicyKind::Identity, "s3:*");
    for principal in [
        aws(USER),
        aws(ROLE),
        aws(ROOT),
        json!("*"),
        json!({"Service": "ec2.amazonaws.com"}),
    ] {
        let bucket = naming(principal);
        for caller in [USER, ROLE, SESSION, FEDERATED, ROOT, "*", "ec2.amazonaws.com"] {
            for account in [ACCOUNT, OTHER] {
                let situation = Situation::new()
                    .identity([&full])
                    .resource_policy(&bucket)
                    .resource_account(account);
                let explained = situation.explain(&get(caller)).unwrap();
                assert_eq!(explained.evaluation, decide(&situation, &get(caller)));
                let needed_is_silent = explained
                    .layers
                    .iter()
                    .any(|l| l.need == Need::MustAllow && l.outcome != AccessDecision::Allowed);
                assert!(
                    !(needed_is_silent && explained.evaluation.is_allowed()),
                    "{explained}"
                );
            }
        }
    }
}

#[test]
fn explanations_are_bounded() {
    let statement = |i: usize| {
        json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": {"StringEquals": {
            format!("a:k{i}"): (0..40).map(|v| format!("{v}{}", "x".repeat(50))).collect::<Vec<_>>()}}})
    };
    let policy = identity(json!((0..40).map(statement).collect::<Vec<_>>()));
    let many = [&policy; 10];
    let mut context = Context::new();
    for i in 0..40 {
        context.set(format!("a:k{i}"), (0..100).map(|_| "é".repeat(5000)));
    }
    let explained = Situation::new()
        .identity(many)
        .explain(&with(USER, "s3:GetObject", OBJECT, context))
        .unwrap();
    let layer = &explained.layers[0];
    assert_eq!((layer.statements.len(), layer.omitted), (64, 336));
    assert!(
        explained.to_string().len() < 64 * 4096,
        "{}",
        explained.to_string().len()
    );
    let [
        Mismatch::Condition {
            wanted,
            found: Some(found),
            ..
        },
    ] = &layer.statements[0].mismatches[..]
    else {
        panic!("{:?}", layer.statements[0]);
    };
    assert_eq!((wanted.len(), found.len()), (8, 8));
    assert!(found[0].len() < 200);
}

#[test]
fn values_cannot_forge_lines_of_an_explanation() {
    let policy = identity(json!({"Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {"StringEquals": {"a:k": "x"}}}));
    let context = Context::new().with("a:k", "y\n  identity policy: allows");
    let explained = Situation::new()
        .identity([&policy])
        .explain(&with(USER, "s3:GetObject\nallowed", "*\nallowed", context))
        .unwrap();
    assert_eq!(explained.to_string().lines().count(), 3, "{explained}");
}

#[test]
fn layers_and_trust_policies_alone_are_explained_too() {
    let (policy, boundary) = (allow(PolicyKind::Identity, "s3:*"), silent(PolicyKind::Boundary));
    let layers = Layers {
        identity: &[&policy],
        boundary: Some(&boundary),
        session: Some(&[]),
    };
    let explained = explain_layers(&layers, &get(USER));
    assert_eq!(explained.evaluation.reason.layer, Layer::Boundary);
    assert_eq!(explained.layers.len(), 3);
    let trust = trusting(aws(ROLE));
    let explained = explain_trust(&trust, &request(SESSION, "sts:AssumeRole", ROLE));
    assert!(explained.evaluation.is_allowed());
    assert_eq!(explained.layers[0].statements[0].named, Some(Named::Behind));
}

#[test]
fn each_step_of_assuming_a_role_is_explained() {
    let trust = trusting(aws(USER));
    let situation = Situation::new().resource_policy(&trust);
    let context = Context::new().with("aws:RequestTag/a", "b");
    let steps = situation
        .explain_assume_role(&with(USER, "sts:AssumeRole", ROLE, context))
        .unwrap();
    let decisions: Vec<_> = steps
        .iter()
        .map(|(a, e)| (a.as_str(), e.evaluation.decision))
        .collect();
    assert_eq!(
        decisions,
        [
            ("sts:AssumeRole", AccessDecision::Allowed),
            ("sts:TagSession", AccessDecision::ImplicitDeny)
        ]
    );
}
