//! Everything that bears on a request.

use crate::{ast::PolicyKind, document::Document};

/// Longest action and resource that are looked at, in bytes. AWS's longest ARN has 2,048.
pub(super) const MAX_TEXT_BYTES: usize = 8192;

/// Everything that bears on a request besides the request itself.
///
/// What is not given is not there: no boundary, no organisation, no resource policy. `request.principal` says who asks;
/// without it only the principal's own side is looked at, for an IAM user or role of the resource's account.
///
/// The rules (IAM User Guide, "Policy evaluation logic", "How permissions boundaries, session policies and resource
/// policies interact"; Organizations User Guide, "SCPs", "RCPs"):
///
/// * A Deny of any policy that applies denies.
/// * Every level of service control policies has an Allow. They bind users, roles, sessions and the root user of member
///   accounts; not the management account, service-linked roles, services, identity providers or anonymous callers.
/// * Resource control policies only deny: AWS keeps `RCPFullAWSAccess` attached at every level. They bind everybody but
///   service-linked roles, on resources of member accounts.
/// * In one account, a resource policy that names the caller itself (user, session, federated user, `*`) is enough. One
///   that names what is behind the caller (the role of a session, the user of a federated user) stands for the identity
///   policies, and boundary and session policies must still allow. One that names the account leaves it to the identity
///   policies. Trust policies and KMS key policies must allow, in one of these ways.
/// * Across accounts, the resource policy must allow, naming the caller in any way, and so must identity policies,
///   boundary and session policies.
/// * Services, identity providers, origin access identities and anonymous callers have nothing but the resource policy.
/// * The root user needs no identity policy. A federated user without session policy has nothing but what resource
///   policies give it by name. The rest is in [`Rule`](super::Rule).
#[derive(Debug, Clone, Default)]
pub struct Situation<'a> {
    pub(super) identity: Vec<&'a Document>,
    pub(super) resource: Option<&'a Document>,
    pub(super) endpoint: Option<&'a Document>,
    pub(super) boundaries: Vec<&'a Document>,
    pub(super) session: Vec<&'a Document>,
    pub(super) service_control: Vec<Vec<&'a Document>>,
    pub(super) resource_control: Vec<Vec<&'a Document>>,
    pub(super) resource_account: Option<String>,
    pub(super) management_account: Option<String>,
    pub(super) service_linked: bool,
    pub(super) session_token: bool,
}

impl<'a> Situation<'a> {
    /// Nothing at all: what is asked is not allowed, unless it is the root user who asks.
    pub fn new() -> Self {
        Self::default()
    }

    /// The policies of the user and its groups, or of the role: their union. Of a federated user, those of the user who
    /// called `sts:GetFederationToken`.
    #[must_use]
    pub fn identity(mut self, documents: impl IntoIterator<Item = &'a Document>) -> Self {
        self.identity = documents.into_iter().collect();
        self
    }

    /// The policy of the resource. For `sts:AssumeRole…`, `sts:TagSession` and `sts:SetSourceIdentity` on a role: its
    /// trust policy, of kind [`PolicyKind::Trust`].
    #[must_use]
    pub fn resource_policy(mut self, document: &'a Document) -> Self {
        self.resource = Some(document);
        self
    }

    /// The policy of the VPC endpoint that the request comes through.
    #[must_use]
    pub fn endpoint_policy(mut self, document: &'a Document) -> Self {
        self.endpoint = Some(document);
        self
    }

    /// Permissions boundaries; each must allow. AWS knows one at most.
    #[must_use]
    pub fn boundaries(mut self, documents: impl IntoIterator<Item = &'a Document>) -> Self {
        self.boundaries = documents.into_iter().collect();
        self
    }

    /// The session's policies, inline and by ARN: their union. To pass none is to have none.
    #[must_use]
    pub fn session(mut self, documents: impl IntoIterator<Item = &'a Document>) -> Self {
        self.session = documents.into_iter().collect();
        self
    }

    /// Service control policies of the principal's account: for each level, from the organisation's root to the account,
    /// those attached there. A level without policy allows nothing.
    #[must_use]
    pub fn service_control<L: IntoIterator<Item = &'a Document>>(
        mut self,
        levels: impl IntoIterator<Item = L>,
    ) -> Self {
        self.service_control = levels
            .into_iter()
            .map(|level| level.into_iter().collect())
            .collect();
        self
    }

    /// Resource control policies of the resource's account, by level. Only their Denies count.
    #[must_use]
    pub fn resource_control<L: IntoIterator<Item = &'a Document>>(
        mut self,
        levels: impl IntoIterator<Item = L>,
    ) -> Self {
        self.resource_control = levels
            .into_iter()
            .map(|level| level.into_iter().collect())
            .collect();
        self
    }

    /// The account that owns the resource, 12 digits. When it is not given: the account in the resource's ARN; when that
    /// has none (as those of S3), the principal's account.
    #[must_use]
    pub fn resource_account(mut self, id: impl Into<String>) -> Self {
        self.resource_account = Some(id.into());
        self
    }

    /// The management account of the organisation, 12 digits: service control policies do not bind its principals, nor
    /// resource control policies its resources.
    #[must_use]
    pub fn management_account(mut self, id: impl Into<String>) -> Self {
        self.management_account = Some(id.into());
        self
    }

    /// Whether the caller is a session of a service-linked role (path `/aws-service-role/`, which a session's ARN does
    /// not show); policies of the organisation do not bind those.
    #[must_use]
    pub fn service_linked(mut self, is: bool) -> Self {
        self.service_linked = is;
        self
    }

    /// Whether the user's credentials come from `sts:GetSessionToken`.
    #[must_use]
    pub fn session_token(mut self, is: bool) -> Self {
        self.session_token = is;
        self
    }
}

/// Why a situation is not evaluated; never an allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SituationError {
    /// An action or resource that no request of AWS has.
    #[error("the {what} has {bytes} bytes; at most {MAX_TEXT_BYTES} are looked at")]
    TooLong {
        /// `action` or `resource`.
        what: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// Not an account id.
    #[error("{found} is not the id of the {what} account: 12 digits")]
    Account {
        /// `resource` or `management`.
        what: &'static str,
        /// What was given, shortened.
        found: String,
    },
    /// A policy with principals, or the resource's account, but nobody who asks.
    #[error("a {0} was given, but not the principal who asks")]
    NoPrincipal(String),
    /// A document in the wrong place.
    #[error("the {layer} was read as a policy of kind {found:?}, not {expected:?}")]
    Kind {
        /// The layer.
        layer: String,
        /// The document's kind.
        found: PolicyKind,
        /// The kind that belongs there.
        expected: PolicyKind,
    },
    /// The policy of a VPC endpoint is not attached to what is asked for, so its statements say what they are about.
    #[error("a statement of the endpoint's policy has no Resource")]
    EndpointWithoutResource,
    /// The decision depends on whether the caller is somebody whom a statement names: a session while the caller is some
    /// session of its role, a user while the caller is a federated user of nobody knows whom, a unique id or a canonical
    /// user id while the caller is given by its ARN. (The unique id may be given as `aws:userid`.)
    #[error("a statement names {0}, and it is not known whether the caller is that one")]
    UnknownCaller(String),
    /// The caller is given by a unique id or a canonical user id, so its account is not known.
    #[error(
        "the account of {0} is not known: give the ARN of the principal, and its unique id as aws:userid"
    )]
    UnknownAccount(String),
    /// Only actions `sts:AssumeRole…` on the ARN of a role assume one.
    #[error("{0} does not assume a role")]
    NotAssumeRole(String),
    /// The patterns are too costly to match.
    #[error("the policies and the request take more than {0} steps to compare")]
    Budget(u64),
}
