//! Why a token is worth nothing, whoever looks at it.

use jiff::Timestamp;

use crate::AUDIENCE;

/// A projected token has about 1.2 KB; nothing longer is looked at.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Why a token is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Not three parts in base64 with dots between them, or not with the content that Kubernetes gives them.
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
        "the token expired at {0}; a kubelet replaces it in time, unless its clock or the one here is wrong"
    )]
    Expired(Timestamp),
    /// Too young.
    #[error("the token is not valid before {0}; compare the clocks of the API server and the one here")]
    NotYetValid(Timestamp),
    /// Valid, but not for Deputy.
    #[error("the token is not meant for audience {AUDIENCE:?}")]
    OtherAudience,
    /// Valid, but not a ServiceAccount's.
    #[error("{0:?} is not a ServiceAccount")]
    NotAServiceAccount(String),
    /// Valid, but bound to no pod: anybody with access to the API could hold it.
    #[error("the token is bound to no pod; only tokens that the kubelet projects into a pod are accepted")]
    NoPod,
}

impl InvalidToken {
    /// For logs and metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::NotAToken => "NotAToken",
            Self::TooLong(_) => "TooLong",
            Self::UnknownKey => "UnknownKey",
            Self::BadSignature => "BadSignature",
            Self::Expired(_) => "Expired",
            Self::NotYetValid(_) => "NotYetValid",
            Self::OtherAudience => "OtherAudience",
            Self::NotAServiceAccount(_) => "NotAServiceAccount",
            Self::NoPod => "NoPod",
        }
    }
}

/// Whether `token` may be one at all: header, claims and signature in base64url, as every JWT has them, and no longer than a token is. Garbage costs
/// no more than this.
///
/// # Errors
/// [`InvalidToken::TooLong`], [`InvalidToken::NotAToken`].
pub fn check_shape(token: &str) -> Result<(), InvalidToken> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(InvalidToken::TooLong(token.len()));
    }
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if token.split('.').count() == 3 && token.split('.').all(is_part) {
        Ok(())
    } else {
        Err(InvalidToken::NotAToken)
    }
}
