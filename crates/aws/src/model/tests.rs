//! What the model does beyond the common life in `conformance`.

use std::collections::BTreeSet;

use deputy_delegation::{
    federation::FederationRequest,
    names::{
        ExternalId, FederatedDuration, IamPath, ManagedPolicyArn, MaxSessionDuration, PolicyArn,
        SessionDuration, SessionName, TagKey, TagValue,
    },
    plan::{DesiredRole, IamCall},
    session::SessionRequest,
};

use super::*;
use crate::{ErrorClass, ManagedPolicies, NewPolicy, Policies, Roles, Sts};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#;
const INLINE: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

fn iam() -> InMemoryIam {
    InMemoryIam::new(
        Partition::new("aws").unwrap(),
        AccountId::new("123456789012").unwrap(),
    )
}

fn name(text: &str) -> RoleName {
    RoleName::new(text).unwrap()
}

fn create(role: &str, trust: &str) -> IamCall {
    IamCall::CreateRole {
        role: Box::new(DesiredRole {
            name: name(role),
            path: IamPath::new("/deputy/demo/").unwrap(),
            trust: Document::parse(trust, PolicyKind::Trust).unwrap(),
            inline: Some(Document::parse(INLINE, PolicyKind::Identity).unwrap()),
            attached: BTreeSet::new(),
            boundary: None,
            tags: [(
                TagKey::new("deputy-cluster").unwrap(),
                TagValue::new("demo").unwrap(),
            )]
            .into(),
            max_session_duration: MaxSessionDuration::HOUR,
        }),
    }
}

fn put(document: &str) -> IamCall {
    IamCall::PutRolePolicy {
        role: name("one"),
        policy: "deputy".into(),
        document: document.to_owned(),
    }
}

fn trust_of(principal: &str) -> String {
    TRUST.replace("arn:aws:iam::123456789012:root", principal)
}

fn update_trust(principal: &str) -> IamCall {
    IamCall::UpdateAssumeRolePolicy {
        role: name("one"),
        document: trust_of(principal),
    }
}

fn session(role: &str) -> SessionRequest {
    SessionRequest {
        role: RoleArn::parse(&format!("arn:aws:iam::123456789012:role/deputy/demo/{role}")).unwrap(),
        session_name: SessionName::new("a.b").unwrap(),
        external_id: ExternalId::new("demo/a").unwrap(),
        source_identity: None,
        duration: SessionDuration::HOUR,
        tags: [(TagKey::new("k").unwrap(), TagValue::new("v").unwrap())].into(),
        policy: None,
        policy_arns: Default::default(),
    }
}

async fn class_of(iam: &InMemoryIam, call: &IamCall) -> ErrorClass {
    iam.execute(call).await.unwrap_err().class()
}

async fn with_role() -> InMemoryIam {
    let iam = iam();
    iam.execute(&create("one", TRUST)).await.unwrap();
    iam
}

#[tokio::test]
async fn names_clash_ignoring_case() {
    let iam = with_role().await;
    assert_eq!(
        class_of(&iam, &create("ONE", TRUST)).await,
        ErrorClass::AlreadyExists
    );
    assert_eq!(iam.get_role(&name("ONE")).await.unwrap(), None);
}

#[tokio::test]
async fn inline_policies_are_limited_together_and_white_space_is_free() {
    let iam = with_role().await;
    let long = INLINE.replace("s3:*", &"x".repeat(10_240));
    assert_eq!(class_of(&iam, &put(&long)).await, ErrorClass::LimitExceeded);
    let spaced = INLINE.replace(',', &format!(",{}", " ".repeat(10_240)));
    iam.execute(&put(&spaced)).await.unwrap();
    assert_eq!(
        class_of(&iam, &put("not json")).await,
        ErrorClass::MalformedPolicy
    );
}

#[tokio::test]
async fn a_principal_made_again_is_another_one_and_the_dead_id_shows() {
    let user = "arn:aws:iam::999999999999:user/alice";
    let iam = with_role().await;
    assert_eq!(
        class_of(&iam, &update_trust(user)).await,
        ErrorClass::InvalidPrincipal
    );
    iam.add_principal(user);
    iam.execute(&update_trust(user)).await.unwrap();
    assert!(iam.role(&name("one")).unwrap().trust.contains(user));
    iam.remove_principal(user);
    iam.add_principal(user);
    let shown = iam.role(&name("one")).unwrap().trust;
    assert!(!shown.contains(user) && shown.contains("AIDA"), "{shown}");
    iam.execute(&update_trust(user)).await.unwrap();
    assert!(iam.role(&name("one")).unwrap().trust.contains(user));
    iam.execute(&update_trust("999999999999")).await.unwrap();
    assert!(
        iam.role(&name("one"))
            .unwrap()
            .trust
            .contains("arn:aws:iam::999999999999:root")
    );
}

#[tokio::test]
async fn reads_lag_behind_writes_when_told() {
    let iam = iam();
    iam.set_lag(Lag {
        role_reads: 2,
        principal_saves: 1,
        trust_reads: 1,
    });
    iam.execute(&create("one", TRUST)).await.unwrap();
    assert_eq!(
        class_of(&iam, &create("one", TRUST)).await,
        ErrorClass::AlreadyExists
    );
    assert_eq!(iam.get_role(&name("one")).await.unwrap(), None);
    assert_eq!(
        iam.assume_role(&session("one")).await.err().unwrap().class(),
        ErrorClass::AccessDenied
    );
    assert!(iam.get_role(&name("one")).await.unwrap().is_some());

    iam.add_principal("arn:aws:iam::999999999999:user/bob");
    let update = update_trust("arn:aws:iam::999999999999:user/bob");
    assert_eq!(class_of(&iam, &update).await, ErrorClass::InvalidPrincipal);
    iam.execute(&update).await.unwrap();
    assert!(iam.assume_role(&session("one")).await.is_ok());
    assert_eq!(
        iam.assume_role(&session("one")).await.err().unwrap().class(),
        ErrorClass::AccessDenied
    );
}

#[tokio::test]
async fn a_lost_answer_is_not_a_lost_call() {
    let iam = iam();
    iam.fail(Fault::after(ErrorClass::Unreachable).of("iam:CreateRole"));
    iam.fail(Fault::before(ErrorClass::Throttled).at(1));
    let error = iam.execute(&create("one", TRUST)).await.unwrap_err();
    assert!(error.outcome_unknown());
    assert_eq!(class_of(&iam, &put(INLINE)).await, ErrorClass::Throttled);
    iam.execute(&put(INLINE)).await.unwrap();
    let log: Vec<_> = iam
        .log()
        .iter()
        .map(|c| (c.operation, c.applied, c.outcome))
        .collect();
    assert_eq!(
        log,
        [
            ("iam:CreateRole", true, "Unreachable"),
            ("iam:PutRolePolicy", false, "Throttled"),
            ("iam:PutRolePolicy", true, "ok")
        ]
    );
    assert!(
        iam.log()[0]
            .role_after
            .as_ref()
            .is_some_and(|r| r.inline.is_empty())
    );
}

#[tokio::test]
async fn a_dead_process_changes_nothing_until_the_next_begins() {
    let iam = iam();
    iam.die_after(1);
    iam.execute(&create("one", TRUST)).await.unwrap();
    assert_eq!(class_of(&iam, &put(INLINE)).await, ErrorClass::Unreachable);
    assert_eq!(class_of(&iam, &put(INLINE)).await, ErrorClass::Unreachable);
    assert_eq!(iam.writes(), ["iam:CreateRole"]);
    iam.revive();
    iam.execute(&put(INLINE)).await.unwrap();
}

#[tokio::test]
async fn sessions_end_at_the_role_s_longest_and_at_an_hour_under_chaining() {
    let iam = with_role().await;
    iam.set_now(Timestamp::UNIX_EPOCH);
    let mut request = session("one");
    let made = iam.assume_role(&request).await.ok().unwrap();
    assert_eq!(made.expiration.as_second(), 3600);
    assert_eq!(iam.sessions()[0].access_key_id, made.credentials.access_key_id);
    request.duration = SessionDuration::from_seconds(7200).unwrap();
    assert_eq!(
        iam.assume_role(&request).await.err().unwrap().class(),
        ErrorClass::InvalidInput
    );
    let longer = IamCall::UpdateRole {
        role: name("one"),
        max_session_duration: MaxSessionDuration::from_seconds(7200).unwrap(),
    };
    iam.execute(&longer).await.unwrap();
    assert!(iam.assume_role(&request).await.is_ok());
    iam.set_caller("arn:aws:iam::123456789012:role/deputy-broker");
    assert_eq!(
        iam.assume_role(&request).await.err().unwrap().class(),
        ErrorClass::InvalidInput
    );
    request.duration = SessionDuration::HOUR;
    request.policy = Some("x".repeat(2049));
    assert_eq!(
        iam.assume_role(&request).await.err().unwrap().class(),
        ErrorClass::PackedPolicyTooLarge
    );
}

#[tokio::test]
async fn a_role_may_do_what_policy_and_boundary_both_allow() {
    let iam = with_role().await;
    iam.execute(&put(INLINE)).await.unwrap();
    let request = |action: &str| Request {
        action: action.to_owned(),
        resource: "arn:aws:s3:::b/k".to_owned(),
        principal: None,
        context: Default::default(),
    };
    assert_eq!(iam.allows(&name("one"), &request("s3:PutObject")), Ok(true));
    let narrow = INLINE.replace("s3:*", "s3:Get*");
    let boundary = iam
        .create_policy(&NewPolicy {
            name: deputy_delegation::names::PolicyName::new("b").unwrap(),
            path: IamPath::new("/").unwrap(),
            document: Document::parse(&narrow, PolicyKind::Boundary).unwrap(),
            tags: BTreeMap::new(),
        })
        .await
        .unwrap();
    let set = |boundary| IamCall::PutRolePermissionsBoundary {
        role: name("one"),
        boundary,
    };
    iam.execute(&set(boundary.into())).await.unwrap();
    assert_eq!(iam.allows(&name("one"), &request("s3:PutObject")), Ok(false));
    assert_eq!(iam.allows(&name("one"), &request("s3:GetObject")), Ok(true));
    let missing = PolicyArn::parse("arn:aws:iam::123456789012:policy/none").unwrap();
    assert_eq!(class_of(&iam, &set(missing.into())).await, ErrorClass::NotFound);
}

#[tokio::test]
async fn hands_can_make_change_and_delete_a_role() {
    let iam = with_role().await;
    iam.tamper(&name("one"), |role| {
        role.attached
            .push("arn:aws:iam::aws:policy/AdministratorAccess".into())
    });
    let tampered = iam.role(&name("one")).unwrap();
    assert_eq!(tampered.attached.len(), 1);
    let detach = IamCall::DetachRolePolicy {
        role: name("one"),
        policy_arn: tampered.attached[0].clone(),
    };
    iam.execute(&detach).await.unwrap();
    iam.uproot(&name("one"));
    assert_eq!(iam.role_names(), []);
    iam.plant(name("one"), tampered);
    assert_eq!(iam.role_names(), [name("one")]);
}

fn managed(name: &str) -> ManagedPolicyArn {
    ManagedPolicyArn::parse(&format!("arn:aws:iam::aws:policy/{name}")).unwrap()
}

fn attach(policy: &ManagedPolicyArn) -> IamCall {
    IamCall::AttachRolePolicy {
        role: name("one"),
        policy_arn: policy.clone(),
    }
}

fn asking(action: &str) -> Request {
    Request {
        action: action.to_owned(),
        resource: "arn:aws:s3:::b".to_owned(),
        principal: None,
        context: deputy_policy::Context::new(),
    }
}

fn allowing(action: &str) -> String {
    INLINE.replace("s3:*", action)
}

#[tokio::test]
async fn as_many_managed_policies_are_attached_as_the_quota_says_and_each_once() {
    let iam = with_role().await;
    let policies: Vec<_> = (0..11).map(|i| managed(&format!("P{i}"))).collect();
    assert_eq!(class_of(&iam, &attach(&policies[0])).await, ErrorClass::NotFound);
    for policy in &policies {
        iam.set_managed_policy(policy, INLINE);
    }
    for policy in &policies[..10] {
        iam.execute(&attach(policy)).await.unwrap();
    }
    iam.execute(&attach(&policies[9])).await.unwrap();
    assert_eq!(
        class_of(&iam, &attach(&policies[10])).await,
        ErrorClass::LimitExceeded
    );
    assert_eq!(iam.role(&name("one")).unwrap().attached.len(), 10);
    let of_service = managed("aws-service-role/X");
    iam.set_managed_policy(&of_service, INLINE);
    assert_eq!(
        class_of(&iam, &attach(&of_service)).await,
        ErrorClass::InvalidInput
    );
    let delete = IamCall::DeleteRole { role: name("one") };
    assert_eq!(class_of(&iam, &delete).await, ErrorClass::Conflict);
}

#[tokio::test]
async fn attached_policies_count_as_they_are_now() {
    let iam = with_role().await;
    let policy = managed("ReadOnlyAccess");
    let allows = |action: &str| iam.allows(&name("one"), &asking(action)).unwrap();
    iam.set_managed_policy(&policy, &allowing("sqs:*"));
    iam.execute(&attach(&policy)).await.unwrap();
    assert!(allows("sqs:ListQueues") && !allows("sns:ListTopics"));
    iam.set_managed_policy(&policy, &allowing("sns:*"));
    assert!(!allows("sqs:ListQueues") && allows("sns:ListTopics"));
    assert_eq!(iam.default_version(&policy).await.unwrap().unwrap().id, "v2");
    iam.remove_managed_policy(&policy);
    assert_eq!(iam.default_version(&policy).await.unwrap(), None);
}

#[tokio::test]
async fn a_session_has_what_the_role_allows_and_one_of_its_policies() {
    let iam = with_role().await;
    iam.execute(&put(&allowing("s3:*"))).await.unwrap();
    let (list, sqs) = (managed("List"), managed("Sqs"));
    let mut request = session("one");
    request.policy = Some(allowing("s3:GetObject"));
    request.policy_arns = [list.clone(), sqs.clone()].into();
    assert_eq!(
        iam.assume_role(&request).await.err().unwrap().class(),
        ErrorClass::InvalidInput,
        "they do not exist"
    );
    iam.set_managed_policy(&list, &allowing("s3:ListBucket"));
    iam.set_managed_policy(&sqs, &allowing("sqs:*"));
    iam.assume_role(&request).await.ok().unwrap();
    for (action, allowed) in [
        ("s3:GetObject", true),
        ("s3:ListBucket", true),
        ("s3:PutObject", false),
        ("sqs:ListQueues", false),
    ] {
        assert_eq!(
            iam.session_allows(&request, &asking(action)),
            Ok(allowed),
            "{action}"
        );
    }
}

#[tokio::test]
async fn a_federation_token_is_for_users_alone_and_lives_as_long_as_it_is_asked_for() {
    let iam = iam();
    let request = FederationRequest {
        user: "arn:aws:sts::123456789012:federated-user/Manager"
            .parse()
            .unwrap(),
        duration: FederatedDuration::parse("36h").unwrap(),
        tags: BTreeMap::new(),
        policy: None,
    };
    let session = iam.federation_token(&request).await.unwrap();
    assert_eq!(session.arn, request.user.to_string());
    assert_eq!(iam.federated_sessions()[0].request, request);
    let wide = FederationRequest {
        policy: Some("x".repeat(4096)),
        ..request.clone()
    };
    let refused = iam.federation_token(&wide).await.err().unwrap();
    assert_eq!(refused.class(), ErrorClass::PackedPolicyTooLarge);
    iam.set_caller("arn:aws:iam::123456789012:role/deputy-broker");
    let refused = iam.federation_token(&request).await.err().unwrap();
    assert_eq!(refused.class(), ErrorClass::AccessDenied);
}
