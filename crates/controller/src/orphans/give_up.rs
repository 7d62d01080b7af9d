//! How long something could not be taken out of AWS for good, by own tries.

use std::{collections::HashMap, hash::Hash, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

/// So long a terminating namespace is held up by what AWS refuses to delete.
const HELD_UP: Duration = Duration::from_secs(600);

/// Since when AWS refuses for good to delete something. A process that takes over counts anew: nobody else's tries count.
pub struct GiveUps<K> {
    refused: Mutex<HashMap<K, Instant>>,
    held_up: Duration,
}

impl<K: Clone + Eq + Hash> Default for GiveUps<K> {
    fn default() -> Self {
        Self::after(HELD_UP)
    }
}

/// How a try to delete something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriedFor {
    /// It may succeed the next time: AWS is away or busy.
    Passing,
    /// AWS does not show it, which is believed when it goes on so for that long.
    Hidden(Duration),
    /// It will not, as long as nobody changes something in AWS.
    Good,
}

impl<K: Clone + Eq + Hash> GiveUps<K> {
    /// With that time in place of ten minutes.
    #[must_use]
    pub fn after(held_up: Duration) -> Self {
        Self {
            refused: Mutex::default(),
            held_up,
        }
    }

    /// Notes down how a try ended. Gives whether there were tries enough: this one was refused for good, and so was one ten minutes ago.
    pub fn tried(&self, id: &K, ended: TriedFor) -> bool {
        if ended != TriedFor::Good {
            return false;
        }
        let mut refused = self.refused.lock();
        let since = refused.entry(id.clone()).or_insert_with(Instant::now);
        since.elapsed() >= self.held_up
    }

    /// It is gone, or is not to be deleted any more.
    pub fn forget(&self, id: &K) {
        self.refused.lock().remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::uploader;

    #[tokio::test(start_paused = true)]
    async fn a_role_is_given_up_for_what_stays_refused_and_not_for_what_passes() {
        let give_ups = GiveUps::default();
        let id = uploader();
        // However long AWS is away.
        assert!(!give_ups.tried(&id, TriedFor::Passing));
        tokio::time::advance(2 * HELD_UP).await;
        assert!(!give_ups.tried(&id, TriedFor::Passing));
        // The first refusal begins the time.
        assert!(!give_ups.tried(&id, TriedFor::Good));
        tokio::time::advance(HELD_UP - Duration::from_secs(1)).await;
        assert!(!give_ups.tried(&id, TriedFor::Good));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!give_ups.tried(&id, TriedFor::Passing));
        assert!(give_ups.tried(&id, TriedFor::Good));
        // Another role, or the same one later, has its own time.
        give_ups.forget(&id);
        assert!(!give_ups.tried(&id, TriedFor::Good));
    }
}
