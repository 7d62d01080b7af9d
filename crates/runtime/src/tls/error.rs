//! Why an authority can't be used, and the one way to give it up.

use super::certificate::CertificateError;

/// The annotation on the Secret that lets go of an authority: its value is the fingerprint of the root that clients
/// trust. Bound to that one root, so one that is left there says nothing about the next.
pub const ABANDON_ANNOTATION: &str = "deputy.dev/abandon-authority";

/// An authority that can't be used. Nothing in it is secret.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The Secret holds something else than an authority. It is not overwritten, except by a replica that holds the
    /// authority that was there.
    #[error("key {key:?} of the Secret is not usable; restore the Secret's data from a backup")]
    Corrupt {
        /// The key in the Secret.
        key: &'static str,
        /// What is wrong with it.
        #[source]
        source: CertificateError,
    },
    /// One of two keys that belong together is not there.
    #[error("the Secret has no key {missing:?}; restore the Secret's data from a backup")]
    Incomplete {
        /// The key that is missing.
        missing: &'static str,
    },
    /// The Secret does not exist. The chart makes it; this process may not.
    #[error("the Secret does not exist; the chart creates it")]
    NoSecret,
    /// Clients trust another authority than there is, and nobody said that they may lose it.
    #[error(
        "the Secret holds {found}, and running pods trust the authority with the fingerprint {trusted}: restore the \
         Secret's data from a backup. Only if it is lost for good: the annotation {ABANDON_ANNOTATION}: {trusted} on \
         the Secret gives it up, and no pod that runs gets another credential until it is created anew"
    )]
    Pinned {
        /// What is in the Secret.
        found: &'static str,
        /// The SHA-256 fingerprint of the root that clients trust.
        trusted: String,
    },
    /// Which authority clients trust is not known, so none is made.
    #[error("the Secret holds {found}, and which authority running pods trust is not known: {why}")]
    PinsUnknown {
        /// What is in the Secret.
        found: &'static str,
        /// Why not.
        why: String,
    },
    /// A new certificate could not be made.
    #[error("failed to issue a certificate")]
    Issue(#[source] CertificateError),
    /// The API server did not do what was asked.
    #[error("failed to {action}: {message}")]
    Api {
        /// What was asked.
        action: &'static str,
        /// What it said.
        message: String,
    },
    /// The TLS configuration is not accepted.
    #[error("failed to configure TLS")]
    Tls(#[source] rustls::Error),
}

impl AuthorityError {
    /// A bounded name for metrics and events.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Corrupt { .. } => "corrupt",
            Self::Incomplete { .. } => "incomplete",
            Self::NoSecret => "no-secret",
            Self::Pinned { .. } => "pinned",
            Self::PinsUnknown { .. } => "pins-unknown",
            Self::Issue(_) => "issue",
            Self::Api { .. } => "api",
            Self::Tls(_) => "tls",
        }
    }
}
