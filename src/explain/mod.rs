//! `deputy explain …`: who may do what, from policies alone, without a cluster and without AWS.

mod session;

use clap::Subcommand;

use crate::exit::CommandResult;

/// `deputy explain`
#[derive(Debug, Subcommand)]
pub enum ExplainCommand {
    /// Who may have a session by one of AWS's five ways, and what may it do?
    Session(Box<session::SessionArguments>),
}

impl ExplainCommand {
    pub fn run(&self) -> CommandResult {
        match self {
            Self::Session(a) => session::run(a),
        }
    }
}
