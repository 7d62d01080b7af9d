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
pub struct Progress(Arc<State>);

struct State {
    what: &'static str,
    /// When something last ended, or there was nothing to do.
    last: Mutex<Instant>,
    /// Pieces of work that have begun.
    running: AtomicUsize,
}

/// A piece of work that has begun.
pub struct Begun(Progress);

impl Progress {
    /// Watches `what`.
    #[must_use]
    pub fn new(what: &'static str) -> Self {
        Self(Arc::new(State {
            what,
            last: Mutex::new(Instant::now()),
            running: AtomicUsize::new(0),
        }))
    }

    /// What is watched.
    #[must_use]
    pub fn what(&self) -> &'static str {
        self.0.what
    }

    /// A piece of work begins; it ends when what is returned is dropped.
    #[must_use]
    pub fn begin(&self) -> Begun {
        if self.0.running.fetch_add(1, Ordering::Relaxed) == 0 {
            self.rest();
        }
        Begun(self.clone())
    }

    /// There is nothing to do, or nobody may do it.
    pub fn rest(&self) {
        *self.0.last.lock() = Instant::now();
    }

    /// Looks at a queue: is there work to be done that should be done?
    pub fn look(&self, waiting: usize, should_work: bool) {
        let is_idle = waiting == 0 && self.0.running.load(Ordering::Relaxed) == 0;
        if is_idle || !should_work {
            self.rest();
        }
    }

    /// That nothing has ended for too long.
    ///
    /// # Errors
    /// How long, for people.
    pub fn check(&self) -> Result<(), String> {
        let idle = self.0.last.lock().elapsed();
        if idle <= PATIENCE {
            return Ok(());
        }
        Err(format!(
            "there is work ({}) and none of it has ended for {} s; at most {} s are normal",
            self.0.what,
            idle.as_secs(),
            PATIENCE.as_secs()
        ))
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.0.running.fetch_sub(1, Ordering::Relaxed);
        self.0.rest();
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
        let progress = Progress::new("AWSRole");
        pass(1000).await;
        progress.look(0, true);
        assert_eq!(progress.check(), Ok(()), "there was nothing to do");
        for _ in 0..36 {
            pass(5).await;
            progress.look(3, true);
        }
        assert_eq!(progress.check(), Ok(()));
        pass(1).await;
        assert_eq!(
            progress.check().unwrap_err(),
            "there is work (AWSRole) and none of it has ended for 181 s; at most 180 s are normal"
        );
        // Whatever it comes to, it has ended.
        drop(progress.begin());
        assert_eq!(progress.check(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_not_work_is_not_stuck() {
        let progress = Progress::new("AWSRole");
        for _ in 0..100 {
            pass(5).await;
            progress.look(3, false);
        }
        assert_eq!(progress.check(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_begun_and_never_ends_is_stuck_also_when_nothing_waits_behind_it() {
        let progress = Progress::new("decisions");
        pass(1000).await;
        let begun = progress.begin();
        pass(100).await;
        progress.look(0, true);
        assert_eq!(progress.check(), Ok(()));
        pass(81).await;
        progress.look(0, true);
        assert!(progress.check().is_err());
        drop(begun);
        assert_eq!(progress.check(), Ok(()));
    }
}
