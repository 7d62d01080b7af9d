//! The endpoint for applications: the container credentials protocol, on loopback in a pod or on a node's link-local address.
//!
//! Everything in the pod, or on the node, can reach it, and a page in a browser or a proxy may be made to: hence the checks of
//! `Host` (DNS rebinding), of the headers that proxies add (a request forwarded from elsewhere) and of the method. Who may ask,
//! which only who can read the pod's files proves, is the [`CredentialDesk`]'s to say.

use std::{
    future::Future,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{
        ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, FORWARDED, HOST, HeaderName,
        HeaderValue, RETRY_AFTER, VIA,
    },
};
use http_body_util::Full;
use hyper::body::Body;

use crate::{
    binding::SelectedBinding, keeper::CredentialAnswer, problem::AgentProblem, readiness::MAX_HOLD,
    token::MAX_TOKEN,
};

/// Most header bytes of a request, names and values: a token of the largest size and 8 KiB beside it.
const MAX_HEADER_BYTES: usize = MAX_TOKEN + 8 * 1024;
/// Longest request target, in bytes: a path with the longest name fits.
const MAX_TARGET: usize = 300;

/// Who asks.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The value of the `Authorization` header: the token verbatim, for SDKs add no scheme.
    pub token: &'a [u8],
    /// From where.
    pub peer: IpAddr,
}

/// What requests are answered from: one pod's credentials, or those of the pods of a node.
pub trait CredentialDesk: Send + Sync + 'static {
    /// The credential of `binding` for who asks, or why there is none.
    fn credential(
        &self,
        asker: Presented<'_>,
        binding: &SelectedBinding,
    ) -> impl Future<Output = CredentialAnswer> + Send;

    /// Whether the application may start, asked with the time that the answer may be held back. `None` where that is not asked.
    fn startup(&self, hold: Duration) -> impl Future<Output = Option<Result<(), AgentProblem>>> + Send;
}

/// Answers requests from `D`.
pub struct CredentialEndpoint<D> {
    desk: D,
    hosts: Vec<String>,
}

impl<D: CredentialDesk> CredentialEndpoint<D> {
    /// An endpoint that is reached at `listen` and, on loopback, as `localhost`, and under no other name.
    pub fn new(desk: D, listen: &[SocketAddr]) -> Self {
        Self {
            desk,
            hosts: listen.iter().copied().flat_map(hosts).collect(),
        }
    }

    /// Answers one request from `peer`.
    pub async fn answer<B: Body>(&self, request: &Request<B>, peer: IpAddr) -> Response<Full<Bytes>> {
        let answer = match self.check(request) {
            Ok(Asked::Startup(hold)) => match self.desk.startup(hold).await {
                Some(Ok(())) => Ok(Bytes::from_static(b"{\"Code\":\"Ready\",\"Message\":\"ready\"}")),
                Some(Err(problem)) => Err(problem),
                None => return refusal(&not_found()),
            },
            Ok(Asked::Credential(binding, token)) => {
                let answer = self.desk.credential(Presented { token, peer }, &binding).await;
                match answer {
                    Err(problem) if problem.status == StatusCode::UNAUTHORIZED => return refusal(&problem),
                    answer => answer,
                }
            }
            Err(problem) => return refusal(&problem),
        };
        match answer {
            Ok(body) => json(StatusCode::OK, body),
            Err(problem) => problem_response(&problem),
        }
    }

    /// The order matters: a request that came from elsewhere learns nothing about what exists here.
    fn check<'a, B: Body>(&self, request: &'a Request<B>) -> Result<Asked<'a>, AgentProblem> {
        let bad = |message: &str| AgentProblem::new(StatusCode::BAD_REQUEST, "BadRequest", message);
        let headers = request.headers();
        let size = headers.iter().fold(0_usize, |sum, (name, value)| {
            sum.saturating_add(name.as_str().len())
                .saturating_add(value.len())
        });
        if size > MAX_HEADER_BYTES {
            return Err(bad(&format!(
                "the headers have {size} bytes; at most {MAX_HEADER_BYTES} are taken"
            )));
        }
        if !self.host_is_ours(headers) {
            return Err(bad("the Host header must name this endpoint's own address"));
        }
        let uri = request.uri();
        if uri.scheme().is_some() || uri.authority().is_some() {
            return Err(bad("the request target must be a path"));
        }
        if headers.keys().any(is_from_a_proxy) {
            return Err(bad("the request was forwarded; only direct requests are served"));
        }
        if request.method() != Method::GET {
            let message = "only GET is served";
            return Err(AgentProblem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                message,
            ));
        }
        if !request.body().is_end_stream() {
            return Err(bad("a request with a body is not served"));
        }
        let target_length = uri.path_and_query().map_or(0, |target| target.as_str().len());
        if target_length > MAX_TARGET {
            return Err(not_found());
        }
        if uri.path() == "/readyz" {
            return hold(uri.query()).map(Asked::Startup).ok_or_else(not_found);
        }
        if uri.query().is_some() {
            return Err(not_found());
        }
        let binding = SelectedBinding::from_path(uri.path()).ok_or_else(not_found)?;
        Ok(Asked::Credential(binding, presented(headers)?))
    }

    fn host_is_ours(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(HOST).iter();
        match (values.next(), values.next()) {
            (Some(host), None) => self.hosts.iter().any(|ours| ours.as_bytes() == host.as_bytes()),
            _ => false,
        }
    }
}

/// The one value of the `Authorization` header.
fn presented(headers: &HeaderMap) -> Result<&[u8], AgentProblem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (Some(token), None) => Ok(token.as_bytes()),
        _ => Err(unauthorized(
            "the Authorization header must be given once, with the content of the file that \
             AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names; an SDK that sends none is too old to know that variable",
        )),
    }
}

/// 401: who asks has not proved who he is.
pub(crate) fn unauthorized(message: impl Into<String>) -> AgentProblem {
    AgentProblem::new(StatusCode::UNAUTHORIZED, "Unauthorized", message)
}

fn not_found() -> AgentProblem {
    AgentProblem::new(StatusCode::NOT_FOUND, "NotFound", "no such path")
}

enum Asked<'a> {
    /// And how long the answer may be held back.
    Startup(Duration),
    /// And what is presented for it.
    Credential(SelectedBinding, &'a [u8]),
}

/// Reads `wait=SECONDS`; no query is no wait.
fn hold(query: Option<&str>) -> Option<Duration> {
    let Some(query) = query else {
        return Some(Duration::ZERO);
    };
    let seconds = query.strip_prefix("wait=")?.parse().ok()?;
    (1..=MAX_HOLD)
        .contains(&seconds)
        .then(|| Duration::from_secs(seconds))
}

/// What a Host header may be: the endpoint's own address or, on loopback, `localhost`, with its port or without one. RFC 9112 wants
/// the port, but the AWS common runtime (Mountpoint for S3, the CRT clients of Java, C++ and Python) leaves it out. A page
/// whose name was made to point here sends that name, and never these.
fn hosts(listen: SocketAddr) -> Vec<String> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let port = listen.port();
    let name = listen.ip().is_loopback().then(|| "localhost".to_owned());
    [Some(ip), name]
        .into_iter()
        .flatten()
        .flat_map(|host| [format!("{host}:{port}"), host])
        .collect()
}

fn is_from_a_proxy(name: &HeaderName) -> bool {
    *name == FORWARDED || *name == VIA || name == "x-real-ip" || name.as_str().starts_with("x-forwarded-")
}

fn json(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer to what is not served. The rest of such a connection is not worth reading.
fn refusal(problem: &AgentProblem) -> Response<Full<Bytes>> {
    let mut response = problem_response(problem);
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if problem.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET"));
    }
    response
}

fn problem_response(problem: &AgentProblem) -> Response<Full<Bytes>> {
    let mut response = json(problem.status, problem.body());
    if let Some(seconds) = problem.retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
