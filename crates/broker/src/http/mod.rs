//! The agent–broker protocol, version 1 (docs/contracts.md). Agents live for months in pods: nothing here changes for them.

mod answer;
mod bundle;

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::Response,
};
use deputy_delegation::model::BindingSelector;
use deputy_runtime::{serve::AcceptedConnection, tls::Bundle};
use deputy_token::MAX_KEY_ID_BYTES;
use tokio::{sync::watch, time::Instant};

use self::{
    answer::{credentials, etag, keys, not_modified, problem},
    bundle::PublicBundle,
};
use crate::{
    asker::ShownTokens,
    problem::BrokerProblem,
    service::{Broker, BrokerAnswer, Reply},
};

/// With each session: after so many seconds there is a newer one, and the agent asks for it by itself.
const REFRESH_AFTER: HeaderName = HeaderName::from_static("deputy-refresh-after");

/// What the broker knows of the pod that asks: the hook of a pod that goes must not go on waiting.
const POD: HeaderName = HeaderName::from_static("deputy-pod");

/// What agents ask for; a binding's name may follow after a slash.
const CREDENTIALS: &str = "/v1/credentials";

/// The keys of the API server, for agents that verify tokens themselves.
const KEYS: &str = "/v1/keys";

/// In a question for keys: the id of one that whoever asks does not know.
const KEY_ID: HeaderName = HeaderName::from_static("deputy-key-id");

/// With which the agent of a node proves that it is one.
const NODE_TOKEN: HeaderName = HeaderName::from_static("deputy-node-token");

/// What agents fetch when they hear of a bundle that they do not have.
const BUNDLE: &str = "/v1/bundle";

/// What the protocol is answered with.
struct AgentServer {
    broker: Arc<Broker>,
    bundle: PublicBundle,
}

/// The protocol. One handler for all: whatever is asked, the answer is one of the protocol's. `bundle` is what agents are to trust.
pub fn router(broker: Arc<Broker>, bundle: watch::Receiver<Bundle>) -> Router {
    let bundle = PublicBundle::new(bundle);
    Router::new()
        .fallback(handle)
        .with_state(Arc::new(AgentServer { broker, bundle }))
}

async fn handle(State(server): State<Arc<AgentServer>>, request: Request) -> Response {
    // No request of the protocol has a body.
    let (request, _) = request.into_parts();
    let mut response = server.answer(&request).await;
    server.bundle.name_in(&mut response);
    response
}

impl AgentServer {
    async fn answer(&self, request: &Parts) -> Response {
        // HEAD too: a session that nobody is given is not made.
        let path = (request.method == Method::GET).then(|| request.uri.path());
        if path == Some(BUNDLE) {
            return self.bundle.response();
        }
        if path == Some(KEYS) {
            let unknown = unknown_key(&request.headers);
            return keys(self.broker.verifier().handed_on(unknown).await);
        }
        let asked = path.and_then(|path| path.strip_prefix(CREDENTIALS));
        let binding = match asked.map(|rest| rest.strip_prefix('/').ok_or(rest)) {
            Some(Err("")) => None,
            // A name that needs escapes is none.
            Some(Ok(name)) => match name.parse() {
                Ok(name) => Some(name),
                Err(_) => return problem(&BrokerProblem::not_found()),
            },
            Some(Err(_)) | None => return problem(&BrokerProblem::not_found()),
        };
        self.credentials(request, binding.as_ref()).await
    }

    async fn credentials(&self, request: &Parts, binding: Option<&BindingSelector>) -> Response {
        let (began, headers) = (Instant::now(), &request.headers);
        let (response, code) = match bearer(headers) {
            None => (problem(&BrokerProblem::no_token()), "InvalidToken"),
            Some(pod) => {
                let shown = ShownTokens {
                    pod,
                    node: node_token(headers),
                };
                let Reply {
                    answer,
                    accepted,
                    pod_is_terminating,
                } = self.broker.credentials(shown, binding, peer(request)).await;
                let (mut response, code) = respond(headers, &answer);
                if pod_is_terminating {
                    let terminating = HeaderValue::from_static("terminating");
                    response.headers_mut().insert(POD, terminating);
                }
                if accepted {
                    // Who proved who asks may keep the connection, as may the agent of a node for its next pod.
                    response.extensions_mut().insert(AcceptedConnection);
                } else if response.status() == StatusCode::UNAUTHORIZED {
                    // The next such token costs whoever sends it a handshake, as it does the broker.
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                (response, code)
            }
        };
        self.broker
            .metrics()
            .answered(response.status().as_u16(), code, began.elapsed());
        response
    }
}

/// Who is at the other end of the connection. The server says so of each.
fn peer(request: &Parts) -> IpAddr {
    let info = request.extensions.get::<ConnectInfo<SocketAddr>>();
    info.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| {
        peer.0.ip().to_canonical()
    })
}

fn respond(headers: &HeaderMap, answer: &BrokerAnswer) -> (Response, &'static str) {
    match answer {
        BrokerAnswer::Credentials {
            issued,
            account,
            refresh_after,
        } => {
            let etag = etag(issued);
            let is_held = headers.get(header::IF_NONE_MATCH);
            let (mut response, code) = if is_held.is_some_and(|h| h.as_bytes() == etag.as_bytes()) {
                (not_modified(&etag), "NotModified")
            } else {
                (credentials(issued, account.as_str(), &etag), "OK")
            };
            let after = HeaderValue::from(*refresh_after);
            response.headers_mut().insert(REFRESH_AFTER, after);
            (response, code)
        }
        BrokerAnswer::Problem(p) => (problem(p), p.code),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (Some(one), None) => one
            .to_str()
            .ok()?
            .strip_prefix("Bearer ")
            // The API server would take the first word of several.
            .filter(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_graphic())),
        _ => None,
    }
}

/// The token of a node's agent. What can't be one is nobody's, and no reason to take the request for one of a pod's own agent.
fn node_token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(NODE_TOKEN).iter();
    match (values.next(), values.next()) {
        (None, _) => None,
        (Some(one), None) => Some(one.to_str().unwrap_or_default()),
        _ => Some(""),
    }
}

/// The key that whoever asks for keys does not know. What can't be the name of one names none.
fn unknown_key(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(KEY_ID).iter();
    match (values.next(), values.next()) {
        (Some(one), None) => one
            .to_str()
            .ok()
            .filter(|id| (1..=MAX_KEY_ID_BYTES).contains(&id.len())),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
