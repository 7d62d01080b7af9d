//! One life of a boundary and a role, from creation to deletion, with the calls that Deputy plans.

use std::collections::{BTreeMap, BTreeSet};

use deputy_delegation::{
    model::{RoleId, RoleKind},
    names::{
        ClusterName, ClusterUid, ExternalId, IamPath, ManagedPolicyArn, MaxSessionDuration, NamespaceName,
        ObjectName, PolicyArn, PolicyName, RoleName, SessionDuration, SessionName, TagKey, TagValue, Uid,
    },
    naming,
    plan::{DesiredRole, IamCall, ObservedRole, Step, TaggedOwner, plan, plan_deletion, plan_suspension},
    session::SessionRequest,
    trust,
};
use deputy_policy::{Document, PolicyKind};

use super::world::World;
use crate::{AwsError, ErrorClass, NewPolicy, Policies, Roles, Sts};

const CEILING: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":["s3:ListBucket"],"Resource":"arn:aws:s3:::productionapp"},
    {"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::productionapp/*"}]}"#;
const NARROWER: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::productionapp/*","arn:aws:s3:::productionapp/+%20é"]}]}"#;

fn tag(key: &str, value: &str) -> (TagKey, TagValue) {
    (TagKey::new(key).unwrap(), TagValue::new(value).unwrap())
}

fn text(tags: &BTreeMap<TagKey, TagValue>) -> BTreeMap<String, String> {
    tags.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
}

fn class<T>(result: Result<T, AwsError>) -> ErrorClass {
    match result {
        Ok(_) => panic!("should be refused"),
        Err(error) => error.class(),
    }
}

fn narrower_of(kind: PolicyKind) -> Document {
    Document::parse(NARROWER, kind).unwrap()
}

/// A policy of somebody else's.
fn new_policy(name: &str, document: &str) -> NewPolicy {
    NewPolicy {
        name: PolicyName::new(name).unwrap(),
        path: IamPath::new("/").unwrap(),
        document: Document::parse(document, PolicyKind::Boundary).unwrap(),
        tags: BTreeMap::new(),
    }
}

async fn carry_out(roles: &dyn Roles, steps: &[Step]) {
    for step in steps {
        roles.execute(&step.call).await.unwrap();
    }
}

async fn apply(roles: &dyn Roles, calls: &[IamCall]) {
    for call in calls {
        roles.execute(call).await.unwrap();
    }
}

/// A role as the listing of the account has it.
async fn listed(roles: &dyn Roles, path: &IamPath, name: &RoleName) -> Option<ObservedRole> {
    let listed = roles.list_roles(path).await.unwrap();
    let listed = listed.iter().find(|role| role.name == *name)?;
    let mut marker = None;
    loop {
        let page = roles.role_details(path, marker.as_deref()).await.unwrap();
        if let Some(found) = page.roles.into_iter().find(|role| role.name == *name) {
            let found = found.with(listed)?;
            // ministack has no boundaries in its details. AWS has.
            let boundary = match found.boundary {
                Some(boundary) => Some(boundary),
                None => roles.get_role(name).await.unwrap()?.boundary,
            };
            return Some(ObservedRole { boundary, ..found });
        }
        marker = Some(page.next?);
    }
}

#[expect(clippy::too_many_lines, reason = "one life of a role, told in its order")]
pub(super) async fn live(world: &World, sts: &dyn Sts) {
    let (roles, policies, account): (&dyn Roles, &dyn Policies, _) =
        (world.roles.as_ref(), world.policies.as_ref(), &world.account);
    let cluster = ClusterName::new("demo").unwrap();
    let cluster_uid = ClusterUid::new("5d2f7c1e-0000-4000-8000-0000000000a1").unwrap();
    let limit = ObjectName::new("payments").unwrap();
    let id = RoleId {
        namespace: NamespaceName::new("payments").unwrap(),
        name: ObjectName::new("uploader").unwrap(),
        kind: RoleKind::AWSRole,
    };

    // The boundary: what is written is read, in meaning.
    let boundary = naming::boundary_arn(&cluster, account, &limit);
    assert_eq!(policies.get_policy(&boundary).await.unwrap(), None);
    let ceiling = Document::parse(CEILING, PolicyKind::Boundary).unwrap();
    let new = NewPolicy {
        name: naming::limit_policy_name(&cluster, &limit),
        path: naming::limit_path(&cluster),
        document: ceiling.clone(),
        tags: naming::limit_tags(
            &cluster,
            &cluster_uid,
            account,
            &limit,
            Some(&Uid::new("uid-1").unwrap()),
        ),
    };
    assert_eq!(policies.create_policy(&new).await.unwrap(), boundary);
    assert_eq!(
        class(policies.create_policy(&new).await),
        ErrorClass::AlreadyExists
    );
    let seen = policies.get_policy(&boundary).await.unwrap().unwrap();
    assert!(
        Document::parse(&seen.document, PolicyKind::Boundary)
            .unwrap()
            .semantically_eq(&ceiling)
    );
    assert_eq!((seen.default_version.as_str(), seen.versions.len()), ("v1", 1));
    assert_eq!(seen.tags, text(&new.tags));

    // A new version becomes the default one; the old one goes, the default one can't.
    let narrower = Document::parse(NARROWER, PolicyKind::Boundary).unwrap();
    assert_eq!(
        policies
            .create_policy_version(&boundary, &narrower)
            .await
            .unwrap(),
        "v2"
    );
    let seen = policies.get_policy(&boundary).await.unwrap().unwrap();
    assert!(
        Document::parse(&seen.document, PolicyKind::Boundary)
            .unwrap()
            .semantically_eq(&narrower)
    );
    assert_eq!((seen.default_version.as_str(), seen.versions.len()), ("v2", 2));
    assert_eq!(
        class(policies.delete_policy_version(&boundary, "v2").await),
        ErrorClass::Conflict
    );
    policies.delete_policy_version(&boundary, "v1").await.unwrap();
    assert_eq!(
        class(policies.delete_policy_version(&boundary, "v1").await),
        ErrorClass::NotFound
    );
    policies.create_policy_version(&boundary, &ceiling).await.unwrap();
    policies.delete_policy_version(&boundary, "v2").await.unwrap();
    policies
        .tag_policy(&boundary, &[tag("deputy-uid", "uid-2")].into())
        .await
        .unwrap();
    let seen = policies.get_policy(&boundary).await.unwrap().unwrap();
    assert_eq!(seen.tags.get("deputy-uid").map(String::as_str), Some("uid-2"));
    policies
        .untag_policy(&boundary, &["deputy-uid".into(), "absent".into()])
        .await
        .unwrap();
    let seen = policies.get_policy(&boundary).await.unwrap().unwrap();
    assert!(!seen.tags.contains_key("deputy-uid") && seen.tags.contains_key("deputy-name"));

    // The role: made as planned, and then there is nothing left to plan.
    let name = naming::role_name(&cluster, &id);
    let path = naming::role_path(&cluster);
    let uid = Uid::new("uid-3").unwrap();
    let desired = DesiredRole {
        name: name.clone(),
        path: path.clone(),
        trust: trust::for_issuer(&cluster, account, &id),
        inline: Some(Document::parse(NARROWER, PolicyKind::Identity).unwrap()),
        attached: BTreeSet::new(),
        boundary: Some(boundary.clone().into()),
        tags: naming::role_tags(&cluster, &cluster_uid, account, &id, &uid),
        max_session_duration: MaxSessionDuration::from_seconds(7200).unwrap(),
    };
    assert_eq!(roles.get_role(&name).await.unwrap(), None);
    let calls = plan(&desired, None, TaggedOwner::Gone).unwrap();
    carry_out(roles, &calls).await;
    assert_eq!(
        class(roles.execute(&calls[0].call).await),
        ErrorClass::AlreadyExists
    );
    let seen = roles.get_role(&name).await.unwrap().unwrap();
    assert_eq!(seen.arn, naming::role_arn(&cluster, account, &id));
    assert_eq!(seen.boundary, Some(boundary.to_string()));
    assert_eq!(seen.tags, text(&desired.tags));
    assert!(seen.unique_id.starts_with("AROA"), "{}", seen.unique_id);
    assert_eq!(plan(&desired, Some(&seen), TaggedOwner::Gone).unwrap(), []);

    // Lists know it, and a listing has all of it that a look at it has.
    assert_eq!(listed(roles, &path, &name).await, Some(seen.clone()));
    assert!(
        policies
            .list_policies(&new.path)
            .await
            .unwrap()
            .iter()
            .any(|p| p.arn == boundary)
    );

    // Sessions: only with what the trust policy asks for.
    let request = SessionRequest {
        role: seen.arn.clone(),
        session_name: SessionName::new("payments.uploader").unwrap(),
        external_id: naming::external_id(&cluster, &id),
        source_identity: None,
        duration: SessionDuration::HOUR,
        tags: [
            tag("deputy-cluster", "demo"),
            tag("deputy-namespace", "payments"),
            tag("deputy-service-account", "uploader"),
        ]
        .into(),
        policy: Some(narrower.to_json()),
        policy_arns: Default::default(),
    };
    assert_eq!(
        sts.caller_identity().await.unwrap().arn,
        account.issuer.to_string()
    );
    let session = sts.assume_role(&request).await.ok().unwrap();
    assert_eq!(session.role_unique_id(), seen.unique_id);
    assert!(session.arn.ends_with("/payments.uploader"), "{}", session.arn);
    let other = |change: &dyn Fn(&mut SessionRequest)| {
        let mut other = request.clone();
        change(&mut other);
        other
    };
    for refused in [
        other(&|r| r.external_id = ExternalId::new("demo/orders/AWSRole/uploader").unwrap()),
        other(&|r| r.tags.extend([tag("deputy-namespace", "orders")])),
        other(&|r| r.tags.clear()),
    ] {
        assert_eq!(class(sts.assume_role(&refused).await), ErrorClass::AccessDenied);
    }

    // Suspended, and back.
    let calls = plan_suspension(&desired.tags, &name, &path, Some(&seen), TaggedOwner::Gone).unwrap();
    carry_out(roles, &calls).await;
    assert_eq!(class(sts.assume_role(&request).await), ErrorClass::AccessDenied);
    let suspended = roles.get_role(&name).await.unwrap().unwrap();
    assert_eq!(
        plan_suspension(&desired.tags, &name, &path, Some(&suspended), TaggedOwner::Gone).unwrap(),
        []
    );
    carry_out(
        roles,
        &plan(&desired, Some(&suspended), TaggedOwner::Gone).unwrap(),
    )
    .await;
    assert!(sts.assume_role(&request).await.is_ok());

    // Changed by somebody else in every way that a plan answers.
    let drift = [
        IamCall::TagRole {
            role: name.clone(),
            tags: [tag("deputy-uid", "stolen"), tag("note", "x")].into(),
        },
        IamCall::UpdateRole {
            role: name.clone(),
            max_session_duration: MaxSessionDuration::HOUR,
        },
        IamCall::PutRolePolicy {
            role: name.clone(),
            policy: "extra".into(),
            document: narrower.to_json(),
        },
        IamCall::UpdateAssumeRolePolicy {
            role: name.clone(),
            document: trust::deny_all().to_json(),
        },
    ];
    apply(roles, &drift).await;
    let drifted = roles.get_role(&name).await.unwrap().unwrap();
    carry_out(roles, &plan(&desired, Some(&drifted), TaggedOwner::Gone).unwrap()).await;
    let repaired = roles.get_role(&name).await.unwrap().unwrap();
    assert_eq!(plan(&desired, Some(&repaired), TaggedOwner::Gone).unwrap(), []);
    apply(
        roles,
        &[IamCall::UntagRole {
            role: name.clone(),
            keys: vec!["note".into()],
        }],
    )
    .await;
    apply(
        roles,
        &[IamCall::PutRolePermissionsBoundary {
            role: name.clone(),
            boundary: boundary.clone().into(),
        }],
    )
    .await;
    let untagged = roles.get_role(&name).await.unwrap().unwrap();
    assert_eq!(untagged.tags.get("note"), None);
    assert_eq!(listed(roles, &path, &name).await, Some(untagged.clone()));
    let detach = IamCall::DetachRolePolicy {
        role: name.clone(),
        policy_arn: "arn:aws:iam::aws:policy/AdministratorAccess".into(),
    };
    assert_eq!(class(roles.execute(&detach).await), ErrorClass::NotFound);

    // Managed policies: there, attached once however often, and back by themselves.
    let team = ManagedPolicyArn::from(
        policies
            .create_policy(&new_policy("team-read", NARROWER))
            .await
            .unwrap(),
    );
    let in_force = roles.default_version(&team).await.unwrap().unwrap();
    assert_eq!(in_force.id, "v1");
    assert!(
        Document::parse(&in_force.document, PolicyKind::Identity)
            .unwrap()
            .semantically_eq(&narrower_of(PolicyKind::Identity))
    );
    let absent = ManagedPolicyArn::parse(&format!("arn:aws:iam::{}:policy/absent", account.id)).unwrap();
    assert_eq!(roles.default_version(&absent).await.unwrap(), None);
    let attach = |policy_arn: &ManagedPolicyArn| IamCall::AttachRolePolicy {
        role: name.clone(),
        policy_arn: policy_arn.clone(),
    };
    apply(roles, &[attach(&team), attach(&team)]).await;
    let seen = roles.get_role(&name).await.unwrap().unwrap();
    assert_eq!(seen.attached, [team.to_string()]);
    assert_eq!(listed(roles, &path, &name).await, Some(seen.clone()));
    let with_team = DesiredRole {
        attached: [team.clone()].into(),
        ..desired.clone()
    };
    assert_eq!(plan(&with_team, Some(&seen), TaggedOwner::Gone).unwrap(), []);
    let team_arn = PolicyArn::parse(&team.to_string()).unwrap();
    assert_eq!(
        class(policies.delete_policy(&team_arn).await),
        ErrorClass::Conflict
    );
    let managed_alone = DesiredRole {
        inline: None,
        ..with_team.clone()
    };
    carry_out(
        roles,
        &plan(&managed_alone, Some(&seen), TaggedOwner::Gone).unwrap(),
    )
    .await;
    let alone = roles.get_role(&name).await.unwrap().unwrap();
    assert!(alone.inline.is_empty() && alone.attached == [team.to_string()]);
    carry_out(roles, &plan(&desired, Some(&alone), TaggedOwner::Gone).unwrap()).await;
    let back = roles.get_role(&name).await.unwrap().unwrap();
    assert_eq!(plan(&desired, Some(&back), TaggedOwner::Gone).unwrap(), []);
    // As session policies, beside an inline one.
    let with_arns = other(&|r| r.policy_arns = [team.clone()].into());
    assert!(sts.assume_role(&with_arns).await.is_ok());
    policies.delete_policy(&team_arn).await.unwrap();
    let delete_inline = IamCall::DeleteRolePolicy {
        role: name.clone(),
        policy: "nothing".into(),
    };
    assert_eq!(class(roles.execute(&delete_inline).await), ErrorClass::NotFound);

    // Deleted, in IAM's order.
    let delete = IamCall::DeleteRole { role: name.clone() };
    assert_eq!(class(roles.execute(&delete).await), ErrorClass::Conflict);
    assert_eq!(
        class(policies.delete_policy(&boundary).await),
        ErrorClass::Conflict
    );
    carry_out(
        roles,
        &plan_deletion(&desired.tags, &name, &path, Some(&untagged)).unwrap(),
    )
    .await;
    assert_eq!(roles.get_role(&name).await.unwrap(), None);
    assert_eq!(class(roles.execute(&delete).await), ErrorClass::NotFound);
    assert_eq!(class(sts.assume_role(&request).await), ErrorClass::AccessDenied);
    policies.delete_policy(&boundary).await.unwrap();
    assert_eq!(policies.get_policy(&boundary).await.unwrap(), None);
    assert_eq!(
        class(policies.delete_policy(&boundary).await),
        ErrorClass::NotFound
    );
}
