//! Makes roles and policies for the table.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use deputy_delegation::{
    names::{MaxSessionDuration, PolicyArn, PolicyName, RoleName, TagKey, TagValue},
    plan::{DesiredRole, IamCall},
    trust,
};
use deputy_policy::{Document, PolicyKind};

use super::world::World;
use crate::NewPolicy;

pub(super) const READ: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::productionapp/*"}]}"#;

/// A role in which nobody is trusted.
pub(super) fn desired(world: &World, name: &str) -> DesiredRole {
    DesiredRole {
        name: world.role(name),
        path: world.path(),
        trust: trust::deny_all(),
        inline: None,
        attached: BTreeSet::new(),
        boundary: None,
        tags: BTreeMap::new(),
        max_session_duration: MaxSessionDuration::HOUR,
    }
}

/// Makes one.
pub(super) async fn role(world: &World, name: &str) -> RoleName {
    let role = desired(world, name);
    let name = role.name.clone();
    let create = IamCall::CreateRole { role: Box::new(role) };
    world.roles.execute(&create).await.unwrap();
    name
}

/// Tags with numbers in their keys.
pub(super) fn tags(numbers: Range<u32>) -> BTreeMap<TagKey, TagValue> {
    let tag = |n| {
        (
            TagKey::new(format!("key-{n}")).unwrap(),
            TagValue::new("value").unwrap(),
        )
    };
    numbers.map(tag).collect()
}

/// What a policy says.
pub(super) fn document(text: &str) -> Document {
    Document::parse(text, PolicyKind::Boundary).unwrap()
}

/// A policy to make.
pub(super) fn new_policy(world: &World, name: PolicyName, text: &str) -> NewPolicy {
    NewPolicy {
        name,
        path: world.path(),
        document: document(text),
        tags: BTreeMap::new(),
    }
}

/// Makes one.
pub(super) async fn policy(world: &World, name: &str) -> PolicyArn {
    let policy = new_policy(world, world.policy(name), READ);
    world.policies.create_policy(&policy).await.unwrap()
}
