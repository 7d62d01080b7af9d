//! `deputy policy contains`

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use deputy_policy::{Containment, Document, PolicyKind, Witness, contains};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Batch, Type, batch, read_document};
use crate::exit::{Answer, Failure, Outcome};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The policy that is asked for (JSON)
    #[arg(required_unless_present = "batch")]
    candidate: Option<PathBuf>,
    /// What may be granted at most (JSON)
    #[arg(required_unless_present = "batch")]
    ceiling: Option<PathBuf>,
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
    let candidate = read_document(candidate, PolicyKind::Identity)?;
    let ceiling = read_document(ceiling, PolicyKind::Boundary)?;
    match contains(&[&candidate], &ceiling) {
        Containment::Contained => {
            println!("contained");
            Ok(Answer::Yes)
        }
        Containment::Exceeds(witness) => {
            println!("exceeds: {witness}");
            Ok(Answer::No)
        }
        Containment::Unknown(reason) => {
            println!("unknown: {reason}");
            Ok(Answer::No)
        }
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
    if matches!(line.kind, Type::Resource | Type::Trust) {
        return (
            "unknown",
            None,
            "containment of policies with principals is not decided by this version".into(),
        );
    }
    let candidate = match Document::parse(line.candidate.get(), PolicyKind::Identity) {
        Ok(d) => d,
        Err(e) => return ("invalid", None, format!("candidate: {e}")),
    };
    let ceiling = match Document::parse(line.ceiling.get(), PolicyKind::Boundary) {
        Ok(d) => d,
        Err(e) => return ("invalid", None, format!("ceiling: {e}")),
    };
    match contains(&[&candidate], &ceiling) {
        Containment::Contained => (
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
