//! Whether work gets done. A leader that is stuck keeps its Lease, and nobody else works: it has to end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long there may be work and none of it end. Above the longest reconciliation, which is ended by a deadline.
const PATIENCE: Duration = Duration::from_secs(180);

/// Watches one kind of work. Clones watch the same.
#[derive(Clone)]
pub struct WorkProgress(Arc<State>);

struct State {
    kind: &'static str,
    /// When something last ended, or there was nothing to do.
    last: Mutex<Instant>,
    /// Pieces of work that have begun.
    running: AtomicUsize,
}

/// There is work, and none of it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is work ({kind}) and none of it has ended for {} s; at most {} s are normal",
    idle.as_secs(),
    PATIENCE.as_secs()
)]
pub struct NoProgressError {
    kind: &'static str,
    idle: Duration,
}

/// A piece of work that has begun.
pub struct WorkInProgress(WorkProgress);

impl WorkProgress {
    /// Watches work of this kind.
    #[must_use]
    pub fn new(kind: &'static str) -> Self {
        Self(Arc::new(State {
            kind,
            last: Mutex::new(Instant::now()),
            running: AtomicUsize::new(0),
        }))
    }

    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.0.kind
    }

    /// A piece of work begins; it ends when what is returned is dropped.
    #[must_use]
    pub fn begin(&self) -> WorkInProgress {
        if self.0.running.fetch_add(1, Ordering::Relaxed) == 0 {
            self.reset();
        }
        WorkInProgress(self.clone())
    }

    /// There is nothing to do, or nobody may do it.
    fn reset(&self) {
        *self.0.last.lock() = Instant::now();
    }

    /// Looks at a queue: is there work to be done that should be done?
    pub fn observe_queue(&self, waiting: usize, should_work: bool) {
        let is_idle = waiting == 0 && self.0.running.load(Ordering::Relaxed) == 0;
        if is_idle || !should_work {
            self.reset();
        }
    }

    /// Whether work ends.
    ///
    /// # Errors
    /// [`NoProgressError`]: none has ended for longer than [`PATIENCE`].
    pub fn check(&self) -> Result<(), NoProgressError> {
        let idle = self.0.last.lock().elapsed();
        if idle <= PATIENCE {
            return Ok(());
        }
        let kind = self.0.kind;
        Err(NoProgressError { kind, idle })
    }
}

impl Drop for WorkInProgress {
    fn drop(&mut self) {
        self.0.0.running.fetch_sub(1, Ordering::Relaxed);
        self.0.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn work_of_which_nothing_ends_is_stuck() {
        let progress = WorkProgress::new("AWSRole");
        pass(1000).await;
        progress.observe_queue(0, true);
        assert_eq!(progress.check(), Ok(()), "there was nothing to do");
        for _ in 0..36 {
            pass(5).await;
            progress.observe_queue(3, true);
        }
        assert_eq!(progress.check(), Ok(()));
        pass(1).await;
        assert_eq!(
            progress.check().unwrap_err().to_string(),
            "there is work (AWSRole) and none of it has ended for 181 s; at most 180 s are normal"
        );
        // Whatever it comes to, it has ended.
        drop(progress.begin());
        assert_eq!(progress.check(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_not_work_is_not_stuck() {
        let progress = WorkProgress::new("AWSRole");
        for _ in 0..100 {
            pass(5).await;
            progress.observe_queue(3, false);
        }
        assert_eq!(progress.check(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_piece_of_work_that_never_ends_is_stuck() {
        let progress = WorkProgress::new("decisions");
        pass(1000).await;
        let begun = progress.begin();
        pass(100).await;
        progress.observe_queue(0, true);
        assert_eq!(progress.check(), Ok(()));
        pass(81).await;
        progress.observe_queue(0, true);
        assert!(progress.check().is_err());
        drop(begun);
        assert_eq!(progress.check(), Ok(()));
    }
}
