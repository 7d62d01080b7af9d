//! The binary as the kubelet runs it.

#![expect(clippy::unwrap_used, reason = "test code outside a #[test] function")]

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

fn agent(environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deputy-agent"));
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
    let ca = rcgen::generate_simple_self_signed(vec!["broker".to_owned()])
        .unwrap()
        .cert
        .pem();
    let broker = format!("https://{}", free_address());
    let mut child = agent(&[
        ("DEPUTY_LISTEN", address),
        ("DEPUTY_BROKER_URL", &broker),
        ("DEPUTY_BROKER_CA", &ca),
        ("DEPUTY_TOKEN_FILE", "/nonexistent/token"),
        ("DEPUTY_WAIT_FOR", wait_for),
    ])
    .spawn()
    .unwrap();
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
