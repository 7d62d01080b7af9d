//! `deputy report`: who may become what within which limits, and what somebody should look at, as a page for people or as JSON.

mod access;
mod estate;
mod findings;
mod html;
mod model;
mod needed;
mod statements;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use self::{
    findings::{Estate, findings},
    model::{AccessReport, FindingWeight, GrantOutcome, REPORT_VERSION, ReportSummary},
};
use crate::{
    asked::grants,
    exit::{CommandAnswer, CommandResult, Failure, say},
    input::{named, once},
    objects::{AskedWorld, BesideFiles, WantedBeside},
    output::Output,
};

const EXAMPLES: &str = "Examples:

  deputy report manifests/ > report.html                   of files; open it in any browser
  deputy report --context production > report.html         of a cluster, with its status and its ServiceAccounts
  deputy report manifests/ --format json | jq '.findings[] | select(.weight == \"high\")'

Nothing is changed, and AWS is not asked. The page loads nothing.
Exit codes: 0 the report is written, whatever it finds, 2 something can't be read, 3 the cluster can't be asked.";

/// How the report is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// One page that needs nothing beside it
    #[default]
    Html,
    /// One JSON object with the same content
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReportArguments {
    /// Manifests, or folders of them (*.yaml, *.yml, *.json); - is standard input
    #[arg(value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// The same, as other commands name them; may be repeated
    #[arg(short = 'f', long, value_name = "FILE|DIR")]
    filename: Vec<PathBuf>,
    #[command(flatten)]
    beside: BesideFiles,
    /// How the report is written
    #[arg(short = 'o', long, visible_alias = "output", value_enum, default_value_t)]
    format: ReportFormat,
}

pub fn run(arguments: &ReportArguments) -> CommandResult {
    once(named("FILE", &arguments.files).chain(named("--filename", &arguments.filename)))?;
    let files = arguments.files.iter().chain(&arguments.filename);
    let files: Vec<&Path> = files.map(PathBuf::as_path).collect();
    let world = arguments
        .beside
        .read(&files, "manifests by FILE|DIR", &WantedBeside::Estate)?;
    let mut sources: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let is_live = arguments.beside.names_cluster();
    if is_live {
        sources.push("a cluster".to_owned());
    }
    let nothing = world.objects.is_empty().then(|| sources.join(", "));
    let report = report(&world, sources, is_live, Timestamp::now()).map_err(Failure::process)?;
    let mut out = Output::new();
    match arguments.format {
        ReportFormat::Html => out.write(html::page(&report).map_err(Failure::process)?)?,
        ReportFormat::Json => out.line(serde_json::to_string_pretty(&report).map_err(Failure::error)?)?,
    }
    out.flush()?;
    if let Some(sources) = nothing {
        say(&format!(
            "the report is empty: no object of Deputy's is in {sources}"
        ));
    }
    Ok(CommandAnswer::Yes)
}

/// The report of a world.
///
/// # Errors
/// When a part of a policy is none by itself.
fn report(
    world: &AskedWorld,
    sources: Vec<String>,
    is_live: bool,
    now: Timestamp,
) -> Result<AccessReport, String> {
    let given = grants(world).given;
    let limits = estate::limits(world);
    let index = &world.index;
    let roles: Vec<_> = index.roles().iter().map(|id| access::role(world, id)).collect();
    let bindings = access::bindings(world, &given)?;
    let looked = Estate::new(world, &given, &limits, &roles, &bindings);
    let findings = findings(&looked);
    let accounts = estate::accounts(world);
    let count = |weight| findings.iter().filter(|finding| finding.weight == weight).count();
    let of_roles = roles.iter().map(|role| role.namespace.as_str());
    let of_bindings = bindings.iter().map(|binding| binding.namespace.as_str());
    let namespaces: BTreeSet<&str> = of_roles.chain(of_bindings).collect();
    let subjects: BTreeSet<_> = bindings.iter().flat_map(|binding| &binding.subjects).collect();
    let summary = ReportSummary {
        namespaces: namespaces.len(),
        accounts: accounts.len(),
        limits: limits.len(),
        roles: roles.len(),
        bindings: bindings.len(),
        granting: bindings
            .iter()
            .filter(|binding| binding.outcome == GrantOutcome::Accepted)
            .count(),
        subjects: subjects.len(),
        high: count(FindingWeight::High),
        medium: count(FindingWeight::Medium),
        low: count(FindingWeight::Low),
    };
    Ok(AccessReport {
        version: REPORT_VERSION,
        generated: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        by: format!("deputy {}", env!("CARGO_PKG_VERSION")),
        cluster: world.cluster.as_ref().map(ToString::to_string),
        sources,
        not_looked_at: not_looked_at(world, is_live),
        summary,
        statements: statements::reported(world),
        findings,
        accounts,
        limits,
        roles,
        bindings,
    })
}

/// What a report says nothing about: silence is not an all-clear.
fn not_looked_at(world: &AskedWorld, is_live: bool) -> Vec<String> {
    let mut said = vec![
        "AWS itself was not asked: what managed policies allow, roles and boundaries of others, what policies of resources and of the \
         organisation allow or deny, and who changed something by hand since Deputy last looked."
            .to_owned(),
        "Who may write Deputy's objects in the cluster, or create pods with a ServiceAccount, is a matter of the cluster's RBAC, which was \
         not read."
            .to_owned(),
    ];
    if !is_live {
        said.push(
            "No cluster was read: what is applied may differ from these files, conditions and drift are not known, nor which \
             ServiceAccounts there are."
                .to_owned(),
        );
    }
    if world.cluster.is_none() {
        said.push(
            "The name of the cluster is not known, so ARNs of roles are left out (--cluster-name)."
                .to_owned(),
        );
    }
    said.extend(world.core.unread.iter().cloned());
    said
}
