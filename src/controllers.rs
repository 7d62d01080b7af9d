//! `deputy controller` and `deputy limits`

use clap::Args;
use deputy_aws::{Proxy, RolesAnywhere};
use deputy_controller::{PeopleApi, ProcessConfig, run_controller, run_limits};
use deputy_delegation::ClusterUid;
use deputy_runtime::{health::Health, metrics::Metrics, shutdown::Shutdown};
use kube::Client;

use crate::{
    cluster::{Duty, cluster_uid},
    exit::Failure,
    process::{Aws, Common, Started, start},
};

pub const CONTROLLER_EXAMPLE: &str = "\
Example:
  deputy controller --cluster-name production-1";

pub const LIMITS_EXAMPLE: &str = "\
Example:
  deputy limits --cluster-name production-1";

/// Flags of `deputy controller`.
#[derive(Debug, Args)]
pub struct ControllerArguments {
    #[command(flatten)]
    writer: WriterArguments,
    /// The broker gives sessions to people (`deputy broker --people-listen`): their bindings become Ready
    #[arg(long, env = "DEPUTY_PEOPLE")]
    people: bool,
}

/// Flags of both processes that write to AWS.
#[derive(Debug, Args)]
pub struct WriterArguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    aws: Aws,
}

impl WriterArguments {
    fn config(
        &self,
        started: &Started,
        cluster_uid: ClusterUid,
        proxy: Option<Proxy>,
        roles_anywhere: Option<RolesAnywhere>,
        people: PeopleApi,
    ) -> ProcessConfig {
        ProcessConfig {
            cluster: self.common.cluster_name.clone(),
            cluster_uid,
            namespace: self.common.namespace.clone(),
            identity: started.identity.clone(),
            allow_instance_metadata: self.aws.allow_instance_metadata,
            roles_anywhere,
            proxy,
            people,
        }
    }
}

pub async fn controller(arguments: &ControllerArguments) -> Result<(), Failure> {
    let people = if arguments.people {
        PeopleApi::Served
    } else {
        PeopleApi::Absent
    };
    run(
        &arguments.writer,
        "controller",
        Duty::Remembers,
        people,
        run_controller,
    )
    .await
}

pub async fn limits(arguments: &WriterArguments) -> Result<(), Failure> {
    run(arguments, "limits", Duty::Waits, PeopleApi::Absent, run_limits).await
}

/// Begins the process of this `mode` and hands it over to `process`. The proxy and the identity are read first: a wrong one is a
/// mistake of the command line, whatever else is wrong.
async fn run<P, F, E>(
    arguments: &WriterArguments,
    mode: &'static str,
    duty: Duty,
    people: PeopleApi,
    process: P,
) -> Result<(), Failure>
where
    P: FnOnce(ProcessConfig, Client, Shutdown, Health, Metrics) -> F,
    F: Future<Output = Result<(), E>>,
    E: std::error::Error,
{
    let proxy = Aws::proxy()?;
    let roles_anywhere = arguments.aws.roles_anywhere()?;
    let started = start(&arguments.common, mode, duty).await?;
    // Nothing is written to AWS before it is known whose that would be.
    let ready = started.health.readiness.register("cluster-uid");
    let uid = cluster_uid(&started.client, &ready, &started.shutdown)
        .await
        .map_err(Failure::process)?;
    tracing::info!(cluster_uid = %uid, "cluster uid read");
    let config = arguments.config(&started, uid, proxy, roles_anywhere, people);
    let Started {
        client,
        shutdown,
        health,
        metrics,
        ..
    } = started;
    process(config, client, shutdown, health, metrics)
        .await
        .map_err(Failure::error)
}
