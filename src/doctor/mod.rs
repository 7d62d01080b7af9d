//! `deputy doctor`: the install as it is, and what to do about what is not as it should be. Nothing is changed.

mod checks;
mod expected;
mod finding;
mod gather;
mod look;
mod metadata_probe;
mod report;
mod snapshot;
#[cfg(test)]
mod tests;

use clap::Args;
use deputy_delegation::NamespaceName;

use self::{
    gather::{Gathering, clock},
    report::{answer, judge},
};
use crate::{
    credentials::{block_on, kubeconfig::KubeconfigArguments},
    exit::{CommandResult, Failure},
    objects::{connection, connection_of_pod},
    output::OutputFormat,
};

const EXAMPLES: &str = "Examples:

  deputy doctor
  deputy doctor --context production --format json

Exit codes: 0 nothing is wrong, though there may be warnings, 1 something is wrong or could not be looked at, 2 bad arguments,
3 there is no API server to ask.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArguments {
    #[command(flatten)]
    kubeconfig: KubeconfigArguments,
    /// Ask as the ServiceAccount of the pod that this runs in, and whether a pod reaches the instance metadata service
    #[arg(long, conflicts_with_all = ["context", "kubeconfig"])]
    in_cluster: bool,
    /// The namespace that the chart is installed in; by default where the webhook's Service is
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<NamespaceName>,
    /// Leave out a check, by its name; may be repeated
    #[arg(long, value_name = "CHECK", value_parser = checks::names())]
    skip: Vec<String>,
    /// How the answer is written
    #[arg(short = 'o', long, visible_alias = "output", value_enum, default_value_t)]
    format: OutputFormat,
}

pub fn run(arguments: &DoctorArguments) -> CommandResult {
    let config = match arguments.in_cluster {
        true => connection_of_pod()?,
        false => connection(&arguments.kubeconfig)?.0,
    };
    let namespace = arguments.namespace.as_ref().map(ToString::to_string);
    let url = config.cluster_url.clone();
    let snapshot = block_on(async {
        let client = kube::Client::try_from(config).map_err(Failure::error)?;
        let clock = clock(&client).await;
        let pods = !arguments.skip.iter().any(|name| name == checks::SIDECARS);
        let gathering = Gathering {
            client,
            namespace,
            pods,
        };
        if let Err(why) = gathering.is_there().await {
            return Err(Failure::process(format!(
                "the API server {url} can't be asked: {why}"
            )));
        }
        Ok(gathering.snapshot(clock).await)
    })?;
    let mut snapshot = snapshot?;
    if arguments.in_cluster {
        snapshot.metadata_service = metadata_probe::ask();
    }
    answer(arguments.format, &snapshot, &judge(&snapshot, &arguments.skip))
}
