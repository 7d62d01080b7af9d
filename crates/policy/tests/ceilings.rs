//! What a ceiling should not allow: ways to IAM itself, and to the permissions of others.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use deputy_policy::{Document, Escalation, EscalationKind, PolicyKind, escalation};
use serde_json::{Value, json};

fn policy(statements: Value) -> Document {
    let value = json!({"Version": "2012-10-17", "Statement": statements});
    Document::from_value(&value, PolicyKind::Identity).unwrap()
}

fn allow(action: Value, resource: Value) -> Document {
    policy(json!({"Effect": "Allow", "Action": action, "Resource": resource}))
}

#[test]
fn ceilings_that_reach_iam_are_found() {
    let found = |document: &Document| -> Vec<String> {
        let found = escalation(document);
        let to_iam = found.iter().filter(|of| of.kind == EscalationKind::AnyPermission);
        to_iam.map(ToString::to_string).collect()
    };
    let leads = "with which its holder can get any permission in the account";
    assert!(
        escalation(&allow(
            json!(["s3:GetObject", "s3:PutObject"]),
            json!("arn:aws:s3:::productionapp/*")
        ))
        .is_empty()
    );
    assert_eq!(
        found(&policy(json!([
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {"Effect": "Allow", "Action": ["s3:GetObject", "iam:CreateR*"], "Resource": "arn:aws:iam::123456789012:role/x"},
        ]))),
        [format!("Statement[1].Action[1] allows iam:CreateRole, {leads}")]
    );
    let everything = escalation(&allow(json!("*"), json!("*")));
    let counts: Vec<_> = everything.iter().map(|of| (of.kind, of.actions.len())).collect();
    let [
        (EscalationKind::AnyPermission, to_iam),
        (EscalationKind::ResourcePermissions, managing),
    ] = counts[..]
    else {
        panic!("{counts:?}");
    };
    assert!(to_iam > 20 && managing > 300, "{counts:?}");
    assert!(
        everything[1]
            .to_string()
            .contains(&format!(" and {} more", managing - 4)),
        "{}",
        everything[1]
    );
    let not = policy(json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}));
    assert_eq!(
        found(&not),
        [format!("Statement[0].NotAction allows sts:AssumeRole, {leads}")]
    );
}

#[test]
fn ceilings_that_manage_permissions_of_others_are_found() {
    let found = |action: Value, resource: &str| -> Vec<String> {
        let found = escalation(&allow(action, json!(resource)));
        let marked = found
            .iter()
            .all(|of| of.kind == EscalationKind::ResourcePermissions);
        assert!(marked, "{found:?}");
        let of = |of: Escalation| {
            of.actions
                .iter()
                .map(|action| format!("{} {action}", of.path))
                .collect::<Vec<_>>()
        };
        found.into_iter().flat_map(of).collect()
    };
    assert_eq!(
        found(
            json!([
                "s3:GetObject",
                "s3:PutBucketPol*",
                "lambda:*permission",
                "kms:PutKeyPolicy",
                "nosuch:AddPermission"
            ]),
            "arn:aws:s3:::b"
        ),
        [
            "Statement[0].Action[3] kms:PutKeyPolicy",
            "Statement[0].Action[2] lambda:AddPermission",
            "Statement[0].Action[2] lambda:AddLayerVersionPermission",
            "Statement[0].Action[2] lambda:RemoveLayerVersionPermission",
            "Statement[0].Action[2] lambda:RemovePermission",
            "Statement[0].Action[1] s3:PutBucketPolicy",
        ]
    );
    assert_eq!(
        found(
            json!(["s3:Get*", "s3:List*", "dynamodb:*Item", "sqs:SendMessage"]),
            "*"
        ),
        Vec::<String>::new()
    );
    // What is meant is left out.
    let all = escalation(&allow(json!("sqs:*"), json!("*")));
    let [of] = all.as_slice() else { panic!("{all:?}") };
    let left = of.clone().unless(|action| action == "sqs:AddPermission").unwrap();
    assert_eq!(left.actions, ["sqs:RemovePermission", "sqs:SetQueueAttributes"]);
    assert!(left.message().contains("permissions management"), "{left}");
    assert_eq!(left.unless(|action| action.starts_with("sqs:")), None);
}

#[test]
fn passing_and_assuming_roles_escalates_on_wildcards_only() {
    let on =
        |resource: &str| escalation(&allow(json!(["iam:PassRole", "sts:AssumeRole"]), json!(resource))).len();
    assert_eq!(on("arn:aws:iam::123456789012:role/app"), 0);
    assert_eq!(on("arn:aws:iam::123456789012:role/*"), 2);
    assert_eq!(on("arn:aws:iam::123456789012:role/${aws:username}"), 2);
    assert_eq!(on("*"), 2);
}

#[test]
fn only_a_deny_that_covers_everything_takes_an_escalation_back() {
    let with = |deny: Value| {
        let found = escalation(&policy(
            json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}, deny]),
        ));
        let to_iam = found
            .into_iter()
            .filter(|of| of.kind == EscalationKind::AnyPermission);
        to_iam.map(|of| of.actions.len()).sum::<usize>()
    };
    assert_eq!(
        with(json!({"Effect": "Deny", "Action": ["iam:*", "sts:*"], "Resource": "*"})),
        0
    );
    let conditional = json!({"Effect": "Deny", "Action": ["iam:*", "sts:*"], "Resource": "*",
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}});
    assert!(with(conditional) > 20);
    assert!(with(json!({"Effect": "Deny", "Action": "iam:*", "Resource": "arn:aws:iam::*:role/*"})) > 20);
}
