//! Bringing the bundle to the API server through our webhook configurations and our APIService.

use std::{fmt::Debug, time::Duration};

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{
        MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
    },
    kube_aggregator::pkg::apis::apiregistration::v1::APIService,
};
use kube::{
    Api, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
};
use rustls_pki_types::CertificateDer;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    authority::Authority,
    bundle_call::{CALL_TIMEOUT, PublishError, TICK, backoff, call},
    certificate::bundle_trusts,
};
use crate::{
    error::chain,
    health::{Readiness, ReadyHandle},
    shutdown::Shutdown,
    watch::{changes, describe},
};

/// The pause while what is published does not verify our certificate.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a write starts over at once when somebody else was faster.
const ROUNDS: usize = 4;

/// What the API server reads a bundle from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleHolder {
    /// `ValidatingWebhookConfiguration`
    Validating,
    /// `MutatingWebhookConfiguration`
    Mutating,
    /// `APIService`
    ApiService,
}

/// Keeps every `caBundle` of the object `name` equal to the authority's bundle, until `shutdown` stops: also when somebody else (an upgrade
/// of the chart) removes or changes it.
///
/// The condition `webhook-ca-bundle/<Kind>/<name>` of `readiness`, or one of the APIService's name, is met once what the API server has stored
/// verifies the certificate that this replica serves with.
///
/// Rights on the object by name: `get`, `watch`, `patch`.
pub async fn publish_ca_bundle(
    client: kube::Client,
    holder: BundleHolder,
    name: &str,
    authority: &Authority,
    readiness: &Readiness,
    shutdown: Shutdown,
) {
    let ready = match holder {
        BundleHolder::Validating | BundleHolder::Mutating => {
            readiness.register(format!("webhook-ca-bundle/{holder:?}/{name}"))
        }
        BundleHolder::ApiService => readiness.register(name),
    };
    match holder {
        BundleHolder::Validating => {
            let api = Api::<ValidatingWebhookConfiguration>::all(client);
            CaBundle::new(api, name, authority, ready).run(shutdown).await;
        }
        BundleHolder::Mutating => {
            let api = Api::<MutatingWebhookConfiguration>::all(client);
            CaBundle::new(api, name, authority, ready).run(shutdown).await;
        }
        BundleHolder::ApiService => {
            let api = Api::<APIService>::all(client);
            CaBundle::new(api, name, authority, ready).run(shutdown).await;
        }
    }
}

/// Where an object has a bundle.
#[derive(Debug, PartialEq)]
struct BundlePlace<'a> {
    /// For people.
    name: &'a str,
    /// As JSON Patch writes it.
    path: String,
    /// What must be the same for the place to be the one that is meant.
    test: Option<(String, &'a str)>,
    bundle: Option<&'a [u8]>,
}

impl<'a> BundlePlace<'a> {
    fn of_webhook(index: usize, name: &'a str, client_config: &'a WebhookClientConfig) -> Self {
        let path = format!("/webhooks/{index}");
        Self {
            name,
            test: Some((format!("{path}/name"), name)),
            path: format!("{path}/clientConfig/caBundle"),
            bundle: bytes(client_config.ca_bundle.as_ref()),
        }
    }
}

fn bytes(bundle: Option<&ByteString>) -> Option<&[u8]> {
    bundle.map(|ByteString(bytes)| bytes.as_slice())
}

/// What the kinds have in common.
trait HoldsBundle: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static {
    fn places(&self) -> Vec<BundlePlace<'_>>;
}

impl HoldsBundle for ValidatingWebhookConfiguration {
    fn places(&self) -> Vec<BundlePlace<'_>> {
        let webhooks = self.webhooks.iter().flatten().enumerate();
        webhooks
            .map(|(i, webhook)| BundlePlace::of_webhook(i, &webhook.name, &webhook.client_config))
            .collect()
    }
}

impl HoldsBundle for MutatingWebhookConfiguration {
    fn places(&self) -> Vec<BundlePlace<'_>> {
        let webhooks = self.webhooks.iter().flatten().enumerate();
        webhooks
            .map(|(i, webhook)| BundlePlace::of_webhook(i, &webhook.name, &webhook.client_config))
            .collect()
    }
}

impl HoldsBundle for APIService {
    fn places(&self) -> Vec<BundlePlace<'_>> {
        let spec = self.spec.iter();
        spec.map(|spec| BundlePlace {
            name: self.metadata.name.as_deref().unwrap_or_default(),
            path: "/spec/caBundle".to_owned(),
            test: None,
            bundle: bytes(spec.ca_bundle.as_ref()),
        })
        .collect()
    }
}

/// The operations that give every place the bundle; none when all have it. They hold only for the version that
/// was read, and touch nothing else: fields that this build does not know survive.
fn patch(resource_version: &str, places: &[BundlePlace<'_>], bundle: &[u8]) -> Vec<Value> {
    let mut operations = Vec::new();
    for place in places {
        if place.bundle == Some(bundle) {
            continue;
        }
        let test = place.test.as_ref();
        operations.extend(test.map(|(path, value)| json!({"op": "test", "path": path, "value": value})));
        operations.push(json!({
            "op": "add",
            "path": place.path,
            "value": ByteString(bundle.to_vec()),
        }));
    }
    if !operations.is_empty() {
        operations.insert(
            0,
            json!({"op": "test", "path": "/metadata/resourceVersion", "value": resource_version}),
        );
    }
    operations
}

/// The places whose bundle does not verify the leaf.
fn unverified<'a>(
    places: &[BundlePlace<'a>],
    leaf: &CertificateDer<'_>,
    server_name: &str,
    now: Timestamp,
) -> Vec<&'a str> {
    let trusts = |place: &&BundlePlace<'_>| {
        place
            .bundle
            .is_some_and(|bundle| bundle_trusts(bundle, leaf, server_name, now).unwrap_or(false))
    };
    places
        .iter()
        .filter(|place| !trusts(place))
        .map(|place| place.name)
        .collect()
}

struct CaBundle<'a, K> {
    api: Api<K>,
    name: &'a str,
    authority: &'a Authority,
    ready: ReadyHandle,
}

impl<'a, K: HoldsBundle> CaBundle<'a, K> {
    fn new(api: Api<K>, name: &'a str, authority: &'a Authority, ready: ReadyHandle) -> Self {
        Self {
            api,
            name,
            authority,
            ready,
        }
    }

    async fn run(self, shutdown: Shutdown) {
        let mut changes = std::pin::pin!(changes(self.api.clone(), self.name));
        let mut bundle = self.authority.bundle();
        let mut verified = false;
        let mut failures = 0;
        loop {
            let wanted = bundle.borrow_and_update().clone();
            let result = self.sync(&wanted).await;
            failures = if result.is_ok() { 0 } else { failures + 1 };
            let pause = match result {
                Ok(missing) if missing.is_empty() => {
                    verified = true;
                    self.ready.ready();
                    TICK
                }
                Ok(missing) => {
                    verified = false;
                    self.ready.not_ready(format!(
                        "the caBundle of {} does not verify this replica's certificate",
                        missing.join(", ")
                    ));
                    PAUSE
                }
                Err(error) => {
                    tracing::warn!(
                        category = error.category(),
                        error = chain(&error),
                        "failed to publish CA bundle"
                    );
                    // What was verified stays so while the API server is away.
                    if !verified || matches!(error, PublishError::Missing { .. }) {
                        verified = false;
                        self.ready.not_ready(chain(&error));
                    }
                    backoff(failures)
                }
            };
            tokio::select! {
                () = shutdown.stopped() => return,
                () = tokio::time::sleep(pause) => {}
                Some(()) = changes.next(), if failures == 0 => {}
                Ok(()) = bundle.changed() => {}
            }
        }
    }

    /// Writes what is missing and reads it back. Returns the places that do not verify the leaf.
    async fn sync(&self, bundle: &str) -> Result<Vec<String>, PublishError> {
        let object = format!("{} {}", K::kind(&()), self.name);
        for _ in 0..ROUNDS {
            let Some(configuration) = call("get", &object, self.api.get_opt(self.name)).await? else {
                return Err(PublishError::Missing { object });
            };
            let places = configuration.places();
            let Some(leaf) = self.authority.leaf().filter(|_| !bundle.is_empty()) else {
                return Ok(places.iter().map(|place| place.name.to_owned()).collect());
            };
            let version = configuration.resource_version().unwrap_or_default();
            let operations = patch(&version, &places, bundle.as_bytes());
            if operations.is_empty() {
                let server_name = self.authority.server_name();
                let unverified = unverified(&places, &leaf, &server_name, Timestamp::now());
                return Ok(unverified.into_iter().map(str::to_owned).collect());
            }
            self.patch(&object, operations).await?;
        }
        let message = format!("others changed it {ROUNDS} times meanwhile");
        Err(PublishError::Api {
            action: "patch",
            object,
            message,
        })
    }

    /// Applies `operations`. When their tests do not hold any more, nothing is done.
    async fn patch(&self, object: &str, operations: Vec<Value>) -> Result<(), PublishError> {
        let error = |message| PublishError::Api {
            action: "patch",
            object: object.to_owned(),
            message,
        };
        let operations = serde_json::from_value(Value::Array(operations))
            .map_err(|source| error(format!("the patch is not valid: {source}")))?;
        let parameters = PatchParams::default();
        let operations = Patch::<()>::Json(operations);
        let request = self.api.patch(self.name, &parameters, &operations);
        match tokio::time::timeout(CALL_TIMEOUT, request).await {
            Ok(Ok(_)) => {
                tracing::info!(object, "CA bundle published");
                Ok(())
            }
            // A test that does not hold is answered with 422: another replica was faster.
            Ok(Err(kube::Error::Api(status))) if status.is_conflict() || status.is_invalid() => {
                tracing::debug!(
                    object,
                    detail = status.message,
                    "CA bundle not patched: the object was changed meanwhile"
                );
                Ok(())
            }
            Ok(Err(source)) => Err(error(describe(&source))),
            Err(_) => Err(error(format!("no answer within {} s", CALL_TIMEOUT.as_secs()))),
        }
    }
}

#[cfg(test)]
mod tests;
