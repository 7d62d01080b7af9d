//! What Deputy may do in AWS: three object-safe traits and the types they speak in.

use std::collections::BTreeMap;

use async_trait::async_trait;
use deputy_delegation::{
    federation::FederationRequest,
    names::{
        AccountId, IamPath, ManagedPolicyArn, PolicyArn, PolicyName, RoleArn, RoleName, TagKey, TagValue,
    },
    plan::{IamCall, ObservedRole},
    session::SessionRequest,
};
use deputy_policy::Document;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::error::AwsError;

/// What managed policies say, also those of AWS.
#[async_trait]
pub trait ManagedPolicies: Send + Sync {
    /// The version that is in force. `None` if there is no such policy. Costs two calls.
    async fn default_version(&self, arn: &ManagedPolicyArn) -> Result<Option<DefaultVersion>, AwsError>;
}

/// What the account has of what it may have.
#[async_trait]
pub trait AccountSummaries: Send + Sync {
    /// The numbers that Deputy may run into. Costs one call.
    async fn account_summary(&self) -> Result<AccountSummary, AwsError>;
}

/// IAM roles of one account, and what managed policies say, as the same identity. Reads are repeated by the client when AWS is in trouble; a write is sent once, because
/// whether it was applied may be unknown: read the role again before the next one.
#[async_trait]
pub trait Roles: ManagedPolicies + AccountSummaries {
    /// Everything that Deputy compares: the role, its inline policies, its attachments, its tags. `None` if there is
    /// no role of that name. Costs three calls and one for each inline policy.
    async fn get_role(&self, name: &RoleName) -> Result<Option<ObservedRole>, AwsError>;

    /// The same with Deputy's own inline policy, and as if it had no other policy. Costs two calls.
    async fn get_role_and_own_policy(&self, name: &RoleName) -> Result<Option<ObservedRole>, AwsError>;

    /// What may be known of a role that is somebody else's. `None` if there is no role of that name. Costs one call.
    async fn get_existing_role(&self, name: &RoleName) -> Result<Option<ForeignRole>, AwsError>;

    /// Names and ARNs of the roles whose path starts with `path`, and what else a list has of them. Costs one call for each 1,000.
    async fn list_roles(&self, path: &IamPath) -> Result<Vec<ListedRole>, AwsError>;

    /// A page of what the account has of roles, in full but for MaxSessionDuration, which only [`Roles::list_roles`] shows. It begins
    /// after `marker`, which the page before gave, and has of its roles those whose path starts with `path`. A role that makes no sense is
    /// not in it: whoever misses one asks for that one. Costs one call.
    async fn role_details(&self, path: &IamPath, marker: Option<&str>) -> Result<RoleDetailsPage, AwsError>;

    /// Makes one change.
    async fn execute(&self, call: &IamCall) -> Result<(), AwsError>;
}

/// Customer-managed policies of one account: the permissions boundaries that Deputy writes. And what managed policies say, as the
/// same identity.
#[async_trait]
pub trait Policies: ManagedPolicies + AccountSummaries {
    /// The policy with the document of its default version and the ids of all versions. `None` if it is not there.
    async fn get_policy(&self, arn: &PolicyArn) -> Result<Option<ObservedPolicy>, AwsError>;

    /// Makes a policy, with tags and path in the same call.
    async fn create_policy(&self, policy: &NewPolicy) -> Result<PolicyArn, AwsError>;

    /// Adds a version and makes it the default one. Returns its id. AWS keeps at most five.
    async fn create_policy_version(&self, arn: &PolicyArn, document: &Document) -> Result<String, AwsError>;

    /// Deletes a version other than the default one.
    async fn delete_policy_version(&self, arn: &PolicyArn, version: &str) -> Result<(), AwsError>;

    /// Adds or changes tags.
    async fn tag_policy(&self, arn: &PolicyArn, tags: &BTreeMap<TagKey, TagValue>) -> Result<(), AwsError>;

    /// Removes tags; keys that are not there are passed over.
    async fn untag_policy(&self, arn: &PolicyArn, keys: &[String]) -> Result<(), AwsError>;

    /// Deletes a policy that nothing uses and that has no version but the default one.
    async fn delete_policy(&self, arn: &PolicyArn) -> Result<(), AwsError>;

    /// Customer-managed policies whose path starts with `path`.
    async fn list_policies(&self, path: &IamPath) -> Result<Vec<ListedPolicy>, AwsError>;
}

/// STS as the broker uses it.
#[async_trait]
pub trait Sts: Send + Sync {
    /// One new session of a role.
    async fn assume_role(&self, request: &SessionRequest) -> Result<Session, AwsError>;

    /// One new session of a federated user, of the account that the caller is a user of: AWS takes nobody else.
    async fn federation_token(&self, request: &FederationRequest) -> Result<Session, AwsError>;

    /// Who the credentials of this process belong to.
    async fn caller_identity(&self) -> Result<CallerIdentity, AwsError>;
}

/// Numbers of an account, as `iam:GetAccountSummary` has them.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html>
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccountSummary {
    /// `Roles` and `RolesQuota`.
    pub roles: Option<QuotaUse>,
    /// `Policies` and `PoliciesQuota`: customer-managed ones.
    pub policies: Option<QuotaUse>,
    /// `AttachedPoliciesPerRoleQuota`.
    pub attached_policies_per_role: Option<u32>,
    /// `AssumeRolePolicySizeQuota`: characters without white space.
    pub trust_policy_size: Option<u32>,
}

/// How much of a quota is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaUse {
    /// What there is.
    pub used: u32,
    /// What there may be.
    pub quota: u32,
}

impl QuotaUse {
    /// With so many made since, or fewer if negative.
    #[must_use]
    pub fn with(self, made: i64) -> Self {
        let used = (i64::from(self.used) + made).max(0);
        Self {
            used: u32::try_from(used).unwrap_or(u32::MAX),
            ..self
        }
    }

    /// Whether there is room for none.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.used >= self.quota
    }
}

/// A role that is somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignRole {
    /// Its ARN.
    pub arn: RoleArn,
    /// Its unique id, `AROA…`.
    pub unique_id: String,
    /// The text of its trust policy, as AWS returned it (URL-decoded).
    pub trust: String,
    /// When it was made.
    pub created: Timestamp,
    /// MaxSessionDuration in seconds.
    pub max_session_seconds: u32,
}

/// A role in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRole {
    /// Its name.
    pub name: RoleName,
    /// Its ARN, which holds its path.
    pub arn: RoleArn,
    /// Its unique id, `AROA…`.
    pub unique_id: String,
    /// When it was made: the age that a sweep asks for before it takes a role for an orphan.
    pub created: Timestamp,
    /// MaxSessionDuration in seconds.
    pub max_session_seconds: u32,
}

/// Some of the roles of an account, in full.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoleDetailsPage {
    /// Those of them that were asked for.
    pub roles: Vec<RoleDetails>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<String>,
}

/// Everything about a role that the authorization details of an account have: all but MaxSessionDuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDetails {
    /// Its name.
    pub name: RoleName,
    /// The role, as if it had IAM's default MaxSessionDuration.
    role: ObservedRole,
}

impl RoleDetails {
    /// Of a role whose MaxSessionDuration is not known.
    #[must_use]
    pub fn new(name: RoleName, role: ObservedRole) -> Self {
        Self { name, role }
    }

    /// Its unique id, `AROA…`.
    #[must_use]
    pub fn unique_id(&self) -> &str {
        &self.role.unique_id
    }

    /// Its tags.
    #[must_use]
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.role.tags
    }

    /// The role, with what a list says of it. `None` when that was another one of its name.
    #[must_use]
    pub fn with(self, listed: &ListedRole) -> Option<ObservedRole> {
        let is_it = listed.unique_id == self.role.unique_id && listed.arn == self.role.arn;
        is_it.then_some(ObservedRole {
            max_session_seconds: listed.max_session_seconds,
            ..self.role
        })
    }
}

/// What a managed policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultVersion {
    /// The id of its default version, `v1`, `v2`, ….
    pub id: String,
    /// The text of that, as AWS returned it (URL-decoded).
    pub document: String,
}

/// A managed policy to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPolicy {
    /// Its name.
    pub name: PolicyName,
    /// Its path.
    pub path: IamPath,
    /// What it says.
    pub document: Document,
    /// Its tags.
    pub tags: BTreeMap<TagKey, TagValue>,
}

/// A managed policy as AWS has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedPolicy {
    /// Its ARN.
    pub arn: PolicyArn,
    /// The id of its default version, `v1`, `v2`, ….
    pub default_version: String,
    /// The text of its default version, as AWS returned it (URL-decoded).
    pub document: String,
    /// All versions, the default one included.
    pub versions: Vec<PolicyVersion>,
    /// Tags as they are.
    pub tags: BTreeMap<String, String>,
    /// How many users, groups and roles it is attached to.
    pub attachment_count: u32,
    /// How many users and roles have it as their permissions boundary.
    pub boundary_usage_count: u32,
}

/// One version of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// `v1`, `v2`, ….
    pub id: String,
    /// Whether it is the one in force.
    pub is_default: bool,
}

/// A managed policy in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPolicy {
    /// Its ARN, which holds its path.
    pub arn: PolicyArn,
    /// How many users, groups and roles it is attached to.
    pub attachment_count: u32,
    /// How many users and roles have it as their permissions boundary.
    pub boundary_usage_count: u32,
}

/// The credentials of a session. No `Debug`, no `Serialize`; the secret halves are wiped when dropped.
#[derive(Clone)]
pub struct Credentials {
    /// The access key id: not a secret, in the audit log.
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: SecretString,
    /// The session token.
    pub session_token: SecretString,
}

/// A session made by STS. No `Debug`, no `Serialize`.
#[derive(Clone)]
pub struct Session {
    /// What the holder signs with.
    pub credentials: Credentials,
    /// When it ends, by the clock of AWS.
    pub expiration: Timestamp,
    /// `arn:aws:sts::…:assumed-role/<role>/<session name>`, or `…:federated-user/<name>`.
    pub arn: String,
    /// `<unique id of the role>:<session name>`, or `<account id>:<name of the federated user>`.
    pub unique_id: String,
    /// Percentage used of what a session token may hold (session policy and tags fill it), if AWS says.
    pub packed_policy_size: Option<u32>,
}

impl Session {
    /// The unique id of the role, `AROA…`: another one under the same name is another role. Of a federated user the account's id.
    #[must_use]
    pub fn role_unique_id(&self) -> &str {
        self.unique_id
            .split_once(':')
            .map_or(self.unique_id.as_str(), |(id, _)| id)
    }
}

/// `sts:GetCallerIdentity`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerIdentity {
    /// The account.
    pub account: AccountId,
    /// The ARN; for a role it is that of the session, `arn:aws:sts::…:assumed-role/<role>/<session>`, without the role's path.
    pub arn: String,
    /// The unique id; for a role `<unique id>:<session>`.
    pub user_id: String,
}
