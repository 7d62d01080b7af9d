//! Places for connections. When all are taken, the connection that was idle longest makes room for a new one: sockets that nobody
//! uses, or that never send a whole request, lock nobody out for long. Each address has at most its share of the places, within which
//! the same holds.

use std::{
    collections::HashMap,
    net::IpAddr,
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
    most_of_peer: usize,
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
    peer: IpAddr,
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
    peer: IpAddr,
}

/// A place, and what resolves when another connection takes it.
type TakenPlace = (ConnectionPlace, oneshot::Receiver<()>);

/// Why there is no place just now.
enum NoPlace {
    /// The one that is idle longest has it still for so long.
    Wait(Duration),
    /// All are busy.
    Busy,
    /// All of this address are busy.
    ShareIsBusy,
}

/// Says that a request is being answered, until this is dropped.
pub(crate) struct Busy<'a>(&'a ConnectionPlace);

impl ConnectionPlaces {
    pub fn new(most: usize, most_of_peer: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_of_peer,
            state: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Takes a place for a connection from `peer`, from the connection that was idle longest if none is left. While all are busy or
    /// have only just come, this waits. What comes with the place resolves when another connection takes it. `None`: all of the
    /// address's share are busy, for which nobody else is to wait.
    pub async fn take(self: &Arc<Self>, peer: IpAddr) -> Option<TakenPlace> {
        loop {
            match self.try_take(peer) {
                Ok(taken) => return Some(taken),
                Err(NoPlace::Wait(wait)) => drop(timeout(wait, self.changed.notified()).await),
                Err(NoPlace::Busy) => self.changed.notified().await,
                Err(NoPlace::ShareIsBusy) => return None,
            }
        }
    }

    fn try_take(self: &Arc<Self>, peer: IpAddr) -> Result<TakenPlace, NoPlace> {
        let mut state = self.lock();
        let is_full = state.taken.len() >= self.most;
        let of_peer = state.taken.values().filter(|one| one.peer == peer).count();
        // Where one address may have all places, it waits for them.
        let is_share_full = of_peer >= self.most_of_peer && self.most_of_peer < self.most;
        if is_full || is_share_full {
            let idle = state
                .taken
                .iter()
                .filter(|(_, one)| !one.is_busy && (!is_share_full || one.peer == peer));
            let longest = idle.min_by_key(|(id, one)| (one.since, **id));
            let none_idle = || match is_share_full {
                true => NoPlace::ShareIsBusy,
                false => NoPlace::Busy,
            };
            let (id, since) = longest.map(|(id, one)| (*id, one.since)).ok_or_else(none_idle)?;
            let wait = GRACE.saturating_sub(since.elapsed());
            // Within its share an address is itself to blame for who has only just come.
            if !wait.is_zero() && !is_share_full {
                return Err(NoPlace::Wait(wait));
            }
            state.taken.remove(&id);
        }
        let id = state.next;
        state.next = id.wrapping_add(1);
        let (evict, evicted) = oneshot::channel();
        let connection = Connection {
            peer,
            is_busy: false,
            since: Instant::now(),
            _evict: evict,
        };
        state.taken.insert(id, connection);
        let place = ConnectionPlace {
            places: Arc::clone(self),
            id,
            peer,
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
    /// The other end of the connection.
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

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
    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[tokio::test(start_paused = true)]
    async fn the_connection_that_was_idle_longest_makes_room() {
        let places = ConnectionPlaces::new(3, 3);
        let (first, mut first_evicted) = places.take(PEER).await.unwrap();
        sleep(SECOND).await;
        let (_second, second_evicted) = places.take(PEER).await.unwrap();
        sleep(SECOND).await;
        let (_third, mut third_evicted) = places.take(PEER).await.unwrap();
        sleep(SECOND).await;
        // The first one is used once more.
        drop(first.busy());
        let (_fourth, _) = places.take(PEER).await.unwrap();
        assert!(second_evicted.await.is_err());
        assert_eq!(first_evicted.try_recv(), Err(TryRecvError::Empty));
        let (_fifth, _) = places.take(PEER).await.unwrap();
        assert_eq!(third_evicted.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(places.lock().taken.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_connection_keeps_its_place_until_it_is_idle() {
        let places = ConnectionPlaces::new(2, 2);
        let (first, first_evicted) = places.take(PEER).await.unwrap();
        let (second, _second_evicted) = places.take(PEER).await.unwrap();
        let (first_busy, _second_busy) = (first.busy(), second.busy());
        assert!(timeout(SECOND, places.take(PEER)).await.is_err());
        let (_third, ()) = tokio::join!(places.take(PEER), async {
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
        let places = ConnectionPlaces::new(1, 1);
        let (_first, evicted) = places.take(PEER).await.unwrap();
        let start = Instant::now();
        let (_second, _) = places.take(PEER).await.unwrap();
        assert_eq!(start.elapsed(), GRACE);
        assert!(evicted.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_is_left_can_be_taken() {
        let places = ConnectionPlaces::new(1, 1);
        let (only, _evicted) = places.take(PEER).await.unwrap();
        let busy = only.busy();
        let leaving = Arc::clone(&places);
        tokio::spawn(async move {
            let (_next, evicted) = leaving.take(PEER).await.unwrap();
            evicted.await.unwrap_err();
        });
        sleep(SECOND).await;
        drop(busy);
        sleep(SECOND).await;
        let (last, _) = places.take(PEER).await.unwrap();
        drop((last, only));
        places.empty().await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_its_share_and_takes_no_place_of_others() {
        let places = ConnectionPlaces::new(4, 2);
        let (_others, mut evicted) = places.take(OTHER).await.unwrap();
        let (first, first_evicted) = places.take(PEER).await.unwrap();
        let (second, _second_evicted) = places.take(PEER).await.unwrap();
        let _busy = second.busy();
        let (third, _third_evicted) = places.take(PEER).await.unwrap();
        assert!(first_evicted.await.is_err(), "its own longest idle one goes");
        drop(first);
        let _also_busy = third.busy();
        assert!(places.take(PEER).await.is_none(), "nobody waits for it");
        assert!(places.take(OTHER).await.is_some());
        assert_eq!(evicted.try_recv(), Err(TryRecvError::Empty));
    }
}
