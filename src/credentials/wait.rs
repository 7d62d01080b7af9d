//! Waiting for what can't be told to stop: a lock, a terminal, a pipe. The thread that waits ends with the process.

use std::{sync::mpsc, thread, time::Duration};

/// What `work` comes to, or nothing within `deadline`.
pub fn within<T: Send + 'static>(deadline: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, outcome) = mpsc::sync_channel(1);
    // Nobody may be waiting any more.
    thread::spawn(move || drop(done.send(work())));
    outcome.recv_timeout(deadline).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_come_is_not_waited_for() {
        let (never, gate) = mpsc::channel::<()>();
        assert_eq!(within(Duration::from_secs(60), || 7), Some(7));
        assert_eq!(within(Duration::from_millis(5), move || gate.recv()), None);
        drop(never);
    }
}
