//! The review server: `POST /validate`, `POST /mutate`.

#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Request as HttpRequest, State},
    response::{IntoResponse, Response},
    routing::post,
};
use deputy_runtime::contain::attempt;
use http::{StatusCode, header};
use serde_json::{json, value::RawValue};
use tracing::{Instrument, Span};

use crate::{
    body::{BodyError, BodyMemory, Read},
    facts::Facts,
    inject::PodJson,
    kind::DeputyKind,
    live::Live,
    metrics::AdmissionMetrics,
    mutate::Mutator,
    review::{self, ReviewError, ReviewRequest, Verdict, cut},
    validate,
};

/// The longest time for an answer when the API server names none.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// What the way back takes: an answer later than the API server waits is none.
const MARGIN: Duration = Duration::from_millis(200);

/// The longest name of an object, in characters.
const MAX_NAME_CHARS: usize = 253;

/// The part of the time for an answer in which grants are counted.
const COUNTING_SHARE: f64 = 0.6;

/// What answers reviews.
#[derive(Clone)]
pub(crate) struct Reviewer {
    pub(crate) facts: Facts,
    pub(crate) mutator: Mutator,
    pub(crate) live: Live,
    pub(crate) metrics: AdmissionMetrics,
    pub(crate) memory: BodyMemory,
}

/// The routes.
pub(crate) fn router(reviewer: Reviewer) -> Router {
    Router::new()
        .route("/validate", post(validate))
        .route("/mutate", post(mutate))
        .with_state(Arc::new(reviewer))
}

/// Why a request gets no review as an answer.
#[derive(Debug, thiserror::Error)]
enum UnreadableError {
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Review(#[from] ReviewError),
    #[error("the answer could not be written")]
    Answer(#[source] serde_json::Error),
}

impl UnreadableError {
    fn category(&self) -> &'static str {
        match self {
            Self::Body(error) => error.category(),
            Self::Review(error) => error.category(),
            Self::Answer(_) => "answer",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Body(BodyError::ContentType) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Body(BodyError::TooLarge | BodyError::TooMany) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyError::Slow) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(BodyError::Broken(_)) | Self::Review(_) => StatusCode::BAD_REQUEST,
            Self::Answer(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

async fn validate(State(reviewer): State<Arc<Reviewer>>, request: HttpRequest) -> Response {
    reviewer.handle("validate", request).await
}

async fn mutate(State(reviewer): State<Arc<Reviewer>>, request: HttpRequest) -> Response {
    reviewer.handle("mutate", request).await
}

impl Reviewer {
    async fn handle(self: Arc<Self>, endpoint: &'static str, request: HttpRequest) -> Response {
        let started = Instant::now();
        let answer = Arc::clone(&self).answer(endpoint, request).await;
        self.metrics.took(endpoint, started.elapsed());
        match answer {
            Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
            Err(error) => {
                self.metrics.unreadable(endpoint, error.category());
                tracing::warn!(endpoint, category = error.category(), %error, "request refused");
                let body = json!({"error": error.to_string()}).to_string();
                (error.status(), [(header::CONTENT_TYPE, "application/json")], body).into_response()
            }
        }
    }

    async fn answer(
        self: Arc<Self>,
        endpoint: &'static str,
        request: HttpRequest,
    ) -> Result<Vec<u8>, UnreadableError> {
        let (head, body) = request.into_parts();
        let time = timeout(head.uri.query());
        let body = self.memory.read(&head.headers, Body::new(body)).await?;
        if endpoint == "mutate" {
            let review = review::parse::<PodJson<'_>>(&body.bytes)?;
            let deciding = async { Ok(self.mutator.review(&review).await) };
            return self.concluded(endpoint, &review, time, deciding).await;
        }
        let review = review::parse::<&RawValue>(&body.bytes)?;
        // Counting what a limit would suspend ends in time to say how far it came.
        let deadline = Instant::now() + time.mul_f64(COUNTING_SHARE);
        self.concluded(endpoint, &review, time, self.decide(&body, deadline))
            .await
    }

    /// The answer to a review, once it is decided or its time is over.
    async fn concluded<O>(
        &self,
        endpoint: &'static str,
        review: &ReviewRequest<O>,
        time: Duration,
        deciding: impl Future<Output = Result<Verdict, ReviewError>>,
    ) -> Result<Vec<u8>, UnreadableError> {
        let span = review.span();
        let decided = tokio::time::timeout(time, deciding).instrument(span.clone());
        let verdict = match decided.await {
            Ok(verdict) => verdict?,
            Err(_) => Verdict::timed_out(format!("deputy found no answer within {} ms", time.as_millis())),
        };
        self.count(endpoint, review, &verdict);
        if verdict.is_denied() {
            span.in_scope(|| log_refusal(review, &verdict));
        }
        verdict.into_json(&review.uid).map_err(UnreadableError::Answer)
    }

    /// Decides by the index, and what the index may be behind with a second time by what is there now. A refusal for a
    /// limit that could not be looked up is none; trying again is.
    async fn decide(&self, body: &Read, deadline: Instant) -> Result<Verdict, ReviewError> {
        let facts = self.facts.clone().until(deadline);
        let verdict = decide_by(facts.clone(), body).await?;
        let Some(what) = verdict.look_again() else {
            return Ok(verdict);
        };
        match self.live.look(what).await {
            Ok(seen) => decide_by(facts.as_seen(seen), body).await,
            Err(error) if verdict.is_denied() => {
                tracing::warn!(%error, "failed to look up what a refusal rests on");
                Ok(Verdict::failed(format!(
                    "deputy can't say whether a limit refuses this: {error}; try again"
                )))
            }
            Err(_) => Ok(verdict),
        }
    }

    fn count<O>(&self, endpoint: &'static str, request: &ReviewRequest<O>, verdict: &Verdict) {
        let kind = DeputyKind::from_request(request).map_or_else(
            || {
                if request.kind.kind == "Pod" {
                    "Pod"
                } else {
                    "other"
                }
            },
            DeputyKind::name,
        );
        self.metrics
            .reviewed(endpoint, kind, request.operation(), verdict.outcome());
    }
}

/// That something was refused, for who runs Deputy: the API server tells who asked, by the uid of the span, in its own audit log. What is in
/// the object stays out: reasons are names.
fn log_refusal<O>(review: &ReviewRequest<O>, verdict: &Verdict) {
    tracing::info!(
        namespace = cut(review.namespace.as_deref().unwrap_or_default(), MAX_NAME_CHARS),
        name = cut(&review.name, MAX_NAME_CHARS),
        dry_run = review.dry_run(),
        outcome = verdict.outcome(),
        reasons = verdict.audited("reasons").unwrap_or_default(),
        "admission refused"
    );
}

/// Decides on a thread of its own: a limit over ten thousand grants takes longer than others should wait.
async fn decide_by(facts: Facts, body: &Read) -> Result<Verdict, ReviewError> {
    let (bytes, span) = (body.bytes.clone(), Span::current());
    let task = tokio::task::spawn_blocking(move || {
        // Another thread knows nothing of the review's span.
        let _within = span.enter();
        attempt(|| review::parse(&bytes).and_then(|request| validate::review(&facts, &request)))
    });
    task.await
        .ok()
        .and_then(Result::ok)
        .unwrap_or_else(|| Ok(Verdict::failed("deputy failed to decide")))
}

/// How long the answer may take: the API server says how long it waits as `?timeout=10s`.
fn timeout(query: Option<&str>) -> Duration {
    let said = query
        .unwrap_or_default()
        .split('&')
        .find_map(|pair| pair.strip_prefix("timeout="))
        .and_then(|text| text.strip_suffix('s'))
        .and_then(|seconds| seconds.parse::<f64>().ok())
        .filter(|seconds| (0.0..=30.0).contains(seconds))
        .map(Duration::from_secs_f64);
    let time = said.unwrap_or(DEFAULT_TIMEOUT);
    time.checked_sub(MARGIN).unwrap_or(time)
}
