//! Feeds an index from an API server.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use deputy_api::{
    AWSAccount, AWSFederatedUserBinding, AWSResourcePolicyStatement, AWSRole, AWSRoleBinding, ClusterAWSRole,
    DelegationLimit,
};
use futures::{StreamExt as _, future::select_all};
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::{
    Api, Client, CustomResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        utils::Backoff,
        watcher::{Config, Error, Event, watcher},
    },
};

use crate::{
    entry::ResourceKind,
    index::{Index, Reset},
    received::{Received, ReceivedMetadata},
    tap::tapped,
};

/// Seconds after which the API server ends a watch; it is begun anew where it ended. Five seconds later the connection
/// counts as dead, so an index is never older than 25 s as long as the API server can be reached at all.
const WATCH_SECONDS: u32 = 20;

/// Objects that are listed at once. A page is in memory as text and as a tree at once, and a process lists all kinds at the same time.
const PAGE: u32 = 100;

/// Pods that have not ended. One that ends leaves the selection, which its watch hears as a deletion; so the metadata, which has no phase, is enough.
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/>
pub const PODS_NOT_ENDED: &str = "status.phase!=Succeeded,status.phase!=Failed";

fn config() -> Config {
    Config::default().timeout(WATCH_SECONDS).page_size(PAGE)
}

/// The pauses between tries. Those of kube grow to 30 s and begin anew only when an object changes, which of some kinds
/// happens once in a month: a second failure long after the first would make the index stale.
#[derive(Debug, Default)]
struct Pauses(u32);

impl Pauses {
    const FIRST: Duration = Duration::from_millis(1000);
    const LAST: Duration = Duration::from_millis(5000);
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = Self::FIRST.saturating_mul(1 << self.0.min(8)).min(Self::LAST);
        self.0 = self.0.saturating_add(1);
        // Processes that lost the API server together do not come back together. A fresh RandomState is randomly keyed.
        let part = u32::try_from(RandomState::new().hash_one(0_u8) % 512).unwrap_or_default();
        Some(pause.saturating_mul(512 + part) / 1024)
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.0 = 0;
    }
}

/// A watch ended.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Its stream ended, which it never should.
    #[error("the watch of {0} ended")]
    Ended(&'static str),
    /// There is nothing to watch.
    #[error("no kind to watch was given")]
    NothingToWatch,
}

impl WatchError {
    /// The class, for metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Ended(_) => "Ended",
            Self::NothingToWatch => "NothingToWatch",
        }
    }
}

/// Feeds `index` with `kinds`, until a watch ends, which is the error. Whatever goes wrong with the API server is
/// tried again, with growing pauses (0.5 to 5 s); the index keeps what it has in the meantime, and knows how old it is
/// ([`Index::current`]). Cancel safe.
///
/// Deputy's own kinds are read untyped: an object that can't be parsed is an unreadable entry, never a watch that
/// stands still. Of namespaces, ServiceAccounts and pods only the metadata is asked for.
pub async fn watch(client: Client, index: Arc<Index>, kinds: &[ResourceKind]) -> WatchError {
    if kinds.is_empty() {
        return WatchError::NothingToWatch;
    }
    let watches = kinds
        .iter()
        .map(|kind| Box::pin(one(client.clone(), Arc::clone(&index), *kind)));
    let (ended, ..) = select_all(watches).await;
    WatchError::Ended(ended.as_str())
}

async fn one(client: Client, index: Arc<Index>, kind: ResourceKind) -> ResourceKind {
    let client = tapped(client, &index, kind);
    match kind {
        ResourceKind::Accounts => objects(client, AWSAccount::api_resource(), &index, kind).await,
        ResourceKind::Limits => objects(client, DelegationLimit::api_resource(), &index, kind).await,
        ResourceKind::Roles => objects(client, AWSRole::api_resource(), &index, kind).await,
        ResourceKind::ClusterRoles => objects(client, ClusterAWSRole::api_resource(), &index, kind).await,
        ResourceKind::Bindings => objects(client, AWSRoleBinding::api_resource(), &index, kind).await,
        ResourceKind::FederatedBindings => {
            objects(client, AWSFederatedUserBinding::api_resource(), &index, kind).await;
        }
        ResourceKind::Statements => {
            objects(client, AWSResourcePolicyStatement::api_resource(), &index, kind).await;
        }
        ResourceKind::Namespaces => {
            let api: Api<ReceivedMetadata<Namespace>> = Api::all(client);
            metadata(api, &index, kind).await;
        }
        ResourceKind::ServiceAccounts => {
            let api: Api<ReceivedMetadata<ServiceAccount>> = Api::all(client);
            metadata(api, &index, kind).await;
        }
        ResourceKind::Pods => {
            let api: Api<ReceivedMetadata<Pod>> = Api::all(client);
            metadata(api, &index, kind).await;
        }
    }
    kind
}

async fn objects(client: Client, resource: kube::core::ApiResource, index: &Arc<Index>, kind: ResourceKind) {
    let api: Api<Received> = Api::all_with(client, &resource);
    let mut reset = None;
    let mut events = watcher(api, config()).backoff(Pauses::default()).boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => reset = Some(index.begin_reset(kind)),
            Ok(Event::InitApply(Received(object))) => match &mut reset {
                Some(reset) => reset.apply(object),
                None => index.apply(kind, object),
            },
            Ok(Event::InitDone) => done(reset.take(), kind),
            Ok(Event::Apply(Received(object))) => index.apply(kind, object),
            Ok(Event::Delete(Received(object))) => index.delete(kind, &object.metadata),
            Err(error) => warn(kind, &error),
        }
    }
}

async fn metadata<K>(api: Api<ReceivedMetadata<K>>, index: &Arc<Index>, kind: ResourceKind)
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + Send + 'static,
{
    let mut reset = None;
    let config = match kind {
        ResourceKind::Pods => config().fields(PODS_NOT_ENDED),
        _ => config(),
    };
    let mut events = watcher(api, config).backoff(Pauses::default()).boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => reset = Some(index.begin_reset(kind)),
            Ok(Event::InitApply(object)) => match &mut reset {
                Some(reset) => reset.apply_metadata(&object.metadata),
                None => index.apply_metadata(kind, &object.metadata),
            },
            Ok(Event::InitDone) => done(reset.take(), kind),
            Ok(Event::Apply(object)) => index.apply_metadata(kind, &object.metadata),
            Ok(Event::Delete(object)) => index.delete(kind, &object.metadata),
            Err(error) => warn(kind, &error),
        }
    }
}

fn done(reset: Option<Reset>, kind: ResourceKind) {
    if let Some(reset) = reset {
        reset.finish();
        tracing::debug!(kind = kind.as_str(), "list read");
    }
}

fn warn(kind: ResourceKind, error: &Error) {
    tracing::warn!(kind = kind.as_str(), %error, "watch failed; trying again");
}
