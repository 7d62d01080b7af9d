//! `deputy migrate`: objects that take the place of what gives pods their roles today. Nothing is applied.

mod export;
mod former;
mod grants;
mod permitted;
mod plan;
mod policies;
mod roles;
mod trust;
mod version;

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use self::{former::Former, plan::RoleForm, roles::OldRoles};
use crate::{
    accounts::AccountArguments,
    exit::{CommandAnswer, CommandResult, Failure, say},
    input::{named, once},
    proposal::print,
};

const EXAMPLE: &str = "\
Examples:
  kubectl get serviceaccounts -A -o yaml > accounts.yaml
  aws iam get-account-authorization-details > details.json
  deputy migrate irsa accounts.yaml -f account.yaml --roles details.json > deputy.yaml
  deputy migrate kube2iam pods.yaml -f account.yaml --roles details.json --as new > deputy.yaml

Exit codes: 0 something is proposed, 1 nothing is, and why is said, 2 something can't be read, or the exports give no ServiceAccount a role.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct MigrateArguments {
    /// What gives the roles today
    #[arg(value_enum, value_name = "FROM")]
    former: Former,
    /// Exports of the cluster, or of EKS, in YAML or JSON; - is standard input
    #[arg(required = true, value_name = "EXPORT")]
    exports: Vec<PathBuf>,
    #[command(flatten)]
    account: AccountArguments,
    /// What the AWS CLI prints about the roles: get-account-authorization-details, or get-role and get-role-policy
    #[arg(long, value_name = "FILE")]
    roles: Vec<PathBuf>,
    /// What becomes of the roles
    #[arg(long = "as", value_enum, default_value_t)]
    form: RoleForm,
}

pub fn run(arguments: &MigrateArguments) -> CommandResult {
    let files = named("--filename", arguments.account.files());
    once(
        files
            .chain(named("EXPORT", &arguments.exports))
            .chain(named("--roles", &arguments.roles)),
    )?;
    let account = arguments.account.read()?;
    let roles = OldRoles::read(&documents(&arguments.roles)?);
    let prefix = format!("arn:{}:iam::{}:role/", account.partition, account.id);
    let grants = grants::read(arguments.former, &documents(&arguments.exports)?, &prefix);
    if grants.grants.is_empty() && grants.left.is_empty() {
        return Err(Failure::input("the exports give no ServiceAccount a role"));
    }
    let proposal = plan::plan(grants, &roles, &account, arguments.form);
    print("deputy migrate", &proposal)?;
    if proposal.objects.is_empty() {
        say(&"nothing is proposed: none of what the exports give could be carried over");
        return Ok(CommandAnswer::No);
    }
    Ok(CommandAnswer::Yes)
}

fn documents(files: &[PathBuf]) -> Result<Vec<Value>, Failure> {
    let mut all = Vec::new();
    for file in files {
        all.extend(export::documents(file)?);
    }
    Ok(all)
}
