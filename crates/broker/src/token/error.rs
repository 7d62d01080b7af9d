//! What a token comes to: a pod, or why it is not accepted.

use std::sync::Arc;

use deputy_delegation::{NameError, NamespaceName, session::SessionSubject};
use jiff::Timestamp;

/// The audience of the tokens in pods; a contract.
pub const AUDIENCE: &str = "deputy";
/// A projected token is about 1.2 KB; nothing longer is looked at.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// A pod that proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodIdentity {
    /// Of the pod and of its ServiceAccount.
    pub namespace: NamespaceName,
    /// Its ServiceAccount, name and uid.
    pub subject: SessionSubject,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// Not three parts in base64 with dots between them: the API server need not be asked.
    #[error("this is not a ServiceAccount token")]
    NotAToken,
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("the token has {0} bytes; at most {MAX_TOKEN_BYTES} are read")]
    TooLong(usize),
    /// By none of the keys that the API server publishes.
    #[error("the token is signed by none of the API server's keys")]
    UnknownKey,
    /// By none of the keys, though it names one of them.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// Too old.
    #[error(
        "the token expired at {0}; a kubelet replaces it in time, unless its clock or the broker's is wrong"
    )]
    Expired(Timestamp),
    /// Too young.
    #[error("the token is not valid before {0}; compare the clocks of the API server and the broker")]
    NotYetValid(Timestamp),
    /// The API server says no: expired, of another audience, of a deleted pod or ServiceAccount, or not its own.
    #[error("the API server does not accept the token for audience {AUDIENCE:?}: {0}")]
    NotAuthenticated(String),
    /// Valid, but not for us.
    #[error("the token is not meant for audience {AUDIENCE:?}")]
    OtherAudience,
    /// Valid, but not a ServiceAccount's.
    #[error("{0:?} is not a ServiceAccount")]
    NotAServiceAccount(String),
    /// Valid, but bound to no pod: anybody with access to the API could hold it.
    #[error("the token is bound to no pod; only tokens that the kubelet projects into a pod are accepted")]
    NoPod,
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
            Self::NotAToken => "NotAToken",
            Self::TooLong(_) => "TooLong",
            Self::UnknownKey => "UnknownKey",
            Self::BadSignature => "BadSignature",
            Self::Expired(_) => "Expired",
            Self::NotYetValid(_) => "NotYetValid",
            Self::NotAuthenticated(_) => "NotAuthenticated",
            Self::OtherAudience => "OtherAudience",
            Self::NotAServiceAccount(_) => "NotAServiceAccount",
            Self::NoPod => "NoPod",
            Self::PodGone(_) => "PodGone",
            Self::Name(_) => "Name",
            Self::Unavailable(_) => "Unavailable",
        }
    }
}
