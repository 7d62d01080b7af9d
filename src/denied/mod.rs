//! `deputy denied`: what AWS's denial is about, what would change it, and whether the limits would let it.

mod cause;
mod change;
mod message;
#[cfg(test)]
mod tests;

use clap::Args;

use self::{
    cause::{DenialCause, cause},
    message::DenialMessage,
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure},
    objects::WorldArguments,
    output::{Output, OutputFormat},
    text::printable,
};

const EXAMPLES: &str = "Example:

  deputy denied \"$(aws s3 rm s3://productionapp/x 2>&1)\" -f manifests/
  deputy denied \"User: arn:aws:sts::123456789012:assumed-role/… is not authorized to perform: …\" --context production

Exit codes: 0 the denial is found in what was looked at, or who has to be asked, 1 it is not, 2 something can't be read.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DeniedArguments {
    /// AWS's message, with whatever an SDK put around it
    #[arg(value_name = "MESSAGE")]
    message: String,
    #[command(flatten)]
    world: WorldArguments,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
}

pub fn run(arguments: &DeniedArguments) -> CommandResult {
    let message = DenialMessage::parse(&arguments.message).map_err(Failure::input)?;
    let world = arguments.world.read()?;
    let found = cause(&world, &message).map_err(Failure::input)?;
    let mut out = Output::new();
    match arguments.output {
        OutputFormat::Json => out.line(format_args!(
            "{:#}",
            serde_json::json!({ "message": message, "cause": found })
        ))?,
        OutputFormat::Text => out.write(text(&message, &found))?,
    }
    out.flush()?;
    Ok(match found.is_explained() {
        true => CommandAnswer::Yes,
        false => CommandAnswer::No,
    })
}

fn text(message: &DenialMessage, found: &DenialCause) -> String {
    let resource = message
        .resource
        .as_deref()
        .map_or_else(String::new, |resource| format!(" on {resource}"));
    let how = if message.explicit {
        "a statement denies it in"
    } else {
        "nothing allows it in"
    };
    let mut lines = vec![
        format!("asked: {}{resource}", message.action),
        format!("by: {}", message.caller),
        format!("AWS says: {how} the {}", message.layer.words()),
    ];
    lines.extend(found.lines());
    let mut out = String::new();
    for line in lines.iter().flat_map(|line| line.split('\n')) {
        out.push_str(&printable(line));
        out.push('\n');
    }
    out
}
