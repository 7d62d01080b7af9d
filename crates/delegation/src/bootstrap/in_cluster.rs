//! The same identities where the processes get them as pods of the cluster: by tokens of their ServiceAccounts, or by EKS Pod Identity.

use deputy_policy::{
    ActionElement, Condition, Document, Effect, PolicyKind, Principal, PrincipalElement, Statement, Test,
};

use super::{policies::document, setup::AccountSetup};
use crate::names::{AccountId, EksClusterArn, IamEntity, NamespaceName, OidcProviderArn, Partition};

/// What the AWS SDKs and the webhook of IAM roles for service accounts ask STS for.
/// <https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html>
const AUDIENCE: &str = "sts.amazonaws.com";
/// <https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html>
const POD_IDENTITY: &str = "pods.eks.amazonaws.com";

/// How a pod of the cluster becomes a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodsBecome {
    /// By a token of its ServiceAccount (IAM roles for service accounts), which this provider vouches for.
    WebIdentity(OidcProviderArn),
    /// By EKS Pod Identity, in this cluster.
    PodIdentity(EksClusterArn),
}

/// What pods of the cluster can't become. The sentence names it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PodIdentityError {
    /// Pods become roles.
    #[error("{0} is a user; pods become roles")]
    User(String),
    /// AWS looks for the provider or the association in the role's own account.
    #[error("{identity} is in another account than {through}; pods become roles of its account")]
    Elsewhere {
        /// The identity.
        identity: String,
        /// The provider, or the cluster.
        through: String,
    },
}

impl PodsBecome {
    fn place(&self) -> (&Partition, &AccountId) {
        match self {
            Self::WebIdentity(provider) => (provider.partition(), provider.account()),
            Self::PodIdentity(cluster) => (cluster.partition(), cluster.account()),
        }
    }

    fn arn(&self) -> String {
        match self {
            Self::WebIdentity(provider) => provider.to_string(),
            Self::PodIdentity(cluster) => cluster.to_string(),
        }
    }
}

/// The ServiceAccount of a process, as the chart calls it. None of the federation user, whose keys the broker has.
#[must_use]
pub fn service_account(process: &str) -> Option<&'static str> {
    match process {
        "deputy broker" => Some("deputy-broker"),
        "deputy controller" => Some("deputy-controller"),
        "deputy limits" => Some("deputy-limits"),
        _ => None,
    }
}

/// Adds to `setups` that each process's own identity is a role of its pods: those of its ServiceAccount in `namespace`, and no others.
///
/// # Errors
/// Everything by which that can't be.
pub fn give_to_pods(
    setups: &mut [AccountSetup],
    how: &PodsBecome,
    namespace: &NamespaceName,
) -> Result<(), Vec<PodIdentityError>> {
    let mut errors = Vec::new();
    for identity in setups.iter_mut().flat_map(|setup| &mut setup.identities) {
        let (None, Some(account)) = (&identity.trust, service_account(identity.process)) else {
            continue;
        };
        let arn = &identity.arn;
        if arn.entity() != IamEntity::Role {
            errors.push(PodIdentityError::User(arn.to_string()));
        }
        if (arn.partition(), arn.account()) != how.place() {
            errors.push(PodIdentityError::Elsewhere {
                identity: arn.to_string(),
                through: how.arn(),
            });
        }
        identity.trust = Some(trusts_pods(how, namespace, account));
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn trusts_pods(how: &PodsBecome, namespace: &NamespaceName, account: &str) -> Document {
    let equals = |key: String, value: String| Condition::new(Test::StringEquals, key, [value]);
    let (sid, service, federated, actions, conditions) = match how {
        PodsBecome::WebIdentity(provider) => (
            "ServiceAccountToken",
            Vec::new(),
            vec![provider.to_string()],
            vec!["sts:AssumeRoleWithWebIdentity"],
            vec![
                equals(format!("{}:aud", provider.issuer()), AUDIENCE.to_owned()),
                equals(
                    format!("{}:sub", provider.issuer()),
                    format!("system:serviceaccount:{namespace}:{account}"),
                ),
            ],
        ),
        // The tags are EKS's own: without the conditions an association of any cluster and ServiceAccount of the account gives the role.
        PodsBecome::PodIdentity(cluster) => (
            "PodIdentity",
            vec![POD_IDENTITY.to_owned()],
            Vec::new(),
            vec!["sts:AssumeRole", "sts:TagSession"],
            vec![
                Condition::new(
                    Test::ArnEquals,
                    "aws:RequestTag/eks-cluster-arn",
                    [cluster.to_string()],
                ),
                equals(
                    "aws:RequestTag/kubernetes-namespace".to_owned(),
                    namespace.to_string(),
                ),
                equals(
                    "aws:RequestTag/kubernetes-service-account".to_owned(),
                    account.to_owned(),
                ),
            ],
        ),
    };
    let statement = Statement {
        sid: Some(sid.to_owned()),
        effect: Effect::Allow,
        principal: Some(PrincipalElement::Principal(Principal::Listed {
            aws: Vec::new(),
            service,
            federated,
            canonical_user: Vec::new(),
        })),
        action: ActionElement::Action(actions.into_iter().map(str::to_owned).collect()),
        resource: None,
        conditions,
    };
    document(PolicyKind::Trust, vec![statement])
}
