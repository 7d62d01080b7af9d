//! Keys that wait: in lanes, by account, and round robin over the namespaces in each. Pure.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    ops::Bound,
};

use deputy_delegation::{NamespaceName, ObjectName};

use super::lane::{Lane, PerLane, Place};

pub(super) type AccountOfKey = Option<ObjectName>;
type Namespace = Option<NamespaceName>;

/// All that wait, each once.
pub(super) struct WaitingKeys<K> {
    lanes: [BTreeMap<AccountOfKey, Keys<K>>; 3],
    /// Whose turn it was last, in each lane.
    last: [Option<AccountOfKey>; 3],
    places: HashMap<K, Standing>,
    counts: PerLane,
    back: i64,
    front: i64,
}

/// Where a key stands.
struct Standing {
    lane: Lane,
    place: Place,
    number: i64,
}

/// The keys of one account in one lane.
struct Keys<K> {
    by_namespace: BTreeMap<Namespace, BTreeMap<i64, K>>,
    last: Option<Namespace>,
}

impl<K> Default for Keys<K> {
    fn default() -> Self {
        Self {
            by_namespace: BTreeMap::new(),
            last: None,
        }
    }
}

impl<K> Default for WaitingKeys<K> {
    fn default() -> Self {
        Self {
            lanes: [BTreeMap::new(), BTreeMap::new(), BTreeMap::new()],
            last: [None, None, None],
            places: HashMap::new(),
            counts: PerLane::default(),
            back: 0,
            front: -1,
        }
    }
}

fn index(lane: Lane) -> usize {
    match lane {
        Lane::Revoke => 0,
        Lane::Change => 1,
        Lane::Routine => 2,
    }
}

/// The entries of a map from after `last` on, and then from its beginning.
fn after<'a, A: Ord, V>(map: &'a BTreeMap<A, V>, last: Option<&A>) -> impl Iterator<Item = (&'a A, &'a V)> {
    let (rest, beginning) = match last {
        Some(last) => (
            map.range((Bound::Excluded(last), Bound::Unbounded)),
            Some(map.range(..=last)),
        ),
        None => (map.range::<A, _>(..), None),
    };
    rest.chain(beginning.into_iter().flatten())
}

impl<K: Clone + Eq + Hash> WaitingKeys<K> {
    /// Puts a key in, or moves it forward into a more urgent lane. One whose place is another one now moves there.
    pub(super) fn put(&mut self, key: K, lane: Lane, place: Place) {
        let lane = match self.places.get(&key) {
            Some(old) if old.lane <= lane && old.place == place => return,
            Some(old) => old.lane.min(lane),
            None => lane,
        };
        self.remove(&key);
        let number = self.back;
        self.back += 1;
        self.insert(key, lane, place, number);
    }

    /// Puts a key in before all others of its place.
    pub(super) fn put_first(&mut self, key: K, lane: Lane, place: Place) {
        let lane = self.remove(&key).map_or(lane, |old| old.min(lane));
        let number = self.front;
        self.front -= 1;
        self.insert(key, lane, place, number);
    }

    /// Moves a key that waits into a more urgent lane.
    pub(super) fn promote(&mut self, key: &K, lane: Lane) {
        if let Some(place) = self.places.get(key).map(|at| at.place.clone()) {
            self.put(key.clone(), lane, place);
        }
    }

    /// The next key that `may_start` lets go: of the most urgent lane, account after account, namespace after namespace.
    pub(super) fn next(
        &mut self,
        may_start: impl Fn(&AccountOfKey, Lane) -> bool,
    ) -> Option<(K, Lane, Place)> {
        for lane in Lane::ALL {
            let (Some(accounts), Some(last)) = (self.lanes.get(index(lane)), self.last.get_mut(index(lane)))
            else {
                continue;
            };
            let Some((account, keys)) = after(accounts, last.as_ref()).find(|(a, _)| may_start(a, lane))
            else {
                continue;
            };
            let Some(key) = keys.first().cloned() else {
                continue;
            };
            *last = Some(account.clone());
            let place = self.places.get(&key)?.place.clone();
            self.remove(&key);
            if let Some(keys) = self
                .lanes
                .get_mut(index(lane))
                .and_then(|accounts| accounts.get_mut(&place.account))
            {
                keys.last = Some(place.namespace.clone());
            }
            return Some((key, lane, place));
        }
        None
    }

    fn insert(&mut self, key: K, lane: Lane, place: Place, number: i64) {
        if let Some(accounts) = self.lanes.get_mut(index(lane)) {
            let keys = accounts.entry(place.account.clone()).or_default();
            let of_namespace = keys.by_namespace.entry(place.namespace.clone());
            of_namespace.or_default().insert(number, key.clone());
            *self.counts.at(lane) += 1;
            self.places.insert(key, Standing { lane, place, number });
        }
    }

    fn remove(&mut self, key: &K) -> Option<Lane> {
        let Standing { lane, place, number } = self.places.remove(key)?;
        if self.places.is_empty() {
            // When a process begins, all keys waited: it has no use for a table of that size any more.
            self.places.shrink_to_fit();
        }
        *self.counts.at(lane) -= 1;
        let accounts = self.lanes.get_mut(index(lane))?;
        let keys = accounts.get_mut(&place.account)?;
        let of_namespace = keys.by_namespace.get_mut(&place.namespace)?;
        of_namespace.remove(&number);
        if of_namespace.is_empty() {
            keys.by_namespace.remove(&place.namespace);
        }
        if keys.by_namespace.is_empty() {
            accounts.remove(&place.account);
        }
        Some(lane)
    }

    /// How many wait in each lane.
    pub(super) fn counts(&self) -> PerLane {
        self.counts
    }
}

impl<K> Keys<K> {
    fn first(&self) -> Option<&K> {
        let (_, keys) = after(&self.by_namespace, self.last.as_ref()).next()?;
        keys.values().next()
    }
}
