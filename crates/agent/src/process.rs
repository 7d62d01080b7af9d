//! The process: how it begins, what a fault in it leads to, and how it ends.

use std::{
    fmt::Display,
    io::{self, Write as _},
    os::unix::{ffi::OsStrExt as _, process::CommandExt as _},
    process::{Command, ExitCode},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    agent::{Agent, StartError},
    bundle::LearnedBundle,
    config::Config,
    log::Log,
    node::{NodeAgent, NodeConfig},
    revive::{self, Revivals},
};

/// Exit code: the application may not start.
pub const NOT_READY: u8 = 1;
/// Exit code: wrong arguments or configuration.
pub const BAD_INPUT: u8 = 2;
/// Exit code: the agent can't serve.
pub const FAILED: u8 = 3;

/// How long the last lines of a log may take.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The environment variable `name`.
pub fn variable(name: &str) -> Option<String> {
    // What is not UTF-8 is as wrong as what does not parse; the message then shows it.
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Says `message` on standard error, for an exit with `code`.
pub fn fail(code: u8, message: impl Display) -> ExitCode {
    complain(message);
    ExitCode::from(code)
}

/// Writes a line to standard output.
pub fn print(line: impl Display) {
    writeln!(io::stdout(), "{line}").unwrap_or_default();
}

/// Writes a line to standard error. The macros of the standard library panic when nobody reads it any more, and a panic while one
/// is dealt with ends the process at once.
fn complain(message: impl Display) {
    writeln!(io::stderr(), "deputy-agent: {message}").unwrap_or_default();
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

/// Raises the limit of open files as far as it may be raised: container runtimes commonly start processes with 1024, and a node's agent has
/// as many connections of pods at a time.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // Refused, fewer connections fit, and the others wait in the queue.
    setrlimit(Resource::Nofile, raised).unwrap_or_default();
}

/// Whether there is a listener to go on with after a fault.
static SERVES: AtomicBool = AtomicBool::new(false);

/// What the next program is to know of the broker's authorities.
static LEARNED: OnceLock<LearnedBundle> = OnceLock::new();

/// A fault ends the program, for half of one would serve nobody. Another run takes its place on the same socket, unless faults
/// follow each other: then the process ends, and the kubelet starts it again. The place of the fault is said and not its message,
/// which may hold what was being read.
fn end_by_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        complain(format_args!("ended by a panic at {place}"));
        if SERVES.load(Ordering::Relaxed) {
            let error = revive();
            complain(format_args!("not started again: {error}"));
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
    let mut next = Command::new("/proc/self/exe");
    next.arg0(name)
        .args(arguments)
        .env(revive::VARIABLE, revivals.to_string());
    let bundle = LEARNED.get().and_then(LearnedBundle::text);
    match bundle.and_then(revive::fit_for_environment) {
        Some(bundle) => next.env(revive::BUNDLE_VARIABLE, bundle),
        None => next.env_remove(revive::BUNDLE_VARIABLE),
    };
    next.exec().to_string()
}

/// An agent that begins anew, or with what the program before has left.
async fn begin(config: Config, log: Log) -> Result<Agent, StartError> {
    let revivals = variable(revive::VARIABLE).map(|text| Revivals::parse(&text));
    let mut listener = None;
    if let Some(revivals) = &revivals {
        log.warn("Revived", &[("number", &revivals.count().to_string())]);
        listener = revive::inherited(config.listen);
    }
    let agent = Agent::bind(config, log, listener).await?;
    if let Some(bundle) = revivals.and_then(|_| std::env::var_os(revive::BUNDLE_VARIABLE)) {
        agent.trust(bundle.as_bytes());
    }
    LEARNED.get_or_init(|| agent.learned_bundle());
    Ok(agent)
}

/// Serves a pod until SIGTERM or SIGINT. `beside` is called once the agent listens, in its runtime.
pub fn run(beside: impl FnOnce()) -> ExitCode {
    end_by_panics();
    let config = match Config::read(variable) {
        Ok(config) => config,
        Err(error) => return fail(BAD_INPUT, error),
    };
    in_runtime(async |end: EndSignals| {
        let agent = match begin(config, Log::stdout()).await {
            Ok(agent) => agent,
            Err(error) => return start_failed(&error),
        };
        // Without it, a fault ends the process, as any other does.
        SERVES.store(revive::hand_on(&agent).is_ok(), Ordering::Relaxed);
        beside();
        let stop = async move {
            end.received().await;
            SERVES.store(false, Ordering::Relaxed);
            revive::let_go();
        };
        agent.run(stop).await;
        ExitCode::SUCCESS
    })
}

/// Serves the pods of a node until SIGTERM or SIGINT. A fault ends the process: while the kubelet starts it again, pods live on what their
/// SDKs hold.
pub fn run_node() -> ExitCode {
    end_by_panics();
    let config = match NodeConfig::read(variable) {
        Ok(config) => config,
        Err(error) => return fail(BAD_INPUT, error),
    };
    raise_open_files();
    in_runtime(async |end: EndSignals| {
        // Many log there, and whoever reads may stop: that is no reason to serve nobody.
        let log = match Log::queued(io::stdout()) {
            Ok(log) => log,
            Err(error) => return fail(FAILED, format_args!("cannot start: {error}")),
        };
        let code = match NodeAgent::bind(config, log.clone()) {
            Ok(agent) => match agent.run(end.received()).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => start_failed(&error),
            },
            Err(error) => start_failed(&error),
        };
        log.flush(LAST_LINES);
        code
    })
}

fn start_failed(error: &StartError) -> ExitCode {
    match error {
        StartError::Listen { .. } | StartError::AddressTaken(_) | StartError::ReadyFile(_) => {
            fail(FAILED, error)
        }
        StartError::Tls(_) | StartError::NotLoopback(_) | StartError::NotOfTheNode(_) => {
            fail(BAD_INPUT, error)
        }
    }
}

/// The signals that end the process.
struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl EndSignals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn received(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Runs `work` on one thread, in a process whose memory nobody else reads.
fn in_runtime(work: impl AsyncFnOnce(EndSignals) -> ExitCode) -> ExitCode {
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
        match EndSignals::new() {
            Ok(end) => work(end).await,
            Err(error) => fail(FAILED, format_args!("cannot listen for signals: {error}")),
        }
    });
    // A name resolution that hangs must not hold up the end of the pod.
    runtime.shutdown_background();
    code
}
