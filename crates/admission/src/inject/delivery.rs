//! How credentials reach a pod: by a sidecar of its own, or by the agent on its node.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use super::ours::cut;

/// The addresses of agents on nodes. SDKs take a token to no other address without TLS, beside loopback:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
const NODE_ADDRESSES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];
/// Below it the agent may not listen: it has no capabilities.
const LOWEST_PORT: u16 = 1024;

/// How credentials reach pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodDelivery {
    /// By a sidecar, on the loopback of the pod.
    Sidecar,
    /// By the agent on the node, at an address that every pod of the node reaches.
    Node,
}

/// A word that is no [`PodDelivery`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither Sidecar nor Node")]
pub struct DeliveryError(String);

impl FromStr for PodDelivery {
    type Err = DeliveryError;

    /// `Sidecar` or `Node`.
    fn from_str(text: &str) -> Result<Self, DeliveryError> {
        match text {
            "Sidecar" => Ok(Self::Sidecar),
            "Node" => Ok(Self::Node),
            _ => Err(DeliveryError(cut(text))),
        }
    }
}

/// Where the agents of all nodes listen: a link-local address that SDKs take for an agent's, and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeAgentAddress(SocketAddr);

/// Text that is no [`NodeAgentAddress`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not ADDRESS:PORT with address 169.254.170.23 or [fd00:ec2::23], and a port of 1024 or more"
)]
pub struct NodeAgentAddressError(String);

impl FromStr for NodeAgentAddress {
    type Err = NodeAgentAddressError;

    /// `169.254.170.23:PORT` or `[fd00:ec2::23]:PORT`, with a port of 1024 or more.
    fn from_str(text: &str) -> Result<Self, NodeAgentAddressError> {
        let address: Option<SocketAddr> = text.parse().ok();
        address
            .filter(|a| NODE_ADDRESSES.contains(&a.ip()) && a.port() >= LOWEST_PORT)
            .map(Self)
            .ok_or_else(|| NodeAgentAddressError(cut(text)))
    }
}

/// Who answers the containers of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServedBy {
    /// Its sidecar, on loopback, at this port.
    Sidecar(u16),
    /// The agent of its node.
    NodeAgent(NodeAgentAddress),
}

impl ServedBy {
    /// The beginning of every URL of the agent: scheme, address and port.
    pub(super) fn origin(self) -> String {
        match self {
            Self::Sidecar(port) => format!("http://127.0.0.1:{port}"),
            Self::NodeAgent(NodeAgentAddress(address)) => format!("http://{address}"),
        }
    }
    /// The port that containers connect to.
    pub(super) fn port(self) -> u16 {
        match self {
            Self::Sidecar(port) => port,
            Self::NodeAgent(NodeAgentAddress(address)) => address.port(),
        }
    }
    /// What in `NO_PROXY` keeps clients from sending the token to a proxy; the first is the address itself.
    pub(super) fn reached_directly_by(self) -> [&'static str; 3] {
        match self {
            Self::Sidecar(_) => ["127.0.0.1", "127.0.0.0/8", "*"],
            Self::NodeAgent(NodeAgentAddress(SocketAddr::V4(_))) => ["169.254.170.23", "169.254.0.0/16", "*"],
            Self::NodeAgent(NodeAgentAddress(SocketAddr::V6(_))) => ["fd00:ec2::23", "[fd00:ec2::23]", "*"],
        }
    }
}
