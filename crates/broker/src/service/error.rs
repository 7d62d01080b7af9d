//! Why no session was made.

use std::sync::Arc;

use deputy_aws::AwsError;

use crate::{
    identity::IdentityError,
    issuer::{NotSent, SessionKey},
    resolve::{ResolveError, SessionGrant},
};

/// Why no session was made.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// Another try may bring one.
    #[error("no session of {principal} yet: {source}")]
    NotYet {
        /// Whose session it would be.
        principal: String,
        /// The code of the protocol (docs/contracts.md).
        code: &'static str,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// AWS refuses it.
    #[error("{refusal}")]
    Refused {
        refusal: ResolveError,
        /// What AWS said, which is in the words of the refusal.
        aws: Arc<AwsError>,
    },
}

impl SessionError {
    /// What AWS said, if it was asked.
    pub(super) fn aws(&self) -> Option<Arc<AwsError>> {
        match self {
            Self::Refused { aws, .. } => Some(Arc::clone(aws)),
            Self::NotYet { source, .. } => {
                let of_identity = || match source.downcast_ref() {
                    Some(IdentityError::Aws(error)) => Some(error),
                    _ => None,
                };
                let of_gate = || match source.downcast_ref() {
                    Some(NotSent::Budget(error)) => Some(error),
                    _ => None,
                };
                let own = source.downcast_ref();
                own.or_else(of_identity).or_else(of_gate).cloned()
            }
        }
    }

    pub(super) fn not_yet(
        grant: &SessionGrant,
        code: &'static str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::NotYet {
            principal: match &grant.key {
                SessionKey::Role(key) => key.role.title().to_string(),
                SessionKey::FederatedUser(key) => key.request.user.to_string(),
            },
            code,
            source: Box::new(source),
        }
    }
}
