//! `deputy suggest role`.

use std::{borrow::Cow, collections::BTreeSet, path::PathBuf, sync::Arc};

use clap::Args;
use deputy_delegation::{
    RoleArn, RoleKind,
    decide::KnownTags,
    model::{Role, RoleId},
    naming,
};
use deputy_policy::{Document, Effect};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    events,
    narrow::narrow,
    object::{fits, narrower},
    proof::{elsewhere, prove, taken_away},
    statement::OldPolicy,
    uses::{RoleUses, TrailSight},
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure, say},
    input::{named, once},
    objects::{AskedWorld, WorldArguments},
    output::{Output, OutputFormat},
    proposal::{Proposal, ProposedObject, print},
};

const EXAMPLES: &str = "Examples:

  deputy suggest role payments/uploader --events logs/ -f manifests/ --cluster-name production-1
  aws cloudtrail lookup-events --output json | deputy suggest role --events - --context production > roles.yaml

Without a role, every AWSRole of which there are events.
Exit codes: 0 roles are proposed, 1 none is, 2 something can't be read, 3 the cluster can't be asked, or the answer can't be written.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SuggestRoleArguments {
    /// NAMESPACE/NAME of an AWSRole, or NAME in the namespace of -n or of the context, or the ARN of its role in AWS; by default all
    #[arg(value_name = "ROLE")]
    role: Option<String>,
    /// CloudTrail's events: its files, packed or not, folders of them, events one a line, or what `aws cloudtrail lookup-events` prints; - is
    /// standard input
    #[arg(long, value_name = "FILE|DIR", required = true, num_args = 1..)]
    events: Vec<PathBuf>,
    /// The trail has all data events, of all resources, of reads and of writes: what is in none was not used. Else it stays
    #[arg(long)]
    data_events: bool,
    #[command(flatten)]
    world: WorldArguments,
    /// How the answer is written; as text it is YAML to apply
    #[arg(short, long, visible_alias = "format", value_enum, default_value_t)]
    output: OutputFormat,
}

/// What is proposed for one role: a contract (docs/contracts.md).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SuggestedRole {
    pub role: String,
    #[serde(rename = "roleARN")]
    pub role_arn: String,
    /// Of its sessions.
    pub events: u64,
    /// The first and the last one of all events that were read.
    pub first: Option<String>,
    pub last: Option<String>,
    /// The AWSRole to apply; absent where none is proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Value>,
    /// Why none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    pub taken_away: Vec<String>,
    /// What stays although no event has it.
    pub kept: Vec<String>,
    /// What the proposal builds on and nothing in the files shows.
    pub assumed: Vec<String>,
    /// What AWS refused its sessions.
    pub denied: Vec<String>,
    /// What they used and none of its policies allows.
    pub elsewhere: Vec<String>,
}

pub fn run(arguments: &SuggestRoleArguments) -> CommandResult {
    once(named("--events", &arguments.events).chain(named("--filename", arguments.world.files())))?;
    let world = arguments.world.read()?;
    let (asked, mut left) = asked(&world, arguments.role.as_deref())?;
    let mut sight = TrailSight {
        has_all_data: arguments.data_events,
        ..TrailSight::default()
    };
    let arns: BTreeSet<String> = asked.iter().map(|(_, arn)| arn.to_string()).collect();
    events::read(&arguments.events, |event| {
        sight.see(event, |arn| arns.contains(arn))
    })?;
    let mut found = Vec::new();
    for (role, arn) in &asked {
        match sight.roles.get(&arn.to_string()) {
            Some(uses) => found.push(suggested(&world, role, arn, uses, &sight)),
            None => left.push(format!(
                "{}: of the {} events {} none is of a session of {arn}",
                role.id.title(),
                sight.events,
                sight.span()
            )),
        }
    }
    let is_proposed = found.iter().any(|one| one.object.is_some());
    answer(arguments.output, found, left)?;
    Ok(match is_proposed {
        true => CommandAnswer::Yes,
        false => CommandAnswer::No,
    })
}

fn answer(output: OutputFormat, found: Vec<SuggestedRole>, mut left: Vec<String>) -> Result<(), Failure> {
    if output == OutputFormat::Json {
        let mut out = Output::new();
        out.line(format_args!("{:#}", json!({ "roles": found, "left": left })))?;
        return out.flush();
    }
    let mut objects = Vec::new();
    for one in found {
        let title = one.role.clone();
        if let Some(why) = &one.refused {
            left.push(format!("{title}: nothing is proposed: {why}"));
        }
        let comments = comments(&one);
        match one.object {
            Some(object) => objects.push(ProposedObject { comments, object }),
            None => left.extend(comments.into_iter().map(|comment| format!("{title}: {comment}"))),
        }
    }
    if objects.is_empty() {
        left.iter().for_each(|why| say(why));
        return Ok(());
    }
    print("deputy suggest role", &Proposal { objects, left })
}

fn comments(one: &SuggestedRole) -> Vec<String> {
    let mut lines = vec![format!(
        "By {} events of sessions of {}, of a time {}. Proved: it allows nothing that the role does not allow now.",
        one.events,
        one.role_arn,
        match (&one.first, &one.last) {
            (Some(first), Some(last)) => format!("from {first} to {last}"),
            _ => "that they do not say".to_owned(),
        }
    )];
    if one.object.is_none() {
        lines.clear();
    }
    let told = [
        ("Taken away: ", &one.taken_away),
        ("Kept: ", &one.kept),
        ("Assumed, and not shown by the files: ", &one.assumed),
        ("Refused by AWS, and not used: ", &one.denied),
        (
            "Used, and allowed by something else than these policies: ",
            &one.elsewhere,
        ),
    ];
    for (begin, of) in told {
        lines.extend(of.iter().map(|what| format!("{begin}{what}")));
    }
    lines
}

/// The roles that are asked about with their ARNs, and what is said of others.
type AskedRoles = (Vec<(Arc<Role>, RoleArn)>, Vec<String>);

fn asked(world: &AskedWorld, which: Option<&str>) -> Result<AskedRoles, Failure> {
    let (mut found, mut left) = (Vec::new(), Vec::new());
    for id in world.index.roles() {
        if !is_meant(world, which, &id) {
            continue;
        }
        match role_of(world, &id) {
            Ok(Some((role, arn))) => {
                if which.is_none_or(|which| !which.starts_with("arn:") || which == arn.to_string()) {
                    found.push((role, arn));
                }
            }
            Ok(None) => {}
            Err(why) => left.push(format!("{}: {why}", id.title())),
        }
    }
    if found.is_empty() {
        let why = match (left.as_slice(), which) {
            ([], Some(which)) => format!("{which}: there is no such AWSRole in what was looked at"),
            ([], None) => "there is no AWSRole in what was looked at".to_owned(),
            (left, _) => left.join("\n"),
        };
        return Err(Failure::input(why));
    }
    Ok((found, left))
}

fn is_meant(world: &AskedWorld, which: Option<&str>, id: &RoleId) -> bool {
    match which {
        None => true,
        Some(which) if which.starts_with("arn:") => true,
        Some(which) => match which.split_once('/') {
            Some((namespace, name)) => id.namespace.as_str() == namespace && id.name.as_str() == name,
            None => world.namespace.as_deref() == Some(id.namespace.as_str()) && id.name.as_str() == which,
        },
    }
}

/// A role that can be narrowed, with its ARN; none where the kind has no policies of its own here.
fn role_of(world: &AskedWorld, id: &RoleId) -> Result<Option<(Arc<Role>, RoleArn)>, String> {
    if id.kind != RoleKind::AWSRole {
        return Err(
            "it is of a ClusterAWSRole, which other namespaces use, too: narrow that by hand".to_owned(),
        );
    }
    let role = world.index.role(id).map(|view| view.parsed());
    let role = role.ok_or("it is not there")?.map_err(|why| why.to_string())?;
    if role.existing().is_some() {
        return Err("its policies are its owner's, and are not in what was looked at".to_owned());
    }
    let account = world.index.account(&role.account).known().cloned();
    let account = account.ok_or_else(|| {
        format!(
            "its AWSAccount {} is not there, or can't be read: its ARN follows from it",
            role.account
        )
    })?;
    let cluster = world.cluster.as_ref();
    let cluster = cluster.ok_or("its ARN follows from the name of the cluster: say it by --cluster-name")?;
    let arn = naming::role_arn(cluster, &account, id);
    Ok(Some((role, arn)))
}

fn suggested(
    world: &AskedWorld,
    role: &Role,
    arn: &RoleArn,
    uses: &RoleUses,
    sight: &TrailSight,
) -> SuggestedRole {
    let denied = uses.denied.iter();
    let mut one = SuggestedRole {
        role: role.id.title().to_string(),
        role_arn: arn.to_string(),
        events: uses.events,
        first: sight.first.clone(),
        last: sight.last.clone(),
        object: None,
        refused: None,
        taken_away: Vec::new(),
        kept: Vec::new(),
        assumed: sight.assumed(),
        denied: denied.map(|(what, count)| format!("{what} ({count})")).collect(),
        elsewhere: Vec::new(),
    };
    if let Err(why) = fill(world, role, uses, sight, &mut one) {
        one.object = None;
        one.refused = Some(why);
    }
    one
}

fn fill(
    world: &AskedWorld,
    role: &Role,
    uses: &RoleUses,
    sight: &TrailSight,
    one: &mut SuggestedRole,
) -> Result<(), String> {
    let tags = KnownTags::of(world.index.cluster(), &role.id);
    let put_in = |document: &Document| match tags.put_in(document) {
        Cow::Borrowed(document) => document.clone(),
        Cow::Owned(document) => document,
    };
    let known: Vec<Document> = role
        .policies()
        .iter()
        .map(|policy| put_in(&policy.document))
        .collect();
    if known.is_empty() {
        return Err("it has managed policies alone, which are not looked at".to_owned());
    }
    let policies: Vec<OldPolicy<'_>> = role
        .policies()
        .iter()
        .zip(&known)
        .map(|(policy, known)| OldPolicy {
            name: policy.name.as_str(),
            written: &policy.document,
            known,
        })
        .collect();
    one.elsewhere = elsewhere(&policies, uses)?.into_iter().collect();
    let narrowed = narrow(&policies, uses, sight)?;
    one.taken_away = narrowed.taken;
    one.kept = narrowed.kept;
    if let Some(owned) = role.owned() {
        let managed = owned.policies.managed().iter();
        one.kept
            .extend(managed.map(|arn| format!("the managed policy {arn}, of which nothing is looked at")));
    }
    let new: Vec<Document> = narrowed.documents.iter().flatten().map(put_in).collect();
    let mut statements = new.iter().flat_map(Document::statements);
    if !statements.any(|statement| statement.effect == Effect::Allow) {
        return Err("none of what its policies allow was used; delete it if nobody needs it".to_owned());
    }
    let all: Vec<&Document> = known.iter().chain(&new).collect();
    let layer = tags.layer(&all);
    // Nothing leaves here as safe that the engine does not call contained.
    prove(&new, &known, layer.as_ref())?;
    if one.taken_away.is_empty() {
        return Err("all of it was used, or may have been".to_owned());
    }
    if let Some(witness) = taken_away(&new, &known, layer.as_ref()) {
        one.taken_away.push(format!("for example {witness}"));
    }
    let object = narrower(world, role, &narrowed.documents)?;
    // Single resources and actions may be longer than a pattern.
    fits(&object)?;
    one.object = Some(object);
    Ok(())
}
