//! `deputy crds`

use std::io::Write;

use clap::Args;
use deputy_api::crds::{crds, crds_yaml};

use crate::exit::{Answer, Failure, Outcome};

#[derive(Debug, Args)]
pub struct Arguments {}

pub fn run(_arguments: &Arguments) -> Outcome {
    let mut out = std::io::stdout().lock();
    for crd in crds() {
        let text = crds_yaml(&crd.spec.names.plural)
            .ok_or_else(|| Failure::process("a definition can't be written"))?;
        out.write_all(b"---\n")
            .and_then(|()| out.write_all(text.as_bytes()))
            .map_err(Failure::process)?;
    }
    Ok(Answer::Yes)
}
