//! The process `deputy webhook`.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use deputy_delegation::{ClusterName, NamespaceName};
use deputy_index::{Index, ResourceKind, WatchError};
use deputy_runtime::{
    events::NoticeQueue,
    health::Readiness,
    metrics::Metrics,
    serve::{self, Endpoint, ServeError},
    shutdown::Shutdown,
    tls::{
        Authority, AuthorityConfig, AuthorityError, AuthorityPolicy, BundleHolder, follow_bundle_config_map,
        publish_ca_bundle,
    },
};
use kube::Client;

use crate::{
    body::BodyMemory,
    broker,
    facts::Facts,
    inject::{AgentSettings, InjectionConfig},
    live::Live,
    metrics::AdmissionMetrics,
    mutate::Mutator,
    server::{self, Reviewer},
};

/// How the webhook runs. Each field is a variable that the chart sets.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// `DEPUTY_LISTEN`: where reviews arrive, by TLS.
    pub listen: SocketAddr,
    /// `DEPUTY_CLUSTER_NAME`
    pub cluster: ClusterName,
    /// `POD_NAMESPACE`: Deputy's own namespace.
    pub namespace: NamespaceName,
    /// `DEPUTY_SERVICE`: the Service through which the API server comes.
    pub service: String,
    /// `DEPUTY_CA_SECRET`
    pub ca_secret: String,
    /// `DEPUTY_MUTATING_CONFIGURATION`
    pub mutating_configuration: String,
    /// `DEPUTY_VALIDATING_CONFIGURATION`
    pub validating_configuration: String,
    /// `DEPUTY_AGENT_*`, `DEPUTY_INJECTION_DELIVERY`, `DEPUTY_NODE_AGENT_ADDRESS`: how agents are.
    pub agent: AgentSettings,
    /// `DEPUTY_BROKER_SERVICE`
    pub broker_service: String,
    /// `DEPUTY_BROKER_BUNDLE`: the ConfigMap with the broker's public bundle.
    pub broker_bundle: String,
    /// `DEPUTY_EXTRA_SANS`: further addresses in the serving certificate, for an API server that comes by URL.
    pub extra_sans: Vec<IpAddr>,
}

/// The process can't go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reviews can't be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The cluster can't be watched.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// There is no certificate authority to serve with.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

impl Error {
    /// A bounded name for metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Serve(error) => error.category(),
            Self::Watch(error) => error.category(),
            Self::Authority(error) => error.category(),
        }
    }
}

/// Serves reviews until `shutdown` stops. Ready once every kind is known whole, the certificate is there and the API
/// server trusts it, and the broker's address and bundle are known.
///
/// # Errors
/// When the address can't be listened on, TLS can't be set up, or a watch ends for good.
pub async fn run(
    config: WebhookConfig,
    client: Client,
    shutdown: Shutdown,
    readiness: Readiness,
    metrics: Metrics,
) -> Result<(), Error> {
    let listener = serve::bind(config.listen).await?;
    let index = Arc::new(Index::new(config.cluster.clone()));
    await_stores(&index, &readiness, &metrics);
    let watching = deputy_index::watch(client.clone(), Arc::clone(&index), &ResourceKind::ADMISSION);
    let authority = Authority::start(
        client.clone(),
        authority_config(&config),
        &readiness,
        &metrics,
        &shutdown,
    )?;
    for (kind, name) in [
        (BundleHolder::Validating, config.validating_configuration.clone()),
        (BundleHolder::Mutating, config.mutating_configuration.clone()),
    ] {
        let (client, authority) = (client.clone(), authority.clone());
        let (readiness, shutdown) = (readiness.clone(), shutdown.clone());
        tokio::spawn(async move {
            publish_ca_bundle(client, kind, &name, &authority, &readiness, shutdown).await;
        });
    }
    let reviewer = reviewer(&config, client, index, &readiness, &metrics, &shutdown);
    let serving = serve::serve_tls(
        listener,
        Endpoint::Webhook,
        authority.server_config(),
        server::router(reviewer),
        metrics.clone(),
        shutdown.clone(),
    );
    tokio::select! {
        served = serving => Ok(served?),
        ended = watching => {
            // Without it every answer would rest on what was true once.
            shutdown.stop();
            Err(ended.into())
        }
    }
}

fn authority_config(config: &WebhookConfig) -> AuthorityConfig {
    let host = format!("{}.{}.svc", config.service, config.namespace);
    AuthorityConfig {
        namespace: config.namespace.to_string(),
        secret_name: config.ca_secret.clone(),
        common_name: "deputy-webhook".to_owned(),
        policy: AuthorityPolicy::WEBHOOK,
        dns_names: vec![host.clone(), format!("{host}.cluster.local")],
        ips: config.extra_sans.clone(),
        // The API server is told by the webhook configurations.
        pinned_in: None,
    }
}

/// Each kind is a condition of readiness: known whole, and not older than what may be decided by.
fn await_stores(index: &Arc<Index>, readiness: &Readiness, metrics: &Metrics) {
    for kind in ResourceKind::ADMISSION {
        let index = Arc::clone(index);
        readiness.check(format!("store/{}", kind.as_str()), move || {
            index.current(&[kind]).map_err(|stale| stale.to_string())
        });
    }
    let index = Arc::clone(index);
    metrics.index_ages(move || index.ages(&ResourceKind::ADMISSION));
}

fn reviewer(
    config: &WebhookConfig,
    client: Client,
    index: Arc<Index>,
    readiness: &Readiness,
    metrics: &Metrics,
    shutdown: &Shutdown,
) -> Reviewer {
    let namespace = config.namespace.as_str();
    let bundle = follow_bundle_config_map(
        client.clone(),
        namespace,
        &config.broker_bundle,
        readiness,
        shutdown.clone(),
    );
    let address = broker::follow_service(
        client.clone(),
        namespace,
        &config.broker_service,
        readiness.register("broker-service"),
        shutdown.clone(),
    );
    let template = InjectionConfig {
        agent: config.agent.clone(),
        broker_url: broker::url(&config.broker_service, namespace),
        broker_address: None,
        broker_ca: String::new(),
        own_namespace: config.namespace.clone(),
    };
    let metrics = AdmissionMetrics::register(metrics);
    let facts = Facts::new(index);
    Reviewer {
        facts: facts.clone(),
        live: Live::new(client.clone(), metrics.clone()),
        mutator: Mutator {
            facts,
            events: NoticeQueue::start(client.clone(), shutdown.clone()),
            client,
            injection: broker::injection(template, bundle, address),
            own_namespace: config.namespace.clone(),
            metrics: metrics.clone(),
        },
        metrics,
        memory: BodyMemory::default(),
    }
}
