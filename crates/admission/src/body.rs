//! Reading a request's body with a bound on each, and on all together.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The largest body, in bytes: what the API server itself takes for one object (3 MiB), old and new object of an update
/// included, because etcd takes 1.5 MiB of each.
pub const MAX_BODY: usize = 3 * 1024 * 1024;
/// Memory for bodies, all requests together, in [`PAGE`]s: 16 bodies of the largest size that etcd takes, or thousands
/// of usual ones.
const PAGES: usize = 24 * 1024 * 1024 / PAGE;
const PAGE: usize = 4096;
/// How long a body may take to arrive, the wait for memory included. The API server sends it at once.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Bodies from this size on, in bytes, are answered [`LARGE_AT_ONCE`] at a time: parsed, they take many times as much.
const LARGE: usize = 64 * 1024;
const LARGE_AT_ONCE: usize = 2;
/// The most JSON values in a large body. A body of commas would take thirty times its size when parsed; objects that
/// people write have one value in twenty bytes.
const MAX_VALUES: usize = 150_000;

/// Memory that bodies may take.
#[derive(Debug, Clone)]
pub(crate) struct BodyMemory {
    pages: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Default for BodyMemory {
    fn default() -> Self {
        Self {
            pages: Arc::new(Semaphore::new(PAGES)),
            large: Arc::new(Semaphore::new(LARGE_AT_ONCE)),
        }
    }
}

/// A whole body. Its memory counts until it is dropped.
pub(crate) struct Read {
    pub(crate) bytes: Bytes,
    _memory: Option<OwnedSemaphorePermit>,
    _large: Option<OwnedSemaphorePermit>,
}

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("Content-Type must be application/json")]
    ContentType,
    #[error("the body is larger than {MAX_BODY} bytes")]
    TooLarge,
    #[error("the body holds more than {MAX_VALUES} JSON values")]
    TooMany,
    #[error("the body did not arrive within {} s", READ_TIMEOUT.as_secs())]
    Slow,
    #[error("the body could not be read: {0}")]
    Broken(String),
}

impl BodyError {
    /// A bounded name for metrics.
    pub(crate) fn category(&self) -> &'static str {
        match self {
            Self::ContentType => "content-type",
            Self::TooLarge => "too-large",
            Self::TooMany => "too-many-values",
            Self::Slow => "slow",
            Self::Broken(_) => "broken",
        }
    }
}

impl BodyMemory {
    /// Reads `body`. Memory is taken as the body arrives, so a client that announces much and sends little holds little.
    pub(crate) async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Read, BodyError> {
        if !is_json(headers) {
            return Err(BodyError::ContentType);
        }
        let announced = headers
            .get(http::header::CONTENT_LENGTH)
            .and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > MAX_BODY) {
            return Err(BodyError::TooLarge);
        }
        tokio::time::timeout(READ_TIMEOUT, self.read_all(body))
            .await
            .unwrap_or(Err(BodyError::Slow))
    }

    async fn read_all(&self, mut body: Body) -> Result<Read, BodyError> {
        let mut memory: Option<OwnedSemaphorePermit> = None;
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| BodyError::Broken(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            let length = bytes.len() + data.len();
            if length > MAX_BODY {
                return Err(BodyError::TooLarge);
            }
            let have = memory.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            if let Some(missing) = length.div_ceil(PAGE).checked_sub(have).filter(|n| *n > 0) {
                let missing = u32::try_from(missing).map_err(|_| BodyError::TooLarge)?;
                let more = Arc::clone(&self.pages)
                    .acquire_many_owned(missing)
                    .await
                    .map_err(|error| BodyError::Broken(error.to_string()))?;
                match &mut memory {
                    Some(memory) => memory.merge(more),
                    None => memory = Some(more),
                }
            }
            bytes.extend_from_slice(&data);
        }
        let large = if bytes.len() < LARGE {
            None
        } else if values(&bytes) > MAX_VALUES {
            return Err(BodyError::TooMany);
        } else {
            let permit = Arc::clone(&self.large).acquire_owned().await;
            Some(permit.map_err(|error| BodyError::Broken(error.to_string()))?)
        };
        Ok(Read {
            bytes: bytes.into(),
            _memory: memory,
            _large: large,
        })
    }
}

/// How many JSON values a text holds at most, give or take one: each but the first follows a comma, a colon or an opening
/// bracket.
fn values(json: &[u8]) -> usize {
    let (mut count, mut in_string, mut escaped) = (1, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b':' | b'[' | b'{' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split(';').next())
        .is_some_and(|v| v.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures::stream;
    use http::HeaderMap;

    use super::*;

    fn headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json; charset=utf-8".parse().unwrap());
        headers
    }

    fn chunks(count: usize, size: usize) -> Body {
        let chunk = Bytes::from(vec![b' '; size]);
        Body::from_stream(stream::iter(
            (0..count).map(move |_| Ok::<_, std::io::Error>(chunk.clone())),
        ))
    }

    #[tokio::test]
    async fn a_body_of_the_largest_size_is_read_and_one_byte_more_is_not() {
        let budget = BodyMemory::default();
        let read = budget.read(&headers(), chunks(3, 1024 * 1024)).await.unwrap();
        assert_eq!(read.bytes.len(), MAX_BODY);
        let error = budget.read(&headers(), chunks(3, 1024 * 1024 + 1)).await;
        assert!(matches!(error, Err(BodyError::TooLarge)));
    }

    #[tokio::test]
    async fn an_endless_body_is_given_up_at_the_limit() {
        let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 65536])));
        let error = BodyMemory::default()
            .read(&headers(), Body::from_stream(endless))
            .await;
        assert!(matches!(error, Err(BodyError::TooLarge)));
    }

    #[tokio::test]
    async fn memory_comes_back_when_a_body_is_dropped_or_refused() {
        let budget = BodyMemory::default();
        let read = budget.read(&headers(), chunks(1, 10_000)).await.unwrap();
        assert_eq!(budget.pages.available_permits(), PAGES - 3);
        drop(read);
        drop(budget.read(&headers(), chunks(4, 1024 * 1024)).await);
        assert_eq!(budget.pages.available_permits(), PAGES);
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_memory_waits_and_is_turned_away_in_time() {
        let budget = BodyMemory::default();
        let all = u32::try_from(PAGES).unwrap();
        let _taken = Arc::clone(&budget.pages).acquire_many_owned(all).await.unwrap();
        let error = budget.read(&headers(), chunks(1, 1)).await;
        assert!(matches!(error, Err(BodyError::Slow)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_arriving_is_given_up() {
        let error = BodyMemory::default()
            .read(
                &headers(),
                Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()),
            )
            .await;
        assert!(matches!(error, Err(BodyError::Slow)));
    }

    #[tokio::test]
    async fn a_body_of_commas_is_refused_before_anybody_parses_it() {
        let bomb = format!("[{}0]", "0,".repeat(1_000_000));
        let error = BodyMemory::default().read(&headers(), bomb.into()).await;
        assert!(matches!(error, Err(BodyError::TooMany)));
        let text = format!("{{\"a\": \"{}\\\"\"}}", ",".repeat(1_000_000));
        assert!(BodyMemory::default().read(&headers(), text.into()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn large_bodies_wait_for_each_other_and_small_ones_for_nobody() {
        let budget = BodyMemory::default();
        let large = || chunks(2, LARGE);
        let first = budget.read(&headers(), large()).await.unwrap();
        let _second = budget.read(&headers(), large()).await.unwrap();
        assert!(matches!(
            budget.read(&headers(), large()).await,
            Err(BodyError::Slow)
        ));
        assert!(budget.read(&headers(), chunks(1, 100)).await.is_ok());
        drop(first);
        assert!(budget.read(&headers(), large()).await.is_ok());
    }

    #[test]
    fn values_are_counted_outside_of_strings() {
        for (json, count) in [
            ("1", 1),
            ("[1,2]", 3),
            (r#"{"a":"x,y:[{","b":"\\",  "c":"\"}"}"#, 7),
        ] {
            assert!(serde_json::from_str::<serde_json::Value>(json).is_ok(), "{json}");
            assert_eq!(values(json.as_bytes()), count, "{json}");
        }
    }
}
