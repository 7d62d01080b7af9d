//! The broker's authorities, as the broker itself tells them.
//!
//! A pod has the roots in `DEPUTY_BROKER_CA` from its start, and lives for months; the broker's authority may have a successor by then.
//! So each answer of the broker carries the digest of its bundle, and when that is another than the one known here, the bundle
//! is fetched on the same connection, which was verified. What was given at the start stays trusted, and nothing is kept beyond the
//! life of the process: a program that takes the place of this one after a fault gets it, too.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    time::Duration,
};

use http::HeaderMap;
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio::time::Instant;

/// The path of the bundle at the broker.
pub(crate) const PATH: &str = "/v1/bundle";
/// The header with the digest of the broker's bundle.
const HEADER: &str = "deputy-bundle";
/// The bundle is fetched at most this often.
const PAUSE: Duration = Duration::from_secs(60);

/// SHA-256 of the text of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleDigest([u8; 32]);

impl BundleDigest {
    /// The digest of `text`.
    pub fn of(text: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, text);
        let mut bytes = [0; 32];
        for (byte, of) in bytes.iter_mut().zip(digest.as_ref()) {
            *byte = *of;
        }
        Self(bytes)
    }

    /// 64 lower-case hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.iter().fold(String::new(), |mut hex, byte| {
            // A String takes whatever is written.
            write!(hex, "{byte:02x}").unwrap_or_default();
            hex
        })
    }
}

/// Why a bundle changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It is not PEM.
    #[error("is not PEM: {0}")]
    NotPem(rustls_pki_types::pem::Error),
    /// No certificate is in it.
    #[error("holds no certificate")]
    Empty,
    /// With those given at the start there would be too many.
    #[error("makes {0} roots with those of DEPUTY_BROKER_CA; at most {most} are trusted", most = crate::dial::MAX_ROOTS)]
    TooMany(usize),
    /// A certificate can't be a root.
    #[error("has a certificate that can't be a root: {0}")]
    Root(rustls::Error),
}

/// The text of the bundle that is trusted beside what was given at the start: empty until the broker has told of one. Clones
/// share it.
#[derive(Clone, Default)]
pub struct LearnedBundle(Arc<Mutex<Vec<u8>>>);

impl LearnedBundle {
    /// `text` is what is trusted from now on.
    pub(crate) fn keep(&self, text: &[u8]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text.to_vec();
    }

    /// The text, if there is one. Never waits, for a fault may have come while it was written: there is none then.
    pub fn text(&self) -> Option<Vec<u8>> {
        let text = match self.0.try_lock() {
            Ok(text) => text,
            Err(TryLockError::Poisoned(text)) => text.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        (!text.is_empty()).then(|| text.clone())
    }
}

/// What is known of the broker's bundle.
pub(crate) struct KnownBundle(Mutex<Known>);

struct Known {
    digest: BundleDigest,
    not_before: Option<Instant>,
    /// The last one that changed nothing.
    refused: Option<BundleDigest>,
}

impl KnownBundle {
    /// The one that is trusted at the start.
    pub fn new(digest: BundleDigest) -> Self {
        Self(Mutex::new(Known {
            digest,
            not_before: None,
            refused: None,
        }))
    }

    /// Whether an answer with `headers` tells of another bundle, and it is time to fetch it.
    pub fn is_wanted(&self, headers: &HeaderMap) -> bool {
        let Some(announced) = headers.get(HEADER) else {
            return false;
        };
        let now = Instant::now();
        let mut known = self.lock();
        let is_news = announced.as_bytes() != known.digest.hex().as_bytes();
        if !is_news || known.not_before.is_some_and(|time| now < time) {
            return false;
        }
        known.not_before = now.checked_add(PAUSE);
        true
    }

    /// `text` is what is trusted from now on.
    pub fn learned(&self, text: &[u8]) {
        self.lock().digest = BundleDigest::of(text);
    }

    /// `text` changes nothing. Gives whether that is news.
    pub fn refused(&self, text: &[u8]) -> bool {
        let digest = Some(BundleDigest::of(text));
        let mut known = self.lock();
        let is_news = known.refused != digest;
        known.refused = digest;
        is_news
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The certificates of a bundle.
///
/// # Errors
/// [`BundleError`] for what is not PEM, and for none.
pub(crate) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, BundleError> {
    let certificates = CertificateDer::pem_slice_iter(text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(BundleError::NotPem)?;
    if certificates.is_empty() {
        return Err(BundleError::Empty);
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn announcing(digest: &str) -> HeaderMap {
        let value = HeaderValue::try_from(digest).unwrap();
        HeaderMap::from_iter([(HeaderName::from_static(HEADER), value)])
    }

    #[test]
    fn a_digest_is_sha_256_in_lower_case() {
        // FIPS 180-4, "abc".
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(BundleDigest::of(b"abc").hex(), hex);
    }

    #[tokio::test(start_paused = true)]
    async fn another_bundle_is_fetched_at_most_once_a_minute() {
        let known = KnownBundle::new(BundleDigest::of(b"a"));
        let other = announcing(&BundleDigest::of(b"b").hex());
        assert!(!known.is_wanted(&HeaderMap::new()));
        assert!(!known.is_wanted(&announcing(&BundleDigest::of(b"a").hex())));
        assert!(known.is_wanted(&other));
        assert!(!known.is_wanted(&other));
        tokio::time::sleep(PAUSE).await;
        assert!(known.is_wanted(&other));
        known.learned(b"b");
        tokio::time::sleep(PAUSE).await;
        assert!(!known.is_wanted(&other));
    }

    #[test]
    fn a_bundle_that_changes_nothing_is_news_once() {
        let known = KnownBundle::new(BundleDigest::of(b"a"));
        let news = [&b"x"[..], b"x", b"y", b"x"].map(|text| known.refused(text));
        assert_eq!(news, [true, false, true, true]);
    }
}
