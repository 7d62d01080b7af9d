//! The work queue of a controller: each key at most once in it, never in two hands at a time, later after a failure.
//!
//! What somebody waits for comes first: changes before what is only looked at because it was time to, or because the
//! process has just begun. Otherwise a user's new role would stand behind all roles there are, each of which costs calls
//! to AWS.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    hash::Hash,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

/// After a first failure; doubled with each further one.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
/// The longest pause between two tries.
const LAST_BACKOFF: Duration = Duration::from_secs(120);

/// When a key is wanted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requeue {
    /// When something about it changes.
    AwaitChange,
    /// Then, or when something about it changes.
    After(Duration),
    /// It failed: with growing pauses until it succeeds.
    Retry,
}

/// Which of two keys is worked on first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// Something changed.
    Change,
    /// It is time to look.
    Routine,
}

struct State<K> {
    changes: VecDeque<K>,
    routine: VecDeque<K>,
    /// Everything in one of the two, and in which.
    queued: HashMap<K, Lane>,
    running: HashSet<K>,
    /// Came in while it was in hand.
    again: HashSet<K>,
    /// By time and a number that keeps two keys of one instant apart.
    later: BTreeMap<(Instant, u64), (K, Lane)>,
    due: HashMap<K, (Instant, u64)>,
    failures: HashMap<K, u32>,
    sequence: u64,
}

impl<K: Clone + Eq + Hash> State<K> {
    /// Puts a key in, or moves it to the lane for changes.
    fn enqueue(&mut self, key: K, lane: Lane) {
        if self.running.contains(&key) {
            self.again.insert(key);
            return;
        }
        match (self.queued.get(&key), lane) {
            (None, _) => {}
            // Its place among the routine is passed over when its turn comes.
            (Some(Lane::Routine), Lane::Change) => {}
            (Some(_), _) => return,
        }
        self.queued.insert(key.clone(), lane);
        match lane {
            Lane::Change => self.changes.push_back(key),
            Lane::Routine => self.routine.push_back(key),
        }
    }

    fn dequeue(&mut self) -> Option<K> {
        if let Some(key) = self.changes.pop_front() {
            self.queued.remove(&key);
            return Some(key);
        }
        while let Some(key) = self.routine.pop_front() {
            if self.queued.get(&key) == Some(&Lane::Routine) {
                self.queued.remove(&key);
                return Some(key);
            }
        }
        None
    }

    /// What is due now goes into its lane; gives when the next one is.
    fn wake_due(&mut self, now: Instant) -> Option<Instant> {
        while let Some(entry) = self.later.first_entry() {
            let (at, _) = *entry.key();
            if at > now {
                return Some(at);
            }
            let (key, lane) = entry.remove();
            self.due.remove(&key);
            self.enqueue(key, lane);
        }
        None
    }
}

/// A queue of keys. Cheap to clone.
pub struct Queue<K> {
    state: Arc<Mutex<State<K>>>,
    wake: Arc<Notify>,
}

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            wake: self.wake.clone(),
        }
    }
}

impl<K: Clone + Eq + Hash> Default for Queue<K> {
    fn default() -> Self {
        let state = State {
            changes: VecDeque::new(),
            routine: VecDeque::new(),
            queued: HashMap::new(),
            running: HashSet::new(),
            again: HashSet::new(),
            later: BTreeMap::new(),
            due: HashMap::new(),
            failures: HashMap::new(),
            sequence: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            wake: Arc::new(Notify::new()),
        }
    }
}

impl<K: Clone + Eq + Hash> Queue<K> {
    /// Something about `key` changed.
    pub fn add(&self, key: K) {
        self.put(key, Lane::Change);
    }

    /// `key` is there, as far as anybody knows unchanged: its turn is when nothing else is to be done.
    pub fn add_routine(&self, key: K) {
        self.put(key, Lane::Routine);
    }

    fn put(&self, key: K, lane: Lane) {
        let mut s = self.state.lock();
        if let Some(at) = s.due.remove(&key) {
            s.later.remove(&at);
        }
        s.enqueue(key, lane);
        drop(s);
        self.wake.notify_one();
    }

    /// The next key, exclusively until [`Queue::done`].
    pub async fn take(&self) -> K {
        loop {
            let woken = self.wake.notified();
            let until = {
                let mut s = self.state.lock();
                let until = s.wake_due(Instant::now());
                if let Some(key) = s.dequeue() {
                    s.running.insert(key.clone());
                    if !s.queued.is_empty() {
                        // One wake-up is kept at a time: pass it on to the next worker.
                        self.wake.notify_one();
                    }
                    return key;
                }
                until
            };
            match until {
                Some(at) => {
                    let _either = tokio::time::timeout_at(at, woken).await;
                }
                None => woken.await,
            }
        }
    }

    /// `key` was taken and not worked on: it is the first in turn again.
    pub fn put_back(&self, key: K) {
        let mut s = self.state.lock();
        s.running.remove(&key);
        s.again.remove(&key);
        if s.queued.insert(key.clone(), Lane::Change).is_none() {
            s.changes.push_front(key);
        }
        drop(s);
        self.wake.notify_one();
    }

    /// `key` was worked on.
    pub fn done(&self, key: K, next: Requeue) {
        let mut s = self.state.lock();
        s.running.remove(&key);
        if next != Requeue::Retry {
            s.failures.remove(&key);
        }
        if s.again.remove(&key) {
            s.enqueue(key, Lane::Change);
            drop(s);
            self.wake.notify_one();
            return;
        }
        let (pause, lane) = match next {
            Requeue::AwaitChange => return,
            Requeue::After(pause) => (pause, Lane::Routine),
            Requeue::Retry => {
                let failures = s.failures.entry(key.clone()).or_insert(0);
                let pause = FIRST_BACKOFF
                    .saturating_mul(1u32 << (*failures).min(10))
                    .min(LAST_BACKOFF);
                *failures = failures.saturating_add(1);
                (pause, Lane::Change)
            }
        };
        s.sequence = s.sequence.wrapping_add(1);
        let at = (Instant::now() + pause, s.sequence);
        s.later.insert(at, (key.clone(), lane));
        s.due.insert(key, at);
        drop(s);
        self.wake.notify_one();
    }

    /// Keys waiting to be worked on now: a gauge.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.state.lock().queued.len()
    }
}

#[cfg(test)]
mod tests;
