//! The agent of a node, for those of its pods that have none of their own: the same protocol, the same keeper for each of them, and the same
//! broker, to which it proves for each request which pod asks and which node's agent it is.

mod address;
mod config;
mod desk;
mod keys;
mod pods;
mod presence;
mod ready;
#[cfg(test)]
mod script;

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
};

use jiff::Timestamp;
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinSet,
};

pub use self::{
    address::{AddressError, AddressOutcome, ensure},
    config::{NODE_IPV4, NODE_IPV6, NODE_PORT, NodeConfig, node_addresses, ready_file},
    ready::wait_for_file,
};
use self::{
    config::is_taken_without_tls,
    desk::NodeDesk,
    keys::NodeKeys,
    pods::{HeldToken, MAX_PODS, NodePods, PodSources},
    presence::{Presence, is_there},
    ready::ReadyFile,
};
use crate::{
    agent::StartError,
    broker::{AgentKind, AskerProof, BrokerClient, BrokerSource, ProofSource},
    credential::WallClock,
    dial::Dialer,
    log::Log,
    problem::AgentProblem,
    serve::{ConnectionLimits, serve},
    server::CredentialEndpoint,
    token::TokenFile,
};

/// Connections that wait in a listener's queue.
const BACKLOG: u32 = 1024;

/// What a node's agent proves for a pod.
struct NodeProof {
    pod: Arc<HeldToken>,
    node: Arc<TokenFile>,
}

impl ProofSource for NodeProof {
    fn proof(&self) -> Result<AskerProof, AgentProblem> {
        Ok(AskerProof {
            pod: self.pod.current(),
            node: Some(self.node.current()?),
        })
    }
}

/// Asks one broker for all pods.
struct BrokerSources {
    client: Arc<BrokerClient>,
    node: Arc<TokenFile>,
}

impl PodSources for BrokerSources {
    type Source = BrokerSource<NodeProof>;

    fn source(&self, pod: Arc<HeldToken>) -> Self::Source {
        let node = Arc::clone(&self.node);
        BrokerSource::new(Arc::clone(&self.client), NodeProof { pod, node })
    }
}

/// The agent of a node, which has its addresses and does not listen yet: before it knows whose tokens are whose, connections are for the agent
/// of before, if there is one.
pub struct NodeAgent {
    config: NodeConfig,
    sockets: Vec<TcpSocket>,
    addresses: Vec<SocketAddr>,
    dialer: Dialer,
    ready: Option<ReadyFile>,
    log: Log,
}

impl NodeAgent {
    /// Takes those of the addresses that the node has.
    ///
    /// # Errors
    /// [`StartError`]; of the addresses when it has none, or one is somebody else's.
    pub fn bind(config: NodeConfig, log: Log) -> Result<Self, StartError> {
        let dialer = Dialer::new(config.broker.clone())?;
        let ready = config.ready_file.clone().map(ReadyFile::absent).transpose();
        let ready = ready.map_err(StartError::ReadyFile)?;
        let (mut sockets, mut addresses, mut failed) = (Vec::new(), Vec::new(), None);
        for address in config.listen.iter().copied() {
            if !is_taken_without_tls(address.ip()) {
                return Err(StartError::NotOfTheNode(address));
            }
            match bound(address).and_then(|socket| Ok((socket.local_addr()?, socket))) {
                Ok((address, socket)) => {
                    sockets.push(socket);
                    addresses.push(address);
                }
                // Left out, it would be nobody's once the one that has it has ended.
                Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
                    return Err(StartError::AddressTaken(address));
                }
                Err(source) => {
                    let fields = [("address", address.to_string()), ("message", source.to_string())];
                    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
                    log.warn("AddressLeftOut", &fields);
                    failed = Some(StartError::Listen { address, source });
                }
            }
        }
        match failed {
            Some(error) if sockets.is_empty() => Err(error),
            _ => Ok(Self {
                config,
                sockets,
                addresses,
                dialer,
                ready,
                log,
            }),
        }
    }

    /// Where it will listen.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Fetches the keys and serves until `stop` is over.
    ///
    /// # Errors
    /// [`StartError::Listen`].
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> Result<(), StartError> {
        self.run_at(Arc::new(Timestamp::now), stop).await
    }

    /// The same by a clock of one's own, for tokens that tests made once.
    ///
    /// # Errors
    /// [`StartError::Listen`].
    pub async fn run_at(
        self,
        clock: WallClock,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(), StartError> {
        let Self {
            config,
            sockets,
            addresses,
            dialer,
            ready,
            log,
        } = self;
        let client = Arc::new(BrokerClient::new(dialer, AgentKind::Node, log.clone()));
        let sources = BrokerSources {
            client: Arc::clone(&client),
            node: Arc::new(TokenFile::new(&config.token_file)),
        };
        let keys = Arc::new(NodeKeys::new(log.clone()));
        let (pods, ended) = NodePods::new(sources, Arc::clone(&clock), log.clone(), MAX_PODS);
        // Ended with the agent: dropped, a JoinSet ends its tasks.
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&keys).follow(client));
        tasks.spawn(Arc::clone(&pods).tend(ended));
        let mut stop = pin!(stop);
        let is_stopped = tokio::select! {
            () = keys.known() => false,
            () = &mut stop => true,
        };
        if !is_stopped {
            let listening = sockets.into_iter().zip(addresses.iter().copied());
            let listening: Result<Vec<TcpListener>, StartError> = listening
                .map(|(socket, address)| {
                    let listener = socket.listen(BACKLOG);
                    listener.map_err(|source| StartError::Listen { address, source })
                })
                .collect();
            let listeners = listening?;
            log_listening(&log, &config, &addresses);
            let desk = NodeDesk::new(config.node, keys, pods, clock, log.clone());
            let endpoint = Arc::new(CredentialEndpoint::new(desk, &addresses));
            let ips = addresses.iter().map(SocketAddr::ip).collect();
            let presence = Presence::new(ips, is_there, ready, log.clone());
            // In the task that serves: a sign of life that comes from elsewhere would be none. It goes with the word to stop.
            let stop = async {
                tokio::select! {
                    () = stop => {}
                    () = presence.keep() => {}
                }
            };
            serve(listeners, endpoint, ConnectionLimits::NODE, stop).await;
        }
        log.info("Stopped", &[]);
        Ok(())
    }
}

fn log_listening(log: &Log, config: &NodeConfig, addresses: &[SocketAddr]) {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let broker = format!("{}:{}", config.broker.host, config.broker.port);
    log.info(
        "Listening",
        &[
            ("address", &addresses.join(",")),
            ("node", config.node.as_str()),
            ("broker", &broker),
            ("version", env!("CARGO_PKG_VERSION")),
        ],
    );
}

/// A socket beside that of another agent of the same user at the same address: a new one begins before the old one ends.
fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address.ip() {
        IpAddr::V4(_) => TcpSocket::new_v4()?,
        IpAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // The connections of an agent that ended may still be closing.
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}
