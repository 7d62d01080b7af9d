//! The `deputy-agent` binary: `serve` (also without an argument), `ready`, `ready --wait`, `--version`.
//!
//! Exit codes: 0 fine, 1 not ready, 2 wrong arguments or configuration, 3 the agent can't serve.

use std::{
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, ExitCode},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use deputy_agent::{
    Agent, Config, config,
    log::Log,
    ready,
    revive::{self, Revivals},
};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: deputy-agent [serve | ready [--wait[=SECONDS]] | --version]

  serve      serve credentials to the pod (the default)
  ready      exit 0 when the application may start, else 1 with the reason
    --wait   wait until it may, for 60 seconds or from 1 to 3600; the reason
             is also the container's termination message

Configuration is read from the environment: DEPUTY_BROKER_URL, DEPUTY_BROKER_ADDRESS, DEPUTY_BROKER_CA,
DEPUTY_BINDINGS, DEPUTY_WAIT_FOR, DEPUTY_LISTEN, DEPUTY_TOKEN_FILE.";

const NOT_READY: u8 = 1;
const BAD_INPUT: u8 = 2;
const FAILED: u8 = 3;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let arguments: Option<Vec<&str>> = arguments.iter().map(|argument| argument.to_str()).collect();
    match arguments.as_deref() {
        Some([] | ["serve"]) => run(),
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

fn variable(name: &str) -> Option<String> {
    // What is not UTF-8 is as wrong as what does not parse; the message then shows it.
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

fn fail(code: u8, message: impl std::fmt::Display) -> ExitCode {
    eprintln!("deputy-agent: {message}");
    ExitCode::from(code)
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

#[cfg(target_os = "linux")]
fn forbid_dumps() -> rustix::io::Result<()> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)
}

/// Whether there is a listener to go on with after a fault.
static SERVES: AtomicBool = AtomicBool::new(false);

/// A fault ends the program, for half of one would serve nobody. Another run takes its place on the same socket, unless faults
/// follow each other: then the process ends, and the kubelet starts it again. The place of the fault is said and not its message,
/// which may hold what was being read.
fn end_by_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        eprintln!("deputy-agent: ended by a panic at {place}");
        if SERVES.load(Ordering::Relaxed) {
            let error = revive();
            eprintln!("deputy-agent: not started again: {error}");
        }
        std::process::abort();
    }));
}

/// Puts this program in its own place. Comes back only when that is not to be, or can't be done, and says why.
fn revive() -> String {
    let before = Revivals::parse(&variable(revive::VARIABLE).unwrap_or_default());
    let Some(revivals) = before.next(jiff::Timestamp::now().as_second()) else {
        return format!("there were such faults before, at {before}");
    };
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    // What runs, whatever became of its file.
    let error = Command::new("/proc/self/exe")
        .arg0(name)
        .args(arguments)
        .env(revive::VARIABLE, revivals.to_string())
        .exec();
    error.to_string()
}

/// A fault on demand, for tests. There is none in a release.
#[cfg(debug_assertions)]
#[expect(clippy::panic, reason = "that is what it is for")]
fn fault_on_demand() {
    if let Ok(mut demand) = signal(SignalKind::user_defined1()) {
        tokio::spawn(async move {
            demand.recv().await;
            panic!("on demand");
        });
    }
}

fn run() -> ExitCode {
    end_by_panics();
    let config = match Config::read(variable) {
        Ok(config) => config,
        Err(error) => return fail(BAD_INPUT, error),
    };
    // No core dumps, no ptrace by other processes of the same user: this memory holds credentials.
    #[cfg(target_os = "linux")]
    if let Err(error) = forbid_dumps() {
        return fail(FAILED, format_args!("cannot forbid core dumps: {error}"));
    }
    // Blocking threads only resolve the broker's name.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .thread_stack_size(512 * 1024)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(FAILED, format_args!("cannot start: {error}")),
    };
    let code = runtime.block_on(async {
        let (mut terminate, mut interrupt) =
            match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
                (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
                (Err(error), _) | (_, Err(error)) => {
                    return fail(FAILED, format_args!("cannot listen for signals: {error}"));
                }
            };
        let inherited = variable(revive::VARIABLE).and_then(|_| revive::inherited(config.listen));
        let agent = match Agent::bind(config, Log::stdout(), inherited).await {
            Ok(agent) => agent,
            Err(error @ deputy_agent::StartError::Listen { .. }) => return fail(FAILED, error),
            Err(error) => return fail(BAD_INPUT, error),
        };
        #[cfg(debug_assertions)]
        fault_on_demand();
        // Without it, a fault ends the process, as any other does.
        SERVES.store(revive::hand_on(&agent).is_ok(), Ordering::Relaxed);
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            SERVES.store(false, Ordering::Relaxed);
            revive::let_go();
        };
        agent.run(stop).await;
        ExitCode::SUCCESS
    });
    // A name resolution that hangs must not hold up the end of the pod.
    runtime.shutdown_background();
    code
}
