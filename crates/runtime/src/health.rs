//! Liveness, readiness and metrics on a plain HTTP port of their own, so that a probe works before (and does not
//! depend on) TLS.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;

use crate::metrics::Metrics;
use crate::serve::{self, Limits, ServeError};
use crate::shutdown::Shutdown;

/// What the process waits for before it can do its job, by name.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    conditions: Arc<Mutex<BTreeMap<String, Condition>>>,
    shutdown: Option<Shutdown>,
}

#[derive(Debug, Clone)]
enum Condition {
    Ready,
    NotReady(String),
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

    /// Whether every condition is met and the process is not shutting down.
    pub fn is_ready(&self) -> bool {
        self.unmet().is_empty()
    }

    /// The conditions that are not met, each with its reason.
    pub fn unmet(&self) -> BTreeMap<String, String> {
        let mut unmet: BTreeMap<String, String> = self
            .conditions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter_map(|(name, condition)| match condition {
                Condition::Ready => None,
                Condition::NotReady(reason) => Some((name.clone(), reason.clone())),
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

/// The routes `/healthz`, `/readyz` and `/metrics`.
pub fn router(readiness: Readiness, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(|| async { Json(json!({"ok": true})) }))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(render_metrics).with_state(metrics))
}

/// Serves [`router`] on `addr` until `shutdown` stops (it answers through the draining, so that probes see it).
pub async fn serve_admin(
    addr: SocketAddr,
    readiness: Readiness,
    metrics: Metrics,
    shutdown: Shutdown,
) -> Result<(), ServeError> {
    serve_admin_on(serve::bind(addr).await?, readiness, metrics, shutdown).await
}

/// Like [`serve_admin`], on a listener that is bound already.
pub async fn serve_admin_on(
    listener: TcpListener,
    readiness: Readiness,
    metrics: Metrics,
    shutdown: Shutdown,
) -> Result<(), ServeError> {
    serve::serve_plain(listener, router(readiness, metrics), Limits::admin(), shutdown).await
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
