//! From AWS's message to the policy that decides.

use deputy_delegation::{ClusterName, naming};

use super::{
    cause::{DenialCause, cause},
    message::DenialMessage,
};
use crate::objects::{
    AskedWorld,
    example::{APPLICATION, PLATFORM, world},
};

/// The message about a session of the role of the example.
fn denied(world: &AskedWorld, session: &str, what: &str) -> DenialCause {
    let cluster = ClusterName::new("production-1").unwrap();
    let name = naming::role_name(&cluster, &world.index.roles()[0]);
    let text = format!(
        "User: arn:aws:sts::123456789012:assumed-role/{name}/{session} is not authorized to perform: {what}"
    );
    cause(world, &DenialMessage::parse(&text).unwrap()).unwrap()
}

const DELETE: &str = "s3:DeleteObject on resource: arn:aws:s3:::productionapp/x because no session policy allows the s3:DeleteObject action";

fn says(cause: &DenialCause) -> Vec<(&str, &str)> {
    cause
        .layers
        .iter()
        .map(|layer| (layer.layer.as_str(), layer.says))
        .collect()
}

#[test]
fn the_session_policy_that_lacks_it_is_found_and_its_change_is_accepted() {
    let world = world(&[PLATFORM, APPLICATION], Some("production-1"));
    let found = denied(&world, "payments.uploader", DELETE);
    assert_eq!(found.role.as_deref(), Some("AWSRole payments/uploader"));
    assert_eq!(found.binding.as_deref(), Some("AWSRoleBinding payments/uploader"));
    assert_eq!(found.subject.as_deref(), Some("ServiceAccount payments/uploader"));
    assert_eq!(
        says(&found),
        [
            ("role", "allows"),
            ("session policy", "does not allow"),
            ("boundary of limit payments", "allows")
        ]
    );
    assert_eq!(found.change.len(), 1);
    assert_eq!(
        found.change[0].place(),
        "AWSRoleBinding payments/uploader, add to spec.session.policy.Statement"
    );
    assert_eq!(
        found.change[0].yaml,
        "- Effect: Allow\n  Action: s3:DeleteObject\n  Resource: \"arn:aws:s3:::productionapp/x\""
    );
    assert_eq!(found.limits.as_deref(), Some("accepted"));
}

#[test]
fn what_the_limit_does_not_allow_is_refused_with_its_sentence() {
    let world = world(&[PLATFORM, APPLICATION], Some("production-1"));
    let what = "s3:GetObject on resource: arn:aws:s3:::others/x because no identity-based policy allows the s3:GetObject action";
    let found = denied(&world, "payments.uploader", what);
    assert_eq!(
        says(&found),
        [
            ("role", "does not allow"),
            ("session policy", "does not allow"),
            ("boundary of limit payments", "does not allow")
        ]
    );
    assert_eq!(found.change.len(), 2);
    let limits = found.limits.unwrap();
    assert!(
        limits.starts_with("refused: ") && limits.contains("limit payments"),
        "{limits}"
    );
    assert!(
        found.advice.iter().any(|advice| advice.contains("platform team")),
        "{:?}",
        found.advice
    );
}

#[test]
fn a_deny_is_named_and_nothing_is_proposed_against_it() {
    let denies = APPLICATION.replacen(
        "        Statement:\n",
        "        Statement:\n          - {Effect: Deny, Action: s3:DeleteObject, Resource: \"*\"}\n",
        1,
    );
    let world = world(&[PLATFORM, &denies], Some("production-1"));
    let found = denied(
        &world,
        "payments.uploader",
        "s3:DeleteObject on resource: arn:aws:s3:::productionapp/x with an explicit deny in an identity-based policy",
    );
    assert_eq!(found.layers[0].says, "denies");
    assert_eq!(found.layers[0].because, ["Statement[0] of policy 0"]);
}

#[test]
fn the_pod_is_in_the_name_of_its_session_and_the_cluster_need_not_be_known() {
    let world = world(&[PLATFORM, APPLICATION], None);
    let found = denied(&world, "payments.uploader.uploader-5d9c-x2", DELETE);
    assert_eq!(
        found.subject.as_deref(),
        Some("pod payments/uploader-5d9c-x2 of ServiceAccount payments/uploader")
    );
    // With another name of the cluster it is another role.
    let other = self::world(&[PLATFORM, APPLICATION], Some("staging"));
    assert_eq!(denied(&other, "payments.uploader", DELETE).role, None);
}

#[test]
fn who_is_nobody_of_deputy_is_told_whom_to_ask() {
    let world = world(&[PLATFORM, APPLICATION], None);
    let ask = |text: &str| cause(&world, &DenialMessage::parse(text).unwrap()).unwrap();
    let user = ask(
        "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: s3:GetObject with an explicit deny in a service control policy",
    );
    assert!(!user.is_explained());
    assert!(user.advice[0].contains("organisation"), "{:?}", user.advice);
    let lost = denied(&world, "payments.somebody", DELETE);
    assert!(
        lost.binding.is_none()
            && lost
                .advice
                .iter()
                .any(|advice| advice.contains("payments.somebody"))
    );
    let alone = self::world(&[APPLICATION], None);
    let text = "User: arn:aws:sts::123456789012:assumed-role/x/y is not authorized to perform: s3:GetObject";
    assert!(
        cause(&alone, &DenialMessage::parse(text).unwrap())
            .unwrap()
            .role
            .is_none()
    );
}
