//! `deputy policy …`: the policy engine on the command line, for one pair of files or for a batch of JSON lines.

mod contains;
mod evaluate;
mod lint;
mod report;

use std::{
    io::{BufRead, Read, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use deputy_policy::{Document, Lint, PolicyKind};
use serde::Serialize;

use self::report::{Source, Style};
use crate::exit::{Failure, Outcome};

/// One line of a batch may hold two documents of AWS's largest size and a request.
const MAX_LINE_BYTES: u64 = 1024 * 1024;
/// What the engine reads at most.
const MAX_FILE_BYTES: u64 = deputy_policy::document::MAX_TEXT_BYTES as u64;

/// `deputy policy`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Is everything that a policy allows allowed by a ceiling?
    Contains(contains::Arguments),
    /// Is a request allowed by these policies?
    Evaluate(evaluate::Arguments),
    /// What is wrong with a policy, or dangerous in it as a ceiling?
    Lint(lint::Arguments),
}

impl Command {
    pub fn run(&self) -> Outcome {
        match self {
            Self::Contains(a) => contains::run(a),
            Self::Evaluate(a) => evaluate::run(a),
            Self::Lint(a) => lint::run(a),
        }
    }
}

/// What a document is used as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// Attached to a role or user.
    #[default]
    Identity,
    /// Passed to AssumeRole.
    Session,
    /// A permissions boundary or a ceiling.
    Boundary,
    /// Attached to a resource.
    Resource,
    /// The trust policy of a role.
    Trust,
    /// A service control policy of an organisation.
    #[value(name = "scp")]
    #[serde(rename = "scp")]
    ServiceControl,
    /// A resource control policy of an organisation.
    #[value(name = "rcp")]
    #[serde(rename = "rcp")]
    ResourceControl,
}

impl From<Type> for PolicyKind {
    fn from(t: Type) -> Self {
        match t {
            Type::Identity => Self::Identity,
            Type::Session => Self::Session,
            Type::Boundary => Self::Boundary,
            Type::Resource => Self::Resource,
            Type::Trust => Self::Trust,
            Type::ServiceControl => Self::ServiceControl,
            Type::ResourceControl => Self::ResourceControl,
        }
    }
}

/// Where a batch comes from.
#[derive(Debug, Args)]
pub struct Batch {
    /// JSON lines in, JSON lines out, in the same order; `-` is standard input
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(|e| Failure::input(format!("{}: {e}", path.display())))?)
    };
    input
        .take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|e| Failure::input(format!("{}: {e}", path.display())))?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(Failure::input(format!(
            "{}: more than {MAX_FILE_BYTES} bytes",
            path.display()
        )));
    }
    Ok(text)
}

fn read_document(path: &Path, kind: PolicyKind) -> Result<Document, Failure> {
    let text = read_text(path)?;
    Document::parse(&text, kind).map_err(|problems| {
        let findings: Vec<Lint> = problems.iter().map(Lint::from).collect();
        let name = path.display().to_string();
        refused(
            &findings,
            &Source {
                name: &name,
                text: &text,
            },
        )
    })
}

/// The failure of a command whose input is no policy.
fn refused(findings: &[Lint], source: &Source<'_>) -> Failure {
    let shown = report::text(findings, source, Style::of(&std::io::stderr()));
    Failure::input(format!("{} is refused\n{}", source.name, shown.trim_end()))
}

/// Answers each line of `path` with one line. A line that can't be read is answered, not skipped.
fn batch<O: Serialize>(path: &Path, answer: impl Fn(&str) -> O) -> Outcome {
    let failed = |e: std::io::Error| Failure::input(format!("{}: {e}", path.display()));
    let mut input: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::io::BufReader::new(
            std::fs::File::open(path).map_err(failed)?,
        ))
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut line = String::new();
    loop {
        line.clear();
        if input
            .by_ref()
            .take(MAX_LINE_BYTES)
            .read_line(&mut line)
            .map_err(failed)?
            == 0
        {
            break;
        }
        if !line.ends_with('\n') && line.len() as u64 >= MAX_LINE_BYTES {
            return Err(Failure::input(format!(
                "{}: a line of more than {MAX_LINE_BYTES} bytes",
                path.display()
            )));
        }
        if line.trim().is_empty() {
            continue;
        }
        serde_json::to_writer(&mut out, &answer(&line)).map_err(|e| failed(e.into()))?;
        out.write_all(b"\n").map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    Ok(crate::exit::Answer::Yes)
}
