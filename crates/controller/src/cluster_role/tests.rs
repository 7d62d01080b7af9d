//! What is said about a ClusterAWSRole.

use deputy_api::{
    ClusterAWSRoleStatus, RoleInstance,
    conditions::{self, ConditionType},
};
use deputy_delegation::{Reason, Violation, Violations, quota};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::DynamicObject;
use serde_json::json;

use super::{assess::assess, dereference::ClusterRoleInputs, status::updated};
use crate::instances::FINALIZER;

fn instance(n: usize, ready: bool, arn: Option<&str>) -> RoleInstance {
    RoleInstance {
        namespace: format!("team-{n}"),
        account: "production".to_owned(),
        role_arn: arn.map(str::to_owned),
        role_id: None,
        trust_hash: None,
        ready,
        reason: if ready { "Ready" } else { "ExceedsLimit" }.to_owned(),
        message: String::new(),
        observed_generation: Some(1),
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
    }
}

fn inputs(metadata: serde_json::Value) -> ClusterRoleInputs {
    let object = json!({"apiVersion": "deputy.dev/v1alpha1", "kind": "ClusterAWSRole", "metadata": metadata});
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    ClusterRoleInputs {
        object,
        readable: Ok(()),
        without_entry: 0,
    }
}

fn ready(inputs: &ClusterRoleInputs, instances: Vec<RoleInstance>) -> String {
    let old = ClusterAWSRoleStatus {
        instances,
        ..ClusterAWSRoleStatus::default()
    };
    let new = updated(&old, inputs, &assess(inputs, &old), Timestamp::UNIX_EPOCH);
    assert_eq!(
        new.instances, old.instances,
        "its entries are written by somebody else"
    );
    let ready = conditions::find(&new.conditions, ConditionType::Ready).unwrap();
    let counts = new.counts.unwrap();
    format!(
        "{} {} {}/{}: {}",
        ready.status, ready.reason, counts.ready, counts.total, ready.message
    )
}

#[test]
fn ready_says_how_many_of_its_roles_are_and_names_those_that_are_not() {
    let there = inputs(json!({"name": "logs", "generation": 1}));
    assert_eq!(ready(&there, Vec::new()), "True Ready 0/0: nobody binds it");
    let two = vec![instance(1, true, Some("arn")), instance(2, false, None)];
    assert_eq!(
        ready(&there, two),
        "False InstancesNotReady 1/2: 1 of its 2 IAM roles are not ready: namespace team-2, account production: ExceedsLimit"
    );
    let unreadable = ClusterRoleInputs {
        readable: Err(Violations::from(Violation::new(
            Reason::Structure,
            "spec.policies",
            "none",
        ))),
        ..inputs(json!({"name": "logs"}))
    };
    assert!(ready(&unreadable, vec![instance(1, true, None)]).starts_with("False Invalid"));
}

#[test]
fn more_than_a_thousand_roles_are_refused_with_the_number() {
    let full = |without_entry| ClusterRoleInputs {
        without_entry,
        ..inputs(json!({"name": "logs"}))
    };
    let all = || {
        (0..quota::INSTANCES_OF_CLUSTER_ROLE)
            .map(|n| instance(n, true, Some("arn")))
            .collect()
    };
    assert!(ready(&full(0), all()).starts_with("True Ready 1000/1000"));
    let refused = ready(&full(2), all());
    assert!(
        refused.starts_with("False TooManyInstances")
            && refused.contains("at most 1000")
            && refused.contains("2 more"),
        "{refused}"
    );
}

#[test]
fn it_stays_until_nothing_of_it_is_in_aws() {
    let deleted =
        json!({"name": "logs", "deletionTimestamp": "2026-01-02T03:04:05Z", "finalizers": [FINALIZER]});
    let may_go = |metadata: &serde_json::Value, instances: Vec<RoleInstance>| {
        let old = ClusterAWSRoleStatus {
            instances,
            ..ClusterAWSRoleStatus::default()
        };
        assess(&inputs(metadata.clone()), &old).may_go
    };
    assert!(!may_go(
        &deleted,
        vec![instance(1, false, Some("arn")), instance(2, false, None)]
    ));
    // Without an ARN it was never there.
    assert!(may_go(&deleted, vec![instance(2, false, None)]));
    assert!(may_go(&deleted, Vec::new()));
    assert!(!may_go(
        &json!({"name": "logs", "finalizers": [FINALIZER]}),
        Vec::new()
    ));
}
