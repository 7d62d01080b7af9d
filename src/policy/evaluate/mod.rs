//! `deputy policy evaluate`

mod policies;
mod wire;

use std::path::PathBuf;

use clap::Args;
use deputy_policy::{AccessDecision, Document, PolicyKind};

use self::policies::{EvaluatedPolicies, Parties};
use super::{
    batch::batch,
    request::{self, resource_kind, word},
    select,
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure},
    input::{named, once},
    output,
};

const EXAMPLE: &str = "\
Example:
  deputy policy evaluate --action s3:GetObject --resource arn:aws:s3:::productionapp/a --identity policy.json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct EvaluateArguments {
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

pub fn run(arguments: &EvaluateArguments) -> CommandResult {
    if let Some(path) = &arguments.batch {
        return batch(path, |line| wire::answer(line, arguments.explain));
    }
    let (Some(action), Some(resource)) = (&arguments.action, &arguments.resource) else {
        return Err(Failure::input("needs --action and --resource, or --batch"));
    };
    let (scps, rcps) = (select::levels(&arguments.scps), select::levels(&arguments.rcps));
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
    for (key, values) in request::pairs("context", &arguments.context)? {
        request::key(key).map_err(asked)?;
        request.context.set(key, values);
    }
    let policies = EvaluatedPolicies {
        identity: all(&arguments.identity, PolicyKind::Identity)?,
        resource: all(arguments.resource_policy.as_slice(), resource_kind(&request))?.pop(),
        boundaries: all(&arguments.boundary, PolicyKind::Boundary)?,
        session: all(&arguments.session, PolicyKind::Session)?,
        scps: each(&scps, PolicyKind::ServiceControl)?,
        rcps: each(&rcps, PolicyKind::ResourceControl)?,
    };
    if policies.is_empty() {
        return Err(Failure::input(
            "there is no policy to evaluate: name one by --identity, --resource-policy, --boundary, --session, --scps or --rcps",
        ));
    }
    let answered = policies
        .answer(&request, &parties, arguments.explain)
        .map_err(Failure::input)?;
    output::print(
        answered
            .explanation
            .unwrap_or_else(|| format!("{}: {}", word(answered.decision), answered.reason)),
    )?;
    Ok(match answered.decision {
        AccessDecision::Allowed => CommandAnswer::Yes,
        AccessDecision::ExplicitDeny | AccessDecision::ImplicitDeny => CommandAnswer::No,
    })
}

fn all(paths: &[PathBuf], kind: PolicyKind) -> Result<Vec<Document>, Failure> {
    let read = paths.iter().map(|path| select::one(path, kind));
    Ok(read.collect::<Result<Vec<_>, _>>()?.concat())
}

fn each(levels: &[Vec<PathBuf>], kind: PolicyKind) -> Result<Vec<Vec<Document>>, Failure> {
    levels.iter().map(|level| all(level, kind)).collect()
}
