//! `deputy-agent ready`: asks the agent of this container whether the application may start, once or until it may.
//!
//! The kubelet runs it as the sidecar's `postStart` hook, and starts no other container before it has succeeded. What such a hook
//! prints is shown to nobody, so the reason of a failure also goes into the file from which the kubelet takes the message of a
//! container that ended. The hook runs in the agent's container and has the same file.

use std::{
    fs::OpenOptions,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::readiness::POD_TERMINATING;

/// How long `--wait` waits unless told otherwise. After a wait in vain the kubelet starts the agent again, the sooner the longer
/// it ran; but it ends no pod while a hook waits.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(300);
/// Longest `--wait`, in seconds.
pub const MAX_WAIT: u64 = 3_600;

/// How long each of connecting, sending and reading may take beside what the agent itself waits.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The agent is asked to hold one question this long at most: what comes between is noticed then.
const POLL: Duration = Duration::from_secs(20);
/// First and longest pause before the next question after one that was answered at once, or not at all: the agent may not
/// listen yet.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// Most that is read of an answer, in bytes.
const MAX_ANSWER: u64 = 64 * 1024;
/// The kubelet shows 4096 bytes of a container's last words.
const MAX_WORDS: usize = 4096;

/// Why the application may not start.
#[derive(Debug, thiserror::Error)]
pub enum NotReadyError {
    /// The agent says why.
    #[error("{0}")]
    Missing(String),
    /// The pod is being deleted.
    #[error("{0}")]
    Terminating(String),
    /// The agent does not answer.
    #[error("no answer from the agent on {address}: {source}")]
    NoAnswer {
        /// Where it was asked.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Whatever answers there is no agent.
    #[error("no HTTP answer from the agent on {0}")]
    NotHttp(SocketAddr),
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Code", default)]
    code: String,
    #[serde(rename = "Message")]
    message: String,
}

/// Asks the agent at `address` once.
///
/// # Errors
/// [`NotReadyError`].
pub fn probe(address: SocketAddr) -> Result<(), NotReadyError> {
    ask(address, Duration::ZERO)
}

/// Asks the agent at `address` until the application may start, for at most `limit`.
///
/// # Errors
/// The last [`NotReadyError`].
pub fn wait(address: SocketAddr, limit: Duration) -> Result<(), NotReadyError> {
    let start = Instant::now();
    let mut pause = PAUSE.0;
    loop {
        let asked = Instant::now();
        let left = limit.saturating_sub(start.elapsed());
        let error = match ask(address, left.min(POLL)) {
            Ok(()) => return Ok(()),
            // The kubelet ends no pod while a hook runs.
            Err(error @ NotReadyError::Terminating(_)) => return Err(error),
            Err(error) => error,
        };
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(error);
        }
        // A question that was held needs no pause.
        pause = if asked.elapsed() < PAUSE.1 {
            pause.saturating_mul(2).min(PAUSE.1)
        } else {
            PAUSE.0
        };
        sleep(pause.min(left));
    }
}

/// Whole seconds up: an agent that is asked to wait for less than one waits for one.
fn whole_seconds(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0))
}

fn ask(address: SocketAddr, wait: Duration) -> Result<(), NotReadyError> {
    let failed = |source| NotReadyError::NoAnswer { address, source };
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).map_err(failed)?;
    let wait = whole_seconds(wait);
    let patience = TIMEOUT.saturating_add(Duration::from_secs(wait));
    stream.set_read_timeout(Some(patience)).map_err(failed)?;
    stream.set_write_timeout(Some(TIMEOUT)).map_err(failed)?;
    let query = if wait == 0 {
        String::new()
    } else {
        format!("?wait={wait}")
    };
    let request = format!("GET /readyz{query} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut response = Vec::new();
    stream
        .take(MAX_ANSWER)
        .read_to_end(&mut response)
        .map_err(failed)?;
    let response = String::from_utf8_lossy(&response);
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    match head.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some(_) if !body.is_empty() => Err(match serde_json::from_str::<Answer>(body) {
            Ok(answer) if answer.code == POD_TERMINATING => NotReadyError::Terminating(answer.message),
            Ok(answer) => NotReadyError::Missing(answer.message),
            Err(_) => NotReadyError::Missing(body.to_owned()),
        }),
        _ => Err(NotReadyError::NotHttp(address)),
    }
}

/// Leaves `words` at `path`, the `terminationMessagePath` of the container, where the kubelet finds them when the container has
/// ended: `kubectl describe pod` then shows them as the message of its last state.
/// <https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/>
///
/// # Errors
/// There is no such file, which is so outside a container, or it can't be written.
pub fn leave_words(path: &Path, words: &str) -> io::Result<()> {
    let end = (0..=MAX_WORDS.min(words.len()))
        .rev()
        .find(|end| words.is_char_boundary(*end))
        .unwrap_or_default();
    let words = words.get(..end).unwrap_or_default();
    // Never made: the kubelet has put it there, if anything reads it.
    let mut file = OpenOptions::new().write(true).truncate(true).open(path)?;
    file.write_all(words.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_cut_to_what_is_shown_and_no_file_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("termination-log");
        assert!(leave_words(&path, "no").is_err() && !path.exists());
        std::fs::write(&path, "of before, which was longer").unwrap();
        leave_words(&path, "waiting").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "waiting");
        leave_words(&path, &format!("a{}", "ä".repeat(4096))).unwrap();
        let cut = std::fs::read_to_string(&path).unwrap();
        assert!(cut.len() == 4095 && cut.ends_with('ä'));
    }

    #[test]
    fn a_part_of_a_second_is_waited_for_as_a_whole_one() {
        for (millis, seconds) in [(0, 0), (1, 1), (1000, 1), (1001, 2), (20_000, 20)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }
}
