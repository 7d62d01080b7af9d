//! `AWSResourcePolicyStatement`: one statement of the policy of a bucket, queue or topic.

use deputy_delegation::quota;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AccountRef, schema};

/// A grant by a resource policy: one statement of the policy of a bucket, queue or topic, for roles and federated users of this namespace.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "deputy.dev",
    version = "v1alpha1",
    kind = "AWSResourcePolicyStatement",
    plural = "awsresourcepolicystatements",
    shortname = "awsrps",
    category = "deputy",
    namespaced,
    status = "AWSResourcePolicyStatementStatus",
    derive = "PartialEq",
    doc = "An AWSResourcePolicyStatement is one statement of the policy of a bucket, queue or topic. It grants something to roles and federated users that Deputy makes in its namespace, and to nobody else. All else in that policy is somebody else's and stays as it is.",
    printcolumn(name = "Resource", type_ = "string", json_path = ".spec.resourceARN"),
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
    printcolumn(name = "Sid", type_ = "string", json_path = ".status.sid", priority = 1),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].status"#,
        priority = 1
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
pub struct AWSResourcePolicyStatementSpec {
    /// The account whose the resource is. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("accountRef is immutable: make another AWSResourcePolicyStatement"))]
    pub account_ref: AccountRef,

    /// ARN of the bucket (not of objects in it), queue or topic, which every limit that applies has to allow (`resourcePolicies`).
    /// Immutable.
    #[serde(rename = "resourceARN")]
    #[schemars(length(max = 320), regex(pattern = schema::POLICY_RESOURCE_ARN))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("resourceARN is immutable: make another AWSResourcePolicyStatement"))]
    pub resource_arn: String,

    /// Who gets it: 1 to 20.
    #[schemars(length(min = 1, max = "quota::PRINCIPALS_OF_STATEMENT"))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub principals: Vec<StatementPrincipalSpec>,

    /// What they get: `Action`, `Resource` and `Condition` of an Allow in IAM's own spelling. `Resource` is the resource itself, or of a
    /// bucket what is in it; absent, it is the resource itself. The Allow has to be within the ceiling of every limit that applies. `Sid`
    /// and `Principal` are Deputy's to set.
    #[schemars(schema_with = "schema::document")]
    pub statement: Value,
}

/// Whom a statement names.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StatementPrincipalSpec {
    /// `AWSRole` of this namespace, `ClusterAWSRole` as it is in this namespace and account, or `AWSFederatedUserBinding` of this
    /// namespace, which means its federated user.
    pub kind: StatementPrincipalKind,

    /// Its name. It may come later than the statement.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::SUBDOMAIN))]
    pub name: String,
}

/// Kinds of principals of a statement.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementPrincipalKind {
    /// An IAM role of this namespace.
    AWSRole,
    /// An IAM role of this namespace, made of a template.
    ClusterAWSRole,
    /// A federated user of this namespace.
    AWSFederatedUserBinding,
}

/// What has become of a statement.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AWSResourcePolicyStatementStatus {
    /// `Accepted`: within every limit. `Ready`: the policy in AWS has the statement, with all its principals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,

    /// `Sid` of the statement in AWS. Once it is here, whatever has this `Sid` in that policy is this object's, and goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub sid: Option<String>,

    /// ARNs of the principals that the statement names in AWS.
    #[serde(rename = "principalARNs", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = "quota::PRINCIPALS_OF_STATEMENT"),
        inner(length(max = "schema::MAX_ARN"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub principal_arns: Vec<String>,
}
