//! Requests that failed, and until when they are not made again. Bounded: what is forgotten is asked once more than it had to be.

use std::{collections::HashMap, sync::Arc, time::Duration};

use deputy_aws::AwsError;
use tokio::time::Instant;

use super::gate::CallUrgency;

/// A request that failed, and until when it is not made again.
#[derive(Clone)]
pub(super) struct CallFailure {
    pub(super) error: Arc<AwsError>,
    until: Instant,
    pause: Duration,
}

impl CallFailure {
    const FIRST_PAUSE: Duration = Duration::from_millis(500);
    /// While callers wait for a first session; a role that was made a moment ago is soon known everywhere.
    const LAST_PAUSE: Duration = Duration::from_secs(5);
    /// While there is a session to serve.
    const LAST_PAUSE_OF_RENEWAL: Duration = Duration::from_secs(60);

    fn after(previous: Option<&Self>, error: Arc<AwsError>, urgency: CallUrgency) -> Self {
        let last = match urgency {
            CallUrgency::First => Self::LAST_PAUSE,
            CallUrgency::Renewal => Self::LAST_PAUSE_OF_RENEWAL,
        };
        let pause = previous.map_or(Self::FIRST_PAUSE, |p| p.pause.saturating_mul(2).min(last));
        Self {
            error,
            until: Instant::now() + pause,
            pause,
        }
    }
}

/// Failures by what identifies a request. Two maps: when the newer one is full, or old, it becomes the older one, which is dropped.
pub(super) struct Failures {
    newer: HashMap<u64, CallFailure>,
    older: HashMap<u64, CallFailure>,
    began: Instant,
    /// Of each map.
    capacity: usize,
}

impl Failures {
    /// So long a failure is remembered at least, for the length of the next pause: twice the longest one.
    const REMEMBERED: Duration = Duration::from_secs(120);

    /// At most `capacity`.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            newer: HashMap::new(),
            older: HashMap::new(),
            began: Instant::now(),
            capacity: (capacity / 2).max(1),
        }
    }

    /// The failure on account of which a request is not made now.
    pub(super) fn holding(&self, request: u64) -> Option<&CallFailure> {
        self.get(request).filter(|failure| Instant::now() < failure.until)
    }

    pub(super) fn failed(&mut self, request: u64, error: Arc<AwsError>, urgency: CallUrgency) {
        let failure = CallFailure::after(self.get(request), error, urgency);
        self.tidy();
        if self.newer.len() >= self.capacity && !self.newer.contains_key(&request) {
            self.turn();
        }
        self.newer.insert(request, failure);
    }

    pub(super) fn succeeded(&mut self, request: u64) {
        self.newer.remove(&request);
        self.older.remove(&request);
    }

    /// Forgets what is old.
    pub(super) fn tidy(&mut self) {
        if self.began.elapsed() >= Self::REMEMBERED {
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.older = std::mem::take(&mut self.newer);
        self.began = Instant::now();
    }

    fn get(&self, request: u64) -> Option<&CallFailure> {
        self.newer.get(&request).or_else(|| self.older.get(&request))
    }
}

#[cfg(test)]
mod tests {
    use deputy_aws::ErrorClass;

    use super::*;

    fn error() -> Arc<AwsError> {
        Arc::new(AwsError::new("sts:AssumeRole", ErrorClass::Service, "no"))
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_fail_few_are_remembered_and_the_latest_are() {
        let mut failures = Failures::new(100);
        for request in 0..10_000 {
            failures.failed(request, error(), CallUrgency::First);
            assert!(failures.newer.len() + failures.older.len() <= 100);
            assert!(failures.holding(request).is_some());
        }
        failures.succeeded(9_999);
        assert!(failures.holding(9_999).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_old_is_forgotten() {
        let mut failures = Failures::new(100);
        failures.failed(1, error(), CallUrgency::First);
        for _ in 0..2 {
            tokio::time::advance(Failures::REMEMBERED).await;
            failures.tidy();
        }
        assert!(failures.newer.is_empty() && failures.older.is_empty());
    }
}
