//! Deputy's kinds, and which of them a review is about.

use deputy_index::ResourceKind;

use crate::review::ReviewRequest;

/// A kind of Deputy's that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeputyKind {
    /// `AWSAccount`.
    Account,
    /// `DelegationLimit`.
    Limit,
    /// `ClusterAWSRole`.
    ClusterRole,
    /// `AWSRole`.
    Role,
    /// `AWSRoleBinding`.
    Binding,
    /// `AWSFederatedUserBinding`.
    FederatedBinding,
    /// `AWSResourcePolicyStatement`.
    Statement,
}

impl DeputyKind {
    /// All of them; what is granted comes after what it is granted by.
    pub const ALL: [Self; 7] = [
        Self::Account,
        Self::Limit,
        Self::ClusterRole,
        Self::Role,
        Self::Binding,
        Self::FederatedBinding,
        Self::Statement,
    ];

    /// As objects say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "AWSAccount",
            Self::Limit => "DelegationLimit",
            Self::ClusterRole => "ClusterAWSRole",
            Self::Role => "AWSRole",
            Self::Binding => "AWSRoleBinding",
            Self::FederatedBinding => "AWSFederatedUserBinding",
            Self::Statement => "AWSResourcePolicyStatement",
        }
    }

    /// As the index knows it.
    #[must_use]
    pub fn resource(self) -> ResourceKind {
        match self {
            Self::Account => ResourceKind::Accounts,
            Self::Limit => ResourceKind::Limits,
            Self::ClusterRole => ResourceKind::ClusterRoles,
            Self::Role => ResourceKind::Roles,
            Self::Binding => ResourceKind::Bindings,
            Self::FederatedBinding => ResourceKind::FederatedBindings,
            Self::Statement => ResourceKind::Statements,
        }
    }

    /// As the API server's paths say it.
    #[must_use]
    pub fn plural(self) -> &'static str {
        self.resource().as_str()
    }

    /// Whether its objects are in a namespace.
    #[must_use]
    pub fn is_namespaced(self) -> bool {
        !matches!(self, Self::Account | Self::Limit | Self::ClusterRole)
    }

    /// The kind of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind that the request is about. `None` unless kind and resource both say so.
    pub(crate) fn from_request<O>(request: &ReviewRequest<O>) -> Option<Self> {
        let (kind, resource) = (&request.kind, &request.resource);
        Self::ALL.into_iter().find(|k| {
            kind.group == deputy_api::GROUP
                && kind.version == deputy_api::VERSION
                && kind.kind == k.name()
                && resource.group == kind.group
                && resource.version == kind.version
                && resource.resource == k.plural()
        })
    }
}
