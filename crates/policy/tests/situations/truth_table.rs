//! What a resource policy's principal makes of silent policies on the caller's side, in one account (IAM User Guide,
//! "Policy evaluation logic", "How permissions boundaries interact").

use deputy_policy::{AccessDecision, Layer, PolicyKind, Request, Rule, Situation, StatementRef};
use serde_json::{Value, json};

use crate::support::*;

use AccessDecision::{Allowed, ImplicitDeny};

struct Row {
    name: &'static str,
    principal: Value,
    request: Request,
    /// With identity policies silent; of federated users the session policy allows.
    identity: AccessDecision,
    /// Identity allows, boundary silent.
    boundary: AccessDecision,
    /// Identity allows, session policy silent; none for users.
    session: Option<AccessDecision>,
}

#[expect(clippy::too_many_lines, reason = "one table")]
fn table() -> Vec<Row> {
    let row = |name, principal, request, identity, boundary, session| Row {
        name,
        principal,
        request,
        identity,
        boundary,
        session,
    };
    vec![
        row("user, by the user", aws(USER), get(USER), Allowed, Allowed, None),
        row(
            "role, by a session",
            aws(ROLE),
            get(SESSION),
            Allowed,
            ImplicitDeny,
            Some(ImplicitDeny),
        ),
        row(
            "session, by that session",
            aws(SESSION),
            get(SESSION),
            Allowed,
            Allowed,
            Some(Allowed),
        ),
        row(
            "federated user, by that one",
            aws(FEDERATED),
            get(FEDERATED),
            Allowed,
            Allowed,
            Some(Allowed),
        ),
        row(
            "user, by a federated session of it",
            aws(USER),
            carol_of_bob("s3:GetObject", OBJECT),
            Allowed,
            ImplicitDeny,
            Some(ImplicitDeny),
        ),
        row(
            "everybody, by a user",
            json!("*"),
            get(USER),
            Allowed,
            Allowed,
            None,
        ),
        row(
            "everybody, by a session",
            json!("*"),
            get(SESSION),
            Allowed,
            Allowed,
            Some(Allowed),
        ),
        row(
            "everybody, by a federated user",
            json!("*"),
            get(FEDERATED),
            Allowed,
            Allowed,
            Some(Allowed),
        ),
        row(
            "account, by a user",
            aws(ACCOUNT),
            get(USER),
            ImplicitDeny,
            ImplicitDeny,
            None,
        ),
        row(
            "account, by a session",
            aws(ROOT),
            get(SESSION),
            ImplicitDeny,
            ImplicitDeny,
            Some(ImplicitDeny),
        ),
        row(
            "account, by a federated user",
            aws(ROOT),
            get(FEDERATED),
            ImplicitDeny,
            ImplicitDeny,
            Some(ImplicitDeny),
        ),
        row(
            "somebody else, by a session",
            aws("arn:aws:iam::123456789012:role/other"),
            get(SESSION),
            ImplicitDeny,
            ImplicitDeny,
            Some(ImplicitDeny),
        ),
    ]
}

#[test]
fn a_resource_policy_stands_for_what_its_principal_says() {
    let (full, nothing) = (allow(PolicyKind::Identity, "*"), silent(PolicyKind::Identity));
    let session_full = allow(PolicyKind::Session, "*");
    let session_nothing = silent(PolicyKind::Session);
    let boundary = silent(PolicyKind::Boundary);
    for row in table() {
        let resource = naming(row.principal.clone());
        let base = Situation::new().resource_policy(&resource).identity([&full]);
        let federated = row
            .request
            .principal
            .as_ref()
            .unwrap()
            .to_string()
            .contains("federated-user");
        let with_session = if federated {
            base.clone().session([&session_full])
        } else {
            base.clone()
        };
        let identity_silent = with_session.clone().identity([&nothing]);
        assert_eq!(
            decision(&identity_silent, &row.request),
            row.identity,
            "{}: identity silent",
            row.name
        );
        let no_identity = with_session.clone().identity([]);
        assert_eq!(
            decision(&no_identity, &row.request),
            row.identity,
            "{}: no identity policy",
            row.name
        );
        let bounded = with_session.clone().boundaries([&boundary]);
        assert_eq!(
            decision(&bounded, &row.request),
            row.boundary,
            "{}: boundary silent",
            row.name
        );
        if let Some(expected) = row.session {
            let narrowed = base.clone().session([&session_nothing]);
            assert_eq!(
                decision(&narrowed, &row.request),
                expected,
                "{}: session silent",
                row.name
            );
        }
        assert_eq!(
            decision(&with_session, &row.request),
            Allowed,
            "{}: everything allows",
            row.name
        );
    }
}

#[test]
fn a_deny_of_any_layer_wins_over_a_policy_that_names_the_caller() {
    let resource = naming(aws(SESSION));
    let base = Situation::new().resource_policy(&resource);
    let (i, b, s) = (
        deny(PolicyKind::Identity, "s3:*"),
        deny(PolicyKind::Boundary, "s3:*"),
        deny(PolicyKind::Session, "s3:*"),
    );
    let scp = deny(PolicyKind::ServiceControl, "s3:*");
    let rcp = document(
        PolicyKind::ResourceControl,
        json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}),
    );
    let endpoint = document(
        PolicyKind::Resource,
        json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}),
    );
    assert_eq!(decision(&base, &get(SESSION)), Allowed);
    for (situation, layer) in [
        (base.clone().identity([&i]), Layer::Identity),
        (base.clone().boundaries([&b]), Layer::Boundary),
        (base.clone().session([&s]), Layer::Session),
        (base.clone().service_control([[&scp]]), Layer::ServiceControl(0)),
        (base.clone().resource_control([[&rcp]]), Layer::ResourceControl(0)),
        (base.clone().endpoint_policy(&endpoint), Layer::Endpoint),
    ] {
        let refused = decide(&situation, &get(SESSION));
        assert_eq!(
            (refused.decision, refused.reason.layer),
            (AccessDecision::ExplicitDeny, layer)
        );
        assert_eq!(
            refused.reason.statement,
            Some(StatementRef {
                document: 0,
                statement: 0
            })
        );
    }
}

#[test]
fn principal_arn_under_everybody_is_not_limited_by_boundary_and_session() {
    let resource = document(
        PolicyKind::Resource,
        json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*",
               "Condition": {"ArnEquals": {"aws:PrincipalArn": ROLE}}}),
    );
    let (boundary, session) = (silent(PolicyKind::Boundary), silent(PolicyKind::Session));
    let situation = Situation::new()
        .resource_policy(&resource)
        .boundaries([&boundary])
        .session([&session]);
    let mut request = get(SESSION);
    assert_eq!(decision(&situation, &request), ImplicitDeny);
    request.context.set("aws:PrincipalArn", [ROLE]);
    assert_eq!(decision(&situation, &request), Allowed);
}

#[test]
fn the_most_direct_way_of_naming_counts() {
    let resource = document(
        PolicyKind::Resource,
        json!([
            {"Effect": "Allow", "Principal": aws(ROOT), "Action": "*", "Resource": "*"},
            {"Effect": "Allow", "Principal": aws(ROLE), "Action": "*", "Resource": "*"},
            {"Sid": "Mine", "Effect": "Allow", "Principal": aws(SESSION), "Action": "s3:*", "Resource": "*"},
        ]),
    );
    let boundary = silent(PolicyKind::Boundary);
    let situation = Situation::new()
        .resource_policy(&resource)
        .boundaries([&boundary]);
    let allowed = decide(&situation, &get(SESSION));
    assert_eq!(allowed.decision, Allowed);
    assert_eq!(
        (allowed.reason.layer, allowed.reason.sid.as_deref()),
        (Layer::Resource, Some("Mine"))
    );
    let other = request(SESSION, "ec2:RunInstances", OBJECT);
    assert_eq!(
        decision(&situation, &other),
        ImplicitDeny,
        "only the role is named for that"
    );
}

#[test]
fn identity_policies_are_a_union_and_enough_in_one_account() {
    let (of_user, of_group) = (
        silent(PolicyKind::Identity),
        allow(PolicyKind::Identity, "s3:Get*"),
    );
    let resource = naming(json!({"Service": "logs.amazonaws.com"}));
    let situation = Situation::new().identity([&of_user, &of_group]);
    for situation in [situation.clone(), situation.resource_policy(&resource)] {
        let allowed = decide(&situation, &get(USER));
        assert_eq!(
            (allowed.decision, allowed.reason.layer),
            (Allowed, Layer::Identity)
        );
        assert_eq!(
            allowed.reason.statement,
            Some(StatementRef {
                document: 1,
                statement: 0
            })
        );
    }
}

#[test]
fn of_several_boundaries_each_must_allow() {
    let full = allow(PolicyKind::Identity, "*");
    let (s3, gets) = (
        allow(PolicyKind::Boundary, "s3:*"),
        allow(PolicyKind::Boundary, "s3:Get*"),
    );
    let situation = Situation::new().identity([&full]).boundaries([&s3, &gets]);
    assert_eq!(decision(&situation, &get(SESSION)), Allowed);
    let put = request(SESSION, "s3:PutObject", OBJECT);
    let refused = decide(&situation, &put);
    assert_eq!(
        (refused.decision, refused.reason.layer),
        (ImplicitDeny, Layer::Boundary)
    );
    let no_put = deny(PolicyKind::Boundary, "s3:PutObject");
    let refused = decide(&situation.boundaries([&s3, &no_put]), &put);
    assert_eq!(
        refused.reason.statement,
        Some(StatementRef {
            document: 1,
            statement: 0
        }),
        "the second boundary's first statement"
    );
}

#[test]
fn several_session_policies_are_a_union() {
    let full = allow(PolicyKind::Identity, "*");
    let (gets, puts) = (
        allow(PolicyKind::Session, "s3:Get*"),
        allow(PolicyKind::Session, "s3:Put*"),
    );
    let situation = Situation::new().identity([&full]).session([&gets, &puts]);
    assert_eq!(decision(&situation, &get(SESSION)), Allowed);
    assert_eq!(
        decision(&situation, &request(SESSION, "s3:PutObject", OBJECT)),
        Allowed
    );
    assert_eq!(
        decision(&situation, &request(SESSION, "s3:DeleteObject", OBJECT)),
        ImplicitDeny
    );
}

#[test]
fn a_role_session_without_session_policy_has_the_role_s_permissions() {
    let full = allow(PolicyKind::Identity, "s3:*");
    assert_eq!(
        decision(&Situation::new().identity([&full]), &get(SESSION)),
        Allowed
    );
    assert_eq!(
        decision(&Situation::new().identity([&full]).session([]), &get(SESSION)),
        Allowed
    );
}

#[test]
fn a_federated_user_without_session_policy_has_nothing_but_what_names_it() {
    let full = allow(PolicyKind::Identity, "*");
    let situation = Situation::new().identity([&full]);
    let refused = decide(&situation, &get(FEDERATED));
    assert_eq!(refused.decision, ImplicitDeny);
    assert_eq!(
        refused.reason.layer,
        Layer::Rule(Rule::FederatedUserWithoutSessionPolicy)
    );
    for (principal, expected) in [
        (aws(FEDERATED), Allowed),
        (json!("*"), Allowed),
        (aws(USER), ImplicitDeny),
        (aws(ROOT), ImplicitDeny),
    ] {
        let resource = naming(principal.clone());
        let situation = situation.clone().resource_policy(&resource);
        assert_eq!(
            decision(&situation, &carol_of_bob("s3:GetObject", OBJECT)),
            expected,
            "{principal}"
        );
    }
}

#[test]
fn the_root_user_needs_no_policy() {
    let allowed = decide(&Situation::new(), &get(ROOT));
    assert_eq!(
        (allowed.decision, allowed.reason.layer),
        (Allowed, Layer::Rule(Rule::RootUser))
    );
    let denying = document(
        PolicyKind::Resource,
        json!({"Effect": "Deny", "Principal": aws(ACCOUNT), "Action": "s3:*", "Resource": "*"}),
    );
    assert_eq!(
        decision(&Situation::new().resource_policy(&denying), &get(ROOT)),
        AccessDecision::ExplicitDeny
    );
}

#[test]
fn a_kms_key_policy_must_allow() {
    let full = allow(PolicyKind::Identity, "kms:*");
    let decrypt = |caller: &str| request(caller, "kms:Decrypt", KEY);
    let situation = Situation::new().identity([&full]);
    let refused = decide(&situation, &decrypt(USER));
    assert_eq!(
        (refused.decision, refused.reason.layer),
        (ImplicitDeny, Layer::Rule(Rule::KeyPolicyMissing))
    );
    assert_eq!(
        decision(&Situation::new(), &decrypt(ROOT)),
        ImplicitDeny,
        "not even root"
    );
    for (principal, with_identity, alone) in [
        (aws(ROOT), Allowed, ImplicitDeny),
        (aws(USER), Allowed, Allowed),
        (aws(ROLE), ImplicitDeny, ImplicitDeny),
    ] {
        let key = naming(principal.clone());
        let with = situation.clone().resource_policy(&key);
        assert_eq!(decision(&with, &decrypt(USER)), with_identity, "{principal}");
        let without = Situation::new().resource_policy(&key);
        assert_eq!(decision(&without, &decrypt(USER)), alone, "{principal}");
    }
    let delegated = naming(aws(ROOT));
    assert_eq!(
        decision(&Situation::new().resource_policy(&delegated), &decrypt(ROOT)),
        Allowed
    );
    let list = request(USER, "kms:ListKeys", "*");
    assert_eq!(decision(&situation, &list), Allowed, "not about a key");
}
