//! After a fault: what the program that takes the place of another one knows.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tokio::{sync::mpsc, time::timeout};

use crate::support::{Authority, Broker, DEADLINE, TOKEN, credential};

/// An agent that panics on SIGUSR1, as a process of its own.
struct Faulty {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    _dir: tempfile::TempDir,
}

impl Faulty {
    fn start(broker: &Broker, authority: &Authority) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let token_file = dir.path().join("token");
        std::fs::write(&token_file, TOKEN).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let mut child = Command::new(program())
            .env_clear()
            .env("DEPUTY_LISTEN", &address)
            .env(
                "DEPUTY_BROKER_URL",
                format!("https://localhost:{}", broker.address.port()),
            )
            .env("DEPUTY_BROKER_CA", authority.pem())
            .env("DEPUTY_TOKEN_FILE", &token_file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            _dir: dir,
        }
    }

    /// Panics, whatever runs.
    fn fault(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::USR1).unwrap();
    }

    /// The next line of the log with `event`, and the events before it.
    async fn until(&mut self, event: &str) -> (serde_json::Value, Vec<String>) {
        let search = async {
            let mut before = Vec::new();
            loop {
                let line = self.lines.recv().await.expect("a log that goes on");
                let line: serde_json::Value = serde_json::from_str(&line).unwrap();
                if line["event"] == event {
                    return (line, before);
                }
                before.push(line["event"].as_str().unwrap().to_owned());
            }
        };
        timeout(DEADLINE, search).await.expect("the line")
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Cargo builds it with the tests.
fn program() -> PathBuf {
    let agent = Path::new(env!("CARGO_BIN_EXE_deputy-agent"));
    agent.parent().unwrap().join("examples/faulty_agent")
}

#[tokio::test]
async fn the_next_program_trusts_what_the_one_before_has_learned() {
    let (first, second, third) = (Authority::new(), Authority::new(), Authority::new());
    let broker = Broker::start(&first, "localhost").await;
    broker.then(200, &[], credential("ASIA1"));
    broker.announce(200, &format!("{}{}", first.pem(), second.pem()));
    let mut agent = Faulty::start(&broker, &first);
    agent.until("BundleLearned").await;
    broker.move_to(&second);
    for number in ["1", "2"] {
        agent.fault();
        let (revived, _) = agent.until("Revived").await;
        assert_eq!(
            (revived["level"].as_str(), revived["number"].as_str()),
            (Some("warn"), Some(number))
        );
        let (_, before) = agent.until("CredentialCurrent").await;
        assert_eq!(before, ["BundleLearned", "Listening"]);
    }
    // It is known, and not fetched again.
    let fetched = broker
        .seen()
        .iter()
        .filter(|seen| seen.path == "/v1/bundle")
        .count();
    assert_eq!(fetched, 1);
    // And nothing else is trusted.
    broker.move_to(&third);
    agent.fault();
    let (_, before) = agent.until("BrokerUnavailable").await;
    assert_eq!(before, ["Revived", "BundleLearned", "Listening"]);
}
