//! Tokens for tests: keys of an API server that are made for the moment, and what they sign. No program is built with this.

use data_encoding::BASE64URL_NOPAD;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};

/// An RSA key as it is published (JWK), made with `openssl`.
pub const RSA_KEY: &str = include_str!("../rsa/rsa-key.json");
/// A token by it with the claims of [`claims`].
pub const RSA_TOKEN: &str = include_str!("../rsa/rsa-token.txt");
/// The name of the API server that makes the tokens.
pub const ISSUER: &str = "https://kubernetes.default.svc";
/// When the tokens of [`claims`] end, in seconds since 1970.
pub const END: i64 = 1_790_000_000;

/// A key of an API server, on P-256.
pub struct TokenSigner {
    pair: EcdsaKeyPair,
    id: String,
}

impl TokenSigner {
    /// A new key with this id. A system without random numbers ends the test.
    #[must_use]
    pub fn new(id: &str) -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new())
            .ok()
            .and_then(|key| EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &SystemRandom::new()).ok());
        Self {
            pair: pair.unwrap_or_else(|| std::process::abort()),
            id: id.to_owned(),
        }
    }

    /// The public half as the API server publishes it: a JWK.
    #[must_use]
    pub fn published(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let coordinate = |range| BASE64URL_NOPAD.encode(point.get(range).unwrap_or_default());
        json!({"kty": "EC", "crv": "P-256", "kid": self.id, "alg": "ES256", "use": "sig",
            "x": coordinate(1..33), "y": coordinate(33..65)})
    }

    /// A token with these claims.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({"alg": "ES256", "kid": self.id}), claims)
    }

    /// The same with a header of one's own.
    #[must_use]
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let part = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.map_or_else(|_| String::new(), |s| BASE64URL_NOPAD.encode(s.as_ref()));
        format!("{signed}.{signature}")
    }
}

/// What a token of the pod `payments/uploader-1` (uid `0af1`) on the node `n1` says.
#[must_use]
pub fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": ["deputy"], "exp": END, "nbf": END - 86_400, "iat": END - 86_400,
        "sub": "system:serviceaccount:payments:uploader",
        "kubernetes.io": {
            "namespace": "payments",
            "serviceaccount": {"name": "uploader", "uid": "5a"},
            "pod": {"name": "uploader-1", "uid": "0af1"},
            "node": {"name": "n1", "uid": "77"},
        },
    })
}
