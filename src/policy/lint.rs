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

#[derive(Serialize)]
struct Linted {
    id: serde_json::Value,
    #[serde(flatten)]
    result: serde_json::Value,
}

/// The answer about one policy: a contract (docs/contracts.md).
#[derive(Serialize)]
struct Found<'a> {
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<usize>,
    findings: Vec<Finding<'a>>,
}

/// What is found, and the size as AWS counts it when the policy is one.
fn look(text: &str, kind: PolicyKind) -> (Option<usize>, Vec<Lint>) {
    match Document::parse(text, kind) {
        Ok(document) => (Some(document.size()), lint(&document, Some(text))),
        Err(problems) => (None, problems.iter().map(Lint::from).collect()),
    }
}

fn found<'a>(size: Option<usize>, findings: &'a [Lint], text: &str) -> Found<'a> {
    Found {
        valid: size.is_some(),
        size,
        findings: findings.iter().map(|f| Finding::new(f, text)).collect(),
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
            let json = serde_json::to_string(&found(size, &findings, &policy));
            println!("{}", json.map_err(Failure::process)?);
            if size.is_none() {
                return Err(Failure::input(format!(
                    "{name}: refused, {} problems",
                    findings.len()
                )));
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
        }
    }
    Ok(if findings.is_empty() {
        Answer::Yes
    } else {
        Answer::No
    })
}

fn answer(line: &str) -> Linted {
    let unreadable =
        |e: serde_json::Error| serde_json::json!({"valid": false, "findings": [], "reason": e.to_string()});
    let line: Line<'_> = match serde_json::from_str(line) {
        Ok(line) => line,
        Err(e) => {
            return Linted {
                id: serde_json::Value::Null,
                result: unreadable(e),
            };
        }
    };
    let policy = line.policy.get();
    let (size, findings) = look(policy, line.kind.into());
    let result = serde_json::to_value(found(size, &findings, policy));
    Linted {
        id: line.id,
        result: result.unwrap_or_else(unreadable),
    }
}
