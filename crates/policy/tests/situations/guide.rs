//! The examples of the IAM User Guide.

use deputy_policy::{AccessDecision, Context, Document, Layer, PolicyKind, Request, Rule, Situation};
use serde_json::json;

use crate::support::*;

use AccessDecision::{Allowed, ExplicitDeny, ImplicitDeny};

const BUCKET: &str = "arn:aws:s3:::productionapp";
const TOKEN_APP: &str = "arn:aws:iam::123456789012:user/token-app";
const OBJECT_ACTIONS: [&str; 3] = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"];

/// "Example policy attached to IAM user token-app that calls GetFederationToken".
fn token_app() -> Document {
    let statements: Vec<_> = [
        "sts:GetFederationToken",
        "dynamodb:ListTables",
        "sqs:ReceiveMessage",
        "s3:ListBucket",
        "sns:ListSubscriptions",
    ]
    .iter()
    .map(|action| json!({"Effect": "Allow", "Action": action, "Resource": "*"}))
    .collect();
    identity(json!(statements))
}

/// "Example session policy passed as parameter of GetFederationToken API call", and the role's policy of the pages on
/// AssumeRole.
fn productionapp(kind: PolicyKind, object_actions: &[&str]) -> Document {
    document(
        kind,
        json!([
            {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [BUCKET]},
            {"Effect": "Allow", "Action": object_actions, "Resource": ["arn:aws:s3:::productionapp/*"]},
        ]),
    )
}

/// "Example bucket policy that allows access to federated user".
fn for_carol() -> Document {
    document(
        PolicyKind::Resource,
        json!({"Principal": aws(FEDERATED), "Effect": "Allow", "Action": OBJECT_ACTIONS,
               "Resource": ["arn:aws:s3:::productionapp/*"]}),
    )
}

/// "All users are denied permission to delete objects from the bucket".
fn nobody_deletes() -> Document {
    document(
        PolicyKind::Resource,
        json!({"Principal": {"AWS": "*"}, "Effect": "Deny", "Action": "s3:DeleteObject",
               "Resource": "arn:aws:s3:::productionapp/*"}),
    )
}

fn carol(action: &str, resource: &str) -> Request {
    request(FEDERATED, action, resource)
}

#[test]
fn carol_reaches_productionapp_by_the_bucket_policy_alone() {
    let (user, bucket) = (token_app(), for_carol());
    let situation = Situation::new().identity([&user]).resource_policy(&bucket);
    for action in OBJECT_ACTIONS {
        let allowed = decide(&situation, &carol(action, OBJECT));
        assert_eq!(
            (allowed.decision, allowed.reason.layer),
            (Allowed, Layer::Resource),
            "{action}"
        );
    }
    let list = decide(&situation, &carol("s3:ListBucket", BUCKET));
    assert_eq!(
        (list.decision, list.reason.layer),
        (ImplicitDeny, Layer::Rule(Rule::FederatedUserWithoutSessionPolicy)),
        "her user's policy alone gives her nothing"
    );
    let manager = "arn:aws:sts::123456789012:federated-user/Manager1";
    assert_eq!(
        decision(&situation, &request(manager, "s3:GetObject", OBJECT)),
        ImplicitDeny
    );
}

#[test]
fn carol_without_session_policy_and_without_bucket_policy_has_nothing() {
    let user = token_app();
    let situation = Situation::new().identity([&user]);
    for (action, resource) in [
        ("s3:ListBucket", BUCKET),
        ("dynamodb:ListTables", "*"),
        ("s3:GetObject", OBJECT),
    ] {
        assert_eq!(
            decision(&situation, &carol(action, resource)),
            ImplicitDeny,
            "{action}"
        );
    }
}

#[test]
fn carol_in_a_session_has_the_intersection_and_the_bucket_policy() {
    let (user, bucket) = (token_app(), for_carol());
    let session = productionapp(PolicyKind::Session, &["s3:GetObject"]);
    let situation = Situation::new()
        .identity([&user])
        .session([&session])
        .resource_policy(&bucket);
    assert_eq!(decision(&situation, &carol("s3:ListBucket", BUCKET)), Allowed);
    for action in OBJECT_ACTIONS {
        assert_eq!(
            decision(&situation, &carol(action, OBJECT)),
            Allowed,
            "{action}: named directly"
        );
    }
    assert_eq!(
        decision(&situation, &carol("dynamodb:ListTables", "*")),
        ImplicitDeny
    );
    assert_eq!(
        decision(&situation, &carol("s3:ListBucket", "arn:aws:s3:::other")),
        ImplicitDeny
    );
}

#[test]
fn a_federated_user_of_token_app_may_only_list_productionapp() {
    let user = token_app();
    let session = productionapp(PolicyKind::Session, &OBJECT_ACTIONS);
    let situation = Situation::new().identity([&user]).session([&session]);
    assert_eq!(decision(&situation, &carol("s3:ListBucket", BUCKET)), Allowed);
    for action in OBJECT_ACTIONS {
        let refused = decide(&situation, &carol(action, OBJECT));
        assert_eq!(
            (refused.decision, refused.reason.layer),
            (ImplicitDeny, Layer::Identity),
            "{action}"
        );
    }
    for (action, resource) in [
        ("sns:ListSubscriptions", "*"),
        ("sqs:ReceiveMessage", "arn:aws:sqs:us-east-1:123456789012:q"),
        ("dynamodb:ListTables", "*"),
        ("s3:ListBucket", "arn:aws:s3:::other"),
    ] {
        let refused = decide(&situation, &carol(action, resource));
        assert_eq!(
            (refused.decision, refused.reason.layer),
            (ImplicitDeny, Layer::Session),
            "{action}"
        );
    }
}

#[test]
fn token_app_itself_may_get_federation_tokens() {
    let user = token_app();
    let situation = Situation::new().identity([&user]);
    assert_eq!(
        decision(
            &situation,
            &request(TOKEN_APP, "sts:GetFederationToken", FEDERATED)
        ),
        Allowed
    );
}

#[test]
fn a_session_policy_filters_delete_object_out() {
    let role = productionapp(PolicyKind::Identity, &OBJECT_ACTIONS);
    let session = productionapp(PolicyKind::Session, &["s3:GetObject", "s3:PutObject"]);
    let whole = Situation::new().identity([&role]);
    let passed = whole.clone().session([&session]);
    for (action, resource, expected) in [
        ("s3:ListBucket", BUCKET, Allowed),
        ("s3:GetObject", OBJECT, Allowed),
        ("s3:PutObject", OBJECT, Allowed),
        ("s3:DeleteObject", OBJECT, ImplicitDeny),
    ] {
        assert_eq!(
            decision(&whole, &request(SESSION, action, resource)),
            Allowed,
            "{action}"
        );
        assert_eq!(
            decision(&passed, &request(SESSION, action, resource)),
            expected,
            "{action}"
        );
    }
}

#[test]
fn a_bucket_policy_denies_delete_object_to_all() {
    let (role, bucket) = (
        productionapp(PolicyKind::Identity, &OBJECT_ACTIONS),
        nobody_deletes(),
    );
    let session = allow(PolicyKind::Session, "*");
    let situation = Situation::new()
        .identity([&role])
        .session([&session])
        .resource_policy(&bucket);
    for caller in [USER, SESSION, FEDERATED, ROOT, "*"] {
        let refused = decide(&situation, &request(caller, "s3:DeleteObject", OBJECT));
        assert_eq!(
            (refused.decision, refused.reason.layer),
            (ExplicitDeny, Layer::Resource),
            "{caller}"
        );
    }
    for caller in [USER, SESSION, FEDERATED, ROOT] {
        assert_eq!(decision(&situation, &get(caller)), Allowed, "{caller}");
    }
}

#[test]
fn get_federation_token_is_limited_to_managers() {
    let policy = identity(json!([{"Effect": "Allow", "Action": "sts:GetFederationToken",
        "Resource": ["arn:aws:sts::123456789012:federated-user/Manager*"]}]));
    let situation = Situation::new().identity([&policy]);
    let ask = |name: &str| {
        let arn = format!("arn:aws:sts::123456789012:federated-user/{name}");
        decision(&situation, &request(USER, "sts:GetFederationToken", &arn))
    };
    assert_eq!((ask("Manager"), ask("Manager1")), (Allowed, Allowed));
    assert_eq!((ask("manager1"), ask("Carol")), (ImplicitDeny, ImplicitDeny));
}

#[test]
fn assume_role_is_granted_on_one_role() {
    let policy = identity(json!([{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Resource": "arn:aws:iam::123123123123:role/UpdateAPP"}]));
    // The other account's role trusts the account of the user.
    let trust = trusting(aws(ACCOUNT));
    let situation = Situation::new().identity([&policy]).resource_policy(&trust);
    let ask = |role: &str| {
        let arn = format!("arn:aws:iam::123123123123:role/{role}");
        decision(&situation, &request(USER, "sts:AssumeRole", &arn))
    };
    assert_eq!(ask("UpdateAPP"), Allowed);
    assert_eq!((ask("UpdateApp"), ask("Other")), (ImplicitDeny, ImplicitDeny));
    let unasked = Request {
        principal: None,
        ..request(USER, "sts:AssumeRole", "arn:aws:iam::123123123123:role/UpdateAPP")
    };
    assert_eq!(
        decision(&Situation::new().identity([&policy]), &unasked),
        Allowed,
        "this policy alone"
    );
}

#[test]
fn a_trust_policy_asks_for_multi_factor_authentication() {
    let policy = identity(json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE}));
    let trust = trust(
        json!({"Effect": "Allow", "Principal": aws(ACCOUNT), "Action": "sts:AssumeRole",
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": true}}}),
    );
    let situation = Situation::new().identity([&policy]).resource_policy(&trust);
    let ask = |context: Context| decision(&situation, &with(USER, "sts:AssumeRole", ROLE, context));
    let mfa = |value: &str| Context::new().with("aws:MultiFactorAuthPresent", value);
    assert_eq!(ask(mfa("true")), Allowed);
    assert_eq!(ask(mfa("false")), ImplicitDeny);
    assert_eq!(
        ask(Context::new()),
        ImplicitDeny,
        "long-term keys do not have the key"
    );
}

#[test]
fn a_deny_without_multi_factor_authentication_needs_if_exists() {
    let deny_with = |operator: &str| {
        identity(json!([
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {"Effect": "Deny", "Action": "s3:*", "Resource": "*",
             "Condition": {operator: {"aws:MultiFactorAuthPresent": "false"}}},
        ]))
    };
    let (plain, if_exists) = (deny_with("Bool"), deny_with("BoolIfExists"));
    assert_eq!(
        decision(&Situation::new().identity([&plain]), &get(USER)),
        Allowed,
        "long-term keys slip through"
    );
    assert_eq!(
        decision(&Situation::new().identity([&if_exists]), &get(USER)),
        ExplicitDeny
    );
}

#[test]
fn not_principal_denies_everybody_but_the_audit_session() {
    let audit = "arn:aws:sts::444455556666:assumed-role/cross-account-read-only-role/cross-account-audit-app";
    let bucket = document(
        PolicyKind::Resource,
        json!([
            {"Effect": "Allow", "Principal": aws("444455556666"), "Action": "s3:*", "Resource": "arn:aws:s3:::Bucket_AccountAudit/*"},
            {"Effect": "Deny", "NotPrincipal": {"AWS": [
                audit,
                "arn:aws:iam::444455556666:role/cross-account-read-only-role",
                "arn:aws:iam::444455556666:root",
             ]}, "Action": "s3:*",
             "Resource": ["arn:aws:s3:::Bucket_AccountAudit", "arn:aws:s3:::Bucket_AccountAudit/*"]},
        ]),
    );
    let role = allow(PolicyKind::Identity, "s3:*");
    let situation = Situation::new()
        .identity([&role])
        .resource_policy(&bucket)
        .resource_account(ACCOUNT);
    let ask = |caller: &str| {
        decision(
            &situation,
            &request(caller, "s3:GetObject", "arn:aws:s3:::Bucket_AccountAudit/a"),
        )
    };
    assert_eq!(ask(audit), Allowed);
    assert_eq!(
        ask("arn:aws:sts::444455556666:assumed-role/cross-account-read-only-role/other"),
        ExplicitDeny
    );
    assert_eq!(ask("arn:aws:iam::444455556666:user/Alice"), ExplicitDeny);
    assert_eq!(ask(USER), ExplicitDeny);
}
