//! Feeds a [`World`] from an API server.

use std::{sync::Arc, time::Duration};

use deputy_api::{AWSAccount, AWSRole, AWSRoleBinding, DelegationLimit};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, PartialObjectMeta},
    runtime::{WatchStreamExt, watcher},
};

use crate::world::{Kind, World};

/// The kinds that every process watches.
pub const OUR_KINDS: [Kind; 4] = [Kind::Accounts, Kind::Limits, Kind::Roles, Kind::Bindings];
/// Objects a page of the first list.
const PAGE: u32 = 500;

/// Watches `kinds` for ever. `synced` is called once a kind is known whole, and again after each new beginning; `lost` when
/// a watch fails (it is tried again with growing pauses, and what is known stays).
pub async fn run(
    client: Client,
    world: Arc<World>,
    kinds: Vec<Kind>,
    synced: impl Fn(Kind) + Send + Sync + 'static,
    lost: impl Fn(Kind, &watcher::Error) + Send + Sync + 'static,
) {
    let (synced, lost) = (&synced, &lost);
    futures::future::join_all(kinds.into_iter().map(|kind| {
        let (client, world) = (client.clone(), world.clone());
        async move { feed(client, &world, kind, synced, lost).await }
    }))
    .await;
}

async fn feed(
    client: Client,
    world: &World,
    kind: Kind,
    synced: &(impl Fn(Kind) + Send + Sync),
    lost: &(impl Fn(Kind, &watcher::Error) + Send + Sync),
) {
    let config = watcher::Config::default().any_semantic().page_size(PAGE);
    match kind {
        Kind::Namespaces => {
            let api: Api<PartialObjectMeta<Namespace>> = Api::all(client);
            let events = watcher(api, config)
                .default_backoff()
                .map(|e| e.map(|e| convert(e, |o| from_metadata(&o.metadata))));
            follow(events.boxed(), world, kind, synced, lost).await;
        }
        Kind::ServiceAccounts => {
            let api: Api<PartialObjectMeta<ServiceAccount>> = Api::all(client);
            let events = watcher(api, config)
                .default_backoff()
                .map(|e| e.map(|e| convert(e, |o| from_metadata(&o.metadata))));
            follow(events.boxed(), world, kind, synced, lost).await;
        }
        Kind::Accounts | Kind::Limits | Kind::Roles | Kind::Bindings => {
            // Untyped: an object that a type can't hold is kept as unreadable, and wedges no watch.
            let resource = match kind {
                Kind::Accounts => ApiResource::erase::<AWSAccount>(&()),
                Kind::Limits => ApiResource::erase::<DelegationLimit>(&()),
                Kind::Roles => ApiResource::erase::<AWSRole>(&()),
                _ => ApiResource::erase::<AWSRoleBinding>(&()),
            };
            let api: Api<DynamicObject> = Api::all_with(client, &resource);
            follow(
                watcher(api, config).default_backoff().boxed(),
                world,
                kind,
                synced,
                lost,
            )
            .await;
        }
    }
}

async fn follow(
    mut events: futures::stream::BoxStream<'_, Result<watcher::Event<DynamicObject>, watcher::Error>>,
    world: &World,
    kind: Kind,
    synced: &(impl Fn(Kind) + Send + Sync),
    lost: &(impl Fn(Kind, &watcher::Error) + Send + Sync),
) {
    let mut beginning = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Init) => beginning.clear(),
            Ok(watcher::Event::InitApply(object)) => beginning.push(object),
            Ok(watcher::Event::InitDone) => {
                world.reset(kind, &std::mem::take(&mut beginning));
                synced(kind);
            }
            Ok(watcher::Event::Apply(object)) => world.apply(kind, &object),
            Ok(watcher::Event::Delete(object)) => world.delete(kind, &object),
            Err(error) => lost(kind, &error),
        }
    }
}

fn convert<K>(event: watcher::Event<K>, f: impl Fn(K) -> DynamicObject) -> watcher::Event<DynamicObject> {
    match event {
        watcher::Event::Init => watcher::Event::Init,
        watcher::Event::InitApply(o) => watcher::Event::InitApply(f(o)),
        watcher::Event::InitDone => watcher::Event::InitDone,
        watcher::Event::Apply(o) => watcher::Event::Apply(f(o)),
        watcher::Event::Delete(o) => watcher::Event::Delete(f(o)),
    }
}

fn from_metadata(metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> DynamicObject {
    DynamicObject {
        types: None,
        metadata: metadata.clone(),
        data: serde_json::Value::Null,
    }
}

/// How long a live read on a cache miss may take.
pub const LIVE_READ_TIMEOUT: Duration = Duration::from_millis(1500);
