//! How old the index is: when the API server last proved, for each kind, that what is known is how things are.
//!
//! What proves it: a whole list; an event or bookmark of a watch; the end of a watch as the server announced it (all
//! events before it have arrived); and the beginning of a watch, once the events that were missed have had a moment to
//! arrive. A connection that says nothing proves nothing, however open it seems.

use std::{collections::BTreeMap, fmt, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::entry::ResourceKind;

/// Nobody decides anything new on an index that is older. Watches are ended and begun anew well within it.
pub const STALE_AFTER: Duration = Duration::from_secs(30);
/// How long the events that were missed take after a watch has begun: the API server has them in memory.
const CATCHING_UP: Duration = Duration::from_secs(1);

/// What the API server said about a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The whole list.
    List,
    /// A watch has begun.
    Began,
    /// An event or a bookmark.
    Event,
    /// The server ended the watch, as it does after the time that was asked for.
    Ended,
}

#[derive(Debug, Clone, Copy, Default)]
struct Proof {
    /// The last one that counts by itself.
    at: Option<Instant>,
    /// When the present watch began, as long as nothing came after it had caught up.
    began: Option<Instant>,
}

impl Proof {
    fn hear(&mut self, heard: Heard, now: Instant) {
        match heard {
            Heard::List => {
                *self = Self {
                    at: Some(now),
                    began: None,
                };
            }
            Heard::Began => {
                self.at = self.last(now);
                self.began = Some(now);
            }
            // Events that were missed are no proof: more of them may follow.
            Heard::Event | Heard::Ended => {
                if self.began.is_none_or(|began| began + CATCHING_UP <= now) {
                    self.at = Some(now);
                    self.began = None;
                }
            }
        }
    }

    fn last(&self, now: Instant) -> Option<Instant> {
        let caught_up = self.began.filter(|began| *began + CATCHING_UP <= now);
        self.at.max(caught_up)
    }
}

/// When each kind was last proved.
#[derive(Debug, Default)]
pub(crate) struct Freshness(Mutex<BTreeMap<ResourceKind, Proof>>);

impl Freshness {
    pub(crate) fn hear(&self, kind: ResourceKind, heard: Heard) {
        self.0.lock().entry(kind).or_default().hear(heard, Instant::now());
    }

    pub(crate) fn age(&self, kind: ResourceKind) -> Option<Duration> {
        let now = Instant::now();
        let last = self.0.lock().get(&kind)?.last(now)?;
        Some(now.saturating_duration_since(last))
    }
}

/// What is known of a kind is too old to decide anything new by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale {
    /// The kind.
    pub kind: ResourceKind,
    /// How old it is. `None`: it was never read.
    pub age: Option<Duration>,
}

impl std::error::Error for Stale {}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.as_str();
        match self.age {
            None => write!(f, "the {kind} of the cluster have not been read yet"),
            Some(age) => write!(
                f,
                "the API server has said nothing about {kind} for {} s; nothing new is decided after {} s",
                age.as_secs(),
                STALE_AFTER.as_secs()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Index;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// What is heard at which second, and how old it is then at which.
    fn age(heard: &[(u64, Heard)], at: u64) -> Option<u64> {
        let start = Instant::now();
        let mut proof = Proof::default();
        for (second, heard) in heard {
            proof.hear(*heard, start + seconds(*second));
        }
        let now = start + seconds(at);
        proof.last(now).map(|last| (now - last).as_secs())
    }

    #[test]
    fn what_was_never_read_has_no_age() {
        assert_eq!(age(&[], 100), None);
        assert_eq!(age(&[(10, Heard::Event)], 10), Some(0));
    }

    #[test]
    fn silence_is_no_proof() {
        use Heard::{Began, Ended, Event, List};
        for (heard, at, expected) in [
            (&[(0, List)][..], 100, 100),
            (&[(0, List), (1, Began)], 100, 99),
            (&[(0, List), (1, Began), (20, Event)], 100, 80),
            (&[(0, List), (1, Began), (20, Ended)], 40, 20),
            (&[(0, List), (1, Began), (20, Ended), (20, Began)], 40, 20),
        ] {
            assert_eq!(age(heard, at), Some(expected), "{heard:?}");
        }
    }

    #[test]
    fn events_that_were_missed_are_no_proof_until_the_watch_has_caught_up() {
        use Heard::{Began, Event, List};
        let frozen = [(0, List), (1, Began)];
        let again = |more: &[(u64, Heard)]| [&frozen[..], more].concat();
        // A new watch, two minutes later.
        assert_eq!(age(&again(&[(120, Began)]), 120), Some(119));
        assert_eq!(age(&again(&[(120, Began), (120, Event)]), 120), Some(119));
        assert_eq!(
            age(&again(&[(120, Began), (120, Event)]), 121),
            Some(1),
            "it has caught up"
        );
        assert_eq!(age(&again(&[(120, Began), (121, Event)]), 130), Some(9));
        // One that is broken before it has caught up, again and again.
        let broken: Vec<_> = (120..140).map(|second| (second, Began)).collect();
        assert_eq!(age(&again(&broken), 139), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_index_is_current_for_thirty_seconds() {
        let index = std::sync::Arc::new(Index::new(deputy_delegation::ClusterName::new("demo").unwrap()));
        let kinds = [ResourceKind::Roles, ResourceKind::Limits];
        let never = index.current(&kinds).unwrap_err();
        assert_eq!(
            never.to_string(),
            "the awsroles of the cluster have not been read yet"
        );
        index.reset(ResourceKind::Roles, []);
        assert_eq!(index.current(&kinds).unwrap_err().kind, ResourceKind::Limits);
        tokio::time::advance(seconds(10)).await;
        index.reset(ResourceKind::Limits, []);
        assert_eq!(index.current(&kinds), Ok(()));
        tokio::time::advance(seconds(20)).await;
        assert_eq!(index.current(&kinds), Ok(()));
        tokio::time::advance(seconds(1)).await;
        let stale = index.current(&kinds).unwrap_err();
        assert_eq!(
            stale.to_string(),
            "the API server has said nothing about awsroles for 31 s; nothing new is decided after 30 s"
        );
        assert_eq!(
            index.ages(&kinds),
            [
                ("awsroles", Some(seconds(31))),
                ("delegationlimits", Some(seconds(21)))
            ]
        );
        // Whoever waits goes on when it is.
        let waiting = {
            let index = std::sync::Arc::clone(&index);
            tokio::spawn(async move { index.until_current(&kinds).await })
        };
        tokio::time::sleep(seconds(5)).await;
        assert!(!waiting.is_finished());
        index.reset(ResourceKind::Roles, []);
        waiting.await.unwrap();
    }
}
