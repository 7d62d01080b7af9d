//! Feeds a world from an API server.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use deputy_api::{AWSAccount, AWSRole, AWSRoleBinding, DelegationLimit};
use futures::{StreamExt as _, future::select_all};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::{
    Api, Client, CustomResourceExt as _,
    api::{DynamicObject, PartialObjectMeta},
    runtime::{
        WatchStreamExt as _,
        utils::Backoff,
        watcher::{Config, Error, Event, watcher},
    },
};

use crate::{
    entry::Watched,
    tap::tapped,
    world::{Relist, World},
};

/// Seconds after which the API server ends a watch; it is begun anew where it ended. Five seconds later the connection
/// counts as dead, so a world is never older than 25 s as long as the API server can be reached at all.
const WATCH_SECONDS: u32 = 20;

fn config() -> Config {
    Config::default().timeout(WATCH_SECONDS)
}

/// The pauses between tries. Those of kube grow to 30 s and begin anew only when an object changes, which of some kinds
/// happens once in a month: a second failure long after the first would make the world stale.
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

/// Feeds `world` with `kinds`, until a watch ends, which is the error. Whatever goes wrong with the API server is
/// tried again, with growing pauses (0.5 to 5 s); the world keeps what it has in the meantime, and knows how old it is
/// ([`World::current`]). Cancel safe.
///
/// Deputy's own kinds are read untyped: an object that can't be parsed is an unreadable entry, never a watch that
/// stands still. Of namespaces and ServiceAccounts only the metadata is asked for.
pub async fn watch(client: Client, world: Arc<World>, kinds: &[Watched]) -> WatchError {
    if kinds.is_empty() {
        return WatchError::NothingToWatch;
    }
    let watches = kinds
        .iter()
        .map(|kind| Box::pin(one(client.clone(), Arc::clone(&world), *kind)));
    let (ended, ..) = select_all(watches).await;
    WatchError::Ended(ended.as_str())
}

async fn one(client: Client, world: Arc<World>, kind: Watched) -> Watched {
    let client = tapped(client, &world, kind);
    match kind {
        Watched::Accounts => objects(client, AWSAccount::api_resource(), &world, kind).await,
        Watched::Limits => objects(client, DelegationLimit::api_resource(), &world, kind).await,
        Watched::Roles => objects(client, AWSRole::api_resource(), &world, kind).await,
        Watched::Bindings => objects(client, AWSRoleBinding::api_resource(), &world, kind).await,
        Watched::Namespaces => {
            let api: Api<PartialObjectMeta<Namespace>> = Api::all(client);
            metadata(api, &world, kind).await;
        }
        Watched::ServiceAccounts => {
            let api: Api<PartialObjectMeta<ServiceAccount>> = Api::all(client);
            metadata(api, &world, kind).await;
        }
    }
    kind
}

async fn objects(client: Client, resource: kube::core::ApiResource, world: &Arc<World>, kind: Watched) {
    let api: Api<DynamicObject> = Api::all_with(client, &resource);
    let mut relist = None;
    let mut events = watcher(api, config()).backoff(Pauses::default()).boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => relist = Some(world.relist(kind)),
            Ok(Event::InitApply(object)) => match &mut relist {
                Some(relist) => relist.apply(object),
                None => world.apply(kind, object),
            },
            Ok(Event::InitDone) => done(relist.take(), kind),
            Ok(Event::Apply(object)) => world.apply(kind, object),
            Ok(Event::Delete(object)) => world.delete(kind, &object.metadata),
            Err(error) => warn(kind, &error),
        }
    }
}

async fn metadata<K>(api: Api<PartialObjectMeta<K>>, world: &Arc<World>, kind: Watched)
where
    PartialObjectMeta<K>: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + Send + 'static,
    PartialObjectMeta<K>: serde::de::DeserializeOwned,
{
    let mut relist = None;
    let mut events = watcher(api, config()).backoff(Pauses::default()).boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => relist = Some(world.relist(kind)),
            Ok(Event::InitApply(object)) => match &mut relist {
                Some(relist) => relist.apply_metadata(&object.metadata),
                None => world.apply_metadata(kind, &object.metadata),
            },
            Ok(Event::InitDone) => done(relist.take(), kind),
            Ok(Event::Apply(object)) => world.apply_metadata(kind, &object.metadata),
            Ok(Event::Delete(object)) => world.delete(kind, &object.metadata),
            Err(error) => warn(kind, &error),
        }
    }
}

fn done(relist: Option<Relist>, kind: Watched) {
    if let Some(relist) = relist {
        relist.finish();
        tracing::debug!(kind = kind.as_str(), "list read");
    }
}

fn warn(kind: Watched, error: &Error) {
    tracing::warn!(kind = kind.as_str(), %error, "watch failed; trying again");
}
