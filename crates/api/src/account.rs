//! `AWSAccount`: where.

use std::collections::BTreeMap;

use deputy_delegation::quota;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::{SessionMethodSpec, schema};

/// Where: one AWS account, and who Deputy is there.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "deputy.dev",
    version = "v1alpha1",
    kind = "AWSAccount",
    plural = "awsaccounts",
    shortname = "awsacct",
    category = "deputy",
    status = "AWSAccountStatus",
    derive = "PartialEq",
    doc = "An AWSAccount says where: one AWS account, and who Deputy is there. It grants nothing by itself.",
    printcolumn(name = "Account", type_ = "string", json_path = ".spec.accountID"),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region"),
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
    // As `Region::partition` has it.
    validation = Rule::new("(self.region.startsWith('cn-') ? 'aws-cn' : self.region.startsWith('us-gov-') ? 'aws-us-gov' : self.region.startsWith('us-iso-') ? 'aws-iso' : self.region.startsWith('us-isob-') ? 'aws-iso-b' : self.region.startsWith('eu-isoe-') ? 'aws-iso-e' : self.region.startsWith('us-isof-') ? 'aws-iso-f' : self.region.startsWith('eusc-') ? 'aws-eusc' : self.region.matches('^[a-z][a-z]-[a-z]+-[0-9]+$') ? 'aws' : self.partition) == self.partition")
        .message("region is a region of another partition than spec.partition, which is aws when it is left out")
        .field_path(".region"),
    validation = Rule::new("self.issuer.principalARN.startsWith('arn:' + self.partition + ':')")
        .message("issuer.principalARN must be in spec.partition")
        .field_path(".issuer.principalARN"),
    validation = Rule::new("!has(self.previousIssuers) || self.previousIssuers.all(i, i.principalARN.startsWith('arn:' + self.partition + ':') && i.principalARN != self.issuer.principalARN)")
        .message("previousIssuers must be in spec.partition, and others than issuer")
        .field_path(".previousIssuers"),
    validation = Rule::new("!has(self.provisioner) || self.provisioner.assumeRole.roleARN.startsWith('arn:' + self.partition + ':iam::' + self.accountID + ':role/')")
        .message("provisioner.assumeRole.roleARN must be a role of this account and partition: roles are made where it lives")
        .field_path(".provisioner.assumeRole.roleARN"),
    validation = Rule::new("!has(self.boundaryWriter) || self.boundaryWriter.assumeRole.roleARN.startsWith('arn:' + self.partition + ':iam::' + self.accountID + ':role/')")
        .message("boundaryWriter.assumeRole.roleARN must be a role of this account and partition: policies are made where it lives")
        .field_path(".boundaryWriter.assumeRole.roleARN"),
    validation = Rule::new("!has(self.federation) || self.federation.userARN.startsWith('arn:' + self.partition + ':iam::' + self.accountID + ':user/')")
        .message("federation.userARN must be a user of this account and partition: its federated users are there")
        .field_path(".federation.userARN"),
    validation = Rule::new("!has(self.federation) || (self.federation.userARN != self.issuer.principalARN && (!has(self.previousIssuers) || self.previousIssuers.all(i, i.principalARN != self.federation.userARN)))")
        .message("federation.userARN must be another one than the issuer: a federated user has what its user has")
        .field_path(".federation.userARN"),
    validation = Rule::new("!has(self.oidc) || self.oidc.providerARN.startsWith('arn:' + self.partition + ':iam::' + self.accountID + ':oidc-provider/')")
        .message("oidc.providerARN must be a provider of this account and partition: AWS takes no other in a role's trust policy")
        .field_path(".oidc.providerARN"),
    validation = Rule::new("self.defaults.method != 'AssumeRoleWithWebIdentity' || has(self.oidc)")
        .message("defaults.method AssumeRoleWithWebIdentity needs oidc: the provider by which AWS knows this cluster's tokens")
        .field_path(".defaults.method"),
    validation = Rule::new("!(self.issuer.principalARN.contains(':role/') || has(self.previousIssuers) && self.previousIssuers.exists(i, i.principalARN.contains(':role/'))) || duration(self.defaults.sessionDuration) <= duration('1h')")
        .message("defaults.sessionDuration must be at most 1h when the issuer, or one of before, is a role: AWS caps role chaining")
        .field_path(".defaults.sessionDuration"),
)]
pub struct AWSAccountSpec {
    /// The account's id: twelve digits, in quotes, or YAML makes it a number and drops leading zeros. Immutable. An AWS
    /// account has one AWSAccount: of two, the older one counts, and the other one grants nothing.
    #[serde(rename = "accountID")]
    #[schemars(length(max = 12), regex(pattern = r"^[0-9]{12}$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("accountID is immutable"))]
    pub account_id: String,

    /// The account's partition: `aws`, `aws-cn`, `aws-us-gov`, … Immutable.
    #[serde(default = "default_partition")]
    #[schemars(length(max = 32), regex(pattern = r"^aws(-[a-z0-9]+)*$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("partition is immutable"))]
    pub partition: String,

    /// The region whose STS endpoint is called, and `AWS_REGION` of pods that set none. A region of the partition.
    #[schemars(length(max = 32), regex(pattern = r"^[a-z0-9]+(-[a-z0-9]+)+$"))]
    pub region: String,

    /// Who calls `sts:AssumeRole` for pods, and whom the trust policies of Deputy's roles name.
    pub issuer: IssuerSpec,

    /// Who was the issuer before, while that changes: trust policies let them in as well, and a broker may still be one of them. Put the
    /// former `issuer` here when another takes its place, and take it away once no broker is it any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = "quota::PREVIOUS_ISSUERS"))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["principalARN".into()]))]
    pub previous_issuers: Vec<IssuerSpec>,

    /// The IAM user whose keys `deputy broker` has to call GetFederationToken: for AWSFederatedUserBindings. Absent: there are no federated
    /// users in the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federation: Option<FederationSpec>,

    /// The identity that writes roles. Absent: the ambient identity of `deputy controller`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioner: Option<IdentitySpec>,

    /// The identity that writes boundary policies. Absent: the ambient identity of `deputy limits`. Keep it apart
    /// from the provisioner, so that who makes roles can't widen their boundary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary_writer: Option<IdentitySpec>,

    /// How AWS knows the tokens of this cluster's ServiceAccounts: for bindings of method `AssumeRoleWithWebIdentity`. On EKS the
    /// provider may be there already; `deputy bootstrap oidc` helps with a cluster of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcSpec>,

    /// How sessions of people look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<PeopleSpec>,

    /// What bindings get that don't say otherwise.
    #[serde(default)]
    pub defaults: AccountDefaults,

    /// AWS tags on every role and boundary policy, at most 40. Keys: 1 to 128 characters, not starting with `aws:` or
    /// `deputy-`, and different even when case is ignored, as IAM compares them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::tags")]
    pub tags: BTreeMap<String, String>,

    /// Other clusters with the same `clusterName` whose roles and boundary policies in this account this cluster takes over: what
    /// `kubectl get namespace kube-system -o jsonpath='{.metadata.uid}'` says there. For a cluster that was made anew under its name, or one that
    /// gives up what it made. Without it they are left alone (`Conflict`), and by no means are they deleted before they are taken over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = "quota::CLUSTERS_TO_ADOPT"),
        inner(length(min = 36, max = 63), regex(pattern = r"^[A-Za-z0-9-]+$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub adopt_from: Vec<String>,

    /// Endpoints to call instead of AWS's own: private ones, and test doubles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<EndpointsSpec>,
}

fn default_partition() -> String {
    "aws".to_owned()
}

/// Who calls `sts:AssumeRole`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IssuerSpec {
    /// ARN of the role or user that `deputy broker` runs as. A role is limited by AWS to sessions of one hour.
    #[serde(rename = "principalARN")]
    #[schemars(length(max = "schema::MAX_ARN"), regex(pattern = schema::ISSUER_ARN))]
    pub principal_arn: String,

    /// Whether its sessions have a source identity, which AWS then hands on to every session that they make. That is so where it is a
    /// role that IAM Roles Anywhere gives: without this, AWS refuses the broker every role. Roles that exist have to allow it, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_source_identity: bool,
}

/// How sessions of people look: of users and groups of the cluster.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PeopleSpec {
    /// Whether a session has its person's name as source identity, which AWS keeps through all roles that are assumed from it. Those roles
    /// then have to allow `sts:SetSourceIdentity`, and so has the broker's policy: `deputy bootstrap aws` prints it. Not of sessions of roles that exist already, and not beside an issuer that has a source
    /// identity itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub source_identity: bool,
}

/// Who calls `sts:GetFederationToken`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct FederationSpec {
    /// ARN of an IAM user of this account, and not the issuer. A federated user has at most what this user has, so its policies are to
    /// be `sts:GetFederationToken` on the names that limits allow, the ceilings of those limits, and nothing else.
    #[serde(rename = "userARN")]
    #[schemars(length(max = "schema::MAX_ARN"), regex(pattern = schema::USER_ARN))]
    pub user_arn: String,
}

/// An identity other than the ambient one.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IdentitySpec {
    /// The role to assume first.
    pub assume_role: AssumeRoleSpec,
}

/// A role to assume before calling IAM.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AssumeRoleSpec {
    /// Its ARN; a role of this account.
    #[serde(rename = "roleARN")]
    #[schemars(length(max = "schema::MAX_ARN"), regex(pattern = schema::ROLE_ARN))]
    pub role_arn: String,

    /// The external id that its trust policy asks for.
    #[serde(rename = "externalID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 1224), regex(pattern = r"^[A-Za-z0-9_+=,.@:/-]+$"))]
    pub external_id: Option<String>,
}

/// An OIDC provider of IAM.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OidcSpec {
    /// Its ARN: `arn:<partition>:iam::<account>:oidc-provider/<host>[/<path>]`, of this account. What comes after
    /// the first slash is the issuer of the tokens without `https://`.
    #[serde(rename = "providerARN")]
    #[schemars(length(max = 320), regex(pattern = schema::OIDC_PROVIDER_ARN))]
    pub provider_arn: String,

    /// The audience of the tokens that pods get: one of the provider's client ids.
    #[serde(default = "default_audience")]
    #[schemars(length(min = 1, max = 255), regex(pattern = schema::AUDIENCE))]
    pub audience: String,
}

fn default_audience() -> String {
    "sts.amazonaws.com".to_owned()
}

/// What bindings get that don't say otherwise.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AccountDefaults {
    /// By which call of STS pods get sessions.
    #[serde(default)]
    pub method: SessionMethodSpec,

    /// Life of a session: 30m to 12h, to 1h when the issuer is a role.
    #[serde(default = "default_session_duration")]
    #[schemars(length(max = 32), regex(pattern = schema::DURATION))]
    #[x_kube(validation = Rule::new("duration(self) >= duration('30m') && duration(self) <= duration('12h')").message("must be 30m to 12h"))]
    pub session_duration: String,
}

impl Default for AccountDefaults {
    fn default() -> Self {
        Self {
            method: SessionMethodSpec::default(),
            session_duration: default_session_duration(),
        }
    }
}

fn default_session_duration() -> String {
    "1h".to_owned()
}

/// Endpoints to call instead of AWS's own.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct EndpointsSpec {
    /// URL of IAM: `https://…`, or `http://` to 127.0.0.1 or [::1] only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = schema::ENDPOINT))]
    pub iam: Option<String>,

    /// URL of STS: `https://…`, or `http://` to 127.0.0.1 or [::1] only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = schema::ENDPOINT))]
    pub sts: Option<String>,

    /// URL of Amazon S3, as the others; buckets are named in its path. For AWSResourcePolicyStatements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = schema::ENDPOINT))]
    pub s3: Option<String>,

    /// URL of Amazon SQS, as the others. For AWSResourcePolicyStatements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = schema::ENDPOINT))]
    pub sqs: Option<String>,

    /// URL of Amazon SNS, as the others. For AWSResourcePolicyStatements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512), regex(pattern = schema::ENDPOINT))]
    pub sns: Option<String>,
}

/// What was found out about an account.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AWSAccountStatus {
    /// `Ready`: the account can be read, and no identity of Deputy's is known to be missing or another one. `IssuerReady` (of
    /// `deputy broker`), `ProvisionerReady` (of `deputy controller`) and `BoundaryWriterReady` (of `deputy limits`): the identity is there,
    /// who it is, and whether it is the one named. `FederationReady` (of `deputy broker`, where `spec.federation` is set): the same of its
    /// keys for federated users. `Listed`: AWS lists the IAM roles in full. `Swept`: AWS has no IAM role of this
    /// cluster without an object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,

    /// What the AWS account has of what it may have, as `iam:GetAccountSummary` says. Absent while Deputy may not ask, or AWS does not
    /// answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quotas: Option<AccountQuotas>,

    /// When AWS last listed the IAM roles in full: what somebody changed of them before that has been seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_listed: Option<Time>,

    /// IAM roles that Deputy made and of which there is no object any more. Absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphans: Option<AccountOrphans>,
}

/// IAM roles without an object.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AccountOrphans {
    /// How many there are.
    #[schemars(range(min = 0))]
    pub count: i64,

    /// The oldest of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::ORPHANS_SHOWN"))]
    pub oldest: Vec<OrphanedRole>,
}

/// An IAM role without an object.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrphanedRole {
    /// Its ARN.
    #[serde(rename = "roleARN")]
    #[schemars(length(max = "schema::MAX_ARN"))]
    pub role_arn: String,

    /// Its unique id, `AROA…`.
    #[serde(rename = "roleID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub role_id: Option<String>,

    /// The object that it was made for: kind and name.
    #[schemars(length(max = 640))]
    pub object: String,

    /// Why it is there.
    #[schemars(length(max = 512))]
    pub reason: String,

    /// Since when.
    #[schemars(schema_with = "schema::time")]
    pub since: Time,
}

/// What an AWS account has of what it may have.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AccountQuotas {
    /// IAM roles, Deputy's and others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<QuotaCount>,

    /// Customer managed policies, Deputy's boundaries and others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<QuotaCount>,

    /// Characters that a role's trust policy may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub trust_policy_size: Option<i64>,

    /// Managed policies that a role may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub attached_policies_per_role: Option<i64>,
}

/// How much of a quota is used.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct QuotaCount {
    /// What there is, of which another number is told when it differs by a twentieth of the quota, when a fifth or less is left,
    /// and when nothing is.
    #[schemars(range(min = 0))]
    pub used: i64,

    /// What there may be.
    #[schemars(range(min = 0))]
    pub quota: i64,
}
