//! The authority of this process: keeps its Secret filled, its leaf fresh and its bundle known.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, ResourceExt as _};
use rustls::{
    ConfigBuilder, ServerConfig, WantsVerifier,
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, danger::ClientCertVerifier},
    sign::CertifiedKey,
};
use rustls_pki_types::CertificateDer;
use tokio::sync::watch;

use super::{
    AuthorityPolicy, Bundle,
    certificate::Leaf,
    error::{ABANDON_ANNOTATION, AuthorityError},
    pinned::Pinned,
    rotation::{CaSet, Circumstances, SecretData, plan, wipe},
    store::{ApiStore, SecretStore, WriteError},
};
use crate::{
    error::chain,
    health::{Readiness, ReadyHandle},
    metrics::Metrics,
    shutdown::Shutdown,
    watch::changes,
};

/// How often lifetimes are compared with the wall clock. Timers alone stand still while the machine is suspended.
const TICK: Duration = Duration::from_secs(60);
/// The pause before another try while there is nothing to serve with.
const FIRST_TRIES: Duration = Duration::from_secs(2);
/// How often one round starts over because another replica wrote first.
const CONFLICTS: usize = 5;

/// Where an authority is kept and what its leaf is for.
#[derive(Debug, Clone)]
pub struct AuthorityConfig {
    /// The namespace of the Secret.
    pub namespace: String,
    /// The name of the Secret. It must exist; it may be empty.
    pub secret_name: String,
    /// The common name of the authority.
    pub common_name: String,
    /// How long certificates live.
    pub policy: AuthorityPolicy,
    /// The names of the server. The first is also the one that a published bundle is checked with.
    pub dns_names: Vec<String>,
    /// The addresses of the server.
    pub ips: Vec<IpAddr>,
    /// The ConfigMap with its bundle, where clients keep what they were once given: its authority is never replaced
    /// silently. `None`: clients are told of a new one at once.
    pub pinned_in: Option<String>,
}

impl AuthorityConfig {
    /// The name, or else the address, that clients verify.
    pub(super) fn server_name(&self) -> String {
        self.dns_names
            .first()
            .cloned()
            .or_else(|| self.ips.first().map(IpAddr::to_string))
            .unwrap_or_else(|| "localhost".to_owned())
    }
}

/// A running authority. Clones are the same one.
#[derive(Clone)]
pub struct Authority {
    shared: Arc<Shared>,
    server_config: Arc<ServerConfig>,
}

struct Shared {
    config: AuthorityConfig,
    bundle: watch::Sender<Bundle>,
    leaf: ArcSwapOption<Leaf>,
    /// The authority that this replica serves with, to be written back should its Secret lose it.
    held: Mutex<Option<Arc<CaSet>>>,
}

impl Authority {
    /// Starts to keep the authority in its Secret. Returns at once; until there is a certificate, handshakes fail
    /// and the condition `serving-certificate` of `readiness` is not met.
    ///
    /// Rights, each on the one Secret by name: `get`, `watch`, `update`; `get` on the ConfigMap that clients' bundle is in.
    pub fn start(
        client: kube::Client,
        config: AuthorityConfig,
        readiness: &Readiness,
        metrics: &Metrics,
        shutdown: &Shutdown,
    ) -> Result<Self, AuthorityError> {
        let secrets = Api::<Secret>::namespaced(client.clone(), &config.namespace);
        let changes = changes(secrets.clone(), &config.secret_name);
        let store = ApiStore {
            secrets,
            name: config.secret_name.clone(),
            config_maps: Api::<ConfigMap>::namespaced(client, &config.namespace),
            pinned_in: config.pinned_in.clone(),
        };
        let authority = Self::new(config)?;
        let keeper = AuthorityKeeper {
            store,
            shared: Arc::clone(&authority.shared),
            ready: readiness.register("serving-certificate"),
            metrics: metrics.clone(),
        };
        tokio::spawn(keeper.run(changes, shutdown.clone()));
        Ok(authority)
    }

    pub(super) fn new(config: AuthorityConfig) -> Result<Self, AuthorityError> {
        let shared = Arc::new(Shared {
            config,
            bundle: watch::Sender::new(Bundle::from("")),
            leaf: ArcSwapOption::empty(),
            held: Mutex::default(),
        });
        let server_config = tls_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(LeafResolver(Arc::clone(&shared))));
        Ok(Self {
            shared,
            server_config: Arc::new(server_config),
        })
    }

    /// The certificates that clients should trust, whenever they change. Empty at first.
    pub fn bundle(&self) -> watch::Receiver<Bundle> {
        self.shared.bundle.subscribe()
    }

    /// A TLS configuration (1.2 and 1.3) that always serves with the newest leaf. The server adds its protocols.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server_config)
    }

    /// The same for a server that lets in only whom `clients` verifies, at each connection: a TLS session that is resumed would bring the
    /// verification of the first one along, so none is.
    ///
    /// # Errors
    /// [`AuthorityError::Tls`], as when it began.
    pub fn server_config_for(
        &self,
        clients: Arc<dyn ClientCertVerifier>,
    ) -> Result<Arc<ServerConfig>, AuthorityError> {
        let resolver = Arc::new(LeafResolver(Arc::clone(&self.shared)));
        let mut config = tls_versions()?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(resolver);
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    /// The certificate that this replica serves with.
    pub fn leaf(&self) -> Option<CertificateDer<'static>> {
        self.shared
            .leaf
            .load()
            .as_ref()
            .map(|leaf| leaf.certificate.clone())
    }

    /// The name, or else the address, that clients verify.
    pub(super) fn server_name(&self) -> String {
        self.shared.config.server_name()
    }
}

fn tls_versions() -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, AuthorityError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(AuthorityError::Tls)
}

impl Shared {
    fn held(&self) -> Option<Arc<CaSet>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Serves with an authority: signs a leaf when that is due and makes its bundle known.
    fn adopt(&self, set: &Arc<CaSet>, now: Timestamp) -> Result<(), AuthorityError> {
        let fresh = self.leaf.load().as_ref().is_some_and(|leaf| {
            leaf.issuer == set.current.certificate.der && !leaf.is_due(now) && !leaf.is_expired(now)
        });
        if !fresh {
            let AuthorityConfig {
                common_name: _,
                policy,
                dns_names,
                ips,
                ..
            } = &self.config;
            let leaf = set
                .current
                .sign(
                    &self.config.server_name(),
                    dns_names,
                    ips,
                    policy.leaf_lifetime,
                    now,
                )
                .map_err(AuthorityError::Issue)?;
            tracing::info!(secret = self.config.secret_name, not_after = %leaf.not_after, "serving certificate renewed");
            self.leaf.store(Some(Arc::new(leaf)));
        }
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(set));
        // After the leaf: whoever hears of a bundle finds a certificate that it verifies.
        let bundle = set.bundle();
        self.bundle.send_if_modified(|current| {
            let changed = *current != bundle;
            *current = bundle;
            changed
        });
        Ok(())
    }
}

/// Hands out the leaf. Its `Debug`, which rustls asks for, shows nothing.
struct LeafResolver(Arc<Shared>);

impl std::fmt::Debug for LeafResolver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("LeafResolver")
    }
}

impl ResolvesServerCert for LeafResolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.leaf.load().as_ref().map(|leaf| Arc::clone(&leaf.key))
    }
}

/// The task that keeps the Secret and the leaf.
pub(super) struct AuthorityKeeper<S> {
    store: S,
    shared: Arc<Shared>,
    ready: ReadyHandle,
    metrics: Metrics,
}

impl<S: SecretStore> AuthorityKeeper<S> {
    async fn run(self, changes: impl Stream<Item = ()> + Send, shutdown: Shutdown) {
        let mut changes = std::pin::pin!(changes.fuse());
        loop {
            let now = Timestamp::now();
            if let Err(error) = self.refresh(now).await {
                tracing::error!(
                    secret = self.shared.config.secret_name,
                    category = error.category(),
                    error = chain(&error),
                    "failed to refresh certificate authority"
                );
                self.metrics
                    .authority_refreshed(&self.shared.config.secret_name, error.category());
                if !self.can_serve(now) {
                    self.ready.not_ready(chain(&error));
                }
            } else {
                self.metrics
                    .authority_refreshed(&self.shared.config.secret_name, "ok");
                self.ready.ready();
            }
            let pause = if self.can_serve(now) { TICK } else { FIRST_TRIES };
            tokio::select! {
                () = shutdown.stopped() => return,
                () = tokio::time::sleep(pause) => {}
                Some(()) = changes.next() => {}
            }
        }
    }

    fn can_serve(&self, now: Timestamp) -> bool {
        self.shared
            .leaf
            .load()
            .as_ref()
            .is_some_and(|leaf| !leaf.is_expired(now))
    }

    /// Reads the Secret, writes what is due into it, and serves with the result.
    pub(super) async fn refresh(&self, now: Timestamp) -> Result<(), AuthorityError> {
        let AuthorityConfig {
            common_name,
            policy,
            secret_name,
            ..
        } = &self.shared.config;
        for _ in 0..CONFLICTS {
            let mut secret = self.store.get().await?;
            let data = secret.data.take().unwrap_or_default();
            let held = self.shared.held();
            let pinned = self.pinned(&data, held.as_deref()).await?;
            let circumstances = Circumstances {
                common_name,
                policy,
                held: held.as_deref(),
                pinned,
                abandoned: secret.annotations().get(ABANDON_ANNOTATION).map(String::as_str),
                now,
            };
            let plan = plan(&data, circumstances)?;
            // First what is stored: a write that fails must not keep this replica from serving.
            if let Some(stored) = plan.stored {
                self.serve(stored, now)?;
            }
            let Some((transition, set)) = plan.write else {
                return Ok(());
            };
            secret.data = Some(set.merged_into(data));
            let written = self.store.replace(&secret).await;
            wipe(secret.data.take().unwrap_or_default());
            match written {
                Ok(()) => {
                    tracing::info!(secret = secret_name, ?transition, "certificate authority stored");
                    return self.serve(set, now);
                }
                Err(WriteError::Conflict) => {}
                Err(WriteError::Other(error)) => return Err(error),
            }
        }
        Err(AuthorityError::Api {
            action: "update the Secret",
            message: "other replicas keep writing first".to_owned(),
        })
    }

    /// What clients trust, read only where it matters: this replica holds no authority yet, or the Secret holds another.
    async fn pinned(&self, data: &SecretData, held: Option<&CaSet>) -> Result<Pinned, AuthorityError> {
        if self.shared.config.pinned_in.is_none() {
            return Ok(Pinned::nothing());
        }
        if let Some(held) = held {
            let pinned = Pinned::by(held.certificates());
            let goes_on = match CaSet::parse(data) {
                Ok(Some(stored)) => pinned.allows(stored.certificates()),
                Ok(None) | Err(_) => true,
            };
            if goes_on {
                return Ok(pinned);
            }
        }
        self.store.pinned().await
    }

    fn serve(&self, set: CaSet, now: Timestamp) -> Result<(), AuthorityError> {
        let set = Arc::new(set);
        self.shared.adopt(&set, now)?;
        let secret = &self.shared.config.secret_name;
        if let Some(leaf) = self.shared.leaf.load().as_ref() {
            self.metrics
                .certificate_expires(secret, "leaf", leaf.not_after.as_second());
        }
        self.metrics
            .certificate_expires(secret, "current", set.current.certificate.not_after.as_second());
        match &set.next {
            Some(next) => {
                self.metrics
                    .certificate_expires(secret, "next", next.certificate.not_after.as_second())
            }
            None => self.metrics.certificate_gone(secret, "next"),
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
