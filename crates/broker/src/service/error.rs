//! Why no session was made.

use crate::{
    issuer::SessionKey,
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
    /// It is not granted, or AWS refuses it.
    #[error(transparent)]
    Refused(#[from] ResolveError),
}

impl SessionError {
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
