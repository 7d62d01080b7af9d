//! `deputy crds`

use clap::Args;
use deputy_api::crds::{crds, crds_yaml};

use crate::{
    exit::{Answer, Failure, Outcome},
    output::Output,
};

#[derive(Debug, Args)]
pub struct Arguments {}

pub fn run(_arguments: &Arguments) -> Outcome {
    let mut out = Output::new();
    for crd in crds() {
        let text = crds_yaml(&crd.spec.names.plural)
            .ok_or_else(|| Failure::process("a definition can't be written"))?;
        out.write(format_args!("---\n{text}"))?;
    }
    out.flush()?;
    Ok(Answer::Yes)
}
