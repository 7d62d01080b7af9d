//! Whose sessions of an IAM role may run, as the status of the role has it.

use deputy_delegation::quota;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// Whose sessions of an IAM role may run, and whose are cut: denied everything. It is written before AWS is, so that it is known whatever
/// fails.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RoleSessionsStatus {
    /// The ServiceAccounts whose sessions may run: accepted bindings name them. The broker makes sessions for no other. At most 64; of an IAM
    /// role of a ClusterAWSRole 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::SERVICE_ACCOUNTS_RECORDED"), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub service_accounts: Vec<String>,

    /// SHA-256 over their names, in hexadecimal, where there are more: when it changes, the sessions of all others are cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub service_accounts_hash: Option<String>,

    /// The people whose sessions may run, each by a mark of the binding and of the subject that names them. The broker makes sessions for no
    /// other. At most 64, of a ClusterAWSRole 8 for each IAM role; of more, one SHA-256 over all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::SERVICE_ACCOUNTS_RECORDED"), inner(length(max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub people: Vec<String>,

    /// The sessions of people that are cut: of whom no accepted binding names any more, or of before a session policy changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_people: Option<CutPeopleStatus>,

    /// SHA-256, in hexadecimal, over each of those whose sessions the broker does not make: AWS principals, people and systems of identity
    /// providers, ServiceAccounts that call STS themselves. At most 64, of a ClusterAWSRole 8 for each IAM role; of more, one over all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::SERVICE_ACCOUNTS_RECORDED"), inner(length(max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub others: Vec<String>,

    /// The sessions that are cut. At most 64, of a ClusterAWSRole 8 for each IAM role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::SERVICE_ACCOUNTS_RECORDED"))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub cut: Vec<CutSessionsStatus>,

    /// The sessions of everybody that are cut: also of whom accepted bindings name, who get others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub everybody: Option<EverybodysSessionsStatus>,

    /// The sessions without Deputy's tags that are cut: also of whom accepted bindings name, who assumes the role again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untagged: Option<UntaggedSessionsStatus>,

    /// What session policies leave to the sessions of ServiceAccounts, where one of their bindings has any. At most 64, of an IAM role of a
    /// ClusterAWSRole 2; of more, one over all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::SERVICE_ACCOUNTS_RECORDED"))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub session_policies: Vec<SessionPoliciesStatus>,

    /// Sessions of ServiceAccounts that are bound still, and are not known to get all of it any more: another session policy came. With
    /// `revocation: All` they are cut. At most 64, or 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::SERVICE_ACCOUNTS_RECORDED"))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub narrowed: Vec<NarrowedSessionsStatus>,

    /// Sessions that should be cut and can't be, or are not to be: how long the last of them may run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub remain: Vec<RemainingSessionsStatus>,
}

/// Sessions that are cut.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CutSessionsStatus {
    /// Whose: a ServiceAccount that no accepted binding names any more. Absent: those of all whom none names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub service_account: Option<String>,

    /// Those that were issued before this time: 10 minutes after the removal was seen.
    #[schemars(schema_with = "schema::time")]
    pub before: Time,

    /// Then the last of them is over, and the deny is taken out of the role's policy.
    #[schemars(schema_with = "schema::time")]
    pub until: Time,
}

/// Sessions of people that are cut.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CutPeopleStatus {
    /// Those that were issued before this time, 10 minutes after the change was seen, and whose mark is not in `people`.
    #[schemars(schema_with = "schema::time")]
    pub before: Time,

    /// Whether those with such a mark are cut as well: AWS has no room to say which go on. The broker makes none before that time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,

    /// Then the last of them is over, and the deny is taken out of the role's policy.
    #[schemars(schema_with = "schema::time")]
    pub until: Time,
}

/// Everybody's sessions that are cut: a role whose former namespace is gone was taken over.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct EverybodysSessionsStatus {
    /// Those that were issued before this time. The broker gives none of those to pods any more.
    #[schemars(schema_with = "schema::time")]
    pub before: Time,

    /// Then the last of them is over, and the deny is taken out of the role's policy.
    #[schemars(schema_with = "schema::time")]
    pub until: Time,
}

/// Sessions without Deputy's tags that are cut: `revocation` is `All`, and one whose sessions have none lost the role.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct UntaggedSessionsStatus {
    /// Those that were issued before this time.
    #[schemars(schema_with = "schema::time")]
    pub before: Time,

    /// Then the last of them is over, and the deny is taken out of the role's policy.
    #[schemars(schema_with = "schema::time")]
    pub until: Time,

    /// When AWS had the trust policy without who lost the role. As AWS takes a while to be the same everywhere, they are cut once more a
    /// minute later. Absent: it is not known to have it; they are cut every hour until it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub closed: Option<Time>,
}

/// What session policies leave to the sessions of a ServiceAccount.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SessionPoliciesStatus {
    /// Whose. Absent: of all, where there are more than can be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub service_account: Option<String>,

    /// A SHA-256 over them, the first 128 bits in hexadecimal.
    #[schemars(length(max = 32))]
    pub hash: String,
}

/// Sessions of a ServiceAccount that is bound still, from before it got less.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct NarrowedSessionsStatus {
    /// Whose. Absent: of all that get no session without a session policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub service_account: Option<String>,

    /// The hash in `sessionPolicies` of what it had: where it has just that again, this entry goes. Absent: it had all of the role, or several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub hash: Option<String>,

    /// Those that were issued before this time, 10 minutes after the change was seen, and whose tag `deputy-session-policy` says that they have
    /// another session policy than those of now.
    #[schemars(schema_with = "schema::time")]
    pub before: Time,

    /// Then the last of them is over.
    #[schemars(schema_with = "schema::time")]
    pub until: Time,
}

/// Sessions that should be cut and can't be, or are not to be.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RemainingSessionsStatus {
    /// Why.
    pub reason: RemainingReason,

    /// Then the last of them is over.
    #[schemars(schema_with = "schema::time")]
    pub until: Time,
}

/// Why sessions are not cut.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemainingReason {
    /// They are not the broker's, and have no tag that says whose they are.
    NotTagged,
    /// AWS takes 10,240 characters of inline policies, and the deny does not fit beside those of the role.
    NoRoom,
    /// They have a former session policy, which is not known to allow no more than that of now; and `revocation` is not `All`.
    FormerPolicy,
}
