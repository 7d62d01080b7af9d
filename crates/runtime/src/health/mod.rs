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
mod tests;
