//! The agent–broker protocol, version 1 (docs/contracts.md). Agents live for months in pods: nothing here changes for them.

mod bundle;

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use deputy_delegation::model::BindingSelector;
use deputy_runtime::{serve::AcceptedConnection, tls::Bundle};
use secrecy::ExposeSecret;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::{sync::watch, time::Instant};
use zeroize::Zeroizing;

use self::bundle::PublicBundle;
use crate::{
    issuer::Issued,
    problem::BrokerProblem,
    service::{Broker, BrokerAnswer, Reply},
};

/// On every answer: an agent of another version knows whom it talks to.
const PROTOCOL: HeaderName = HeaderName::from_static("deputy-protocol");

/// With each session: after so many seconds there is a newer one, and the agent asks for it by itself.
const REFRESH_AFTER: HeaderName = HeaderName::from_static("deputy-refresh-after");

/// What the broker knows of the pod that asks: the hook of a pod that goes must not go on waiting.
const POD: HeaderName = HeaderName::from_static("deputy-pod");

/// What agents ask for; a binding's name may follow after a slash.
const CREDENTIALS: &str = "/v1/credentials";

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
            Some(token) => {
                let Reply {
                    answer,
                    accepted,
                    pod_is_terminating,
                } = self.broker.credentials(token, binding, peer(request)).await;
                let (mut response, code) = respond(headers, &answer);
                if pod_is_terminating {
                    let terminating = HeaderValue::from_static("terminating");
                    response.headers_mut().insert(POD, terminating);
                }
                if accepted {
                    // Who proved who asks may keep the connection.
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

/// The same session, the same tag. Made of what is no secret.
fn etag(issued: &Issued) -> String {
    let digest = Sha256::digest(format!(
        "{}|{}",
        issued.session.credentials.access_key_id, issued.session.expiration
    ));
    let short = digest.get(..16).unwrap_or_default();
    format!(
        "\"{}\"",
        data_encoding::BASE32_NOPAD.encode(short).to_ascii_lowercase()
    )
}

/// The one place where a secret is written.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CredentialsOut<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    expiration: String,
    account_id: &'a str,
}

fn credentials(issued: &Issued, account: &str, etag: &str) -> Response {
    let session = &issued.session;
    let out = CredentialsOut {
        access_key_id: &session.credentials.access_key_id,
        secret_access_key: session.credentials.secret_access_key.expose_secret(),
        token: session.credentials.session_token.expose_secret(),
        // Whole seconds and Z: what every SDK reads.
        expiration: session.expiration.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        account_id: account,
    };
    match serde_json::to_vec(&out).map(Zeroizing::new) {
        // Best effort: the copy that the HTTP library makes is not wiped.
        Ok(body) => with_headers(StatusCode::OK, Some(etag), Body::from(body.to_vec())),
        Err(_) => problem(&BrokerProblem::unavailable(
            "the credentials could not be written",
        )),
    }
}

fn not_modified(etag: &str) -> Response {
    let mut response = with_headers(StatusCode::NOT_MODIFIED, Some(etag), Body::empty());
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProblemOut<'a> {
    code: &'a str,
    message: &'a str,
}

fn problem(p: &BrokerProblem) -> Response {
    let body = serde_json::to_vec(&ProblemOut {
        code: p.code,
        message: &p.message,
    })
    .unwrap_or_default();
    let mut response = with_headers(p.status, None, Body::from(body));
    if let Some(seconds) = p.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn with_headers(status: StatusCode, etag: Option<&str>, body: Body) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(PROTOCOL, HeaderValue::from_static("1"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(Ok(etag)) = etag.map(HeaderValue::from_str) {
        headers.insert(header::ETAG, etag);
    }
    response
}

#[cfg(test)]
mod tests;
