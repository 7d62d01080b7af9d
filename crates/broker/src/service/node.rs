//! Whether an agent of a node may ask for a pod: as one of those that this broker is told of, and for pods of its own node alone.

use std::net::IpAddr;

use axum::http::StatusCode;
use deputy_token::NodeName;

use super::Broker;
use crate::{
    asker::AskedFrom,
    problem::BrokerProblem,
    token::{PodIdentity, TokenError},
};

/// The code of a refusal of an agent; what pods hold stays.
const NOT_TRUSTED: &str = "NodeAgentNotTrusted";

impl Broker {
    /// The node whose agent shows `token`.
    pub(super) async fn node_of_agent(&self, token: &str, peer: IpAddr) -> Result<NodeName, BrokerProblem> {
        let untrusted = |why: String| {
            self.audit.untrusted(peer, (NOT_TRUSTED, NOT_TRUSTED), &why);
            BrokerProblem::new(StatusCode::UNAUTHORIZED, NOT_TRUSTED, why)
        };
        let Some(agents) = &self.node_agents else {
            let why = "this broker takes no agents of nodes: it was started without --node-agents";
            return Err(untrusted(why.to_owned()));
        };
        let agent = match self.verifier.verify(token, peer).await {
            Ok(agent) => agent,
            Err(error @ TokenError::Unavailable(_)) => {
                return Err(BrokerProblem::unavailable(error.to_string()));
            }
            Err(error) => return Err(untrusted(format!("the token of the node's agent: {error}"))),
        };
        let account = &agent.subject.service_account;
        if agent.namespace != agents.namespace || *account != agents.service_account {
            return Err(untrusted(format!(
                "the ServiceAccount {}/{account} is not that of the agents of nodes, which is {}/{}",
                agent.namespace, agents.namespace, agents.service_account
            )));
        }
        agent.node.clone().ok_or_else(|| {
            untrusted(format!(
                "the token of the agent {}/{} does not say on which node it is; Kubernetes 1.30 and newer say so",
                agent.namespace, agent.subject.pod
            ))
        })
    }

    /// Whether `pod` is of the node whose agent asks for it, if one does.
    pub(super) fn check_node(&self, pod: &PodIdentity, from: &AskedFrom) -> Result<(), BrokerProblem> {
        const CODE: &str = "WrongNode";
        let Some(asking) = from.node.as_ref().filter(|node| pod.node.as_ref() != Some(*node)) else {
            return Ok(());
        };
        let name = format!("pod {}/{}", pod.namespace, pod.subject.pod);
        let why = match &pod.node {
            Some(node) => format!(
                "the token of {name} was made for node {node}, and the agent of node {asking} asks; an agent asks for pods of its own node alone"
            ),
            None => format!(
                "the token of {name} does not say on which node the pod is, and the agent of node {asking} asks; Kubernetes 1.30 and newer say so"
            ),
        };
        self.audit.refused((pod, from), CODE, None, &why);
        Err(BrokerProblem::new(StatusCode::FORBIDDEN, CODE, why))
    }
}
