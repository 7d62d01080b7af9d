//! JSON lines on standard output. `DEPUTY_LOG` filters them (the syntax of `RUST_LOG`, default `info`); audit
//! lines are never filtered. `spans` of a line, outermost first, say in which piece of work it was written, so that all lines of that
//! piece can be joined.

use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{Directive, FilterExt as _, LevelFilter, ParseError, filter_fn},
    fmt::{
        self, MakeWriter,
        format::{Format, Json, JsonFields},
    },
    layer::SubscriberExt as _,
};

/// The variable that holds the filter.
pub const FILTER_VARIABLE: &str = "DEPUTY_LOG";
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
    /// The process has a subscriber already.
    #[error("logging is set up already")]
    AlreadySet,
}

impl TelemetryError {
    /// A bounded name for metrics and events.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Filter(_) => "filter",
            Self::AlreadySet => "already-set",
        }
    }
}

/// Sends the process's logs to standard output. Called once, first in `main`.
pub fn init() -> Result<(), TelemetryError> {
    let filter = std::env::var(FILTER_VARIABLE).unwrap_or_default();
    tracing::subscriber::set_global_default(subscriber(&filter, std::io::stdout)?)
        .map_err(|_| TelemetryError::AlreadySet)
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
    let filter = if filter.trim().is_empty() { "info" } else { filter };
    let mut filter = EnvFilter::try_new(filter).map_err(TelemetryError::Filter)?;
    for directive in FIXED_DIRECTIVES {
        filter = filter.add_directive(directive.parse::<Directive>().map_err(TelemetryError::Filter)?);
    }
    let audit = json()
        .with_span_list(false)
        .with_writer(writer.clone())
        .with_filter(
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
