//! `deputy bootstrap aws`: the identities that must exist before Deputy runs, least privilege each.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use deputy_api::{AWSAccount, crds::crd, parse_account};
use deputy_delegation::{ClusterName, bootstrap};
use serde_json::{Value, json};

use crate::{
    exit::{CommandAnswer, CommandResult, Failure},
    input::{named, once},
    manifests::manifests,
    output,
    shape::misfits,
};

#[derive(Debug, Subcommand)]
pub enum BootstrapCommand {
    /// Print the AWS policies of Deputy's processes as JSON
    Aws(BootstrapArguments),
}

#[derive(Debug, Args)]
pub struct BootstrapArguments {
    /// The name of the cluster, as in the chart's clusterName
    #[arg(long, env = "DEPUTY_CLUSTER_NAME")]
    cluster_name: ClusterName,
    /// Manifests with the AWSAccount; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Which AWSAccount, when there are several
    #[arg(long)]
    account: Option<String>,
}

pub fn run(command: &BootstrapCommand) -> CommandResult {
    let BootstrapCommand::Aws(arguments) = command;
    once(named("--filename", &arguments.files))?;
    let mut accounts = Vec::new();
    for file in &arguments.files {
        for manifest in manifests(file)? {
            if manifest.get("kind").and_then(Value::as_str) == Some("AWSAccount") {
                accounts.push(manifest);
            }
        }
    }
    if let Some(name) = &arguments.account {
        accounts.retain(|a| a.pointer("/metadata/name").and_then(Value::as_str) == Some(name));
    }
    let [account] = accounts.as_slice() else {
        return Err(Failure::input(format!(
            "expected one AWSAccount, found {}; say which with --account",
            accounts.len()
        )));
    };
    let misfits = crd("awsaccounts").map_or_else(Vec::new, |definition| misfits(&definition, account));
    if !misfits.is_empty() {
        let said = misfits
            .iter()
            .map(|m| format!("AWSAccount {}: {}", m.path, m.message));
        return Err(Failure::input(said.collect::<Vec<_>>().join("\n")));
    }
    let account: AWSAccount =
        serde_json::from_value(account.clone()).map_err(|e| Failure::input(format!("AWSAccount: {e}")))?;
    let account = parse_account(&account).map_err(|violations| {
        Failure::input(
            violations
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n"),
        )
    })?;
    let identities: Vec<Value> = bootstrap::identities(&arguments.cluster_name, &account)
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
