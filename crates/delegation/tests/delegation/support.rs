//! Objects to test with: the account `production`, the namespace `payments`, the role `uploader`.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use deputy_delegation::{model::*, names::*, naming};
use deputy_policy::{Caller, Context, Document, Layers, PolicyKind, Request, evaluate};
use serde_json::{Value, json};

pub const ISSUER: &str = "arn:aws:iam::123456789012:role/deputy-broker";

pub fn cluster() -> ClusterName {
    ClusterName::new("prod-1").unwrap()
}

/// The uid of the cluster.
pub fn cluster_uid() -> ClusterUid {
    ClusterUid::new("5d2f7c1e-0000-4000-8000-0000000000a1").unwrap()
}

pub fn object(name: &str) -> ObjectName {
    ObjectName::new(name).unwrap()
}

pub fn id(namespace: &str, name: &str) -> ObjectId {
    ObjectId {
        namespace: NamespaceName::new(namespace).unwrap(),
        name: object(name),
    }
}

pub fn role_id(namespace: &str, name: &str) -> RoleId {
    id(namespace, name).into()
}

pub fn uploader() -> RoleId {
    role_id("payments", "uploader")
}

pub fn uid() -> Uid {
    Uid::new("0b8a5d1c-6ea1-4f8e-9c1e-2a3b4c5d6e7f").unwrap()
}

pub fn duration(text: &str) -> SessionDuration {
    SessionDuration::parse(text).unwrap()
}

pub fn tag(key: &str, value: &str) -> (TagKey, TagValue) {
    (TagKey::new(key).unwrap(), TagValue::new(value).unwrap())
}

pub fn account() -> Account {
    Account {
        name: object("production"),
        id: AccountId::new("123456789012").unwrap(),
        partition: Partition::new("aws").unwrap(),
        region: Region::new("ap-northeast-1").unwrap(),
        issuer: IssuerArn::parse(ISSUER).unwrap(),
        previous_issuers: Default::default(),
        with_source_identity: Default::default(),
        names_people: false,
        federation_user: None,
        provisioner: None,
        boundary_writer: None,
        oidc: None,
        default_method: SessionMethod::AssumeRole,
        default_session_duration: SessionDuration::HOUR,
        adopt_from: Default::default(),
        tags: [tag("cost-center", "platform")].try_into().unwrap(),
        endpoints: Endpoints::default(),
    }
}

pub fn document(kind: PolicyKind, statements: Value) -> Document {
    Document::from_value(&json!({"Version": "2012-10-17", "Statement": statements}), kind).unwrap()
}

pub fn allow(actions: Value, resources: Value) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resources})
}

pub fn deny(actions: Value, resources: Value) -> Value {
    json!({"Effect": "Deny", "Action": actions, "Resource": resources})
}

/// The productionapp ceiling: list the bucket; get, put and delete its objects.
pub fn productionapp() -> Value {
    json!([
        allow(json!("s3:ListBucket"), json!("arn:aws:s3:::productionapp")),
        allow(
            json!(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]),
            json!("arn:aws:s3:::productionapp/*")
        ),
    ])
}

pub fn limit(name: &str, ceiling: Value) -> Limit {
    Limit {
        name: object(name),
        uid: Some(uid()),
        scope: LimitScope {
            namespaces: vec![
                NamespacePattern::new("payments").unwrap(),
                NamespacePattern::new("payments-*").unwrap(),
            ],
            accounts: BTreeSet::from([object("production")]),
        },
        enforcement: Enforcement::Enforce,
        ceiling: document(PolicyKind::Boundary, ceiling),
        boundary: BoundaryMode::Generated,
        max_session_duration: SessionDuration::HOUR,
        session_methods: BTreeSet::from([SessionMethod::AssumeRole]),
        session_tags: ChosenTags::default(),
        acknowledge_escalation: ["s3:*", "sqs:*"].map(str::to_owned).into(),
        existing_roles: BTreeSet::new(),
        federated_users: BTreeSet::new(),
        resource_policies: BTreeSet::new(),
        max_federated_duration: SessionDuration::HOUR.into(),
        managed_policies: BTreeSet::new(),
        allow_retain: false,
        allow_host_network: false,
        subjects: SubjectRules::default(),
        checked: Checked::default(),
    }
}

pub fn check_only(name: &str, ceiling: Value) -> Limit {
    Limit {
        boundary: BoundaryMode::CheckOnly,
        ..limit(name, ceiling)
    }
}

/// A dry run.
pub fn dry_run(limit: Limit) -> Limit {
    Limit {
        enforcement: Enforcement::DryRun,
        ..limit
    }
}

pub fn entries(limits: impl IntoIterator<Item = Limit>) -> Vec<LimitEntry> {
    limits
        .into_iter()
        .map(|limit| LimitEntry::Valid(Arc::new(limit)))
        .collect()
}

pub fn role_with(policies: &[(&str, Value)]) -> Role {
    Role {
        id: uploader(),
        uid: Some(uid()),
        account: object("production"),
        source: RoleSource::Owned(OwnedRole {
            policies: RolePolicies::new(
                policies
                    .iter()
                    .map(|(name, statements)| policy(name, statements.clone())),
                [],
            )
            .unwrap(),
            max_session_duration: MaxSessionDuration::HOUR,
            deletion: DeletionPolicy::Delete,
            revocation: Revocation::Distinguishable,
        }),
        allowed_namespaces: None,
    }
}

/// A role that Deputy makes, changed.
pub fn owned(mut role: Role, change: impl FnOnce(&mut OwnedRole)) -> Role {
    let RoleSource::Owned(owned) = &mut role.source else {
        panic!("{} is not Deputy's", role.id)
    };
    change(owned);
    role
}

pub fn policy(name: &str, statements: Value) -> NamedPolicy {
    NamedPolicy {
        name: RolePolicyName::new(name).unwrap(),
        document: document(PolicyKind::Identity, statements),
    }
}

pub fn subjects(names: &[&str]) -> Subjects {
    Subjects::of_service_accounts(names.iter().map(|name| ServiceAccountName::new(*name).unwrap())).unwrap()
}

pub fn session_policy(statements: Value) -> SessionPolicy {
    SessionPolicy::new(document(PolicyKind::Session, statements)).unwrap()
}

pub fn role() -> Role {
    role_with(&[("objects", productionapp())])
}

pub fn binding() -> Binding {
    Binding {
        id: id("payments", "uploader"),
        uid: Some(uid()),
        role: uploader(),
        subjects: subjects(&["uploader"]),
        method: None,
        session: SessionSpec {
            scope: SessionScope::ServiceAccount,
            policy: None,
            policy_arns: BTreeSet::new(),
            duration: None,
            tags: ChosenTags::default(),
        },
        created: 1_700_000_000,
    }
}

/// Compares with `tests/golden/<name>`; with `UPDATE_GOLDEN=1` writes it.
pub fn assert_golden(name: &str, actual: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    let actual = format!("{}\n", serde_json::to_string_pretty(actual).unwrap());
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1") {
        std::fs::write(&path, &actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        actual, expected,
        "{name} is out of date. Run: UPDATE_GOLDEN=1 cargo test -p deputy-delegation"
    );
}

/// What the broker sends, as AWS sees it.
pub fn broker_request(action: &str) -> Request {
    Request {
        action: action.to_owned(),
        resource: naming::role_arn(&cluster(), &account(), &uploader()).to_string(),
        principal: Some(Caller::parse(ISSUER).unwrap()),
        context: Context::new()
            .with("aws:PrincipalArn", ISSUER)
            .with("sts:ExternalId", "prod-1/payments/AWSRole/uploader")
            .with("aws:RequestTag/deputy-cluster", "prod-1")
            .with("aws:RequestTag/deputy-namespace", "payments")
            .with("aws:RequestTag/deputy-service-account", "uploader"),
    }
}

/// Whether a session that was issued then, with this tag if any, may read by the inline policy of its role.
pub fn may_read_with(inline: &Document, tag: Option<(&str, &str)>, issued: &str) -> bool {
    let mut context = Context::new().with("aws:TokenIssueTime", issued);
    if let Some((key, value)) = tag {
        context = context.with(format!("aws:PrincipalTag/{key}"), value);
    }
    let request = Request {
        action: "s3:GetObject".to_owned(),
        resource: "arn:aws:s3:::productionapp/key".to_owned(),
        principal: None,
        context,
    };
    let layers = Layers {
        identity: &[inline],
        ..Layers::default()
    };
    evaluate(&layers, &request).is_allowed()
}
