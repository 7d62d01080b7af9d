//! `deputy crds`

use clap::Args;
use deputy_api::crds::{crds, crds_yaml};

use crate::{
    exit::{CommandAnswer, CommandResult, Failure},
    output::Output,
};

const EXAMPLE: &str = "\
Example:
  deputy crds | kubectl apply --server-side -f -";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct CrdsArguments {}

pub fn run(_arguments: &CrdsArguments) -> CommandResult {
    let mut out = Output::new();
    for crd in crds() {
        let text = crds_yaml(&crd.spec.names.plural)
            .ok_or_else(|| Failure::process("a definition can't be written"))?;
        out.write(format_args!("---\n{text}"))?;
    }
    out.flush()?;
    Ok(CommandAnswer::Yes)
}
