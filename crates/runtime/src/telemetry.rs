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
/// those of `docs/contracts.md`; `time` is added. Never pass a secret key or a token.
#[macro_export]
macro_rules! audit {
    ($($fields:tt)+) => {
        $crate::__tracing::info!(
            target: "audit",
            time = %$crate::__jiff::Timestamp::now(),
            $($fields)+
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn lines(filter: &str, log: impl FnOnce()) -> Vec<serde_json::Value> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        tracing::subscriber::with_default(subscriber(filter, move || writer.clone()).unwrap(), log);
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn an_audit_line_has_its_fields_at_the_top() {
        let lines = lines("", || {
            let pod = "uploader-1";
            audit!(event = "SessionIssued", namespace = "payments", pod = %pod);
        });
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!(line["target"], "audit");
        assert_eq!(line["event"], "SessionIssued");
        assert_eq!(line["namespace"], "payments");
        assert_eq!(line["pod"], "uploader-1");
        assert!(line["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    }

    #[test]
    fn a_line_names_its_spans_whatever_the_filter_says() {
        for filter in ["", "warn", "error,deputy_runtime=warn"] {
            let lines = lines(filter, || {
                tracing::info_span!("reconcile", kind = "AWSRole", object = "payments/uploader").in_scope(
                    || {
                        tracing::info_span!("aws", operation = "iam:GetRole")
                            .in_scope(|| tracing::warn!("no answer"));
                    },
                );
                tracing::warn!("outside");
            });
            let spans = serde_json::json!([
                {"name": "reconcile", "kind": "AWSRole", "object": "payments/uploader"},
                {"name": "aws", "operation": "iam:GetRole"},
            ]);
            assert_eq!(lines.len(), 2, "{filter}");
            assert_eq!(lines[0]["spans"], spans, "{filter}");
            assert_eq!(lines[0]["message"], "no answer");
            assert_eq!(lines[1]["message"], "outside");
            assert_eq!(lines[1].get("spans"), None);
        }
    }

    #[test]
    fn a_filter_says_which_lines_there_are() {
        let log = || {
            tracing::info!("info");
            tracing::debug!("debug");
        };
        for (filter, expected) in [
            ("off", 0),
            ("warn", 0),
            ("", 1),
            ("debug", 2),
            ("deputy_runtime=debug", 2),
        ] {
            assert_eq!(lines(filter, log).len(), expected, "{filter}");
        }
    }

    #[test]
    fn a_line_has_the_fields_of_its_spans_and_an_audit_line_only_its_own() {
        let lines = lines("", || {
            let outer = tracing::info_span!("credentials", pod_uid = tracing::field::Empty);
            let _outer = outer.enter();
            outer.record("pod_uid", "0af1");
            let _inner = tracing::info_span!("aws", operation = "sts:AssumeRole").entered();
            tracing::info!(attempt = 1, "calling");
            audit!(event = "SessionIssued", pod_uid = "0af1");
        });
        assert_eq!(
            lines[0]["spans"],
            serde_json::json!([
                {"name": "credentials", "pod_uid": "0af1"},
                {"name": "aws", "operation": "sts:AssumeRole"},
            ])
        );
        assert_eq!(
            (&lines[0]["message"], &lines[0]["attempt"]),
            (&"calling".into(), &1.into())
        );
        assert_eq!(lines.len(), 2);
        let fields: Vec<_> = lines[1].as_object().unwrap().keys().cloned().collect();
        let of_audit = ["timestamp", "level", "target", "time", "event", "pod_uid"];
        assert!(
            fields.iter().all(|field| of_audit.contains(&field.as_str())),
            "{fields:?}"
        );
    }

    #[test]
    fn no_filter_silences_the_audit() {
        for filter in ["off", "error", "audit=off", "audit=error,debug"] {
            assert_eq!(lines(filter, || audit!(event = "Refused")).len(), 1, "{filter}");
        }
    }

    #[test]
    fn no_filter_makes_the_kubernetes_client_log_response_bodies() {
        for filter in ["trace", "kube_client=trace", "kube_client::client=trace"] {
            let lines = lines(
                filter,
                || tracing::warn!(target: "kube_client::client", "a response body"),
            );
            assert!(lines.is_empty(), "{filter}");
        }
    }

    #[test]
    fn a_filter_that_does_not_parse_is_an_error() {
        assert!(matches!(
            subscriber("a=b=c", std::io::sink),
            Err(TelemetryError::Filter(_))
        ));
    }
}
