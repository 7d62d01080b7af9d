use deputy_delegation::{model::*, names::*, naming::*};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::*;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../golden/names.json")).unwrap()
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap()
}

/// The vectors were made by another implementation of the rule in docs/contracts.md.
#[test]
fn role_names_and_external_ids_are_those_of_the_golden_vectors() {
    for vector in vectors()["roles"].as_array().unwrap() {
        let cluster = ClusterName::new(text(vector, "cluster")).unwrap();
        let id = role_id(text(vector, "namespace"), text(vector, "name"));
        assert_eq!(role_name(&cluster, &id).as_str(), text(vector, "roleName"));
        assert_eq!(external_id(&cluster, &id).as_str(), text(vector, "externalID"));
    }
}

/// Of a ClusterAWSRole the namespace that binds it comes last in the hash; the account is no part of the name.
#[test]
fn roles_of_a_cluster_role_have_the_names_of_the_golden_vectors() {
    for vector in vectors()["clusterRoles"].as_array().unwrap() {
        let cluster = ClusterName::new(text(vector, "cluster")).unwrap();
        for account in ["production", "sandbox"] {
            let id = RoleId {
                kind: RoleKind::ClusterAWSRole {
                    account: object(account),
                },
                ..role_id(text(vector, "namespace"), text(vector, "name"))
            };
            assert_eq!(role_name(&cluster, &id).as_str(), text(vector, "roleName"));
            assert_eq!(external_id(&cluster, &id).as_str(), text(vector, "externalID"));
        }
    }
}

#[test]
fn boundary_policy_names_are_those_of_the_golden_vectors() {
    for vector in vectors()["limits"].as_array().unwrap() {
        let cluster = ClusterName::new(text(vector, "cluster")).unwrap();
        let name = limit_policy_name(&cluster, &object(text(vector, "limit")));
        assert_eq!(name.as_str(), text(vector, "policyName"));
    }
}

#[test]
fn arns_hold_partition_account_and_path() {
    let account = Account {
        partition: Partition::new("aws-cn").unwrap(),
        ..account()
    };
    assert_eq!(
        role_arn(&cluster(), &account, &uploader()).to_string(),
        format!(
            "arn:aws-cn:iam::123456789012:role/deputy/prod-1/{}",
            role_name(&cluster(), &uploader())
        )
    );
    assert_eq!(
        boundary_arn(&cluster(), &account, &object("payments")).to_string(),
        format!(
            "arn:aws-cn:iam::123456789012:policy/deputy/prod-1/limits/{}",
            limit_policy_name(&cluster(), &object("payments"))
        )
    );
}

#[test]
fn a_role_carries_its_owner_and_the_tags_of_the_account() {
    let tags: Vec<_> = role_tags(&cluster(), &cluster_uid(), &account(), &uploader(), &uid())
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(
        tags,
        [
            "cost-center=platform",
            "deputy-cluster=prod-1",
            "deputy-cluster-uid=5d2f7c1e-0000-4000-8000-0000000000a1",
            "deputy-kind=AWSRole",
            "deputy-name=uploader",
            "deputy-namespace=payments",
            "deputy-tags=iebbhu",
            "deputy-uid=0b8a5d1c-6ea1-4f8e-9c1e-2a3b4c5d6e7f",
        ]
    );
}

#[test]
fn a_boundary_policy_carries_its_limit() {
    let tags = limit_tags(&cluster(), &cluster_uid(), &account(), &object("payments"), None);
    let keys: Vec<_> = tags.keys().map(TagKey::as_str).collect();
    assert_eq!(
        keys,
        [
            "cost-center",
            "deputy-cluster",
            "deputy-cluster-uid",
            "deputy-kind",
            "deputy-name",
            "deputy-tags"
        ]
    );
    assert_eq!(
        limit_tags(
            &cluster(),
            &cluster_uid(),
            &account(),
            &object("payments"),
            Some(&uid())
        )
        .len(),
        7
    );
}

fn label(max: usize) -> impl Strategy<Value = String> {
    prop::string::string_regex(&format!("[a-z0-9]([-a-z0-9]{{0,{}}}[a-z0-9])?", max - 2)).unwrap()
}

fn subdomain() -> impl Strategy<Value = String> {
    prop::collection::vec(label(60), 1..4).prop_map(|parts| parts.join("."))
}

fn input() -> impl Strategy<Value = (ClusterName, RoleId)> {
    (label(32), label(63), subdomain()).prop_map(|(cluster, namespace, name)| {
        (ClusterName::new(cluster).unwrap(), role_id(&namespace, &name))
    })
}

/// Inputs whose parts are next to each other in another split: the hash must tell them apart.
fn near_input() -> impl Strategy<Value = (ClusterName, RoleId)> {
    ("[ab]{1,2}", "[ab]{1,2}", "[ab]([.-][ab]){0,2}").prop_map(|(cluster, namespace, name)| {
        (ClusterName::new(cluster).unwrap(), role_id(&namespace, &name))
    })
}

proptest! {
    #[test]
    fn every_name_is_legal_in_iam_and_lower_case((cluster, id) in input()) {
        let role = role_name(&cluster, &id);
        prop_assert!(role.as_str().len() <= 47);
        prop_assert!(RoleName::new(role.as_str()).is_ok());
        prop_assert_eq!(role.as_str().to_lowercase(), role.as_str());
        let policy = limit_policy_name(&cluster, &id.name);
        prop_assert!(policy.as_str().len() <= 64);
        prop_assert!(PolicyName::new(policy.as_str()).is_ok());
        prop_assert!(ExternalId::new(external_id(&cluster, &id).as_str()).is_ok());
        for (key, value) in role_tags(&cluster, &cluster_uid(), &account(), &id, &uid()) {
            prop_assert!(TagKey::new(key.as_str()).is_ok() && TagValue::new(value.as_str()).is_ok());
        }
        let (readable, hash) = role.as_str().rsplit_once('-').unwrap();
        prop_assert!(hash.len() == 16 && !readable.ends_with(['.', '-']));
    }

    #[test]
    fn different_objects_have_different_names(a in near_input(), b in near_input()) {
        let names = |(cluster, id): &(ClusterName, RoleId)| (
            role_name(cluster, id).as_str().to_ascii_lowercase(),
            external_id(cluster, id),
        );
        let (a_names, b_names) = (names(&a), names(&b));
        prop_assert_eq!(a == b, a_names.0 == b_names.0);
        prop_assert_eq!(a == b, a_names.1 == b_names.1);
    }

    #[test]
    fn kinds_do_not_share_names((cluster, id) in input()) {
        let of_cluster = RoleId {
            kind: RoleKind::ClusterAWSRole { account: object("production") },
            ..id.clone()
        };
        prop_assert_ne!(role_name(&cluster, &id), role_name(&cluster, &of_cluster));
        prop_assert_ne!(external_id(&cluster, &id), external_id(&cluster, &of_cluster));
    }

    #[test]
    fn the_parsers_take_the_arns_that_deputy_makes((cluster, id) in input()) {
        let arn = role_arn(&cluster, &account(), &id);
        prop_assert_eq!(RoleArn::parse(&arn.to_string()).unwrap(), arn);
        let arn = boundary_arn(&cluster, &account(), &id.name);
        prop_assert_eq!(PolicyArn::parse(&arn.to_string()).unwrap(), arn);
    }
}
