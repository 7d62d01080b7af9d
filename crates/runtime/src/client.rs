//! The Kubernetes client of a process.

use std::time::Duration;

use futures::io::AsyncReadExt as _;
use http::{HeaderValue, header::USER_AGENT};
use hyper_timeout::TimeoutConnector;
use hyper_util::{
    client::legacy::connect::HttpConnector,
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    client::{ConfigExt as _, retry::RetryPolicy},
    config::InferConfigError,
};
use tower::{BoxError, ServiceBuilder, retry::RetryLayer};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may say nothing while an answer is waited for. Watches are asked to end after 25 s at most and
/// begun anew, so this only ends connections that died unseen.
const READ_TIMEOUT: Duration = Duration::from_secs(40);
/// A connection whose other end vanished without a word (a node, a load balancer, a NAT table) is noticed after
/// `KEEPALIVE` × (`KEEPALIVE_PROBES` + 1) while nothing is sent, and after `UNACKNOWLEDGED` when something is.
const KEEPALIVE: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 3;
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);
/// How long a connection that nobody uses is kept for the next request. One may have gone silent meanwhile, and whoever is given it waits in vain. A watch
/// behind such a connection is begun anew 5 s later at the earliest, and must not be given another one.
const KEPT: Duration = Duration::from_secs(4);
/// What is read at once of an answer, in bytes, and the longest head of one. A connection keeps a buffer as large as its largest read, up to 400 KB if
/// nobody says otherwise, and a watch keeps its connection.
const BUFFER: usize = 64 * 1024;
/// Another try where the API server says that it is busy (429, 503, 504), after what it says or these pauses. Callers
/// have deadlines of their own.
const RETRIES: u32 = 5;
const RETRY_PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(2));

/// No client for the Kubernetes API.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Neither a kubeconfig nor the configuration of a pod was found.
    #[error(
        "failed to find the Kubernetes API server (neither a kubeconfig nor a pod's configuration is usable)"
    )]
    Config(#[source] Box<InferConfigError>),
    /// The user agent can't be sent.
    #[error("the user agent {0:?} is not a valid header value")]
    UserAgent(String),
    /// The configuration can't be used.
    #[error("failed to build the Kubernetes client")]
    Build(#[source] Box<kube::Error>),
    /// A document of the API server can't be read.
    #[error("failed to read {path} of the Kubernetes API server")]
    Read {
        /// Its path.
        path: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// It is larger than expected, did not come in time, or ended early.
    #[error("{path} of the Kubernetes API server: {what}")]
    Document {
        /// Its path.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// Another cryptography provider was installed first.
    #[error("a TLS cryptography provider is installed already")]
    CryptoProvider,
}

impl ClientError {
    /// A bounded name for metrics and events.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Config(_) => "config",
            Self::UserAgent(_) => "user-agent",
            Self::Build(_) => "build",
            Self::Read { .. } => "read",
            Self::Document { .. } => "document",
            Self::CryptoProvider => "crypto-provider",
        }
    }
}

/// Makes ring the one cryptography provider of the process. Called in `main` before anything uses TLS.
pub fn install_crypto_provider() -> Result<(), ClientError> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| ClientError::CryptoProvider)
}

/// A client for the API server of `KUBECONFIG` (or `~/.kube/config`), else of the pod the process runs in.
///
/// Single requests have no deadline of their own (watches share the client): callers set one.
pub async fn kube_client(user_agent: &str) -> Result<kube::Client, ClientError> {
    let config = kube::Config::infer()
        .await
        .map_err(|error| ClientError::Config(Box::new(error)))?;
    client_of(config, user_agent, KEPT)
}

fn client_of(
    mut config: kube::Config,
    user_agent: &str,
    kept: Duration,
) -> Result<kube::Client, ClientError> {
    let agent =
        HeaderValue::from_str(user_agent).map_err(|_| ClientError::UserAgent(user_agent.to_owned()))?;
    config.headers.push((USER_AGENT, agent));
    let namespace = config.default_namespace.clone();
    let build = |error| ClientError::Build(Box::new(error));
    let https = config
        .rustls_https_connector_with_connector(connector())
        .map_err(build)?;
    let mut connector = TimeoutConnector::new(https);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_write_timeout(Some(WRITE_TIMEOUT));
    connector.set_read_timeout(Some(READ_TIMEOUT));
    connector.set_reset_reader_on_write(true);
    let (first, last) = RETRY_PAUSES;
    let retries = RetryPolicy::new(first, last, RETRIES, true)
        .ok()
        .map(RetryLayer::new);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(retries)
        .option_layer(config.auth_layer().map_err(build)?)
        .layer(config.extra_headers_layer().map_err(build)?)
        .map_err(BoxError::from)
        .service(
            hyper_util::client::legacy::Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(kept)
                .http1_max_buf_size(BUFFER)
                .build(connector),
        );
    Ok(kube::Client::new(service, namespace))
}

/// A document of the API server that is no object: `GET <path>`, of at most `max_bytes` bytes, within `deadline`.
///
/// # Errors
/// When it does not come, in time or at all, and when it is larger.
pub async fn document(
    client: &kube::Client,
    path: &str,
    max_bytes: u64,
    deadline: Duration,
) -> Result<Vec<u8>, ClientError> {
    let wrong = |what: String| ClientError::Document {
        path: path.to_owned(),
        what,
    };
    let request = http::Request::get(path)
        .body(Vec::new())
        .map_err(|e| wrong(e.to_string()))?;
    let read = async {
        let answer = client
            .request_stream(request)
            .await
            .map_err(|source| ClientError::Read {
                path: path.to_owned(),
                source: Box::new(source),
            })?;
        let mut bytes = Vec::new();
        let taken = answer
            .take(max_bytes.saturating_add(1))
            .read_to_end(&mut bytes)
            .await;
        taken.map_err(|e| wrong(e.to_string()))?;
        if bytes.len() as u64 > max_bytes {
            return Err(wrong(format!("more than {max_bytes} bytes")));
        }
        Ok(bytes)
    };
    let in_time = tokio::time::timeout(deadline, read).await;
    in_time.unwrap_or_else(|_| Err(wrong(format!("no answer within {} s", deadline.as_secs()))))
}

/// Connections to the API server are direct: a proxy of the environment is for AWS alone.
fn connector() -> HttpConnector {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_keepalive(Some(KEEPALIVE));
    http.set_keepalive_interval(Some(KEEPALIVE));
    http.set_keepalive_retries(Some(KEEPALIVE_PROBES));
    http.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    http
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

    /// Answers the first `answers` requests of a connection, which then stays open and says nothing more.
    async fn serve(mut connection: TcpStream, answers: usize) {
        let mut text = Vec::new();
        for _ in 0..answers {
            while !text.ends_with(b"\r\n\r\n") {
                if matches!(connection.read_buf(&mut text).await, Ok(0) | Err(_)) {
                    return;
                }
            }
            text.clear();
            if connection.write_all(ANSWER).await.is_err() {
                return;
            }
        }
        std::future::pending().await
    }

    /// Asks twice, the second time when that connection is kept no more or still is, a server whose connections answer so often. Gives whether each
    /// was answered.
    async fn asked_twice(answers: usize, kept: Duration, pause: Duration) -> [bool; 2] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, answers));
            }
        });
        let config = kube::Config::new(format!("http://{address}").parse().unwrap());
        let client = client_of(config, "test", kept).unwrap();
        let ask = || document(&client, "/version", 100, Duration::from_secs(10));
        let first = ask().await.is_ok();
        tokio::time::sleep(pause).await;
        [first, ask().await.is_ok()]
    }

    #[tokio::test]
    async fn a_connection_that_went_silent_while_nobody_used_it_is_not_used_again() {
        let (short, long) = (Duration::from_millis(20), Duration::from_secs(60));
        assert_eq!(asked_twice(1, short, 3 * short).await, [true, true]);
        // One that answers is used again.
        assert_eq!(asked_twice(2, long, Duration::ZERO).await, [true, true]);
    }
}
