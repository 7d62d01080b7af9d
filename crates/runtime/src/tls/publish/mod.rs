//! Bringing the bundle to the API server through our webhook configurations.

use std::{fmt::Debug, time::Duration};

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{
        MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
    },
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

/// Which kind of webhook configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookKind {
    /// `ValidatingWebhookConfiguration`
    Validating,
    /// `MutatingWebhookConfiguration`
    Mutating,
}

/// Keeps the `caBundle` of every webhook in the configuration `name` equal to the authority's bundle, until
/// `shutdown` stops: also when somebody else (an upgrade of the chart) removes or changes it.
///
/// The condition `webhook-ca-bundle/<Kind>/<name>` of `readiness` is met once what the API server has stored verifies the
/// certificate that this replica serves with.
///
/// Rights on the configuration by name: `get`, `watch`, `patch`.
pub async fn publish_ca_bundle(
    client: kube::Client,
    kind: WebhookKind,
    name: &str,
    authority: &Authority,
    readiness: &Readiness,
    shutdown: Shutdown,
) {
    let ready = readiness.register(format!("webhook-ca-bundle/{kind:?}/{name}"));
    match kind {
        WebhookKind::Validating => {
            CaBundle::<ValidatingWebhookConfiguration> {
                api: Api::all(client),
                name,
                authority,
                ready,
            }
            .run(shutdown)
            .await;
        }
        WebhookKind::Mutating => {
            CaBundle::<MutatingWebhookConfiguration> {
                api: Api::all(client),
                name,
                authority,
                ready,
            }
            .run(shutdown)
            .await;
        }
    }
}

/// One webhook of a configuration.
#[derive(Debug, PartialEq)]
struct Webhook<'a> {
    name: &'a str,
    ca_bundle: Option<&'a [u8]>,
}

impl<'a> Webhook<'a> {
    fn new(name: &'a str, client_config: &'a WebhookClientConfig) -> Self {
        let ca_bundle = client_config.ca_bundle.as_ref();
        Self {
            name,
            ca_bundle: ca_bundle.map(|ByteString(bytes)| bytes.as_slice()),
        }
    }
}

/// What the two kinds of configuration have in common.
trait WebhookConfiguration:
    Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static
{
    fn webhooks(&self) -> Vec<Webhook<'_>>;
}

impl WebhookConfiguration for ValidatingWebhookConfiguration {
    fn webhooks(&self) -> Vec<Webhook<'_>> {
        let webhooks = self.webhooks.iter().flatten();
        webhooks
            .map(|webhook| Webhook::new(&webhook.name, &webhook.client_config))
            .collect()
    }
}

impl WebhookConfiguration for MutatingWebhookConfiguration {
    fn webhooks(&self) -> Vec<Webhook<'_>> {
        let webhooks = self.webhooks.iter().flatten();
        webhooks
            .map(|webhook| Webhook::new(&webhook.name, &webhook.client_config))
            .collect()
    }
}

/// The operations that give every webhook the bundle; none when all have it. They hold only for the version that
/// was read, and touch nothing else: fields that this build does not know survive.
fn patch(resource_version: &str, webhooks: &[Webhook<'_>], bundle: &[u8]) -> Vec<Value> {
    let mut operations = Vec::new();
    for (index, webhook) in webhooks.iter().enumerate() {
        if webhook.ca_bundle == Some(bundle) {
            continue;
        }
        let path = format!("/webhooks/{index}");
        operations.push(json!({"op": "test", "path": format!("{path}/name"), "value": webhook.name}));
        operations.push(json!({
            "op": "add",
            "path": format!("{path}/clientConfig/caBundle"),
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

/// The webhooks whose bundle does not verify the leaf.
fn unverified<'a>(
    webhooks: &[Webhook<'a>],
    leaf: &CertificateDer<'_>,
    server_name: &str,
    now: Timestamp,
) -> Vec<&'a str> {
    let trusts = |webhook: &&Webhook<'_>| {
        webhook
            .ca_bundle
            .is_some_and(|bundle| bundle_trusts(bundle, leaf, server_name, now).unwrap_or(false))
    };
    webhooks
        .iter()
        .filter(|webhook| !trusts(webhook))
        .map(|webhook| webhook.name)
        .collect()
}

struct CaBundle<'a, K> {
    api: Api<K>,
    name: &'a str,
    authority: &'a Authority,
    ready: ReadyHandle,
}

impl<K: WebhookConfiguration> CaBundle<'_, K> {
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

    /// Writes what is missing and reads it back. Returns the webhooks that do not verify the leaf.
    async fn sync(&self, bundle: &str) -> Result<Vec<String>, PublishError> {
        let object = format!("{} {}", K::kind(&()), self.name);
        for _ in 0..ROUNDS {
            let Some(configuration) = call("get", &object, self.api.get_opt(self.name)).await? else {
                return Err(PublishError::Missing { object });
            };
            let webhooks = configuration.webhooks();
            let Some(leaf) = self.authority.leaf().filter(|_| !bundle.is_empty()) else {
                return Ok(webhooks.iter().map(|webhook| webhook.name.to_owned()).collect());
            };
            let version = configuration.resource_version().unwrap_or_default();
            let operations = patch(&version, &webhooks, bundle.as_bytes());
            if operations.is_empty() {
                let server_name = self.authority.server_name();
                let unverified = unverified(&webhooks, &leaf, &server_name, Timestamp::now());
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
                    "CA bundle not patched: the configuration was changed meanwhile"
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
