//! The agent's side of the agent–broker protocol, version 1 (`docs/contracts.md`).

mod answer;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue, IF_NONE_MATCH, USER_AGENT},
    request::Builder,
};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    body::{Body as _, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use zeroize::Zeroizing;

use self::answer::{AnswerBody, credential};
pub use self::answer::{FetchError, Fetched, KeysAnswer};
use crate::{
    binding::SelectedBinding,
    bundle::{self, BundleDigest, KnownBundle},
    credential::MAX_BODY,
    dial::Dialer,
    log::Log,
    pool::{Pool, PoolLimits, Sender},
    problem::AgentProblem,
    token::{PodToken, TokenFile},
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
/// With which the agent of a node proves that it is one.
const NODE_TOKEN: HeaderName = HeaderName::from_static("deputy-node-token");
/// In a question for keys: the id of one that is missed.
const KEY_ID: HeaderName = HeaderName::from_static("deputy-key-id");
/// The path of the keys that tokens are verified by.
const KEYS: &str = "/v1/keys";

/// Whose agent this is, in its requests and in how many connections it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentKind {
    /// Of one pod.
    Sidecar,
    /// Of all pods of a node that have none.
    Node,
}

impl AgentKind {
    fn user_agent(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Sidecar => concat!("deputy-agent/", env!("CARGO_PKG_VERSION")),
            Self::Node => concat!("deputy-agent/", env!("CARGO_PKG_VERSION"), " (node)"),
        })
    }
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

/// What a request proves. It has no `Debug`: it is secret.
pub struct AskerProof {
    /// Which pod asks.
    pub pod: PodToken,
    /// Which node's agent asks for it, unless it is the pod's own.
    pub node: Option<PodToken>,
}

/// What a pod's own agent proves.
impl From<PodToken> for AskerProof {
    fn from(pod: PodToken) -> Self {
        Self { pod, node: None }
    }
}

/// Reaches the broker over HTTP/1.1 and TLS.
pub struct BrokerClient {
    dialer: Arc<Dialer>,
    host: HeaderValue,
    agent: HeaderValue,
    pool: Pool,
    bundle: Arc<KnownBundle>,
    log: Log,
}

/// Gives what the next request proves.
pub trait ProofSource: Send + Sync + 'static {
    /// What is to be shown now.
    ///
    /// # Errors
    /// There is no token to show.
    fn proof(&self) -> Result<AskerProof, AgentProblem>;
}

impl ProofSource for Arc<TokenFile> {
    fn proof(&self) -> Result<AskerProof, AgentProblem> {
        Ok(self.current()?.into())
    }
}

/// Asks the broker as one pod, with what `proof` gives for each request.
pub struct BrokerSource<P> {
    client: Arc<BrokerClient>,
    proof: P,
}

impl<P> BrokerSource<P> {
    /// Asks by `client`.
    pub fn new(client: Arc<BrokerClient>, proof: P) -> Self {
        Self { client, proof }
    }
}

impl BrokerClient {
    /// A client that reaches the broker with `dialer`. `log` hears of other authorities of the broker.
    pub fn new(dialer: Dialer, kind: AgentKind, log: Log) -> Self {
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
            host,
            agent: kind.user_agent(),
            pool: Pool::new(match kind {
                AgentKind::Sidecar => PoolLimits::SIDECAR,
                AgentKind::Node => PoolLimits::NODE,
            }),
            log,
        }
    }

    /// The credential of `binding` for whom `proof` names. `etag` belongs to the one held.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn credential(
        &self,
        proof: &AskerProof,
        binding: &SelectedBinding,
        etag: Option<HeaderValue>,
    ) -> Result<Fetched, FetchError> {
        let (head, body) = self
            .exchange(|| {
                let mut request = self
                    .get(&binding.path())
                    .header(ACCEPT, "application/json")
                    .header(USER_AGENT, &self.agent)
                    .header(AUTHORIZATION, secret(b"Bearer ", &proof.pod)?);
                if let Some(node) = &proof.node {
                    request = request.header(NODE_TOKEN, secret(b"", node)?);
                }
                if let Some(etag) = &etag {
                    request = request.header(IF_NONE_MATCH, etag);
                }
                request.body(Empty::new())
            })
            .await
            .map_err(FetchError::Unavailable)?;
        credential((head.status, &head.headers), body, etag.is_some())
    }

    /// The keys that tokens are verified by; they are public, so no token goes with the question. `unknown` is the id of a key that is missed.
    ///
    /// # Errors
    /// The broker can't say now.
    pub async fn keys(&self, unknown: Option<&str>) -> Result<KeysAnswer, AgentProblem> {
        // What is no text of a header is no id of Kubernetes' either.
        let unknown = unknown.and_then(|key_id| HeaderValue::from_str(key_id).ok());
        let (head, body) = self
            .exchange(|| {
                let mut request = self.get(KEYS).header(USER_AGENT, &self.agent);
                if let Some(unknown) = &unknown {
                    request = request.header(KEY_ID, unknown);
                }
                request.body(Empty::new())
            })
            .await?;
        answer::keys((head.status, &head.headers), &body?)
    }

    fn get(&self, path: &str) -> Builder {
        Request::get(path).header(HOST, &self.host)
    }

    /// Sends what `request` makes and reads the answer. On a used connection if there is one, and once more on a new one if that
    /// turns out dead: the request is a GET, so sending it twice is harmless.
    async fn exchange(
        &self,
        request: impl Fn() -> Result<Request<Empty<Bytes>>, http::Error>,
    ) -> Result<(http::response::Parts, AnswerBody), AgentProblem> {
        let _turn = self.pool.turn().await;
        let request = || {
            request().map_err(|_| {
                AgentProblem::unavailable("Internal", "the request to the broker could not be made")
            })
        };
        let (sender, response) = self.send(&request).await?;
        let (head, body) = response.into_parts();
        let body = timeout(BODY_TIMEOUT, read(body)).await.unwrap_or_else(|_| {
            let message = format!("the Deputy broker's answer was not complete after {BODY_TIMEOUT:?}");
            Err(AgentProblem::unavailable("BrokerSilent", message))
        });
        if body.is_ok() {
            self.done_with(sender, &head.headers);
        }
        Ok((head, body))
    }

    async fn send(
        &self,
        request: impl Fn() -> Result<Request<Empty<Bytes>>, AgentProblem>,
    ) -> Result<(Sender, Response<Incoming>), AgentProblem> {
        let attempt = async {
            let mut sender = self.pool.take().await?;
            let response = sender.send_request(request().ok()?).await.ok()?;
            Some((sender, response))
        };
        if let Ok(Some(answer)) = timeout(REUSED_TIMEOUT, attempt).await {
            return Ok(answer);
        }
        let request = request()?;
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
        let (host, agent, log) = (self.host.clone(), self.agent.clone(), self.log.clone());
        tokio::spawn(async move {
            let Ok(Some(text)) = timeout(ANSWER_TIMEOUT, fetch_bundle(&mut sender, (host, agent))).await
            else {
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
}

impl<P: ProofSource> CredentialSource for BrokerSource<P> {
    async fn fetch(
        &self,
        binding: &SelectedBinding,
        etag: Option<HeaderValue>,
    ) -> Result<Fetched, FetchError> {
        let proof = self.proof.proof().map_err(FetchError::Unavailable)?;
        self.client.credential(&proof, binding, etag).await
    }
}

/// A header with a token in it, which no log shows.
fn secret(scheme: &[u8], token: &[u8]) -> Result<HeaderValue, http::Error> {
    let mut text = Zeroizing::new(Vec::with_capacity(token.len().saturating_add(scheme.len())));
    text.extend_from_slice(scheme);
    text.extend_from_slice(token);
    let mut value = HeaderValue::from_bytes(&text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The text of the broker's bundle; it is public, so no token goes with the question.
async fn fetch_bundle(
    sender: &mut Sender,
    (host, agent): (HeaderValue, HeaderValue),
) -> Option<Zeroizing<Vec<u8>>> {
    let request = Request::get(bundle::PATH)
        .header(HOST, host)
        .header(USER_AGENT, agent)
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
