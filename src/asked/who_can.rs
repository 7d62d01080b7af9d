//! `deputy who-can`: which bindings give somebody a session that may make a request.

use clap::Args;
use deputy_delegation::model::BindingRef;
use deputy_policy::{Code, Effect, Witness, lint};
use serde::Serialize;

use super::{
    grant::{AskedGrant, everything_but},
    grants::{Grants, grants},
    policy::{identity, statement},
    subject::subject_lines,
    undecided::{UndecidedBinding, federated_subjects, undecided_lines},
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure, say},
    objects::{AskedWorld, WorldArguments},
    output::{Output, OutputFormat},
    text::printable,
};

const EXAMPLES: &str = "Examples:

  deputy who-can s3:DeleteObject 'arn:aws:s3:::productionapp/*' -f manifests/
  deputy who-can 'kms:*' '*' --context production -o json

What policies of buckets, keys and other resources grant by themselves is not looked at.
Exit codes: 0 somebody can, 1 nobody can, 2 it is not known, or something can't be read.";

/// What is not known of the sessions of a federated user.
pub const ONLY_RESOURCES_KNOW: &str = "what policies of resources, and the federation user's own, allow";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct WhoCanArguments {
    /// An action, or a pattern: any of them
    #[arg(value_name = "ACTION")]
    action: String,
    /// An ARN, or a pattern: any of them
    #[arg(value_name = "RESOURCE")]
    resource: String,
    #[command(flatten)]
    world: WorldArguments,
    /// How the answer is written
    #[arg(short, long, visible_alias = "format", value_enum, default_value_t)]
    output: OutputFormat,
}

/// What is said of one binding: a contract (docs/contracts.md).
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WhoCan {
    pub binding: String,
    pub role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    pub subjects: Vec<String>,
    /// `yes`, `no` or `unknown`.
    pub can: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub witness: Option<String>,
    /// What only AWS knows, and why something is not known.
    pub unknown: Vec<String>,
}

pub fn run(arguments: &WhoCanArguments) -> CommandResult {
    nameable(&arguments.action, &arguments.resource).map_err(Failure::input)?;
    let world = arguments.world.read()?;
    let grants = grants(&world);
    let found = who_can(&world, &grants, &arguments.action, &arguments.resource);
    let undecided = undecided_about(&grants, &arguments.action, &arguments.resource);
    let warnings = doubts(&arguments.action, &arguments.resource).map_err(Failure::input)?;
    for warning in &warnings {
        say(&format_args!("warning: {warning}"));
    }
    let answer = answer(&world, &found, &undecided);
    let mut out = Output::new();
    match arguments.output {
        OutputFormat::Json => {
            let answer = answer.as_str();
            let said = serde_json::json!({
                "answer": answer, "bindings": found, "undecided": undecided, "warnings": warnings,
            });
            out.line(format_args!("{said:#}"))?;
        }
        OutputFormat::Text => out.write(text(&world, &found, &undecided))?,
    }
    out.flush()?;
    Ok(answer)
}

/// Whether a policy can name what is asked for.
fn nameable(action: &str, resource: &str) -> Result<(), String> {
    everything_but(action, "*").map_err(|_| {
        format!(
            "ACTION {action}: an action is service:Name, such as s3:GetObject, or a pattern of that, such as s3:Get*, or *"
        )
    })?;
    everything_but("*", resource).map_err(|_| {
        format!("RESOURCE {resource}: a resource is an ARN, such as arn:aws:s3:::productionapp/*, or *")
    })?;
    everything_but(action, resource).map(drop)
}

/// Why no request may be meant, by AWS's service reference: an action that it does not have, or one that is never on such a resource. AWS
/// makes new ones, so it is answered all the same.
///
/// # Errors
/// When a policy can't name them.
fn doubts(action: &str, resource: &str) -> Result<Vec<String>, String> {
    let asked = identity(vec![statement(Effect::Allow, action, resource)])?;
    let doubts = [
        Code::UnknownAction,
        Code::UnknownService,
        Code::ActionWithoutResource,
    ];
    let found = lint(&asked, None).into_iter();
    Ok(found
        .filter(|one| doubts.contains(&one.code))
        .map(|one| one.message)
        .collect())
}

fn answer(world: &AskedWorld, found: &[WhoCan], undecided: &[UndecidedBinding]) -> CommandAnswer {
    if found.iter().any(|one| one.can == "yes") {
        CommandAnswer::Yes
    } else if found.is_empty() && (world.is_whole || undecided.is_empty()) {
        CommandAnswer::No
    } else {
        CommandAnswer::Unknown
    }
}

/// The bindings of which it is not known whether they let somebody do it.
pub fn undecided_about(grants: &Grants, action: &str, resource: &str) -> Vec<UndecidedBinding> {
    let undecided = grants.undecided.iter();
    let may = undecided.filter(|grant| grant.may_allow(action, resource));
    may.map(|grant| grant.said.clone()).collect()
}

/// Every accepted binding, and whether its sessions may make such a request; those that may not and of which all is known are left out.
pub fn who_can(world: &AskedWorld, grants: &Grants, action: &str, resource: &str) -> Vec<WhoCan> {
    let all = grants.given.iter().map(|grant| {
        let asked = grant.request_of(action, resource);
        one(world, grant, asked)
    });
    let federated = grants.users.iter().map(|binding| WhoCan {
        binding: BindingRef::federated_user(binding.id.clone()).to_string(),
        role: String::new(),
        role_arn: None,
        subjects: federated_subjects(binding),
        can: "unknown",
        witness: None,
        unknown: vec![ONLY_RESOURCES_KNOW.to_owned()],
    });
    let all = all.chain(federated);
    all.filter(|one| one.can != "no").collect()
}

fn one(world: &AskedWorld, grant: &AskedGrant, asked: Result<Option<Witness>, String>) -> WhoCan {
    let mut unknown = Vec::new();
    let (can, witness) = match asked {
        Ok(Some(witness)) => {
            unknown.clone_from(&grant.may_allow_less);
            (
                if unknown.is_empty() { "yes" } else { "unknown" },
                Some(witness.to_string()),
            )
        }
        Ok(None) if grant.may_allow_more.is_empty() => ("no", None),
        Ok(None) => {
            unknown.clone_from(&grant.may_allow_more);
            ("unknown", None)
        }
        Err(why) => {
            unknown.push(why);
            ("unknown", None)
        }
    };
    WhoCan {
        binding: format!("AWSRoleBinding {}", grant.binding.id),
        role: grant.role.id.title().to_string(),
        role_arn: grant.role_arn(world).map(|arn| arn.to_string()),
        subjects: subject_lines(&grant.binding, &grant.binding.subjects),
        can,
        witness,
        unknown,
    }
}

fn text(world: &AskedWorld, found: &[WhoCan], undecided: &[UndecidedBinding]) -> String {
    let mut out = String::new();
    if answer(world, found, undecided) == CommandAnswer::No {
        out.push_str("nobody can\n");
    }
    for one in found {
        let who = one.subjects.join(", ");
        let arn = one
            .role_arn
            .as_ref()
            .map_or_else(String::new, |arn| format!(" ({arn})"));
        let by = match one.role.as_str() {
            "" => one.binding.clone(),
            role => format!("{}, as {role}{arn}", one.binding),
        };
        let such = one
            .witness
            .as_ref()
            .map_or_else(String::new, |witness| format!(", such as {witness}"));
        let unknown = match one.unknown.as_slice() {
            [] => String::new(),
            unknown => format!("; not known: {}", unknown.join("; ")),
        };
        out.push_str(&printable(&format!("{}: {who}, by {by}{such}{unknown}", one.can)));
        out.push('\n');
    }
    for line in undecided_lines(world, undecided) {
        out.push_str(&printable(&line));
        out.push('\n');
    }
    out
}
