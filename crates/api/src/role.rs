//! `AWSRole`: what.

use deputy_delegation::quota;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema;

/// What: the permissions of one IAM role.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "deputy.dev",
    version = "v1alpha1",
    kind = "AWSRole",
    plural = "awsroles",
    shortname = "awsr",
    category = "deputy",
    namespaced,
    status = "AWSRoleStatus",
    derive = "PartialEq",
    doc = "An AWSRole says what: the permissions of one IAM role, within every DelegationLimit of its namespace. Who may become it, AWSRoleBindings say.",
    selectable = ".spec.accountRef.name",
    printcolumn(name = "Account", type_ = "string", json_path = ".spec.accountRef.name"),
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
    printcolumn(name = "Role ARN", type_ = "string", json_path = ".status.roleARN"),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].status"#,
        priority = 1
    ),
    printcolumn(
        name = "Provisioned",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Provisioned")].status"#,
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.policies) || has(self.managedPolicyARNs)")
        .message("a role has policies or managedPolicyARNs, or both"),
)]
pub struct AWSRoleSpec {
    /// The account that the role is made in. Immutable: another account is another role.
    #[x_kube(validation = Rule::new("self == oldSelf").message("accountRef is immutable: make another AWSRole"))]
    pub account_ref: AccountRef,

    /// The role's permissions, 1 to 10 policies by name. They are compiled into one inline policy, which AWS limits to
    /// 10,240 characters. Absent: only `managedPolicyARNs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = "quota::POLICIES_OF_ROLE"))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub policies: Option<Vec<RolePolicy>>,

    /// Managed policies that are attached to the role, 1 to 10 by ARN: of AWS (`arn:aws:iam::aws:policy/…`) or of the role's own AWS
    /// account. Every limit that applies has to name each in `managedPolicies`. What they say is not compared with a limit: AWS holds them
    /// to the role's boundary, and the condition `CappedByBoundary` says what that cuts off.
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

    /// The longest session of the role: 1h to 12h. Sessions through the broker are limited further by their
    /// binding, the limits and the issuer.
    #[serde(default = "default_max_session_duration")]
    #[schemars(length(max = 32), regex(pattern = schema::DURATION))]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1h') && duration(self) <= duration('12h')").message("must be 1h to 12h"))]
    pub max_session_duration: String,
}

fn default_max_session_duration() -> String {
    "1h".to_owned()
}

/// An account by name.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AccountRef {
    /// Name of an AWSAccount.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::SUBDOMAIN))]
    pub name: String,
}

/// One named policy of a role.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RolePolicy {
    /// Its name in this list; AWS does not see it.
    #[schemars(length(min = 1, max = 63), regex(pattern = schema::LABEL))]
    pub name: String,

    /// An IAM policy in IAM's own spelling.
    #[schemars(schema_with = "schema::document")]
    pub document: Value,
}

/// What has become of a role.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AWSRoleStatus {
    /// `Accepted`: within every limit. `Provisioned`: in AWS as it should be. `Ready`: both. `Tagged`: with the tags of its
    /// AWSAccount; nothing waits for them. `CappedByBoundary`, of a role with managed policies: the boundary cuts off something of what
    /// they allow; the message has a request for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,

    /// The role's ARN: known before the role is made.
    #[serde(rename = "roleARN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub role_arn: Option<String>,

    /// The role's unique id in AWS, `AROA…`. Another one under the same ARN is another role.
    #[serde(rename = "roleID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub role_id: Option<String>,

    /// The permissions boundary that the role carries.
    #[serde(rename = "boundaryARN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub boundary_arn: Option<String>,

    /// The DelegationLimits that apply, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub limits: Vec<String>,
}
