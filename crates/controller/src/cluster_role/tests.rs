//! What is said about a ClusterAWSRole.

use deputy_api::{
    ClusterAWSRoleStatus, InstanceFinding, RoleInstance,
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
        left_out_principals: Vec::new(),
        sessions: None,
        ready,
        reason: if ready { "Ready" } else { "ExceedsLimit" }.to_owned(),
        message: String::new(),
        untagged: None,
        capped: None,
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

/// The conditions of a ClusterAWSRole with managed policies, as `Type Status Reason: message`.
fn said(managed: bool, instances: Vec<RoleInstance>) -> Vec<String> {
    let mut inputs = inputs(json!({"name": "logs", "generation": 1}));
    if managed {
        inputs.object.data =
            json!({"spec": {"managedPolicyARNs": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}});
    }
    let old = ClusterAWSRoleStatus {
        instances,
        ..ClusterAWSRoleStatus::default()
    };
    let new = updated(&old, &inputs, &assess(&inputs, &old), Timestamp::UNIX_EPOCH);
    let others = new.conditions.iter().filter(|c| c.type_ != "Ready");
    others
        .map(|c| format!("{} {} {}: {}", c.type_, c.status, c.reason, c.message))
        .collect()
}

fn finding(reason: &str, message: Option<&str>) -> Option<InstanceFinding> {
    Some(InstanceFinding {
        reason: reason.to_owned(),
        message: message.map(str::to_owned),
    })
}

#[test]
fn what_holds_up_nothing_is_summed_up_in_conditions_of_its_own() {
    let made = |n| RoleInstance {
        role_id: Some("AROA".to_owned()),
        ..instance(n, true, Some("arn"))
    };
    assert_eq!(said(true, Vec::new()), [""; 0]);
    assert_eq!(
        said(true, vec![instance(1, false, None)]),
        [""; 0],
        "nothing is in AWS"
    );
    assert_eq!(
        said(false, vec![made(1)]),
        ["Tagged True UpToDate: each IAM role has the tags of its AWSAccount"]
    );
    assert_eq!(
        said(true, vec![made(1)])[1],
        "CappedByBoundary False NotCapped: nothing is known to be cut off from the managed policies of its IAM roles"
    );
    let untagged = RoleInstance {
        untagged: finding("AccessDenied", Some("iam:TagRole is denied")),
        capped: finding("ContainmentUnknown", None),
        ..made(2)
    };
    assert_eq!(
        said(true, vec![made(1), untagged.clone()]),
        [
            "Tagged False AccessDenied: 1 of its 2 IAM roles are not tagged as their AWSAccounts say: namespace team-2, account \
             production: iam:TagRole is denied",
            "CappedByBoundary Unknown ContainmentUnknown: 1 of its 2 IAM roles may be cut off by their boundary, which is not known: \
             namespace team-2, account production: ContainmentUnknown",
        ]
    );
    // What is cut off says most, and those whose words are known come first.
    let capped = |n, words| RoleInstance {
        capped: finding("Capped", words),
        ..made(n)
    };
    let seven = (3..9)
        .map(|n| capped(n, None))
        .chain([capped(9, Some("s3:GetObject"))]);
    let condition = said(true, seven.chain([untagged]).collect()).remove(1);
    assert!(
        condition.starts_with(
            "CappedByBoundary True Capped: 7 of its 8 IAM roles are cut off by their boundary: namespace team-9, account production: \
             s3:GetObject; namespace team-3"
        ) && condition.ends_with("; and 2 more"),
        "{condition}"
    );
}
