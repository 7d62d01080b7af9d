//! `deputy policy …`: the policy engine on the command line, for one pair of files or for a batch of JSON lines.

mod ambiguous;
mod batch;
mod contains;
mod evaluate;
mod lint;
mod manifest;
pub mod namespaces;
pub mod report;
pub mod request;
pub mod select;
pub mod source;
mod statement;
mod translate;
pub mod types;
pub mod words;

use clap::Subcommand;

pub use self::ambiguous::ambiguous;

use crate::exit::CommandResult;

/// `deputy policy`
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Is everything that a policy allows allowed by a ceiling?
    Contains(contains::ContainsArguments),
    /// Is a request allowed by these policies?
    Evaluate(evaluate::EvaluateArguments),
    /// What is wrong with a policy, or dangerous in it as a ceiling?
    Lint(lint::LintArguments),
}

impl PolicyCommand {
    pub fn run(&self) -> CommandResult {
        match self {
            Self::Contains(a) => contains::run(a),
            Self::Evaluate(a) => evaluate::run(a),
            Self::Lint(a) => lint::run(a),
        }
    }
}
