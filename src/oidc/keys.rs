//! The public keys of an API server as a JSON Web Key Set (RFC 7517), of the kinds that STS takes.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

/// So many keys of each type: <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html>.
const MAX_KEYS_OF_TYPE: usize = 100;
/// RFC 7518, section 3.3: a smaller RSA key must not be used.
const MIN_RSA_BITS: usize = 2048;
/// Members that only a private or a symmetric key has (RFC 7518, sections 6.2.2, 6.3.2 and 6.4).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// What STS verifies (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>): the type of key of each
/// algorithm, and of an elliptic one its curve and the bytes of a coordinate.
const ALGORITHMS: [(&str, KeyKind); 6] = [
    ("RS256", KeyKind::Rsa),
    ("RS384", KeyKind::Rsa),
    ("RS512", KeyKind::Rsa),
    ("ES256", KeyKind::Curve("P-256", 32)),
    ("ES384", KeyKind::Curve("P-384", 48)),
    ("ES512", KeyKind::Curve("P-521", 66)),
];

#[derive(Clone, Copy)]
enum KeyKind {
    Rsa,
    Curve(&'static str, usize),
}

impl KeyKind {
    /// `kty`.
    fn word(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::Curve(..) => "EC",
        }
    }
}

/// Public keys, each of an algorithm that STS takes and with an id of its own.
#[derive(Debug)]
pub struct KeySet(Vec<PublicKey>);

/// One key, without anything that STS does not need.
#[derive(Debug)]
struct PublicKey {
    id: String,
    algorithm: &'static str,
    kind: &'static str,
    members: Vec<(&'static str, String)>,
}

/// Every key that can't be published, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct KeySetError(Vec<String>);

impl KeySet {
    /// Reads `{"keys": […]}`.
    ///
    /// # Errors
    /// All keys that STS would not take, and any private one.
    pub fn read(document: &Value) -> Result<Self, KeySetError> {
        let Some(entries) = document.get("keys").and_then(Value::as_array) else {
            return Err(KeySetError(vec![
                "no list \"keys\": not a JSON Web Key Set".to_owned(),
            ]));
        };
        if entries.is_empty() {
            return Err(KeySetError(vec!["no keys; AWS needs at least one".to_owned()]));
        }
        let (mut keys, mut wrong): (Vec<PublicKey>, Vec<String>) = (Vec::new(), Vec::new());
        for (i, entry) in entries.iter().enumerate() {
            match PublicKey::read(entry) {
                Ok(key) if keys.iter().any(|other| other.id == key.id) => {
                    wrong.push(format!("keys[{i}]: another key has the same kid {:?}", key.id));
                }
                Ok(key) => keys.push(key),
                Err(message) => wrong.push(format!("keys[{i}]: {message}")),
            }
        }
        for kind in ["RSA", "EC"] {
            let count = keys.iter().filter(|key| key.kind == kind).count();
            if count > MAX_KEYS_OF_TYPE {
                wrong.push(format!(
                    "{count} keys of type {kind}; AWS takes at most {MAX_KEYS_OF_TYPE}"
                ));
            }
        }
        if wrong.is_empty() {
            Ok(Self(keys))
        } else {
            Err(KeySetError(wrong))
        }
    }

    /// The algorithms that the keys are for, each once.
    pub fn algorithms(&self) -> BTreeSet<&'static str> {
        self.0.iter().map(|key| key.algorithm).collect()
    }

    /// The document to publish.
    pub fn to_value(&self) -> Value {
        let keys: Vec<Value> = self
            .0
            .iter()
            .map(|key| {
                let mut out = Map::new();
                out.insert("use".into(), "sig".into());
                out.insert("kty".into(), key.kind.into());
                out.insert("kid".into(), key.id.as_str().into());
                out.insert("alg".into(), key.algorithm.into());
                for (name, value) in &key.members {
                    out.insert((*name).to_owned(), value.as_str().into());
                }
                out.into()
            })
            .collect();
        json!({ "keys": keys })
    }
}

impl PublicKey {
    fn read(entry: &Value) -> Result<Self, String> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        if let Some(member) = PRIVATE.into_iter().find(|name| entry.get(*name).is_some()) {
            // Not its value, and not a word on the rest of it.
            return Err(format!(
                "has {member:?}, which only a secret key has; if this file was ever published, replace the key"
            ));
        }
        let id = text("kid");
        if id.is_empty() {
            return Err("no kid, by which AWS finds the key of a token".to_owned());
        }
        if entry.get("use").is_some_and(|usage| usage != "sig") {
            return Err(format!(
                "use is {}; a key for signatures is needed",
                shown(entry.get("use"))
            ));
        }
        let Some((algorithm, kind)) = ALGORITHMS.into_iter().find(|(name, _)| *name == text("alg")) else {
            return Err(format!(
                "alg is {}; STS takes {}",
                shown(entry.get("alg")),
                ALGORITHMS.map(|(name, _)| name).join(", ")
            ));
        };
        if text("kty") != kind.word() {
            let found = shown(entry.get("kty"));
            return Err(format!("kty is {found}; {algorithm} needs {}", kind.word()));
        }
        let bytes = |name: &'static str| {
            URL_SAFE_NO_PAD
                .decode(text(name))
                .ok()
                .filter(|bytes| !bytes.is_empty())
                .ok_or_else(|| format!("{name} is not base64url"))
        };
        let names: &[&'static str] = match kind {
            KeyKind::Rsa => {
                bytes("e")?;
                let bits = bits(&bytes("n")?);
                if bits < MIN_RSA_BITS {
                    return Err(format!(
                        "an RSA key of {bits} bits; {algorithm} needs {MIN_RSA_BITS} or more"
                    ));
                }
                &["n", "e"]
            }
            KeyKind::Curve(curve, length) => {
                if text("crv") != curve {
                    let found = shown(entry.get("crv"));
                    return Err(format!("crv is {found}; {algorithm} needs {curve}"));
                }
                for name in ["x", "y"] {
                    let have = bytes(name)?.len();
                    if have != length {
                        return Err(format!("{name} has {have} bytes; {curve} needs {length}"));
                    }
                }
                &["crv", "x", "y"]
            }
        };
        Ok(Self {
            id: id.to_owned(),
            algorithm,
            kind: kind.word(),
            members: names.iter().map(|name| (*name, text(name).to_owned())).collect(),
        })
    }
}

/// The length of a big-endian number.
fn bits(bytes: &[u8]) -> usize {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let first = bytes
        .get(zeros)
        .map_or(0, |byte| 8 - byte.leading_zeros() as usize);
    (bytes.len() - zeros).saturating_sub(1) * 8 + first
}

/// Enough of a value to know it by.
fn shown(value: Option<&Value>) -> String {
    value.map_or_else(
        || "missing".to_owned(),
        |v| v.to_string().chars().take(40).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rsa(bits: usize) -> Value {
        let n =
            URL_SAFE_NO_PAD.encode([&[1u8 << ((bits - 1) % 8)][..], &vec![7; bits.div_ceil(8) - 1]].concat());
        json!({"use": "sig", "kty": "RSA", "kid": "r", "alg": "RS256", "n": n, "e": "AQAB"})
    }
    fn curve(alg: &str, crv: &str, length: usize) -> Value {
        let number = URL_SAFE_NO_PAD.encode(vec![1; length]);
        json!({"kty": "EC", "kid": alg, "alg": alg, "crv": crv, "x": number, "y": number})
    }
    fn with(mut key: Value, name: &str, value: Value) -> Value {
        key[name] = value;
        key
    }

    #[test]
    fn keys_of_every_algorithm_of_sts_are_published_without_the_rest() {
        let extra = with(rsa(2048), "x5c", json!(["chain"]));
        let keys = json!({"keys": [extra, curve("ES256", "P-256", 32), curve("ES384", "P-384", 48), curve("ES512", "P-521", 66)]});
        let set = KeySet::read(&keys).unwrap();
        assert_eq!(
            set.algorithms(),
            BTreeSet::from(["RS256", "ES256", "ES384", "ES512"])
        );
        let published = set.to_value();
        assert_eq!(published["keys"][0], rsa(2048));
        assert_eq!(
            published["keys"][1],
            with(curve("ES256", "P-256", 32), "use", json!("sig"))
        );
        assert_eq!(published["keys"].as_array().unwrap().len(), 4);
    }

    #[test]
    fn what_sts_would_not_take_is_refused_with_the_rule() {
        for (key, said) in [
            (with(rsa(2048), "d", json!("AQAB")), "only a secret key has"),
            (
                json!({"kty": "oct", "k": "c2VjcmV0", "kid": "s", "alg": "HS256"}),
                "only a secret key has",
            ),
            (with(rsa(2048), "alg", json!("PS256")), "STS takes RS256"),
            (
                json!({"kty": "OKP", "crv": "Ed25519", "kid": "o", "alg": "EdDSA", "x": "AQ"}),
                "STS takes RS256",
            ),
            (with(rsa(2048), "alg", Value::Null), "STS takes RS256"),
            (with(rsa(2048), "alg", json!("ES256")), "ES256 needs EC"),
            (with(rsa(2048), "use", json!("enc")), "a key for signatures"),
            (with(rsa(2048), "kid", json!("")), "no kid"),
            (with(rsa(2048), "n", json!("not base64!")), "n is not base64url"),
            (with(rsa(2048), "e", json!(65537)), "e is not base64url"),
            (rsa(2047), "2047 bits"),
            (rsa(1024), "1024 bits"),
            (curve("ES256", "P-384", 48), "ES256 needs P-256"),
            (curve("ES512", "P-521", 65), "x has 65 bytes; P-521 needs 66"),
            (json!("key"), "no kid"),
        ] {
            let error = KeySet::read(&json!({"keys": [key]})).unwrap_err().to_string();
            assert!(
                error.starts_with("keys[0]: ") && error.contains(said),
                "{key}: {error}"
            );
            assert!(!error.contains("c2VjcmV0"), "{error}");
        }
        let many: Vec<Value> = (0..101)
            .map(|i| with(rsa(2048), "kid", json!(i.to_string())))
            .collect();
        for (document, said) in [
            (json!({}), "not a JSON Web Key Set"),
            (json!({"keys": {}}), "not a JSON Web Key Set"),
            (json!({"keys": []}), "at least one"),
            (
                json!({"keys": [rsa(2048), rsa(2048)]}),
                "keys[1]: another key has the same kid",
            ),
            (
                json!({"keys": many}),
                "101 keys of type RSA; AWS takes at most 100",
            ),
        ] {
            let error = KeySet::read(&document).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
