//! A ServiceAccount token as text: a JSON web signature (RFC 7515) with the claims of Kubernetes.
//! <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens>
//!
//! What is read here is believed only after its signature was verified.

use data_encoding::BASE64URL_NOPAD;
use deputy_delegation::{NamespaceName, PodName, ServiceAccountName, Uid, session::SessionSubject};
use jiff::Timestamp;
use serde::Deserialize;

use super::error::{AUDIENCE, PodIdentity, TokenError};

/// Longest key id that is looked up, in bytes. Those of Kubernetes have 43.
const MAX_KEY_ID: usize = 256;
/// How far clocks may differ: what the API server itself allows.
const LEEWAY_SECONDS: i64 = 60;

/// How a token is signed. Kubernetes has no others; ES512 is not known to the crypto library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Es256,
    Es384,
    Other,
}

impl Algorithm {
    fn named(name: &str) -> Self {
        match name {
            "RS256" => Self::Rs256,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            _ => Self::Other,
        }
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    /// Extensions that must be understood: none is.
    crit: Option<serde::de::IgnoredAny>,
}

/// A token taken apart. It has no `Debug`: it is a secret.
pub(super) struct SignedToken<'a> {
    /// What is signed: header and claims, as they came.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
    pub(super) algorithm: Algorithm,
    pub(super) key_id: String,
    claims: &'a str,
}

impl<'a> SignedToken<'a> {
    /// Takes `token` apart, and reads its header alone.
    ///
    /// # Errors
    /// [`TokenError::NotAToken`].
    pub(super) fn parse(token: &'a str) -> Result<Self, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::NotAToken)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::NotAToken)?;
        let decode = |part: &str| {
            BASE64URL_NOPAD
                .decode(part.as_bytes())
                .map_err(|_| TokenError::NotAToken)
        };
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| TokenError::NotAToken)?;
        if header.crit.is_some() || header.kid.is_empty() || header.kid.len() > MAX_KEY_ID {
            return Err(TokenError::NotAToken);
        }
        Ok(Self {
            signed: signed.as_bytes(),
            signature: decode(signature)?,
            algorithm: Algorithm::named(&header.alg),
            key_id: header.kid,
            claims,
        })
    }

    /// What it says. To be believed of a token whose signature is right.
    ///
    /// # Errors
    /// [`TokenError::NotAToken`].
    pub(super) fn claims(&self) -> Result<PodTokenClaims, TokenError> {
        let claims = BASE64URL_NOPAD
            .decode(self.claims.as_bytes())
            .map_err(|_| TokenError::NotAToken)?;
        serde_json::from_slice(&claims).map_err(|_| TokenError::NotAToken)
    }
}

/// What a token of Kubernetes says; all else is passed over.
#[derive(Debug, Deserialize)]
pub(super) struct PodTokenClaims {
    iss: String,
    sub: String,
    aud: Audiences,
    exp: i64,
    nbf: Option<i64>,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Option<Bound>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Many(Vec<String>),
}

impl Audiences {
    fn has(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Bound {
    namespace: String,
    serviceaccount: Reference,
    pod: Option<Reference>,
}

#[derive(Debug, Deserialize)]
struct Reference {
    name: String,
    uid: String,
}

impl PodTokenClaims {
    pub(super) fn issuer(&self) -> &str {
        &self.iss
    }

    /// The uid of the ServiceAccount that the token was made for; empty of one that is bound to none.
    pub(super) fn service_account_uid(&self) -> &str {
        let bound = self.kubernetes.as_ref();
        bound.map_or("", |bound| &bound.serviceaccount.uid)
    }

    /// The pod that a genuine token names, if it is good at `now`, for Deputy, and a pod's.
    ///
    /// # Errors
    /// [`TokenError`]: expired, early, of another audience, of no ServiceAccount, or of no pod.
    pub(super) fn identity(&self, now: Timestamp) -> Result<PodIdentity, TokenError> {
        let second = now.as_second();
        if second > self.exp.saturating_add(LEEWAY_SECONDS) {
            return Err(TokenError::Expired(time(self.exp)));
        }
        if self
            .nbf
            .is_some_and(|from| second < from.saturating_sub(LEEWAY_SECONDS))
        {
            return Err(TokenError::NotYetValid(time(self.nbf.unwrap_or_default())));
        }
        if !self.aud.has(AUDIENCE) {
            return Err(TokenError::OtherAudience);
        }
        let not_a_service_account =
            || TokenError::NotAServiceAccount(self.sub.chars().take(100).collect::<String>());
        let bound = self.kubernetes.as_ref().ok_or_else(not_a_service_account)?;
        let subject = format!(
            "system:serviceaccount:{}:{}",
            bound.namespace, bound.serviceaccount.name
        );
        if self.sub != subject {
            return Err(not_a_service_account());
        }
        let pod = bound.pod.as_ref().ok_or(TokenError::NoPod)?;
        Ok(PodIdentity {
            namespace: NamespaceName::new(bound.namespace.as_str())?,
            subject: SessionSubject {
                service_account: ServiceAccountName::new(bound.serviceaccount.name.as_str())?,
                pod: PodName::new(pod.name.as_str())?,
                pod_uid: Uid::new(pod.uid.as_str())?,
            },
        })
    }
}

/// In words. What is no time at all is the beginning of time.
fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
}
