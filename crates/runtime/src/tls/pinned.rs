//! An authority that clients trust and can't be told to trust another: it is never replaced without somebody saying so.

use std::fmt::Write as _;

use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

use super::{certificate::CaCertificate, error::AuthorityError};

/// What clients trust already, as far as it is known.
pub(super) enum Pinned {
    /// These roots, the one that signs first. Empty: nobody trusts any yet, or whoever does is told of a new one.
    Known(Vec<CaCertificate>),
    /// It could not be read; why.
    Unknown(String),
}

impl Pinned {
    pub(super) fn nothing() -> Self {
        Self::Known(Vec::new())
    }

    /// Clients trust the certificates of an authority that is served with, the one that signs first.
    pub(super) fn by<'a>(certificates: impl Iterator<Item = &'a CaCertificate>) -> Self {
        Self::Known(certificates.cloned().collect())
    }

    fn roots(&self) -> &[CaCertificate] {
        match self {
            Self::Known(roots) => roots,
            Self::Unknown(_) => &[],
        }
    }

    /// Whether `certificates` are those of the authority that clients trust, or of one that goes on from it.
    pub(super) fn allows<'a>(&self, mut certificates: impl Iterator<Item = &'a CaCertificate>) -> bool {
        let roots = self.roots();
        roots.is_empty() || certificates.any(|one| roots.iter().any(|root| root.der == one.der))
    }

    /// Leave to use an authority that clients do not trust: there is none that they do, or `annotation` names it.
    ///
    /// # Errors
    /// [`AuthorityError::Pinned`], [`AuthorityError::PinsUnknown`]
    pub(super) fn let_go(&self, found: &'static str, annotation: Option<&str>) -> Result<(), AuthorityError> {
        match self {
            Self::Unknown(why) => Err(AuthorityError::PinsUnknown {
                found,
                why: why.clone(),
            }),
            Self::Known(roots) => match roots.first().map(|root| fingerprint(&root.der)) {
                Some(trusted) if annotation != Some(trusted.as_str()) => {
                    Err(AuthorityError::Pinned { found, trusted })
                }
                _ => Ok(()),
            },
        }
    }

    /// What a new authority keeps in its bundle, for as long as other replicas serve with it.
    pub(super) fn into_roots(self) -> Vec<CaCertificate> {
        match self {
            Self::Known(roots) => roots,
            Self::Unknown(_) => Vec::new(),
        }
    }
}

/// SHA-256 of the certificate in hexadecimal digits, as `openssl x509 -fingerprint -sha256` without colons.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    Sha256::digest(certificate)
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a string does not fail.
            write!(text, "{byte:02x}").unwrap_or_default();
            text
        })
}
