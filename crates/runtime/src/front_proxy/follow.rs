//! Keeping current whose certificates count.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use rustls::server::danger::ClientCertVerifier;

use super::{
    config::{FrontProxy, FrontProxyError},
    verifier::{CurrentFrontProxy, FrontProxyVerifier},
};
use crate::{
    error::chain,
    shutdown::Shutdown,
    watch::{changes, describe},
};

/// Where the API server says it.
const NAMESPACE: &str = "kube-system";
const NAME: &str = "extension-apiserver-authentication";
/// How often it is read although nothing is known to have changed.
const TICK: Duration = Duration::from_secs(60);
/// The pause before another try while nothing is known.
const FIRST_TRIES: Duration = Duration::from_secs(2);
/// How long the API server may take to answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Whose certificates count now. Clones are the same one.
#[derive(Clone, Default)]
pub struct FrontProxyKeeper {
    known: CurrentFrontProxy,
}

impl FrontProxyKeeper {
    /// For a server: only who shows such a certificate gets a connection.
    #[must_use]
    pub fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::new(FrontProxyVerifier::new(Arc::clone(&self.known)))
    }

    /// What is known; nothing before the ConfigMap was read.
    #[must_use]
    pub fn current(&self) -> Option<Arc<FrontProxy>> {
        self.known.load_full()
    }

    /// From now on this counts. What can't be read takes everything back: whom it would let in is not known.
    pub fn learn(&self, parsed: Result<FrontProxy, FrontProxyError>) -> Result<(), FrontProxyError> {
        let (known, outcome) = match parsed {
            Ok(known) => (Some(Arc::new(known)), Ok(())),
            Err(error) => (None, Err(error)),
        };
        self.known.store(known);
        outcome
    }
}

/// Follows ConfigMap `kube-system/extension-apiserver-authentication` until `shutdown` stops. While the API server does not answer, what was
/// read last counts on: nobody else could use it.
///
/// Rights on the ConfigMap by name: `get`, `watch`.
pub async fn follow_front_proxy(client: Client, keeper: FrontProxyKeeper, shutdown: Shutdown) {
    let api = Api::<ConfigMap>::namespaced(client, NAMESPACE);
    let mut changes = std::pin::pin!(changes(api.clone(), NAME));
    loop {
        let read = match tokio::time::timeout(CALL_TIMEOUT, api.get(NAME)).await {
            Ok(Ok(map)) => keeper
                .learn(FrontProxy::parse(&map.data.unwrap_or_default()))
                .map_err(|error| chain(&error)),
            Ok(Err(error)) => Err(describe(&error)),
            Err(_) => Err(format!("no answer within {} s", CALL_TIMEOUT.as_secs())),
        };
        if let Err(error) = read {
            tracing::warn!(
                object = format!("ConfigMap {NAMESPACE}/{NAME}"),
                error,
                "failed to read whom the aggregated API believes"
            );
        }
        let pause = if keeper.current().is_some() {
            TICK
        } else {
            FIRST_TRIES
        };
        tokio::select! {
            () = shutdown.stopped() => return,
            () = tokio::time::sleep(pause) => {}
            Some(()) = changes.next() => {}
        }
    }
}
