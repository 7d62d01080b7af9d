//! Whether an index is current enough to decide by.

use std::time::Duration;

use crate::{
    entry::ResourceKind,
    freshness::{STALE_AFTER, Stale},
    index::Index,
};

/// How often somebody who waits for a current index looks again.
const LOOK: Duration = Duration::from_millis(250);

impl Index {
    /// How long ago the API server proved that what is known of a kind is how things are. `None`: it was never read.
    #[must_use]
    pub fn age(&self, kind: ResourceKind) -> Option<Duration> {
        self.freshness.age(kind)
    }

    /// That a kind is known and not older than [`STALE_AFTER`]. Grants that were made before may be served on an older
    /// index; nothing new may be granted, written or accepted.
    ///
    /// # Errors
    /// [`Stale`] names the first kind that is not.
    pub fn current(&self, kinds: &[ResourceKind]) -> Result<(), Stale> {
        for kind in kinds {
            let age = self.age(*kind);
            if age.is_none_or(|age| age > STALE_AFTER) || !self.is_synced(&[*kind]) {
                return Err(Stale {
                    kind: *kind,
                    age: age.filter(|_| self.is_synced(&[*kind])),
                });
            }
        }
        Ok(())
    }

    /// Waits until all kinds given are current.
    pub async fn until_current(&self, kinds: &[ResourceKind]) {
        while self.current(kinds).is_err() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The age of each kind given, by its name: a gauge.
    #[must_use]
    pub fn ages(&self, kinds: &[ResourceKind]) -> Vec<(&'static str, Option<Duration>)> {
        kinds
            .iter()
            .map(|kind| (kind.as_str(), self.age(*kind)))
            .collect()
    }
}
