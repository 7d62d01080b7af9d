//! What was verified to be as it should be, and when: so that a resync without change asks AWS nothing.

use std::{
    collections::HashMap,
    fmt::Write as _,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long AWS is trusted to be as it was found; then it is read again, and drift repaired. A listing of the account comes first, where AWS
/// gives one.
pub const DRIFT_INTERVAL: Duration = Duration::from_secs(3600);

/// What IAM may take to show a change everywhere. AWS names no bound and speaks of seconds.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html#troubleshoot_general_eventual-consistency>
pub const PROPAGATION: Duration = Duration::from_secs(60);

/// A fingerprint of what was wanted. It means something to the [`Verified`] whose key made it, and to nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

/// Makes fingerprints. Made anew with each process, so nobody can write a spec whose fingerprint is that of another.
#[derive(Debug, Default)]
pub struct FingerprintKey(RandomState);

impl FingerprintKey {
    /// The fingerprint of `wanted`.
    pub fn fingerprint(&self, wanted: &impl std::fmt::Debug) -> Fingerprint {
        // Debug of plain data: complete, and the types need not be hashable.
        let mut text = Hashed(self.0.build_hasher());
        // Hashing takes any text; a type whose Debug fails is none of ours.
        let _always = write!(text, "{wanted:?}");
        Fingerprint(text.0.finish())
    }
}

/// Text as it is written, hashed instead of held.
struct Hashed<H>(H);

impl<H: Hasher> std::fmt::Write for Hashed<H> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// By object: what was wanted, and when AWS was seen to have it.
pub struct Verified<K> {
    seen: Mutex<HashMap<K, (Fingerprint, Instant)>>,
    key: FingerprintKey,
    interval: Duration,
}

impl<K> Default for Verified<K> {
    fn default() -> Self {
        Self {
            seen: Mutex::default(),
            key: FingerprintKey::default(),
            interval: DRIFT_INTERVAL,
        }
    }
}

impl<K: Eq + Hash> Verified<K> {
    /// The same, which trusts AWS for another time than [`DRIFT_INTERVAL`].
    #[must_use]
    pub fn for_an_interval(interval: Duration) -> Self {
        Self {
            interval,
            ..Self::default()
        }
    }

    /// What makes the fingerprints that are recorded here.
    #[must_use]
    pub fn key(&self) -> &FingerprintKey {
        &self.key
    }

    /// How long it need not be looked at again, if AWS was seen to have this less than that interval ago.
    pub fn verified_for(&self, object: &K, fingerprint: Fingerprint) -> Option<Duration> {
        let seen = self.seen.lock();
        let (known, at) = seen.get(object)?;
        self.interval
            .checked_sub(at.elapsed())
            .filter(|left| *known == fingerprint && !left.is_zero())
    }

    /// Whether AWS had this when it was last seen, however long ago.
    pub fn was_verified(&self, object: &K, fingerprint: Fingerprint) -> bool {
        self.seen
            .lock()
            .get(object)
            .is_some_and(|(known, _)| *known == fingerprint)
    }

    /// Whether AWS had something else when it was last seen, or it was looked at for another reason.
    pub fn was_verified_otherwise(&self, object: &K, fingerprint: Fingerprint) -> bool {
        let seen = self.seen.lock();
        seen.get(object).is_some_and(|(known, _)| *known != fingerprint)
    }

    /// AWS has this now.
    pub fn record(&self, object: K, fingerprint: Fingerprint) {
        self.record_at(object, fingerprint, Instant::now());
    }

    /// AWS had this then.
    pub fn record_at(&self, object: K, fingerprint: Fingerprint, at: Instant) {
        self.seen.lock().insert(object, (fingerprint, at));
    }

    /// Nothing is known of it any more.
    pub fn forget(&self, object: &K) {
        self.seen.lock().remove(object);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_verified_is_trusted_until_the_drift_interval_is_over() {
        let verified = Verified::default();
        let print = verified.key().fingerprint(&"wanted");
        assert_eq!(verified.verified_for(&1, print), None);
        verified.record(1, print);
        tokio::time::advance(DRIFT_INTERVAL / 2).await;
        assert_eq!(verified.verified_for(&1, print), Some(DRIFT_INTERVAL / 2));
        tokio::time::advance(DRIFT_INTERVAL / 2).await;
        assert_eq!(verified.verified_for(&1, print), None);
        assert!(verified.was_verified(&1, print));
    }

    #[tokio::test(start_paused = true)]
    async fn something_else_wanted_is_not_what_was_verified() {
        let verified = Verified::default();
        let print = |wanted| verified.key().fingerprint(&wanted);
        verified.record(1, print("wanted"));
        let other = print("wanted otherwise");
        assert_eq!(verified.verified_for(&1, other), None);
        assert!(!verified.was_verified(&1, other));
        verified.forget(&1);
        assert!(!verified.was_verified(&1, print("wanted")));
    }
}
