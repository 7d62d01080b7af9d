//! Calls about a role that AWS refuses, and that change nothing.

use deputy_delegation::{
    names::{ManagedPolicyArn, MaxSessionDuration, RoleName},
    plan::IamCall,
    trust,
};

use super::{
    make::{self, READ, desired, tags},
    table::{ABSENT, AnswerTable, EXISTS, IN_USE, MALFORMED, TOO_MUCH, outcome},
    world::World,
};

/// Every call to a role that is not there.
#[expect(clippy::too_many_lines, reason = "one short entry for each call")]
async fn absent(world: &World, record: &mut AnswerTable) {
    let role = world.role("absent");
    let read = world.roles.get_role(&role).await;
    record.see(
        "GetRole of none",
        "ok: none",
        match read {
            Ok(None) => "ok: none".to_owned(),
            Ok(Some(_)) => "ok: a role".to_owned(),
            Err(_) => outcome(&read),
        },
    );
    let (policy, policy_arn) = ("p".to_owned(), aws_policy("ReadOnlyAccess"));
    let calls = [
        (
            "UpdateAssumeRolePolicy of none",
            IamCall::UpdateAssumeRolePolicy {
                role: role.clone(),
                document: trust::deny_all().to_json(),
            },
        ),
        (
            "PutRolePolicy of none",
            IamCall::PutRolePolicy {
                role: role.clone(),
                policy: policy.clone(),
                document: READ.to_owned(),
            },
        ),
        (
            "DeleteRolePolicy of no role",
            IamCall::DeleteRolePolicy {
                role: role.clone(),
                policy,
            },
        ),
        (
            "AttachRolePolicy of no role",
            IamCall::AttachRolePolicy {
                role: role.clone(),
                policy_arn: policy_arn.clone(),
            },
        ),
        (
            "DetachRolePolicy of no role",
            IamCall::DetachRolePolicy {
                role: role.clone(),
                policy_arn: policy_arn.to_string(),
            },
        ),
        (
            "PutRolePermissionsBoundary of no role",
            IamCall::PutRolePermissionsBoundary {
                role: role.clone(),
                boundary: policy_arn,
            },
        ),
        (
            "TagRole of none",
            IamCall::TagRole {
                role: role.clone(),
                tags: tags(0..1),
            },
        ),
        (
            "UntagRole of none",
            IamCall::UntagRole {
                role: role.clone(),
                keys: vec!["key-0".to_owned()],
            },
        ),
        (
            "UpdateRole of none",
            IamCall::UpdateRole {
                role: role.clone(),
                max_session_duration: MaxSessionDuration::HOUR,
            },
        ),
        ("DeleteRole of none", IamCall::DeleteRole { role }),
    ];
    for (what, call) in calls {
        record.see(what, ABSENT, outcome(&world.roles.execute(&call).await));
    }
}

fn aws_policy(name: &str) -> ManagedPolicyArn {
    ManagedPolicyArn::parse(&format!("arn:aws:iam::aws:policy/{name}")).unwrap()
}

/// Names that are taken, and what a new role refers to.
async fn creation(world: &World, record: &mut AnswerTable) {
    let role = desired(world, "taken");
    let create = |role| IamCall::CreateRole { role: Box::new(role) };
    let made = world.roles.execute(&create(role.clone())).await;
    record.see("CreateRole", "ok", outcome(&made));
    let again = world.roles.execute(&create(role.clone())).await;
    record.see("CreateRole twice", EXISTS, outcome(&again));
    let mut other = role.clone();
    other.name = RoleName::new(role.name.as_str().replace("taken", "TAKEN")).unwrap();
    let clash = world.roles.execute(&create(other)).await;
    record.see("CreateRole of a name in other case", EXISTS, outcome(&clash));
    let mut bounded = desired(world, "bounded");
    bounded.boundary = Some(world.absent_policy());
    let refused = world.roles.execute(&create(bounded.clone())).await;
    record.see(
        "CreateRole within a boundary that is not there",
        ABSENT,
        outcome(&refused),
    );
    let left = world.roles.get_role(&bounded.name).await.unwrap();
    let left = if left.is_none() { "no role" } else { "a role" };
    record.see("and after that", "no role", left);
}

/// Policies that AWS does not take, or does not find.
#[expect(clippy::too_many_lines, reason = "one short entry for each call")]
async fn documents(world: &World, record: &mut AnswerTable) {
    let role = make::role(world, "documents").await;
    let before = world.roles.get_role(&role).await.unwrap();
    let put = |policy: &str, document: String| IamCall::PutRolePolicy {
        role: role.clone(),
        policy: policy.to_owned(),
        document,
    };
    let trusting = |document: &str| IamCall::UpdateAssumeRolePolicy {
        role: role.clone(),
        document: document.to_owned(),
    };
    let statement = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#;
    let filled = |size: usize| {
        let resource = "x".repeat(size);
        READ.replace("productionapp", &resource)
    };
    let calls = [
        (
            "PutRolePolicy of what is no JSON",
            MALFORMED,
            put("p", "{".to_owned()),
        ),
        (
            "PutRolePolicy of a statement alone",
            MALFORMED,
            put("p", statement.to_owned()),
        ),
        (
            "UpdateAssumeRolePolicy of what is no JSON",
            MALFORMED,
            trusting("{"),
        ),
        (
            "PutRolePolicy beyond 10,240 characters",
            TOO_MUCH,
            put("p", filled(10_300)),
        ),
        (
            "UpdateAssumeRolePolicy beyond 2,048 characters",
            TOO_MUCH,
            trusting(&trust::deny_all().to_json().replace(
                "\"Version\"",
                &format!("\"Id\":\"{}\",\"Version\"", "x".repeat(2100)),
            )),
        ),
        (
            "AttachRolePolicy of none",
            ABSENT,
            IamCall::AttachRolePolicy {
                role: role.clone(),
                policy_arn: world.absent_policy(),
            },
        ),
        (
            "PutRolePermissionsBoundary of none",
            ABSENT,
            IamCall::PutRolePermissionsBoundary {
                role: role.clone(),
                boundary: world.absent_policy(),
            },
        ),
        (
            "DetachRolePolicy of none",
            ABSENT,
            IamCall::DetachRolePolicy {
                role: role.clone(),
                policy_arn: world.absent_policy().to_string(),
            },
        ),
        (
            "DeleteRolePolicy of none",
            ABSENT,
            IamCall::DeleteRolePolicy {
                role: role.clone(),
                policy: "absent".to_owned(),
            },
        ),
    ];
    for (what, aws, call) in calls {
        record.see(what, aws, outcome(&world.roles.execute(&call).await));
    }
    let after = world.roles.get_role(&role).await.unwrap();
    let changed = if after == before { "nothing" } else { "the role" };
    record.see("what these refused calls changed", "nothing", changed);
}

/// What several calls add up to.
async fn sums(world: &World, record: &mut AnswerTable) {
    let role = make::role(world, "sums").await;
    let put = |policy: &str| IamCall::PutRolePolicy {
        role: role.clone(),
        policy: policy.to_owned(),
        document: READ.replace("productionapp", &"x".repeat(6000)),
    };
    world.roles.execute(&put("one")).await.unwrap();
    let again = world.roles.execute(&put("one")).await;
    record.see(
        "PutRolePolicy in place of one of 6,000 characters",
        "ok",
        outcome(&again),
    );
    let second = world.roles.execute(&put("two")).await;
    record.see(
        "PutRolePolicy of a second one of 6,000 characters",
        TOO_MUCH,
        outcome(&second),
    );
    let tag = |range| IamCall::TagRole {
        role: role.clone(),
        tags: tags(range),
    };
    world.roles.execute(&tag(0..40)).await.unwrap();
    let same = world.roles.execute(&tag(0..40)).await;
    record.see("TagRole with 40 tags that it has", "ok", outcome(&same));
    let more = world.roles.execute(&tag(40..60)).await;
    record.see("TagRole with 20 more than 40", TOO_MUCH, outcome(&more));
    let seen = world.roles.get_role(&role).await.unwrap().unwrap();
    record.see("and the tags after that", "40", seen.tags.len().to_string());
}

/// A role goes last.
async fn deletion(world: &World, record: &mut AnswerTable) {
    let role = make::role(world, "full").await;
    let delete = IamCall::DeleteRole { role: role.clone() };
    let policy = "p".to_owned();
    let put = IamCall::PutRolePolicy {
        role: role.clone(),
        policy: policy.clone(),
        document: READ.to_owned(),
    };
    world.roles.execute(&put).await.unwrap();
    let refused = world.roles.execute(&delete).await;
    record.see("DeleteRole with an inline policy", IN_USE, outcome(&refused));
    world
        .roles
        .execute(&IamCall::DeleteRolePolicy {
            role: role.clone(),
            policy,
        })
        .await
        .unwrap();
    let arn: ManagedPolicyArn = make::policy(world, "attached").await.into();
    let attach = IamCall::AttachRolePolicy {
        role: role.clone(),
        policy_arn: arn.clone(),
    };
    world.roles.execute(&attach).await.unwrap();
    let refused = world.roles.execute(&delete).await;
    record.see("DeleteRole with a managed policy", IN_USE, outcome(&refused));
    let detach = IamCall::DetachRolePolicy {
        role: role.clone(),
        policy_arn: arn.to_string(),
    };
    world.roles.execute(&detach).await.unwrap();
    let gone = world.roles.execute(&delete).await;
    record.see("DeleteRole with nothing in it", "ok", outcome(&gone));
}

pub(super) async fn see(world: &World, record: &mut AnswerTable) {
    absent(world, record).await;
    creation(world, record).await;
    documents(world, record).await;
    sums(world, record).await;
    deletion(world, record).await;
}
