//! `deputy policy contains`

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use deputy_policy::{Candidate, Containment, Document, PolicyKind, StatementRef, Witness, contains};
use serde::Serialize;

use super::{
    batch::{self, Members, batch},
    report::place,
    select::{self, Judged},
    source::File,
    types::PolicyType,
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure},
    input::{named, once},
    output::Output,
};

const EXAMPLE: &str = "\
Examples:
  deputy policy contains role.yaml limit.yaml
  deputy policy contains --type session binding.yaml limit.yaml";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct ContainsArguments {
    /// The policy that is asked for, or manifests: each AWSRole and AWSResourcePolicyStatement, and each ClusterAWSRole in the
    /// namespaces that it names, is asked about (with --type session each AWSRoleBinding and AWSFederatedUserBinding, with --type
    /// boundary each DelegationLimit); JSON or YAML, - is standard input
    #[arg(required_unless_present = "batch")]
    candidate: Option<PathBuf>,
    /// What may be granted at most: a policy, or manifests with one DelegationLimit
    #[arg(required_unless_present = "batch")]
    ceiling: Option<PathBuf>,
    /// What the candidate is used as; the ceiling is one of the same sort
    #[arg(long, value_enum, default_value_t)]
    r#type: PolicyType,
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

impl batch::BatchAnswer for Verdict {
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

pub fn run(arguments: &ContainsArguments) -> CommandResult {
    if let Some(path) = &arguments.batch {
        return batch(path, answer);
    }
    let (Some(candidate), Some(ceiling)) = (&arguments.candidate, &arguments.ceiling) else {
        return Err(Failure::input("needs CANDIDATE and CEILING, or --batch"));
    };
    let (kind, of_ceiling) = kinds(arguments.r#type);
    let layered = arguments.boundary.is_some() || !arguments.session.is_empty();
    if layered && arguments.r#type != PolicyType::Identity {
        return Err(Failure::input("--boundary and --session go with --type identity"));
    }
    let files = [("CANDIDATE", candidate.as_path()), ("CEILING", ceiling)].into_iter();
    let boundary = arguments.boundary.as_slice();
    once(
        files
            .chain(named("--boundary", boundary))
            .chain(named("--session", &arguments.session)),
    )?;
    let (file, candidates) = select::all(candidate, kind)?;
    let read = |paths: &[PathBuf], kind| {
        let read = paths.iter().map(|path| select::one(path, kind));
        read.collect::<Result<Vec<_>, _>>().map(|read| read.concat())
    };
    let boundary = read(boundary, PolicyKind::Boundary)?;
    let sessions = read(&arguments.session, PolicyKind::Session)?;
    let ceiling = select::single(ceiling, of_ceiling)?;

    let mut out = Output::new();
    let mut whole = CommandAnswer::Yes;
    for candidate in &candidates {
        let identity: Vec<&Document> = candidate.documents.iter().collect();
        let mut compared = Candidate::new(&identity);
        for layer in [&boundary, &sessions] {
            if !layer.is_empty() {
                compared = compared.layer(&layer.iter().collect::<Vec<_>>());
            }
        }
        let of = candidate
            .label
            .as_ref()
            .map_or_else(String::new, |label| format!("{label}: "));
        match contains(&compared, &ceiling) {
            Containment::Contained(_) => out.line(format_args!("{of}contained"))?,
            Containment::Exceeds(witness) => {
                whole = CommandAnswer::No;
                out.line(format_args!("{of}exceeds: {witness}"))?;
                if let Some(place) = allowed_by(&file, candidate, witness.candidate) {
                    out.line(format_args!("{of}allowed by {place}"))?;
                }
            }
            Containment::Unknown(reason) => {
                whole = CommandAnswer::No;
                out.line(format_args!("{of}unknown: {reason}"))?;
            }
        }
    }
    out.flush()?;
    Ok(whole)
}

/// `FILE:LINE:COLUMN: Statement[i]`
fn allowed_by(file: &File, candidate: &Judged, at: StatementRef) -> Option<String> {
    let policy = candidate.policies.get(at.document)?;
    let element = format!("Statement[{}]", at.statement);
    let place = place(&file.source(), policy.find(&element).as_ref());
    Some(format!("{place}: {}", policy.path_of(&element)))
}

/// The kinds of candidate and ceiling.
fn kinds(of: PolicyType) -> (PolicyKind, PolicyKind) {
    let candidate = of.into();
    match of {
        PolicyType::Identity | PolicyType::Session | PolicyType::Boundary => {
            (candidate, PolicyKind::Boundary)
        }
        PolicyType::Resource
        | PolicyType::Trust
        | PolicyType::ServiceControl
        | PolicyType::ResourceControl => (candidate, candidate),
    }
}

fn answer(line: &mut Members<'_>) -> Result<Verdict, String> {
    let (candidate, ceiling) = (line.required("candidate")?, line.required("ceiling")?);
    let (kind, of_ceiling) = kinds(line.word("type", PolicyType::default())?);
    line.done()?;
    // The text as it is: a parsed value would have lost duplicate keys.
    let candidate = Document::parse(candidate.get(), kind).map_err(|e| format!("candidate: {e}"))?;
    let ceiling = Document::parse(ceiling.get(), of_ceiling).map_err(|e| format!("ceiling: {e}"))?;
    let (verdict, witness, reason) = match contains(&Candidate::new(&[&candidate]), &ceiling) {
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
