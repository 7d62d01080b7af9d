//! Counters of a controller. Every label has few values.

use std::sync::{Arc, atomic::AtomicU64};

use deputy_aws::{CallObserver, CallPurpose, CallReport};
use deputy_runtime::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};

use crate::queue::{Lane, PerLane};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reconcile {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Waiting {
    kind: &'static str,
    lane: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Purpose {
    purpose: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Quota {
    quota: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    operation: &'static str,
    outcome: &'static str,
}

/// `deputy_controller_*` and `deputy_aws_*`.
#[derive(Clone)]
pub struct ControllerMetrics {
    leader: Gauge,
    reconciles: Family<Reconcile, Counter>,
    waiting: Family<Waiting, Gauge>,
    deletions_held: Counter,
    quotas: Family<Quota, Gauge<f64, AtomicU64>>,
    calls: Family<Call, Counter>,
    call_seconds: Family<Call, Histogram, fn() -> Histogram>,
    call_wait_seconds: Family<Purpose, Histogram, fn() -> Histogram>,
}

/// A call waits for its turn for at most 30 s.
fn wait_buckets() -> Histogram {
    Histogram::new([0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0])
}

fn buckets() -> Histogram {
    Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

impl ControllerMetrics {
    #[must_use]
    pub fn register(metrics: &Metrics) -> Self {
        let this = Self {
            leader: Gauge::default(),
            reconciles: Family::default(),
            waiting: Family::default(),
            deletions_held: Counter::default(),
            quotas: Family::default(),
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(buckets),
            call_wait_seconds: Family::new_with_constructor(wait_buckets),
        };
        metrics.sub_registry("controller", |r| {
            r.register(
                "reconciles",
                "Reconciliations by kind and outcome",
                this.reconciles.clone(),
            );
            r.register(
                "leader",
                "1 while this process holds its Lease, 0 otherwise",
                this.leader.clone(),
            );
            r.register(
                "queue_depth",
                "Objects that wait to be looked at, by kind and by how urgent they are",
                this.waiting.clone(),
            );
            r.register(
                "deletions_held",
                "IAM roles that were shut and left in AWS because too many were to be deleted at once",
                this.deletions_held.clone(),
            );
        });
        metrics.sub_registry("aws", |r| {
            r.register(
                "quota_used_ratio",
                "How much of a quota is used in the AWS account that has least of it left; 1 is all",
                this.quotas.clone(),
            );
            r.register(
                "calls",
                "Calls to AWS by operation and outcome",
                this.calls.clone(),
            );
            r.register(
                "call_seconds",
                "How long calls to AWS take",
                this.call_seconds.clone(),
            );
            r.register(
                "call_wait_seconds",
                "How long calls to IAM waited for their turn, by what they are made for",
                this.call_wait_seconds.clone(),
            );
        });
        this
    }

    /// One reconciliation is done.
    pub fn reconciled(&self, kind: &'static str, outcome: &'static str) {
        self.reconciles.get_or_create(&Reconcile { kind, outcome }).inc();
    }

    /// A role was left that was to be deleted.
    pub fn deletion_held(&self) {
        self.deletions_held.inc();
    }

    /// Whether this process holds its Lease.
    pub fn leader(&self, is_leader: bool) {
        self.leader.set(i64::from(is_leader));
    }

    /// How many objects of a kind wait in the queue.
    pub fn waiting(&self, kind: &'static str, depth: &PerLane) {
        for lane in Lane::ALL {
            let count = i64::try_from(depth.get(lane)).unwrap_or(i64::MAX);
            let lane = lane.as_str();
            self.waiting.get_or_create(&Waiting { kind, lane }).set(count);
        }
    }

    /// How much of a quota is used in the account that has least of it left.
    pub fn quota_used(&self, quota: &'static str, ratio: f64) {
        self.quotas.get_or_create(&Quota { quota }).set(ratio);
    }

    /// As the observer of AWS calls.
    #[must_use]
    pub fn observer(&self) -> Arc<dyn CallObserver> {
        Arc::new(self.clone())
    }
}

impl CallObserver for ControllerMetrics {
    fn finished(&self, report: &CallReport<'_>) {
        let call = Call {
            operation: report.operation,
            outcome: report.outcome,
        };
        self.calls.get_or_create(&call).inc();
        self.call_seconds
            .get_or_create(&call)
            .observe(report.elapsed.as_secs_f64());
        if let Some(purpose) = report.purpose.map(CallPurpose::as_str) {
            self.call_wait_seconds
                .get_or_create(&Purpose { purpose })
                .observe(report.waited.as_secs_f64());
        }
    }
}
