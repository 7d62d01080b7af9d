//! A credential as the broker gives it and as the SDKs read it: checked once, then kept as the bytes to serve.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Largest response body taken from the broker, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// A credential is no longer handed out this long before it expires: clocks differ, and a request signed
/// with it still has to arrive.
pub const EXPIRY_MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// The wall clock, which is what expirations are told in.
pub type WallClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The names of the container credentials protocol. `Token`, not `SessionToken`.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Wire<'a> {
    #[serde(borrow)]
    access_key_id: Cow<'a, str>,
    #[serde(borrow)]
    secret_access_key: Cow<'a, str>,
    #[serde(borrow)]
    token: Cow<'a, str>,
    #[serde(borrow)]
    expiration: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    account_id: Option<Cow<'a, str>>,
}

/// A credential that passed the checks. It has no `Debug`: it is a secret.
#[derive(Clone)]
pub struct Credential {
    body: Bytes,
    access_key_id: String,
    expiration: Timestamp,
}

/// Why a response of the broker is not a credential. No variant holds anything of the response.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CredentialError {
    /// Not a JSON object with the five strings.
    #[error(
        "the broker's response is not a JSON object with AccessKeyId, SecretAccessKey, Token and Expiration"
    )]
    Malformed,
    /// A mandatory string is empty.
    #[error("{0} in the broker's response is empty")]
    Empty(&'static str),
    /// `Expiration` is not RFC 3339.
    #[error("Expiration in the broker's response is not an RFC 3339 time")]
    Expiration,
    /// The credential has less than [`EXPIRY_MARGIN`] to live.
    #[error(
        "the broker's credential expires at {0}, less than 60 s ahead of this node's clock or behind it; \
         compare the clocks"
    )]
    Expired(Timestamp),
}

impl CredentialError {
    /// A bounded name for logs.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Malformed => "Malformed",
            Self::Empty(_) => "Empty",
            Self::Expiration => "Expiration",
            Self::Expired(_) => "Expired",
        }
    }
}

impl Credential {
    /// Checks a response body of the broker and renders what the SDKs will get: exactly the five fields,
    /// `Expiration` in whole seconds with `Z`, the only form that every SDK reads.
    ///
    /// # Errors
    /// [`CredentialError`]: the SDKs take an incomplete 200 for a hard failure, so such a response is never
    /// passed on.
    pub fn parse(body: &[u8], now: Timestamp) -> Result<Self, CredentialError> {
        let wire: Wire<'_> = serde_json::from_slice(body).map_err(|_| CredentialError::Malformed)?;
        for (name, value) in [
            ("AccessKeyId", &wire.access_key_id),
            ("SecretAccessKey", &wire.secret_access_key),
            ("Token", &wire.token),
        ] {
            if value.trim().is_empty() {
                return Err(CredentialError::Empty(name));
            }
        }
        let expiration: Timestamp = wire.expiration.parse().map_err(|_| CredentialError::Expiration)?;
        // Cut, not rounded: never later than what AWS said.
        let expiration =
            Timestamp::from_second(expiration.as_second()).map_err(|_| CredentialError::Expiration)?;
        if !is_usable(expiration, now) {
            return Err(CredentialError::Expired(expiration));
        }
        let access_key_id = wire.access_key_id.clone().into_owned();
        let wire = Wire {
            expiration: Cow::Owned(expiration.to_string()),
            account_id: wire.account_id.filter(|id| !id.is_empty()),
            ..wire
        };
        // Large enough at once, so that no smaller buffer with parts of the secret is left behind.
        let mut rendered = Zeroizing::new(Vec::with_capacity(
            body.len().saturating_mul(2).saturating_add(64),
        ));
        serde_json::to_writer(&mut *rendered, &wire).map_err(|_| CredentialError::Malformed)?;
        Ok(Self {
            body: Bytes::from_owner(rendered),
            access_key_id,
            expiration,
        })
    }

    /// The body to serve. Clones share one buffer, which is wiped with the last of them.
    pub fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// The access key id: not a secret, it joins logs with CloudTrail.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// When AWS stops accepting it.
    pub fn expiration(&self) -> Timestamp {
        self.expiration
    }

    /// Whether it may still be handed out.
    pub fn is_usable(&self, now: Timestamp) -> bool {
        is_usable(self.expiration, now)
    }
}

fn is_usable(expiration: Timestamp, now: Timestamp) -> bool {
    expiration.duration_since(now) > EXPIRY_MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-09-30T11:00:00Z".parse().unwrap()
    }

    fn parse(body: &str) -> Result<String, CredentialError> {
        let credential = Credential::parse(body.as_bytes(), now())?;
        Ok(String::from_utf8(credential.body().to_vec()).unwrap())
    }

    #[test]
    fn the_five_fields_are_served_and_nothing_else() {
        let body = r#"{"Code":"Success","AccountId":"123456789012","AccessKeyId":"ASIA1","SecretAccessKey":"s/\u002b",
            "Token":"t","Expiration":"2026-09-30T12:00:00.987654321Z","Type":"x"}"#;
        assert_eq!(
            parse(body).unwrap(),
            r#"{"AccessKeyId":"ASIA1","SecretAccessKey":"s/+","Token":"t","Expiration":"2026-09-30T12:00:00Z","AccountId":"123456789012"}"#
        );
    }

    #[test]
    fn an_expiration_with_an_offset_becomes_utc() {
        let body = r#"{"AccessKeyId":"A","SecretAccessKey":"s","Token":"t","Expiration":"2026-09-30T14:00:00+02:00"}"#;
        assert!(
            parse(body)
                .unwrap()
                .contains(r#""Expiration":"2026-09-30T12:00:00Z""#)
        );
    }

    #[test]
    fn an_incomplete_response_is_not_a_credential() {
        let complete = [
            ("AccessKeyId", "A"),
            ("SecretAccessKey", "s"),
            ("Token", "t"),
            ("Expiration", "2026-09-30T12:00:00Z"),
        ];
        for (left_out, _) in complete {
            let rest: Vec<String> = complete
                .iter()
                .filter(|(name, _)| *name != left_out)
                .map(|(name, value)| format!("{name:?}:{value:?}"))
                .collect();
            assert_eq!(
                parse(&format!("{{{}}}", rest.join(","))),
                Err(CredentialError::Malformed),
                "{left_out}"
            );
            let emptied: Vec<String> = complete
                .iter()
                .map(|(name, value)| format!("{name:?}:{:?}", if *name == left_out { "" } else { *value }))
                .collect();
            assert!(
                parse(&format!("{{{}}}", emptied.join(","))).is_err(),
                "{left_out}"
            );
        }
        for bad in ["", "{}", "null", "[]", r#"{"AccessKeyId":null}"#] {
            assert_eq!(parse(bad), Err(CredentialError::Malformed), "{bad}");
        }
    }

    #[test]
    fn a_field_given_twice_is_refused() {
        let body = r#"{"AccessKeyId":"A","AccessKeyId":"B","SecretAccessKey":"s","Token":"t","Expiration":"2026-09-30T12:00:00Z"}"#;
        assert_eq!(parse(body), Err(CredentialError::Malformed));
    }

    #[test]
    fn a_credential_is_dead_a_minute_before_it_expires() {
        let at = |expiration: &str| {
            parse(&format!(
                r#"{{"AccessKeyId":"A","SecretAccessKey":"s","Token":"t","Expiration":"{expiration}"}}"#
            ))
        };
        assert!(at("2026-09-30T11:01:01Z").is_ok());
        assert!(matches!(
            at("2026-09-30T11:01:00Z"),
            Err(CredentialError::Expired(_))
        ));
        assert!(matches!(
            at("2020-01-01T00:00:00Z"),
            Err(CredentialError::Expired(_))
        ));
        for bad in ["tomorrow", "2026-09-30", "2026-09-30T12:00:00", "1790000000"] {
            assert_eq!(at(bad), Err(CredentialError::Expiration), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_response_makes_the_parser_panic(body in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            proptest::prop_assert!(Credential::parse(&body, now()).is_err());
        }
    }
}
