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

use self::{
    former::Former,
    plan::{Proposal, RoleForm},
    roles::OldRoles,
};
use crate::{
    accounts::AccountArguments,
    exit::{CommandAnswer, CommandResult, Failure, say},
    input::{named, once},
    output::Output,
};

const EXAMPLE: &str = "\
Examples:
  kubectl get serviceaccounts -A -o yaml > accounts.yaml
  aws iam get-account-authorization-details > details.json
  deputy migrate irsa accounts.yaml -f account.yaml --roles details.json > deputy.yaml
  deputy migrate kube2iam pods.yaml -f account.yaml --roles details.json --as new > deputy.yaml";

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
    print(&proposal)?;
    Ok(CommandAnswer::Yes)
}

fn documents(files: &[PathBuf]) -> Result<Vec<Value>, Failure> {
    let mut all = Vec::new();
    for file in files {
        all.extend(export::documents(file)?);
    }
    Ok(all)
}

fn print(proposal: &Proposal) -> Result<(), Failure> {
    let mut out = Output::new();
    out.line("# Proposed by `deputy migrate`. Nothing is applied: read it, then apply it.")?;
    if !proposal.left.is_empty() {
        out.line("# Not carried over:")?;
    }
    for left in &proposal.left {
        let left = on_one_line(left);
        out.line(format_args!("# - {left}"))?;
        say(&left);
    }
    for proposed in &proposal.objects {
        let yaml = serde_saphyr::to_string(&proposed.object).map_err(Failure::process)?;
        out.line("---")?;
        for comment in &proposed.comments {
            out.line(format_args!("# {}", on_one_line(comment)))?;
        }
        out.write(yaml)?;
    }
    out.flush()
}

/// Values come from files of others: none of them ends a comment.
fn on_one_line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
    text.replace(breaks, " ")
}
