//! What has become of a `DelegationLimit`: its boundary policies, and the grants that it applies to.

use deputy_delegation::{boundary::Sealed, quota};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// What has become of a limit.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct DelegationLimitStatus {
    /// `Ready`: the limit can be read, and its boundary policies are in AWS as they should be. `Tagged`: they
    /// have the tags of their AWSAccounts; nothing waits for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,

    /// The boundary policies, one for each account: each is looked at, written and said by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["account".into()]))]
    pub boundaries: Vec<BoundaryStatus>,

    /// How many roles and bindings, also of federated users, the limit applies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<GrantCounts>,

    /// Of a dry run: which of the accepted roles and bindings the limit would refuse if it was enforced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would_refuse: Option<WouldRefuse>,

    /// In how many of the accepted roles and session policies, also of federated users, each Allow of the ceiling is used, for the first 256 of them: without one that is
    /// used in none all stay accepted. Where several statements cover the same, one of them counts. Not of a dry run, by which
    /// nothing is accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::STATEMENTS_SHOWN"))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["statement".into()]))]
    pub ceiling_use: Vec<StatementUse>,
}

/// In how many grants a statement of a ceiling is used.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StatementUse {
    /// Its place in the ceiling, from 0.
    #[schemars(range(min = 0))]
    pub statement: i32,

    /// Its `Sid`, if it has one, cut at 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub sid: Option<String>,

    /// How many roles and bindings.
    #[schemars(range(min = 0))]
    pub grants: i32,
}

/// What a dry run would refuse.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct WouldRefuse {
    /// How many roles and bindings.
    #[schemars(range(min = 0))]
    pub count: i32,

    /// The first 20 of them, by kind, namespace and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::REFUSALS_SHOWN"))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub grants: Vec<RefusedGrant>,
}

/// A role or binding that a dry run would refuse.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RefusedGrant {
    /// `AWSRole` or `AWSRoleBinding`.
    #[schemars(length(max = 63))]
    pub kind: String,

    /// Its namespace.
    #[schemars(length(max = 63))]
    pub namespace: String,

    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,

    /// The reason of the first violation, as in the condition `Accepted`.
    #[schemars(length(max = 63))]
    pub reason: String,

    /// The first violation, cut at 256 characters, and how many more there are.
    #[schemars(length(max = 512))]
    pub message: String,
}

/// The boundary policy of the limit in one account, as it was when AWS was last looked at.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct BoundaryStatus {
    /// The AWSAccount it is in.
    #[schemars(length(max = 253))]
    pub account: String,

    /// Its ARN. Absent while AWS has no such policy, as far as anybody knows.
    #[serde(rename = "policyARN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub policy_arn: Option<String>,

    /// SHA-256 of the document that AWS has, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub document_hash: Option<String>,

    /// Its default version, such as `v3`.
    #[serde(rename = "versionID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub version_id: Option<String>,

    /// How far it denies explicitly what lies outside the ceiling. Of a policy that Deputy writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedStatus>,

    /// Whether it is known to allow no more than the limit. Of a policy that somebody else writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<bool>,

    /// SHA-256 of what it was compared with, in hexadecimal: the ceiling, without what is Deputy's own. Of a policy that somebody else
    /// writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub ceiling_hash: Option<String>,

    /// When AWS was last looked at: all above is as it was then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_verified: Option<Time>,

    /// Why it is not as it should be. Absent when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<BoundaryProblem>,

    /// What AWS refuses of its tags; nothing waits for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untagged: Option<BoundaryProblem>,
}

/// What is wrong with a boundary policy.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BoundaryProblem {
    /// As the reasons of conditions.
    #[schemars(length(max = 63))]
    pub reason: String,

    /// For people; cut at 1,024 characters.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// How far a boundary denies explicitly what lies outside the ceiling. What it only does not allow, a resource policy that names a
/// role's session, or everybody, can still give.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SealedStatus {
    /// Whether every action outside the ceiling is denied.
    pub actions: bool,

    /// How many of the ceiling's Allow statements have their actions denied on all other resources: `all`, or `2 of 3`.
    #[schemars(length(max = 32))]
    pub resources: String,

    /// What is not sealed, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 1024)))]
    pub open: Vec<String>,
}

impl From<&Sealed> for SealedStatus {
    fn from(sealed: &Sealed) -> Self {
        Self {
            actions: sealed.actions,
            resources: if sealed.statements == sealed.of {
                "all".to_owned()
            } else {
                format!("{} of {}", sealed.statements, sealed.of)
            },
            open: sealed.open.clone(),
        }
    }
}

/// How many roles and bindings a limit applies to.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct GrantCounts {
    /// Those accepted.
    #[schemars(range(min = 0))]
    pub accepted: i32,

    /// Those not accepted: nobody gets credentials through them.
    #[schemars(range(min = 0))]
    pub suspended: i32,
}
