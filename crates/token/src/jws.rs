//! A ServiceAccount token as text: a JSON web signature (RFC 7515) with the claims of Kubernetes.
//! <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens>
//!
//! What is read here is believed only after its signature was verified.

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::Deserialize;

use crate::{AUDIENCE, InvalidToken, NodeName};

/// Longest key id that is looked up, in bytes. Those of Kubernetes have 43.
pub const MAX_KEY_ID_BYTES: usize = 256;
/// How far clocks may differ: what the API server itself allows.
const LEEWAY_SECONDS: i64 = 60;

/// How a token is signed. Kubernetes has no others; ES512 is not known to the crypto library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
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
pub struct SignedToken<'a> {
    /// What is signed: header and claims, as they came.
    pub(crate) signed: &'a [u8],
    pub(crate) signature: Vec<u8>,
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: String,
    claims: &'a str,
}

impl<'a> SignedToken<'a> {
    /// Takes `token` apart, and reads its header alone.
    ///
    /// # Errors
    /// [`InvalidToken::NotAToken`].
    pub fn parse(token: &'a str) -> Result<Self, InvalidToken> {
        let (signed, signature) = token.rsplit_once('.').ok_or(InvalidToken::NotAToken)?;
        let (header, claims) = signed.split_once('.').ok_or(InvalidToken::NotAToken)?;
        let decode = |part: &str| {
            BASE64URL_NOPAD
                .decode(part.as_bytes())
                .map_err(|_| InvalidToken::NotAToken)
        };
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| InvalidToken::NotAToken)?;
        if header.crit.is_some() || header.kid.is_empty() || header.kid.len() > MAX_KEY_ID_BYTES {
            return Err(InvalidToken::NotAToken);
        }
        Ok(Self {
            signed: signed.as_bytes(),
            signature: decode(signature)?,
            algorithm: Algorithm::named(&header.alg),
            key_id: header.kid,
            claims,
        })
    }

    /// The name of the key that it says it is signed by: at least one byte, and at most [`MAX_KEY_ID_BYTES`].
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// What it says. To be believed of a token whose signature is right.
    ///
    /// # Errors
    /// [`InvalidToken::NotAToken`].
    pub fn claims(&self) -> Result<PodTokenClaims, InvalidToken> {
        let claims = BASE64URL_NOPAD
            .decode(self.claims.as_bytes())
            .map_err(|_| InvalidToken::NotAToken)?;
        serde_json::from_slice(&claims).map_err(|_| InvalidToken::NotAToken)
    }
}

/// What a token of Kubernetes says; all else is passed over.
#[derive(Debug, Deserialize)]
pub struct PodTokenClaims {
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
    /// Kubernetes 1.30 and newer: where the pod was when the token was made.
    node: Option<NodeReference>,
}

#[derive(Debug, Deserialize)]
struct NodeReference {
    name: NodeName,
}

#[derive(Debug, Deserialize)]
struct Reference {
    name: String,
    uid: String,
}

/// The pod that a token was made for. Its names are the API server's own, and nothing else is asked of them here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundPod {
    /// Of the pod and of its ServiceAccount.
    pub namespace: String,
    /// Its ServiceAccount.
    pub service_account: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The node that it runs on. API servers before 1.30 say nothing of it.
    pub node: Option<NodeName>,
}

impl PodTokenClaims {
    /// The name of the API server that made the token.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.iss
    }

    /// Until when it is good, in seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> i64 {
        self.exp
    }

    /// The uid of the pod that it names, which may be long gone, or not its own.
    #[must_use]
    pub fn pod_uid(&self) -> Option<&str> {
        let pod = self.kubernetes.as_ref()?.pod.as_ref()?;
        Some(&pod.uid)
    }

    /// The uid of the ServiceAccount that the token was made for; empty of one that is bound to none.
    #[must_use]
    pub fn service_account_uid(&self) -> &str {
        let bound = self.kubernetes.as_ref();
        bound.map_or("", |bound| &bound.serviceaccount.uid)
    }

    /// The pod that a genuine token names, if it is good at `now`, for Deputy, and a pod's.
    ///
    /// # Errors
    /// [`InvalidToken`]: expired, early, of another audience, of no ServiceAccount, or of no pod.
    pub fn pod(&self, now: Timestamp) -> Result<BoundPod, InvalidToken> {
        let second = now.as_second();
        if second > self.exp.saturating_add(LEEWAY_SECONDS) {
            return Err(InvalidToken::Expired(time(self.exp)));
        }
        if self
            .nbf
            .is_some_and(|from| second < from.saturating_sub(LEEWAY_SECONDS))
        {
            return Err(InvalidToken::NotYetValid(time(self.nbf.unwrap_or_default())));
        }
        if !self.aud.has(AUDIENCE) {
            return Err(InvalidToken::OtherAudience);
        }
        let not_a_service_account =
            || InvalidToken::NotAServiceAccount(self.sub.chars().take(100).collect::<String>());
        let bound = self.kubernetes.as_ref().ok_or_else(not_a_service_account)?;
        let subject = format!(
            "system:serviceaccount:{}:{}",
            bound.namespace, bound.serviceaccount.name
        );
        if self.sub != subject {
            return Err(not_a_service_account());
        }
        let pod = bound.pod.as_ref().ok_or(InvalidToken::NoPod)?;
        Ok(BoundPod {
            namespace: bound.namespace.clone(),
            service_account: bound.serviceaccount.name.clone(),
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            node: bound.node.as_ref().map(|node| node.name.clone()),
        })
    }
}

/// In words. What is no time at all is the beginning of time.
fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
}
