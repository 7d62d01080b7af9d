//! JSON lines on standard output. `DEPUTY_LOG` filters them (the syntax of `RUST_LOG`, default `info`); audit
//! lines are never filtered. `spans` of a line, outermost first, say in which piece of work it was written, so that all lines of that
//! piece can be joined.

mod sink;

use std::{io, sync::OnceLock, time::Duration};

use jiff::SignedDuration;
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{Directive, FilterExt as _, LevelFilter, ParseError, filter_fn},
    fmt::{
        self, MakeWriter,
        format::{Format, Json, JsonFields},
    },
    layer::SubscriberExt as _,
};

pub use self::sink::{AuditFigures, AuditPlace, AuditSink, AuditStalled, LogSink, SinkLine};

/// The variable that holds the filter.
pub const FILTER_VARIABLE: &str = "DEPUTY_LOG";
/// The variable that says how long an audit line may take to its place before nothing new is given: a duration, such as `60s`, which is the
/// default. `0s`: nothing is required.
pub const REQUIRED_VARIABLE: &str = "DEPUTY_AUDIT_REQUIRED_WITHIN";
const REQUIRED_WITHIN: Duration = Duration::from_secs(60);
/// The version of the format of audit lines. Lines of the first one did not say so.
pub const AUDIT_VERSION: u64 = 2;
/// The target of audit lines.
pub const AUDIT_TARGET: &str = "audit";

/// What must hold whatever the filter says: kube's client, which logs the body of a response that it cannot read (it may
/// be a Secret), is silent below errors.
const FIXED_DIRECTIVES: [&str; 1] = ["kube_client::client=error"];

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not in the syntax of `RUST_LOG`.
    #[error("the value of {FILTER_VARIABLE} is not a log filter")]
    Filter(#[source] ParseError),
    /// How long audit lines may take is no duration.
    #[error("the value of {REQUIRED_VARIABLE} is not a duration such as 60s")]
    Required(#[source] jiff::Error),
    /// There can be no thread that writes audit lines.
    #[error("the audit log can't be written")]
    Audit(#[source] io::Error),
    /// The process has a subscriber already.
    #[error("logging is set up already")]
    AlreadySet,
}

impl TelemetryError {
    /// A bounded name for metrics and events.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Filter(_) => "filter",
            Self::Required(_) => "audit-required",
            Self::Audit(_) => "audit",
            Self::AlreadySet => "already-set",
        }
    }
}

/// Where the audit lines of this process go, once that was [set up](init).
static AUDIT_SINK: OnceLock<AuditSink> = OnceLock::new();

/// Sends the process's logs to standard output. Called once, first in `main`. Nobody who logs waits: before the process ends,
/// [`flush`] does.
pub fn init() -> Result<(), TelemetryError> {
    let filter = std::env::var(FILTER_VARIABLE).unwrap_or_default();
    let required_within = required_within(std::env::var(REQUIRED_VARIABLE).ok().as_deref())?;
    let sink = AuditSink::start(io::stdout(), required_within).map_err(TelemetryError::Audit)?;
    tracing::subscriber::set_global_default(layered(&filter, sink.clone(), sink.log_lines())?)
        .map_err(|_| TelemetryError::AlreadySet)?;
    AUDIT_SINK.set(sink).map_err(|_| TelemetryError::AlreadySet)
}

/// Where the audit lines of this process go; none in a process that [set up](init) no logs.
pub fn audit_sink() -> Option<&'static AuditSink> {
    AUDIT_SINK.get()
}

/// Waits until all lines are written, two seconds at most. The last of a process.
pub fn flush() {
    if let Some(sink) = audit_sink() {
        sink.flush(Duration::from_secs(2));
    }
}

/// Lines other than audit lines that were lost because too many could not be written, since the process began.
#[must_use]
pub fn dropped_log_lines() -> u64 {
    audit_sink().map_or(0, |sink| sink.figures().dropped_logs)
}

fn required_within(said: Option<&str>) -> Result<Duration, TelemetryError> {
    match said.map(str::trim) {
        None | Some("") => Ok(REQUIRED_WITHIN),
        Some(said) => said
            .parse::<SignedDuration>()
            .and_then(Duration::try_from)
            .map_err(TelemetryError::Required),
    }
}

/// What [`init`] logs by, with `filter` in the syntax of `RUST_LOG` (empty: `info`) and to `writer`.
///
/// A line has its fields at the top, and in `spans`, outermost first, the name and the fields of the spans that it was
/// written in: what all lines of one piece of work have in common. Audit lines have their own fields and nothing else.
///
/// # Errors
/// [`TelemetryError::Filter`].
pub fn subscriber<W>(filter: &str, writer: W) -> Result<impl tracing::Subscriber + use<W>, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Clone + Send + Sync + 'static,
{
    layered(filter, writer.clone(), writer)
}

/// The same, with audit lines to a place of their own.
fn layered<A, W>(
    filter: &str,
    audit: A,
    writer: W,
) -> Result<impl tracing::Subscriber + use<A, W>, TelemetryError>
where
    A: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = if filter.trim().is_empty() { "info" } else { filter };
    let mut filter = EnvFilter::try_new(filter).map_err(TelemetryError::Filter)?;
    for directive in FIXED_DIRECTIVES {
        filter = filter.add_directive(directive.parse::<Directive>().map_err(TelemetryError::Filter)?);
    }
    let audit = json().with_span_list(false).with_writer(audit).with_filter(
        filter_fn(|metadata| metadata.target() == AUDIT_TARGET).with_max_level_hint(LevelFilter::INFO),
    );
    // Spans are no lines: a filter that asks for fewer lines must not take the context of those that are left.
    let spans = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("deputy"))
        .with_max_level_hint(LevelFilter::INFO);
    let no_audit = filter_fn(|metadata| metadata.target() != AUDIT_TARGET);
    let log = json().with_span_list(true).with_writer(writer).with_filter(
        filter
            .or(spans)
            .and(no_audit.with_max_level_hint(LevelFilter::TRACE)),
    );
    Ok(tracing_subscriber::registry().with(audit).with(log))
}

/// Lines with the fields of the event at the top.
fn json<S>() -> fmt::Layer<S, JsonFields, Format<Json>> {
    fmt::Layer::default()
        .json()
        .flatten_event(true)
        .with_current_span(false)
}

/// Writes one audit line: `audit!(event = "SessionIssued", namespace = "payments", pod = %name)`. The fields are
/// those of `docs/contracts.md`; `version` and `time` are added. Never pass a secret key or a token.
#[macro_export]
macro_rules! audit {
    ($($fields:tt)+) => {
        $crate::__tracing::info!(
            target: "audit",
            version = $crate::telemetry::AUDIT_VERSION,
            time = %$crate::__jiff::Timestamp::now(),
            $($fields)+
        )
    };
}

#[cfg(test)]
mod tests;
