//! `deputy uninstall`: what becomes of what Deputy has in AWS, before Deputy goes. The chart runs it before it is removed (a `pre-delete` hook,
//! value `uninstall.policy`), while all processes still run: it asks the API server alone, and `deputy controller` does the rest.

mod left;
mod objects;
mod steps;

use std::time::Duration;

use clap::{Args, ValueEnum};
use deputy_runtime::client::{install_crypto_provider, kube_client};

use self::{left::LeftObjects, objects::ClusterObjects};
use crate::{
    credentials::block_on,
    exit::{CommandAnswer, CommandResult, Failure},
    output::Output,
};

const EXAMPLE: &str = "\
Examples:
  deputy uninstall                   is anything left? Exit code 1 says yes, and nothing is changed
  deputy uninstall --policy Retain   IAM roles stay, shut
  deputy uninstall --policy Delete   everything goes, in AWS first";

/// What becomes of what Deputy has in AWS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum UninstallPolicy {
    /// Nothing: whoever has something left is told, and Deputy stays
    #[default]
    #[value(name = "Refuse")]
    Refuse,
    /// IAM roles stay in AWS, shut, as `deletionPolicy: Retain` has them; limits, bindings and accounts stay in the cluster
    #[value(name = "Retain")]
    Retain,
    /// IAM roles and boundary policies are deleted in AWS, and then their objects are gone
    #[value(name = "Delete")]
    Delete,
}

/// The flags.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct UninstallArguments {
    /// What becomes of what Deputy has in AWS
    #[arg(long, env = "DEPUTY_UNINSTALL_POLICY", value_enum, default_value = "Refuse")]
    policy: UninstallPolicy,
    /// Seconds until it gives up waiting for AWS; what was begun goes on as long as Deputy runs
    #[arg(
        long,
        env = "DEPUTY_UNINSTALL_TIMEOUT_SECONDS",
        default_value_t = 240,
        value_parser = clap::value_parser!(u64).range(10..=86_400)
    )]
    timeout_seconds: u64,
}

pub fn run(arguments: &UninstallArguments) -> CommandResult {
    install_crypto_provider().map_err(Failure::error)?;
    block_on(answer(arguments))?
}

async fn answer(arguments: &UninstallArguments) -> CommandResult {
    let agent = concat!("deputy-uninstall/", env!("CARGO_PKG_VERSION"));
    let client = kube_client(agent).await.map_err(Failure::error)?;
    let cluster = ClusterObjects::new(client, Duration::from_secs(arguments.timeout_seconds));
    let mut out = Output::new();
    let left = LeftObjects::of(&cluster).await?;
    let answer = if left.is_nothing() {
        out.line("Deputy has nothing in AWS by any object of this cluster.")?;
        CommandAnswer::Yes
    } else {
        match arguments.policy {
            UninstallPolicy::Refuse => {
                out.write(left.refusal())?;
                CommandAnswer::No
            }
            UninstallPolicy::Retain => steps::retain(&cluster, &left, &mut out).await?,
            UninstallPolicy::Delete => steps::delete(&cluster, &left, &mut out).await?,
        }
    };
    out.flush()?;
    Ok(answer)
}
