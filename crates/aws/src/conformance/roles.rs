//! Calls about a role that AWS takes, and what they do.

use deputy_delegation::{
    names::{ManagedPolicyArn, MaxSessionDuration, TagKey, TagValue},
    plan::{DesiredRole, IamCall},
    trust,
};
use deputy_policy::{Document, PolicyKind};

use super::{
    make::{self, READ, desired, tags},
    table::{AnswerTable, TOO_MUCH, outcome},
    world::World,
};

/// What a role is made with, and what is written, is read.
async fn whole(world: &World, record: &mut AnswerTable) {
    let boundary: ManagedPolicyArn = make::policy(world, "boundary").await.into();
    let role = DesiredRole {
        boundary: Some(boundary.clone()),
        tags: tags(0..2),
        max_session_duration: MaxSessionDuration::from_seconds(7200).unwrap(),
        ..desired(world, "whole")
    };
    let name = role.name.clone();
    let create = IamCall::CreateRole { role: Box::new(role) };
    world.roles.execute(&create).await.unwrap();
    let seen = world.roles.get_role(&name).await.unwrap().unwrap();
    record.see(
        "the boundary of a new role",
        boundary.to_string(),
        seen.boundary.unwrap_or_default(),
    );
    record.see(
        "its tags",
        "key-0 key-1",
        seen.tags.into_keys().collect::<Vec<_>>().join(" "),
    );
    record.see("its duration", "7200", seen.max_session_seconds.to_string());
    record.see("its path", world.path().to_string(), seen.arn.path().to_string());
    let kind = if seen.unique_id.starts_with("AROA") {
        "AROA…"
    } else {
        &seen.unique_id
    };
    record.see("its unique id", "AROA…", kind);
    let trust = Document::parse(&seen.trust, PolicyKind::Trust)
        .is_ok_and(|seen| seen.semantically_eq(&trust::deny_all()));
    record.see(
        "its trust policy",
        "as it was sent",
        if trust { "as it was sent" } else { &seen.trust },
    );
    let put = IamCall::PutRolePolicy {
        role: name.clone(),
        policy: "p".to_owned(),
        document: READ.to_owned(),
    };
    world.roles.execute(&put).await.unwrap();
    let shorter = IamCall::UpdateRole {
        role: name.clone(),
        max_session_duration: MaxSessionDuration::HOUR,
    };
    world.roles.execute(&shorter).await.unwrap();
    let seen = world.roles.get_role(&name).await.unwrap().unwrap();
    let read = Document::parse(READ, PolicyKind::Identity).unwrap();
    let inline = seen
        .inline
        .get("p")
        .map(|text| Document::parse(text, PolicyKind::Identity));
    let same = matches!(inline, Some(Ok(document)) if document.semantically_eq(&read));
    record.see(
        "its inline policy",
        "as it was sent",
        if same { "as it was sent" } else { "another one" },
    );
    record.see(
        "its duration after UpdateRole",
        "3600",
        seen.max_session_seconds.to_string(),
    );
    record.see(
        "its boundary after UpdateRole",
        boundary.to_string(),
        seen.boundary.unwrap_or_default(),
    );
}

/// Attached once however often, and ten at most.
async fn attachments(world: &World, record: &mut AnswerTable) {
    let role = make::role(world, "attachments").await;
    let attach = |policy_arn| IamCall::AttachRolePolicy {
        role: role.clone(),
        policy_arn,
    };
    let mut last = String::new();
    for n in 0..11 {
        let arn: ManagedPolicyArn = make::policy(world, &format!("many-{n}")).await.into();
        let attached = world.roles.execute(&attach(arn.clone())).await;
        if n == 0 {
            let again = world.roles.execute(&attach(arn)).await;
            record.see("AttachRolePolicy twice", "ok", outcome(&again));
        }
        last = outcome(&attached);
    }
    record.see("AttachRolePolicy of an 11th", TOO_MUCH, last);
    let seen = world.roles.get_role(&role).await.unwrap().unwrap();
    record.see(
        "how many are attached then",
        "10",
        seen.attached.len().to_string(),
    );
}

/// Keys are one whatever their case.
async fn keys_of_tags(world: &World, record: &mut AnswerTable) {
    let role = make::role(world, "tags").await;
    let tag = |key: &str, value: &str| IamCall::TagRole {
        role: role.clone(),
        tags: [(TagKey::new(key).unwrap(), TagValue::new(value).unwrap())].into(),
    };
    world.roles.execute(&tag("Department", "one")).await.unwrap();
    let second = world.roles.execute(&tag("department", "two")).await;
    record.see("TagRole with a key in other case", "ok", outcome(&second));
    let seen = world.roles.get_role(&role).await.unwrap().unwrap();
    let values: Vec<_> = seen.tags.into_values().collect();
    record.see("the values of its tags then", "two", values.join(" "));
    let untag = IamCall::UntagRole {
        role: role.clone(),
        keys: vec!["absent".to_owned()],
    };
    record.see(
        "UntagRole of a key that is not there",
        "ok",
        outcome(&world.roles.execute(&untag).await),
    );
}

/// Another one of the same name is another one.
async fn made_again(world: &World, record: &mut AnswerTable) {
    let name = make::role(world, "again").await;
    let before = world.roles.get_role(&name).await.unwrap().unwrap();
    let delete = IamCall::DeleteRole { role: name.clone() };
    world.roles.execute(&delete).await.unwrap();
    make::role(world, "again").await;
    let after = world.roles.get_role(&name).await.unwrap().unwrap();
    let id = if after.unique_id == before.unique_id {
        "the same"
    } else {
        "another one"
    };
    record.see("the unique id of a role that is made again", "another one", id);
}

pub(super) async fn see(world: &World, record: &mut AnswerTable) {
    whole(world, record).await;
    attachments(world, record).await;
    keys_of_tags(world, record).await;
    made_again(world, record).await;
}
