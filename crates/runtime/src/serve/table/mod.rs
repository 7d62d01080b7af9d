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
mod tests;
