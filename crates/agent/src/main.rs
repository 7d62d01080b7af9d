//! The `deputy-agent` binary: `serve` (also without an argument), `ready`, `ready --wait`, `--version`; and for a whole node `node`,
//! `node-address`, `node-ready`.
//!
//! Exit codes: 0 fine, 1 not ready, 2 wrong arguments or configuration, 3 the agent can't serve.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use deputy_agent::{
    config,
    node::{AddressOutcome, ensure, node_addresses, ready_file, wait_for_file},
    process::{BAD_INPUT, FAILED, NOT_READY, fail, print, run, run_node, variable},
    ready,
};

const USAGE: &str =
    "usage: deputy-agent [serve | ready [--wait[=SECONDS] [--termination-log=FILE]] | --version]
       deputy-agent node | node-address | node-ready [--wait[=SECONDS]]

  serve      serve credentials to the pod (the default)
  ready      exit 0 when the application may start, else 1 with the reason
    --wait   wait until it may, for at most 300 seconds, or from 1 to 3600
    --termination-log
             write the reason there too: for the hook of the container,
             whose termination message it then is
  node       serve credentials to the pods of this node that have no
             agent of their own
  node-address
             give the node the addresses of DEPUTY_LISTEN; needs NET_ADMIN
  node-ready exit 0 when the agent of the node serves, else 1

Configuration is read from the environment: DEPUTY_BROKER_URL, DEPUTY_BROKER_ADDRESS, DEPUTY_BROKER_CA,
DEPUTY_BINDINGS, DEPUTY_WAIT_FOR, DEPUTY_LISTEN, DEPUTY_TOKEN_FILE; for a node NODE_NAME, DEPUTY_LISTEN,
DEPUTY_TOKEN_FILE, DEPUTY_READY_FILE, DEPUTY_BROKER_URL, DEPUTY_BROKER_ADDRESS, DEPUTY_BROKER_CA or
DEPUTY_BROKER_CA_FILE.";

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
        Some(["node"]) => run_node(),
        Some(["node-address"]) => node_address(),
        Some(["node-ready"]) => node_ready(Duration::ZERO),
        Some(["node-ready", wait]) => match read_wait(wait) {
            Some(limit) => node_ready(limit),
            None => fail(BAD_INPUT, USAGE),
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

/// Gives the node the addresses at which its pods ask.
fn node_address() -> ExitCode {
    let addresses = match node_addresses(variable("DEPUTY_LISTEN").filter(|value| !value.is_empty())) {
        Ok(addresses) => addresses,
        Err(error) => return fail(BAD_INPUT, error),
    };
    let addresses: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
    let outcomes = match ensure(&addresses) {
        Ok(outcomes) => outcomes,
        Err(error) => return fail(FAILED, error),
    };
    for (address, outcome) in &outcomes {
        match outcome {
            AddressOutcome::WasThere => print(format_args!("{address} is there already")),
            AddressOutcome::Added(link) => print(format_args!("{address} is on {link} now")),
            AddressOutcome::Failed(error) => print(format_args!("{address} is left out: {error}")),
        }
    }
    let is_left_out = |outcome: &AddressOutcome| matches!(outcome, AddressOutcome::Failed(_));
    if outcomes.iter().all(|(_, outcome)| is_left_out(outcome)) {
        return fail(FAILED, "the node takes none of the addresses");
    }
    ExitCode::SUCCESS
}

fn node_ready(limit: Duration) -> ExitCode {
    match ready_file(variable) {
        Some(file) => match wait_for_file(&file, limit) {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => fail(NOT_READY, reason),
        },
        None => fail(BAD_INPUT, "DEPUTY_READY_FILE: is not set"),
    }
}
