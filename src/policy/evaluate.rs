//! `deputy policy evaluate`

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use deputy_policy::{Context, Decision, Document, Evaluation, Layers, PolicyKind, Request, evaluate};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Batch, batch, read_document};
use crate::exit::{Answer, Failure, Outcome};

#[derive(Debug, Args)]
pub struct Arguments {
    /// `service:Action`
    #[arg(long, required_unless_present = "batch")]
    action: Option<String>,
    /// ARN, or * for actions that have none
    #[arg(long, required_unless_present = "batch")]
    resource: Option<String>,
    /// A context key and its value; may be repeated, also for one key
    #[arg(long, value_name = "KEY=VALUE")]
    context: Vec<String>,
    /// Identity policy (JSON); may be repeated
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// Permissions boundary (JSON)
    #[arg(long, value_name = "FILE")]
    boundary: Option<PathBuf>,
    /// Session policy (JSON); may be repeated
    #[arg(long, value_name = "FILE")]
    session: Vec<PathBuf>,
    #[command(flatten)]
    batch: Batch,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Line<'a> {
    #[serde(default)]
    id: serde_json::Value,
    request: RequestIn,
    #[serde(default, borrow)]
    identity: Vec<&'a RawValue>,
    #[serde(default, borrow)]
    boundaries: Option<Vec<&'a RawValue>>,
    #[serde(default, borrow)]
    session: Option<Vec<&'a RawValue>>,
    #[serde(default, borrow)]
    resource_policy: Option<&'a RawValue>,
    #[serde(default, borrow)]
    scps: Option<&'a RawValue>,
    #[serde(default, borrow)]
    rcps: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RequestIn {
    action: String,
    resource: String,
    #[serde(default)]
    resource_account: Option<String>,
    #[serde(default)]
    principal: Option<String>,
    #[serde(default)]
    context: BTreeMap<String, OneOrMany>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Serialize)]
struct Answered {
    id: serde_json::Value,
    decision: &'static str,
    reason: String,
}

pub fn run(arguments: &Arguments) -> Outcome {
    if let Some(path) = &arguments.batch.batch {
        return batch(path, answer);
    }
    let (Some(action), Some(resource)) = (&arguments.action, &arguments.resource) else {
        return Err(Failure::input("needs --action and --resource, or --batch"));
    };
    let mut context: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for pair in &arguments.context {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Failure::input(format!("--context {pair:?}: expected KEY=VALUE")))?;
        context.entry(key).or_default().push(value);
    }
    let mut request = Request {
        action: action.clone(),
        resource: resource.clone(),
        principal: None,
        context: Context::new(),
    };
    for (key, values) in context {
        request.context.set(key, values);
    }
    let read = |paths: &[PathBuf], kind| {
        paths
            .iter()
            .map(|p| read_document(p, kind))
            .collect::<Result<Vec<_>, _>>()
    };
    let identity = read(&arguments.identity, PolicyKind::Identity)?;
    let boundary = arguments
        .boundary
        .as_deref()
        .map(|p| read_document(p, PolicyKind::Boundary))
        .transpose()?;
    let session = read(&arguments.session, PolicyKind::Session)?;
    let evaluation = decide(
        &identity,
        boundary.as_ref(),
        (!session.is_empty()).then_some(&session),
        &request,
    );
    println!("{}: {}", word(evaluation.decision), reason(&evaluation));
    Ok(if evaluation.is_allowed() {
        Answer::Yes
    } else {
        Answer::No
    })
}

fn decide(
    identity: &[Document],
    boundary: Option<&Document>,
    session: Option<&Vec<Document>>,
    request: &Request,
) -> Evaluation {
    let identity: Vec<&Document> = identity.iter().collect();
    let session: Option<Vec<&Document>> = session.map(|s| s.iter().collect());
    evaluate(
        &Layers {
            identity: &identity,
            boundary,
            session: session.as_deref(),
        },
        request,
    )
}

fn answer(line: &str) -> Answered {
    let line: Line<'_> = match serde_json::from_str(line) {
        Ok(line) => line,
        Err(e) => {
            return Answered {
                id: serde_json::Value::Null,
                decision: "invalid",
                reason: e.to_string(),
            };
        }
    };
    match judge(&line) {
        Ok(evaluation) => Answered {
            id: line.id,
            decision: word(evaluation.decision),
            reason: reason(&evaluation),
        },
        Err(reason) => Answered {
            id: line.id,
            decision: "invalid",
            reason,
        },
    }
}

fn judge(line: &Line<'_>) -> Result<Evaluation, String> {
    // What this version does not evaluate it must not pass over in silence.
    for (name, present) in [
        ("resourcePolicy", line.resource_policy.is_some()),
        ("scps", line.scps.is_some()),
        ("rcps", line.rcps.is_some()),
        ("request.resourceAccount", line.request.resource_account.is_some()),
    ] {
        if present {
            return Err(format!("{name} is not evaluated by this version"));
        }
    }
    let parse = |name: &str, texts: &[&RawValue], kind| {
        texts
            .iter()
            .enumerate()
            .map(|(i, t)| Document::parse(t.get(), kind).map_err(|e| format!("{name}[{i}]: {e}")))
            .collect::<Result<Vec<_>, _>>()
    };
    let identity = parse("identity", &line.identity, PolicyKind::Identity)?;
    let boundaries = parse(
        "boundaries",
        line.boundaries.as_deref().unwrap_or_default(),
        PolicyKind::Boundary,
    )?;
    if boundaries.len() > 1 {
        return Err("boundaries: a principal has one permissions boundary at most".into());
    }
    let session = line
        .session
        .as_deref()
        .map(|s| parse("session", s, PolicyKind::Session))
        .transpose()?;
    let mut request = Request {
        action: line.request.action.clone(),
        resource: line.request.resource.clone(),
        principal: line
            .request
            .principal
            .as_deref()
            .map(deputy_policy::Caller::parse)
            .transpose()?,
        context: Context::new(),
    };
    for (key, values) in &line.request.context {
        match values {
            OneOrMany::One(v) => request.context.set(key, [v.clone()]),
            OneOrMany::Many(v) => request.context.set(key, v.clone()),
        }
    }
    Ok(decide(&identity, boundaries.first(), session.as_ref(), &request))
}

fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Allowed => "allowed",
        Decision::ExplicitDeny => "explicitDeny",
        Decision::ImplicitDeny => "implicitDeny",
    }
}

fn reason(evaluation: &Evaluation) -> String {
    let layer = &evaluation.reason.layer;
    match (&evaluation.reason.statement, &evaluation.reason.sid) {
        (Some((document, statement)), Some(sid)) => {
            format!("{layer} {document}, Statement[{statement}] ({sid})")
        }
        (Some((document, statement)), None) => format!("{layer} {document}, Statement[{statement}]"),
        (None, _) => format!("no statement of the {layer} allows it"),
    }
}
