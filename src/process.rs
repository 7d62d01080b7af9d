//! What the four processes have in common: logs, the API server, health, an orderly end.

use std::{future::Future, net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use deputy_aws::{Proxy, RolesAnywhere, RolesAnywhereSettings};
use deputy_delegation::{ClusterName, ProfileArn, RoleArn, TrustAnchorArn};
use deputy_runtime::{
    client, contain, health, lease, metrics::Metrics, process, serve, shutdown::Shutdown, telemetry,
};

use crate::{
    cluster::{Cluster, Duty},
    exit::{CommandAnswer, CommandResult, Failure},
};

/// Flags of every process. The chart sets them by environment.
#[derive(Debug, Args)]
pub struct Common {
    /// The name of this cluster towards AWS. Never change it: every name, path and tag in AWS follows from it
    #[arg(long, env = "DEPUTY_CLUSTER_NAME")]
    pub cluster_name: ClusterName,
    /// The namespace this process runs in
    #[arg(long, env = "POD_NAMESPACE", default_value = "deputy-system")]
    pub namespace: String,
    /// The ConfigMap in which the cluster remembers its name towards AWS
    #[arg(long, env = "DEPUTY_CLUSTER_CONFIG_MAP", default_value = "deputy-cluster")]
    pub cluster_config_map: String,
    /// The name of this pod; made up where there is none
    #[arg(long, env = "POD_NAME")]
    pub pod_name: Option<String>,
    /// Where health and metrics are served, without TLS
    #[arg(long, env = "DEPUTY_ADMIN_ADDRESS", default_value = "127.0.0.1:8080")]
    pub admin_address: SocketAddr,
    /// Where health is served for the kubelet, without TLS and apart from everything else; nowhere by default
    #[arg(long, env = "DEPUTY_PROBES_ADDRESS")]
    pub probes_address: Option<SocketAddr>,
    /// Seconds between the signal to stop and the end of serving, while Services forget this pod
    #[arg(long, env = "DEPUTY_DRAIN_SECONDS", default_value_t = 5)]
    pub drain_seconds: u64,
}

/// Flags of the processes that call AWS.
#[derive(Debug, Args)]
pub struct Aws {
    /// Use the node's own AWS identity (instance metadata) where there is no other. Every pod of the node may have it too
    #[arg(long, env = "DEPUTY_ALLOW_INSTANCE_METADATA")]
    pub allow_instance_metadata: bool,
    #[command(flatten)]
    anywhere: Anywhere,
}

/// An identity from IAM Roles Anywhere. Without a trust anchor, profile and role there is none.
#[derive(Debug, Args)]
struct Anywhere {
    /// Have the AWS identity from IAM Roles Anywhere, by this trust anchor's certificates; nothing else is asked for one then
    #[arg(
        long = "roles-anywhere-trust-anchor",
        env = "DEPUTY_ROLES_ANYWHERE_TRUST_ANCHOR",
        value_name = "ARN",
        requires_all = ["profile", "role"]
    )]
    trust_anchor: Option<TrustAnchorArn>,
    /// The profile of IAM Roles Anywhere that lets the role be given
    #[arg(
        long = "roles-anywhere-profile",
        env = "DEPUTY_ROLES_ANYWHERE_PROFILE",
        value_name = "ARN",
        requires_all = ["trust_anchor", "role"]
    )]
    profile: Option<ProfileArn>,
    /// The role that IAM Roles Anywhere gives: who this process is in AWS
    #[arg(
        long = "roles-anywhere-role",
        env = "DEPUTY_ROLES_ANYWHERE_ROLE",
        value_name = "ARN",
        requires_all = ["trust_anchor", "profile"]
    )]
    role: Option<RoleArn>,
    /// The folder with tls.crt (the certificate, then intermediate ones) and tls.key; read again for each session
    #[arg(
        long = "roles-anywhere-certificate",
        env = "DEPUTY_ROLES_ANYWHERE_CERTIFICATE",
        value_name = "FOLDER",
        default_value = "/var/run/secrets/deputy.dev/roles-anywhere"
    )]
    certificate: PathBuf,
    /// Seconds that a session of IAM Roles Anywhere lasts, 900 to 43200; the profile and the role may say less
    #[arg(
        long = "roles-anywhere-session-seconds",
        env = "DEPUTY_ROLES_ANYWHERE_SESSION_SECONDS",
        value_name = "SECONDS",
        default_value_t = 3600
    )]
    session_seconds: u64,
    /// Call this instead of IAM Roles Anywhere's own endpoint: https://, or http:// on loopback
    #[arg(
        long = "roles-anywhere-endpoint",
        env = "DEPUTY_ROLES_ANYWHERE_ENDPOINT",
        value_name = "URL"
    )]
    endpoint: Option<String>,
}

impl Aws {
    /// The identity from IAM Roles Anywhere, if one is wanted.
    pub fn roles_anywhere(&self) -> Result<Option<RolesAnywhere>, Failure> {
        let said = &self.anywhere;
        let (Some(trust_anchor), Some(profile), Some(role)) = (&said.trust_anchor, &said.profile, &said.role)
        else {
            return Ok(None);
        };
        let settings = RolesAnywhereSettings {
            trust_anchor: trust_anchor.clone(),
            profile: profile.clone(),
            role: role.clone(),
            certificate_folder: said.certificate.clone(),
            session: Duration::from_secs(said.session_seconds),
            endpoint: said.endpoint.clone(),
        };
        RolesAnywhere::new(settings)
            .map(Some)
            .map_err(|error| Failure::input(format!("IAM Roles Anywhere: {error}")))
    }

    /// The proxy of the environment. It is for AWS alone.
    pub fn proxy() -> Result<Option<Proxy>, Failure> {
        Proxy::from_variables(|name| std::env::var(name).ok())
            .map_err(|error| Failure::input(error.to_string()))
    }
}

/// A process that has begun.
pub struct Started {
    pub client: kube::Client,
    pub shutdown: Shutdown,
    pub health: health::Health,
    pub metrics: Metrics,
    pub identity: String,
}

/// Begins a process of this `mode`.
pub async fn start(common: &Common, mode: &'static str, duty: Duty) -> Result<Started, Failure> {
    telemetry::init().map_err(Failure::error)?;
    contain::install();
    process::forbid_dumps().map_err(Failure::error)?;
    let files = process::raise_open_files();
    client::install_crypto_provider().map_err(Failure::error)?;
    let shutdown =
        Shutdown::from_signals(Duration::from_secs(common.drain_seconds)).map_err(Failure::error)?;
    let metrics = Metrics::new(mode);
    metrics.register_count(
        "policy_unverified_certificates",
        "Proofs of containment that did not verify; each is a fault in Deputy and refused what it was about",
        deputy_policy::unverified_certificates,
    );
    metrics.register_count(
        "log_lines_dropped",
        "Lines other than audit lines that were lost because too many could not be written",
        telemetry::dropped_log_lines,
    );
    let client = client::kube_client(&format!("deputy-{mode}/{}", env!("CARGO_PKG_VERSION")))
        .await
        .map_err(Failure::error)?;
    let health = health::Health {
        readiness: health::Readiness::with_shutdown(shutdown.clone()),
        liveness: health::Liveness::new(),
    };
    health.liveness.watch_runtime();
    if let Some(address) = common.probes_address {
        health::serve_probes(address, health.clone(), metrics.clone(), shutdown.clone())
            .map_err(Failure::error)?;
    }
    let listener = serve::bind(common.admin_address).await.map_err(Failure::error)?;
    let admin = health::serve_admin(listener, health.clone(), metrics.clone(), shutdown.clone());
    tokio::spawn(admin);
    tracing::info!(mode, cluster = %common.cluster_name, version = env!("CARGO_PKG_VERSION"), files, "started");
    let cluster = Cluster {
        client: client.clone(),
        namespace: &common.namespace,
        config_map: &common.cluster_config_map,
        name: &common.cluster_name,
        duty,
    };
    let ready = health.readiness.register("cluster-name");
    cluster.admit(&ready, &shutdown).await.map_err(Failure::process)?;
    let identity = common.pod_name.clone().unwrap_or_else(lease::default_identity);
    Ok(Started {
        client,
        shutdown,
        health,
        metrics,
        identity,
    })
}

/// Runs a process to its end.
pub fn block_on(process: impl Future<Output = Result<(), Failure>>) -> CommandResult {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::error)?;
    let outcome = runtime.block_on(process);
    // A task that still runs holds no answer anybody waits for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    telemetry::flush();
    outcome.map(|()| CommandAnswer::Yes)
}
