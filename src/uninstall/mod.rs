//! `deputy uninstall`: what becomes of what Deputy has in AWS, before Deputy goes. The chart runs it before it is removed (a `pre-delete` hook,
//! value `uninstall.policy`), while all processes still run: it asks the API server alone, and `deputy controller` does the rest.

mod delete;
mod former;
mod hindrance;
mod left;
mod objects;
mod orphans;
mod retain;
mod steps;

use std::time::Duration;

use clap::{Args, ValueEnum};
use deputy_runtime::{
    client::{install_crypto_provider, kube_client},
    shutdown::Shutdown,
};

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
    let told_to_end = Shutdown::from_signals(Duration::ZERO).map_err(Failure::error)?;
    let mut out = Output::new();
    let done = tokio::select! {
        done = carry_out(arguments.policy, &cluster, &mut out) => done,
        () = told_to_end.draining() => Err(Failure::process(
            "it was told to end before everything was done. Deputy is not removed: uninstall again",
        )),
    };
    out.flush()?;
    let again = cluster.to_put_back();
    let not_put_back = match arguments.policy {
        // Whoever refuses may change nothing.
        UninstallPolicy::Refuse => former::still_there(&again).await,
        UninstallPolicy::Retain | UninstallPolicy::Delete => former::put_back(&again).await,
    };
    with(done, &not_put_back)
}

async fn carry_out(policy: UninstallPolicy, cluster: &ClusterObjects, out: &mut Output) -> CommandResult {
    let left = LeftObjects::of(cluster).await?;
    if left.is_nothing() {
        out.line("Deputy has nothing in AWS by any object of this cluster.")?;
        return Ok(CommandAnswer::Yes);
    }
    let refusal = match policy {
        UninstallPolicy::Refuse => left.refusal(),
        _ if !left.is_known() => left.not_known(),
        UninstallPolicy::Retain => return retain::retain(cluster, &left, out).await,
        UninstallPolicy::Delete => return delete::delete(cluster, &left, out).await,
    };
    out.write(refusal)?;
    Ok(CommandAnswer::No)
}

/// What came of it, and what an AWSAccount or limit accepts still that it did not before: with that Deputy does not go.
fn with(done: CommandResult, not_put_back: &str) -> CommandResult {
    if not_put_back.is_empty() {
        return done;
    }
    let said = match done {
        Ok(_) => "Deputy is not removed".to_owned(),
        Err(failure) => failure.to_string(),
    };
    Err(Failure::process(format!(
        "{said}. What removing Deputy made these accept has to be put back:\n{not_put_back}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_put_back_is_told_however_it_ended() {
        for done in [
            Ok(CommandAnswer::Yes),
            Ok(CommandAnswer::No),
            Err(Failure::process("late")),
        ] {
            let was = format!("{done:?}");
            let Err(Failure::Process(said)) = with(done, "- AWSAccount production still\n") else {
                panic!("{was} hides it");
            };
            assert!(said.contains("AWSAccount production still"), "{said}");
            assert_eq!(said.contains("late"), was.contains("late"), "{said}");
        }
        assert!(matches!(with(Ok(CommandAnswer::Yes), ""), Ok(CommandAnswer::Yes)));
    }
}
