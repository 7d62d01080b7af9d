//! Exit codes: a contract (docs/contracts.md).

use std::{io::Write as _, process::ExitCode};

use crate::text::printable;

/// What a command that answers a question found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandAnswer {
    /// Done; accepted, contained, allowed.
    Yes,
    /// Refused, exceeds, unknown, denied.
    No,
    /// Neither: it is not known.
    Unknown,
}

impl CommandAnswer {
    /// In JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Bad input or arguments.
    #[error("{0}")]
    Input(String),
    /// The same, drawn for a terminal: what it quotes is escaped already.
    #[error("{0}")]
    Drawn(String),
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

    /// The same, of this API server.
    pub fn of_api_server(self, url: &impl std::fmt::Display) -> Self {
        match self {
            Self::Process(message) => Self::Process(format!("{message} (API server {url})")),
            other => other,
        }
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
        Ok(CommandAnswer::Unknown) => ExitCode::from(2),
        Err(failure) => {
            match failure {
                Failure::Drawn(text) => write(text),
                Failure::Input(_) | Failure::Process(_) => say(failure),
            }
            ExitCode::from(match failure {
                Failure::Input(_) | Failure::Drawn(_) => 2,
                Failure::Process(_) => 3,
            })
        }
    }
}

/// Tells whoever reads standard error. What is quoted there may come from anybody: it does not steer a terminal, and is no command to
/// what runs this, such as `::error::` at the beginning of a line to GitHub Actions.
pub fn say(what: &dyn std::fmt::Display) {
    write(&shown(&what.to_string()));
}

fn write(text: &str) {
    // Not `eprintln!`, which panics when standard error is closed; nobody is left to be told then.
    drop(writeln!(std::io::stderr(), "deputy: {text}"));
}

fn shown(text: &str) -> String {
    let line = |line: &str| match line.trim_start().starts_with("::") {
        true => format!("deputy: {}", printable(line)),
        false => printable(line),
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
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

    #[test]
    fn what_is_quoted_steers_nothing() {
        assert_eq!(shown("a\u{1b}[2J\rb\u{202e}c"), "a\\u{1b}[2J\\u{d}b\\u{202e}c");
        assert_eq!(
            shown("two\nlines\n ::error::x"),
            "two\nlines\ndeputy:  ::error::x"
        );
    }
}
