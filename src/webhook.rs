//! `deputy webhook`

use std::net::{IpAddr, SocketAddr};

use clap::Args;
use deputy_admission::WebhookConfig;
use deputy_delegation::NamespaceName;

use crate::{
    cluster::Duty,
    exit::Failure,
    process::{Common, Started, start},
};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Where reviews arrive, with TLS
    #[arg(long, env = "DEPUTY_LISTEN", default_value = "127.0.0.1:9443")]
    listen: SocketAddr,
    /// The Service through which the API server comes
    #[arg(long, env = "DEPUTY_SERVICE", default_value = "deputy-webhook")]
    service: String,
    /// Addresses that the serving certificate bears beside the Service's names
    #[arg(long, env = "DEPUTY_EXTRA_SANS", value_delimiter = ',')]
    extra_sans: Vec<IpAddr>,
    /// The Secret with the webhook's certificate authority; it must exist, and may be empty
    #[arg(long, env = "DEPUTY_CA_SECRET", default_value = "deputy-webhook-ca")]
    ca_secret: String,
    /// The MutatingWebhookConfiguration whose caBundle is kept current
    #[arg(long, env = "DEPUTY_MUTATING_CONFIGURATION", default_value = "deputy")]
    mutating_configuration: String,
    /// The ValidatingWebhookConfiguration whose caBundle is kept current
    #[arg(long, env = "DEPUTY_VALIDATING_CONFIGURATION", default_value = "deputy")]
    validating_configuration: String,
    /// Image of the sidecar, best by digest
    #[arg(long, env = "DEPUTY_AGENT_IMAGE")]
    agent_image: String,
    /// The Service of the brokers, to which sidecars are sent
    #[arg(long, env = "DEPUTY_BROKER_SERVICE", default_value = "deputy-broker")]
    broker_service: String,
    /// The ConfigMap with the broker's public bundle
    #[arg(long, env = "DEPUTY_BROKER_BUNDLE", default_value = "deputy-broker-bundle")]
    broker_bundle: String,
}

pub async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let namespace = NamespaceName::new(arguments.common.namespace.as_str())?;
    let Started {
        client,
        shutdown,
        health,
        metrics,
        ..
    } = start(&arguments.common, "webhook", Duty::Reads).await?;
    let config = WebhookConfig {
        listen: arguments.listen,
        cluster: arguments.common.cluster_name.clone(),
        namespace,
        service: arguments.service.clone(),
        ca_secret: arguments.ca_secret.clone(),
        mutating_configuration: arguments.mutating_configuration.clone(),
        validating_configuration: arguments.validating_configuration.clone(),
        agent_image: arguments.agent_image.clone(),
        broker_service: arguments.broker_service.clone(),
        broker_bundle: arguments.broker_bundle.clone(),
        extra_sans: arguments.extra_sans.clone(),
    };
    deputy_admission::run(config, client, shutdown, health.readiness, metrics)
        .await
        .map_err(Failure::process)
}
