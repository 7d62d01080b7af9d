//! Every number that a grant may run into: what AWS takes, and what Deputy takes of it.
//!
//! Sizes of policies are in characters without white space, as AWS counts them: those of [`deputy_policy::Document::size`].
//! The schema of the kinds (`deputy_api`) is made from the same numbers.
//!
//! - IAM: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
//! - STS: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

/// Characters of all inline policies of a role together. IAM, "Sum of the sizes of all inline policies", role.
pub const ROLE_INLINE_POLICIES: usize = 10_240;

/// Characters of a managed policy, and so of a permissions boundary. IAM, "Managed policy size".
pub const MANAGED_POLICY: usize = 6_144;

/// Characters of a service control policy. AWS Organizations, "Maximum size of a policy document", service control policies:
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html>
pub const SERVICE_CONTROL_POLICY: usize = 5_120;

/// Managed policies of a role in an account that asked for no more. IAM, "Managed policies attached to an IAM role".
pub const MANAGED_POLICIES_OF_ROLE: usize = 10;

/// Characters of an inline session policy and of the ARNs of managed ones together. STS AssumeRole, parameters `Policy` and
/// `PolicyArns.member.N`.
pub const SESSION_POLICY: usize = 2_048;

/// Managed session policies of a session. STS AssumeRole, parameter `PolicyArns.member.N`.
pub const SESSION_POLICY_ARNS: usize = 10;

/// Characters of a role's trust policy in an account that asked for no more. IAM, "Role trust policy length".
pub const TRUST_POLICY: usize = 2_048;

/// Tags of a role, of a policy, and of a session. IAM, "Tags that can be attached to a role"; STS AssumeRole, parameter `Tags.member.N`.
pub const TAGS: usize = 50;

/// Tags that an account, a limit or a binding may set: AWS takes [`TAGS`], and Deputy needs some of them for its own.
pub const CHOSEN_TAGS: usize = 40;

/// Seconds of the shortest session through the broker: 30 minutes. STS takes 15 (parameter `DurationSeconds`), but then the SDKs, which
/// renew some minutes before the end, would do so at every call.
pub const SESSION_SECONDS_MIN: u32 = 30 * 60;

/// Seconds of the longest session: 12 hours. STS AssumeRole, parameter `DurationSeconds`.
pub const SESSION_SECONDS_MAX: u32 = 12 * 60 * 60;

/// Seconds of the shortest session of a federated user: 15 minutes. STS GetFederationToken, parameter `DurationSeconds`.
pub const FEDERATED_SECONDS_MIN: u32 = 15 * 60;

/// Seconds of the longest session of a federated user: 36 hours. STS GetFederationToken, parameter `DurationSeconds`.
pub const FEDERATED_SECONDS_MAX: u32 = 36 * 60 * 60;

/// Seconds of the longest session when the issuer is itself a session of a role: one hour.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining>
pub const CHAINED_SESSION_SECONDS_MAX: u32 = 60 * 60;

/// Seconds of the shortest `MaxSessionDuration` of a role: one hour. IAM CreateRole; the longest is [`SESSION_SECONDS_MAX`].
pub const MAX_SESSION_SECONDS_MIN: u32 = 60 * 60;

/// Policies in the list of a role. They become one inline policy, so AWS sets no number.
pub const POLICIES_OF_ROLE: usize = 10;

/// Issuers of before of an account: each is in every trust policy.
pub const PREVIOUS_ISSUERS: usize = 2;

/// Subjects of a binding.
pub const SUBJECTS_OF_BINDING: usize = 100;

/// Clusters from which what an account has is taken over.
pub const CLUSTERS_TO_ADOPT: usize = 16;

/// Namespaces, and accounts, that a limit names.
pub const SCOPE_OF_LIMIT: usize = 256;

/// Patterns on managed policies of a limit.
pub const MANAGED_POLICIES_OF_LIMIT: usize = 64;

/// Namespaces, as names and patterns, that may bind a ClusterAWSRole.
pub const NAMESPACES_OF_CLUSTER_ROLE: usize = SCOPE_OF_LIMIT;

/// IAM roles of one ClusterAWSRole: its status has an entry for each, and etcd takes 1.5 MiB of an object.
pub const INSTANCES_OF_CLUSTER_ROLE: usize = 1_000;

/// IAM roles of one ClusterAWSRole of which its status has in words what holds up nothing; of the others it has the reason. With the words
/// of all, it would be larger than etcd takes.
pub const FINDINGS_OF_CLUSTER_ROLE: usize = 20;

/// Actions that a limit acknowledges.
pub const ACKNOWLEDGED_OF_LIMIT: usize = 64;

/// Statements of a ceiling of which the status of a limit says how often they are used.
pub const STATEMENTS_SHOWN: usize = 256;

/// Grants that the status of a dry run names as those that it would refuse.
pub const REFUSALS_SHOWN: usize = 20;

/// Roles without an object that the status of an account names: the oldest ones.
pub const ORPHANS_SHOWN: usize = 50;

/// Patterns on roles that exist and may be bound, of a limit.
pub const EXISTING_ROLES_OF_LIMIT: usize = 64;

/// Patterns on names of federated users, of a limit.
pub const FEDERATED_USERS_OF_LIMIT: usize = 64;

/// Patterns on resources whose policies may have statements, of a limit.
pub const RESOURCE_POLICIES_OF_LIMIT: usize = 64;

/// Principals of an AWSResourcePolicyStatement.
pub const PRINCIPALS_OF_STATEMENT: usize = 20;

/// Values that a limit allows of one session tag.
pub const VALUES_OF_TAG: usize = 50;

/// Principals that the status of a role names as left out of its trust policy, which has room for fewer.
pub const LEFT_OUT_SHOWN: usize = 64;

/// The same of each IAM role of a ClusterAWSRole: their entries share one object.
pub const LEFT_OUT_OF_INSTANCE: usize = 8;

/// ServiceAccounts that the status of a role names: those that may have sessions, and those whose sessions are cut. Of more it is known that
/// something changed, and not who.
pub const SERVICE_ACCOUNTS_RECORDED: usize = 64;

/// The same of each IAM role of a ClusterAWSRole.
pub const SERVICE_ACCOUNTS_OF_INSTANCE: usize = LEFT_OUT_OF_INSTANCE;

/// ServiceAccounts with session policies that the status of each IAM role of a ClusterAWSRole names.
pub const SESSION_POLICIES_OF_INSTANCE: usize = 2;

/// Rules of a limit about principals, about SAML providers and about OpenID Connect providers, each.
pub const SUBJECT_RULES: usize = 32;

/// Patterns, audiences and names in one such rule, each.
pub const VALUES_OF_RULE: usize = 64;

/// TokenClaims of which a subject says what they must be, and values of each.
pub const CLAIMS_OF_SUBJECT: usize = 10;

/// Bindings that the containers of one pod use. The agent keeps a session for each, and has this number itself.
pub const BINDINGS_OF_POD: usize = 64;
