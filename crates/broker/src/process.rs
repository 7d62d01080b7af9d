//! `deputy broker`: what it is made of, and how it begins and ends.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use deputy_aws::{AmbientOptions, Clients, Proxy, RolesAnywhere, Timeouts};
use deputy_delegation::{ClusterName, Uid};
use deputy_index::{Index, ResourceKind, WatchError, watch};
use deputy_runtime::{
    events::NoticeQueue,
    front_proxy::{FrontProxyKeeper, follow_front_proxy},
    health::Readiness,
    metrics::Metrics,
    serve::{self, Endpoint, ServeError, serve_tls},
    shutdown::Shutdown,
    tls::{
        Authority, AuthorityConfig, AuthorityError, AuthorityPolicy, BundleHolder, publish_bundle_config_map,
        publish_ca_bundle,
    },
};
use futures::FutureExt as _;
use kube::Client;
use tokio::{
    sync::{
        Semaphore,
        broadcast::{self, error::RecvError},
    },
    time::MissedTickBehavior,
};

use crate::{
    asker::NodeAgents,
    http,
    metrics::BrokerMetrics,
    people::{self, PeopleServer, QUESTIONS},
    service::Broker,
};

/// How often kept sessions are looked at for renewal.
const RENEW_INTERVAL: Duration = Duration::from_secs(15);
/// How often accounts are looked at: whether this process has their identities.
const IDENTITY_INTERVAL: Duration = Duration::from_secs(15);

/// What the broker is told.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// This cluster.
    pub cluster: ClusterName,
    /// The namespace it runs in.
    pub namespace: String,
    /// Where it listens, with TLS.
    pub listen: SocketAddr,
    /// The name of its Service, which its certificate bears.
    pub service: String,
    /// Addresses that its certificate bears as well.
    pub extra_sans: Vec<IpAddr>,
    /// The Secret with its authority.
    pub ca_secret: String,
    /// The ConfigMap with its public bundle.
    pub bundle: String,
    /// Whether the identity of the node may be used towards AWS.
    pub allow_instance_metadata: bool,
    /// The identity towards AWS, where a certificate gives it.
    pub roles_anywhere: Option<RolesAnywhere>,
    /// The proxy through which AWS is reached.
    pub proxy: Option<Proxy>,
    /// The folder with the keys of federation users, a file for each AWSAccount.
    pub federation_keys: Option<PathBuf>,
    /// The ServiceAccount of the agents of nodes; none is taken without.
    pub node_agents: Option<NodeAgents>,
    /// The API for people; not served without.
    pub people: Option<PeopleConfig>,
}

/// Where the API for people is.
#[derive(Debug, Clone)]
pub struct PeopleConfig {
    /// Where it listens, with TLS.
    pub listen: SocketAddr,
    /// The APIService by which the API server finds it, and whose bundle is kept current.
    pub api_service: String,
}

/// Why the broker has to end.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// It can't serve.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// It can't have a certificate.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// It can't follow the cluster any more.
    #[error("watching ended: {0}")]
    Watch(#[from] WatchError),
}

/// Runs the broker until it is told to stop.
///
/// # Errors
/// [`BrokerError`]: the process must end, and begin anew.
pub async fn run(
    config: BrokerConfig,
    client: Client,
    shutdown: Shutdown,
    readiness: Readiness,
    metrics: Metrics,
) -> Result<(), BrokerError> {
    let authority = start_authority(&config, &client, &readiness, &metrics, &shutdown)?;
    let counters = BrokerMetrics::register(&metrics);
    let index = Arc::new(Index::new(config.cluster.clone()));
    let aws = Clients::new(aws_options(&config, &counters));
    let notices = NoticeQueue::start(client.clone(), shutdown.clone());
    let broker = Broker::new(
        index.clone(),
        Arc::new(client.clone()),
        Box::new(aws),
        notices,
        counters,
    );
    let broker = Arc::new(broker.with_node_agents(config.node_agents.clone()));
    observe(&index, &broker, &readiness, &metrics);
    let people = serve_people(&config, &client, &broker, &authority, &metrics, &shutdown).await?;
    let listener = serve::bind(config.listen).await?;
    let serving = serve_tls(
        listener,
        Endpoint::Broker,
        authority.server_config(),
        http::router(broker.clone(), authority.bundle()),
        metrics,
        shutdown,
    );
    tokio::select! {
        // Both to their end: whoever is answered on one is not cut off because nobody asks on the other.
        outcome = async { tokio::try_join!(serving, people) } => outcome.map(drop).map_err(Into::into),
        ended = watch(client.clone(), Arc::clone(&index), &ResourceKind::BROKER) => Err(ended.into()),
        () = broker.verifier().follow_keys() => Ok(()),
        () = forget_pods(&broker, index.pod_ends()) => Ok(()),
        () = renew(&broker) => Ok(()),
        () = report_identities(&broker, &client) => Ok(()),
        () = broker.reports().run(&client) => Ok(()),
    }
}

/// The API for people, where it is asked for: with a listener of its own, which the API server alone gets through. Its readiness is its own:
/// pods have credentials whatever becomes of it.
async fn serve_people(
    config: &BrokerConfig,
    client: &Client,
    broker: &Arc<Broker>,
    authority: &Authority,
    metrics: &Metrics,
    shutdown: &Shutdown,
) -> Result<impl Future<Output = Result<(), ServeError>> + use<>, BrokerError> {
    let Some(people) = config.people.clone() else {
        return Ok(std::future::ready(Ok(())).left_future());
    };
    let front_proxy = FrontProxyKeeper::default();
    let tls = authority.server_config_for(front_proxy.verifier())?;
    let router = people::router(PeopleServer {
        broker: Arc::clone(broker),
        front_proxy: front_proxy.clone(),
        access: Arc::new(client.clone()),
        questions: Semaphore::new(QUESTIONS),
    });
    tokio::spawn(follow_front_proxy(client.clone(), front_proxy, shutdown.clone()));
    let (to_publish, authority, stop) = (client.clone(), authority.clone(), shutdown.clone());
    tokio::spawn(async move {
        let (holder, readiness) = (BundleHolder::ApiService, Readiness::default());
        publish_ca_bundle(
            to_publish,
            holder,
            &people.api_service,
            &authority,
            &readiness,
            stop,
        )
        .await;
    });
    let listener = serve::bind(people.listen).await?;
    let serving = serve_tls(
        listener,
        Endpoint::People,
        tls,
        router,
        metrics.clone(),
        shutdown.clone(),
    );
    Ok(serving.right_future())
}

/// The certificate that agents verify, and its bundle on its way to them.
fn start_authority(
    config: &BrokerConfig,
    client: &Client,
    readiness: &Readiness,
    metrics: &Metrics,
    shutdown: &Shutdown,
) -> Result<Authority, AuthorityError> {
    let dns_names = vec![
        format!("{}.{}.svc", config.service, config.namespace),
        format!("{}.{}.svc.cluster.local", config.service, config.namespace),
    ];
    let authority = Authority::start(
        client.clone(),
        AuthorityConfig {
            namespace: config.namespace.clone(),
            secret_name: config.ca_secret.clone(),
            common_name: "deputy broker".into(),
            policy: AuthorityPolicy::BROKER,
            dns_names,
            ips: config.extra_sans.clone(),
            pinned_in: Some(config.bundle.clone()),
        },
        readiness,
        metrics,
        shutdown,
    )?;
    let (client, namespace, name) = (client.clone(), config.namespace.clone(), config.bundle.clone());
    let (bundle, shutdown) = (authority.bundle(), shutdown.clone());
    tokio::spawn(async move { publish_bundle_config_map(client, &namespace, &name, bundle, shutdown).await });
    Ok(authority)
}

fn aws_options(config: &BrokerConfig, counters: &BrokerMetrics) -> AmbientOptions {
    AmbientOptions {
        allow_instance_metadata: config.allow_instance_metadata,
        roles_anywhere: config.roles_anywhere.clone(),
        proxy: config.proxy.clone(),
        federation_keys: config.federation_keys.clone(),
        observer: Arc::new(counters.clone()),
        // The caller hears "try again" after a second; the call itself may take longer, and its answer is kept.
        timeouts: Timeouts {
            sts_attempt: Duration::from_secs(5),
            sts: Duration::from_secs(15),
            ..Timeouts::default()
        },
        ..AmbientOptions::default()
    }
}

/// Makes the age of the index a condition of readiness, and a metric; and that tokens can be told apart.
fn observe(index: &Arc<Index>, broker: &Arc<Broker>, readiness: &Readiness, metrics: &Metrics) {
    let asked = Arc::clone(broker);
    readiness.check("token-keys", move || {
        asked.verifier().ready().map_err(|error| error.to_string())
    });
    let known = Arc::clone(index);
    readiness.check("index", move || {
        known
            .current(&ResourceKind::BROKER)
            .map_err(|stale| stale.to_string())
    });
    let known = Arc::clone(index);
    metrics.index_ages(move || known.ages(&ResourceKind::BROKER));
}

/// Forgets what is kept for pods that end. Never ends.
async fn forget_pods(broker: &Broker, mut ends: broadcast::Receiver<Uid>) {
    loop {
        match ends.recv().await {
            Ok(pod) => broker.pod_ended(&pod),
            // Those that were missed are forgotten with their sessions' end.
            Err(RecvError::Lagged(missed)) => tracing::debug!(missed, "ends of pods were missed"),
            // The index lives as long as the process.
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}

/// Renews kept sessions. Never ends.
async fn renew(broker: &Broker) {
    let mut ticker = tokio::time::interval(RENEW_INTERVAL);
    loop {
        ticker.tick().await;
        broker.renew_due();
    }
}

/// Keeps the accounts' conditions `IssuerReady` and `FederationReady`. Never ends.
async fn report_identities(broker: &Arc<Broker>, client: &Client) {
    let mut ticker = tokio::time::interval(IDENTITY_INTERVAL);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    broker.index_synced().await;
    loop {
        ticker.tick().await;
        broker.report_identities(client).await;
    }
}
