//! The endpoint for the application: the container credentials protocol on loopback.
//!
//! Everything in the pod can reach it, and a page in a browser or a proxy may be made to: hence the checks of
//! `Host` (DNS rebinding), of the headers that proxies add (a request forwarded from elsewhere), of the method,
//! and of the token, which only who can read the pod's files has.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
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
    binding::SelectedBinding,
    broker::CredentialSource,
    keeper::CredentialKeeper,
    problem::AgentProblem,
    readiness::{MAX_HOLD, StartupReadiness},
    token::{MAX_TOKEN, TokenFile},
};

/// Most header bytes of a request, names and values: a token of the largest size and 8 KiB beside it.
const MAX_HEADER_BYTES: usize = MAX_TOKEN + 8 * 1024;
/// Longest request target, in bytes: a path with the longest name fits.
const MAX_TARGET: usize = 300;

/// What requests are answered from.
pub struct CredentialEndpoint<S> {
    keeper: Arc<CredentialKeeper<S>>,
    readiness: Arc<StartupReadiness>,
    token: Arc<TokenFile>,
    hosts: Vec<String>,
}

impl<S: CredentialSource> CredentialEndpoint<S> {
    /// An endpoint that is reached at `listen` and under no other name than `localhost`.
    pub fn new(
        keeper: Arc<CredentialKeeper<S>>,
        readiness: Arc<StartupReadiness>,
        token: Arc<TokenFile>,
        listen: SocketAddr,
    ) -> Self {
        Self {
            keeper,
            readiness,
            token,
            hosts: hosts(listen),
        }
    }

    /// Answers one request.
    pub async fn answer<B: Body>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        match self.check(request) {
            Ok(Asked::Startup(hold)) => match self.readiness.wait(hold).await {
                Ok(()) => json(
                    StatusCode::OK,
                    Bytes::from_static(b"{\"Code\":\"Ready\",\"Message\":\"ready\"}"),
                ),
                Err(problem) => problem_response(&problem),
            },
            Ok(Asked::Credential(binding)) => {
                self.readiness.application_runs();
                match self.keeper.get(&binding).await {
                    Ok(body) => json(StatusCode::OK, body),
                    Err(problem) => problem_response(&problem),
                }
            }
            Err(problem) => {
                let mut response = problem_response(&problem);
                // The rest of such a connection is not worth reading.
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
                if problem.status == StatusCode::METHOD_NOT_ALLOWED {
                    response
                        .headers_mut()
                        .insert(ALLOW, HeaderValue::from_static("GET"));
                }
                response
            }
        }
    }

    /// The order matters: a request that came from elsewhere learns nothing about what exists here.
    fn check<B: Body>(&self, request: &Request<B>) -> Result<Asked, AgentProblem> {
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
        let not_found = || AgentProblem::new(StatusCode::NOT_FOUND, "NotFound", "no such path");
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
        self.authorize(headers)?;
        Ok(Asked::Credential(binding))
    }

    fn host_is_ours(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(HOST).iter();
        match (values.next(), values.next()) {
            (Some(host), None) => self.hosts.iter().any(|ours| ours.as_bytes() == host.as_bytes()),
            _ => false,
        }
    }

    /// The token verbatim: SDKs add no scheme.
    fn authorize(&self, headers: &HeaderMap) -> Result<(), AgentProblem> {
        let unauthorized = |message: &str| {
            Err(AgentProblem::new(
                StatusCode::UNAUTHORIZED,
                "Unauthorized",
                message,
            ))
        };
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(presented), None) = (values.next(), values.next()) else {
            return unauthorized(
                "the Authorization header must be given once, with the content of the file that \
                 AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names; an SDK that sends none is too old to know that variable",
            );
        };
        match self.token.accepts(presented.as_bytes()) {
            Ok(true) => Ok(()),
            Ok(false) => unauthorized(
                "the Authorization header is not the content of the file that \
                 AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names, as it is there, without \"Bearer\" before it",
            ),
            Err(error) => Err(AgentProblem::unavailable(error.category(), error.to_string())),
        }
    }
}

enum Asked {
    /// And how long the answer may be held back.
    Startup(Duration),
    Credential(SelectedBinding),
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

/// What a Host header may be: the endpoint's own address or `localhost`, with its port or without one. RFC 9112 wants
/// the port, but the AWS common runtime (Mountpoint for S3, the CRT clients of Java, C++ and Python) leaves it out. A page
/// whose name was made to point here sends that name, and never these.
fn hosts(listen: SocketAddr) -> Vec<String> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let port = listen.port();
    [ip, "localhost".to_owned()]
        .into_iter()
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

fn problem_response(problem: &AgentProblem) -> Response<Full<Bytes>> {
    let mut response = json(problem.status, problem.body());
    if let Some(seconds) = problem.retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
