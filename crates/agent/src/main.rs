//! The `deputy-agent` binary: `serve` (also without an argument), `ready`, `ready --wait`, `--version`.
//!
//! Exit codes: 0 fine, 1 not ready, 2 wrong arguments or configuration, 3 the agent can't serve.

use std::{path::Path, process::ExitCode, time::Duration};

use deputy_agent::{
    config,
    process::{BAD_INPUT, NOT_READY, fail, run, variable},
    ready,
};

const USAGE: &str = "usage: deputy-agent [serve | ready [--wait[=SECONDS]] | --version]

  serve      serve credentials to the pod (the default)
  ready      exit 0 when the application may start, else 1 with the reason
    --wait   wait until it may, for 60 seconds or from 1 to 3600; the reason
             is also the container's termination message

Configuration is read from the environment: DEPUTY_BROKER_URL, DEPUTY_BROKER_ADDRESS, DEPUTY_BROKER_CA,
DEPUTY_BINDINGS, DEPUTY_WAIT_FOR, DEPUTY_LISTEN, DEPUTY_TOKEN_FILE.";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let arguments: Option<Vec<&str>> = arguments.iter().map(|argument| argument.to_str()).collect();
    match arguments.as_deref() {
        Some([] | ["serve"]) => run(|| ()),
        Some(["ready"]) => ready(None),
        Some(["ready", wait]) => match read_wait(wait) {
            Some(limit) => ready(Some(limit)),
            None => fail(BAD_INPUT, USAGE),
        },
        Some(["--version" | "-V"]) => {
            println!("deputy-agent {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Some(["--help" | "-h"]) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => fail(BAD_INPUT, USAGE),
    }
}

/// Reads `--wait` or `--wait=SECONDS`.
fn read_wait(argument: &str) -> Option<Duration> {
    if argument == "--wait" {
        return Some(ready::DEFAULT_WAIT);
    }
    let seconds = argument.strip_prefix("--wait=")?.parse().ok()?;
    (1..=ready::MAX_WAIT)
        .contains(&seconds)
        .then(|| Duration::from_secs(seconds))
}

fn ready(wait: Option<Duration>) -> ExitCode {
    let address = match config::listen(variable("DEPUTY_LISTEN")) {
        Ok(address) => address,
        Err(error) => return fail(BAD_INPUT, error),
    };
    let outcome = match wait {
        None => ready::probe(address),
        Some(limit) => ready::wait(address, limit),
    };
    let Err(reason) = outcome else {
        return ExitCode::SUCCESS;
    };
    if let Some(limit) = wait {
        let words = format!("not ready after {} s: {reason}", limit.as_secs());
        // Outside a container there is no such file, and nobody who would read it.
        ready::leave_words(Path::new(ready::TERMINATION_LOG), &words).unwrap_or_default();
    }
    fail(NOT_READY, reason)
}
