//! Accounts, limits, roles, bindings and federated users as the decision sees them: parsed, typed, free of Kubernetes.

mod chosen;
mod federated;
mod issuers;
mod method;
mod parts;
mod rules;
mod source;
mod statement;
mod subjects;
mod tags;

use std::{collections::BTreeSet, sync::Arc};

use deputy_policy::Document;

pub use self::chosen::{BindingKind, BindingRef, BindingSelector};
pub use self::federated::{FederatedBinding, FederatedShare};
pub use self::issuers::{RunningBroker, still_reached};
pub use self::method::{OidcProvider, SessionMethod};
pub use self::parts::{
    NamedPolicy, PolicyKindError, PolicyList, RolePolicies, RolePoliciesError, SessionPolicy,
};
pub use self::rules::{OidcRule, PeopleRule, PrincipalRule, SamlRule, SubjectRules};
pub use self::source::{DeletionPolicy, ExistingRole, OwnedRole, Revocation, RoleSource};
pub use self::statement::{OwnedStatement, StatementGrant, StatementGrantError, StatementPrincipal};
pub use self::subjects::{
    AwsPrincipal, AwsPrincipalError, OidcPrincipal, PersonSubject, SamlPrincipal, SubjectList, Subjects,
    SubjectsError, TokenClaims,
};
pub use self::tags::{ChosenTags, TagKeyError};
pub use crate::{
    checked::Checked,
    names::{ObjectId, RoleId, RoleKind},
};

use crate::names::{
    AccountId, ClusterUid, ExternalId, FederatedDuration, FederatedUserPattern, IamArnPattern, IssuerArn,
    ManagedPolicyArn, NamespaceName, NamespacePattern, ObjectName, Partition, PolicyResourcePattern, Region,
    RoleArn, SessionDuration, TagValue, Uid, UserArn,
};

/// When an object was made that is not stored yet, in Unix seconds: after all that are.
pub const NOT_STORED: i64 = i64::MAX;

/// The kinds that own something in AWS. `as_str` is the word in names, tags and external ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A namespaced role.
    AWSRole,
    /// A role of each namespace that binds it.
    ClusterAWSRole,
    /// A limit, which owns boundary policies.
    DelegationLimit,
}

impl Kind {
    /// The kind's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AWSRole => "AWSRole",
            Self::ClusterAWSRole => "ClusterAWSRole",
            Self::DelegationLimit => "DelegationLimit",
        }
    }
}

impl From<&RoleKind> for Kind {
    fn from(kind: &RoleKind) -> Self {
        match kind {
            RoleKind::AWSRole => Self::AWSRole,
            RoleKind::ClusterAWSRole { .. } => Self::ClusterAWSRole,
        }
    }
}

/// Another identity that a process assumes before it calls IAM in an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AssumeRole {
    /// The role to assume.
    pub role: RoleArn,
    /// The external id its trust policy asks for.
    pub external_id: Option<ExternalId>,
}

/// Endpoints other than AWS's own: private ones and test doubles. `https://…`, or `http://…` on loopback only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Endpoints {
    /// Of IAM.
    pub iam: Option<String>,
    /// Of STS.
    pub sts: Option<String>,
    /// Of Amazon S3. Buckets are in its path, not in its name.
    pub s3: Option<String>,
    /// Of Amazon SQS.
    pub sqs: Option<String>,
    /// Of Amazon SNS.
    pub sns: Option<String>,
}

/// Where: one AWS account (`AWSAccount`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The object's name.
    pub name: ObjectName,
    /// The account's id.
    pub id: AccountId,
    /// Its partition.
    pub partition: Partition,
    /// The region whose STS endpoint is used, and `AWS_REGION` of pods that set none.
    pub region: Region,
    /// Who calls AssumeRole, and whom the trust policies name.
    pub issuer: IssuerArn,
    /// Who did before, and may still while the broker changes its identity. Without `issuer`.
    pub previous_issuers: BTreeSet<IssuerArn>,
    /// Those of the issuers, now and before, whose sessions have a source identity: AWS hands it on, so roles have to allow that.
    pub with_source_identity: BTreeSet<IssuerArn>,
    /// Whether sessions of people get a source identity, by which AWS knows them also behind further roles.
    pub names_people: bool,
    /// The IAM user with whose keys the broker calls GetFederationToken; no federated users without it.
    pub federation_user: Option<UserArn>,
    /// The identity that writes roles; ambient if none.
    pub provisioner: Option<AssumeRole>,
    /// The identity that writes boundary policies; ambient if none.
    pub boundary_writer: Option<AssumeRole>,
    /// The OIDC provider by which AWS knows the tokens of this cluster's ServiceAccounts, if it does.
    pub oidc: Option<OidcProvider>,
    /// The method of sessions whose binding says nothing.
    pub default_method: SessionMethod,
    /// Life of sessions whose binding says nothing.
    pub default_session_duration: SessionDuration,
    /// Tags on every role.
    pub tags: ChosenTags,
    /// Other clusters of this cluster's name, which are gone or give up what they made in the account: it is taken over.
    pub adopt_from: BTreeSet<ClusterUid>,
    /// Endpoints to use instead of AWS's.
    pub endpoints: Endpoints,
}

/// How a limit's ceiling is repeated in AWS.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BoundaryMode {
    /// Deputy writes one managed policy for each limit and account, and sets it as permissions boundary on every role.
    Generated,
    /// A managed policy that somebody else writes, and that has to stay within the ceiling, is the permissions boundary of every role.
    Reference(ManagedPolicyArn),
    /// Checks only: no permissions boundary from this limit.
    CheckOnly,
}

impl BoundaryMode {
    /// Whether roles under such a limit carry a permissions boundary.
    #[must_use]
    pub fn is_in_aws(&self) -> bool {
        match self {
            Self::Generated | Self::Reference(_) => true,
            Self::CheckOnly => false,
        }
    }
}

/// Whether a limit refuses what exceeds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Enforcement {
    /// It does.
    Enforce,
    /// It says what it would refuse, and neither refuses nor allows anything.
    DryRun,
}

/// How far: what the namespaces it names may ever grant in the accounts it names (`DelegationLimit`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// The object's name.
    pub name: ObjectName,
    /// The object's uid.
    pub uid: Option<Uid>,
    /// Where it applies.
    pub scope: LimitScope,
    /// Whether it refuses what exceeds it.
    pub enforcement: Enforcement,
    /// What may be granted at most. Parsed as [`deputy_policy::PolicyKind::Boundary`].
    pub ceiling: Document,
    /// How it is repeated in AWS.
    pub boundary: BoundaryMode,
    /// The longest session.
    pub max_session_duration: SessionDuration,
    /// By which methods a binding may give sessions.
    pub session_methods: BTreeSet<SessionMethod>,
    /// Which session tags a binding may set, with which values.
    pub session_tags: ChosenTags<BTreeSet<TagValue>>,
    /// Actions reaching IAM itself that this limit knowingly allows (lower-cased `service:action` patterns as written).
    pub acknowledge_escalation: BTreeSet<String>,
    /// Managed policies that roles and sessions may have: patterns on ARNs. None by default.
    pub managed_policies: BTreeSet<IamArnPattern>,
    /// Roles that exist and may be bound: patterns on ARNs. None by default.
    pub existing_roles: BTreeSet<IamArnPattern>,
    /// Names that federated users may have: patterns. None by default.
    pub federated_users: BTreeSet<FederatedUserPattern>,
    /// Resources whose policies may have statements of AWSResourcePolicyStatements: patterns on ARNs. None by default.
    pub resource_policies: BTreeSet<PolicyResourcePattern>,
    /// The longest session of a federated user.
    pub max_federated_duration: FederatedDuration,
    /// Whether a role may stay in AWS when its object is deleted.
    pub allow_retain: bool,
    /// Whether pods in the network of their node may get credentials.
    pub allow_host_network: bool,
    /// Which subjects beside ServiceAccounts a binding may name. None by default.
    pub subjects: SubjectRules,
    /// What was found wrong with it so far.
    pub checked: Checked,
}

impl Limit {
    /// Whether roles carry a permissions boundary by it once it is enforced.
    #[must_use]
    pub fn has_boundary(&self) -> bool {
        self.boundary.is_in_aws()
    }

    /// Whether roles carry a permissions boundary by it: not while it is a dry run.
    #[must_use]
    pub fn carries_boundary(&self) -> bool {
        self.enforcement == Enforcement::Enforce && self.has_boundary()
    }
}

/// Namespaces and accounts that a limit names. It applies where both match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitScope {
    /// Names and patterns on names.
    pub namespaces: Vec<NamespacePattern>,
    /// Names of AWSAccounts.
    pub accounts: BTreeSet<ObjectName>,
}

impl LimitScope {
    /// Whether the limit applies to grants of `namespace` in `account`.
    #[must_use]
    pub fn applies(&self, namespace: &NamespaceName, account: &ObjectName) -> bool {
        self.accounts.contains(account) && self.names(namespace)
    }
    /// Whether it applies to grants of `namespace` in the accounts that it names.
    #[must_use]
    pub fn names(&self, namespace: &NamespaceName) -> bool {
        self.namespaces.iter().any(|p| p.matches(namespace))
    }
}

/// A limit as stored: also one that can't be read still limits.
#[derive(Debug, Clone)]
pub enum LimitEntry {
    /// It can be applied.
    Valid(Arc<Limit>),
    /// It can't, so what it covers is refused until it can. With no readable scope it covers everything.
    Invalid {
        /// The object's name.
        name: ObjectName,
        /// Where it would apply, as far as that could be read.
        scope: Option<LimitScope>,
        /// Whether it refuses what it covers: also when that can't be read.
        enforcement: Enforcement,
        /// Why it can't be read.
        error: String,
    },
}

impl LimitEntry {
    /// The limit's name.
    #[must_use]
    pub fn name(&self) -> &ObjectName {
        match self {
            Self::Valid(limit) => &limit.name,
            Self::Invalid { name, .. } => name,
        }
    }
    /// Whether it refuses what exceeds it.
    #[must_use]
    pub fn enforcement(&self) -> Enforcement {
        match self {
            Self::Valid(limit) => limit.enforcement,
            Self::Invalid { enforcement, .. } => *enforcement,
        }
    }
    /// Where it applies, as far as that can be read.
    #[must_use]
    pub fn scope(&self) -> Option<&LimitScope> {
        match self {
            Self::Valid(limit) => Some(&limit.scope),
            Self::Invalid { scope, .. } => scope.as_ref(),
        }
    }
    /// Whether it decides about grants of `namespace` in `account`: it applies to them, and is no dry run.
    #[must_use]
    pub fn decides(&self, namespace: &NamespaceName, account: &ObjectName) -> bool {
        self.enforcement() == Enforcement::Enforce && self.applies(namespace, account)
    }
    /// Whether it applies to grants of `namespace` in `account`.
    #[must_use]
    pub fn applies(&self, namespace: &NamespaceName, account: &ObjectName) -> bool {
        match self {
            Self::Valid(limit) => limit.scope.applies(namespace, account),
            Self::Invalid { scope, .. } => scope.as_ref().is_none_or(|s| s.applies(namespace, account)),
        }
    }
}

/// What: one IAM role and its permissions (`AWSRole`, or what a `ClusterAWSRole` is in one namespace and account).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Namespace and name, and of which kind.
    pub id: RoleId,
    /// The object's uid; none before it is stored.
    pub uid: Option<Uid>,
    /// The AWSAccount it lives in.
    pub account: ObjectName,
    /// Whose the IAM role is, and with that what is known of it.
    pub source: RoleSource,
    /// The namespaces that may bind it, of a ClusterAWSRole; `None` for an AWSRole, which is bound in its own.
    pub allowed_namespaces: Option<Arc<[NamespacePattern]>>,
}

impl Role {
    /// What Deputy makes of it; `None` when the IAM role is somebody else's.
    #[must_use]
    pub fn owned(&self) -> Option<&OwnedRole> {
        match &self.source {
            RoleSource::Owned(owned) => Some(owned),
            RoleSource::Existing(_) => None,
        }
    }

    /// The role that is there already; `None` when Deputy makes it.
    #[must_use]
    pub fn existing(&self) -> Option<&ExistingRole> {
        match &self.source {
            RoleSource::Owned(_) => None,
            RoleSource::Existing(existing) => Some(existing),
        }
    }

    /// The policies that it says. Of a role that is there already nothing is known.
    #[must_use]
    pub fn policies(&self) -> &[NamedPolicy] {
        self.owned().map_or(&[], |owned| &owned.policies)
    }

    /// Whether it may be bound in its namespace. A ClusterAWSRole without a list may be bound nowhere.
    #[must_use]
    pub fn may_be_bound(&self) -> bool {
        match (&self.id.kind, &self.allowed_namespaces) {
            (RoleKind::AWSRole, _) => true,
            (RoleKind::ClusterAWSRole { .. }, Some(allowed)) => {
                allowed.iter().any(|pattern| pattern.matches(&self.id.namespace))
            }
            (RoleKind::ClusterAWSRole { .. }, None) => false,
        }
    }
}

/// Who shares a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionScope {
    /// All pods of the ServiceAccount.
    ServiceAccount,
    /// Nobody: each pod has its own.
    Pod,
}

/// How a session of a binding looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSpec {
    /// Who shares it.
    pub scope: SessionScope,
    /// The session gets role ∩ (this ∪ `policy_arns`), unless there is neither.
    pub policy: Option<SessionPolicy>,
    /// Managed policies as session policies.
    pub policy_arns: BTreeSet<ManagedPolicyArn>,
    /// Its life; the account's default if none.
    pub duration: Option<SessionDuration>,
    /// Session tags beside Deputy's own.
    pub tags: ChosenTags,
}

/// Who: subjects that may become the role (`AWSRoleBinding`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Namespace and name.
    pub id: ObjectId,
    /// The object's uid; none before it is stored.
    pub uid: Option<Uid>,
    /// The role that it names: an AWSRole of its own namespace, or what a ClusterAWSRole is in it.
    pub role: RoleId,
    /// Who may become the role.
    pub subjects: Subjects,
    /// By which call of STS pods get sessions; the account's default if none.
    pub method: Option<SessionMethod>,
    /// How a session looks.
    pub session: SessionSpec,
    /// Unix seconds of creation: the oldest binding of a ServiceAccount is its default. [`NOT_STORED`] before it is stored.
    pub created: i64,
}
