//! Which pods are alive: those that exist and have not ended. Of a pod nothing but its uid is kept, and whether it is on its way out.
//!
//! A token names its pod by uid, and the API server never gives a uid twice, so the uid alone says whether the pod behind a token is alive.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasher as _, RandomState},
};

use deputy_delegation::Uid;
use parking_lot::{Mutex, RwLock};
use tokio::sync::broadcast;

/// Parts with a lock each: every request of every pod asks.
const SHARDS: usize = 16;
/// Pods that ended whose uids are remembered. Their tokens live up to a day, and whoever holds one may ask again and again.
const ENDED_REMEMBERED: usize = 50_000;
/// Ends that a reader may be behind. One that is further behind misses some.
const ENDED_UNREAD: usize = 4096;

/// What is known of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodLife {
    /// It exists, and has neither succeeded nor failed. One that is on its way out is alive: what runs in it may need credentials to its end.
    Alive,
    /// It was alive, and has ended or is gone.
    Ended,
    /// Nothing: it is newer than what was read, was gone before that, or there never was one.
    Unknown,
}

#[derive(Debug)]
pub(crate) struct Pods {
    /// True: it has a deletionTimestamp.
    alive: [RwLock<HashMap<Uid, bool>>; SHARDS],
    hasher: RandomState,
    ended: Mutex<Ended>,
    ends: broadcast::Sender<Uid>,
}

#[derive(Debug, Default)]
struct Ended {
    uids: HashSet<Uid>,
    order: VecDeque<Uid>,
}

impl Default for Pods {
    fn default() -> Self {
        Self {
            alive: Default::default(),
            hasher: RandomState::new(),
            ended: Mutex::default(),
            ends: broadcast::Sender::new(ENDED_UNREAD),
        }
    }
}

impl Pods {
    fn shard(&self, uid: &Uid) -> Option<&RwLock<HashMap<Uid, bool>>> {
        let shards = u64::try_from(SHARDS).unwrap_or(1);
        let number = usize::try_from(self.hasher.hash_one(uid.as_str()) % shards).unwrap_or_default();
        self.alive.get(number)
    }

    pub(crate) fn life(&self, uid: &Uid) -> PodLife {
        if self.is_terminating(uid).is_some() {
            PodLife::Alive
        } else if self.ended.lock().uids.contains(uid) {
            PodLife::Ended
        } else {
            PodLife::Unknown
        }
    }

    /// Whether a pod that is alive is on its way out. `None`: it is not alive, or not known.
    pub(crate) fn is_terminating(&self, uid: &Uid) -> Option<bool> {
        self.shard(uid)?.read().get(uid).copied()
    }

    pub(crate) fn put(&self, uid: Uid, is_terminating: bool) {
        if let Some(shard) = self.shard(&uid)
            && shard.read().get(&uid) != Some(&is_terminating)
        {
            shard.write().insert(uid, is_terminating);
        }
    }

    /// It is among the living no more. Nothing happens with one that was not.
    pub(crate) fn end(&self, uid: &Uid) {
        let was_alive = self
            .shard(uid)
            .is_some_and(|shard| shard.write().remove(uid).is_some());
        if !was_alive {
            return;
        }
        let mut ended = self.ended.lock();
        if ended.uids.insert(uid.clone()) {
            ended.order.push_back(uid.clone());
        }
        if ended.order.len() > ENDED_REMEMBERED
            && let Some(oldest) = ended.order.pop_front()
        {
            ended.uids.remove(&oldest);
        }
        drop(ended);
        // An error only means that nobody reads.
        self.ends.send(uid.clone()).unwrap_or_default();
    }

    pub(crate) fn ends(&self) -> broadcast::Receiver<Uid> {
        self.ends.subscribe()
    }

    pub(crate) fn alive(&self) -> Vec<Uid> {
        self.alive
            .iter()
            .flat_map(|shard| shard.read().keys().cloned().collect::<Vec<_>>())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(number: usize) -> Uid {
        Uid::new(format!("uid-{number}")).unwrap()
    }

    #[test]
    fn a_pod_is_alive_until_it_ends_and_known_as_ended_after_it() {
        let pods = Pods::default();
        let mut ends = pods.ends();
        assert_eq!(pods.life(&uid(1)), PodLife::Unknown);
        pods.put(uid(1), false);
        assert_eq!(pods.is_terminating(&uid(1)), Some(false));
        pods.put(uid(1), true);
        assert_eq!(pods.is_terminating(&uid(1)), Some(true));
        assert_eq!(pods.life(&uid(1)), PodLife::Alive);
        pods.end(&uid(1));
        assert_eq!(pods.life(&uid(1)), PodLife::Ended);
        pods.end(&uid(2));
        assert_eq!(
            pods.life(&uid(2)),
            PodLife::Unknown,
            "it never was among the living"
        );
        assert_eq!(ends.try_recv().unwrap(), uid(1));
        assert!(ends.try_recv().is_err(), "each end is told once");
    }

    #[test]
    fn the_memory_of_those_that_ended_is_bounded_and_the_oldest_go() {
        let pods = Pods::default();
        for number in 0..ENDED_REMEMBERED + 10 {
            pods.put(uid(number), false);
            pods.end(&uid(number));
        }
        assert_eq!(pods.life(&uid(9)), PodLife::Unknown);
        assert_eq!(pods.life(&uid(10)), PodLife::Ended);
        assert_eq!(pods.ended.lock().uids.len(), ENDED_REMEMBERED);
        assert_eq!(pods.alive(), []);
    }
}
