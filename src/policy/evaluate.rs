//! `deputy policy evaluate`

mod request;
mod wire;

use std::path::PathBuf;

use clap::Args;
use deputy_policy::{AccessDecision, Document, PolicyKind, Request, Situation};

use super::{batch::batch, select};
use crate::{
    exit::{Answer, Failure, Outcome},
    input::{named, once},
    output,
};

#[derive(Debug, Args)]
pub struct Arguments {
    /// service:Action
    #[arg(long, required_unless_present = "batch", conflicts_with = "batch")]
    action: Option<String>,
    /// ARN, or * for actions that have none
    #[arg(long, required_unless_present = "batch", conflicts_with = "batch")]
    resource: Option<String>,
    /// Who asks: the ARN of a user, role, session or root, a service such as ec2.amazonaws.com, or * for anonymous;
    /// without it only the policies on the principal's own side are looked at
    #[arg(long, value_name = "ARN", conflicts_with = "batch")]
    principal: Option<String>,
    /// Account that owns the resource; by default the one in its ARN, else the principal's
    #[arg(long, value_name = "ID", conflicts_with = "batch")]
    resource_account: Option<String>,
    /// A context key and its value; may be repeated, also for one key
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "batch")]
    context: Vec<String>,
    /// Identity policy, or a manifest with one AWSRole; JSON or YAML, - is standard input; may be repeated
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    identity: Vec<PathBuf>,
    /// Policy of the resource, or trust policy of the role that is assumed
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    resource_policy: Option<PathBuf>,
    /// Permissions boundary, or a manifest with one DelegationLimit; of several, each must allow
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    boundary: Vec<PathBuf>,
    /// Session policy, or a manifest with one AWSRoleBinding; may be repeated
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    session: Vec<PathBuf>,
    /// Service control policies of one level of the organisation, separated by commas; repeated for each level, root
    /// first
    #[arg(long, value_name = "FILE,…", conflicts_with = "batch")]
    scps: Vec<String>,
    /// Resource control policies, likewise
    #[arg(long, value_name = "FILE,…", conflicts_with = "batch")]
    rcps: Vec<String>,
    /// Say what every statement of every policy has to say
    #[arg(long)]
    explain: bool,
    /// JSON lines in, JSON lines out, in the same order; - is standard input
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
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
    decision: AccessDecision,
    reason: String,
    explanation: Option<String>,
}

pub fn run(arguments: &Arguments) -> Outcome {
    if let Some(path) = &arguments.batch {
        return batch(path, |line| wire::answer(line, arguments.explain));
    }
    let (Some(action), Some(resource)) = (&arguments.action, &arguments.resource) else {
        return Err(Failure::input("needs --action and --resource, or --batch"));
    };
    let (scps, rcps) = (levels(&arguments.scps), levels(&arguments.rcps));
    let several = [
        ("--identity", arguments.identity.as_slice()),
        ("--resource-policy", arguments.resource_policy.as_slice()),
        ("--boundary", &arguments.boundary),
        ("--session", &arguments.session),
    ];
    let organisation = scps.iter().map(|level| ("--scps", level.as_slice()));
    let organisation = organisation.chain(rcps.iter().map(|level| ("--rcps", level.as_slice())));
    once(
        several
            .into_iter()
            .chain(organisation)
            .flat_map(|(name, paths)| named(name, paths)),
    )?;

    let asked = |e: String| Failure::input(format!("--{e}"));
    let parties = Parties {
        principal: arguments.principal.clone(),
        resource_account: arguments.resource_account.clone(),
    };
    let mut request = request::read(action, resource, parties.principal.as_deref()).map_err(asked)?;
    let pairs = arguments.context.iter().map(|pair| {
        pair.split_once('=')
            .ok_or_else(|| asked(format!("context {pair:?}: KEY=VALUE is needed")))
    });
    for (key, values) in request::gather(pairs.collect::<Result<Vec<_>, _>>()?) {
        request::key(key).map_err(asked)?;
        request.context.set(key, values);
    }
    let policies = Policies {
        identity: all(&arguments.identity, PolicyKind::Identity)?,
        resource: all(arguments.resource_policy.as_slice(), resource_kind(&request))?.pop(),
        boundaries: all(&arguments.boundary, PolicyKind::Boundary)?,
        session: all(&arguments.session, PolicyKind::Session)?,
        scps: each(&scps, PolicyKind::ServiceControl)?,
        rcps: each(&rcps, PolicyKind::ResourceControl)?,
    };
    let answered = policies
        .answer(&request, &parties, arguments.explain)
        .map_err(Failure::input)?;
    output::print(
        answered
            .explanation
            .unwrap_or_else(|| format!("{}: {}", word(answered.decision), answered.reason)),
    )?;
    Ok(match answered.decision {
        AccessDecision::Allowed => Answer::Yes,
        AccessDecision::ExplicitDeny | AccessDecision::ImplicitDeny => Answer::No,
    })
}

fn levels(arguments: &[String]) -> Vec<Vec<PathBuf>> {
    let files = |level: &String| level.split(',').map(PathBuf::from).collect();
    arguments.iter().map(files).collect()
}

fn all(paths: &[PathBuf], kind: PolicyKind) -> Result<Vec<Document>, Failure> {
    let read = paths.iter().map(|path| select::one(path, kind));
    Ok(read.collect::<Result<Vec<_>, _>>()?.concat())
}

fn each(levels: &[Vec<PathBuf>], kind: PolicyKind) -> Result<Vec<Vec<Document>>, Failure> {
    levels.iter().map(|level| all(level, kind)).collect()
}

/// The policy of a role is its trust policy.
fn resource_kind(request: &Request) -> PolicyKind {
    if request.asks_trust_policy() {
        PolicyKind::Trust
    } else {
        PolicyKind::Resource
    }
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

fn word(decision: AccessDecision) -> &'static str {
    match decision {
        AccessDecision::Allowed => "allowed",
        AccessDecision::ExplicitDeny => "explicitDeny",
        AccessDecision::ImplicitDeny => "implicitDeny",
    }
}
