//! The broker's bundle on its way to pods: the broker writes it into a ConfigMap, the webhook reads it there and
//! puts it into the sidecar.

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, api::PostParams};
use tokio::sync::watch;

use super::{
    Bundle,
    bundle_call::{PublishError, TICK, backoff, call},
    certificate::parse_bundle,
};
use crate::{error::chain, health::Readiness, shutdown::Shutdown, watch::changes};

/// The key of the ConfigMap that holds the bundle.
pub(super) const BUNDLE_KEY: &str = "ca.crt";

/// Keeps the key `ca.crt` of the ConfigMap `name` equal to the bundle, until `shutdown` stops.
///
/// Rights on the ConfigMap by name: `get`, `update`.
pub async fn publish_bundle_config_map(
    client: kube::Client,
    namespace: &str,
    name: &str,
    mut bundle: watch::Receiver<Bundle>,
    shutdown: Shutdown,
) {
    let api = Api::<ConfigMap>::namespaced(client, namespace);
    let mut failures = 0;
    loop {
        let wanted = bundle.borrow_and_update().clone();
        let pause = match write_config_map(&api, name, &wanted).await {
            Ok(()) => {
                failures = 0;
                TICK
            }
            Err(error) => {
                failures += 1;
                if !matches!(error, PublishError::Conflict { .. }) {
                    tracing::warn!(
                        category = error.category(),
                        error = chain(&error),
                        "failed to publish bundle"
                    );
                }
                backoff(failures)
            }
        };
        tokio::select! {
            () = shutdown.stopped() => return,
            () = tokio::time::sleep(pause) => {}
            Ok(()) = bundle.changed() => {}
        }
    }
}

async fn write_config_map(api: &Api<ConfigMap>, name: &str, bundle: &str) -> Result<(), PublishError> {
    if bundle.is_empty() {
        return Ok(());
    }
    let object = format!("ConfigMap {name}");
    let Some(mut config_map) = call("get", &object, api.get_opt(name)).await? else {
        return Err(PublishError::Missing { object });
    };
    let data = config_map.data.get_or_insert_default();
    if data.get(BUNDLE_KEY).map(String::as_str) == Some(bundle) {
        return Ok(());
    }
    data.insert(BUNDLE_KEY.to_owned(), bundle.to_owned());
    call(
        "update",
        &object,
        api.replace(name, &PostParams::default(), &config_map),
    )
    .await?;
    tracing::info!(config_map = name, "bundle published");
    Ok(())
}

/// Follows the key `ca.crt` of the ConfigMap `name`, which the broker publishes, until `shutdown` stops. Empty until
/// it was read; while it can't be read, the last value stays. The condition `broker-bundle` of `readiness` is met
/// once it has a value.
///
/// Rights on the ConfigMap by name: `get`, `watch`.
pub fn follow_bundle_config_map(
    client: kube::Client,
    namespace: &str,
    name: &str,
    readiness: &Readiness,
    shutdown: Shutdown,
) -> watch::Receiver<Bundle> {
    let ready = readiness.register("broker-bundle");
    let (sender, bundle) = watch::channel(Bundle::from(""));
    let api = Api::<ConfigMap>::namespaced(client, namespace);
    let name = name.to_owned();
    tokio::spawn(async move {
        let mut changes = std::pin::pin!(changes(api.clone(), &name));
        let mut failures = 0;
        loop {
            let pause = match read_config_map(&api, &name).await {
                Ok(read) => {
                    failures = 0;
                    sender.send_if_modified(|current| {
                        let changed = *current != read;
                        *current = read;
                        changed
                    });
                    ready.ready();
                    TICK
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(
                        category = error.category(),
                        error = chain(&error),
                        "failed to read broker bundle"
                    );
                    if sender.borrow().is_empty() {
                        ready.not_ready(chain(&error));
                    }
                    backoff(failures)
                }
            };
            tokio::select! {
                () = shutdown.stopped() => return,
                () = tokio::time::sleep(pause) => {}
                Some(()) = changes.next() => {}
            }
        }
    });
    bundle
}

async fn read_config_map(api: &Api<ConfigMap>, name: &str) -> Result<Bundle, PublishError> {
    let object = format!("ConfigMap {name}");
    let Some(config_map) = call("get", &object, api.get_opt(name)).await? else {
        return Err(PublishError::Missing { object });
    };
    let bundle = config_map
        .data
        .as_ref()
        .and_then(|data| data.get(BUNDLE_KEY))
        .map_or("", String::as_str);
    match parse_bundle(bundle.as_bytes()) {
        Ok(_) => Ok(bundle.into()),
        Err(_) if bundle.is_empty() => Err(PublishError::Empty { object }),
        Err(source) => Err(PublishError::Unusable { object, source }),
    }
}
