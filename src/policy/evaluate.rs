//! `deputy policy evaluate`

mod wire;

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use deputy_policy::{Caller, Context, Decision, Document, PolicyKind, Request, Situation};

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
    /// Who asks: the ARN of a user, role, session or root, a service such as ec2.amazonaws.com, or * for anonymous;
    /// without it only the policies on the principal's own side are looked at
    #[arg(long, value_name = "ARN")]
    principal: Option<String>,
    /// Account that owns the resource; by default the one in its ARN, else the principal's
    #[arg(long, value_name = "ID")]
    resource_account: Option<String>,
    /// A context key and its value; may be repeated, also for one key
    #[arg(long, value_name = "KEY=VALUE")]
    context: Vec<String>,
    /// Identity policy (JSON); may be repeated
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// Policy of the resource, or trust policy of the role that is assumed (JSON)
    #[arg(long, value_name = "FILE")]
    resource_policy: Option<PathBuf>,
    /// Permissions boundary (JSON); of several, each must allow
    #[arg(long, value_name = "FILE")]
    boundary: Vec<PathBuf>,
    /// Session policy (JSON); may be repeated
    #[arg(long, value_name = "FILE")]
    session: Vec<PathBuf>,
    /// Service control policies (JSON) of one level of the organisation, separated by commas; repeated for each level,
    /// root first
    #[arg(long, value_name = "FILE,…")]
    scps: Vec<String>,
    /// Resource control policies, likewise
    #[arg(long, value_name = "FILE,…")]
    rcps: Vec<String>,
    /// Say what every statement of every policy has to say
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    batch: Batch,
}

/// The policies of one question.
#[derive(Debug, Default)]
struct Policies {
    identity: Vec<Document>,
    resource: Option<Document>,
    boundaries: Vec<Document>,
    session: Vec<Document>,
    scps: Vec<Vec<Document>>,
    rcps: Vec<Vec<Document>>,
}

/// Who asks, as given.
#[derive(Debug, Default)]
struct Parties {
    principal: Option<String>,
    resource_account: Option<String>,
}

/// What is answered.
struct Answered {
    decision: Decision,
    reason: String,
    explanation: Option<String>,
}

pub fn run(arguments: &Arguments) -> Outcome {
    if let Some(path) = &arguments.batch.batch {
        return batch(path, |line| wire::answer(line, arguments.explain));
    }
    let (Some(action), Some(resource)) = (&arguments.action, &arguments.resource) else {
        return Err(Failure::input("needs --action and --resource, or --batch"));
    };
    let parties = Parties {
        principal: arguments.principal.clone(),
        resource_account: arguments.resource_account.clone(),
    };
    let mut context: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for pair in &arguments.context {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Failure::input(format!("--context {pair:?}: expected KEY=VALUE")))?;
        context.entry(key).or_default().push(value);
    }
    let mut request = request(action, resource, &parties).map_err(Failure::input)?;
    for (key, values) in context {
        request.context.set(key, values);
    }
    let policies = read(arguments, &request)?;
    let answered = policies
        .answer(&request, &parties, arguments.explain)
        .map_err(Failure::input)?;
    match answered.explanation {
        Some(explanation) => println!("{explanation}"),
        None => println!("{}: {}", word(answered.decision), answered.reason),
    }
    Ok(match answered.decision {
        Decision::Allowed => Answer::Yes,
        Decision::ExplicitDeny | Decision::ImplicitDeny => Answer::No,
    })
}

fn read(arguments: &Arguments, request: &Request) -> Result<Policies, Failure> {
    let all = |paths: &[PathBuf], kind| {
        paths
            .iter()
            .map(|p| read_document(p, kind))
            .collect::<Result<Vec<_>, _>>()
    };
    let levels = |levels: &[String], kind| {
        levels
            .iter()
            .map(|level| {
                let files: Vec<PathBuf> = level.split(',').map(PathBuf::from).collect();
                all(&files, kind)
            })
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(Policies {
        identity: all(&arguments.identity, PolicyKind::Identity)?,
        resource: arguments
            .resource_policy
            .as_deref()
            .map(|path| read_document(path, resource_kind(request)))
            .transpose()?,
        boundaries: all(&arguments.boundary, PolicyKind::Boundary)?,
        session: all(&arguments.session, PolicyKind::Session)?,
        scps: levels(&arguments.scps, PolicyKind::ServiceControl)?,
        rcps: levels(&arguments.rcps, PolicyKind::ResourceControl)?,
    })
}

/// The policy of a role is its trust policy.
fn resource_kind(request: &Request) -> PolicyKind {
    if request.asks_trust_policy() {
        PolicyKind::Trust
    } else {
        PolicyKind::Resource
    }
}

fn request(action: &str, resource: &str, parties: &Parties) -> Result<Request, String> {
    Ok(Request {
        action: action.to_owned(),
        resource: resource.to_owned(),
        principal: parties.principal.as_deref().map(Caller::parse).transpose()?,
        context: Context::new(),
    })
}

impl Policies {
    fn situation(&self, parties: &Parties) -> Situation<'_> {
        let mut situation = Situation::new()
            .identity(&self.identity)
            .boundaries(&self.boundaries)
            .session(&self.session)
            .service_control(&self.scps)
            .resource_control(&self.rcps);
        if let Some(document) = &self.resource {
            situation = situation.resource_policy(document);
        }
        if let Some(id) = &parties.resource_account {
            situation = situation.resource_account(id);
        }
        // Sessions do not show their role's path; the ARN of the role does.
        let principal = parties.principal.as_deref().unwrap_or_default();
        situation.service_linked(principal.contains(":role/aws-service-role/"))
    }

    /// A call that assumes a role asks about session tags and source identity too. Without a principal only the action
    /// itself is asked about.
    fn answer(&self, request: &Request, parties: &Parties, explain: bool) -> Result<Answered, String> {
        let situation = self.situation(parties);
        if request.principal.is_some() && request.assumes_role() {
            let call = situation.assume_role(request).map_err(|e| e.to_string())?;
            let (action, step) = call.deciding().ok_or("nothing was asked")?;
            let reason = if action == request.action {
                step.reason.to_string()
            } else {
                format!("{action}: {}", step.reason)
            };
            let explanation = if explain {
                let steps = situation
                    .explain_assume_role(request)
                    .map_err(|e| e.to_string())?;
                let texts: Vec<String> = steps.iter().map(|(a, e)| format!("{a}: {e}")).collect();
                Some(texts.join("\n"))
            } else {
                None
            };
            return Ok(Answered {
                decision: step.decision,
                reason,
                explanation,
            });
        }
        if explain {
            let explained = situation.explain(request).map_err(|e| e.to_string())?;
            return Ok(Answered {
                decision: explained.evaluation.decision,
                reason: explained.evaluation.reason.to_string(),
                explanation: Some(explained.to_string()),
            });
        }
        let evaluation = situation.evaluate(request).map_err(|e| e.to_string())?;
        Ok(Answered {
            decision: evaluation.decision,
            reason: evaluation.reason.to_string(),
            explanation: None,
        })
    }
}

fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Allowed => "allowed",
        Decision::ExplicitDeny => "explicitDeny",
        Decision::ImplicitDeny => "implicitDeny",
    }
}
