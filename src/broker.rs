//! `deputy broker`

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::Args;
use deputy_broker::{BrokerConfig, NodeAgents, PeopleConfig};
use deputy_runtime::telemetry;

use crate::{
    cluster::Duty,
    exit::Failure,
    process::{Aws, Common, Started, start},
};

const EXAMPLE: &str = "\
Example:
  deputy broker --cluster-name production-1 --listen 0.0.0.0:7418";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct BrokerArguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    aws: Aws,
    /// Where agents are served, with TLS
    #[arg(long, env = "DEPUTY_LISTEN", default_value = "127.0.0.1:7418")]
    listen: SocketAddr,
    /// The Service in front of the brokers
    #[arg(long, env = "DEPUTY_SERVICE", default_value = "deputy-broker")]
    service: String,
    /// Addresses that the serving certificate bears beside the Service's names
    #[arg(long, env = "DEPUTY_EXTRA_SANS", value_delimiter = ',')]
    extra_sans: Vec<IpAddr>,
    /// The Secret with the broker's certificate authority; it must exist, and may be empty
    #[arg(long, env = "DEPUTY_CA_SECRET", default_value = "deputy-broker-ca")]
    ca_secret: String,
    /// A folder with the keys of federation users: for each AWSAccount a file of its name, with what `aws iam create-access-key` prints
    #[arg(long, env = "DEPUTY_FEDERATION_KEYS")]
    federation_keys: Option<PathBuf>,
    /// The ServiceAccount of the agents of nodes, NAMESPACE/SERVICEACCOUNT, which may ask for pods of their own node; none by default
    #[arg(long, env = "DEPUTY_NODE_AGENTS")]
    node_agents: Option<NodeAgents>,
    /// Where people get sessions, from the cluster's API server alone, with TLS; nowhere by default
    #[arg(long, env = "DEPUTY_PEOPLE_LISTEN")]
    people_listen: Option<SocketAddr>,
    /// The APIService by which the API server finds that; it must exist
    #[arg(
        long,
        env = "DEPUTY_PEOPLE_API_SERVICE",
        default_value = "v1alpha1.credentials.deputy.dev"
    )]
    people_api_service: String,
    /// The ConfigMap for the broker's public bundle; it must exist
    #[arg(long, env = "DEPUTY_BROKER_BUNDLE", default_value = "deputy-broker-bundle")]
    bundle: String,
}

pub async fn run(arguments: &BrokerArguments) -> Result<(), Failure> {
    let proxy = Aws::proxy()?;
    let roles_anywhere = arguments.aws.roles_anywhere()?;
    let Started {
        client,
        shutdown,
        health,
        metrics,
        ..
    } = start(&arguments.common, "broker", Duty::Reads).await?;
    let config = BrokerConfig {
        cluster: arguments.common.cluster_name.clone(),
        namespace: arguments.common.namespace.clone(),
        listen: arguments.listen,
        service: arguments.service.clone(),
        extra_sans: arguments.extra_sans.clone(),
        ca_secret: arguments.ca_secret.clone(),
        bundle: arguments.bundle.clone(),
        allow_instance_metadata: arguments.aws.allow_instance_metadata,
        roles_anywhere,
        proxy,
        federation_keys: arguments.federation_keys.clone(),
        node_agents: arguments.node_agents.clone(),
        people: arguments.people_listen.map(|listen| PeopleConfig {
            listen,
            api_service: arguments.people_api_service.clone(),
        }),
    };
    if let Some(sink) = telemetry::audit_sink() {
        let readiness = &health.readiness;
        readiness.check("audit", || sink.check().map_err(|stalled| stalled.to_string()));
    }
    deputy_broker::run(config, client, shutdown, health.readiness, metrics)
        .await
        .map_err(Failure::error)
}
