//! Sessions that are kept, calls under way and failures, in shards: whoever asks for what is kept takes the lock of one shard, and none that
//! all share.

mod kept;

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
};

use deputy_delegation::Uid;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

pub(super) use self::kept::KeptSessions;
use super::{failures::Failures, key::SessionKey, outcome::CallOutcome};

/// More would make the bounds of one shard a few sessions.
const MOST_SHARDS: usize = 64;
/// Failures that are remembered, in all shards.
const MOST_FAILURES: usize = 8192;

/// What is known of the sessions whose keys belong to a shard.
pub(super) struct Shard {
    pub(super) kept: KeptSessions,
    pub(super) under_way: HashMap<Arc<SessionKey>, UnderWay>,
    pub(super) failures: Failures,
}

/// A call that was begun and whose answer is not there yet.
pub(super) struct UnderWay {
    pub(super) outcome: watch::Receiver<CallOutcome>,
    /// Its pod has ended: what comes of it is nobody's.
    pub(super) is_abandoned: bool,
}

/// All shards.
pub(super) struct Shards {
    first: Mutex<Shard>,
    rest: Vec<Mutex<Shard>>,
    hasher: RandomState,
}

impl Shards {
    /// As many as `shards`, 64 at most, which keep `bytes` together.
    pub(super) fn new(shards: usize, bytes: usize) -> Self {
        let shards = shards.clamp(1, MOST_SHARDS);
        let shard = || {
            Mutex::new(Shard {
                kept: KeptSessions::new(bytes / shards),
                under_way: HashMap::new(),
                failures: Failures::new(MOST_FAILURES / shards),
            })
        };
        Self {
            first: shard(),
            rest: (1..shards).map(|_| shard()).collect(),
            hasher: RandomState::new(),
        }
    }

    /// The shard of `key`, locked.
    pub(super) fn of(&self, key: &SessionKey) -> MutexGuard<'_, Shard> {
        // Not of all its strings: a session policy has thousands of bytes, and says little of which session it is.
        let hash = self.hasher.hash_one(key.short());
        let count = u64::try_from(self.rest.len() + 1).unwrap_or(1);
        let at = usize::try_from(hash % count).unwrap_or_default();
        self.rest.get(at).unwrap_or(&self.first).lock()
    }

    /// What stands for a request among failures.
    pub(super) fn digest(&self, key: &SessionKey) -> u64 {
        self.hasher.hash_one(key)
    }

    /// One after the other, locked as long as it is looked at.
    pub(super) fn each(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        std::iter::once(&self.first)
            .chain(&self.rest)
            .map(|shard| shard.lock())
    }

    /// Forgets what is a pod's alone.
    pub(super) fn pod_ended(&self, pod: &Uid) {
        for mut shard in self.each() {
            shard.kept.remove_pod(pod.as_str());
            for (key, call) in &mut shard.under_way {
                call.is_abandoned |= key.pod() == Some(pod.as_str());
            }
        }
    }
}
