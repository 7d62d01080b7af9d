//! Whose TLS handshake is computed next.
//!
//! The computation of a handshake costs a thousand times what it costs to ask for one, and clients give up after a second
//! or two. When more ask than can be served, a queue would serve each of them too late, and they would ask again: nothing
//! at all would be served any more. So the newest goes first, and before that, whoever had the fewest handshakes in the
//! last seconds: a client that asks for many pays with its own.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

/// Handshakes are counted in windows of this length, the present one and the one before.
const WINDOW: Duration = Duration::from_secs(1);

/// Leave to compute, for some at a time. Clones share it.
#[derive(Clone)]
pub(super) struct Turns(Arc<Mutex<State>>);

struct State {
    /// Turns that nobody has.
    free: usize,
    waiting: BTreeMap<u64, Waiting>,
    next: u64,
    recent: Recent,
}

struct Waiting {
    peer: IpAddr,
    wake: oneshot::Sender<Turn>,
}

struct Recent {
    since: Instant,
    now: HashMap<IpAddr, u32>,
    before: HashMap<IpAddr, u32>,
}

/// Somebody's turn, given on when dropped.
pub(super) struct Turn(Turns);

impl Turns {
    /// So many at a time: as many as can compute at once.
    pub(super) fn new(at_once: usize, now: Instant) -> Self {
        Self(Arc::new(Mutex::new(State {
            free: at_once,
            waiting: BTreeMap::new(),
            next: 0,
            recent: Recent {
                since: now,
                now: HashMap::new(),
                before: HashMap::new(),
            },
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn. Who stops waiting costs the others nothing.
    pub(super) async fn take(&self, peer: IpAddr) -> Turn {
        let (waits, turn) = {
            let mut state = self.state();
            if state.free > 0 {
                state.free = state.free.saturating_sub(1);
                state.recent.count(peer, Instant::now());
                return Turn(self.clone());
            }
            let (wake, turn) = oneshot::channel();
            let number = state.next;
            state.next = number.wrapping_add(1);
            state.waiting.insert(number, Waiting { peer, wake });
            (Waits(self, number), turn)
        };
        let turn = turn.await;
        drop(waits);
        // The sender lives until it has sent.
        turn.unwrap_or_else(|_| Turn(self.clone()))
    }

    /// The next one that waits. `None`: nobody does, and the turn is free.
    fn next(&self) -> Option<oneshot::Sender<Turn>> {
        let mut state = self.state();
        let State { waiting, recent, .. } = &mut *state;
        recent.roll(Instant::now());
        let newest_first = waiting.iter().rev();
        let next = newest_first
            .min_by_key(|(_, one)| recent.turns_of(one.peer))
            .map(|(number, _)| *number);
        let Some(one) = next.and_then(|number| waiting.remove(&number)) else {
            state.free = state.free.saturating_add(1);
            return None;
        };
        recent.count(one.peer, Instant::now());
        Some(one.wake)
    }
}

impl Recent {
    fn roll(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        if age < WINDOW {
            return;
        }
        self.before = std::mem::take(&mut self.now);
        if age >= WINDOW * 2 {
            self.before.clear();
        }
        self.since = now;
    }

    fn count(&mut self, peer: IpAddr, now: Instant) {
        self.roll(now);
        let count = self.now.entry(peer).or_insert(0);
        *count = count.saturating_add(1);
    }

    fn turns_of(&self, peer: IpAddr) -> u32 {
        let count = |window: &HashMap<IpAddr, u32>| window.get(&peer).copied().unwrap_or(0);
        count(&self.now).saturating_add(count(&self.before))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(wake) = self.0.next() {
            // Whoever has gone meanwhile gives it on in turn.
            drop(wake.send(Turn(self.0.clone())));
        }
    }
}

/// Takes whoever waits off the list when he stops waiting.
struct Waits<'a>(&'a Turns, u64);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.state().waiting.remove(&self.1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::task::{JoinHandle, yield_now};

    use super::*;

    fn peer(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    struct Rig {
        turns: Turns,
        order: Arc<Mutex<Vec<&'static str>>>,
    }

    impl Rig {
        fn new(at_once: usize) -> Self {
            Self {
                turns: Turns::new(at_once, Instant::now()),
                order: Arc::default(),
            }
        }

        /// Waits for a turn, notes it, and gives it on at once.
        async fn ask(&self, name: &'static str, last: u8) -> JoinHandle<()> {
            let (turns, order) = (self.turns.clone(), Arc::clone(&self.order));
            let task = tokio::spawn(async move {
                let turn = turns.take(peer(last)).await;
                order.lock().unwrap().push(name);
                drop(turn);
            });
            yield_now().await;
            task
        }

        fn order(&self) -> Vec<&'static str> {
            self.order.lock().unwrap().clone()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn while_there_are_turns_nobody_waits() {
        let rig = Rig::new(2);
        let (one, two) = (rig.turns.take(peer(1)).await, rig.turns.take(peer(1)).await);
        let late = rig.ask("late", 2).await;
        assert!(!late.is_finished());
        drop(one);
        late.await.unwrap();
        drop(two);
        assert_eq!(rig.turns.state().free, 2);
        assert!(rig.turns.state().waiting.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_goes_first() {
        let rig = Rig::new(1);
        let busy = rig.turns.take(peer(9)).await;
        let mut tasks = Vec::new();
        for (index, name) in ["first", "second", "third"].into_iter().enumerate() {
            tasks.push(rig.ask(name, index as u8).await);
        }
        drop(busy);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(rig.order(), ["third", "second", "first"]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_had_fewest_turns_goes_first_for_two_seconds() {
        let rig = Rig::new(1);
        for _ in 0..5 {
            drop(rig.turns.take(peer(1)).await);
        }
        let round = async || {
            let busy = rig.turns.take(peer(9)).await;
            let tasks = [rig.ask("few", 2).await, rig.ask("many", 1).await];
            drop(busy);
            for task in tasks {
                task.await.unwrap();
            }
            std::mem::take(&mut *rig.order.lock().unwrap())
        };
        assert_eq!(round().await, ["few", "many"]);
        tokio::time::advance(WINDOW).await;
        assert_eq!(round().await, ["few", "many"], "the window before counts");
        tokio::time::advance(WINDOW * 3).await;
        assert_eq!(round().await, ["many", "few"], "forgotten: the newest");
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_takes_no_turn_with_him() {
        let rig = Rig::new(1);
        let busy = rig.turns.take(peer(9)).await;
        let patient = rig.ask("patient", 1).await;
        let impatient = rig.ask("impatient", 2).await;
        impatient.abort();
        yield_now().await;
        assert_eq!(rig.turns.state().waiting.len(), 1);
        drop(busy);
        patient.await.unwrap();
        // Also in the moment in which it is given to him.
        let busy = rig.turns.take(peer(9)).await;
        let gone = rig.ask("gone", 1).await;
        drop(busy);
        gone.abort();
        yield_now().await;
        assert_eq!(rig.turns.state().free, 1);
    }
}
