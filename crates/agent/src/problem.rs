//! What a caller is told instead of a credential.

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};

/// Longest `Code` passed on from the broker, in bytes.
const MAX_CODE: usize = 64;
/// Longest `Message` passed on from the broker, in characters.
const MAX_MESSAGE: usize = 1024;

/// An answer other than a credential: a status, a code for programs, a message for people. It never holds a
/// secret; the SDKs print it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct AgentProblem {
    /// The HTTP status: 4xx for what will not work, 503 for what may work when tried again.
    pub status: StatusCode,
    /// A word for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// When to try again, in seconds, if the broker said so.
    pub retry_after: Option<u32>,
    /// The broker said that this pod is being deleted: nobody needs to wait for its first credential any more.
    pub pod_is_terminating: bool,
}

/// What the broker says.
#[derive(Deserialize)]
struct Heard {
    #[serde(rename = "Code", default)]
    code: String,
    #[serde(rename = "Message", default)]
    message: String,
}

/// What the SDKs are told, in both spellings: those of Go and Python read the first, that of Java only the second.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(rename = "Code")]
    upper_code: &'a str,
    #[serde(rename = "Message")]
    upper_message: &'a str,
    code: &'a str,
    message: &'a str,
}

impl AgentProblem {
    /// A problem of `status`.
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            retry_after: None,
            pod_is_terminating: false,
        }
    }

    /// 503: worth another try.
    pub fn unavailable(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
    }

    /// Reads the broker's `{"Code","Message"}`. What is missing, malformed or too long is replaced or cut:
    /// the status alone decides, the text is for people.
    pub fn from_broker(status: StatusCode, body: &[u8]) -> Self {
        let wire = serde_json::from_slice::<Heard>(body).ok();
        let code = wire
            .as_ref()
            .map(|w| w.code.as_str())
            .filter(|c| !c.is_empty() && c.len() <= MAX_CODE && c.bytes().all(|b| b.is_ascii_alphanumeric()))
            .unwrap_or("BrokerError");
        let message: String = wire
            .as_ref()
            .map(|w| w.message.as_str())
            .unwrap_or_default()
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_MESSAGE)
            .collect();
        let message = if message.is_empty() {
            format!("the broker answered {} without a message", status.as_u16())
        } else {
            message
        };
        Self::new(status, code, message)
    }

    /// The body `{"Code","Message","code","message"}`.
    pub fn body(&self) -> Bytes {
        let told = Told {
            upper_code: &self.code,
            upper_message: &self.message,
            code: &self.code,
            message: &self.message,
        };
        // Strings always serialize; should that ever change, the status still tells the caller.
        serde_json::to_vec(&told).map(Bytes::from).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brokers_words_are_passed_on() {
        let p = AgentProblem::from_broker(StatusCode::FORBIDDEN, br#"{"Code":"NoBinding","Message":"none"}"#);
        assert_eq!((p.code.as_str(), p.message.as_str()), ("NoBinding", "none"));
        assert_eq!(
            p.body(),
            r#"{"Code":"NoBinding","Message":"none","code":"NoBinding","message":"none"}"#
        );
    }

    #[test]
    fn malformed_words_are_replaced_and_long_ones_cut() {
        for body in [
            &b""[..],
            b"<html>",
            b"[]",
            br#"{"Code":1}"#,
            br#"{"Code":"a b\n"}"#,
        ] {
            let p = AgentProblem::from_broker(StatusCode::FORBIDDEN, body);
            assert_eq!(p.code, "BrokerError");
            assert_eq!(p.message, "the broker answered 403 without a message");
        }
        let long = format!(r#"{{"Code":"X","Message":"a\n\u0000{}"}}"#, "b".repeat(5000));
        let p = AgentProblem::from_broker(StatusCode::FORBIDDEN, long.as_bytes());
        assert_eq!(p.message.len(), MAX_MESSAGE);
        assert!(p.message.starts_with("abb"));
    }
}
