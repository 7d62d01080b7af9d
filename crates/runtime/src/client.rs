//! The Kubernetes client of a process.

use std::time::Duration;

use http::HeaderValue;
use http::header::USER_AGENT;
use kube::config::InferConfigError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Above the 290 s after which the API server ends a watch, so that it only ends connections that died unseen.
const READ_TIMEOUT: Duration = Duration::from_secs(310);

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
    let mut config = kube::Config::infer()
        .await
        .map_err(|error| ClientError::Config(Box::new(error)))?;
    let agent =
        HeaderValue::from_str(user_agent).map_err(|_| ClientError::UserAgent(user_agent.to_owned()))?;
    config.headers.push((USER_AGENT, agent));
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.write_timeout = Some(WRITE_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    kube::Client::try_from(config).map_err(|error| ClientError::Build(Box::new(error)))
}
