//! The binary as the kubelet runs it.

#![expect(clippy::unwrap_used, reason = "test code outside a #[test] function")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::Duration,
};

fn agent(environment: &[(&str, &str)]) -> Command {
    program(Path::new(env!("CARGO_BIN_EXE_deputy-agent")), environment)
}

/// The agent with a fault on demand, which cargo builds with the tests.
fn faulty_agent() -> PathBuf {
    let agent = Path::new(env!("CARGO_BIN_EXE_deputy-agent"));
    agent.parent().unwrap().join("examples/faulty_agent")
}

fn program(path: &Path, environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(path);
    command
        .env_clear()
        .envs(environment.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
}

#[test]
fn wrong_arguments_and_configuration_are_exit_code_2_with_a_clear_message() {
    let usage = agent(&[]).args(["serve", "now"]).output().unwrap();
    assert_eq!(code(&usage), Some(2));
    assert!(text(&usage.stderr).contains("usage: deputy-agent"));

    let missing = agent(&[]).output().unwrap();
    assert_eq!(code(&missing), Some(2));
    assert_eq!(
        text(&missing.stderr),
        "deputy-agent: DEPUTY_BROKER_URL: is not set\n"
    );

    let outside = agent(&[("DEPUTY_LISTEN", "0.0.0.0:7419")])
        .arg("serve")
        .output()
        .unwrap();
    assert_eq!(code(&outside), Some(2));
    assert!(text(&outside.stderr).contains("DEPUTY_LISTEN: 0.0.0.0:7419 is not a loopback address"));
}

#[test]
fn the_version_is_told() {
    let output = agent(&[]).arg("--version").output().unwrap();
    assert_eq!(
        text(&output.stdout),
        concat!("deputy-agent ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn nothing_listening_is_not_ready() {
    let address = free_address().to_string();
    let output = agent(&[("DEPUTY_LISTEN", &address)])
        .arg("ready")
        .output()
        .unwrap();
    assert_eq!(code(&output), Some(1));
    assert!(text(&output.stderr).contains("no answer from the agent"));
}

#[test]
fn a_wait_ends_with_the_reason_or_as_soon_as_the_agent_listens() {
    for wrong in ["--wait=0", "--wait=3601", "--wait=1m", "--wait=", "now"] {
        let output = agent(&[]).args(["ready", wrong]).output().unwrap();
        assert_eq!(code(&output), Some(2), "{wrong}");
    }
    for wrong in ["--termination-log", "--termination-log=", "--wait"] {
        let output = agent(&[]).args(["ready", "--wait=1", wrong]).output().unwrap();
        assert_eq!(code(&output), Some(2), "{wrong}");
    }
    let address = free_address().to_string();
    let environment = [("DEPUTY_LISTEN", address.as_str())];
    let output = agent(&environment).args(["ready", "--wait=1"]).output().unwrap();
    assert_eq!(code(&output), Some(1));
    assert!(text(&output.stderr).contains("no answer from the agent"));

    // It waits before there is anybody to ask.
    let waiting = agent(&environment).args(["ready", "--wait"]).spawn().unwrap();
    let (mut child, _log) = serve(&address, "listener");
    assert_eq!(code(&waiting.wait_with_output().unwrap()), Some(0));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// An agent whose broker is away, and its log. It listens.
fn serve(address: &str, wait_for: &str) -> (Child, BufReader<ChildStdout>) {
    serve_with(Path::new(env!("CARGO_BIN_EXE_deputy-agent")), address, wait_for)
}

fn serve_with(path: &Path, address: &str, wait_for: &str) -> (Child, BufReader<ChildStdout>) {
    let ca = rcgen::generate_simple_self_signed(vec!["broker".to_owned()])
        .unwrap()
        .cert
        .pem();
    let broker = format!("https://{}", free_address());
    let environment = [
        ("DEPUTY_LISTEN", address),
        ("DEPUTY_BROKER_URL", &broker),
        ("DEPUTY_BROKER_CA", &ca),
        ("DEPUTY_TOKEN_FILE", "/nonexistent/token"),
        ("DEPUTY_WAIT_FOR", wait_for),
    ];
    let mut child = program(path, &environment).spawn().unwrap();
    let mut log = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    assert!(line.contains("\"Listening\"") && line.contains(address), "{line}");
    (child, log)
}

#[test]
fn it_serves_answers_the_probe_and_stops_on_sigterm() {
    for (wait_for, exit) in [("listener", 0), ("credential", 1)] {
        let address = free_address().to_string();
        let (mut child, mut log) = serve(&address, wait_for);
        let ready = agent(&[("DEPUTY_LISTEN", &address)])
            .arg("ready")
            .output()
            .unwrap();
        let reason = text(&ready.stderr);
        assert_eq!(code(&ready), Some(exit), "{reason}");
        assert_eq!(
            exit == 1,
            reason.contains("waiting for the first credential"),
            "{reason}"
        );

        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        let mut rest = String::new();
        log.read_to_string(&mut rest).unwrap();
        assert!(
            rest.trim_end().lines().last().unwrap().contains("\"Stopped\""),
            "{rest}"
        );
    }
}

/// One `GET /readyz` on a connection of its own: whether it was answered with 200.
fn is_answered(address: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    // The program that accepted it may be gone: that is one of the requests under way.
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

#[test]
fn after_a_fault_whoever_connects_is_answered_by_the_same_process() {
    let address = free_address().to_string();
    let (mut child, mut log) = serve_with(&faulty_agent(), &address, "listener");
    let pid = rustix::process::Pid::from_child(&child);
    let fault = || rustix::process::kill_process(pid, rustix::process::Signal::USR1).unwrap();
    for _ in 0..3 {
        fault();
        // Before and after the next program there are answers; only a request that the fault interrupted may have none.
        let mut lost = 0;
        for _ in 0..20 {
            match is_answered(&address) {
                Ok(true) => {}
                Ok(false) => lost += 1,
                Err(error) => {
                    assert_ne!(error.kind(), std::io::ErrorKind::ConnectionRefused);
                    lost += 1;
                }
            }
        }
        assert!(lost <= 1, "{lost}");
        // One more program that listens; between them are lines about the broker.
        let mut line = String::new();
        while !line.contains("\"Listening\"") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0);
        }
    }
    // The fourth within a minute ends it.
    fault();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(6), "SIGABRT");
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(
        said.matches("ended by a panic at crates/agent/examples/faulty_agent.rs")
            .count(),
        4,
        "{said}"
    );
    assert!(
        said.contains("not started again: there were such faults before"),
        "{said}"
    );
}

#[test]
fn a_fault_that_can_not_be_told_to_anybody_is_survived_too() {
    let address = free_address().to_string();
    let (mut child, mut log) = serve_with(&faulty_agent(), &address, "listener");
    drop(child.stderr.take());
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::USR1).unwrap();
    let mut line = String::new();
    while !line.contains("\"Listening\"") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_wait_says_how_long_it_was_and_ends_when_the_pod_does() {
    let address = free_address().to_string();
    let listener = TcpListener::bind(&address).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let words = dir.path().join("words");
    std::fs::write(&words, "").unwrap();
    let answer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 1024];
        let _read = stream.read(&mut head).unwrap();
        let body = r#"{"Code":"PodTerminating","Message":"the pod is being deleted; why"}"#;
        write!(stream, "HTTP/1.1 503 x\r\n\r\n{body}").unwrap();
    });
    let output = agent(&[("DEPUTY_LISTEN", &address)])
        .args(["ready", "--wait=3600"])
        .arg(format!("--termination-log={}", words.display()))
        .output()
        .unwrap();
    answer.join().unwrap();
    assert_eq!(code(&output), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.starts_with("deputy-agent: not ready after 0 s: the pod is being deleted; why"),
        "{said}"
    );
    assert_eq!(
        format!("deputy-agent: {}\n", std::fs::read_to_string(words).unwrap()),
        said
    );
}

#[test]
fn a_stopped_agent_is_not_revived_and_nobody_waits_for_it() {
    let address = free_address().to_string();
    let (mut child, _log) = serve(&address, "listener");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let refused = is_answered(&address).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}
