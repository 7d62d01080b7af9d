//! The kinds that people write.

use std::{collections::HashMap, sync::LazyLock};

use deputy_api::crds::crds;
use deputy_index::ResourceKind;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::ApiResource;

/// A kind of Deputy's that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    Account,
    Limit,
    ClusterRole,
    Role,
    Binding,
    FederatedBinding,
    Statement,
}

impl ObjectKind {
    pub const ALL: [Self; 7] = [
        Self::Account,
        Self::Limit,
        Self::ClusterRole,
        Self::Role,
        Self::Binding,
        Self::FederatedBinding,
        Self::Statement,
    ];

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

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub fn is_namespaced(self) -> bool {
        !matches!(self, Self::Account | Self::Limit | Self::ClusterRole)
    }

    /// As the index knows it.
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

    /// Its definition.
    pub fn definition(self) -> Option<&'static CustomResourceDefinition> {
        DEFINITIONS.get(self.name())
    }

    /// How an API server is asked for it.
    pub fn api(self) -> ApiResource {
        ApiResource {
            group: deputy_api::GROUP.to_owned(),
            version: deputy_api::VERSION.to_owned(),
            api_version: format!("{}/{}", deputy_api::GROUP, deputy_api::VERSION),
            kind: self.name().to_owned(),
            plural: self.resource().as_str().to_owned(),
        }
    }
}

/// Made once: that takes a while.
static DEFINITIONS: LazyLock<HashMap<String, CustomResourceDefinition>> = LazyLock::new(|| {
    let named = |definition: CustomResourceDefinition| (definition.spec.names.kind.clone(), definition);
    crds().into_iter().map(named).collect()
});
