//! `deputy webhook`

use std::net::{IpAddr, SocketAddr};

use clap::Args;
use deputy_admission::{
    WebhookConfig,
    inject::{
        AgentSettings, Amounts, MeshDefaults, NodeAgentAddress, PodDelivery, Quantity, Resources, RunAs,
    },
};
use deputy_delegation::{NamespaceName, Region};

use crate::{
    cluster::Duty,
    exit::Failure,
    process::{Common, Started, start},
};

const EXAMPLE: &str = "\
Example:
  deputy webhook --cluster-name production-1 --listen 0.0.0.0:9443";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct WebhookArguments {
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
    #[command(flatten)]
    agent: Agent,
    /// The Service of the brokers, to which sidecars are sent
    #[arg(long, env = "DEPUTY_BROKER_SERVICE", default_value = "deputy-broker")]
    broker_service: String,
    /// The ConfigMap with the broker's public bundle
    #[arg(long, env = "DEPUTY_BROKER_BUNDLE", default_value = "deputy-broker-bundle")]
    broker_bundle: String,
}

/// How agents are.
#[derive(Debug, Args)]
struct Agent {
    /// Image of the sidecar, best by digest
    #[arg(long, env = "DEPUTY_AGENT_IMAGE")]
    agent_image: String,
    /// Where the sidecar listens, on loopback; a pod's annotation may say otherwise
    #[arg(long, env = "DEPUTY_AGENT_PORT", default_value_t = 7419, value_parser = clap::value_parser!(u16).range(1024..))]
    agent_port: u16,
    /// CPU that the sidecar asks for; a pod's annotations may say otherwise, here and below
    #[arg(long, env = "DEPUTY_AGENT_CPU_REQUEST")]
    agent_cpu_request: Option<Quantity>,
    /// CPU that the sidecar never gets more of
    #[arg(long, env = "DEPUTY_AGENT_CPU_LIMIT")]
    agent_cpu_limit: Option<Quantity>,
    /// Memory that the sidecar asks for
    #[arg(long, env = "DEPUTY_AGENT_MEMORY_REQUEST")]
    agent_memory_request: Option<Quantity>,
    /// Memory that the sidecar never gets more of
    #[arg(long, env = "DEPUTY_AGENT_MEMORY_LIMIT")]
    agent_memory_limit: Option<Quantity>,
    /// Whom the sidecar runs as: a user id, or `image`
    #[arg(long, env = "DEPUTY_AGENT_RUN_AS_USER", default_value = "65532")]
    agent_run_as_user: RunAs,
    /// The region of pods whose binding and limits say none
    #[arg(long, env = "DEPUTY_AGENT_DEFAULT_REGION", value_parser = |text: &str| Region::new(text))]
    agent_default_region: Option<Region>,
    /// Ports that Istio's proxies leave alone everywhere (`global.proxy.excludeOutboundPorts`)
    #[arg(long, env = "DEPUTY_ISTIO_EXCLUDED_PORTS", default_value = "")]
    istio_excluded_ports: String,
    /// Ports that Linkerd's proxies leave alone everywhere (`proxyInit.ignoreOutboundPorts`)
    #[arg(long, env = "DEPUTY_LINKERD_SKIPPED_PORTS", default_value = "4567,4568")]
    linkerd_skipped_ports: String,
    /// How credentials reach pods for which neither they nor their namespace say it: `Sidecar` or `Node`
    #[arg(long, env = "DEPUTY_INJECTION_DELIVERY", default_value = "Sidecar")]
    injection_delivery: PodDelivery,
    /// Where the agents on nodes listen (chart deputy-agent), such as 169.254.170.23:7419; without it there are none
    #[arg(long, env = "DEPUTY_NODE_AGENT_ADDRESS")]
    node_agent_address: Option<NodeAgentAddress>,
}

impl Agent {
    fn settings(&self) -> AgentSettings {
        AgentSettings {
            image: self.agent_image.clone(),
            port: self.agent_port,
            resources: Resources {
                cpu: Amounts {
                    request: self.agent_cpu_request.clone(),
                    limit: self.agent_cpu_limit.clone(),
                },
                memory: Amounts {
                    request: self.agent_memory_request.clone(),
                    limit: self.agent_memory_limit.clone(),
                },
            },
            run_as: self.agent_run_as_user,
            default_region: self.agent_default_region.clone(),
            mesh: MeshDefaults {
                istio: self.istio_excluded_ports.clone(),
                linkerd: self.linkerd_skipped_ports.clone(),
            },
            delivery: self.injection_delivery,
            node: self.node_agent_address,
        }
    }
}

pub async fn run(arguments: &WebhookArguments) -> Result<(), Failure> {
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
        agent: arguments.agent.settings(),
        broker_service: arguments.broker_service.clone(),
        broker_bundle: arguments.broker_bundle.clone(),
        extra_sans: arguments.extra_sans.clone(),
    };
    deputy_admission::run(config, client, shutdown, health.readiness, metrics)
        .await
        .map_err(Failure::error)
}
