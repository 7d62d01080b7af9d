//! Counters of the broker. Every label has few values.

use std::{sync::atomic::AtomicU64, time::Duration};

use deputy_aws::{CallObserver, CallReport};
use deputy_runtime::{metrics::Metrics, telemetry::AuditFigures};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};

use crate::issuer::{GateFigures, KeptFigures};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    status: u16,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    operation: &'static str,
    outcome: &'static str,
}

/// `deputy_broker_*` and `deputy_aws_*`.
#[derive(Clone)]
pub struct BrokerMetrics {
    answers: Family<Answer, Counter>,
    answer_seconds: Histogram,
    people_answers: Family<Answer, Counter>,
    people_answer_seconds: Histogram,
    kept: Gauge,
    kept_bytes: Gauge,
    evicted: Counter,
    sts_open: Gauge,
    sts_waiting: Gauge,
    sts_under_way: Gauge,
    packed: Histogram,
    audit_oldest: Gauge<f64, AtomicU64>,
    audit_dropped: Counter,
    calls: Family<Call, Counter>,
}

impl BrokerMetrics {
    /// Registers them.
    #[must_use]
    pub fn register(metrics: &Metrics) -> Self {
        let this = Self {
            answers: Family::default(),
            answer_seconds: Histogram::new([0.001, 0.005, 0.02, 0.1, 0.3, 1.0]),
            people_answers: Family::default(),
            people_answer_seconds: Histogram::new([0.005, 0.02, 0.1, 0.3, 1.0, 3.0, 8.0]),
            kept: Gauge::default(),
            kept_bytes: Gauge::default(),
            evicted: Counter::default(),
            sts_open: Gauge::default(),
            sts_waiting: Gauge::default(),
            sts_under_way: Gauge::default(),
            packed: Histogram::new([10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 100.0]),
            audit_oldest: Gauge::default(),
            audit_dropped: Counter::default(),
            calls: Family::default(),
        };
        metrics.sub_registry("broker", |r| {
            r.register(
                "answers",
                "Answers to agents by status and code",
                this.answers.clone(),
            );
            r.register(
                "answer_seconds",
                "How long answers take",
                this.answer_seconds.clone(),
            );
            r.register(
                "people_answers",
                "Answers to people by status and code",
                this.people_answers.clone(),
            );
            r.register(
                "people_answer_seconds",
                "How long answers to people take",
                this.people_answer_seconds.clone(),
            );
            r.register(
                "sessions",
                "Sessions that are kept and still good",
                this.kept.clone(),
            );
            r.register(
                "session_bytes",
                "Bytes that kept sessions take, estimated",
                this.kept_bytes.clone(),
            );
            r.register(
                "sessions_evicted",
                "Sessions that gave way to others while they were good",
                this.evicted.clone(),
            );
        });
        this.register_calls(metrics);
        this
    }

    /// Those about calls to AWS, and about the audit log.
    fn register_calls(&self, metrics: &Metrics) {
        metrics.sub_registry("sts", |r| {
            r.register(
                "endpoints_left_alone",
                "Endpoints of STS that are left alone after failures, one for each account",
                self.sts_open.clone(),
            );
            r.register(
                "packed_policy_percent",
                "How full session policy and tags make what AWS has for them",
                self.packed.clone(),
            );
            r.register(
                "calls_waiting",
                "Calls to STS that wait for their turn",
                self.sts_waiting.clone(),
            );
            r.register(
                "calls_under_way",
                "Calls to STS that have begun and not ended",
                self.sts_under_way.clone(),
            );
        });
        metrics.sub_registry("audit", |r| {
            r.register(
                "oldest_line_seconds",
                "How long the oldest audit line has waited that is not written",
                self.audit_oldest.clone(),
            );
            r.register(
                "lines_dropped",
                "Audit lines that were lost because too many could not be written",
                self.audit_dropped.clone(),
            );
        });
        metrics.sub_registry("aws", |r| {
            r.register(
                "calls",
                "Calls to AWS by operation and outcome",
                self.calls.clone(),
            )
        });
    }

    /// One answer was given.
    pub fn answered(&self, status: u16, code: &'static str, took: Duration) {
        self.answers.get_or_create(&Answer { status, code }).inc();
        self.answer_seconds.observe(took.as_secs_f64());
    }

    /// One answer was given to a person.
    pub fn answered_person(&self, status: u16, code: &'static str, took: Duration) {
        self.people_answers.get_or_create(&Answer { status, code }).inc();
        self.people_answer_seconds.observe(took.as_secs_f64());
    }

    /// A session was made whose policy and tags fill so much of what AWS has for them.
    pub fn packed(&self, percent: u32) {
        self.packed.observe(f64::from(percent));
    }

    /// So it is with audit lines.
    pub fn set_audit(&self, figures: AuditFigures) {
        self.audit_oldest.set(figures.oldest.as_secs_f64());
        let known = self.audit_dropped.get();
        self.audit_dropped.inc_by(figures.dropped.saturating_sub(known));
    }

    /// So much is kept, and so it is with calls to STS.
    pub fn set_kept(&self, kept: KeptFigures, gate: GateFigures) {
        let set = |gauge: &Gauge, count: usize| gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        set(&self.kept, kept.sessions);
        set(&self.kept_bytes, kept.bytes);
        self.evicted
            .inc_by(kept.evicted.saturating_sub(self.evicted.get()));
        set(&self.sts_open, gate.open);
        set(&self.sts_waiting, gate.waiting);
        set(&self.sts_under_way, gate.under_way);
    }
}

impl CallObserver for BrokerMetrics {
    fn finished(&self, report: &CallReport<'_>) {
        self.calls
            .get_or_create(&Call {
                operation: report.operation,
                outcome: report.outcome,
            })
            .inc();
    }
}
