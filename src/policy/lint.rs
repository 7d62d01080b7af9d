//! `deputy policy lint`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use deputy_policy::{Document, Lint, PolicyKind, lint};
use serde::Serialize;

use super::{
    Type,
    batch::{self, Members, batch},
    report::{Finding, Source, Style, text},
};
use crate::{
    exit::{Answer, Failure, Outcome},
    input,
    output::Output,
};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The policy (JSON), - is standard input
    #[arg(required_unless_present = "batch")]
    file: Option<PathBuf>,
    /// What it is used as; a boundary is also looked at as the ceiling of a limit
    #[arg(long, value_enum, default_value_t)]
    r#type: Type,
    /// How the findings are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// JSON lines in, JSON lines out, in the same order; - is standard input
    #[arg(long, value_name = "FILE", exclusive = true)]
    batch: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}

/// The answer about one policy: a contract (docs/contracts.md).
#[derive(Serialize)]
struct Answered {
    valid: bool,
    /// As AWS counts it, of a valid policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<usize>,
    findings: Vec<Finding>,
    /// Why a line could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Answered {
    fn new(size: Option<usize>, findings: Vec<Lint>, text: &str) -> Self {
        Self {
            valid: size.is_some(),
            size,
            findings: findings.into_iter().map(|f| Finding::new(f, text)).collect(),
            reason: None,
        }
    }
}

impl batch::Answer for Answered {
    fn invalid(reason: String) -> Self {
        Self {
            reason: Some(reason),
            ..Self::new(None, Vec::new(), "")
        }
    }
}

/// What is found, and the size as AWS counts it when the policy is one.
fn look(text: &str, kind: PolicyKind) -> (Option<usize>, Vec<Lint>) {
    match Document::parse(text, kind) {
        Ok(document) => (Some(document.size()), lint(&document, Some(text))),
        Err(problems) => (None, problems.iter().map(Lint::from).collect()),
    }
}

pub fn run(arguments: &Arguments) -> Outcome {
    if let Some(path) = &arguments.batch {
        return batch(path, answer);
    }
    let Some(file) = &arguments.file else {
        return Err(Failure::input("needs FILE, or --batch"));
    };
    let policy = input::read(file)?;
    let (size, findings) = look(&policy, arguments.r#type.into());
    let name = file.display().to_string();
    let mut out = Output::new();
    match arguments.format {
        Format::Json => {
            let count = findings.len();
            out.json(&Answered::new(size, findings, &policy))?;
            out.flush()?;
            match (size, count) {
                (None, _) => Err(Failure::input(format!("{name} is refused: {count} problems"))),
                (Some(_), 0) => Ok(Answer::Yes),
                (Some(_), _) => Ok(Answer::No),
            }
        }
        Format::Text => {
            let source = Source {
                name: &name,
                text: &policy,
            };
            let Some(size) = size else {
                return Err(super::refused(&findings, &source));
            };
            out.write(text(&findings, &source, Style::of(&std::io::stdout())))?;
            let found = findings.len();
            out.line(format_args!(
                "{size} characters as AWS counts them, {found} findings"
            ))?;
            out.flush()?;
            Ok(if findings.is_empty() {
                Answer::Yes
            } else {
                Answer::No
            })
        }
    }
}

fn answer(line: &mut Members<'_>) -> Result<Answered, String> {
    let policy = line.required("policy")?.get();
    let kind = line.word("type", Type::default())?;
    line.done()?;
    // The text as it is: a parsed value would have lost duplicate keys.
    let (size, findings) = look(policy, kind.into());
    Ok(Answered::new(size, findings, policy))
}
