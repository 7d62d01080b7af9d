//! Answers that are asked for once, however many ask at a time, and kept for a while.

use std::{collections::HashMap, hash::Hash, sync::Arc, time::Duration};

use deputy_runtime::contain::{Panicked, contained};
use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};
use tracing::Instrument as _;

/// Pieces of work under way at most: garbage must not queue up before what matters.
const MOST_RUNNING: usize = 4096;
/// Below this many entries nobody looks for expired ones.
const FIRST_PURGE: usize = 1024;

/// Answers by key. Whoever asks first begins the work, in a task of its own: a caller who goes away harms nobody, and the
/// answer is there for the next. Cheap to clone.
pub struct SingleFlight<K, V> {
    state: Arc<Mutex<State<K, V>>>,
    capacity: usize,
}

impl<K, V> Clone for SingleFlight<K, V> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            capacity: self.capacity,
        }
    }
}

struct State<K, V> {
    slots: HashMap<K, Slot<V>>,
    /// With so many entries, expired ones are looked for.
    purge_at: usize,
    /// Pieces of work under way.
    running: usize,
}

enum Slot<V> {
    Running(watch::Receiver<Option<V>>),
    Known(V, Instant),
}

impl<K, V> SingleFlight<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Keeps at most `capacity` answers; what is more is answered and forgotten.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let state = State {
            slots: HashMap::new(),
            purge_at: FIRST_PURGE,
            running: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            capacity,
        }
    }

    /// The answer for `key`: the one that is kept, that of the work under way, or that of `work`, which is then kept as long
    /// as `keep` says. `None` when the work died, or when too many other pieces of work are under way.
    pub async fn get<F>(&self, key: K, work: impl FnOnce() -> F, keep: fn(&V) -> Duration) -> Option<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut answer = {
            let mut state = self.state.lock();
            match state.slots.get(&key) {
                Some(Slot::Known(value, until)) if Instant::now() < *until => return Some(value.clone()),
                // The sender is gone without an answer when the work died.
                Some(Slot::Running(running)) if running.has_changed().is_ok() => running.clone(),
                None if state.running >= MOST_RUNNING => return None,
                _ => self.start(&mut state, key, work(), keep),
            }
        };
        let value = answer.wait_for(Option::is_some).await.ok()?;
        value.clone()
    }

    fn start<F>(
        &self,
        state: &mut State<K, V>,
        key: K,
        work: F,
        keep: fn(&V) -> Duration,
    ) -> watch::Receiver<Option<V>>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let (tx, rx) = watch::channel(None);
        state.running = state.running.saturating_add(1);
        state.slots.insert(key.clone(), Slot::Running(rx.clone()));
        let this = self.clone();
        let work = async move {
            match contained(work).await {
                Ok(value) => {
                    this.store(key, value.clone(), keep(&value));
                    tx.send_replace(Some(value));
                }
                // Whoever waits hears that there will be no answer; the next one begins anew.
                Err(Panicked) => this.forget(&key),
            }
        };
        // Its lines are those of the request that asked first.
        tokio::spawn(work.in_current_span());
        rx
    }

    fn forget(&self, key: &K) {
        let mut state = self.state.lock();
        state.running = state.running.saturating_sub(1);
        state.slots.remove(key);
    }

    fn store(&self, key: K, value: V, keep: Duration) {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.running = state.running.saturating_sub(1);
        if state.slots.len() >= state.purge_at {
            state
                .slots
                .retain(|_, slot| !matches!(slot, Slot::Known(_, until) if *until <= now));
            // Never beyond what is kept: what has expired would keep its place for ever.
            let next = state.slots.len().saturating_mul(2).max(FIRST_PURGE);
            state.purge_at = next.min(self.capacity.max(FIRST_PURGE));
        }
        if state.slots.len() <= self.capacity {
            state.slots.insert(key, Slot::Known(value, now + keep));
        } else {
            state.slots.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    const KEPT: Duration = Duration::from_secs(5);

    fn counted(calls: &Arc<AtomicUsize>) -> impl FnOnce() -> futures::future::Ready<usize> + use<> {
        let calls = calls.clone();
        move || futures::future::ready(calls.fetch_add(1, Ordering::SeqCst))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_as_long_as_it_says() {
        let (flight, calls) = (SingleFlight::new(10), Arc::new(AtomicUsize::new(0)));
        assert_eq!(flight.get("a", counted(&calls), |_| KEPT).await, Some(0));
        tokio::time::advance(KEPT - Duration::from_millis(1)).await;
        assert_eq!(flight.get("a", counted(&calls), |_| KEPT).await, Some(0));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(flight.get("a", counted(&calls), |_| KEPT).await, Some(1));
        assert_eq!(flight.get("b", counted(&calls), |_| KEPT).await, Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_callers_share_one_piece_of_work() {
        let (flight, calls, gate) = (
            SingleFlight::new(10),
            Arc::new(AtomicUsize::new(0)),
            Arc::new(Notify::new()),
        );
        let ask = || {
            let (flight, calls, gate) = (flight.clone(), calls.clone(), gate.clone());
            tokio::spawn(async move {
                let work = move || async move {
                    gate.notified().await;
                    calls.fetch_add(1, Ordering::SeqCst)
                };
                flight.get("a", work, |_| KEPT).await
            })
        };
        let first = ask();
        tokio::task::yield_now().await;
        let others: Vec<_> = (0..1000).map(|_| ask()).collect();
        tokio::task::yield_now().await;
        first.abort();
        tokio::task::yield_now().await;
        gate.notify_one();
        for other in others {
            assert_eq!(other.await.unwrap(), Some(0));
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_panics_is_no_answer_and_takes_no_place_for_ever() {
        let (flight, calls) = (SingleFlight::new(10), Arc::new(AtomicUsize::new(0)));
        for _ in 0..MOST_RUNNING + 1 {
            assert_eq!(
                flight
                    .get("a", || async { panic!("a fault") }, |_: &usize| KEPT)
                    .await,
                None
            );
        }
        assert_eq!(flight.state.lock().running, 0);
        assert_eq!(flight.get("a", counted(&calls), |_| KEPT).await, Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_fit_is_answered_and_forgotten() {
        let (flight, calls) = (SingleFlight::new(1), Arc::new(AtomicUsize::new(0)));
        for key in ["a", "b", "c"] {
            assert!(flight.get(key, counted(&calls), |_| KEPT).await.is_some());
        }
        assert!(flight.state.lock().slots.len() <= 2);
    }
}
