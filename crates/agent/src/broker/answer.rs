//! What the broker's answers mean.

use std::time::Duration;

use deputy_token::PublishedKeys;
use http::{
    HeaderMap, StatusCode,
    header::{AGE, ETAG, HeaderValue, RETRY_AFTER},
};
use zeroize::Zeroizing;

#[cfg(doc)]
use crate::credential::MAX_BODY;
use crate::problem::AgentProblem;

/// In how many seconds the broker has a newer session.
const REFRESH_AFTER: &str = "deputy-refresh-after";
/// What the broker knows of the pod that asks.
const POD: &str = "deputy-pod";
/// Most that [`REFRESH_AFTER`] may say: the longest session of AWS.
const MAX_REFRESH_AFTER: u64 = 43_200;
/// How old keys are taken for of which the broker does not say: it reads them once in so long.
const AGE_UNSAID: Duration = Duration::from_secs(60);
/// The broker's word that the cluster publishes no keys.
const NOT_PUBLISHED: &str = "KeysNotPublished";
/// Longest ETag kept, in bytes.
const MAX_ETAG: usize = 256;

/// What a successful call brings.
pub enum Fetched {
    /// 200: a new credential, not yet checked.
    Credential {
        /// The response body, at most [`MAX_BODY`] bytes.
        body: Zeroizing<Vec<u8>>,
        /// What to send in `If-None-Match` next time.
        etag: Option<HeaderValue>,
        /// In how long the broker has a newer session, when it says so.
        refresh_after: Option<Duration>,
    },
    /// 304: what the agent holds is current.
    NotModified {
        /// As above.
        refresh_after: Option<Duration>,
    },
}

impl Fetched {
    /// In how long the broker has a newer session, when it says so.
    pub fn refresh_after(&self) -> Option<Duration> {
        match self {
            Self::Credential { refresh_after, .. } | Self::NotModified { refresh_after } => *refresh_after,
        }
    }
}

/// What the broker says of the keys that tokens are verified by.
pub enum KeysAnswer {
    /// These.
    Keys {
        /// The keys.
        keys: PublishedKeys,
        /// How long ago the API server said so, at most.
        age: Duration,
    },
    /// The cluster publishes none: the broker has to be asked about each token.
    NotPublished,
    /// The broker is too old to hand them on, and has to be asked as well.
    NotHandedOn,
}

/// Why a call brought nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// The broker decided: there is no credential, and what is held must go (403).
    #[error(transparent)]
    Refused(AgentProblem),
    /// Nothing was decided: unreachable, overloaded, or an answer that makes no sense.
    #[error(transparent)]
    Unavailable(AgentProblem),
}

/// The body of an answer, or why it could not be read whole.
pub(super) type AnswerBody = Result<Zeroizing<Vec<u8>>, AgentProblem>;

/// What an answer about a credential comes to; `is_held` when the question was whether the one held is current.
pub(super) fn credential(
    (status, headers): (StatusCode, &HeaderMap),
    body: AnswerBody,
    is_held: bool,
) -> Result<Fetched, FetchError> {
    match status {
        StatusCode::OK => {
            let body = body.map_err(FetchError::Unavailable)?;
            let etag = headers.get(ETAG).filter(|e| e.len() <= MAX_ETAG).cloned();
            Ok(Fetched::Credential {
                body,
                etag,
                refresh_after: refresh_after(headers),
            })
        }
        StatusCode::NOT_MODIFIED if is_held => Ok(Fetched::NotModified {
            refresh_after: refresh_after(headers),
        }),
        // Decided by the status: a body that was cut off or too large does not soften a refusal.
        status @ StatusCode::FORBIDDEN => {
            let body = body.unwrap_or_default();
            Err(FetchError::Refused(AgentProblem {
                pod_is_terminating: pod_is_terminating(headers),
                ..AgentProblem::from_broker(status, &body)
            }))
        }
        // Who this pod is could not be told just now: the API server says so too while it rotates keys or lags behind. Nothing
        // was decided, and what is held stays.
        status if status.is_server_error() || status == StatusCode::UNAUTHORIZED => {
            let body = body.unwrap_or_default();
            let problem = AgentProblem::from_broker(status, &body);
            Err(FetchError::Unavailable(AgentProblem {
                status: StatusCode::SERVICE_UNAVAILABLE,
                retry_after: retry_after(headers),
                pod_is_terminating: pod_is_terminating(headers),
                ..problem
            }))
        }
        status => {
            let message = format!(
                "the Deputy broker answered {}, which means nothing here",
                status.as_u16()
            );
            Err(FetchError::Unavailable(AgentProblem::unavailable(
                "BrokerError",
                message,
            )))
        }
    }
}

/// What an answer about keys comes to.
pub(super) fn keys(
    (status, headers): (StatusCode, &HeaderMap),
    body: &[u8],
) -> Result<KeysAnswer, AgentProblem> {
    match status {
        StatusCode::OK => match PublishedKeys::from_document(body) {
            Ok(keys) => Ok(KeysAnswer::Keys {
                keys,
                age: age(headers),
            }),
            Err(error) => Err(AgentProblem::unavailable(
                "BrokerError",
                format!("the keys of the broker: {error}"),
            )),
        },
        StatusCode::NOT_FOUND => Ok(match AgentProblem::from_broker(status, body).code.as_str() {
            NOT_PUBLISHED => KeysAnswer::NotPublished,
            _ => KeysAnswer::NotHandedOn,
        }),
        status => Err(AgentProblem {
            retry_after: retry_after(headers),
            ..AgentProblem::from_broker(status, body)
        }),
    }
}

/// How old an answer is.
fn age(headers: &HeaderMap) -> Duration {
    let text = headers.get(AGE).and_then(|age| age.to_str().ok());
    let digits = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let seconds = digits.and_then(|digits| digits.parse().ok());
    seconds.map_or(AGE_UNSAID, Duration::from_secs)
}

/// What is no number of the range says nothing.
fn refresh_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(REFRESH_AFTER)?.to_str().ok()?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = text.parse().ok()?;
    (1..=MAX_REFRESH_AFTER)
        .contains(&seconds)
        .then(|| Duration::from_secs(seconds))
}

fn pod_is_terminating(headers: &HeaderMap) -> bool {
    headers.get(POD).is_some_and(|said| said == "terminating")
}

fn retry_after(headers: &HeaderMap) -> Option<u32> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_broker_and_a_cluster_without_keys_are_told_apart_and_keys_age() {
        let said = |status: u16, age: Option<&'static str>, body: &str| {
            let age = age.map(|age| (AGE, HeaderValue::from_static(age)));
            let answer = keys(
                (StatusCode::from_u16(status).unwrap(), &HeaderMap::from_iter(age)),
                body.as_bytes(),
            );
            match answer {
                Ok(KeysAnswer::Keys { keys, age }) => format!("{} of {} s", keys.count(), age.as_secs()),
                Ok(KeysAnswer::NotPublished) => "none".to_owned(),
                Ok(KeysAnswer::NotHandedOn) => "an old broker".to_owned(),
                Err(problem) => problem.code,
            }
        };
        let document = r#"{"issuer":"i","jwks":{"keys":[{"kty":"x","kid":"k"}]}}"#;
        for (age, seconds) in [
            (Some("0"), "0"),
            (Some("3599"), "3599"),
            (Some("-1"), "60"),
            (Some(""), "60"),
            (None, "60"),
        ] {
            assert_eq!(said(200, age, document), format!("1 of {seconds} s"), "{age:?}");
        }
        assert_eq!(said(200, None, "{}"), "BrokerError");
        assert_eq!(
            said(404, None, r#"{"Code":"KeysNotPublished","Message":""}"#),
            "none"
        );
        assert_eq!(
            said(404, None, r#"{"Code":"NotFound","Message":""}"#),
            "an old broker"
        );
        assert_eq!(said(404, None, ""), "an old broker");
        assert_eq!(said(503, None, r#"{"Code":"NotReady","Message":""}"#), "NotReady");
    }

    #[test]
    fn a_time_of_the_next_session_outside_its_range_is_none() {
        let read = |value: &'static str| {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(REFRESH_AFTER),
                HeaderValue::from_static(value),
            )]);
            refresh_after(&headers).map(|d| d.as_secs())
        };
        assert_eq!(
            (read("1"), read("600"), read("43200")),
            (Some(1), Some(600), Some(43_200))
        );
        for bad in [
            "",
            "0",
            "-1",
            "+1",
            "1.5",
            "43201",
            "18446744073709551616",
            "soon",
            "1 ",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(refresh_after(&HeaderMap::new()), None);
    }
}
