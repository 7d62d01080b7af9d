//! `deputy denied`: what AWS's denial is about, what would change it, and whether the limits would let it.

mod answer;
mod cause;
mod change;
mod conclusion;
mod document;
mod federated;
mod layers;
mod message;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, path::Path};

use clap::Args;

use self::{answer::DenialCause, cause::cause, layers::DeniedRequest, message::DenialMessage};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure, say},
    input::{self, named, once},
    objects::WorldArguments,
    output::{Output, OutputFormat},
    text::printable,
};

const EXAMPLES: &str = "Example:

  deputy denied \"$(aws s3 rm s3://productionapp/x 2>&1)\" -f manifests/
  deputy denied \"User: arn:aws:sts::123456789012:assumed-role/… is not authorized to perform: …\" --context production
  deputy denied \"$(aws kms decrypt … 2>&1)\" -f manifests/ --resource arn:aws:kms:…:key/…    where AWS names no ARN
  deputy denied - -f manifests/ < event.json                          an event of CloudTrail, or an export of some

Exit codes: 0 the denial is found in what was looked at, or who has to be asked, 1 it is not, or AWS and what was looked at differ,
2 something can't be read.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DeniedArguments {
    /// AWS's message, with whatever an SDK put around it, or JSON with one in it, such as an event of CloudTrail; - is standard input
    #[arg(value_name = "MESSAGE")]
    message: String,
    /// The resource that was asked for, where AWS's message does not have its ARN
    #[arg(long, value_name = "ARN")]
    resource: Option<String>,
    #[command(flatten)]
    world: WorldArguments,
    /// How the answer is written
    #[arg(short, long, visible_alias = "format", value_enum, default_value_t)]
    output: OutputFormat,
}

pub fn run(arguments: &DeniedArguments) -> CommandResult {
    let message = Path::new(&arguments.message);
    let is_input = message == Path::new("-");
    let of_message = is_input.then_some(("MESSAGE", message));
    once(
        of_message
            .into_iter()
            .chain(named("--filename", arguments.world.files())),
    )?;
    let told = match is_input {
        true => Cow::Owned(input::read(message)?),
        false => Cow::Borrowed(arguments.message.as_str()),
    };
    let (message, others) = document::read(&told).map_err(Failure::input)?;
    if let Some(others) = others {
        say(&others);
    }
    let asked = DeniedRequest::new(&message, arguments.resource.as_deref()).map_err(Failure::input)?;
    let world = arguments.world.read()?;
    let found = cause(&world, &message, &asked).map_err(Failure::input)?;
    let mut out = Output::new();
    match arguments.output {
        OutputFormat::Json => out.line(format_args!(
            "{:#}",
            serde_json::json!({ "message": message, "cause": found })
        ))?,
        OutputFormat::Text => out.write(text(&message, &asked, &found))?,
    }
    out.flush()?;
    Ok(match found.is_explained() {
        true => CommandAnswer::Yes,
        false => CommandAnswer::No,
    })
}

fn text(message: &DenialMessage, asked: &DeniedRequest, found: &DenialCause) -> String {
    let resource = match &asked.resource {
        Some(resource) => format!(" on {resource}"),
        None => match message.resource.as_deref().filter(|name| *name != "*") {
            Some(name) => format!(" on {name}, which is no ARN"),
            None => ", on a resource that AWS does not name".to_owned(),
        },
    };
    let mut lines = vec![
        format!("asked: {}{resource}", asked.action),
        format!("by: {}", message.caller),
        format!("AWS says: {}", message.sentence()),
    ];
    lines.extend(found.lines());
    let mut out = String::new();
    for line in lines.iter().flat_map(|line| line.split('\n')) {
        out.push_str(&printable(line));
        out.push('\n');
    }
    out
}
