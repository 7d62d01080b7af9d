//! `deputy-agent serve` with a fault on demand: it panics on SIGUSR1. For `tests/binary.rs`; no program has this.

#![expect(clippy::panic, reason = "that is what it is for")]

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    deputy_agent::process::run(|| {
        if let Ok(mut demand) = signal(SignalKind::user_defined1()) {
            tokio::spawn(async move {
                demand.recv().await;
                panic!("on demand");
            });
        }
    })
}
