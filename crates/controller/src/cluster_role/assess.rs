//! *Assess*: from everything that was looked up, what is true of a ClusterAWSRole. Pure.

use deputy_api::{
    ClusterAWSRoleStatus, InstanceCounts, RoleInstance,
    conditions::{ConditionReason, Status},
};
use deputy_delegation::quota;

use super::dereference::ClusterRoleInputs;
use crate::{instances::FINALIZER, report::ConditionValue};

/// IAM roles that a message names.
const NAMED: usize = 5;

/// What is true of a ClusterAWSRole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterRoleAssessment {
    /// How many IAM roles there are of it.
    pub counts: InstanceCounts,
    /// Whether it does its job.
    pub ready: ConditionValue,
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
            let message = format!("{in_aws} IAM roles are being deleted");
            ConditionValue::new(Status::False, ConditionReason::Deleting, message)
        } else {
            ready(inputs, instances)
        },
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
        let named = not_ready.iter().take(NAMED).map(|instance| {
            format!(
                "namespace {}, account {}: {}",
                instance.namespace, instance.account, instance.reason
            )
        });
        let named: Vec<_> = named.collect();
        let more = match not_ready.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let message = format!(
            "{} of its {} IAM roles are not ready: {}{more}",
            not_ready.len(),
            instances.len(),
            named.join("; ")
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
