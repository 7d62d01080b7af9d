//! The first credentials: fetched on start, so that the application finds them there, and reported on
//! `/readyz`, which the startup probe asks.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::StatusCode;

use crate::{
    binding::SelectedBinding, broker::CredentialSource, config::WaitFor, jitter::backoff,
    keeper::CredentialKeeper, problem::AgentProblem,
};

/// First and longest pause between tries while the broker is unavailable.
const UNAVAILABLE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// First and longest pause between tries while the broker refuses: the binding may still be on its way.
const REFUSED: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(15));
/// How long [`probe`] waits for each of connecting, sending and reading.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Most that [`probe`] reads, in bytes.
const MAX_PROBE: u64 = 16 * 1024;

/// Which first credentials are still missing, and why.
pub struct StartupReadiness {
    wait_for: WaitFor,
    missing: Mutex<BTreeMap<SelectedBinding, String>>,
}

impl StartupReadiness {
    /// All of `bindings` are missing.
    pub fn new(wait_for: WaitFor, bindings: &[SelectedBinding]) -> Self {
        let missing = bindings
            .iter()
            .map(|b| (b.clone(), "not asked for yet".to_owned()))
            .collect();
        Self {
            wait_for,
            missing: Mutex::new(missing),
        }
    }

    /// Whether the application may start. Once it may, it always may: this is for the startup probe.
    ///
    /// # Errors
    /// 503 with every binding whose first credential is missing, and why.
    pub fn check(&self) -> Result<(), AgentProblem> {
        let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.wait_for == WaitFor::Listener || missing.is_empty() {
            return Ok(());
        }
        let reasons: Vec<String> = missing
            .iter()
            .map(|(binding, reason)| format!("{binding} binding: {reason}"))
            .collect();
        let message = format!("waiting for the first credential; {}", reasons.join("; "));
        Err(AgentProblem::unavailable("NotReady", message))
    }

    fn note(&self, binding: &SelectedBinding, problem: &AgentProblem) {
        let reason = format!("{}: {}", problem.code, problem.message);
        self.missing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(binding.clone(), reason);
    }

    fn fetched(&self, binding: &SelectedBinding) {
        self.missing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(binding);
    }
}

/// Asks for the credential of `binding` until it is there.
pub async fn fetch_first<S: CredentialSource>(
    keeper: Arc<CredentialKeeper<S>>,
    readiness: Arc<StartupReadiness>,
    binding: SelectedBinding,
) {
    let mut tries = 0;
    let mut refused = None;
    loop {
        let problem = match keeper.get(&binding).await {
            Ok(_) => return readiness.fetched(&binding),
            Err(problem) => problem,
        };
        readiness.note(&binding, &problem);
        // From refused to unavailable or back is a new situation.
        let is_refusal = problem.status != StatusCode::SERVICE_UNAVAILABLE;
        tries = if refused.replace(is_refusal) == Some(is_refusal) {
            tries + 1
        } else {
            0
        };
        let range = if is_refusal { REFUSED } else { UNAVAILABLE };
        tokio::time::sleep(backoff(tries, range, problem.retry_after)).await;
    }
}

/// Why the application may not start.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The agent says why.
    #[error("{0}")]
    NotReady(String),
    /// The agent does not answer.
    #[error("no answer from the agent on {address}: {source}")]
    NoAnswer {
        /// Where it was asked.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Whatever answers there is no agent.
    #[error("no HTTP answer from the agent on {0}")]
    NotHttp(SocketAddr),
}

/// `deputy-agent ready`: asks the agent at `address` whether the application may start.
///
/// # Errors
/// [`ProbeError`].
pub fn probe(address: SocketAddr) -> Result<(), ProbeError> {
    let failed = |source| ProbeError::NoAnswer { address, source };
    let mut stream = TcpStream::connect_timeout(&address, PROBE_TIMEOUT).map_err(failed)?;
    stream.set_read_timeout(Some(PROBE_TIMEOUT)).map_err(failed)?;
    stream.set_write_timeout(Some(PROBE_TIMEOUT)).map_err(failed)?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut response = Vec::new();
    stream
        .take(MAX_PROBE)
        .read_to_end(&mut response)
        .map_err(failed)?;
    let response = String::from_utf8_lossy(&response);
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some(_) if !body.is_empty() => Err(ProbeError::NotReady(body.to_owned())),
        _ => Err(ProbeError::NotHttp(address)),
    }
}
