//! The connections of one server: how many, whose, and which one goes when there are too many.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use super::activity::Activity;

/// The open connections. Clones are the same table.
#[derive(Clone)]
pub(super) struct ConnectionTable {
    inner: Arc<Mutex<Inner>>,
    most: usize,
    most_of_a_peer: usize,
}

#[derive(Default)]
struct Inner {
    peers: HashMap<IpAddr, BTreeMap<u64, Arc<Activity>>>,
    count: usize,
    next: u64,
}

/// The place of one connection, given back when dropped.
pub(super) struct ConnectionSlot {
    table: ConnectionTable,
    peer: IpAddr,
    number: u64,
    pub(super) activity: Arc<Activity>,
}

/// What a newcomer meets.
pub(super) enum ConnectionEntry {
    /// A place, perhaps that of a connection that was evicted for it.
    Entered(ConnectionSlot),
    /// Everything is in use by requests in flight, and nobody has more connections than the newcomer's address.
    Refused,
}

impl ConnectionTable {
    pub(super) fn new(most: usize, most_of_a_peer: usize) -> Self {
        Self {
            inner: Arc::default(),
            most,
            most_of_a_peer,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a new connection of `peer`. Never waits: when the table is full, the longest idle connection
    /// goes, of the address that has most, so that whoever takes many loses his own first.
    pub(super) fn enter(&self, peer: IpAddr, now: Instant) -> ConnectionEntry {
        let mut inner = self.inner();
        let own = inner.peers.get(&peer).map_or(0, BTreeMap::len);
        let victim = if own >= self.most_of_a_peer {
            match inner.longest_idle_of(peer) {
                Some(victim) => Some(victim),
                None => return ConnectionEntry::Refused,
            }
        } else if inner.count >= self.most {
            match inner.longest_idle().or_else(|| inner.longest_open(own)) {
                Some(victim) => Some(victim),
                None => return ConnectionEntry::Refused,
            }
        } else {
            None
        };
        if let Some((peer, number)) = victim {
            inner.evict(peer, number);
        }
        let number = inner.next;
        inner.next = number.wrapping_add(1);
        inner.count = inner.count.saturating_add(1);
        let activity = Arc::new(Activity::new(now));
        inner
            .peers
            .entry(peer)
            .or_default()
            .insert(number, Arc::clone(&activity));
        let place = ConnectionSlot {
            table: self.clone(),
            peer,
            number,
            activity,
        };
        ConnectionEntry::Entered(place)
    }

    /// Makes room although there are fewer than may be: the process has no file left. Gives whether there was one to close.
    pub(super) fn evict_longest_idle(&self) -> bool {
        let mut inner = self.inner();
        let victim = inner.longest_idle();
        if let Some((peer, number)) = victim {
            inner.evict(peer, number);
        }
        victim.is_some()
    }

    /// Ends all of them.
    pub(super) fn evict_all(&self) {
        for activity in self.inner().peers.values().flat_map(BTreeMap::values) {
            activity.evicted.cancel();
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.inner().count
    }
}

impl Inner {
    fn longest_idle_of(&self, peer: IpAddr) -> Option<(IpAddr, u64)> {
        longest_idle(self.peers.get_key_value(&peer).into_iter()).map(|(_, peer, number)| (peer, number))
    }

    /// Among the addresses with most connections; where they have all in use, among those with fewer, and so on.
    fn longest_idle(&self) -> Option<(IpAddr, u64)> {
        let mut below = usize::MAX;
        loop {
            let counts = self.peers.values().map(BTreeMap::len);
            below = counts.filter(|count| *count < below).max()?;
            let heaviest = self.peers.iter().filter(|(_, own)| own.len() == below);
            if let Some((_, peer, number)) = longest_idle(heaviest) {
                return Some((peer, number));
            }
        }
    }

    /// The oldest connection of the address with most of them, if those are more than `own` and the newcomer.
    fn longest_open(&self, own: usize) -> Option<(IpAddr, u64)> {
        let (peer, connections) = self
            .peers
            .iter()
            .max_by_key(|(_, connections)| connections.len())?;
        if connections.len() <= own.saturating_add(1) {
            return None;
        }
        let (number, _) = connections.iter().min_by_key(|(_, activity)| activity.opened())?;
        Some((*peer, *number))
    }

    fn evict(&mut self, peer: IpAddr, number: u64) {
        if let Some(activity) = self.remove(peer, number) {
            activity.evicted.cancel();
        }
    }

    fn remove(&mut self, peer: IpAddr, number: u64) -> Option<Arc<Activity>> {
        let own = self.peers.get_mut(&peer)?;
        let activity = own.remove(&number)?;
        if own.is_empty() {
            self.peers.remove(&peer);
        }
        self.count = self.count.saturating_sub(1);
        Some(activity)
    }
}

fn longest_idle<'a>(
    peers: impl Iterator<Item = (&'a IpAddr, &'a BTreeMap<u64, Arc<Activity>>)>,
) -> Option<(Instant, IpAddr, u64)> {
    peers
        .flat_map(|(peer, own)| {
            own.iter()
                .map(move |(number, activity)| (*peer, *number, activity))
        })
        .filter_map(|(peer, number, activity)| Some((activity.idle_since()?, peer, number)))
        .min()
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        // Nothing is there any more when it was evicted.
        self.table.inner().remove(self.peer, self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MOST: usize = 8;
    const OF_A_PEER: usize = 4;

    fn peer(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    struct Clock(Instant, u64);

    impl Clock {
        fn new() -> Self {
            Self(Instant::now(), 0)
        }
        fn next(&mut self) -> Instant {
            self.1 += 1;
            self.0 + Duration::from_secs(self.1)
        }
    }

    fn enter(table: &ConnectionTable, peer: IpAddr, clock: &mut Clock) -> Option<ConnectionSlot> {
        match table.enter(peer, clock.next()) {
            ConnectionEntry::Entered(place) => Some(place),
            ConnectionEntry::Refused => None,
        }
    }

    fn gone(places: &[ConnectionSlot]) -> Vec<usize> {
        let evicted = |place: &ConnectionSlot| place.activity.evicted.is_cancelled();
        (0..places.len())
            .filter(|index| evicted(&places[*index]))
            .collect()
    }

    #[tokio::test]
    async fn who_takes_too_many_loses_his_own_longest_idle_connection() {
        let (table, mut clock) = (ConnectionTable::new(MOST, OF_A_PEER), Clock::new());
        let other = enter(&table, peer(2), &mut clock).unwrap();
        let mut places: Vec<_> = (0..OF_A_PEER)
            .map(|_| enter(&table, peer(1), &mut clock).unwrap())
            .collect();
        // The first has just been used.
        let number = places[0].activity.begin(clock.next());
        places[0].activity.end(number, clock.next());
        places.push(enter(&table, peer(1), &mut clock).unwrap());
        assert_eq!(gone(&places), [1]);
        assert!(!other.activity.evicted.is_cancelled());
        assert_eq!(table.count(), OF_A_PEER + 1);
        drop((places, other));
        assert_eq!(
            table.count(),
            0,
            "a place that was evicted is not given back twice"
        );
        assert!(table.inner().peers.is_empty());
    }

    #[tokio::test]
    async fn a_full_table_lets_in_whoever_comes_and_the_heaviest_pays() {
        let (table, mut clock) = (ConnectionTable::new(MOST, OF_A_PEER), Clock::new());
        // The longest idle of all, and alone.
        let quiet = enter(&table, peer(9), &mut clock).unwrap();
        let few: Vec<_> = (0..3)
            .map(|_| enter(&table, peer(2), &mut clock).unwrap())
            .collect();
        let many: Vec<_> = (0..4)
            .map(|_| enter(&table, peer(1), &mut clock).unwrap())
            .collect();
        let first = enter(&table, peer(3), &mut clock).unwrap();
        assert_eq!((gone(&many), gone(&few)), (vec![0], vec![]));
        // Now two have three each: the longest idle of both.
        let second = enter(&table, peer(4), &mut clock).unwrap();
        assert_eq!((gone(&many), gone(&few)), (vec![0], vec![0]));
        assert!(!quiet.activity.evicted.is_cancelled());
        assert_eq!(table.count(), MOST);
        drop((first, second));
    }

    #[tokio::test]
    async fn where_each_has_one_the_longest_idle_goes() {
        let (table, mut clock) = (ConnectionTable::new(MOST, OF_A_PEER), Clock::new());
        let mut places: Vec<_> = (0..MOST)
            .map(|index| enter(&table, peer(index as u8), &mut clock).unwrap())
            .collect();
        places[0].activity.begin(clock.next());
        for newcomer in 100..103 {
            places.push(enter(&table, peer(newcomer), &mut clock).unwrap());
        }
        assert_eq!(gone(&places), [1, 2, 3], "the first has a request in flight");
    }

    #[tokio::test]
    async fn only_requests_of_the_heaviest_yield_to_a_newcomer() {
        let (table, mut clock) = (ConnectionTable::new(MOST, OF_A_PEER), Clock::new());
        let busy = |last: u8, clock: &mut Clock| {
            let place = enter(&table, peer(last), clock).unwrap();
            place.activity.begin(clock.next());
            place
        };
        let heavy: Vec<_> = (0..4).map(|_| busy(1, &mut clock)).collect();
        assert!(
            enter(&table, peer(1), &mut clock).is_none(),
            "his own are all in use"
        );
        let light: Vec<_> = (2..6).map(|last| busy(last, &mut clock)).collect();
        let newcomer = busy(7, &mut clock);
        assert_eq!((gone(&heavy), gone(&light)), (vec![0], vec![]));
        let second = busy(8, &mut clock);
        assert_eq!((gone(&heavy), gone(&light)), (vec![0, 1], vec![]));
        assert!(enter(&table, peer(9), &mut clock).is_some());
        // Nobody has more than the newcomer would.
        let full: Vec<_> = (0..20)
            .filter_map(|index| {
                let place = enter(&table, peer(20 + index), &mut clock)?;
                place.activity.begin(clock.next());
                Some(place)
            })
            .collect();
        assert!(enter(&table, peer(99), &mut clock).is_none(), "{}", full.len());
        drop((newcomer, second));
    }

    #[tokio::test]
    async fn a_process_without_a_file_left_closes_what_is_idle() {
        let (table, mut clock) = (ConnectionTable::new(MOST, OF_A_PEER), Clock::new());
        assert!(!table.evict_longest_idle());
        let places = [
            enter(&table, peer(1), &mut clock).unwrap(),
            enter(&table, peer(2), &mut clock).unwrap(),
        ];
        assert!(table.evict_longest_idle());
        assert_eq!(gone(&places), [0]);
        table.evict_all();
        assert_eq!(gone(&places), [0, 1]);
    }
}
