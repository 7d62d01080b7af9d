//! When the broker is asked again, whether or not the application asks.
//!
//! SDKs ask minutes or seconds before what they hold ends, each in its own way. A pod that only asked then would stand without a
//! credential after an outage of minutes. So each binding has a time at which it is asked for again, and one task looks
//! after all of them: what is held is always of the newest session that the broker has.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{CredentialKeeper, slot::Slot};
use crate::{
    binding::SelectedBinding,
    broker::{CredentialSource, FetchError},
    jitter::{backoff, between},
};

/// First and longest pause while the broker can't be reached or fails.
const UNAVAILABLE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// First and longest pause after a refusal: the grant may come back.
const REFUSED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// The broker is never asked by ourselves sooner than this after an answer, whatever it says.
const SOONEST: Duration = Duration::from_secs(5);

/// How long after an answer the broker is asked again, when what is held has `remaining` to live. `told` is what the answer
/// says of its next session; an older broker says nothing. Never so late that less than a quarter remains.
fn after_success(told: Option<Duration>, remaining: Duration) -> Duration {
    let pause = match told {
        Some(told) => told.saturating_add(between(Duration::ZERO, remaining / 20)),
        None => between(remaining / 8, remaining / 6),
    };
    pause.min(remaining.saturating_mul(3) / 4).max(SOONEST)
}

impl<S: CredentialSource> CredentialKeeper<S> {
    /// Asks for every binding again when its time has come. Never ends.
    pub async fn refresh(self: Arc<Self>) {
        loop {
            match self.start_due() {
                Some(next) => tokio::select! {
                    () = sleep_until(next) => {}
                    () = self.planned.notified() => {}
                },
                None => self.planned.notified().await,
            }
        }
    }

    /// Starts what is due, lets go of what nobody wants any more, and says when the next is due.
    fn start_due(self: &Arc<Self>) -> Option<Instant> {
        let (now, wall) = (Instant::now(), (self.clock)());
        let mut slots = self.lock();
        let is_due = |slot: &Slot| slot.due.is_some_and(|due| due <= now);
        slots.retain(|_, slot| {
            let is_wanted = slot.configured || slot.wanted_until.is_some_and(|until| wall < until);
            !is_due(slot) || is_wanted
        });
        let due: Vec<SelectedBinding> = slots
            .iter()
            .filter(|(_, slot)| is_due(slot))
            .map(|(binding, _)| binding.clone())
            .collect();
        for binding in due {
            if let Some(slot) = slots.get_mut(&binding) {
                self.call(&binding, slot);
            }
        }
        slots.values().filter_map(|slot| slot.due).min()
    }

    /// Decides when `slot` is asked for again after `outcome`.
    pub(super) fn plan(&self, slot: &mut Slot, told: Option<Duration>, outcome: &Result<(), FetchError>) {
        let pause = match outcome {
            Ok(()) => {
                slot.failures = 0;
                let remaining = slot.kept.as_ref().map(|kept| {
                    let left = kept.credential.expiration().duration_since((self.clock)());
                    Duration::try_from(left).unwrap_or_default()
                });
                remaining.map(|remaining| after_success(told, remaining))
            }
            // The application asks when it wants it back, unless the pod is to have it from the start.
            Err(FetchError::Refused(problem)) => {
                let failures = slot.count_failure(true);
                slot.wanted_until = None;
                slot.configured
                    .then(|| backoff(failures, REFUSED, problem.retry_after))
            }
            // A first credential that nobody configured is asked for by the application.
            Err(FetchError::Unavailable(problem)) => {
                let failures = slot.count_failure(false);
                (slot.configured || slot.wanted_until.is_some())
                    .then(|| backoff(failures, UNAVAILABLE, problem.retry_after))
            }
        };
        slot.due = pause.and_then(|pause| Instant::now().checked_add(pause));
        self.planned.notify_one();
    }
}
