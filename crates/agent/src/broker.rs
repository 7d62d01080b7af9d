//! The agent's side of the agent–broker protocol, version 1 (`docs/contracts.md`).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, ETAG, HOST, HeaderValue, IF_NONE_MATCH, RETRY_AFTER, USER_AGENT},
};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    body::{Body as _, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::{
    binding::SelectedBinding,
    bundle::{self, BundleDigest, KnownBundle},
    credential::MAX_BODY,
    dial::Dialer,
    log::Log,
    pool::{Pool, Sender},
    problem::AgentProblem,
    token::TokenFile,
};

/// How long the broker may take to answer on a used connection. It promises an answer within a second; one that
/// is silent for two is a connection whose other end is gone.
const REUSED_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the broker may take to answer on a new connection.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(6);
/// How long the body may take after the head. A refusal must count soon, also when its body never ends.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);
/// Room for a response of the usual size, in bytes, when the broker does not announce one.
const USUAL_BODY: usize = 4096;
/// In how many seconds the broker has a newer session.
const REFRESH_AFTER: &str = "deputy-refresh-after";
/// What the broker knows of the pod that asks.
const POD: &str = "deputy-pod";
/// Most that [`REFRESH_AFTER`] may say: the longest session of AWS.
const MAX_REFRESH_AFTER: u64 = 43_200;
const AGENT: &str = concat!("deputy-agent/", env!("CARGO_PKG_VERSION"));
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

/// Where credentials come from: the broker, or a script in tests.
pub trait CredentialSource: Send + Sync + 'static {
    /// Asks for the credential of `binding`. `etag` belongs to the one held.
    fn fetch(
        &self,
        binding: &SelectedBinding,
        etag: Option<HeaderValue>,
    ) -> impl Future<Output = Result<Fetched, FetchError>> + Send;
}

/// Reaches the broker over HTTP/1.1 and TLS.
pub struct BrokerClient {
    dialer: Arc<Dialer>,
    token: Arc<TokenFile>,
    host: HeaderValue,
    pool: Pool,
    bundle: Arc<KnownBundle>,
    log: Log,
}

impl BrokerClient {
    /// A client that reaches the broker with `dialer` and shows it the token in `token`. `log` hears of other authorities of
    /// the broker.
    pub fn new(dialer: Dialer, token: Arc<TokenFile>, log: Log) -> Self {
        let broker = dialer.broker();
        let host = if broker.host.contains(':') {
            format!("[{}]", broker.host)
        } else {
            broker.host.clone()
        };
        // A host that is a TLS server name is a header value; an empty Host would be answered with 400.
        let host = HeaderValue::try_from(format!("{host}:{}", broker.port))
            .unwrap_or_else(|_| HeaderValue::from_static(""));
        let trusted = dialer.learned().text();
        let trusted = trusted.map_or(broker.ca_digest, |text| BundleDigest::of(&text));
        Self {
            bundle: Arc::new(KnownBundle::new(trusted)),
            dialer: Arc::new(dialer),
            token,
            host,
            pool: Pool::default(),
            log,
        }
    }

    /// Keeps a connection whose answer was read whole; first asks on it for the broker's bundle, when `headers` tell of another
    /// one. Nobody waits for that.
    fn done_with(&self, mut sender: Sender, headers: &HeaderMap) {
        if !self.bundle.is_wanted(headers) {
            return self.pool.keep(sender);
        }
        let (dialer, known, pool) = (
            Arc::clone(&self.dialer),
            Arc::clone(&self.bundle),
            self.pool.clone(),
        );
        let (host, log) = (self.host.clone(), self.log.clone());
        tokio::spawn(async move {
            let Ok(Some(text)) = timeout(ANSWER_TIMEOUT, fetch_bundle(&mut sender, host)).await else {
                // An older broker, or a connection that ended: a later answer tells of it again.
                return;
            };
            match dialer.trust(&text) {
                Ok(roots) => {
                    known.learned(&text);
                    log.info("BundleLearned", &[("roots", &roots.to_string())]);
                }
                Err(error) if known.refused(&text) => {
                    let message = format!("the bundle of the broker {error}");
                    log.warn("BundleRefused", &[("message", &message)]);
                }
                Err(_) => {}
            }
            pool.keep(sender);
        });
    }

    fn request(
        &self,
        binding: &SelectedBinding,
        etag: Option<&HeaderValue>,
    ) -> Result<Request<Empty<Bytes>>, AgentProblem> {
        let token = self
            .token
            .current()
            .map_err(|error| AgentProblem::unavailable(error.category(), error.to_string()))?;
        let mut bearer = Zeroizing::new(Vec::with_capacity(token.len().saturating_add(7)));
        bearer.extend_from_slice(b"Bearer ");
        bearer.extend_from_slice(&token);
        let malformed =
            |_| AgentProblem::unavailable("Internal", "the request to the broker could not be made");
        let mut authorization = HeaderValue::from_bytes(&bearer).map_err(|e| malformed(e.into()))?;
        authorization.set_sensitive(true);
        let mut request = Request::get(binding.path())
            .header(HOST, &self.host)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, AGENT)
            .header(AUTHORIZATION, authorization);
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        request.body(Empty::new()).map_err(malformed)
    }

    async fn open(&self) -> Result<Sender, AgentProblem> {
        let stream = self.dialer.dial().await.map_err(|error| {
            AgentProblem::unavailable(
                "BrokerUnreachable",
                format!("the Deputy broker can't be reached: {error}"),
            )
        })?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_BODY)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| lost(&error))?;
        tokio::spawn(async move {
            // How a connection ends is told to the request on it, if there is one.
            connection.await.unwrap_or_default();
        });
        Ok(sender)
    }

    /// Sends on a used connection if there is one, and once more on a new one if that turns out dead: the
    /// request is a GET, so sending it twice is harmless.
    async fn send(
        &self,
        binding: &SelectedBinding,
        etag: Option<&HeaderValue>,
    ) -> Result<(Sender, Response<Incoming>), AgentProblem> {
        let attempt = async {
            let mut sender = self.pool.take().await?;
            let request = self.request(binding, etag).ok()?;
            let response = sender.send_request(request).await.ok()?;
            Some((sender, response))
        };
        if let Ok(Some(answer)) = timeout(REUSED_TIMEOUT, attempt).await {
            return Ok(answer);
        }
        let request = self.request(binding, etag)?;
        let mut sender = self.open().await?;
        let response = timeout(ANSWER_TIMEOUT, sender.send_request(request))
            .await
            .map_err(|_| {
                let message = format!("the Deputy broker did not answer in {ANSWER_TIMEOUT:?}");
                AgentProblem::unavailable("BrokerSilent", message)
            })?
            .map_err(|error| lost(&error))?;
        Ok((sender, response))
    }
}

impl CredentialSource for BrokerClient {
    async fn fetch(
        &self,
        binding: &SelectedBinding,
        etag: Option<HeaderValue>,
    ) -> Result<Fetched, FetchError> {
        let (sender, response) = self
            .send(binding, etag.as_ref())
            .await
            .map_err(FetchError::Unavailable)?;
        let (head, body) = response.into_parts();
        let body = timeout(BODY_TIMEOUT, read(body)).await.unwrap_or_else(|_| {
            let message = format!("the Deputy broker's answer was not complete after {BODY_TIMEOUT:?}");
            Err(AgentProblem::unavailable("BrokerSilent", message))
        });
        if body.is_ok() {
            self.done_with(sender, &head.headers);
        }
        match head.status {
            StatusCode::OK => {
                let body = body.map_err(FetchError::Unavailable)?;
                let etag = head.headers.get(ETAG).filter(|e| e.len() <= MAX_ETAG).cloned();
                Ok(Fetched::Credential {
                    body,
                    etag,
                    refresh_after: refresh_after(&head.headers),
                })
            }
            StatusCode::NOT_MODIFIED if etag.is_some() => Ok(Fetched::NotModified {
                refresh_after: refresh_after(&head.headers),
            }),
            // Decided by the status: a body that was cut off or too large does not soften a refusal.
            status @ StatusCode::FORBIDDEN => {
                let body = body.unwrap_or_default();
                Err(FetchError::Refused(AgentProblem {
                    pod_is_terminating: pod_is_terminating(&head.headers),
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
                    retry_after: retry_after(&head.headers),
                    pod_is_terminating: pod_is_terminating(&head.headers),
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
}

/// The text of the broker's bundle; it is public, so no token goes with the question.
async fn fetch_bundle(sender: &mut Sender, host: HeaderValue) -> Option<Zeroizing<Vec<u8>>> {
    let request = Request::get(bundle::PATH)
        .header(HOST, host)
        .header(USER_AGENT, AGENT)
        .body(Empty::new())
        .ok()?;
    sender.ready().await.ok()?;
    let response = sender.send_request(request).await.ok()?;
    let is_there = response.status() == StatusCode::OK;
    let text = read(response.into_body()).await.ok()?;
    is_there.then_some(text)
}

fn lost(error: &hyper::Error) -> AgentProblem {
    AgentProblem::unavailable(
        "BrokerLost",
        format!("the connection to the Deputy broker broke: {error}"),
    )
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

/// Reads a body of at most [`MAX_BODY`] bytes into a buffer that is wiped.
async fn read(mut body: Incoming) -> Result<Zeroizing<Vec<u8>>, AgentProblem> {
    let too_large = || {
        AgentProblem::unavailable(
            "BrokerError",
            format!("the broker's answer has more than {MAX_BODY} bytes"),
        )
    };
    let announced = body
        .size_hint()
        .upper()
        .map(|upper| usize::try_from(upper).unwrap_or(usize::MAX));
    let capacity = announced.unwrap_or(USUAL_BODY);
    if capacity > MAX_BODY {
        return Err(too_large());
    }
    let mut content = Zeroizing::new(Vec::with_capacity(capacity));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| lost(&error))?;
        if let Some(data) = frame.data_ref() {
            if content.len().saturating_add(data.len()) > MAX_BODY {
                return Err(too_large());
            }
            content.extend_from_slice(data);
        }
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

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
