//! What a token comes to: a pod, or why it is not accepted.

use std::sync::Arc;

use deputy_delegation::{
    NameError, NamespaceName, PodName, ServiceAccountName, Uid, session::SessionSubject,
};
use deputy_token::{AUDIENCE, BoundPod, InvalidToken, NodeName};

/// A pod that proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodIdentity {
    /// Of the pod and of its ServiceAccount.
    pub namespace: NamespaceName,
    /// Its ServiceAccount, name and uid.
    pub subject: SessionSubject,
    /// The node that it runs on, where the API server says so: 1.30 and newer do.
    pub node: Option<NodeName>,
}

impl PodIdentity {
    /// The pod that a token was made for.
    ///
    /// # Errors
    /// A name that can't be.
    pub(super) fn of(pod: BoundPod) -> Result<Self, NameError> {
        Ok(Self {
            node: pod.node,
            namespace: NamespaceName::new(pod.namespace)?,
            subject: SessionSubject {
                service_account: ServiceAccountName::new(pod.service_account)?,
                pod: PodName::new(pod.name)?,
                pod_uid: Uid::new(pod.uid)?,
            },
        })
    }
}

/// Why a token is not accepted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// It is worth nothing, whoever looks at it.
    #[error(transparent)]
    Invalid(#[from] InvalidToken),
    /// The API server says no: expired, of another audience, of a deleted pod or ServiceAccount, or not its own.
    #[error("the API server does not accept the token for audience {AUDIENCE:?}: {0}")]
    NotAuthenticated(String),
    /// Valid, but its pod has ended or is gone, or another one has its name.
    #[error("pod {}/{} with uid {} has ended, or does not exist any more", .0.namespace, .0.subject.pod, .0.subject.pod_uid)]
    PodGone(Arc<PodIdentity>),
    /// The API server names something that can't be.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It can't be told now; another try may bring an answer.
    #[error("the API server could not be asked about the pod: {0}")]
    Unavailable(String),
}

impl TokenError {
    /// For metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Invalid(invalid) => invalid.category(),
            Self::NotAuthenticated(_) => "NotAuthenticated",
            Self::PodGone(_) => "PodGone",
            Self::Name(_) => "Name",
            Self::Unavailable(_) => "Unavailable",
        }
    }
}
