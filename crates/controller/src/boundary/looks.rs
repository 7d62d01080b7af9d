//! When AWS was looked at for each boundary policy, what was seen, and when it is looked at again.
//!
//! Not all at once: after a start, or when a limit over many accounts has changed, all are looked at in the same minute, and an interval
//! that is the same for all would bring all back in the same minute for ever. So each pause is shorter by a part that differs from look
//! to look.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use deputy_api::BoundaryStatus;
use deputy_index::BoundaryKey;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    queue::Requeue,
    report::LOOK_AGAIN,
    verified::{DRIFT_INTERVAL, Fingerprint, FingerprintKey},
};

/// How long a pause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pause {
    /// At most.
    pub(super) longest: Duration,
    /// It is shorter by less than this.
    pub(super) spread: Duration,
}

impl Pause {
    /// Until a policy that Deputy writes is read again, and what somebody changed is put right.
    pub(super) const DRIFT: Self = Self {
        longest: DRIFT_INTERVAL,
        spread: Duration::from_secs(30 * 60),
    };
    /// Until a policy that somebody else writes is read again: an edit is noticed no later.
    pub(super) const PROVE: Self = Self {
        longest: Duration::from_secs(5 * 60),
        spread: Duration::from_secs(60),
    };
}

/// When AWS is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextLook {
    /// All is as it should be: after the pause that there is between two looks, or when something changes.
    Trusted,
    /// Trying again may help: with growing pauses.
    Soon,
    /// AWS refuses tags for good: now and then.
    Cosmetic,
    /// The account can't be reached: then.
    After(Duration),
    /// An object or somebody's policy has to change: after the pause, and whatever changes meanwhile.
    Changed,
}

#[derive(Debug)]
struct Look {
    fingerprint: Fingerprint,
    seen: BoundaryStatus,
    /// When it is looked at again.
    next: Instant,
    is_told: bool,
}

/// A look of not long ago at a policy that was as it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct FreshLook {
    pub seen: BoundaryStatus,
    /// How long AWS need not be looked at again.
    pub left: Duration,
    /// Whether the limit's status was told: what was written there may have failed.
    pub is_told: bool,
}

/// By limit and account.
#[derive(Debug, Default)]
pub struct Looks {
    last: Mutex<HashMap<BoundaryKey, Look>>,
    key: FingerprintKey,
    spread: RandomState,
}

impl Looks {
    /// What makes the fingerprints that are recorded here.
    #[must_use]
    pub fn key(&self) -> &FingerprintKey {
        &self.key
    }

    /// The last look, if it is still good.
    pub fn fresh(&self, key: &BoundaryKey, fingerprint: Fingerprint) -> Option<FreshLook> {
        let last = self.last.lock();
        let look = last.get(key).filter(|look| look.fingerprint == fingerprint)?;
        let left = look.next.checked_duration_since(Instant::now())?;
        (!left.is_zero()).then(|| FreshLook {
            seen: look.seen.clone(),
            left,
            is_told: look.is_told,
        })
    }

    /// The limit's status says what was seen last.
    pub fn told(&self, key: &BoundaryKey) {
        if let Some(look) = self.last.lock().get_mut(key) {
            look.is_told = true;
        }
    }

    /// Takes in what was seen. Gives when it is looked at again: what was not found as it should be is not known to be anything.
    pub(super) fn record(
        &self,
        key: &BoundaryKey,
        (fingerprint, pause): (Fingerprint, Pause),
        seen: &BoundaryStatus,
        next: NextLook,
    ) -> Requeue {
        let pause = self.pause(key, pause);
        if next == NextLook::Trusted {
            let look = Look {
                fingerprint,
                seen: seen.clone(),
                next: Instant::now() + pause,
                is_told: false,
            };
            self.last.lock().insert(key.clone(), look);
        } else {
            self.forget(key);
        }
        match next {
            NextLook::Soon => Requeue::Retry,
            NextLook::Cosmetic => Requeue::After(LOOK_AGAIN),
            NextLook::After(left) => Requeue::After(left),
            NextLook::Trusted | NextLook::Changed => Requeue::After(pause),
        }
    }

    /// Nothing is known of it any more.
    pub fn forget(&self, key: &BoundaryKey) {
        self.last.lock().remove(key);
    }

    pub(super) fn pause(&self, key: &BoundaryKey, pause: Pause) -> Duration {
        let spread = u64::try_from(pause.spread.as_millis()).unwrap_or(u64::MAX).max(1);
        // Another one for each key, process and look.
        let now = std::time::Instant::now();
        let shorter = self.spread.hash_one((key, now)) % spread;
        pause.longest.saturating_sub(Duration::from_millis(shorter))
    }
}
