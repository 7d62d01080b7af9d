//! Liveness and readiness, for the kubelet and for people, and metrics: on plain HTTP ports of their own, so that a
//! probe works before (and does not depend on) TLS.

mod liveness;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    metrics::Metrics,
    serve::{self, Endpoint, ServeError},
};

use crate::shutdown::Shutdown;
pub use liveness::Liveness;

/// What the process waits for before it can do its job, by name.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    conditions: Arc<Mutex<BTreeMap<String, Condition>>>,
    shutdown: Option<Shutdown>,
}

#[derive(Clone)]
enum Condition {
    Ready,
    NotReady(String),
    /// Asked each time.
    Check(Arc<dyn Fn() -> Result<(), String> + Send + Sync>),
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ready => formatter.write_str("Ready"),
            Self::NotReady(reason) => write!(formatter, "NotReady({reason})"),
            Self::Check(_) => formatter.write_str("Check"),
        }
    }
}

/// One condition of a [`Readiness`]. Clones are the same condition.
#[derive(Debug, Clone)]
pub struct ReadyHandle {
    readiness: Readiness,
    name: String,
}

impl Readiness {
    /// A registry without conditions: ready until the first one is registered.
    pub fn new() -> Self {
        Self::default()
    }

    /// A registry that is never ready once `shutdown` drains.
    pub fn with_shutdown(shutdown: Shutdown) -> Self {
        Self {
            shutdown: Some(shutdown),
            ..Self::default()
        }
    }

    /// Adds a condition that is not met yet. Registering a name again returns the same condition, not met.
    pub fn register(&self, name: impl Into<String>) -> ReadyHandle {
        let handle = ReadyHandle {
            readiness: self.clone(),
            name: name.into(),
        };
        handle.not_ready("not started");
        handle
    }

    /// Adds a condition that is asked each time; its error is for people and must hold no secret. It must answer at once.
    pub fn check(
        &self,
        name: impl AsRef<str>,
        check: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) {
        self.set(name.as_ref(), Condition::Check(Arc::new(check)));
    }

    /// Whether every condition is met and the process is not shutting down.
    pub fn is_ready(&self) -> bool {
        self.unmet().is_empty()
    }

    /// The conditions that are not met, each with its reason.
    pub fn unmet(&self) -> BTreeMap<String, String> {
        let conditions = self
            .conditions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut unmet: BTreeMap<String, String> = conditions
            .into_iter()
            .filter_map(|(name, condition)| match condition {
                Condition::Ready => None,
                Condition::NotReady(reason) => Some((name, reason)),
                Condition::Check(check) => Some((name, check().err()?)),
            })
            .collect();
        if self.shutdown.as_ref().is_some_and(Shutdown::is_draining) {
            unmet.insert("shutdown".to_owned(), "the process is shutting down".to_owned());
        }
        unmet
    }

    fn set(&self, name: &str, condition: Condition) {
        self.conditions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), condition);
    }
}

impl ReadyHandle {
    /// The condition is met.
    pub fn ready(&self) {
        self.readiness.set(&self.name, Condition::Ready);
    }

    /// The condition is not met; `reason` is for people and must hold no secret.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.readiness.set(&self.name, Condition::NotReady(reason.into()));
    }
}

/// What is said about a process.
#[derive(Clone)]
pub struct Health {
    /// Whether it can do its job.
    pub readiness: Readiness,
    /// Whether it gets anything done.
    pub liveness: Liveness,
}

/// The routes `/healthz` and `/readyz`.
fn probes(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(healthz).with_state(health.liveness))
        .route("/readyz", get(readyz).with_state(health.readiness))
}

/// The routes `/healthz`, `/readyz` and `/metrics`.
pub fn router(health: Health, metrics: Metrics) -> Router {
    probes(health).route("/metrics", get(render_metrics).with_state(metrics))
}

/// Serves [`router`] on `listener`, for people and Prometheus, until `shutdown` stops (it answers through the draining,
/// so that probes see it).
pub async fn serve_admin(
    listener: TcpListener,
    health: Health,
    metrics: Metrics,
    shutdown: Shutdown,
) -> Result<(), ServeError> {
    let router = router(health, metrics.clone());
    serve::serve_plain(listener, Endpoint::Admin, router, metrics, shutdown).await
}

/// Serves `/healthz` and `/readyz` on `addr` for the kubelet until `shutdown` stops.
///
/// Whoever makes probes fail has the process killed, or taken out of its Service. So this shares nothing that is
/// bounded with what the network can reach: a port of its own (no NetworkPolicy need open it: traffic of the node is
/// let in anyway), a queue and a table of connections of its own, and a thread of its own, which answers also while
/// every other one is held.
///
/// # Errors
/// [`ServeError`]: the address can't be listened on.
pub fn serve_probes(
    addr: SocketAddr,
    health: Health,
    metrics: Metrics,
    shutdown: Shutdown,
) -> Result<(), ServeError> {
    let bind = move |source| ServeError::Bind { addr, source };
    let listener = serve::listen(addr)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(bind)?;
    std::thread::Builder::new()
        .name("probes".to_owned())
        .spawn(move || {
            let outcome = runtime.block_on(async {
                let listener = TcpListener::from_std(listener).map_err(bind)?;
                serve::serve_plain(listener, Endpoint::Probes, probes(health), metrics, shutdown).await
            });
            if let Err(error) = outcome {
                // Nobody probes it any more: it is killed and begins anew.
                tracing::error!(%error, "probes are not served");
            }
        })
        .map_err(bind)?;
    Ok(())
}

async fn healthz(State(liveness): State<Liveness>) -> Response {
    let stuck = liveness.stuck();
    if stuck.is_empty() {
        return Json(json!({"ok": true})).into_response();
    }
    let body = Json(json!({"ok": false, "stuck": stuck}));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

async fn readyz(State(readiness): State<Readiness>) -> Response {
    let unmet = readiness.unmet();
    let status = if unmet.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({"ready": unmet.is_empty(), "notReady": unmet})),
    )
        .into_response()
}

async fn render_metrics(State(metrics): State<Metrics>) -> Response {
    match metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, crate::metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "failed to render metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, http::Request};
    use http_body_util::BodyExt as _;
    use serde_json::Value;
    use tower::ServiceExt as _;

    async fn get(readiness: &Readiness, path: &str) -> (StatusCode, String) {
        let health = Health {
            readiness: readiness.clone(),
            liveness: Liveness::new(),
        };
        ask(router(health, Metrics::new("webhook")), path).await
    }

    async fn ask(router: Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_lists_what_is_not_ready() {
        let readiness = Readiness::new();
        let stores = readiness.register("stores");
        let bundle = readiness.register("webhook-ca-bundle");
        bundle.not_ready("the caBundle of validate.deputy.dev does not verify");
        stores.ready();
        let (status, body) = get(&readiness, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap(),
            json!({
                "ready": false,
                "notReady": {"webhook-ca-bundle": "the caBundle of validate.deputy.dev does not verify"},
            })
        );
        bundle.ready();
        let (status, body) = get(&readiness, "/readyz").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap(),
            json!({"ready": true, "notReady": {}})
        );
    }

    #[tokio::test]
    async fn a_check_is_asked_each_time() {
        let readiness = Readiness::new();
        let (said, says) = tokio::sync::watch::channel(Ok(()));
        readiness.check("index", move || says.borrow().clone());
        assert!(readiness.is_ready());
        said.send(Err("nothing heard for 31 s".to_owned())).unwrap();
        assert_eq!(readiness.unmet()["index"], "nothing heard for 31 s");
        said.send(Ok(())).unwrap();
        assert!(readiness.is_ready());
    }

    #[tokio::test]
    async fn what_was_registered_and_never_met_is_not_ready() {
        let readiness = Readiness::new();
        let _handle = readiness.register("stores");
        assert_eq!(
            get(&readiness, "/readyz").await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
    }

    #[tokio::test]
    async fn a_draining_process_is_alive_but_not_ready() {
        let shutdown = Shutdown::manual();
        let readiness = Readiness::with_shutdown(shutdown.clone());
        readiness.register("stores").ready();
        assert_eq!(get(&readiness, "/readyz").await.0, StatusCode::OK);
        shutdown.drain();
        let (status, body) = get(&readiness, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("shutting down"), "{body}");
        assert_eq!(get(&readiness, "/healthz").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn metrics_are_served_as_open_metrics() {
        let (status, body) = get(&Readiness::new(), "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(
            body.contains("deputy_build_info{") && body.ends_with("# EOF\n"),
            "{body}"
        );
    }

    #[tokio::test]
    async fn a_process_that_is_stuck_says_where() {
        let health = Health {
            readiness: Readiness::new(),
            liveness: Liveness::new(),
        };
        let liveness = &health.liveness;
        liveness.register("runtime", || Ok(()));
        assert_eq!(ask(probes(health.clone()), "/healthz").await.0, StatusCode::OK);
        liveness.register("reconcile", || Err("nothing ended for 300 s".to_owned()));
        let (status, body) = ask(probes(health.clone()), "/healthz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap(),
            json!({"ok": false, "stuck": {"reconcile": "nothing ended for 300 s"}})
        );
        assert_eq!(
            ask(probes(health), "/metrics").await.0,
            StatusCode::NOT_FOUND,
            "probes get no metrics"
        );
    }

    /// Everything else of the process may be held: its one thread is here.
    #[tokio::test]
    async fn probes_are_answered_while_the_runtime_of_the_process_does_nothing_else() {
        use std::io::{Read as _, Write as _};
        let shutdown = Shutdown::manual();
        let health = Health {
            readiness: Readiness::with_shutdown(shutdown.clone()),
            liveness: Liveness::new(),
        };
        // A port that was free a moment ago.
        let addr = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        serve_probes(addr, health, Metrics::new("webhook"), shutdown.clone()).unwrap();
        let idle: Vec<_> = (0..200)
            .map(|_| std::net::TcpStream::connect(addr).unwrap())
            .collect();
        for path in ["/healthz", "/readyz"] {
            let mut stream = std::net::TcpStream::connect(addr).unwrap();
            stream
                .set_read_timeout(Some(std::time::Duration::from_secs(10)))
                .unwrap();
            write!(
                stream,
                "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
            )
            .unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        }
        drop(idle);
        shutdown.stop();
    }
}
