//! Calls about managed policies.

use super::{
    make::{self, READ, document, new_policy, tags},
    table::{ABSENT, AnswerTable, EXISTS, IN_USE, TOO_MUCH, outcome},
    world::World,
};
use deputy_delegation::{
    names::{PolicyArn, PolicyName},
    plan::IamCall,
};

/// Every call to a policy that is not there, and names and sizes that AWS does not take.
async fn refused(world: &World, record: &mut AnswerTable) {
    let arn = PolicyArn::parse(&world.absent_policy().to_string()).unwrap();
    let policies = &world.policies;
    let read = policies.get_policy(&arn).await;
    record.see(
        "GetPolicy of none",
        "ok: none",
        match read {
            Ok(None) => "ok: none".to_owned(),
            Ok(Some(_)) => "ok: a policy".to_owned(),
            Err(_) => outcome(&read),
        },
    );
    let version = policies.create_policy_version(&arn, &document(READ)).await;
    record.see("CreatePolicyVersion of none", ABSENT, outcome(&version));
    let version = policies.delete_policy_version(&arn, "v1").await;
    record.see("DeletePolicyVersion of no policy", ABSENT, outcome(&version));
    record.see(
        "TagPolicy of none",
        ABSENT,
        outcome(&policies.tag_policy(&arn, &tags(0..1)).await),
    );
    let untagged = policies.untag_policy(&arn, &["key-0".to_owned()]).await;
    record.see("UntagPolicy of none", ABSENT, outcome(&untagged));
    record.see(
        "DeletePolicy of none",
        ABSENT,
        outcome(&policies.delete_policy(&arn).await),
    );
    let taken = new_policy(world, world.policy("taken"), READ);
    record.see(
        "CreatePolicy",
        "ok",
        outcome(&policies.create_policy(&taken).await),
    );
    record.see(
        "CreatePolicy twice",
        EXISTS,
        outcome(&policies.create_policy(&taken).await),
    );
    let upper = PolicyName::new(taken.name.as_str().replace("taken", "TAKEN")).unwrap();
    let clash = policies.create_policy(&new_policy(world, upper, READ)).await;
    record.see("CreatePolicy of a name in other case", EXISTS, outcome(&clash));
    let long = READ.replace("productionapp", &"x".repeat(6200));
    let refused = policies
        .create_policy(&new_policy(world, world.policy("long"), &long))
        .await;
    record.see(
        "CreatePolicy beyond 6,144 characters",
        TOO_MUCH,
        outcome(&refused),
    );
    let arn = make::policy(world, "grows").await;
    let refused = policies.create_policy_version(&arn, &document(&long)).await;
    record.see(
        "CreatePolicyVersion beyond 6,144 characters",
        TOO_MUCH,
        outcome(&refused),
    );
}

/// Five at most, of which one is in force and stays.
async fn versions(world: &World, record: &mut AnswerTable) {
    let arn = make::policy(world, "versions").await;
    let policies = &world.policies;
    let mut last = String::new();
    for _ in 2..=6 {
        last = outcome(&policies.create_policy_version(&arn, &document(READ)).await);
    }
    record.see("CreatePolicyVersion of a sixth", TOO_MUCH, last);
    let seen = policies.get_policy(&arn).await.unwrap().unwrap();
    record.see("the default version then", "v5", seen.default_version);
    record.see("how many there are", "5", seen.versions.len().to_string());
    let refused = policies.delete_policy_version(&arn, "v5").await;
    record.see(
        "DeletePolicyVersion of the default one",
        IN_USE,
        outcome(&refused),
    );
    for version in ["v1", "v2", "v3", "v4"] {
        policies.delete_policy_version(&arn, version).await.unwrap();
    }
    let absent = policies.delete_policy_version(&arn, "v1").await;
    record.see(
        "DeletePolicyVersion of one that is gone",
        ABSENT,
        outcome(&absent),
    );
    let next = policies.create_policy_version(&arn, &document(READ)).await;
    record.see(
        "the number after v5 when the others are gone",
        "v6",
        next.unwrap_or_default(),
    );
    policies.delete_policy_version(&arn, "v5").await.unwrap();
    record.see(
        "DeletePolicy with one version",
        "ok",
        outcome(&policies.delete_policy(&arn).await),
    );
    let several = make::policy(world, "several").await;
    policies
        .create_policy_version(&several, &document(READ))
        .await
        .unwrap();
    let refused = policies.delete_policy(&several).await;
    record.see("DeletePolicy with several versions", IN_USE, outcome(&refused));
}

/// What a role has stays.
async fn in_use(world: &World, record: &mut AnswerTable) {
    let policies = &world.policies;
    let (attached, boundary) = (
        make::policy(world, "of-role").await,
        make::policy(world, "around-role").await,
    );
    let role = make::role(world, "uses").await;
    let attach = IamCall::AttachRolePolicy {
        role: role.clone(),
        policy_arn: attached.clone().into(),
    };
    world.roles.execute(&attach).await.unwrap();
    let bound = IamCall::PutRolePermissionsBoundary {
        role,
        boundary: boundary.clone().into(),
    };
    world.roles.execute(&bound).await.unwrap();
    let refused = policies.delete_policy(&attached).await;
    record.see("DeletePolicy of one that is attached", IN_USE, outcome(&refused));
    let refused = policies.delete_policy(&boundary).await;
    record.see(
        "DeletePolicy of one that is a boundary",
        IN_USE,
        outcome(&refused),
    );
    for (what, arn, counts) in [
        (
            "how often it is used that is attached",
            &attached,
            "1 attached, 0 around",
        ),
        (
            "how often it is used that is a boundary",
            &boundary,
            "0 attached, 1 around",
        ),
    ] {
        let seen = policies.get_policy(arn).await.unwrap();
        let said = seen.map(|p| {
            format!(
                "{} attached, {} around",
                p.attachment_count, p.boundary_usage_count
            )
        });
        record.see(what, counts, said.unwrap_or_else(|| "no policy".to_owned()));
    }
}

/// The tags of a policy.
async fn tagged(world: &World, record: &mut AnswerTable) {
    let arn = make::policy(world, "tagged").await;
    let policies = &world.policies;
    policies.tag_policy(&arn, &tags(0..2)).await.unwrap();
    let untagged = policies
        .untag_policy(&arn, &["key-0".to_owned(), "absent".to_owned()])
        .await;
    record.see(
        "UntagPolicy of a key that is there and one that is not",
        "ok",
        outcome(&untagged),
    );
    let seen = policies.get_policy(&arn).await.unwrap().unwrap();
    record.see(
        "the tags then",
        "key-1",
        seen.tags.into_keys().collect::<Vec<_>>().join(" "),
    );
}

pub(super) async fn see(world: &World, record: &mut AnswerTable) {
    refused(world, record).await;
    versions(world, record).await;
    in_use(world, record).await;
    tagged(world, record).await;
}
