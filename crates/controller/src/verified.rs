//! What was found to be as it should be, and when: so that a resync without change asks AWS nothing.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long AWS is trusted to be as it was found; then it is read again, and drift repaired.
pub const DRIFT_INTERVAL: Duration = Duration::from_secs(3600);

/// By key: a fingerprint of what was wanted, and when AWS was seen to have it.
pub struct Verified<K> {
    seen: Mutex<HashMap<K, (u64, Instant)>>,
}

impl<K: Eq + Hash> Default for Verified<K> {
    fn default() -> Self {
        Self {
            seen: Mutex::default(),
        }
    }
}

impl<K: Eq + Hash> Verified<K> {
    /// A fingerprint of `wanted`, within this process only.
    pub fn fingerprint(wanted: &impl std::fmt::Debug) -> u64 {
        // Debug of plain data: complete, and the types need not be hashable.
        let mut hasher = DefaultHasher::new();
        format!("{wanted:?}").hash(&mut hasher);
        hasher.finish()
    }

    /// Whether AWS had this not long ago.
    pub fn holds(&self, key: &K, fingerprint: u64) -> bool {
        let seen = self.seen.lock();
        seen.get(key)
            .is_some_and(|(f, at)| *f == fingerprint && at.elapsed() < DRIFT_INTERVAL)
    }

    /// AWS has this now.
    pub fn set(&self, key: K, fingerprint: u64) {
        self.seen.lock().insert(key, (fingerprint, Instant::now()));
    }

    /// Nothing is known of it any more.
    pub fn forget(&self, key: &K) {
        self.seen.lock().remove(key);
    }
}
