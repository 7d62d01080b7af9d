//! `deputy check`: whether manifests would be accepted, asked of the webhook's own code.

mod answer;
mod judge;
mod report;
mod suspends;
#[cfg(test)]
mod tests;
mod warnings;

use std::path::PathBuf;

use clap::Args;
use deputy_delegation::{ClusterName, NamespaceName};

pub use self::{
    answer::{CheckFinding, FindingLevel},
    judge::one as judge_one,
};

use self::{
    answer::{CheckAnswer, CheckedStatus},
    judge::judge,
    report::{CheckFormat, write},
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure, say},
    input::{listed, named, once},
    objects::{NamedCluster, ReadObjects, live},
    output::Output,
};

const EXAMPLES: &str = "Examples:

  deputy check manifests/                                  roles, bindings and limits in one folder
  deputy check app.yaml --limits platform/                 limits and accounts from elsewhere
  kustomize build overlays/production | deputy check - --limits platform/
  helm template CHART | deputy check - --namespace payments --limits platform/
  deputy check app.yaml --context production               beside what is in a cluster
  deputy check manifests/ --limits platform/ --format sarif > deputy.sarif

Exit codes: 0 all are accepted, 1 something is refused or undecided, 2 something can't be read, 3 the cluster can't be asked.";

/// The longest name that a cluster may have: what is measured with it fits with every other one.
const LONGEST_NAME: &str = "cluster-with-the-longest-name-xx";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CheckArguments {
    /// Manifests, or folders of them (*.yaml, *.yml, *.json); - is standard input
    #[arg(required_unless_present = "filename", value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// The same, as other commands name them; may be repeated
    #[arg(short = 'f', long, value_name = "FILE|DIR")]
    filename: Vec<PathBuf>,
    /// Manifests, or folders of them, with the limits, accounts and roles that are there already; they are not judged. An object that
    /// FILE has, too, counts as it is there
    #[arg(long, value_name = "FILE|DIR")]
    limits: Vec<PathBuf>,
    /// The namespace of objects that name none
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<NamespaceName>,
    #[command(flatten)]
    kubeconfig: NamedCluster,
    /// The name of the cluster, as in the chart's clusterName; by default sizes are measured with the longest one
    #[arg(long, env = "DEPUTY_CLUSTER_NAME", value_name = "NAME")]
    cluster_name: Option<ClusterName>,
    /// How the answer is written
    #[arg(short = 'o', long, visible_alias = "output", value_enum, default_value_t)]
    format: CheckFormat,
    /// Exit with 0 although something is undecided, if nothing is refused
    #[arg(long)]
    allow_undecided: bool,
    /// Exit with 2 where there is no object of Deputy's to judge, as when a path has changed
    #[arg(long)]
    require_objects: bool,
}

pub fn run(arguments: &CheckArguments) -> CommandResult {
    let inputs = named("FILE", &arguments.files).chain(named("--filename", &arguments.filename));
    once(inputs.chain(named("--limits", &arguments.limits)))?;
    let live = live(&arguments.kubeconfig)?;
    let namespace = arguments.namespace.as_ref().map(NamespaceName::as_str);
    let of_context = live.as_ref().and_then(|live| live.namespace.as_deref());
    let namespace = namespace.or(of_context);
    let paths = [arguments.files.as_slice(), &arguments.filename].concat();
    let files = ReadObjects::of(&paths, namespace)?;
    let limits = ReadObjects::of(&arguments.limits, namespace)?;
    let stored = live.map(|live| live.objects);
    let cluster = match &arguments.cluster_name {
        Some(name) => name.clone(),
        None => ClusterName::new(LONGEST_NAME)?,
    };
    let answer = judge(&cluster, files, limits, stored);
    let mut out = Output::new();
    write(&answer, arguments.format, &mut out)?;
    out.flush()?;
    if answer.objects.is_empty() {
        let nothing = format!(
            "nothing was judged: no object of Deputy's is in {}",
            listed(&paths)
        );
        if arguments.require_objects {
            return Err(Failure::input(nothing));
        }
        say(&nothing);
    }
    outcome(&answer, arguments.allow_undecided)
}

fn outcome(answer: &CheckAnswer, allows_undecided: bool) -> CommandResult {
    let unreadable = answer.count(CheckedStatus::Unreadable);
    if unreadable > 0 {
        let them = if unreadable == 1 { "input" } else { "inputs" };
        return Err(Failure::input(format!("{unreadable} {them} can't be read")));
    }
    let is_refused = answer.count(CheckedStatus::Refused) > 0;
    let is_undecided = answer.count(CheckedStatus::Undecided) > 0 && !allows_undecided;
    Ok(if is_refused || is_undecided {
        CommandAnswer::No
    } else {
        CommandAnswer::Yes
    })
}
