//! The process's metrics, in the OpenMetrics text format, all under the prefix `deputy_`.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::Gauge,
    },
    registry::Registry,
};

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The labels of `deputy_certificate_expiry_seconds`: the authority's Secret and `leaf`, `current` or `next`.
type CertificateLabels = [(&'static str, String); 2];

/// The registry every part of the process adds its metrics to. Clones share it.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    certificate_expiry: Family<CertificateLabels, Gauge>,
    authority_refreshes: Family<[(&'static str, String); 2], Counter>,
    connections: Family<[(&'static str, &'static str); 1], Gauge>,
    connections_cut: Family<[(&'static str, &'static str); 2], Counter>,
}

/// Metrics could not be written as text.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// A metric refused to be encoded.
    #[error("failed to encode metrics")]
    Encode(#[source] std::fmt::Error),
}

impl MetricsError {
    /// A bounded name for metrics and events.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Encode(_) => "encode",
        }
    }
}

impl Metrics {
    /// A registry for the process `mode` (`controller`, `webhook`, …) with the metrics of this crate.
    pub fn new(mode: &'static str) -> Self {
        let mut registry = Registry::with_prefix("deputy");
        let build_info = Family::<[(&'static str, &'static str); 2], Gauge>::default();
        registry.register(
            "build_info",
            "The version of Deputy and the mode of this process",
            build_info.clone(),
        );
        build_info
            .get_or_create(&[("version", env!("CARGO_PKG_VERSION")), ("mode", mode)])
            .set(1);
        let certificate_expiry = Family::<CertificateLabels, Gauge>::default();
        registry.register(
            "certificate_expiry_seconds",
            "When a certificate of this process expires, in seconds since the Unix epoch",
            certificate_expiry.clone(),
        );
        let authority_refreshes = Family::default();
        registry.register(
            "authority_refreshes",
            "Looks at the Secret of an authority, by what came of them",
            Family::clone(&authority_refreshes),
        );
        let connections = Family::default();
        registry.register(
            "connections",
            "Open connections of a listener",
            Family::clone(&connections),
        );
        let connections_cut = Family::default();
        registry.register(
            "connections_cut",
            "Connections of a listener that a limit ended or refused",
            Family::clone(&connections_cut),
        );
        Self {
            registry: Arc::new(Mutex::new(registry)),
            certificate_expiry,
            authority_refreshes,
            connections,
            connections_cut,
        }
    }

    /// Runs `register` on the part of the registry whose names start with `deputy_<prefix>_`.
    pub fn sub_registry<T>(&self, prefix: &str, register: impl FnOnce(&mut Registry) -> T) -> T {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        register(registry.sub_registry_with_prefix(prefix))
    }

    /// Runs `register` on the registry itself, whose names start with `deputy_`.
    pub fn root_registry<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        register(&mut registry)
    }

    /// A counter that somebody else keeps and `read` tells. The name goes without prefix and without `_total`.
    pub fn register_count(&self, name: &'static str, help: &'static str, read: fn() -> u64) {
        self.root_registry(|registry| registry.register_collector(Box::new(Count { name, help, read })));
    }

    /// Adds how old what is known of the cluster is, in seconds, computed when it is looked at. What was never read has
    /// no age and is left out.
    pub fn index_ages(
        &self,
        ages: impl Fn() -> Vec<(&'static str, Option<Duration>)> + Send + Sync + 'static,
    ) {
        self.root_registry(|registry| registry.register_collector(Box::new(Ages(Box::new(ages)))));
    }

    /// All metrics as text.
    pub fn render(&self) -> Result<String, MetricsError> {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        encode(&mut text, &registry).map_err(MetricsError::Encode)?;
        Ok(text)
    }

    /// Sets when the certificate `role` (`leaf`, `current`, `next`) of the authority in `secret` expires.
    pub(crate) fn certificate_expires(&self, secret: &str, role: &str, unix_seconds: i64) {
        self.certificate_expiry
            .get_or_create(&[("authority", secret.to_owned()), ("certificate", role.to_owned())])
            .set(unix_seconds);
    }

    /// The Secret of an authority was looked at, and this came of it.
    pub(crate) fn authority_refreshed(&self, secret: &str, outcome: &'static str) {
        self.authority_refreshes
            .get_or_create(&[("authority", secret.to_owned()), ("outcome", outcome.to_owned())])
            .inc();
    }

    /// So many more (or fewer) connections of a listener are open.
    pub(crate) fn connections(&self, endpoint: &'static str, change: i64) {
        self.connections
            .get_or_create(&[("endpoint", endpoint)])
            .inc_by(change);
    }

    /// A listener begins. What may be counted of its connections is there from now on, as nothing: what began with one would be no
    /// increase to Prometheus, and no alert would tell of the first.
    pub(crate) fn listens(&self, endpoint: &'static str, reasons: impl Iterator<Item = &'static str>) {
        self.connections(endpoint, 0);
        for reason in reasons {
            drop(
                self.connections_cut
                    .get_or_create(&[("endpoint", endpoint), ("reason", reason)]),
            );
        }
    }

    /// A limit ended a connection of a listener, or refused it.
    pub(crate) fn connection_cut(&self, endpoint: &'static str, reason: &'static str) {
        self.connections_cut
            .get_or_create(&[("endpoint", endpoint), ("reason", reason)])
            .inc();
    }

    /// Forgets the certificate `role` of the authority in `secret`.
    pub(crate) fn certificate_gone(&self, secret: &str, role: &str) {
        self.certificate_expiry
            .remove(&[("authority", secret.to_owned()), ("certificate", role.to_owned())]);
    }
}

/// A counter that is read when it is asked for.
#[derive(Debug)]
struct Count {
    name: &'static str,
    help: &'static str,
    read: fn() -> u64,
}

impl Collector for Count {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let counter = ConstCounter::new((self.read)());
        let metric = encoder.encode_descriptor(self.name, self.help, None, counter.metric_type())?;
        counter.encode(metric)
    }
}

type AgesOf = dyn Fn() -> Vec<(&'static str, Option<Duration>)> + Send + Sync;

/// Gauges that are computed when they are asked for.
struct Ages(Box<AgesOf>);

impl fmt::Debug for Ages {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ages")
    }
}

impl Collector for Ages {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let gauge = Family::<[(&'static str, &'static str); 1], Gauge<f64, AtomicU64>>::default();
        for (kind, age) in (self.0)() {
            if let Some(age) = age {
                gauge.get_or_create(&[("kind", kind)]).set(age.as_secs_f64());
            }
        }
        let metric = encoder.encode_descriptor(
            "index_age_seconds",
            "How long ago the API server proved that what is known of a kind is how things are",
            None,
            gauge.metric_type(),
        )?;
        gauge.encode(metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_when_it_is_asked_for() {
        let metrics = Metrics::new("webhook");
        metrics.register_count("things", "Things", || 7);
        let text = metrics.render().unwrap();
        assert!(text.contains("deputy_things_total 7\n"), "{text}");
    }

    #[test]
    fn ages_are_those_of_the_moment() {
        let metrics = Metrics::new("webhook");
        let age = Arc::new(Mutex::new(None));
        let asked = Arc::clone(&age);
        metrics.index_ages(move || vec![("awsroles", *asked.lock().unwrap())]);
        let line = |text: &str| {
            text.lines()
                .any(|l| l == "deputy_index_age_seconds{kind=\"awsroles\"} 2.5")
        };
        assert!(!metrics.render().unwrap().contains("deputy_index_age_seconds{"));
        *age.lock().unwrap() = Some(Duration::from_millis(2500));
        assert!(line(&metrics.render().unwrap()));
    }

    #[test]
    fn metrics_of_every_part_are_rendered_under_the_prefix() {
        let metrics = Metrics::new("webhook");
        let requests: Counter = Counter::default();
        metrics.sub_registry("admission", |registry| {
            registry.register("requests", "Admission requests", requests.clone());
        });
        requests.inc();
        metrics.certificate_expires("deputy-webhook-ca", "leaf", 1_800_000_000);
        metrics.certificate_expires("deputy-webhook-ca", "next", 1_900_000_000);
        metrics.certificate_gone("deputy-webhook-ca", "next");
        metrics.connections("webhook", 2);
        metrics.connections("webhook", -1);
        metrics.connection_cut("webhook", "idle");
        insta::assert_snapshot!(
            metrics
                .render()
                .unwrap()
                .replace(env!("CARGO_PKG_VERSION"), "VERSION")
        );
    }
}
