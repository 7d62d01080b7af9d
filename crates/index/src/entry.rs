//! What is kept of each object: parsed, and no more than somebody asks for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use deputy_api::{
    BoundaryStatus, LeftOutPrincipalStatus,
    conditions::{ConditionReason, Status},
};
use deputy_delegation::{
    Fact, MaxSessionDuration, NamespaceName, ObjectName, ServiceAccountName,
    model::{RoleId, RoleKind},
};
use kube::api::ObjectMeta;

use crate::kept::{Headed, Kept};

/// The kinds that an index holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    /// `AWSAccount`.
    Accounts,
    /// `DelegationLimit`.
    Limits,
    /// `AWSRole`.
    Roles,
    /// `ClusterAWSRole`.
    ClusterRoles,
    /// `AWSRoleBinding`.
    Bindings,
    /// `AWSFederatedUserBinding`.
    FederatedBindings,
    /// `AWSResourcePolicyStatement`. No decision about anything else depends on it, and the broker does not read it.
    Statements,
    /// `Namespace`, metadata only.
    Namespaces,
    /// `ServiceAccount`, metadata only.
    ServiceAccounts,
    /// Pods that have neither succeeded nor failed; their uids only.
    Pods,
}

impl ResourceKind {
    /// What decisions depend on.
    pub const KINDS: [Self; 6] = [
        Self::Accounts,
        Self::Limits,
        Self::Roles,
        Self::ClusterRoles,
        Self::Bindings,
        Self::FederatedBindings,
    ];
    /// What decisions depend on, and what else is decided about.
    pub const GRANTS: [Self; 7] = [
        Self::Accounts,
        Self::Limits,
        Self::Roles,
        Self::ClusterRoles,
        Self::Bindings,
        Self::FederatedBindings,
        Self::Statements,
    ];
    /// What the broker reads: what decisions depend on, and who is there to ask.
    pub const BROKER: [Self; 8] = [
        Self::Accounts,
        Self::Limits,
        Self::Roles,
        Self::ClusterRoles,
        Self::Bindings,
        Self::FederatedBindings,
        Self::ServiceAccounts,
        Self::Pods,
    ];
    /// What admission reads: grants, and whose pods ask for injection.
    pub const ADMISSION: [Self; 9] = [
        Self::Accounts,
        Self::Limits,
        Self::Roles,
        Self::ClusterRoles,
        Self::Bindings,
        Self::FederatedBindings,
        Self::Statements,
        Self::Namespaces,
        Self::ServiceAccounts,
    ];

    /// The plural, for logs, metrics and readiness.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "awsaccounts",
            Self::Limits => "delegationlimits",
            Self::Roles => "awsroles",
            Self::ClusterRoles => "clusterawsroles",
            Self::Bindings => "awsrolebindings",
            Self::FederatedBindings => "awsfederateduserbindings",
            Self::Statements => "awsresourcepolicystatements",
            Self::Namespaces => "namespaces",
            Self::ServiceAccounts => "serviceaccounts",
            Self::Pods => "pods",
        }
    }
}

/// An object as a decision sees it: absent is not the same as unreadable.
#[derive(Debug)]
pub enum Entry<T> {
    /// It is there and can be read.
    Known(Arc<T>),
    /// It is there and can't be read, with every reason.
    Unreadable(Arc<str>),
    /// It is not there.
    Missing,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Known(object) => Self::Known(Arc::clone(object)),
            Self::Unreadable(why) => Self::Unreadable(Arc::clone(why)),
            Self::Missing => Self::Missing,
        }
    }
}

impl<T> Entry<T> {
    /// As decisions take it.
    #[must_use]
    pub fn as_fact(&self) -> Fact<'_, T> {
        match self {
            Self::Known(object) => Fact::Known(object),
            Self::Unreadable(why) => Fact::Unreadable(why),
            Self::Missing => Fact::Missing,
        }
    }

    /// The object, if it is known.
    #[must_use]
    pub fn known(&self) -> Option<&Arc<T>> {
        match self {
            Self::Known(object) => Some(object),
            Self::Unreadable(_) | Self::Missing => None,
        }
    }
}

/// Metadata that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Meta {
    /// `metadata.uid`.
    pub uid: Option<Arc<str>>,
    /// `metadata.generation`, 0 if there is none.
    pub generation: i64,
    /// It has a deletionTimestamp.
    pub terminating: bool,
    /// A number for the value of the annotation `deputy.dev/reconcile-requested-at`; 0 if there is none. With another one the object is
    /// looked at.
    pub requested: u64,
}

impl Meta {
    /// Whether an object of this metadata is the same one, with the same spec: the API server counts a generation with each change of it.
    #[must_use]
    pub fn is_of_spec(&self, read: &ObjectMeta) -> bool {
        self.uid.is_some()
            && self.uid.as_deref() == read.uid.as_deref()
            && self.generation > 0
            && Some(self.generation) == read.generation
    }
}

/// One object: what it says, and what its status says.
#[derive(Debug)]
pub struct View<T: Headed, S> {
    /// Uid, generation, whether it is being deleted, and whether somebody asks for a look at it.
    pub meta: Meta,
    /// The spec, or every reason why it can't be read.
    pub(crate) kept: Result<Arc<Kept<T>>, Arc<str>>,
    /// What is kept of its status.
    pub state: Arc<S>,
}

impl<T: Headed, S> Clone for View<T, S> {
    fn clone(&self) -> Self {
        Self {
            meta: self.meta.clone(),
            kept: self.kept.clone(),
            state: Arc::clone(&self.state),
        }
    }
}

/// An object with the number of the change that it came with.
#[derive(Debug)]
pub(crate) struct Stored<T: Headed, S> {
    pub(crate) version: u64,
    pub(crate) view: View<T, S>,
}

impl<T: Headed, S> View<T, S> {
    /// Whether the spec can be read.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.kept.is_ok()
    }

    /// The little that is known of the spec without reading it again; `None` when it can't be read.
    #[must_use]
    pub fn head(&self) -> Option<&T::Head> {
        self.kept.as_ref().ok().map(|kept| &kept.head)
    }

    /// The spec, or every reason why it can't be read.
    ///
    /// # Errors
    /// Those.
    pub fn parsed(&self) -> Result<Arc<T>, Arc<str>> {
        self.kept.as_ref().map_err(Arc::clone)?.object()
    }

    /// The object, also while it is being deleted.
    #[must_use]
    pub fn entry(&self) -> Entry<T> {
        match self.parsed() {
            Ok(object) => Entry::Known(object),
            Err(why) => Entry::Unreadable(why),
        }
    }

    /// The object as far as it grants anything: missing while it is being deleted.
    #[must_use]
    pub fn granting(&self) -> Entry<T> {
        if self.meta.terminating {
            Entry::Missing
        } else {
            self.entry()
        }
    }
}

/// What is kept of the status of an account, and of what people say on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountState {
    /// How many of its roles a person has accepted to lose at once.
    pub accepted_removing: usize,
    /// Condition `IssuerReady`, if it is about the spec as it is now.
    pub issuer: Option<IssuerState>,
    /// Condition `FederationReady`, if it is about the spec as it is now.
    pub federation: Option<IssuerState>,
}

/// What the broker says of an identity that it makes sessions with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerState {
    /// Whether it is the one that the account names.
    pub status: Status,
    /// `None`: one that this version does not know.
    pub reason: Option<ConditionReason>,
    /// For people.
    pub message: Box<str>,
}

/// What is kept of the status of a limit: what roles wait for, and nothing else of it. Whatever else is written there wakes nobody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitState {
    /// The boundary policies that are in AWS, by account.
    pub boundaries: BTreeMap<String, BoundaryInAccount>,
}

/// A boundary policy as AWS has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundaryInAccount {
    /// Its ARN.
    pub policy_arn: Box<str>,
    /// SHA-256 of its document, in hexadecimal.
    pub document_hash: Box<str>,
    /// Whether it is known to allow no more than the limit. Of a policy that somebody else writes.
    pub within: Option<bool>,
    /// SHA-256 of what it was compared with. Of a policy that somebody else writes.
    pub ceiling_hash: Option<Box<str>>,
}

impl BoundaryInAccount {
    /// The part of an entry in the status; `None` when AWS has no policy.
    #[must_use]
    pub fn new(entry: &BoundaryStatus) -> Option<Self> {
        Some(Self {
            policy_arn: entry.policy_arn.as_deref()?.into(),
            document_hash: entry.document_hash.as_deref()?.into(),
            within: entry.within,
            ceiling_hash: entry.ceiling_hash.as_deref().map(Into::into),
        })
    }
}

impl LimitState {
    /// The boundary policy in an account.
    #[must_use]
    pub fn boundary(&self, account: &ObjectName) -> Option<&BoundaryInAccount> {
        self.boundaries.get(account.as_str())
    }

    /// The accounts of which another one says something else.
    pub(crate) fn changed(&self, other: &Self) -> BTreeSet<String> {
        let accounts = self.boundaries.keys().chain(other.boundaries.keys());
        accounts
            .filter(|account| self.boundaries.get(*account) != other.boundaries.get(*account))
            .cloned()
            .collect()
    }
}

/// What is kept of the status of a role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoleState {
    /// Condition `Provisioned` is True, for the spec as it is now.
    pub provisioned: bool,
    /// Condition `Ready` is True, for the spec as it is now.
    pub ready: bool,
    /// Reason of condition `Ready`.
    pub reason: Option<Box<str>>,
    /// Unix seconds since `Ready` is as it is; 0 while it says nothing.
    pub since: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// `status.roleARN`.
    pub role_arn: Option<Box<str>>,
    /// `status.roleID`.
    pub role_id: Option<Box<str>>,
    /// `status.trustHash`.
    pub trust_hash: Option<Box<str>>,
    /// `status.leftOutPrincipals`.
    pub left_out_principals: Vec<LeftOutPrincipalStatus>,
    /// `status.sessions.serviceAccounts`: all whose sessions can be cut. `None` where the status does not name them, or not all.
    pub service_accounts: Option<BTreeSet<Box<str>>>,
    /// `status.sessions.people`: the marks of all people whose sessions can be cut, or one digest over them. `None` where the status has no
    /// record.
    pub people: Option<BTreeSet<Box<str>>>,
    /// `status.sessions.cutPeople.before`, in Unix seconds, where that cuts all people.
    pub all_people_cut_before: Option<i64>,
    /// `status.sessions.everybody.before`, in Unix seconds: sessions that were issued before are denied everything.
    pub cut_before: Option<i64>,
    /// `status.maxSessionDuration`: the longest session of a role that exists.
    pub longest_session: Option<MaxSessionDuration>,
    /// All that an AWSRole's status says, and its finalizers, as the number that [`crate::Index::told_of_role`] gives. `None` of a
    /// ClusterAWSRole's.
    pub told: Option<u64>,
}

impl RoleState {
    /// Whether the other one differs in nothing that anybody is told of but who looks whether it says what it should.
    pub(crate) fn differs_in_words_alone(&self, other: &Self) -> bool {
        let told = other.told;
        *other == Self { told, ..self.clone() }
    }
}

/// What is kept of the status of a ClusterAWSRole: of each of its IAM roles, what would be kept of an AWSRole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterRoleState {
    /// By the namespace that binds it, and the AWSAccount.
    pub instances: BTreeMap<(NamespaceName, ObjectName), Arc<RoleState>>,
    /// A number that differs when it says something else of their tags or boundaries. No decision rests on those; who sums them up is
    /// told by it.
    pub findings: u64,
}

impl ClusterRoleState {
    /// What its status says of an IAM role; `None` when there is no entry: it was never in AWS, or is gone.
    #[must_use]
    pub fn instance(&self, id: &RoleId) -> Option<&Arc<RoleState>> {
        self.instances
            .get(&(id.namespace.clone(), id.bound_account()?.clone()))
    }

    /// The IAM roles that there are entries of, of the ClusterAWSRole `name`.
    pub fn recorded(&self, name: &ObjectName) -> impl Iterator<Item = RoleId> {
        self.instances.keys().map(|(namespace, account)| RoleId {
            namespace: namespace.clone(),
            name: name.clone(),
            kind: RoleKind::ClusterAWSRole {
                account: account.clone(),
            },
        })
    }
}

/// What is kept of the status of a binding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BindingState {
    /// Condition `Ready` is True.
    pub ready: bool,
    /// Condition `SessionsIssued` is False: its reason. One that this version does not know is [`ConditionReason::AWSError`].
    pub refused: Option<ConditionReason>,
    /// `status.roleARN` is set: its role was there once.
    pub had_role: bool,
    /// All that it says, as the number that [`crate::Index::told_of_binding`] gives.
    pub told: Option<u64>,
}

/// What is kept of the status of a binding of a federated user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FederatedState {
    /// Condition `SessionsIssued` is False: its reason. One that this version does not know is [`ConditionReason::AWSError`].
    pub refused: Option<ConditionReason>,
}

/// What is kept of the status of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatementState {
    /// `status.sid`: what has this Sid in the policy is the statement's.
    pub sid: Option<Box<str>>,
}

/// What is kept of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamespaceInfo {
    /// `metadata.uid`.
    pub uid: Option<Arc<str>>,
    /// Labels in `deputy.dev/`, and those of others that injection goes by; the rest is not kept.
    pub labels: BTreeMap<String, String>,
    /// Annotations that injection goes by; the rest is not kept.
    pub annotations: BTreeMap<String, String>,
    /// Unix seconds of its deletionTimestamp.
    pub terminating_since: Option<i64>,
}

/// What is kept of a ServiceAccount.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceAccountInfo {
    /// `metadata.uid`.
    pub uid: Option<Arc<str>>,
    /// Labels in `deputy.dev/`, and those of others that injection goes by; the rest is not kept.
    pub labels: BTreeMap<String, String>,
    /// Annotations that injection goes by; the rest is not kept.
    pub annotations: BTreeMap<String, String>,
}

/// What is known of a binding that can't be read.
#[derive(Debug)]
pub(crate) struct UnreadableBinding {
    /// When it was made, in seconds since 1970.
    pub(crate) created: i64,
    /// The ServiceAccounts that it names; `None`: it may name any.
    pub(crate) subjects: Option<BTreeSet<ServiceAccountName>>,
    /// What of a ClusterAWSRole it keeps.
    pub(crate) keeps: Keeps,
}

impl UnreadableBinding {
    pub(crate) fn may_name(&self, service_account: &ServiceAccountName) -> bool {
        let subjects = self.subjects.as_ref();
        subjects.is_none_or(|subjects| subjects.contains(service_account))
    }
}

/// The IAM role of a ClusterAWSRole that a binding keeps in AWS.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// None: it names an AWSRole.
    Nothing,
    /// This one.
    One(RoleId),
    /// It may be any of the namespace.
    Any,
}
