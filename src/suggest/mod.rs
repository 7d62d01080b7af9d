//! `deputy suggest`: narrower roles from what CloudTrail saw of them, and limits from roles that are there. Nothing is applied.

mod actions;
mod arns;
mod events;
mod guesses;
mod limit;
mod merge;
mod narrow;
mod object;
mod proof;
mod resources;
mod role;
mod statement;
mod table;
#[cfg(test)]
mod tests;
mod unseen;
mod uses;

use clap::Subcommand;

use crate::exit::CommandResult;

/// `deputy suggest`
#[derive(Debug, Subcommand)]
pub enum SuggestCommand {
    /// Print AWSRoles that allow what CloudTrail saw of theirs, each proved to allow nothing that it did not allow before
    Role(Box<role::SuggestRoleArguments>),
    /// Print DelegationLimits that allow what roles and policies allow, with the proof of that
    Limit(limit::SuggestLimitArguments),
}

impl SuggestCommand {
    pub fn run(&self) -> CommandResult {
        match self {
            Self::Role(a) => role::run(a),
            Self::Limit(a) => limit::run(a),
        }
    }
}
