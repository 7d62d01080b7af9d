//! Feeds a world from an API server.

use std::sync::Arc;

use deputy_api::{AWSAccount, AWSRole, AWSRoleBinding, DelegationLimit};
use futures::{StreamExt as _, future::select_all};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::{
    Api, Client, CustomResourceExt as _,
    api::{DynamicObject, PartialObjectMeta},
    runtime::{
        WatchStreamExt as _,
        watcher::{Config, Error, Event, watcher},
    },
};

use crate::{
    entry::Watched,
    world::{Relist, World},
};

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
/// tried again, with growing pauses (0.8 to 30 s); the world keeps what it has in the meantime. Cancel safe.
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
    let mut events = watcher(api, Config::default()).default_backoff().boxed();
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
    let mut events = watcher(api, Config::default()).default_backoff().boxed();
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
