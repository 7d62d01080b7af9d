//! `AWSRole`: what.

use deputy_delegation::quota;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{RoleSessionsStatus, schema};

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
    doc = "An AWSRole says what: the permissions of one IAM role, or a role that exists, within every DelegationLimit of its namespace. Who may become it, AWSRoleBindings say.",
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
    validation = Rule::new("has(self.existing) || has(self.policies) || has(self.managedPolicyARNs)")
        .message("a role has policies or managedPolicyARNs, or both, unless existing names a role that exists"),
    validation = Rule::new("!has(self.existing) || !(has(self.policies) || has(self.managedPolicyARNs) || has(self.maxSessionDuration) || has(self.deletionPolicy) || has(self.revocation))")
        .message("with existing, policies, managedPolicyARNs, maxSessionDuration, deletionPolicy and revocation are its owner's: leave them out")
        .field_path(".existing"),
    validation = Rule::new("has(self.existing) == has(oldSelf.existing)")
        .message("a role that exists and one that Deputy makes are two roles: make another AWSRole"),
)]
pub struct AWSRoleSpec {
    /// The account that the role is made in. Immutable: another account is another role.
    #[x_kube(validation = Rule::new("self == oldSelf").message("accountRef is immutable: make another AWSRole"))]
    pub account_ref: AccountRef,

    /// Of a role that Deputy makes.
    #[serde(flatten)]
    pub permissions: RolePermissions,

    /// A role that exists and is somebody else's: Deputy gives sessions of it, and never writes it. Every limit that applies has to name
    /// it in `existingRoles`. A session of it has the session policy of its binding, which is within the limits by itself; without one
    /// it gets the limit's boundary as session policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<ExistingRoleSpec>,
}

/// What an IAM role that Deputy makes is: the same of an AWSRole and of each one of a ClusterAWSRole.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RolePermissions {
    /// The permissions of the IAM role, 1 to 10 policies by name. They are compiled into one inline policy, which AWS limits to
    /// 10,240 characters. Absent: only `managedPolicyARNs`. Of a ClusterAWSRole, `${namespace}` in `Resource`, `NotResource` and the values of
    /// a `Condition` is the name of the namespace that binds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = "quota::POLICIES_OF_ROLE"))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub policies: Option<Vec<RolePolicy>>,

    /// Managed policies that are attached to the IAM role, 1 to 10 by ARN: of AWS (`arn:aws:iam::aws:policy/…`) or of the role's own AWS
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

    /// The longest session of the IAM role: 1h to 12h; absent: 1h. Sessions through the broker are limited further by their
    /// binding, the limits and the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = schema::DURATION))]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1h') && duration(self) <= duration('12h')").message("must be 1h to 12h"))]
    pub max_session_duration: Option<String>,

    /// What becomes of the IAM role when its object is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicySpec>,

    /// Whose running sessions end when somebody loses the IAM role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationSpec>,
}

/// Whose running sessions end when somebody loses the IAM role; absent: `Distinguishable`. It goes on when the binding is gone. Sessions of a
/// role that is suspended or deleted all end.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationSpec {
    /// Those of a ServiceAccount that no accepted binding names any more: they say by their tags whose they are, and no other is touched.
    /// Sessions of AWS principals, of identity providers and of pods that call STS themselves live until they expire; `status.sessions.remain`
    /// says when the last one has. So do sessions of a ServiceAccount that stays bound, and whose session policy becomes narrower.
    Distinguishable,
    /// Those as well. When one of those without Deputy's tags loses the role, all sessions without them that were issued before are denied
    /// everything, and again a minute after AWS has the trust policy without him: whoever keeps the role has to assume it again. When the
    /// session policy of a binding becomes narrower, the sessions of its ServiceAccounts that have the former one are denied everything: pods that
    /// run get others when their SDK asks for credentials again, which is when those that they have would expire, or when they are restarted.
    All,
}

/// What becomes of the IAM role when its object is deleted, and of one of a ClusterAWSRole also when the last binding of the namespace goes;
/// absent: `Delete`. `Retain` needs the leave of every limit that applies.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionPolicySpec {
    /// It is deleted.
    Delete,
    /// It stays, with its policies and its ARN, and nobody can become it: its trust policy denies everybody. An AWSRole of the same
    /// namespace and name, or a ClusterAWSRole of the same name that the namespace binds in that account, takes it back.
    Retain,
}

/// A role that exists.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ExistingRoleSpec {
    /// Its ARN, with its path; a role of the account. Immutable: another ARN is another role.
    #[serde(rename = "roleARN")]
    #[schemars(length(max = "schema::MAX_ARN"), regex(pattern = schema::ROLE_ARN))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("roleARN is immutable: make another AWSRole"))]
    pub role_arn: String,
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

/// A principal that the trust policy of a role leaves out.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LeftOutPrincipalStatus {
    /// Its ARN, as the subject has it.
    #[schemars(length(max = "schema::MAX_ARN"))]
    pub arn: String,

    /// The unique id of the one that was trusted and is gone; a subject that means whoever has the ARN now says `replaces` with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub id: Option<String>,

    /// `PrincipalReplaced`, `InvalidPrincipal` (AWS knows none of that ARN) or `TrustPolicyFull`.
    #[schemars(length(max = 64))]
    pub reason: String,
}

/// What has become of a role.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AWSRoleStatus {
    /// `Accepted`: within every limit. `Provisioned`: in AWS as it should be. `Ready`: both. `Tagged`: with the tags of its
    /// AWSAccount; nothing waits for them. `CappedByBoundary`, of a role with managed policies: the boundary cuts off something of what
    /// they allow; the message has a request for each. `PrincipalReplaced`: users or roles that it trusted were deleted.
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

    /// The longest session that AWS gives of a role that exists, such as `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub max_session_duration: Option<String>,

    /// Of a role that exists: the statements, as a JSON list, that its owner has to add to its trust policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub trust_statement: Option<String>,

    /// SHA-256 of the trust policy that its bindings ask for, with what subjects say that they replace, in hexadecimal: the role has it, but for
    /// `leftOutPrincipals`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub trust_hash: Option<String>,

    /// Principals that accepted bindings name, and that the trust policy leaves out: why, and what brings them back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::LEFT_OUT_SHOWN"))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub left_out_principals: Vec<LeftOutPrincipalStatus>,

    /// Whose sessions may run, and whose are cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<RoleSessionsStatus>,

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
