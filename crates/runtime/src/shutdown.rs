//! Shutdown in two phases: *draining*, in which the process is not ready but still serves (endpoints take a few
//! seconds to forget it), then *stopped*, in which it takes no new work.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long a process keeps serving after SIGTERM: what endpoint slices, kube-proxies and load balancers
/// commonly need to take the pod out.
pub const DEFAULT_DRAIN: Duration = Duration::from_secs(5);

/// A failure to listen for the signals that end the process.
#[derive(Debug, thiserror::Error)]
pub enum ShutdownError {
    /// The operating system refused a signal handler.
    #[error("failed to install a handler for {signal}")]
    Signal {
        /// The name of the signal.
        signal: &'static str,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

impl ShutdownError {
    /// A bounded name for metrics and events.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Signal { .. } => "signal",
        }
    }
}

/// The two phases, as seen by everything that has to react. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    draining: CancellationToken,
    stopped: CancellationToken,
}

impl Shutdown {
    /// Shutdown that only [`drain`](Self::drain) and [`stop`](Self::stop) start.
    pub fn manual() -> Self {
        Self::default()
    }

    /// Shutdown that the first SIGTERM or SIGINT starts: draining at once, stopped after `delay`. A second signal
    /// ends the draining early.
    ///
    /// Must be called inside a Tokio runtime.
    pub fn from_signals(delay: Duration) -> Result<Self, ShutdownError> {
        let mut terminate = signal(SignalKind::terminate()).map_err(|source| ShutdownError::Signal {
            signal: "SIGTERM",
            source,
        })?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|source| ShutdownError::Signal {
            signal: "SIGINT",
            source,
        })?;
        let shutdown = Self::manual();
        let this = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = this.draining() => {}
            }
            tracing::info!(delay_seconds = delay.as_secs(), "shutting down: draining");
            this.drain();
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = this.stopped() => {}
            }
            tracing::info!("shutting down: stopping");
            this.stop();
        });
        Ok(shutdown)
    }

    /// Starts the first phase. Does nothing when it has started.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Starts both phases. Does nothing when they have started.
    pub fn stop(&self) {
        self.draining.cancel();
        self.stopped.cancel();
    }

    /// Drains for `delay`, then stops.
    pub async fn drain_then_stop(&self, delay: Duration) {
        self.drain();
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = self.stopped() => {}
        }
        self.stop();
    }

    /// Resolves when the process should no longer get new work but still does what it gets.
    pub async fn draining(&self) {
        self.draining.cancelled().await;
    }

    /// Resolves when the process should finish what it does and end.
    pub async fn stopped(&self) {
        self.stopped.cancelled().await;
    }

    /// Whether the first phase has started.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Whether the second phase has started.
    pub fn is_stopped(&self) -> bool {
        self.stopped.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_process_drains_for_the_delay_and_then_stops() {
        let shutdown = Shutdown::manual();
        let start = tokio::time::Instant::now();
        let other = shutdown.clone();
        let task = tokio::spawn(async move { other.drain_then_stop(Duration::from_secs(5)).await });
        shutdown.draining().await;
        assert!(shutdown.is_draining() && !shutdown.is_stopped());
        assert_eq!(start.elapsed(), Duration::ZERO);
        shutdown.stopped().await;
        assert_eq!(start.elapsed(), Duration::from_secs(5));
        task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_draining_early() {
        let shutdown = Shutdown::manual();
        let other = shutdown.clone();
        let task = tokio::spawn(async move { other.drain_then_stop(Duration::from_secs(3600)).await });
        shutdown.draining().await;
        let start = tokio::time::Instant::now();
        shutdown.stop();
        task.await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[test]
    fn stopping_implies_draining() {
        let shutdown = Shutdown::manual();
        shutdown.stop();
        assert!(shutdown.is_draining() && shutdown.is_stopped());
    }

    #[tokio::test(start_paused = true)]
    async fn with_a_delay_of_zero_the_process_stops_at_once() {
        let shutdown = Shutdown::manual();
        let start = tokio::time::Instant::now();
        shutdown.drain_then_stop(Duration::ZERO).await;
        assert!(shutdown.is_stopped());
        assert!(start.elapsed() <= Duration::from_millis(1));
    }
}
