//! What the API answers: a session, or a `Status` of Kubernetes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::credentials::answer::ProcessCredentials;

/// The group and version of the API.
const API_VERSION: &str = "credentials.deputy.dev/v1alpha1";
const KIND: &str = "CredentialRequest";
/// The most that is shown of a message: longer than any of Deputy's.
const LONGEST_MESSAGE: usize = 2000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    api_version: &'static str,
    kind: &'static str,
    spec: AskedSpec,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AskedSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<u32>,
}

/// What is asked. Without a duration the binding's counts.
///
/// # Errors
/// None that is known: numbers are JSON.
pub fn request(duration_seconds: Option<u32>) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Asked {
        api_version: API_VERSION,
        kind: KIND,
        spec: AskedSpec { duration_seconds },
    })
}

/// No `Debug`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    api_version: String,
    kind: String,
    status: GivenSession,
}

/// No `Debug`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GivenSession {
    #[serde(rename = "accessKeyID")]
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration_timestamp: Timestamp,
}

/// The session of an answer, whole; none where it is something else.
pub fn session(body: &[u8]) -> Option<ProcessCredentials> {
    let Answered {
        api_version,
        kind,
        status,
    } = serde_json::from_slice(body).ok()?;
    let parts = [
        &status.access_key_id,
        &status.secret_access_key,
        &status.session_token,
    ];
    let is_whole = api_version == API_VERSION && kind == KIND && !parts.iter().any(|part| part.is_empty());
    is_whole.then(|| ProcessCredentials {
        access_key_id: status.access_key_id,
        secret_access_key: status.secret_access_key.into(),
        session_token: status.session_token.into(),
        expiration: status.expiration_timestamp,
    })
}

/// Why there is no session, in the API server's or Deputy's words.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ClusterStatus {
    /// Without control characters, and not endless; empty where the answer was no `Status`.
    pub message: String,
    /// The reason of the first cause; none where the API server itself refuses.
    pub cause: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusBody {
    kind: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Option<StatusDetails>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusDetails {
    #[serde(default)]
    causes: Vec<StatusCause>,
    #[serde(default)]
    retry_after_seconds: Option<u64>,
}

#[derive(Deserialize)]
struct StatusCause {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

fn body_of(body: &[u8]) -> Option<StatusBody> {
    let read: StatusBody = serde_json::from_slice(body).ok()?;
    (read.kind == "Status").then_some(read)
}

/// The `Status` of an answer; an empty one of what is none.
pub fn status(body: &[u8]) -> ClusterStatus {
    let Some(read) = body_of(body) else {
        return ClusterStatus::default();
    };
    let cause = read.details.and_then(|details| details.causes.into_iter().next());
    let cause = cause.filter(|cause| !cause.reason.is_empty());
    let message = match &cause {
        Some(cause) if !cause.message.is_empty() => &cause.message,
        _ => &read.message,
    };
    ClusterStatus {
        message: shown(message),
        cause: cause.map(|cause| shown(&cause.reason)),
    }
}

/// `details.retryAfterSeconds` of a `Status`.
pub fn retry_after_of(body: &[u8]) -> Option<u64> {
    body_of(body)?.details?.retry_after_seconds
}

/// For a terminal: what moves its cursor or colours it is none of the message.
fn shown(message: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let shown: String = message.chars().take(LONGEST_MESSAGE).map(plain).collect();
    shown.trim().trim_end_matches('.').to_owned()
}

/// The user that a message of the API server names: `User "NAME" …`, in any case.
pub fn user_in(message: &str) -> Option<String> {
    let quoted = ["User \"", "user \""]
        .iter()
        .find_map(|before| message.split_once(before));
    let (name, mut is_escaped) = (quoted?.1, false);
    let end = name.find(|c| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    })?;
    // As Go quotes: what JSON has no such escape for is no name that is shown.
    let name: String = serde_json::from_str(&format!("\"{}\"", name.get(..end)?)).ok()?;
    let is_name = !name.is_empty() && !name.chars().any(char::is_control);
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use deputy_aws::ExposeSecret as _;

    use super::*;

    const ISSUED: &str = r#"{"apiVersion":"credentials.deputy.dev/v1alpha1","kind":"CredentialRequest",
        "metadata":{"name":"reports","namespace":"payments"},"spec":{"durationSeconds":3600},
        "status":{"accessKeyID":"ASIA","secretAccessKey":"s","sessionToken":"t","expirationTimestamp":"2026-11-30T01:00:00Z",
        "accountID":"111122223333","region":"ap-northeast-1","roleARN":"arn","sessionName":"alice@example.com"}}"#;

    #[test]
    fn a_session_is_read_whole_or_not_at_all() {
        let read = session(ISSUED.as_bytes()).unwrap();
        assert_eq!(
            (
                read.access_key_id.as_str(),
                read.session_token.expose_secret(),
                read.expiration.to_string()
            ),
            ("ASIA", "t", "2026-11-30T01:00:00Z".to_owned())
        );
        for (part, other) in [
            ("\"ASIA\"", "\"\""),
            ("\"s\"", "\"\""),
            ("sessionToken", "token"),
            ("v1alpha1", "v2"),
            ("CredentialRequest", "Secret"),
            ("2026-11-30T01:00:00Z", "soon"),
            ("}}", "}"),
        ] {
            let broken = ISSUED.replace(part, other);
            assert!(
                broken != ISSUED && session(broken.as_bytes()).is_none(),
                "{broken}"
            );
        }
    }

    #[test]
    fn a_request_says_a_duration_only_where_one_is_wanted() {
        let text = |seconds| String::from_utf8(request(seconds).unwrap()).unwrap();
        let head = r#"{"apiVersion":"credentials.deputy.dev/v1alpha1","kind":"CredentialRequest","spec":"#;
        assert_eq!(text(None), format!("{head}{{}}}}"));
        assert_eq!(text(Some(900)), format!(r#"{head}{{"durationSeconds":900}}}}"#));
    }

    #[test]
    fn a_status_is_its_first_cause_and_fit_for_a_terminal() {
        let of = |text: &str| status(text.as_bytes());
        let caused = of(
            r#"{"kind":"Status","message":"m","details":{"causes":[{"reason":"NoBinding","message":"none\u001b[31m."},
            {"reason":"Other"}],"retryAfterSeconds":7}}"#,
        );
        assert_eq!(
            (caused.cause.as_deref(), caused.message.as_str()),
            (Some("NoBinding"), "none [31m")
        );
        assert_eq!(of(r#"{"kind":"Status","message":"m"}"#).message, "m");
        assert_eq!(
            of(&format!(
                r#"{{"kind":"Status","message":"{}"}}"#,
                "x".repeat(9000)
            ))
            .message
            .len(),
            2000
        );
        for other in ["", "404 page not found", r#"{"kind":"List","message":"m"}"#, "[]"] {
            assert_eq!(of(other), ClusterStatus::default(), "{other}");
        }
        assert_eq!(
            retry_after_of(br#"{"kind":"Status","details":{"retryAfterSeconds":7}}"#),
            Some(7)
        );
    }

    #[test]
    fn the_user_is_the_one_that_the_api_server_names() {
        for (message, user) in [
            (
                r#"awsrolebindings "r" is forbidden: User "alice@example.com" cannot create"#,
                Some("alice@example.com"),
            ),
            (r#"user "a\"b\\" is in no subject"#, Some("a\"b\\")),
            (r#"User "\x1b" cannot"#, None),
            (r#"User "open"#, None),
            (r#"User "" cannot"#, None),
            ("nobody", None),
        ] {
            assert_eq!(user_in(message).as_deref(), user, "{message}");
        }
    }
}
