//! `deputy policy contains`

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::Args;
use deputy_policy::{Containment, Document, Locator, PolicyKind, Witness, contains_layers};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Batch, Type, batch, read_document, read_text,
    report::{Source, place},
};
use crate::exit::{Answer, Failure, Outcome};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The policy that is asked for (JSON)
    #[arg(required_unless_present = "batch")]
    candidate: Option<PathBuf>,
    /// What may be granted at most (JSON)
    #[arg(required_unless_present = "batch")]
    ceiling: Option<PathBuf>,
    /// What the candidate is used as; the ceiling is one of the same sort
    #[arg(long, value_enum, default_value_t)]
    r#type: Type,
    /// The permissions boundary of whoever has the candidate (JSON): only what both allow counts
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    boundary: Option<PathBuf>,
    /// A session policy (JSON): only what the candidate and the session's policies allow counts; may be repeated
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    session: Vec<PathBuf>,
    #[command(flatten)]
    batch: Batch,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(default)]
    id: serde_json::Value,
    // The text as it is: a parsed value would have lost duplicate keys.
    #[serde(borrow)]
    candidate: &'a RawValue,
    #[serde(borrow)]
    ceiling: &'a RawValue,
    #[serde(default, rename = "type")]
    kind: Type,
}

#[derive(Serialize)]
struct Verdict {
    id: serde_json::Value,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<WitnessOut>,
    reason: String,
}

#[derive(Serialize)]
struct WitnessOut {
    action: String,
    resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    context: BTreeMap<String, Vec<String>>,
}

impl From<&Witness> for WitnessOut {
    fn from(w: &Witness) -> Self {
        let context = w
            .context
            .iter()
            .map(|(k, v)| (k.to_owned(), v.to_vec()))
            .collect();
        Self {
            action: w.action.clone(),
            resource: w.resource.clone(),
            principal: w.principal.as_ref().map(ToString::to_string),
            context,
        }
    }
}

pub fn run(arguments: &Arguments) -> Outcome {
    if let Some(path) = &arguments.batch.batch {
        return batch(path, answer);
    }
    let (Some(candidate), Some(ceiling)) = (&arguments.candidate, &arguments.ceiling) else {
        return Err(Failure::input("needs CANDIDATE and CEILING, or --batch"));
    };
    let (kind, of_ceiling) = kinds(arguments.r#type);
    let layered = arguments.boundary.is_some() || !arguments.session.is_empty();
    if layered && arguments.r#type != Type::Identity {
        return Err(Failure::input("--boundary and --session go with --type identity"));
    }
    let document = read_document(candidate, kind)?;
    let boundary = arguments
        .boundary
        .as_deref()
        .map(|path| read_document(path, PolicyKind::Boundary))
        .transpose()?;
    let sessions = arguments.session.iter();
    let sessions = sessions
        .map(|path| read_document(path, PolicyKind::Session))
        .collect::<Result<Vec<_>, _>>()?;
    let ceiling = read_document(ceiling, of_ceiling)?;

    let identity = [&document];
    let boundary: Vec<&Document> = boundary.iter().collect();
    let sessions: Vec<&Document> = sessions.iter().collect();
    let layers: Vec<&[&Document]> = [identity.as_slice(), &boundary, &sessions]
        .into_iter()
        .filter(|layer| !layer.is_empty())
        .collect();
    match contains_layers(&layers, &ceiling) {
        Containment::Contained(_) => {
            println!("contained");
            Ok(Answer::Yes)
        }
        Containment::Exceeds(witness) => {
            println!("exceeds: {witness}");
            let (_, statement) = witness.candidate;
            if candidate != Path::new("-") {
                println!("allowed by {}", statement_at(candidate, statement)?);
            }
            Ok(Answer::No)
        }
        Containment::Unknown(reason) => {
            println!("unknown: {reason}");
            Ok(Answer::No)
        }
    }
}

/// `FILE:LINE:COLUMN: Statement[i]`
fn statement_at(path: &Path, statement: usize) -> Result<String, Failure> {
    let (name, text) = (path.display().to_string(), read_text(path)?);
    let element = format!("Statement[{statement}]");
    let span = Locator::new(&text).find(&element, false);
    let place = place(
        &Source {
            name: &name,
            text: &text,
        },
        span.as_ref(),
    );
    Ok(format!("{place}: {element}"))
}

/// The kinds of candidate and ceiling.
fn kinds(of: Type) -> (PolicyKind, PolicyKind) {
    let candidate = of.into();
    match of {
        Type::Identity | Type::Session | Type::Boundary => (candidate, PolicyKind::Boundary),
        Type::Resource | Type::Trust | Type::ServiceControl | Type::ResourceControl => (candidate, candidate),
    }
}

fn answer(line: &str) -> Verdict {
    let line: Line<'_> = match serde_json::from_str(line) {
        Ok(line) => line,
        Err(e) => {
            return Verdict {
                id: serde_json::Value::Null,
                verdict: "invalid",
                witness: None,
                reason: e.to_string(),
            };
        }
    };
    let (verdict, witness, reason) = judge(&line);
    Verdict {
        id: line.id,
        verdict,
        witness,
        reason,
    }
}

fn judge(line: &Line<'_>) -> (&'static str, Option<WitnessOut>, String) {
    let (kind, of_ceiling) = kinds(line.kind);
    let candidate = match Document::parse(line.candidate.get(), kind) {
        Ok(d) => d,
        Err(e) => return ("invalid", None, format!("candidate: {e}")),
    };
    let ceiling = match Document::parse(line.ceiling.get(), of_ceiling) {
        Ok(d) => d,
        Err(e) => return ("invalid", None, format!("ceiling: {e}")),
    };
    match contains_layers(&[&[&candidate]], &ceiling) {
        Containment::Contained(_) => (
            "contained",
            None,
            "every allowed request is allowed by the ceiling".into(),
        ),
        Containment::Exceeds(w) => (
            "exceeds",
            Some((&w).into()),
            format!("the candidate allows {w}, the ceiling does not"),
        ),
        Containment::Unknown(reason) => ("unknown", None, reason.to_string()),
    }
}
