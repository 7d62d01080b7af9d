//! `ClusterAWSRole`: what, for several namespaces.

use deputy_delegation::quota;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::{RolePolicy, schema};

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

    /// The permissions of each of its IAM roles, 1 to 10 policies by name. They are compiled into one inline policy, which AWS limits
    /// to 10,240 characters. In `Resource`, `NotResource` and the values of a `Condition`, `${namespace}` is the name of the namespace
    /// that binds it. Absent: only `managedPolicyARNs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = "quota::POLICIES_OF_ROLE"))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub policies: Option<Vec<RolePolicy>>,

    /// Managed policies that are attached to each of its IAM roles, 1 to 10 by ARN, as with an AWSRole.
    #[serde(
        rename = "managedPolicyARNs",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(
        length(min = 1, max = "quota::MANAGED_POLICIES_OF_ROLE"),
        inner(length(min = 1, max = "schema::MAX_POLICY_ARN"), regex(pattern = schema::MANAGED_POLICY_ARN))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub managed_policy_arns: Option<Vec<String>>,

    /// The longest session of each of its IAM roles: 1h to 12h; absent: 1h. Sessions through the broker are limited further by their binding, the
    /// limits and the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = schema::DURATION))]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1h') && duration(self) <= duration('12h')").message("must be 1h to 12h"))]
    pub max_session_duration: Option<String>,
}

/// What has become of a ClusterAWSRole.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ClusterAWSRoleStatus {
    /// `Ready`: it can be read, and each of its IAM roles is ready.
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

    /// SHA-256 of the trust policy that the role has, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub trust_hash: Option<String>,

    /// Whether it is within every limit of the namespace, and in AWS as it should be.
    pub ready: bool,

    /// Why it is ready or not, for machines: a reason of the conditions of an AWSRole.
    #[schemars(length(max = 64))]
    pub reason: String,

    /// Why, for people.
    #[schemars(length(max = 512))]
    pub message: String,

    /// The `metadata.generation` of the ClusterAWSRole that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,

    /// When `ready` last changed; of one that was never ready, when it was written down.
    #[schemars(schema_with = "schema::time")]
    pub last_transition_time: Time,
}
