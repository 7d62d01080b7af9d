//! `deputy explain arn|role|serviceaccount|binding|limit|pod`: what there is of one object, and what it comes to in AWS.

mod about;
mod default;
mod fact;
mod pod;
mod running;
mod service_account;
#[cfg(test)]
mod tests;

use clap::Args;

use self::fact::ExplainedObject;
use crate::{
    exit::{CommandAnswer, CommandResult, Failure},
    objects::{AskedWorld, WantedBeside, WorldArguments},
    output::{Output, OutputFormat},
    text::printable,
};

pub const ARN_EXAMPLES: &str = "Examples:

  deputy explain arn arn:aws:iam::123456789012:role/deputy/production-1/deputy.payments.uploader-… -f manifests/
  deputy explain arn arn:aws:sts::123456789012:assumed-role/…/payments.uploader --context production
  deputy explain arn arn:aws:sts::123456789012:federated-user/Manager-reports -f manifests/

The way back, from a role to its ARN: deputy explain role payments/uploader -f manifests/ --cluster-name production-1";

pub const ROLE_EXAMPLES: &str = "Examples:

  deputy explain role payments/uploader -f manifests/ --cluster-name production-1
  deputy explain role payments/own-folder --context production     of a ClusterAWSRole, what it is in a namespace";

pub const OTHER_EXAMPLES: &str = "Examples:

  deputy explain serviceaccount payments/uploader -f manifests/
  deputy explain binding payments/uploader --context production -o json
  deputy explain limit payments -f platform/";

pub const POD_EXAMPLES: &str = "Examples:

  deputy explain pod payments/uploader-5d9f7c --context production     a pod that runs
  deputy explain pod payments/uploader --context production            what a Deployment of that name in the cluster makes
  deputy explain pod payments/uploader -f manifests/                   a pod of a manifest, or what a Deployment's template makes

From files the labels of namespace and ServiceAccount are those of the files, and how credentials reach pods that do not say it follows from
the chart's injection.delivery, which is not known here.";

/// One object, and where it is.
#[derive(Debug, Args)]
pub struct ExplainObjectArguments {
    /// NAMESPACE/NAME, or NAME in the namespace of -n or of the context, else in any; of a limit NAME; an ARN
    #[arg(value_name = "WHICH")]
    which: String,
    #[command(flatten)]
    world: WorldArguments,
    /// How the answer is written
    #[arg(short, long, visible_alias = "format", value_enum, default_value_t)]
    output: OutputFormat,
}

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainedKind {
    Arn,
    Role,
    ServiceAccount,
    Binding,
    Limit,
    Pod,
}

pub fn run(kind: ExplainedKind, arguments: &ExplainObjectArguments) -> CommandResult {
    let wanted = match kind {
        ExplainedKind::Pod => WantedBeside::Pod(&arguments.which),
        _ => WantedBeside::Nothing,
    };
    let world = arguments.world.read_with(&wanted)?;
    let found = explained(&world, kind, &arguments.which).map_err(Failure::input)?;
    let mut out = Output::new();
    match arguments.output {
        OutputFormat::Json => out.line(format_args!("{:#}", serde_json::json!({ "objects": found })))?,
        OutputFormat::Text => {
            for one in &found {
                out.line(printable(&one.object))?;
                for fact in &one.facts {
                    out.line(printable(&format!("  {}: {}", fact.what, fact.is)))?;
                }
            }
            if found.is_empty() {
                out.line("there is none such among what was looked at")?;
            }
        }
    }
    out.flush()?;
    Ok(match found.is_empty() {
        true => CommandAnswer::No,
        false => CommandAnswer::Yes,
    })
}

/// The objects that are meant, with what is said of each.
///
/// # Errors
/// When `which` can't be one.
fn explained(world: &AskedWorld, kind: ExplainedKind, which: &str) -> Result<Vec<ExplainedObject>, String> {
    match kind {
        ExplainedKind::Arn => about::arn(world, which),
        ExplainedKind::Role => about::roles(world, which),
        ExplainedKind::ServiceAccount => service_account::service_accounts(world, which),
        ExplainedKind::Binding => about::binding(world, which),
        ExplainedKind::Limit => about::limit(world, which),
        ExplainedKind::Pod => pod::pods(world, which),
    }
}
