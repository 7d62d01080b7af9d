//! The `deputy` command: the four processes, and what people ask of them without a cluster.

mod bootstrap;
mod broker;
mod cluster;
mod controllers;
mod crds;
mod exit;
mod input;
mod manifests;
mod output;
mod policy;
mod process;
mod shape;
mod text;
mod webhook;
mod yaml;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::exit::{Failure, Outcome};

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
    Controller(controllers::Arguments),
    /// Run the controller of limits, which writes boundary policies
    Limits(controllers::Arguments),
    /// Run the admission webhook
    Webhook(Box<webhook::Arguments>),
    /// Run the broker, which hands out credentials
    Broker(broker::Arguments),
    /// Print the custom resource definitions
    Crds(crds::Arguments),
    /// Print what must exist in AWS before Deputy runs
    #[command(subcommand)]
    Bootstrap(bootstrap::Command),
    /// Ask the policy engine
    #[command(subcommand)]
    Policy(policy::Command),
}

fn main() -> ExitCode {
    exit::code(&run(&Cli::parse().command))
}

fn run(command: &Command) -> Outcome {
    match command {
        Command::Controller(a) => process::block_on(controllers::controller(a)),
        Command::Limits(a) => process::block_on(controllers::limits(a)),
        Command::Webhook(a) => process::block_on(webhook::run(a)),
        Command::Broker(a) => process::block_on(broker::run(a)),
        Command::Crds(a) => crds::run(a),
        Command::Bootstrap(c) => bootstrap::run(c),
        Command::Policy(c) => c.run(),
    }
}

impl From<deputy_delegation::NameError> for Failure {
    fn from(error: deputy_delegation::NameError) -> Self {
        Self::Input(error.to_string())
    }
}
