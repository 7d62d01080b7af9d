//! `AWSFederatedUserBinding`: who becomes a federated user.

use std::collections::BTreeMap;

use deputy_delegation::quota;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AccountRef, schema};

/// Who: ServiceAccounts that become a federated user, and what its sessions may do.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "deputy.dev",
    version = "v1alpha1",
    kind = "AWSFederatedUserBinding",
    plural = "awsfederateduserbindings",
    shortname = "awsfub",
    category = "deputy",
    namespaced,
    status = "AWSFederatedUserBindingStatus",
    derive = "PartialEq",
    doc = "An AWSFederatedUserBinding says who: ServiceAccounts of its namespace that become a federated user of an account (GetFederationToken), without any role, and what its sessions may do.",
    printcolumn(name = "User", type_ = "string", json_path = ".spec.userName"),
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
        name = "Federated User ARN",
        type_ = "string",
        json_path = ".status.federatedUserARN"
    ),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].status"#,
        priority = 1
    ),
    printcolumn(
        name = "Subjects",
        type_ = "string",
        json_path = ".spec.subjects",
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
pub struct AWSFederatedUserBindingSpec {
    /// The account in which the federated user is. It needs a federation user (`spec.federation`). Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("accountRef is immutable: make another AWSFederatedUserBinding"))]
    pub account_ref: AccountRef,

    /// The name of the federated user, which every limit that applies has to allow (`federatedUsers`). It belongs to one namespace of an
    /// account, whatever its case: that of the oldest binding of it. Resource policies name it by `status.federatedUserARN`. Immutable.
    #[schemars(length(min = 2, max = 32), regex(pattern = schema::FEDERATED_USER))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("userName is immutable: make another AWSFederatedUserBinding"))]
    pub user_name: String,

    /// Who becomes the federated user: 1 to 100.
    #[schemars(length(min = 1, max = "quota::SUBJECTS_OF_BINDING"))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub subjects: Vec<FederatedSubjectSpec>,

    /// What a session may do, and how it looks.
    pub session: FederatedSessionSpec,
}

/// Who becomes a federated user.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FederatedSubjectSpec {
    /// The kind of subject.
    pub kind: FederatedSubjectKind,

    /// The name of a ServiceAccount, always of this namespace and matched by name: one that is made again is the same subject.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::SUBDOMAIN))]
    pub name: String,
}

/// Kinds of subjects of a federated user.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FederatedSubjectKind {
    /// Pods of a ServiceAccount.
    #[default]
    ServiceAccount,
}

/// What a session of a federated user may do, and how it looks.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.policy) != self.resourcePolicyOnly").message("one of policy and resourcePolicyOnly: true is required, and not both: without a session policy AWS gives a federated user nothing but what resource policies grant it by name"))]
pub struct FederatedSessionSpec {
    /// An IAM policy in IAM's own spelling: the session gets what this policy and the account's federation user both allow. It has to be
    /// within the ceiling of every limit that applies by itself. Managed policies can't be named: what they say is not known, and a
    /// federated user has no permissions boundary that would hold them.
    #[serde(
        default,
        deserialize_with = "schema::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(schema_with = "schema::document")]
    pub policy: Option<Value>,

    /// That the session is to have nothing but what resource policies grant that name `status.federatedUserARN`.
    #[serde(default)]
    pub resource_policy_only: bool,

    /// Life of a session: 15m to 36h, and no longer than `session.maxFederatedDuration` of every limit that applies. Absent: the account's
    /// default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = schema::DURATION))]
    #[x_kube(validation = Rule::new("duration(self) >= duration('15m') && duration(self) <= duration('36h')").message("must be 15m to 36h"))]
    pub duration: Option<String>,

    /// Session tags, at most 40, each with its value allowed by every limit that applies. Keys: 1 to 128 characters, not starting with
    /// `aws:` or `deputy-`, and different even when case is ignored, as AWS compares them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::tags")]
    pub tags: BTreeMap<String, String>,
}

/// What has become of a binding of a federated user.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AWSFederatedUserBindingStatus {
    /// `Accepted`: within every limit, and its name is this namespace's. `Ready`: pods of its ServiceAccounts get credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,

    /// ARN of the federated user, for resource policies. Absent while the binding is not accepted: the name may be somebody else's.
    #[serde(rename = "federatedUserARN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub federated_user_arn: Option<String>,
}
