//! `deputy bootstrap`: what must exist before Deputy runs. Of `aws`, the identities, least privilege each; `oidc` is in
//! [`crate::oidc`].

use std::{collections::BTreeSet, io::Write as _};

use clap::{Args, Subcommand};
use deputy_delegation::{
    ClusterName, ObjectName, TrustAnchorArn,
    bootstrap::{self, AccountSetup, ProcessIdentity},
    quota::{MANAGED_POLICY, ROLE_INLINE_POLICIES},
};
use serde_json::{Map, Value, json};

use crate::{
    accounts::{AccountArguments, Platform},
    exit::{CommandAnswer, CommandResult, Failure},
    input::{named, once},
    oidc, output,
};

#[derive(Debug, Subcommand)]
pub enum BootstrapCommand {
    /// Print what Deputy's processes need in each AWS account, as JSON: identities, their policies, a service control policy
    Aws(BootstrapArguments),
    /// Write what makes ServiceAccount tokens of a self-managed cluster known to AWS, and print what IAM has to know
    Oidc(Box<oidc::OidcArguments>),
}

const EXAMPLE: &str = "\
Example:
  deputy bootstrap aws --cluster-name production-1 -f account.yaml";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct BootstrapArguments {
    /// The name of the cluster, as in the chart's clusterName
    #[arg(long, env = "DEPUTY_CLUSTER_NAME")]
    cluster_name: ClusterName,
    #[command(flatten)]
    account: AccountArguments,
    /// The processes get their identities from IAM Roles Anywhere, by this trust anchor: print the trust policies for that, too
    #[arg(long, value_name = "ARN")]
    trust_anchor: Option<TrustAnchorArn>,
}

pub fn run(command: &BootstrapCommand) -> CommandResult {
    match command {
        BootstrapCommand::Aws(arguments) => aws(arguments),
        BootstrapCommand::Oidc(arguments) => oidc::run(arguments),
    }
}

fn aws(arguments: &BootstrapArguments) -> CommandResult {
    once(named("--filename", arguments.account.files()))?;
    let platform = arguments.account.read_all()?;
    let chosen = arguments.account.chosen();
    known(&platform, chosen)?;
    let all = bootstrap::setups(&arguments.cluster_name, &platform.accounts, &platform.limits);
    let mut setups = all.map_err(|errors| Failure::input(lines(&errors)))?;
    if let Some(trust_anchor) = &arguments.trust_anchor {
        bootstrap::give_by_roles_anywhere(&mut setups, trust_anchor)
            .map_err(|errors| Failure::input(format!("--trust-anchor: {}", lines(&errors))))?;
    }
    if chosen.is_some() {
        setups.retain(|setup| setup.name.as_ref() == chosen);
    }
    let mut told = notes(&platform, &setups);
    if arguments.trust_anchor.is_some() {
        told.extend(unsaid_source_identities(&platform));
    }
    for note in told {
        drop(writeln!(std::io::stderr(), "deputy: {note}"));
    }
    let accounts: Vec<Value> = setups.iter().map(in_json).collect();
    output::print(format_args!("{:#}", json!({ "accounts": accounts })))?;
    Ok(CommandAnswer::Yes)
}

/// Whether the names of the files name something: an account at least, the one of `--account`, and no limit twice.
fn known(platform: &Platform, chosen: Option<&ObjectName>) -> Result<(), Failure> {
    if platform.accounts.is_empty() {
        return Err(Failure::input("expected an AWSAccount, found none"));
    }
    let names = || platform.accounts.iter().map(|account| &account.name);
    if let Some(name) = chosen.filter(|&name| names().all(|other| other != name)) {
        let names: Vec<&str> = names().map(ObjectName::as_str).collect();
        let names = names.join(", ");
        return Err(Failure::input(format!(
            "--account {name}: the files have no such AWSAccount; they have {names}"
        )));
    }
    let mut limits = BTreeSet::new();
    match platform.limits.iter().find(|limit| !limits.insert(&limit.name)) {
        Some(twice) => Err(Failure::input(format!(
            "DelegationLimit {} is there twice",
            twice.name
        ))),
        None => Ok(()),
    }
}

/// What is no mistake by itself, and worth a look.
fn notes(platform: &Platform, setups: &[AccountSetup]) -> Vec<String> {
    let is_there = |name: &ObjectName| platform.accounts.iter().any(|account| account.name == *name);
    let elsewhere = platform.limits.iter().flat_map(|limit| {
        let accounts = limit.scope.accounts.iter().filter(|name| !is_there(name));
        accounts.map(|name| {
            format!(
                "DelegationLimit {}, spec.accounts: the files have no AWSAccount {name}; nothing is printed for it",
                limit.name
            )
        })
    });
    let sizes = setups.iter().flat_map(|setup| &setup.identities).filter_map(|identity| {
        let size = identity.policy.size();
        (size > MANAGED_POLICY).then(|| {
            format!(
                "the policy of {} has {size} characters; a managed policy has at most {MANAGED_POLICY}, and the inline policies of \
                 a role together at most {ROLE_INLINE_POLICIES}: divide it by its statements",
                identity.arn
            )
        })
    });
    elsewhere.chain(sizes).collect()
}

/// Accounts whose roles would not let a session of IAM Roles Anywhere make sessions.
fn unsaid_source_identities(platform: &Platform) -> impl Iterator<Item = String> {
    let accounts = platform.accounts.iter();
    let unsaid = accounts.filter(|account| !account.with_source_identity.contains(&account.issuer));
    unsaid.map(|account| {
        format!(
            "AWSAccount {}: spec.issuer needs hasSourceIdentity: true, or AWS refuses the broker every role: sessions of IAM Roles \
             Anywhere have a source identity",
            account.name
        )
    })
}

fn lines<T: ToString>(items: &[T]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// An account as it is printed: docs/contracts.md.
fn in_json(setup: &AccountSetup) -> Value {
    let identities: Vec<Value> = setup.identities.iter().map(identity_in_json).collect();
    let mut out = Map::from_iter([
        ("account".to_owned(), setup.id.as_str().into()),
        ("partition".to_owned(), setup.partition.as_str().into()),
        ("identities".to_owned(), identities.into()),
    ]);
    if let Some(name) = &setup.name {
        out.insert("name".into(), name.as_str().into());
    }
    if let Some(guard) = &setup.service_control_policy {
        out.insert("serviceControlPolicy".into(), guard.to_value());
    }
    out.into()
}

fn identity_in_json(identity: &ProcessIdentity) -> Value {
    let mut out = Map::from_iter([
        ("arn".to_owned(), identity.arn.to_string().into()),
        ("name".to_owned(), identity.arn.name().into()),
        ("process".to_owned(), identity.process.into()),
        ("policy".to_owned(), identity.policy.to_value()),
    ]);
    if let Some(trust) = &identity.trust {
        out.insert("trust".into(), trust.to_value());
    }
    out.into()
}
