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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt as _;
    use serde_json::Value;
    use tower::ServiceExt as _;

    async fn get(readiness: &Readiness, path: &str) -> (StatusCode, String) {
        let router = router(readiness.clone(), Metrics::new("webhook"));
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
}
