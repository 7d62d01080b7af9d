//! From where a pod asks, and which agents of nodes may ask for it.

use std::{net::IpAddr, str::FromStr};

use deputy_delegation::{NameError, NamespaceName, ServiceAccountName};
use deputy_token::NodeName;

/// From where a pod asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedFrom {
    /// The other end of the connection.
    pub peer: IpAddr,
    /// The node whose agent asks for it; `None` where it asks itself.
    pub node: Option<NodeName>,
}

/// The tokens that a request shows.
#[derive(Clone, Copy)]
pub struct ShownTokens<'a> {
    /// Of the pod that is to have credentials.
    pub pod: &'a str,
    /// Of the agent of its node, where that asks for it.
    pub node: Option<&'a str>,
}

/// The ServiceAccount of the agents of nodes: `NAMESPACE/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAgents {
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Its name.
    pub service_account: ServiceAccountName,
}

/// The text names no ServiceAccount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeAgentsError {
    /// It has no slash.
    #[error("not NAMESPACE/SERVICEACCOUNT")]
    Form,
    /// One of both can't be.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FromStr for NodeAgents {
    type Err = NodeAgentsError;

    fn from_str(text: &str) -> Result<Self, NodeAgentsError> {
        let (namespace, service_account) = text.split_once('/').ok_or(NodeAgentsError::Form)?;
        Ok(Self {
            namespace: NamespaceName::new(namespace)?,
            service_account: ServiceAccountName::new(service_account)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agents_of_nodes_are_one_service_account() {
        let agents: NodeAgents = "deputy/deputy-agent".parse().unwrap();
        assert_eq!(
            (agents.namespace.as_str(), agents.service_account.as_str()),
            ("deputy", "deputy-agent")
        );
        for wrong in [
            "",
            "deputy-agent",
            "deputy/",
            "/deputy-agent",
            "Deputy/a",
            "a/b/c",
            "*/*",
        ] {
            assert!(wrong.parse::<NodeAgents>().is_err(), "{wrong}");
        }
    }
}
