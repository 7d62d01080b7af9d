//! The keys by which the API server signs tokens, as it publishes them (JWKS, RFC 7517).
//! <https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery>

use std::{collections::HashMap, sync::Arc};

use data_encoding::BASE64URL_NOPAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde::{Deserialize, Serialize};

use crate::jws::{Algorithm, SignedToken};

/// Keys that are kept. An API server has one or two, and some more while it rotates them.
const MAX_KEYS: usize = 64;
/// Longest text in which keys are handed on, in bytes: 64 RSA keys of 4096 bits fit.
pub const MAX_KEY_DOCUMENT_BYTES: usize = 64 * 1024;

/// What the API server publishes about its tokens.
#[derive(Debug, Clone, Default)]
pub struct PublishedKeys {
    /// Its name, as tokens have it.
    issuer: String,
    keys: HashMap<String, Key>,
    /// For somebody else who verifies tokens.
    document: Option<Arc<[u8]>>,
}

/// Keys as they are handed on: `{"issuer": "…", "jwks": {"keys": […]}}`.
#[derive(Deserialize, Serialize)]
struct KeyDocument<I, K> {
    issuer: I,
    jwks: K,
}

#[derive(Debug, Clone)]
enum Key {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    P256(Vec<u8>),
    P384(Vec<u8>),
    /// Of a kind that the crypto library does not know.
    Foreign,
}

/// What the keys say of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// It is by the key that it names.
    Right,
    /// It is not by the key that it names.
    Wrong,
    /// By a key that is not among them.
    UnknownKey,
    /// By a key of a kind that can't be used here.
    ForeignKey,
}

/// What the API server publishes can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// Not the JSON that it should be.
    #[error("the {0} is not what it should be")]
    Malformed(&'static str),
    /// There is none.
    #[error("there is no key in it")]
    None,
    /// More than can be kept.
    #[error("there are {0} keys; at most {MAX_KEYS} are kept")]
    TooMany(usize),
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
}

#[derive(Deserialize, Serialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Deserialize, Serialize)]
struct Jwk {
    kty: String,
    kid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

impl Jwk {
    fn key(&self) -> Option<Key> {
        let bytes = |part: &Option<String>| BASE64URL_NOPAD.decode(part.as_deref()?.as_bytes()).ok();
        // An uncompressed point (SEC 1, 2.3.3). Coordinates have their whole length (RFC 7518, 6.2.1.2).
        let point = |length: usize| {
            let (x, y) = (bytes(&self.x)?, bytes(&self.y)?);
            (x.len() == length && y.len() == length).then(|| [&[4], x.as_slice(), y.as_slice()].concat())
        };
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Some(Key::Rsa {
                n: bytes(&self.n)?,
                e: bytes(&self.e)?,
            }),
            ("EC", Some("P-256")) => point(32).map(Key::P256),
            ("EC", Some("P-384")) => point(48).map(Key::P384),
            _ => Some(Key::Foreign),
        }
    }
}

impl PublishedKeys {
    /// Reads the discovery document and the key set.
    ///
    /// # Errors
    /// [`KeysError`]. A key that can't be read is an error: tokens by it would be refused.
    pub fn parse(discovery: &str, jwks: &str) -> Result<Self, KeysError> {
        let discovery: Discovery =
            serde_json::from_str(discovery).map_err(|_| KeysError::Malformed("discovery document"))?;
        let jwks: Jwks = serde_json::from_str(jwks).map_err(|_| KeysError::Malformed("key set"))?;
        Self::of(discovery.issuer, jwks)
    }

    /// Reads what [`Self::document`] wrote.
    ///
    /// # Errors
    /// [`KeysError`], as for what the API server publishes.
    pub fn from_document(text: &[u8]) -> Result<Self, KeysError> {
        let KeyDocument { issuer, jwks } =
            serde_json::from_slice(text).map_err(|_| KeysError::Malformed("key document"))?;
        Self::of(issuer, jwks)
    }

    /// The keys for somebody else who verifies tokens: `{"issuer": "…", "jwks": {"keys": […]}}`. `None` when that is more than
    /// [`MAX_KEY_DOCUMENT_BYTES`].
    #[must_use]
    pub fn document(&self) -> Option<&[u8]> {
        self.document.as_deref()
    }

    fn of(issuer: String, set: Jwks) -> Result<Self, KeysError> {
        if set.keys.is_empty() {
            return Err(KeysError::None);
        }
        if set.keys.len() > MAX_KEYS {
            return Err(KeysError::TooMany(set.keys.len()));
        }
        let keys = set.keys.iter().map(|jwk| Some((jwk.kid.clone(), jwk.key()?)));
        let keys = keys.collect::<Option<_>>();
        let document = KeyDocument {
            issuer: &issuer,
            jwks: &set,
        };
        let document = serde_json::to_vec(&document).ok();
        let document = document.filter(|text| text.len() <= MAX_KEY_DOCUMENT_BYTES);
        Ok(Self {
            keys: keys.ok_or(KeysError::Malformed("key set"))?,
            document: document.map(Arc::from),
            issuer,
        })
    }

    /// The name of the API server, as its tokens have it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// Whether one of them has this id.
    #[must_use]
    pub fn has(&self, key_id: &str) -> bool {
        self.keys.contains_key(key_id)
    }

    /// Whether one of the keys signed `token`, by the one algorithm that goes with it.
    #[must_use]
    pub fn check(&self, token: &SignedToken<'_>) -> Signature {
        let Some(key) = self.keys.get(&token.key_id) else {
            return Signature::UnknownKey;
        };
        let is_right = match (key, token.algorithm) {
            (Key::Foreign, _) => return Signature::ForeignKey,
            (Key::Rsa { n, e }, Algorithm::Rs256) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, token.signed, &token.signature)
                .is_ok(),
            (Key::P256(point), Algorithm::Es256) => verifies(&ECDSA_P256_SHA256_FIXED, point, token),
            (Key::P384(point), Algorithm::Es384) => verifies(&ECDSA_P384_SHA384_FIXED, point, token),
            _ => false,
        };
        if is_right {
            Signature::Right
        } else {
            Signature::Wrong
        }
    }
}

fn verifies(algorithm: &'static dyn VerificationAlgorithm, point: &[u8], token: &SignedToken<'_>) -> bool {
    UnparsedPublicKey::new(algorithm, point)
        .verify(token.signed, &token.signature)
        .is_ok()
}
