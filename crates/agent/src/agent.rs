//! The agent put together.

use std::{
    future::Future,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

use jiff::Timestamp;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    broker::{AgentKind, BrokerClient, BrokerSource},
    bundle::LearnedBundle,
    config::Config,
    desk::PodDesk,
    dial::{Dialer, TlsSetupError},
    keeper::CredentialKeeper,
    log::Log,
    readiness::{StartupReadiness, fetch_first},
    serve::{ConnectionLimits, serve},
    server::CredentialEndpoint,
    token::TokenFile,
};

/// An agent that listens but does not serve yet.
pub struct Agent {
    config: Config,
    listener: TcpListener,
    address: SocketAddr,
    dialer: Dialer,
    log: Log,
}

/// Why the agent can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The broker's authority can't be used.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    /// The address can be reached from outside the pod.
    #[error("{0} is not a loopback address; credentials travel on it in clear text")]
    NotLoopback(SocketAddr),
    /// The address can be reached from outside the node, or SDKs do not take it.
    #[error(
        "{0} is no address of a node's agent: other machines have a way to it, and credentials travel on it in clear text"
    )]
    NotOfTheNode(SocketAddr),
    /// What a process before has left says that this one is ready, and can't be taken away.
    #[error("DEPUTY_READY_FILE can't be removed: {0}")]
    ReadyFile(std::io::Error),
    /// Somebody else has the address: two agents share it when they run as one user.
    #[error(
        "cannot listen on {0}: another user's agent listens there, or another program; all agents of a node run as one user, so one of another \
         user starts when the one of before has ended"
    )]
    AddressTaken(SocketAddr),
    /// The address can't be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// `DEPUTY_LISTEN`.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

impl AsFd for Agent {
    /// The socket that it listens on.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Agent {
    /// Starts to listen, or goes on where another program listened on the same address: on `inherited`.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn bind(
        config: Config,
        log: Log,
        inherited: Option<std::net::TcpListener>,
    ) -> Result<Self, StartError> {
        let address = config.listen;
        if !address.ip().is_loopback() {
            return Err(StartError::NotLoopback(address));
        }
        let dialer = Dialer::new(config.broker.clone())?;
        let listen = |source| StartError::Listen { address, source };
        let listener = match inherited {
            None => TcpListener::bind(address).await.map_err(listen)?,
            Some(listener) => {
                listener.set_nonblocking(true).map_err(listen)?;
                TcpListener::from_std(listener).map_err(listen)?
            }
        };
        let address = listener.local_addr().map_err(listen)?;
        Ok(Self {
            config,
            listener,
            address,
            dialer,
            log,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Trusts what the program before has learned of the broker's authorities, by the rules for what the broker tells.
    pub fn trust(&self, bundle: &[u8]) {
        match self.dialer.trust(bundle) {
            Ok(roots) => self.log.info("BundleLearned", &[("roots", &roots.to_string())]),
            Err(error) => {
                let message = format!("the bundle of the program before {error}");
                self.log.warn("BundleRefused", &[("message", &message)]);
            }
        }
    }

    /// What this agent learns of the broker's authorities.
    pub fn learned_bundle(&self) -> LearnedBundle {
        self.dialer.learned().clone()
    }

    /// Fetches the first credentials and serves until `stop` is over.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let Self {
            config,
            listener,
            address,
            dialer,
            log,
        } = self;
        let token = Arc::new(TokenFile::new(&config.token_file));
        let broker = Arc::new(BrokerClient::new(dialer, AgentKind::Sidecar, log.clone()));
        let source = BrokerSource::new(broker, Arc::clone(&token));
        let keeper = CredentialKeeper::new(source, Arc::new(Timestamp::now), log.clone(), &config.bindings);
        let readiness = Arc::new(StartupReadiness::new(config.wait_for, &config.bindings));
        log.info(
            "Listening",
            &[
                ("address", &address.to_string()),
                (
                    "broker",
                    &format!("{}:{}", config.broker.host, config.broker.port),
                ),
                ("version", env!("CARGO_PKG_VERSION")),
            ],
        );
        // Ended with the agent: dropped, a JoinSet ends its tasks.
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&keeper).refresh());
        for binding in config.bindings {
            tasks.spawn(fetch_first(Arc::clone(&keeper), Arc::clone(&readiness), binding));
        }
        let desk = PodDesk::new(keeper, Arc::clone(&readiness), token);
        let endpoint = Arc::new(CredentialEndpoint::new(desk, &[address]));
        let stop = async move {
            stop.await;
            readiness.stop();
        };
        serve(vec![listener], endpoint, ConnectionLimits::SIDECAR, stop).await;
        log.info("Stopped", &[]);
    }
}
