//! Counters of the webhook. Every label has few values.

use std::time::Duration;

use deputy_runtime::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReviewLabels {
    endpoint: &'static str,
    kind: &'static str,
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    endpoint: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UnreadableLabels {
    endpoint: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InjectionLabels {
    outcome: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LiveReadLabels {
    kind: &'static str,
    outcome: &'static str,
}

/// `deputy_admission_*`.
#[derive(Clone)]
pub(crate) struct AdmissionMetrics {
    reviews: Family<ReviewLabels, Counter>,
    review_seconds: Family<EndpointLabels, Histogram, fn() -> Histogram>,
    unreadable: Family<UnreadableLabels, Counter>,
    injections: Family<InjectionLabels, Counter>,
    live_reads: Family<LiveReadLabels, Counter>,
}

fn buckets() -> Histogram {
    Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5])
}

impl AdmissionMetrics {
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let this = Self {
            reviews: Family::default(),
            review_seconds: Family::new_with_constructor(buckets),
            unreadable: Family::default(),
            injections: Family::default(),
            live_reads: Family::default(),
        };
        metrics.sub_registry("admission", |r| {
            r.register(
                "reviews",
                "Reviews by endpoint, kind, operation and outcome",
                this.reviews.clone(),
            );
            r.register(
                "review_seconds",
                "How long reviews take, their body included",
                this.review_seconds.clone(),
            );
            r.register(
                "unreadable",
                "Requests that are no review, by reason",
                this.unreadable.clone(),
            );
            r.register(
                "injections",
                "Pods by what became of them",
                this.injections.clone(),
            );
            r.register(
                "live_reads",
                "Reads of the API server: of a namespace or ServiceAccount that the index did not know, of limits before a refusal",
                this.live_reads.clone(),
            );
        });
        this
    }

    pub(crate) fn reviewed(
        &self,
        endpoint: &'static str,
        kind: &'static str,
        operation: &'static str,
        outcome: &'static str,
    ) {
        let labels = ReviewLabels {
            endpoint,
            kind,
            operation,
            outcome,
        };
        self.reviews.get_or_create(&labels).inc();
    }

    pub(crate) fn took(&self, endpoint: &'static str, time: Duration) {
        self.review_seconds
            .get_or_create(&EndpointLabels { endpoint })
            .observe(time.as_secs_f64());
    }

    pub(crate) fn unreadable(&self, endpoint: &'static str, reason: &'static str) {
        self.unreadable
            .get_or_create(&UnreadableLabels { endpoint, reason })
            .inc();
    }

    pub(crate) fn injection(&self, outcome: &'static str, reason: &'static str) {
        self.injections
            .get_or_create(&InjectionLabels { outcome, reason })
            .inc();
    }

    pub(crate) fn live_read(&self, kind: &'static str, outcome: &'static str) {
        self.live_reads
            .get_or_create(&LiveReadLabels { kind, outcome })
            .inc();
    }
}
