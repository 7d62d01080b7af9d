//! Places for connections. When all are taken, the connection that was idle longest makes room for a new one: sockets that nobody
//! uses, or that never send a whole request, lock nobody out for long.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, timeout},
};

/// A connection keeps its place for so long at least: its request is on the way, when a thousand threads begin at once.
const GRACE: Duration = Duration::from_millis(250);

/// A fixed number of places.
pub(crate) struct ConnectionPlaces {
    most: usize,
    state: Mutex<State>,
    /// A place was left, or its connection became idle.
    changed: Notify,
}

#[derive(Default)]
struct State {
    next: u64,
    taken: HashMap<u64, Connection>,
}

struct Connection {
    /// Whether a request is being answered on it.
    is_busy: bool,
    /// Since when it is busy, or idle.
    since: Instant,
    /// Dropped, it tells the connection to end.
    _evict: oneshot::Sender<()>,
}

/// A place that is taken, until this is dropped.
pub(crate) struct ConnectionPlace {
    places: Arc<ConnectionPlaces>,
    id: u64,
}

/// Says that a request is being answered, until this is dropped.
pub(crate) struct Busy<'a>(&'a ConnectionPlace);

impl ConnectionPlaces {
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            state: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Takes a place, from the connection that was idle longest if none is left. While all are busy or have only just come, this
    /// waits. What comes with the place resolves when another connection takes it.
    pub async fn take(self: &Arc<Self>) -> (ConnectionPlace, oneshot::Receiver<()>) {
        loop {
            match self.try_take() {
                Ok(taken) => return taken,
                Err(Some(wait)) => drop(timeout(wait, self.changed.notified()).await),
                Err(None) => self.changed.notified().await,
            }
        }
    }

    /// What [`Self::take`] gives, or how long to wait for one that is idle; `None` when none is.
    fn try_take(self: &Arc<Self>) -> Result<(ConnectionPlace, oneshot::Receiver<()>), Option<Duration>> {
        let mut state = self.lock();
        if state.taken.len() >= self.most {
            let idle = state.taken.iter().filter(|(_, one)| !one.is_busy);
            let longest = idle.min_by_key(|(id, one)| (one.since, **id));
            let (id, since) = longest.map(|(id, one)| (*id, one.since)).ok_or(None)?;
            let wait = GRACE.saturating_sub(since.elapsed());
            if !wait.is_zero() {
                return Err(Some(wait));
            }
            state.taken.remove(&id);
        }
        let id = state.next;
        state.next = id.wrapping_add(1);
        let (evict, evicted) = oneshot::channel();
        let connection = Connection {
            is_busy: false,
            since: Instant::now(),
            _evict: evict,
        };
        state.taken.insert(id, connection);
        let place = ConnectionPlace {
            places: Arc::clone(self),
            id,
        };
        Ok((place, evicted))
    }

    /// Waits until no place is taken.
    pub async fn empty(&self) {
        while !self.lock().taken.is_empty() {
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionPlace {
    /// From now on a request is being answered.
    pub fn busy(&self) -> Busy<'_> {
        self.note(true);
        Busy(self)
    }

    fn note(&self, is_busy: bool) {
        if let Some(connection) = self.places.lock().taken.get_mut(&self.id) {
            connection.is_busy = is_busy;
            connection.since = Instant::now();
        }
        self.places.changed.notify_one();
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.note(false);
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.places.lock().taken.remove(&self.id);
        self.places.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::{sync::oneshot::error::TryRecvError, time::sleep};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn the_connection_that_was_idle_longest_makes_room() {
        let places = ConnectionPlaces::new(3);
        let (first, mut first_evicted) = places.take().await;
        sleep(SECOND).await;
        let (_second, second_evicted) = places.take().await;
        sleep(SECOND).await;
        let (_third, mut third_evicted) = places.take().await;
        sleep(SECOND).await;
        // The first one is used once more.
        drop(first.busy());
        let (_fourth, _) = places.take().await;
        assert!(second_evicted.await.is_err());
        assert_eq!(first_evicted.try_recv(), Err(TryRecvError::Empty));
        let (_fifth, _) = places.take().await;
        assert_eq!(third_evicted.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(places.lock().taken.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_connection_keeps_its_place_until_it_is_idle() {
        let places = ConnectionPlaces::new(2);
        let (first, first_evicted) = places.take().await;
        let (second, _second_evicted) = places.take().await;
        let (first_busy, _second_busy) = (first.busy(), second.busy());
        assert!(timeout(SECOND, places.take()).await.is_err());
        let (_third, ()) = tokio::join!(places.take(), async {
            sleep(SECOND).await;
            drop(first_busy);
        });
        assert!(first_evicted.await.is_err());
        // Whoever lost its place frees none when it goes.
        drop(first);
        assert!(timeout(SECOND, places.empty()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_has_just_come_keeps_its_place_for_a_moment() {
        let places = ConnectionPlaces::new(1);
        let (_first, evicted) = places.take().await;
        let start = Instant::now();
        let (_second, _) = places.take().await;
        assert_eq!(start.elapsed(), GRACE);
        assert!(evicted.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_is_left_can_be_taken() {
        let places = ConnectionPlaces::new(1);
        let (only, _evicted) = places.take().await;
        let busy = only.busy();
        let leaving = Arc::clone(&places);
        tokio::spawn(async move {
            let (_next, evicted) = leaving.take().await;
            evicted.await.unwrap_err();
        });
        sleep(SECOND).await;
        drop(busy);
        sleep(SECOND).await;
        let (last, _) = places.take().await;
        drop((last, only));
        places.empty().await;
    }
}
