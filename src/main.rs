//! The `deputy` command: the four processes, and what people ask, of files or of a cluster.

mod about;
mod accounts;
mod asked;
mod bootstrap;
mod broker;
mod ceiling;
mod check;
mod cluster;
mod controllers;
mod crds;
mod credentials;
mod denied;
mod diff;
mod distinct;
mod doctor;
mod exit;
mod explain;
mod input;
mod manifests;
mod migrate;
mod objects;
mod oidc;
mod output;
mod policy;
mod process;
mod proposal;
mod report;
mod shape;
mod suggest;
mod text;
mod uninstall;
mod webhook;
mod yaml;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use tikv_jemallocator::Jemalloc;

use crate::exit::{CommandResult, Failure};

/// Reconciling is reading and writing small texts by the thousand: with the allocator of glibc that took two fifths of the CPU of a restart,
/// and kept what the restart had needed. Its settings are in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// RoleBinding for AWS
#[derive(Debug, Parser)]
#[command(name = "deputy", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the controller of accounts, roles and bindings
    #[command(after_help = controllers::CONTROLLER_EXAMPLE)]
    Controller(controllers::ControllerArguments),
    /// Run the controller of limits, which writes boundary policies
    #[command(after_help = controllers::LIMITS_EXAMPLE)]
    Limits(controllers::WriterArguments),
    /// Run the admission webhook
    Webhook(Box<webhook::WebhookArguments>),
    /// Run the broker, which hands out credentials
    Broker(Box<broker::BrokerArguments>),
    /// Get a session from AWS by your own keys, token or assertion, or by the cluster that you are logged in to
    #[command(subcommand)]
    Credentials(credentials::CredentialsCommand),
    /// Print the custom resource definitions
    Crds(crds::CrdsArguments),
    /// Print what must exist in AWS before Deputy runs
    #[command(subcommand)]
    Bootstrap(bootstrap::BootstrapCommand),
    /// Would these manifests be accepted?
    Check(check::CheckArguments),
    /// What does a change of manifests or policies newly allow and deny?
    Diff(diff::DiffArguments),
    /// Is the install well, and what is to be done where it is not?
    Doctor(doctor::DoctorArguments),
    /// What is behind AWS's AccessDenied, and what would change it?
    Denied(denied::DeniedArguments),
    /// Who has sessions that may make a request?
    WhoCan(asked::WhoCanArguments),
    /// What may the sessions of a subject do?
    WhatCan(asked::WhatCanArguments),
    /// Write a page, or JSON, with who may become what, and what somebody should look at
    Report(report::ReportArguments),
    /// What an object comes to in AWS, whose an ARN is, and who may have a session
    #[command(subcommand)]
    Explain(explain::ExplainCommand),
    /// Ask the policy engine
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Print objects that take the place of what gives pods their roles today; nothing is applied
    Migrate(migrate::MigrateArguments),
    /// Print narrower roles from what was used, and limits from roles that are there; nothing is applied
    #[command(subcommand)]
    Suggest(suggest::SuggestCommand),
    /// Before Deputy goes: is anything left, and what becomes of it in AWS?
    Uninstall(uninstall::UninstallArguments),
    /// Print what completes this command in a shell
    Completion(about::CompletionArguments),
    /// Print the manual, or write a page for each command
    Man(about::ManArguments),
    /// Print the version, and those of what others build on
    Version(about::VersionArguments),
}

fn main() -> ExitCode {
    exit::code(&run(&Cli::parse().command))
}

fn run(command: &Command) -> CommandResult {
    match command {
        Command::Controller(a) => process::block_on(controllers::controller(a)),
        Command::Limits(a) => process::block_on(controllers::limits(a)),
        Command::Webhook(a) => process::block_on(webhook::run(a)),
        Command::Broker(a) => process::block_on(broker::run(a)),
        Command::Credentials(c) => c.run(),
        Command::Crds(a) => crds::run(a),
        Command::Bootstrap(c) => bootstrap::run(c),
        Command::Check(a) => check::run(a),
        Command::Diff(a) => diff::run(a),
        Command::Doctor(a) => doctor::run(a),
        Command::Denied(a) => denied::run(a),
        Command::WhoCan(a) => asked::who_can(a),
        Command::WhatCan(a) => asked::what_can(a),
        Command::Report(a) => report::run(a),
        Command::Explain(c) => c.run(),
        Command::Policy(c) => c.run(),
        Command::Migrate(a) => migrate::run(a),
        Command::Suggest(c) => c.run(),
        Command::Uninstall(a) => uninstall::run(a),
        Command::Completion(a) => about::completion(a, Cli::command()),
        Command::Man(a) => about::man(a, Cli::command()),
        Command::Version(a) => about::version(a),
    }
}

impl From<deputy_delegation::NameError> for Failure {
    fn from(error: deputy_delegation::NameError) -> Self {
        Self::Input(error.to_string())
    }
}
