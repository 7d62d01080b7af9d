//! `deputy bootstrap`: what must exist before Deputy runs. Of `aws`, the identities, least privilege each; `oidc` is in
//! [`crate::oidc`].

mod awscli;
mod cloudformation;
mod documents;
mod eksctl;
mod making;
mod terraform;

use std::{collections::BTreeSet, io::Write as _, path::PathBuf};

use clap::{Args, Subcommand};
use deputy_delegation::{
    ClusterName, EksClusterArn, IssuerArn, NamespaceName, ObjectName, OidcProviderArn, TrustAnchorArn,
    bootstrap::{self, AccountSetup, PodsBecome, UnnamedIdentities},
    model::Account,
    quota::{MANAGED_POLICY, ROLE_INLINE_POLICIES, SERVICE_CONTROL_POLICY},
};

use self::{
    documents::{BootstrapFormat, WantedDocuments},
    making::Making,
};
use crate::{
    accounts::{AccountArguments, Platform},
    exit::{CommandAnswer, CommandResult, Failure},
    input::{named, once},
    oidc,
};

const EXAMPLE: &str = "\
Examples:
  deputy bootstrap aws --cluster-name production-1 -f account.yaml
  deputy bootstrap aws --cluster-name production-1 -f account.yaml --format terraform --output deputy-aws \\
    --eks-cluster arn:aws:eks:eu-west-1:123456789012:cluster/production
  deputy bootstrap aws --cluster-name production-1 -f account.yaml --format awscli --scp \\
    --break-glass arn:aws:iam::123456789012:role/emergency";

#[derive(Debug, Subcommand)]
pub enum BootstrapCommand {
    /// Print what Deputy's processes need in each AWS account: identities, their policies, a service control policy
    Aws(Box<BootstrapArguments>),
    /// Write what makes ServiceAccount tokens of a self-managed cluster known to AWS, and print what IAM has to know
    Oidc(Box<oidc::OidcArguments>),
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct BootstrapArguments {
    /// The name of the cluster, as in the chart's clusterName
    #[arg(long, env = "DEPUTY_CLUSTER_NAME")]
    cluster_name: ClusterName,
    #[command(flatten)]
    account: AccountArguments,
    #[command(flatten)]
    source: SourceArguments,
    /// In whose words: the policies alone, or what makes the identities with them
    #[arg(long, value_enum, default_value_t)]
    format: BootstrapFormat,
    /// Write a folder for each AWS account into this one, and print the names of the files
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// The service control policies and nothing else, for the account that manages the organization
    #[arg(long)]
    scp: bool,
    /// A role or user that may write what is Deputy's when Deputy is gone, in its own account; more than once for several
    #[arg(long, value_name = "ARN")]
    break_glass: Vec<IssuerArn>,
}

/// From where the processes have their identities.
#[derive(Debug, Args)]
struct SourceArguments {
    /// From IAM Roles Anywhere, by this trust anchor
    #[arg(long, value_name = "ARN", conflicts_with_all = ["oidc_provider", "eks_cluster", "users"])]
    trust_anchor: Option<TrustAnchorArn>,
    /// From IAM, by tokens of their ServiceAccounts, for which this provider vouches (IAM roles for service accounts)
    #[arg(long, value_name = "ARN", conflicts_with = "users")]
    oidc_provider: Option<OidcProviderArn>,
    /// From EKS Pod Identity of this cluster; beside --oidc-provider it is the cluster of eksctl
    #[arg(long, value_name = "ARN", conflicts_with = "users")]
    eks_cluster: Option<EksClusterArn>,
    /// From keys: what no AWSAccount names is a user
    #[arg(long)]
    users: bool,
    /// The namespace of the chart's release, of whose ServiceAccounts the roles are
    #[arg(long, value_name = "NAME", default_value = "deputy")]
    release_namespace: NamespaceName,
}

impl SourceArguments {
    fn unnamed(&self) -> UnnamedIdentities {
        match self.users {
            true => UnnamedIdentities::Users,
            false => UnnamedIdentities::Roles,
        }
    }

    /// Where EKS Pod Identity gives the roles.
    fn pod_identity(&self) -> Option<&EksClusterArn> {
        self.eks_cluster.as_ref().filter(|_| self.oidc_provider.is_none())
    }

    /// Adds to `setups` who becomes the identities.
    fn give(&self, setups: &mut [AccountSetup]) -> Result<(), Failure> {
        if let Some(trust_anchor) = &self.trust_anchor {
            return bootstrap::give_by_roles_anywhere(setups, trust_anchor)
                .map_err(|errors| Failure::input(format!("--trust-anchor: {}", lines(&errors))));
        }
        let (flag, how) = match (&self.oidc_provider, &self.eks_cluster) {
            (Some(provider), _) => ("--oidc-provider", PodsBecome::WebIdentity(provider.clone())),
            (None, Some(cluster)) => ("--eks-cluster", PodsBecome::PodIdentity(cluster.clone())),
            (None, None) => return Ok(()),
        };
        bootstrap::give_to_pods(setups, &how, &self.release_namespace)
            .map_err(|errors| Failure::input(format!("{flag}: {}", lines(&errors))))
    }
}

pub fn run(command: &BootstrapCommand) -> CommandResult {
    match command {
        BootstrapCommand::Aws(arguments) => aws(arguments),
        BootstrapCommand::Oidc(arguments) => oidc::run(arguments),
    }
}

fn aws(arguments: &BootstrapArguments) -> CommandResult {
    let BootstrapArguments { account, source, .. } = arguments;
    once(named("--filename", account.files()))?;
    let platform = account.read_all()?;
    let chosen = account.chosen();
    known(&platform, chosen)?;
    let all = bootstrap::setups_with(
        source.unnamed(),
        &arguments.cluster_name,
        &platform.accounts,
        &platform.limits,
    );
    let mut setups = all.map_err(|errors| Failure::input(lines(&errors)))?;
    source.give(&mut setups)?;
    break_glass(arguments, &platform, &mut setups)?;
    if chosen.is_some() {
        setups.retain(|setup| setup.name.as_ref() == chosen);
    }
    let mut told = notes(&platform, &setups, arguments);
    if source.trust_anchor.is_some() {
        told.extend(unsaid_source_identities(&platform));
    }
    let wanted = WantedDocuments {
        format: arguments.format,
        guards: arguments.scp,
        eks_cluster: source.eks_cluster.as_ref(),
    };
    // A platform has an account at least: `known`.
    let issuer = platform.accounts.first().map(|account| &account.issuer);
    let documents = match issuer {
        None => Vec::new(),
        Some(issuer) => {
            let making = Making {
                cluster_name: &arguments.cluster_name,
                namespace: &source.release_namespace,
                pod_identity: source.pod_identity(),
                issuer,
            };
            documents::documents(&wanted, &making, &setups, &mut told)?
        }
    };
    for note in told {
        drop(writeln!(std::io::stderr(), "deputy: {note}"));
    }
    match &arguments.output {
        Some(folder) => documents::write(folder, &documents)?,
        None => documents::print(arguments.format, &documents)?,
    }
    Ok(CommandAnswer::Yes)
}

/// Lets those of `--break-glass` in, each into its own account.
fn break_glass(
    arguments: &BootstrapArguments,
    platform: &Platform,
    setups: &mut [AccountSetup],
) -> Result<(), Failure> {
    let wanted = &arguments.break_glass;
    if !wanted.is_empty() && !arguments.scp && arguments.format != BootstrapFormat::Policies {
        let message = "--break-glass is about the service control policy: give --scp, too";
        return Err(Failure::input(message));
    }
    let is_of = |arn: &IssuerArn, account: &Account| {
        (arn.account(), arn.partition()) == (&account.id, &account.partition)
    };
    let accounts = &platform.accounts;
    if let Some(arn) = wanted
        .iter()
        .find(|arn| !accounts.iter().any(|account| is_of(arn, account)))
    {
        return Err(Failure::input(format!(
            "--break-glass {arn}: the files have no AWSAccount of account {}; a service control policy is about who is in its account",
            arn.account()
        )));
    }
    for setup in setups {
        let account = accounts
            .iter()
            .find(|account| Some(&account.name) == setup.name.as_ref());
        if let Some(account) = account {
            let these: Vec<IssuerArn> = wanted.iter().filter(|arn| is_of(arn, account)).cloned().collect();
            let unnamed = arguments.source.unnamed();
            let guard = bootstrap::service_control_policy(&arguments.cluster_name, account, unnamed, &these);
            setup.service_control_policy = Some(guard);
        }
    }
    Ok(())
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
fn notes(platform: &Platform, setups: &[AccountSetup], arguments: &BootstrapArguments) -> Vec<String> {
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
        // The other formats divide it themselves.
        (size > MANAGED_POLICY && arguments.format == BootstrapFormat::Policies && !arguments.scp).then(|| {
            format!(
                "the policy of {} has {size} characters; a managed policy has at most {MANAGED_POLICY}, and the inline policies of \
                 a role together at most {ROLE_INLINE_POLICIES}: divide it by its statements",
                identity.arn
            )
        })
    });
    let guards = setups.iter().filter_map(|setup| {
        let size = setup.service_control_policy.as_ref()?.size();
        (size > SERVICE_CONTROL_POLICY).then(|| {
            format!(
                "the service control policy of account {} has {size} characters; AWS takes {SERVICE_CONTROL_POLICY}",
                setup.id
            )
        })
    });
    let closed = setups
        .iter()
        .filter(|setup| arguments.scp && setup.name.is_some());
    let closed = closed.filter(|setup| !arguments.break_glass.iter().any(|arn| *arn.account() == setup.id));
    let closed = closed.map(|setup| {
        format!(
            "account {} has no --break-glass: when Deputy is gone, only who takes its service control policy away can change what it left",
            setup.id
        )
    });
    elsewhere.chain(sizes).chain(guards).chain(closed).collect()
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
