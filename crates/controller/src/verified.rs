//! What was found to be as it should be, and when: so that a resync without change asks AWS nothing.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long AWS is trusted to be as it was found; then it is read again, and drift repaired.
pub const DRIFT_INTERVAL: Duration = Duration::from_secs(3600);

/// A fingerprint of what was wanted. It means something to the [`Verified`] that made it, and to nobody else: its key is
/// made anew with each process, so nobody can write a spec whose fingerprint is that of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

/// By key: what was wanted, and when AWS was seen to have it.
pub struct Verified<K> {
    seen: Mutex<HashMap<K, (Fingerprint, Instant)>>,
    state: RandomState,
}

impl<K> Default for Verified<K> {
    fn default() -> Self {
        Self {
            seen: Mutex::default(),
            state: RandomState::new(),
        }
    }
}

impl<K: Eq + Hash> Verified<K> {
    /// The fingerprint of `wanted`.
    pub fn fingerprint(&self, wanted: &impl std::fmt::Debug) -> Fingerprint {
        // Debug of plain data: complete, and the types need not be hashable.
        Fingerprint(self.state.hash_one(format!("{wanted:?}")))
    }

    /// How long it need not be looked at again, if AWS had this less than [`DRIFT_INTERVAL`] ago.
    pub fn holds(&self, key: &K, fingerprint: Fingerprint) -> Option<Duration> {
        let seen = self.seen.lock();
        let (known, at) = seen.get(key)?;
        DRIFT_INTERVAL
            .checked_sub(at.elapsed())
            .filter(|left| *known == fingerprint && !left.is_zero())
    }

    /// Whether AWS had this when it was last seen, however long ago.
    pub fn held(&self, key: &K, fingerprint: Fingerprint) -> bool {
        self.seen
            .lock()
            .get(key)
            .is_some_and(|(known, _)| *known == fingerprint)
    }

    /// AWS has this now.
    pub fn set(&self, key: K, fingerprint: Fingerprint) {
        self.seen.lock().insert(key, (fingerprint, Instant::now()));
    }

    /// Nothing is known of it any more.
    pub fn forget(&self, key: &K) {
        self.seen.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_seen_holds_until_the_drift_interval_is_over_whoever_asks_in_between() {
        let verified = Verified::default();
        let print = verified.fingerprint(&"wanted");
        assert_eq!(verified.holds(&1, print), None);
        verified.set(1, print);
        tokio::time::advance(DRIFT_INTERVAL / 2).await;
        assert_eq!(verified.holds(&1, print), Some(DRIFT_INTERVAL / 2));
        tokio::time::advance(DRIFT_INTERVAL / 2).await;
        assert_eq!(verified.holds(&1, print), None);
        assert!(verified.held(&1, print));
    }

    #[tokio::test(start_paused = true)]
    async fn something_else_wanted_is_not_what_was_seen() {
        let verified = Verified::default();
        verified.set(1, verified.fingerprint(&"wanted"));
        let other = verified.fingerprint(&"wanted otherwise");
        assert_eq!(verified.holds(&1, other), None);
        assert!(!verified.held(&1, other));
        verified.forget(&1);
        assert!(!verified.held(&1, verified.fingerprint(&"wanted")));
    }
}
