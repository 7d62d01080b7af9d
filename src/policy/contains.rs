//! `deputy policy contains`

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::Args;
use deputy_policy::{Containment, Document, Locator, PolicyKind, Witness, contains_layers};
use serde::Serialize;

use super::{
    Type,
    batch::{self, Members, batch},
    read_document,
    report::{Source, place},
};
use crate::{
    exit::{Answer, Failure, Outcome},
    input::{is_standard_input, named, once, read},
    output::print,
};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The policy that is asked for (JSON); - is standard input
    #[arg(required_unless_present = "batch")]
    candidate: Option<PathBuf>,
    /// What may be granted at most (JSON)
    #[arg(required_unless_present = "batch")]
    ceiling: Option<PathBuf>,
    /// What the candidate is used as; the ceiling is one of the same sort
    #[arg(long, value_enum, default_value_t)]
    r#type: Type,
    /// The permissions boundary of whoever has the candidate: only what both allow counts
    #[arg(long, value_name = "FILE")]
    boundary: Option<PathBuf>,
    /// A session policy: only what the candidate and the session's policies allow counts; may be repeated
    #[arg(long, value_name = "FILE")]
    session: Vec<PathBuf>,
    /// JSON lines in, JSON lines out, in the same order; - is standard input
    #[arg(long, value_name = "FILE", exclusive = true)]
    batch: Option<PathBuf>,
}

#[derive(Serialize)]
struct Verdict {
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<WitnessOut>,
    reason: String,
}

impl batch::Answer for Verdict {
    fn invalid(reason: String) -> Self {
        Self {
            verdict: "invalid",
            witness: None,
            reason,
        }
    }
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
    if let Some(path) = &arguments.batch {
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
    let files = [("CANDIDATE", candidate.as_path()), ("CEILING", ceiling)].into_iter();
    let boundary = arguments.boundary.as_slice();
    once(
        files
            .chain(named("--boundary", boundary))
            .chain(named("--session", &arguments.session)),
    )?;
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
            print("contained")?;
            Ok(Answer::Yes)
        }
        Containment::Exceeds(witness) => {
            let mut said = format!("exceeds: {witness}");
            let (_, statement) = witness.candidate;
            if !is_standard_input(candidate) {
                said += &format!("\nallowed by {}", statement_at(candidate, statement)?);
            }
            print(said)?;
            Ok(Answer::No)
        }
        Containment::Unknown(reason) => {
            print(format_args!("unknown: {reason}"))?;
            Ok(Answer::No)
        }
    }
}

/// `FILE:LINE:COLUMN: Statement[i]`
fn statement_at(path: &Path, statement: usize) -> Result<String, Failure> {
    let (name, text) = (path.display().to_string(), read(path)?);
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

fn answer(line: &mut Members<'_>) -> Result<Verdict, String> {
    let (candidate, ceiling) = (line.required("candidate")?, line.required("ceiling")?);
    let (kind, of_ceiling) = kinds(line.word("type", Type::default())?);
    line.done()?;
    // The text as it is: a parsed value would have lost duplicate keys.
    let candidate = Document::parse(candidate.get(), kind).map_err(|e| format!("candidate: {e}"))?;
    let ceiling = Document::parse(ceiling.get(), of_ceiling).map_err(|e| format!("ceiling: {e}"))?;
    let (verdict, witness, reason) = match contains_layers(&[&[&candidate]], &ceiling) {
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
    };
    Ok(Verdict {
        verdict,
        witness,
        reason,
    })
}
