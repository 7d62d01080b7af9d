//! Which of Deputy's kinds a review is about.

use crate::review::ReviewRequest;

/// A kind that is validated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeputyKind {
    Account,
    Limit,
    Role,
    ClusterRole,
    Binding,
    FederatedBinding,
    Statement,
}

impl DeputyKind {
    const ALL: [Self; 7] = [
        Self::Account,
        Self::Limit,
        Self::Role,
        Self::ClusterRole,
        Self::Binding,
        Self::FederatedBinding,
        Self::Statement,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Account => "AWSAccount",
            Self::Limit => "DelegationLimit",
            Self::Role => "AWSRole",
            Self::ClusterRole => "ClusterAWSRole",
            Self::Binding => "AWSRoleBinding",
            Self::FederatedBinding => "AWSFederatedUserBinding",
            Self::Statement => "AWSResourcePolicyStatement",
        }
    }
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Account => "awsaccounts",
            Self::Limit => "delegationlimits",
            Self::Role => "awsroles",
            Self::ClusterRole => "clusterawsroles",
            Self::Binding => "awsrolebindings",
            Self::FederatedBinding => "awsfederateduserbindings",
            Self::Statement => "awsresourcepolicystatements",
        }
    }
    pub(crate) fn namespaced(self) -> bool {
        matches!(
            self,
            Self::Role | Self::Binding | Self::FederatedBinding | Self::Statement
        )
    }

    /// The kind of this name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The kind that the request is about. `None` unless kind and resource both say so.
    pub(crate) fn from_request(request: &ReviewRequest<'_>) -> Option<Self> {
        let (kind, resource) = (&request.kind, &request.resource);
        Self::ALL.into_iter().find(|k| {
            kind.group == deputy_api::GROUP
                && kind.version == deputy_api::VERSION
                && kind.kind == k.as_str()
                && resource.group == kind.group
                && resource.version == kind.version
                && resource.resource == k.plural()
        })
    }
}
