//! `deputy bootstrap`: what must exist before Deputy runs. Of `aws`, the identities, least privilege each; `oidc` is in
//! [`crate::oidc`].

use clap::{Args, Subcommand};
use deputy_delegation::{ClusterName, bootstrap};
use serde_json::{Value, json};

use crate::{
    accounts::AccountArguments,
    exit::{CommandAnswer, CommandResult},
    input::{named, once},
    oidc, output,
};

#[derive(Debug, Subcommand)]
pub enum BootstrapCommand {
    /// Print the AWS policies of Deputy's processes as JSON
    Aws(BootstrapArguments),
    /// Write what makes ServiceAccount tokens of a self-managed cluster known to AWS, and print what IAM has to know
    Oidc(Box<oidc::OidcArguments>),
}

#[derive(Debug, Args)]
pub struct BootstrapArguments {
    /// The name of the cluster, as in the chart's clusterName
    #[arg(long, env = "DEPUTY_CLUSTER_NAME")]
    cluster_name: ClusterName,
    #[command(flatten)]
    account: AccountArguments,
}

pub fn run(command: &BootstrapCommand) -> CommandResult {
    match command {
        BootstrapCommand::Aws(arguments) => aws(arguments),
        BootstrapCommand::Oidc(arguments) => oidc::run(arguments),
    }
}

fn aws(arguments: &BootstrapArguments) -> CommandResult {
    once(named("--filename", arguments.account.files()))?;
    let (account, limits) = arguments.account.read_with_limits()?;
    let identities: Vec<Value> = bootstrap::identities(&arguments.cluster_name, &account, &limits)
        .into_iter()
        .map(|i| json!({"name": i.name, "process": i.process, "policy": i.policy.to_value()}))
        .collect();
    let guard = bootstrap::service_control_policy(&arguments.cluster_name, &account);
    let mut out = json!({
        "account": account.id.as_str(),
        "identities": identities,
        "serviceControlPolicy": guard.to_value(),
    });
    // Only where the account names an identity to assume: what the process itself needs, wherever it lives.
    let assumed = [
        ("deputy controller", &account.provisioner),
        ("deputy limits", &account.boundary_writer),
    ];
    let ambient: Vec<Value> = assumed
        .into_iter()
        .filter_map(|(process, role)| Some((process, role.as_ref()?)))
        .map(
            |(process, to)| json!({"process": process, "policy": bootstrap::may_assume(&to.role).to_value()}),
        )
        .collect();
    if let (false, Some(fields)) = (ambient.is_empty(), out.as_object_mut()) {
        fields.insert("ambientIdentities".into(), ambient.into());
    }
    output::print(format_args!("{out:#}"))?;
    Ok(CommandAnswer::Yes)
}
