//! *Assess*: from everything that was looked up, what is true of a ClusterAWSRole. Pure.

use deputy_api::{
    ClusterAWSRoleStatus, InstanceCounts, InstanceFinding, RoleInstance,
    conditions::{ConditionReason, Status},
};
use deputy_delegation::quota;
use kube::api::DynamicObject;

use super::dereference::ClusterRoleInputs;
use crate::{instances::FINALIZER, objects::is_retained, report::ConditionValue};

/// IAM roles that a message names.
const NAMED: usize = 5;

/// What is true of a ClusterAWSRole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterRoleAssessment {
    /// How many IAM roles there are of it.
    pub counts: InstanceCounts,
    /// Whether it does its job.
    pub ready: ConditionValue,
    /// Whether each has the tags of its AWSAccount; `None` while there is none.
    pub tagged: Option<ConditionValue>,
    /// What boundaries cut off from its managed policies; `None` without those.
    pub capped: Option<ConditionValue>,
    /// Whether it is being deleted, and nothing of it is in AWS any more.
    pub may_go: bool,
}

/// What is true of a ClusterAWSRole with this status.
#[must_use]
pub fn assess(inputs: &ClusterRoleInputs, status: &ClusterAWSRoleStatus) -> ClusterRoleAssessment {
    let instances = &status.instances;
    let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let is_deleted = inputs.object.metadata.deletion_timestamp.is_some();
    let in_aws = instances
        .iter()
        .filter(|instance| instance.role_arn.is_some())
        .count();
    let mut finalizers = inputs.object.metadata.finalizers.iter().flatten();
    ClusterRoleAssessment {
        counts: InstanceCounts {
            total: number(instances.len()),
            ready: number(instances.iter().filter(|instance| instance.ready).count()),
        },
        ready: if is_deleted {
            let what = if is_retained(&inputs.object) {
                "closed, to stay in AWS where every limit allows it"
            } else {
                "deleted"
            };
            let message = format!("{in_aws} IAM roles are being {what}");
            ConditionValue::new(Status::False, ConditionReason::Deleting, message)
        } else {
            ready(inputs, instances)
        },
        tagged: tagged(instances),
        capped: capped(&inputs.object, instances),
        may_go: is_deleted && in_aws == 0 && finalizers.any(|finalizer| finalizer == FINALIZER),
    }
}

/// The first thing that keeps it from its job.
fn ready(inputs: &ClusterRoleInputs, instances: &[RoleInstance]) -> ConditionValue {
    if let Err(violations) = &inputs.readable {
        return ConditionValue::new(Status::False, violations.into(), format!("{violations:#}"));
    }
    if instances.len() >= quota::INSTANCES_OF_CLUSTER_ROLE && inputs.without_entry > 0 {
        let message = format!(
            "it is {} IAM roles, and may be at most {}: none is made for {} more that are bound; divide the namespaces between several \
             ClusterAWSRoles",
            instances.len(),
            quota::INSTANCES_OF_CLUSTER_ROLE,
            inputs.without_entry
        );
        return ConditionValue::new(Status::False, ConditionReason::TooManyInstances, message);
    }
    let not_ready: Vec<_> = instances.iter().filter(|instance| !instance.ready).collect();
    if !not_ready.is_empty() {
        let named = named(
            not_ready
                .iter()
                .map(|instance| (*instance, instance.reason.as_str())),
        );
        let message = format!(
            "{} of its {} IAM roles are not ready: {named}",
            not_ready.len(),
            instances.len()
        );
        return ConditionValue::new(Status::False, ConditionReason::InstancesNotReady, message);
    }
    let message = match instances.len() {
        0 => "nobody binds it".to_owned(),
        1 => "its IAM role is ready".to_owned(),
        all => format!("its {all} IAM roles are ready"),
    };
    ConditionValue::new(Status::True, ConditionReason::Ready, message)
}

/// The first few of these, with what is said of each.
fn named<'a>(said: impl ExactSizeIterator<Item = (&'a RoleInstance, &'a str)>) -> String {
    let more = match said.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let named = said.take(NAMED).map(|(instance, what)| {
        format!(
            "namespace {}, account {}: {what}",
            instance.namespace, instance.account
        )
    });
    let named: Vec<_> = named.collect();
    format!("{}{more}", named.join("; "))
}

/// Those with a finding; those first whose words are known.
fn found<'a>(
    instances: &'a [RoleInstance],
    finding: impl Fn(&'a RoleInstance) -> Option<&'a InstanceFinding>,
) -> Vec<(&'a RoleInstance, &'a InstanceFinding)> {
    let with = instances.iter().filter_map(|i| Some((i, finding(i)?)));
    let mut found: Vec<_> = with.collect();
    found.sort_by_key(|(_, finding)| finding.message.is_none());
    found
}

/// How many of them have a finding, and the first few.
fn summary(found: &[(&RoleInstance, &InstanceFinding)], of: usize, what: &str) -> String {
    let named = named(found.iter().map(|(instance, finding)| {
        let words = finding.message.as_deref();
        (*instance, words.unwrap_or(&finding.reason))
    }));
    format!("{} of its {of} IAM roles {what}: {named}", found.len())
}

fn reason_of(finding: &InstanceFinding) -> ConditionReason {
    ConditionReason::from_word(&finding.reason).unwrap_or(ConditionReason::AWSError)
}

fn tagged(instances: &[RoleInstance]) -> Option<ConditionValue> {
    let untagged = found(instances, |instance| instance.untagged.as_ref());
    let Some((_, first)) = untagged.first() else {
        return instances
            .iter()
            .any(|instance| instance.role_id.is_some())
            .then(|| {
                let message = "each IAM role has the tags of its AWSAccount";
                ConditionValue::new(Status::True, ConditionReason::UpToDate, message)
            });
    };
    let message = summary(
        &untagged,
        instances.len(),
        "are not tagged as their AWSAccounts say",
    );
    Some(ConditionValue::new(Status::False, reason_of(first), message))
}

fn capped(object: &DynamicObject, instances: &[RoleInstance]) -> Option<ConditionValue> {
    object.data.pointer("/spec/managedPolicyARNs")?;
    let found = found(instances, |instance| instance.capped.as_ref());
    let (cut_off, unknown): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|(_, finding)| reason_of(finding) == ConditionReason::Capped);
    if !cut_off.is_empty() {
        let message = summary(&cut_off, instances.len(), "are cut off by their boundary");
        return Some(ConditionValue::new(
            Status::True,
            ConditionReason::Capped,
            message,
        ));
    }
    if let Some((_, first)) = unknown.first() {
        let what = "may be cut off by their boundary, which is not known";
        let message = summary(&unknown, instances.len(), what);
        return Some(ConditionValue::new(Status::Unknown, reason_of(first), message));
    }
    instances
        .iter()
        .any(|instance| instance.role_id.is_some())
        .then(|| {
            let message = "nothing is known to be cut off from the managed policies of its IAM roles";
            ConditionValue::new(Status::False, ConditionReason::NotCapped, message)
        })
}
