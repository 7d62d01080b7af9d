//! The answer in each form.

mod github;
mod json;
mod junit;
mod sarif;
mod text;

use clap::ValueEnum;

use super::answer::CheckAnswer;
use crate::{exit::Failure, output::Output};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit XML, for test reports
    Junit,
    /// Annotations of GitHub Actions
    Github,
}

/// Writes the answer.
///
/// # Errors
/// What [`Output`] has.
pub fn write(answer: &CheckAnswer, format: CheckFormat, out: &mut Output) -> Result<(), Failure> {
    match format {
        CheckFormat::Text => out.write(text::text(answer)),
        CheckFormat::Json => out.line(format_args!("{:#}", json::json(answer))),
        CheckFormat::Sarif => out.line(format_args!("{:#}", sarif::sarif(answer))),
        CheckFormat::Junit => out.write(junit::junit(answer)),
        CheckFormat::Github => out.write(github::github(answer)),
    }
}
