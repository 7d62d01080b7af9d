//! `deputy what-can`: what the sessions of a subject may do.

use clap::Args;
use deputy_delegation::model::BindingRef;
use deputy_policy::{ActionElement, Document, Effect, ResourceElement, Statement};
use serde::Serialize;

use super::{
    grant::AskedGrant,
    grants::{Grants, grants},
    policy::{identity, statement},
    subject::AskedSubject,
    undecided::{UndecidedBinding, UndecidedOf, undecided_lines},
    who_can::ONLY_RESOURCES_KNOW,
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure},
    objects::{AskedWorld, WorldArguments},
    output::{Output, OutputFormat},
    policy::words,
    text::printable,
};

const EXAMPLES: &str = "Examples:

  deputy what-can payments/uploader -f manifests/          the ServiceAccount uploader of the namespace payments
  deputy what-can user:ada@example.com --context production
  deputy what-can group:sre -f manifests/ -o json
  deputy what-can arn:aws:iam::111122223333:role/partner -f manifests/

Exit codes: 0 it may do something, 1 nothing, 2 it is not known, or something can't be read.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct WhatCanArguments {
    /// NAMESPACE/NAME of a ServiceAccount, user:NAME, group:NAME, or the ARN of an AWS principal or provider
    #[arg(value_name = "SUBJECT")]
    subject: AskedSubject,
    #[command(flatten)]
    world: WorldArguments,
    /// How the answer is written
    #[arg(short, long, visible_alias = "format", value_enum, default_value_t)]
    output: OutputFormat,
}

/// What a binding lets do: a contract (docs/contracts.md).
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WhatCan {
    pub binding: String,
    /// Empty of a federated user.
    pub role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    pub may: Vec<MayDo>,
    /// What only AWS knows, and why something is not known.
    pub unknown: Vec<String>,
    /// Whether it may do more than `may`, by what is not known.
    #[serde(skip)]
    pub may_more: bool,
}

/// Requests of which a session may make some: a contract (docs/contracts.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MayDo {
    pub actions: String,
    pub resources: String,
    /// One of them, which it may make.
    pub witness: String,
}

pub fn run(arguments: &WhatCanArguments) -> CommandResult {
    let world = arguments.world.read()?;
    let grants = grants(&world);
    let found = what_can(&world, &grants, &arguments.subject).map_err(Failure::input)?;
    let undecided = undecided_of(&world, &grants, &arguments.subject);
    let answer = answer(&world, &found, &undecided);
    let mut out = Output::new();
    match arguments.output {
        OutputFormat::Json => {
            let answer = answer.as_str();
            let said = serde_json::json!({ "answer": answer, "bindings": found, "undecided": undecided });
            out.line(format_args!("{said:#}"))?;
        }
        OutputFormat::Text => out.write(text(&world, &found, &undecided))?,
    }
    out.flush()?;
    Ok(answer)
}

fn answer(world: &AskedWorld, found: &[WhatCan], undecided: &[UndecidedBinding]) -> CommandAnswer {
    if found.iter().any(|one| !one.may.is_empty()) {
        CommandAnswer::Yes
    } else if found.iter().any(|one| one.may_more) || !(world.is_whole || undecided.is_empty()) {
        CommandAnswer::Unknown
    } else {
        CommandAnswer::No
    }
}

/// The bindings of a subject of which it is not known whether they let it do anything.
pub fn undecided_of(world: &AskedWorld, grants: &Grants, subject: &AskedSubject) -> Vec<UndecidedBinding> {
    let namespace = world.namespace.as_deref();
    let own = grants.undecided.iter().filter(|grant| match &grant.of {
        UndecidedOf::Role(binding, _) => subject.is_of(binding, namespace),
        UndecidedOf::FederatedUser(binding) => subject.is_of_federated(binding, namespace),
    });
    own.map(|grant| grant.said.clone()).collect()
}

/// What each accepted binding of a subject lets it do.
///
/// # Errors
/// When a part of a policy is none by itself.
pub fn what_can(world: &AskedWorld, grants: &Grants, subject: &AskedSubject) -> Result<Vec<WhatCan>, String> {
    let namespace = world.namespace.as_deref();
    let given = grants.given.iter();
    let own = given.filter(|grant| subject.is_of(&grant.binding, namespace));
    let mut found = own
        .map(|grant| of_grant(world, grant))
        .collect::<Result<Vec<_>, _>>()?;
    let users = grants.users.iter();
    let own = users.filter(|binding| subject.is_of_federated(binding, namespace));
    found.extend(own.map(|binding| WhatCan {
        binding: BindingRef::federated_user(binding.id.clone()).to_string(),
        role: String::new(),
        role_arn: None,
        may: Vec::new(),
        unknown: vec![ONLY_RESOURCES_KNOW.to_owned()],
        may_more: true,
    }));
    Ok(found)
}

/// What a grant lets its subjects do.
///
/// # Errors
/// When a part of a policy is none by itself.
pub fn of_grant(world: &AskedWorld, grant: &AskedGrant) -> Result<WhatCan, String> {
    let nothing = identity(vec![statement(Effect::Deny, "*", "*")])?;
    let (mut may, mut unknown) = (Vec::new(), Vec::new());
    let statements = || grant.identity.iter().flat_map(Document::statements);
    let denies = statements().filter(|statement| statement.effect == Effect::Deny);
    let denies: Vec<Document> = denies
        .map(|deny| identity(vec![deny.clone()]))
        .collect::<Result<_, _>>()?;
    for part in statements()
        .filter(|statement| statement.effect == Effect::Allow)
        .flat_map(parts)
    {
        let actions = words::actions(&part.action);
        let resources = part.resource.as_ref().map_or_else(String::new, words::resources);
        let alone = identity(vec![part])?;
        let mut policies = vec![&alone];
        policies.extend(&denies);
        match grant.request_beyond(&policies, &nothing) {
            Ok(None) => {}
            Ok(Some(witness)) => may.push(MayDo {
                actions,
                resources,
                witness: witness.to_string(),
            }),
            Err(why) => unknown.push(format!("{actions} on {resources}: {why}")),
        }
    }
    may.dedup();
    let may_more = !unknown.is_empty() || !grant.may_allow_more.is_empty();
    unknown.extend(grant.may_allow_more.iter().chain(&grant.may_allow_less).cloned());
    Ok(WhatCan {
        binding: format!("AWSRoleBinding {}", grant.binding.id),
        role: grant.role.id.title().to_string(),
        role_arn: grant.role_arn(world).map(|arn| arn.to_string()),
        may,
        unknown,
        may_more,
    })
}

/// A statement, action by action and resource by resource.
fn parts(statement: &Statement) -> Vec<Statement> {
    let actions: Vec<ActionElement> = match &statement.action {
        ActionElement::Action(listed) => listed
            .iter()
            .map(|action| ActionElement::Action(vec![action.clone()]))
            .collect(),
        other => vec![other.clone()],
    };
    let resources: Vec<Option<ResourceElement>> = match &statement.resource {
        Some(ResourceElement::Resource(listed)) => listed
            .iter()
            .map(|resource| Some(ResourceElement::Resource(vec![resource.clone()])))
            .collect(),
        other => vec![other.clone()],
    };
    let mut found = Vec::new();
    for action in &actions {
        found.extend(resources.iter().map(|resource| Statement {
            action: action.clone(),
            resource: resource.clone(),
            ..statement.clone()
        }));
    }
    found
}

fn text(world: &AskedWorld, found: &[WhatCan], undecided: &[UndecidedBinding]) -> String {
    let mut lines = Vec::new();
    if found.is_empty() && (world.is_whole || undecided.is_empty()) {
        lines.push("no accepted binding names it".to_owned());
    }
    for one in found {
        let arn = one
            .role_arn
            .as_ref()
            .map_or_else(String::new, |arn| format!(" ({arn})"));
        let role = match one.role.as_str() {
            "" => String::new(),
            role => format!(", as {role}{arn}"),
        };
        lines.push(format!("{}{role}", one.binding));
        let may = one.may.iter();
        lines.extend(
            may.map(|may| format!("  {} on {}, such as {}", may.actions, may.resources, may.witness)),
        );
        lines.extend(one.unknown.iter().map(|what| format!("  ? not known: {what}")));
    }
    lines.extend(undecided_lines(world, undecided));
    let mut out = String::new();
    for line in lines {
        out.push_str(&printable(&line));
        out.push('\n');
    }
    out
}
