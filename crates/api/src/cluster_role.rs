//! `ClusterAWSRole`: what, for several namespaces.

use deputy_delegation::quota;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::{LeftOutPrincipalStatus, RolePermissions, RoleSessionsStatus, schema};

/// What, as a template: one IAM role for each namespace and account that binds it.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "deputy.dev",
    version = "v1alpha1",
    kind = "ClusterAWSRole",
    plural = "clusterawsroles",
    shortname = "cawsr",
    category = "deputy",
    status = "ClusterAWSRoleStatus",
    derive = "PartialEq",
    doc = "A ClusterAWSRole says what, for several namespaces: each namespace and account that binds it gets an IAM role of its own, within every DelegationLimit of that namespace. Who may become it, AWSRoleBindings say.",
    printcolumn(name = "Instances", type_ = "integer", json_path = ".status.counts.total"),
    printcolumn(
        name = "Instances ready",
        type_ = "integer",
        json_path = ".status.counts.ready"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    ),
    printcolumn(
        name = "Since",
        type_ = "date",
        json_path = r#".status.conditions[?(@.type=="Ready")].lastTransitionTime"#,
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.policies) || has(self.managedPolicyARNs)")
        .message("a role has policies or managedPolicyARNs, or both"),
)]
pub struct ClusterAWSRoleSpec {
    /// The namespaces that may bind it: names, and patterns on names in which `*` stands for any characters. Never labels, which a
    /// tenant may be able to set.
    #[schemars(
        length(min = 1, max = "quota::NAMESPACES_OF_CLUSTER_ROLE"),
        inner(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9*-]+$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub namespaces: Vec<String>,

    /// Of each of its IAM roles.
    #[serde(flatten)]
    pub permissions: RolePermissions,
}

/// What has become of a ClusterAWSRole.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ClusterAWSRoleStatus {
    /// `Ready`: it can be read, and each of its IAM roles is ready. `Tagged`: each has the tags of its AWSAccount; nothing waits for them.
    /// `CappedByBoundary`, with managed policies: the boundary of one of its IAM roles cuts off something of what they allow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// The `metadata.generation` that the conditions are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,

    /// How many IAM roles there are of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<InstanceCounts>,

    /// Its IAM roles, at most 1,000: one for each namespace and account that binds it. An entry is there from before the first call to
    /// AWS until the IAM role is gone.
    #[serde(default)]
    #[schemars(length(max = "quota::INSTANCES_OF_CLUSTER_ROLE"))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["namespace".into(), "account".into()]))]
    pub instances: Vec<RoleInstance>,
}

/// How many IAM roles there are of a ClusterAWSRole.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct InstanceCounts {
    /// All.
    #[schemars(range(min = 0))]
    pub total: i32,

    /// Those that are ready.
    #[schemars(range(min = 0))]
    pub ready: i32,
}

/// What a ClusterAWSRole is in one namespace and account.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RoleInstance {
    /// The namespace that binds it.
    #[schemars(length(max = 63))]
    pub namespace: String,

    /// The AWSAccount that the binding names.
    #[schemars(length(max = 253))]
    pub account: String,

    /// The role's ARN: known before the role is made.
    #[serde(rename = "roleARN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub role_arn: Option<String>,

    /// The role's unique id in AWS, `AROA…`. Another one under the same ARN is another role.
    #[serde(rename = "roleID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub role_id: Option<String>,

    /// SHA-256 of the trust policy that its bindings ask for, with what subjects say that they replace, in hexadecimal: the role has it, but for
    /// `leftOutPrincipals`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub trust_hash: Option<String>,

    /// Principals that accepted bindings name, and that the trust policy leaves out; at most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::LEFT_OUT_OF_INSTANCE"))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub left_out_principals: Vec<LeftOutPrincipalStatus>,

    /// Whose sessions may run, and whose are cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<RoleSessionsStatus>,

    /// Whether it is within every limit of the namespace, and in AWS as it should be.
    pub ready: bool,

    /// Why it is ready or not, for machines: a reason of the conditions of an AWSRole.
    #[schemars(length(max = 64))]
    pub reason: String,

    /// Why, for people.
    #[schemars(length(max = 512))]
    pub message: String,

    /// Why AWS refuses the tags of its AWSAccount, which holds up nothing else. Absent: it has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untagged: Option<InstanceFinding>,

    /// What its boundary cuts off from its managed policies, or why that is not known. Absent: nothing is known to be cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capped: Option<InstanceFinding>,

    /// The `metadata.generation` of the ClusterAWSRole that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,

    /// When `ready` last changed; of one that was never ready, when it was written down.
    #[schemars(schema_with = "schema::time")]
    pub last_transition_time: Time,
}

/// Something about one IAM role of a ClusterAWSRole that holds up nothing.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct InstanceFinding {
    /// What, for machines: the reason of the condition that an AWSRole would have.
    #[schemars(length(max = 64))]
    pub reason: String,

    /// What, for people; of at most 20 IAM roles of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub message: Option<String>,
}
