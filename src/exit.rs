//! Exit codes: a contract (docs/contracts.md).

use std::{io::Write as _, process::ExitCode};

/// What a command that answers a question found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandAnswer {
    /// Done; accepted, contained, allowed.
    Yes,
    /// Refused, exceeds, unknown, denied.
    No,
}

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Bad input or arguments.
    #[error("{0}")]
    Input(String),
    /// The process can't go on.
    #[error("{0}")]
    Process(String),
}

impl Failure {
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input(message.into())
    }
    pub fn process(message: impl std::fmt::Display) -> Self {
        Self::Process(message.to_string())
    }

    /// The process can't begin or go on, for this error and its causes.
    pub fn error(error: impl std::error::Error) -> Self {
        Self::Process(deputy_runtime::error::chain(&error))
    }
}

/// What every command comes to.
pub type CommandResult = Result<CommandAnswer, Failure>;

/// The process's exit code for `outcome`; the reason of a failure goes to standard error.
pub fn code(outcome: &CommandResult) -> ExitCode {
    match outcome {
        Ok(CommandAnswer::Yes) => ExitCode::SUCCESS,
        Ok(CommandAnswer::No) => ExitCode::from(1),
        Err(failure) => {
            say(failure);
            ExitCode::from(match failure {
                Failure::Input(_) => 2,
                Failure::Process(_) => 3,
            })
        }
    }
}

/// Tells whoever reads standard error.
pub fn say(what: &dyn std::fmt::Display) {
    // Not `eprintln!`, which panics when standard error is closed; nobody is left to be told then.
    drop(writeln!(std::io::stderr(), "deputy: {what}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_ends_the_process_names_its_cause() {
        let source = std::io::Error::other("address in use");
        let addr = "127.0.0.1:8443".parse().unwrap();
        let failure = Failure::error(deputy_runtime::serve::ServeError::Bind { addr, source });
        let Failure::Process(message) = failure else {
            panic!("a fault of the process")
        };
        assert_eq!(message, "failed to listen on 127.0.0.1:8443: address in use");
    }
}
