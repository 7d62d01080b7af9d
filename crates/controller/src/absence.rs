//! What AWS does not show although it may be there: roles, and statements of resource policies.
//!
//! AWS is eventually consistent: a read may not know what was made, or even seen, a moment ago. Whoever believes it leaves something open for
//! ever that should be closed or deleted.

use std::{collections::HashMap, hash::Hash, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::verified::PROPAGATION;

/// Since when AWS has not shown what may be there.
pub struct Absences<K> {
    first: Mutex<HashMap<K, Instant>>,
    propagation: Duration,
}

impl<K: Clone + Eq + Hash> Default for Absences<K> {
    fn default() -> Self {
        Self::believed_after(PROPAGATION)
    }
}

impl<K: Clone + Eq + Hash> Absences<K> {
    /// With another time than [`PROPAGATION`]. Two looks it takes in any case.
    pub fn believed_after(propagation: Duration) -> Self {
        Self {
            first: Mutex::default(),
            propagation,
        }
    }

    /// AWS does not show it. Gives how long it must go on so until that is believed; `None` when it is: it did not show it either when it
    /// was looked at long enough before.
    pub fn doubted_for(&self, id: &K) -> Option<Duration> {
        let now = Instant::now();
        let mut first = self.first.lock();
        let Some(since) = first.get(id) else {
            first.insert(id.clone(), now);
            return Some(self.propagation);
        };
        let left = self
            .propagation
            .saturating_sub(now.saturating_duration_since(*since));
        (!left.is_zero()).then_some(left)
    }

    /// AWS shows it, or nothing of it is left to do.
    pub fn forget(&self, id: &K) {
        self.first.lock().remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::uploader;

    #[tokio::test(start_paused = true)]
    async fn an_absence_is_believed_when_it_lasts() {
        let (absences, id) = (Absences::default(), uploader());
        assert_eq!(absences.doubted_for(&id), Some(PROPAGATION));
        tokio::time::advance(PROPAGATION - Duration::from_millis(1)).await;
        assert_eq!(absences.doubted_for(&id), Some(Duration::from_millis(1)));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(absences.doubted_for(&id), None);
        absences.forget(&id);
        assert_eq!(
            absences.doubted_for(&id),
            Some(PROPAGATION),
            "it was seen in between"
        );
    }
}
