//! `deputy policy lint`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use deputy_policy::{Document, Lint, PolicyKind, lint};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Batch, Type, batch, read_text,
    report::{Finding, Source, Style, text},
};
use crate::exit::{Answer, Failure, Outcome};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The policy (JSON)
    #[arg(required_unless_present = "batch")]
    file: Option<PathBuf>,
    /// What it is used as; a boundary is also looked at as the ceiling of a limit
    #[arg(long, value_enum, default_value_t)]
    r#type: Type,
    /// How the findings are written
    #[arg(long, value_enum, default_value_t, conflicts_with = "batch")]
    format: Format,
    #[command(flatten)]
    batch: Batch,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(default)]
    id: serde_json::Value,
    // The text as it is: a parsed value would have lost duplicate keys.
    #[serde(borrow)]
    policy: &'a RawValue,
    #[serde(default, rename = "type")]
    kind: Type,
}

/// The answer about one policy: a contract (docs/contracts.md).
#[derive(Serialize)]
struct Answered {
    /// In a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<serde_json::Value>,
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
    fn new(id: Option<serde_json::Value>, size: Option<usize>, findings: Vec<Lint>, text: &str) -> Self {
        let findings = findings.into_iter().map(|f| Finding::new(f, text)).collect();
        Self {
            id,
            valid: size.is_some(),
            size,
            findings,
            reason: None,
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
    if let Some(path) = &arguments.batch.batch {
        return batch(path, answer);
    }
    let Some(file) = &arguments.file else {
        return Err(Failure::input("needs FILE, or --batch"));
    };
    let policy = read_text(file)?;
    let (size, findings) = look(&policy, arguments.r#type.into());
    let name = file.display().to_string();
    match arguments.format {
        Format::Json => {
            let count = findings.len();
            let json = serde_json::to_string(&Answered::new(None, size, findings, &policy));
            println!("{}", json.map_err(Failure::process)?);
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
            print!("{}", text(&findings, &source, Style::of(&std::io::stdout())));
            println!(
                "{size} characters as AWS counts them, {} findings",
                findings.len()
            );
            Ok(if findings.is_empty() {
                Answer::Yes
            } else {
                Answer::No
            })
        }
    }
}

fn answer(line: &str) -> Answered {
    let line: Line<'_> = match serde_json::from_str(line) {
        Ok(line) => line,
        Err(e) => {
            let mut unreadable = Answered::new(Some(serde_json::Value::Null), None, Vec::new(), "");
            unreadable.reason = Some(e.to_string());
            return unreadable;
        }
    };
    let policy = line.policy.get();
    let (size, findings) = look(policy, line.kind.into());
    Answered::new(Some(line.id), size, findings, policy)
}
