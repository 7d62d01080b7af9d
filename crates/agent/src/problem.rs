//! What a caller is told instead of a credential.

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};

/// Longest `Code` passed on from the broker, in bytes.
const MAX_CODE: usize = 64;
/// Longest `Message` passed on from the broker, in characters.
const MAX_MESSAGE: usize = 1024;
/// Said of a refusal that took something away.
const DROPPED: &str = "What this pod had is dropped.";

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

    /// Reads the broker's `{"Code","Message"}`, and adds what the reader can do. What is missing, malformed or too long is
    /// replaced or cut: the status alone decides, the text is for people.
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
        let mut problem = Self::new(status, code, message);
        if let Some(advice) = advice(status, code) {
            problem.say(advice);
        }
        problem
    }

    /// The same, once what was held has been dropped for it.
    #[must_use]
    pub fn that_dropped(mut self) -> Self {
        self.say(DROPPED);
        self
    }

    /// Adds a sentence to the message.
    fn say(&mut self, sentence: &str) {
        if !self.message.ends_with(['.', '!', '?']) {
            self.message.push('.');
        }
        self.message.push(' ');
        self.message.push_str(sentence);
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

/// What whoever reads the broker's words in the log of an application can do: was a grant taken away, is it not there yet, or
/// does AWS say no.
fn advice(status: StatusCode, code: &str) -> Option<&'static str> {
    match (status, code) {
        (StatusCode::FORBIDDEN, "PodGone") => {
            Some("This pod gets no more credentials; a new one gets its own.")
        }
        (StatusCode::FORBIDDEN, "AccessDenied") => Some(
            "It is AWS that refuses this request, so the binding, its role or the AWS account has to change; \
             the pod needs no restart afterwards.",
        ),
        (StatusCode::FORBIDDEN, "NoBinding") => Some(
            "Once a binding, such as an AWSRoleBinding, names the ServiceAccount, the pod goes on without a restart.",
        ),
        (StatusCode::FORBIDDEN, "WrongNode") => Some(
            "A pod asks the agent of its own node; whoever looks after Deputy's agents sees what NODE_NAME this one has.",
        ),
        (_, "NodeAgentNotTrusted") => Some(
            "Nothing is refused to the pod: whoever looks after Deputy tells the broker of the agents of nodes (--node-agents).",
        ),
        (StatusCode::FORBIDDEN, "Method") => {
            Some("Create the pod again: its binding lets pods call STS themselves.")
        }
        (StatusCode::FORBIDDEN, _) => Some(
            "The conditions of the binding (kubectl describe) say what has to change; \
             the pod needs no restart afterwards.",
        ),
        (_, "AccessDenied") => Some(
            "It is AWS that refuses, and it may pass: try again. If it stays so, ask whoever looks after the AWS account.",
        ),
        (_, "NotReady") => Some(
            "Nothing is refused: try again. If it stays so, the conditions of the binding and its role \
             (kubectl describe) say what is missing.",
        ),
        (_, "InvalidToken") => {
            Some("Nothing is refused: try again. If it stays so, the log of the Deputy broker says why.")
        }
        (_, "Throttled") => Some("AWS limits the calls of its account: try again."),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brokers_words_are_passed_on() {
        let p = AgentProblem::from_broker(StatusCode::FORBIDDEN, br#"{"Code":"NoBinding","Message":"none"}"#);
        assert_eq!(p.code.as_str(), "NoBinding");
        assert!(p.message.starts_with("none. Once a binding"), "{p}");
        let said = &p.message;
        assert_eq!(
            p.body(),
            format!(r#"{{"Code":"NoBinding","Message":"{said}","code":"NoBinding","message":"{said}"}}"#)
        );
    }

    #[test]
    fn a_grant_taken_away_one_to_come_and_a_no_of_aws_are_told_apart() {
        let said = |status: u16, code: &str| {
            let body = format!(r#"{{"Code":"{code}","Message":"why."}}"#);
            let status = StatusCode::from_u16(status).unwrap();
            AgentProblem::from_broker(status, body.as_bytes()).message
        };
        for (status, code, says) in [
            (403, "Suspended", "why. The conditions of the binding"),
            (403, "NoBinding", "why. Once a binding"),
            (403, "Method", "why. Create the pod again"),
            (403, "PodGone", "a new one gets its own"),
            (403, "WrongNode", "A pod asks the agent of its own node"),
            (
                401,
                "NodeAgentNotTrusted",
                "tells the broker of the agents of nodes",
            ),
            (403, "AccessDenied", "AWS that refuses this request"),
            (503, "AccessDenied", "AWS that refuses, and it may pass"),
            (503, "NotReady", "Nothing is refused"),
            (401, "InvalidToken", "Nothing is refused"),
            (503, "Throttled", "AWS limits"),
        ] {
            assert!(
                said(status, code).contains(says),
                "{status} {code}: {}",
                said(status, code)
            );
        }
        for code in ["Suspended", "NoBinding", "Method", "PodGone"] {
            // Python's SDK shows 400 characters of the body.
            assert!(said(403, code).len() < 120, "{code}");
        }
        assert_eq!(said(503, "Unavailable"), "why.");
        let problem = AgentProblem::unavailable("X", "why").that_dropped();
        assert_eq!(problem.message, "why. What this pod had is dropped.");
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
            assert!(
                p.message
                    .starts_with("the broker answered 403 without a message. ")
            );
        }
        let long = format!(r#"{{"Code":"X","Message":"a\n\u0000{}"}}"#, "b".repeat(5000));
        let p = AgentProblem::from_broker(StatusCode::FORBIDDEN, long.as_bytes());
        assert_eq!(p.message.find(". The conditions"), Some(MAX_MESSAGE));
        assert!(p.message.starts_with("abb"));
    }
}
