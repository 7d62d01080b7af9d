//! The work queue of a controller: each key at most once in it, never in two hands at a time, later after a failure.
//!
//! Nobody's work waits for that of somebody else. Keys wait in lanes ([`Lane`]): what takes away, what changed, what it is time to look
//! at. In a lane they wait by account and namespace ([`Place`]), and each of those has its turn: so an account that does not answer, or a
//! namespace with a thousand changes, keeps no other one waiting.

mod lane;
pub(crate) mod superseded;
mod waiting;

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

pub use self::{
    lane::{Lane, PerLane, Place, Workers},
    superseded::Superseded,
};
use self::{
    superseded::Supersede,
    waiting::{AccountOfKey, WaitingKeys},
};

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
    /// It failed, and is known to be worth a try then: the same, with no pause longer than that.
    RetryWithin(Duration),
}

impl Requeue {
    /// How long the pause after a failure may be; `None` when it was none.
    fn longest_pause(self) -> Option<Duration> {
        match self {
            Self::Retry => Some(LAST_BACKOFF),
            Self::RetryWithin(longest) => Some(longest.min(LAST_BACKOFF)),
            Self::AwaitChange | Self::After(_) => None,
        }
    }

    /// Whether it failed.
    #[must_use]
    pub fn is_retry(self) -> bool {
        self.longest_pause().is_some()
    }
}

/// A key in hand.
#[derive(Debug)]
pub struct WorkItem<K> {
    pub key: K,
    /// How urgent it was when it was taken.
    pub lane: Lane,
    /// Whether it has become more urgent since.
    pub superseded: Superseded,
}

/// Of a key in hand.
struct InHand {
    lane: Lane,
    account: AccountOfKey,
    supersede: Supersede,
}

/// That a key came in while it was in hand.
#[derive(Clone, Copy)]
enum Again {
    /// Something changed.
    News(Lane),
    /// Only its status, which is written here.
    Echo,
}

struct State<K> {
    waiting: WaitingKeys<K>,
    running: HashMap<K, InHand>,
    /// How many are in hand, by account; none of them is zero.
    of_account: HashMap<AccountOfKey, PerLane>,
    again: HashMap<K, Again>,
    /// By time and a number that keeps two keys of one instant apart.
    later: BTreeMap<(Instant, u64), (K, Lane)>,
    due: HashMap<K, (Instant, u64)>,
    /// How often it has failed in a row, and how urgent it was.
    failures: HashMap<K, (u32, Lane)>,
    sequence: u64,
}

/// Says whose a key is.
type PlaceOf<K> = Arc<dyn Fn(&K) -> Place + Send + Sync>;

/// A queue of keys. Cheap to clone.
pub struct Queue<K> {
    state: Arc<Mutex<State<K>>>,
    wake: Arc<Notify>,
    place_of: PlaceOf<K>,
    workers: Workers,
}

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            wake: self.wake.clone(),
            place_of: self.place_of.clone(),
            workers: self.workers,
        }
    }
}

impl<K: Clone + Eq + Hash> State<K> {
    fn enqueue(&mut self, key: K, lane: Lane, place: Place) {
        // What failed is as urgent as it was, whatever else is known of it now.
        let lane = self
            .failures
            .get(&key)
            .map_or(lane, |(_, failed)| lane.min(*failed));
        self.waiting.put(key, lane, place);
    }

    /// Something about a key in hand changed. Gives whether it is in hand.
    fn is_in_hand(&mut self, key: &K, news: Again) -> bool {
        let Some(in_hand) = self.running.get(key) else {
            return false;
        };
        let again = match (self.again.get(key), news) {
            (Some(Again::News(known)), Again::News(lane)) => Again::News(lane.min(*known)),
            (Some(known @ Again::News(_)), Again::Echo) => *known,
            (_, news) => news,
        };
        if matches!(again, Again::News(lane) if lane < in_hand.lane) {
            in_hand.supersede.now();
        }
        self.again.insert(key.clone(), again);
        true
    }

    fn forget_later(&mut self, key: &K) {
        if let Some(at) = self.due.remove(key) {
            self.later.remove(&at);
        }
    }

    /// What is due now goes into its lane; gives when the next one is.
    fn wake_due(&mut self, now: Instant, place_of: &PlaceOf<K>) -> Option<Instant> {
        while let Some(entry) = self.later.first_entry() {
            let (at, _) = *entry.key();
            if at > now {
                return Some(at);
            }
            let (key, lane) = entry.remove();
            self.due.remove(&key);
            let place = place_of(&key);
            self.enqueue(key, lane, place);
        }
        None
    }

    fn begin(&mut self, workers: &Workers) -> Option<WorkItem<K>> {
        let (of_account, all) = (&self.of_account, self.running.len());
        let (key, lane, place) = self.waiting.next(|account, lane| {
            let in_hand = of_account.get(account).map_or(0, |count| count.get(lane));
            in_hand < workers.of_account.get(lane) && (all < workers.shared || in_hand == 0)
        })?;
        *self.of_account.entry(place.account.clone()).or_default().at(lane) += 1;
        let (supersede, superseded) = superseded::new();
        let in_hand = InHand {
            lane,
            account: place.account,
            supersede,
        };
        self.running.insert(key.clone(), in_hand);
        Some(WorkItem {
            key,
            lane,
            superseded,
        })
    }

    /// A key is in hand no more. Gives how urgent it was, and what came meanwhile.
    fn end(&mut self, key: &K) -> (Option<Lane>, Option<Again>) {
        let again = self.again.remove(key);
        let Some(in_hand) = self.running.remove(key) else {
            return (None, again);
        };
        if let Some(count) = self.of_account.get_mut(&in_hand.account) {
            let of_lane = count.at(in_hand.lane);
            *of_lane = of_lane.saturating_sub(1);
            if count.sum() == 0 {
                self.of_account.remove(&in_hand.account);
            }
        }
        (Some(in_hand.lane), again)
    }
}

impl<K: Clone + Eq + Hash> Queue<K> {
    /// A queue from which so many keys are in hand at a time. `place_of` says whose a key is; it is asked at each change, must be quick,
    /// and must not touch the queue.
    pub fn new(workers: Workers, place_of: impl Fn(&K) -> Place + Send + Sync + 'static) -> Self {
        let state = State {
            waiting: WaitingKeys::default(),
            running: HashMap::new(),
            of_account: HashMap::new(),
            again: HashMap::new(),
            later: BTreeMap::new(),
            due: HashMap::new(),
            failures: HashMap::new(),
            sequence: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            wake: Arc::new(Notify::new()),
            place_of: Arc::new(place_of),
            workers,
        }
    }

    /// Something about `key` changed, and it is that urgent. A pause after a failure is over.
    pub fn add(&self, key: K, lane: Lane) {
        let place = (self.place_of)(&key);
        let mut s = self.state.lock();
        s.forget_later(&key);
        if !s.is_in_hand(&key, Again::News(lane)) {
            s.enqueue(key, lane, place);
        }
        drop(s);
        self.wake.notify_one();
    }

    /// Only the status of `key` changed, which is written here. A pause after a failure stays: else a status that is another one with
    /// each failure would be the end of each pause.
    pub fn add_echo(&self, key: K) {
        let place = (self.place_of)(&key);
        let mut s = self.state.lock();
        if s.is_in_hand(&key, Again::Echo) || s.failures.contains_key(&key) {
            return;
        }
        s.forget_later(&key);
        s.enqueue(key, Lane::Routine, place);
        drop(s);
        self.wake.notify_one();
    }

    /// `key` turns out to be that urgent, if it waits or is in hand.
    pub fn promote(&self, key: &K, lane: Lane) {
        let mut s = self.state.lock();
        let is_less_urgent = |in_hand: &InHand| in_hand.lane > lane;
        if s.running.get(key).is_some_and(is_less_urgent) {
            // Who works on it may not have known that, or waits for a turn behind those who are as little urgent.
            s.is_in_hand(key, Again::News(lane));
        }
        s.waiting.promote(key, lane);
        drop(s);
        self.wake.notify_one();
    }

    /// The next key, exclusively until [`Queue::done`].
    pub async fn take(&self) -> WorkItem<K> {
        loop {
            let woken = self.wake.notified();
            let until = {
                let mut s = self.state.lock();
                let until = s.wake_due(Instant::now(), &self.place_of);
                if let Some(item) = s.begin(&self.workers) {
                    if s.waiting.counts().sum() > 0 {
                        // One wake-up is kept at a time: pass it on to the next worker.
                        self.wake.notify_one();
                    }
                    return item;
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
    pub fn put_back(&self, item: WorkItem<K>) {
        let place = (self.place_of)(&item.key);
        let mut s = self.state.lock();
        let lane = match s.end(&item.key) {
            (_, Some(Again::News(lane))) => lane.min(item.lane),
            _ => item.lane,
        };
        s.waiting.put_first(item.key, lane, place);
        drop(s);
        self.wake.notify_one();
    }

    /// `key` was worked on.
    pub fn done(&self, key: K, next: Requeue) {
        let place = (self.place_of)(&key);
        let mut s = self.state.lock();
        let (lane, again) = s.end(&key);
        let lane = lane.unwrap_or(Lane::Change);
        let failures = if next.is_retry() {
            let (count, failed) = s.failures.get(&key).copied().unwrap_or((0, lane));
            s.failures
                .insert(key.clone(), (count.saturating_add(1), failed.min(lane)));
            count
        } else {
            s.failures.remove(&key);
            0
        };
        let later = match (next, again) {
            (_, Some(Again::News(lane))) => {
                s.enqueue(key.clone(), lane, place);
                None
            }
            (Requeue::Retry | Requeue::RetryWithin(_), _) => {
                let pause = FIRST_BACKOFF.saturating_mul(1u32 << failures.min(10));
                let longest = next.longest_pause().unwrap_or(LAST_BACKOFF);
                Some((pause.min(longest), lane))
            }
            (_, Some(Again::Echo)) => {
                s.enqueue(key.clone(), Lane::Routine, place);
                None
            }
            (Requeue::AwaitChange, None) => None,
            (Requeue::After(pause), None) => Some((pause, Lane::Routine)),
        };
        if let Some((pause, lane)) = later {
            s.sequence = s.sequence.wrapping_add(1);
            let at = (Instant::now() + pause, s.sequence);
            s.later.insert(at, (key.clone(), lane));
            s.due.insert(key, at);
        }
        drop(s);
        // Also when nothing is put in: there is a worker more.
        self.wake.notify_one();
    }

    /// Keys waiting to be worked on now: a gauge.
    #[must_use]
    pub fn depth(&self) -> PerLane {
        self.state.lock().waiting.counts()
    }
}

#[cfg(test)]
mod tests;
