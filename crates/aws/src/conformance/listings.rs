//! Lists of roles and policies, and the numbers of an account.

use std::collections::BTreeSet;

use deputy_delegation::{
    names::{IamPath, RoleName},
    plan::{IamCall, ObservedRole},
};

use super::{
    make,
    table::AnswerTable,
    world::{Users, World},
};
use crate::Roles;

/// All that the account's authorization details show at a path, and on how many pages.
async fn details(roles: &dyn Roles, path: &IamPath) -> (BTreeSet<RoleName>, usize) {
    let (mut names, mut pages, mut marker) = (BTreeSet::new(), 0, None);
    loop {
        let page = roles.role_details(path, marker.as_deref()).await.unwrap();
        names.extend(page.roles.iter().map(|role| role.name.clone()));
        pages += 1;
        match page.next {
            Some(next) => marker = Some(next),
            None => return (names, pages),
        }
    }
}

async fn of_roles(world: &World, record: &mut AnswerTable) {
    let path = IamPath::new(format!("/listed/{}/", world.run)).unwrap();
    let mut made = BTreeSet::new();
    for n in 0..3 {
        let role = deputy_delegation::plan::DesiredRole {
            path: path.clone(),
            tags: make::tags(0..1),
            ..make::desired(world, &format!("listed-{n}"))
        };
        made.insert(role.name.clone());
        let create = IamCall::CreateRole { role: Box::new(role) };
        world.roles.execute(&create).await.unwrap();
    }
    let listed = world.roles.list_roles(&path).await.unwrap();
    let names: BTreeSet<_> = listed.iter().map(|role| role.name.clone()).collect();
    record.see(
        "ListRoles at a path",
        "those at it",
        if names == made { "those at it" } else { "others" },
    );
    let (names, pages) = details(world.roles.as_ref(), &path).await;
    let whole = if names == made { "those at it" } else { "others" };
    record.see(
        "GetAccountAuthorizationDetails, all pages of it",
        "those at it",
        whole,
    );
    assert!(pages > 0);
    let first = &listed[0];
    let seen = world.roles.get_role(&first.name).await.unwrap().unwrap();
    record.see(
        "how the first one differs from GetRole",
        "in nothing",
        difference(world, &path, &seen, first).await,
    );
    let wire = match &world.users {
        Users::Model(_) => "the first one, and that there are more".to_owned(),
        Users::Sdk(iam) => {
            let page = iam
                .list_roles()
                .path_prefix(path.as_str())
                .max_items(1)
                .send()
                .await
                .unwrap();
            if page.roles.len() == 1 && page.is_truncated && page.marker.is_some() {
                "the first one, and that there are more".to_owned()
            } else {
                format!("{} roles", page.roles.len())
            }
        }
    };
    record.see(
        "ListRoles with MaxItems=1",
        "the first one, and that there are more",
        wire,
    );
}

/// In what the listing of a role is otherwise than a look at it.
async fn difference(
    world: &World,
    path: &IamPath,
    seen: &ObservedRole,
    listed: &crate::ListedRole,
) -> &'static str {
    let mut marker = None;
    loop {
        let page = world.roles.role_details(path, marker.as_deref()).await.unwrap();
        if let Some(found) = page.roles.into_iter().find(|role| role.name == listed.name) {
            return match found.with(listed) {
                None => "another role",
                Some(role) if role == *seen => "in nothing",
                Some(role) if role.tags != seen.tags => "in its tags",
                Some(role) if role.trust != seen.trust => "in its trust policy",
                Some(_) => "in something else",
            };
        }
        match page.next {
            Some(next) => marker = Some(next),
            None => return "it is not there",
        }
    }
}

async fn of_boundaries(world: &World, record: &mut AnswerTable) {
    let boundary = make::policy(world, "listed-boundary").await;
    let role = deputy_delegation::plan::DesiredRole {
        boundary: Some(boundary.clone().into()),
        ..make::desired(world, "bounded-in-list")
    };
    let name = role.name.clone();
    let create = IamCall::CreateRole { role: Box::new(role) };
    world.roles.execute(&create).await.unwrap();
    let (listed, seen) = (
        world.roles.list_roles(&world.path()).await.unwrap(),
        world.roles.get_role(&name).await.unwrap().unwrap(),
    );
    let listed = listed.iter().find(|role| role.name == name).unwrap();
    let said = difference(world, &world.path(), &seen, listed).await;
    record.see(
        "how one within a boundary differs from GetRole",
        "in nothing",
        said,
    );
    let policies = world.policies.list_policies(&world.path()).await.unwrap();
    let found = policies.iter().find(|policy| policy.arn == boundary);
    let uses = found.map(|policy| policy.boundary_usage_count.to_string());
    record.see(
        "how often ListPolicies says that it is a boundary",
        "1",
        uses.unwrap_or_default(),
    );
}

async fn of_numbers(world: &World, record: &mut AnswerTable) {
    let before = world.roles.account_summary().await.unwrap();
    make::role(world, "counted").await;
    make::policy(world, "counted").await;
    let after = world.roles.account_summary().await.unwrap();
    let grown = |before: Option<crate::QuotaUse>, after: Option<crate::QuotaUse>| match (before, after) {
        (Some(before), Some(after)) => format!("{}", i64::from(after.used) - i64::from(before.used)),
        _ => "not said".to_owned(),
    };
    record.see(
        "Roles of GetAccountSummary after one more",
        "1",
        grown(before.roles, after.roles),
    );
    record.see(
        "Policies of it after one more",
        "1",
        grown(before.policies, after.policies),
    );
    let quota = after.attached_policies_per_role.map(|n| n.to_string());
    record.see(
        "AttachedPoliciesPerRoleQuota of it",
        "10",
        quota.unwrap_or_default(),
    );
    let quota = after.trust_policy_size.map(|n| n.to_string());
    record.see(
        "AssumeRolePolicySizeQuota of it",
        "2048",
        quota.unwrap_or_default(),
    );
}

pub(super) async fn see(world: &World, record: &mut AnswerTable) {
    of_roles(world, record).await;
    of_boundaries(world, record).await;
    of_numbers(world, record).await;
}
