//! The `deputy-agent` binary: `serve` (also without an argument), `ready`, `ready --wait`, `--version`.
//!
//! Exit codes: 0 fine, 1 not ready, 2 wrong arguments or configuration, 3 the agent can't serve.

use std::{
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use deputy_agent::{
    config,
    process::{BAD_INPUT, NOT_READY, fail, print, run, variable},
    ready,
};

const USAGE: &str =
    "usage: deputy-agent [serve | ready [--wait[=SECONDS] [--termination-log=FILE]] | --version]

  serve      serve credentials to the pod (the default)
  ready      exit 0 when the application may start, else 1 with the reason
    --wait   wait until it may, for at most 300 seconds, or from 1 to 3600
    --termination-log
             write the reason there too: for the hook of the container,
             whose termination message it then is

Configuration is read from the environment: DEPUTY_BROKER_URL, DEPUTY_BROKER_ADDRESS, DEPUTY_BROKER_CA,
DEPUTY_BINDINGS, DEPUTY_WAIT_FOR, DEPUTY_LISTEN, DEPUTY_TOKEN_FILE.";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let arguments: Option<Vec<&str>> = arguments.iter().map(|argument| argument.to_str()).collect();
    match arguments.as_deref() {
        Some([] | ["serve"]) => run(|| ()),
        Some(["ready"]) => ready(ready::probe),
        Some(["ready", wait]) => match read_wait(wait) {
            Some(limit) => wait_until_ready(limit, None),
            None => fail(BAD_INPUT, USAGE),
        },
        Some(["ready", wait, log]) => match (read_wait(wait), log.strip_prefix("--termination-log=")) {
            (Some(limit), Some(file)) if !file.is_empty() => wait_until_ready(limit, Some(Path::new(file))),
            _ => fail(BAD_INPUT, USAGE),
        },
        Some(["--version" | "-V"]) => {
            print(concat!("deputy-agent ", env!("CARGO_PKG_VERSION")));
            ExitCode::SUCCESS
        }
        Some(["--help" | "-h"]) => {
            print(USAGE);
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

/// Asks the agent of this container with `ask`.
fn ready<E: std::fmt::Display>(ask: impl FnOnce(SocketAddr) -> Result<(), E>) -> ExitCode {
    match config::listen(variable("DEPUTY_LISTEN")) {
        Ok(address) => match ask(address) {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => fail(NOT_READY, reason),
        },
        Err(error) => fail(BAD_INPUT, error),
    }
}

/// Waits for at most `limit`. Why it was in vain is also written to `log`.
fn wait_until_ready(limit: Duration, log: Option<&Path>) -> ExitCode {
    ready(|address| {
        let start = Instant::now();
        ready::wait(address, limit).map_err(|reason| {
            let words = format!("not ready after {} s: {reason}", start.elapsed().as_secs());
            if let Some(log) = log {
                // Outside a container there is no such file, and nobody who would read it.
                ready::leave_words(log, &words).unwrap_or_default();
            }
            words
        })
    })
}
