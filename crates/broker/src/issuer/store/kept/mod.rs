//! The sessions of one shard: bounded in bytes, with a share for each namespace, and in the order in which they are due. Pure.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use deputy_aws::ExposeSecret as _;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::issuer::{
    gate::CallParty,
    key::SessionKey,
    session::{Issued, Renewal},
};

/// What one session takes beside its strings: entries of maps, and allocations.
const OVERHEAD: usize = 768;
/// A session that is asked for again so soon keeps its place: the order is that of seconds.
const SAME_USE: Duration = Duration::from_secs(1);
/// When a renewal that was due is looked at again, in case nothing came of it.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// When full, no party has more than a quarter.
const SHARE: usize = 4;

type DueAt = (Instant, u64);

/// Sessions that are kept.
pub(in crate::issuer) struct KeptSessions {
    entries: HashMap<Arc<SessionKey>, Entry>,
    parties: HashMap<CallParty, Held>,
    /// When each is looked at next: it is due, or over.
    due: BTreeMap<DueAt, Arc<SessionKey>>,
    /// Those that are a pod's alone, by its uid.
    pods: HashMap<String, Vec<Arc<SessionKey>>>,
    bytes: usize,
    capacity: usize,
    evicted: u64,
    next: u64,
}

/// What a party holds.
#[derive(Default)]
struct Held {
    bytes: usize,
    /// By last use.
    by_use: BTreeMap<u64, Arc<SessionKey>>,
}

struct Entry {
    issued: Arc<Issued>,
    party: CallParty,
    bytes: usize,
    use_number: u64,
    used: Instant,
    /// Whether somebody asked for it, or for the first one: what nobody asks for is not renewed.
    is_asked_for: bool,
    due: DueAt,
}

impl KeptSessions {
    /// At most `capacity` bytes, estimated.
    pub(in crate::issuer) fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            parties: HashMap::new(),
            due: BTreeMap::new(),
            pods: HashMap::new(),
            bytes: 0,
            capacity,
            evicted: 0,
            next: 0,
        }
    }

    pub(in crate::issuer) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(in crate::issuer) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Sessions that gave way to others while they were good.
    pub(in crate::issuer) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// What is kept for `key` and may be handed out; somebody asks for it.
    pub(in crate::issuer) fn asked_for(&mut self, key: &SessionKey, now: Timestamp) -> Option<Arc<Issued>> {
        let entry = self.entries.get_mut(key)?;
        if !entry.issued.is_usable(now) {
            self.remove(key);
            return None;
        }
        entry.is_asked_for = true;
        if entry.used.elapsed() >= SAME_USE {
            entry.used = Instant::now();
            if let Some(held) = self.parties.get_mut(&entry.party)
                && let Some(key) = held.by_use.remove(&entry.use_number)
            {
                self.next += 1;
                entry.use_number = self.next;
                held.by_use.insert(entry.use_number, key);
            }
        }
        Some(Arc::clone(&entry.issued))
    }

    /// What is kept for `key`, good or not.
    pub(in crate::issuer) fn get(&self, key: &SessionKey) -> Option<&Arc<Issued>> {
        self.entries.get(key).map(|entry| &entry.issued)
    }

    /// Keeps a session in place of what was kept for `key`. Others give way: those of a party that has more than its share, else those that
    /// nobody asked for for the longest time.
    pub(in crate::issuer) fn insert(&mut self, key: &Arc<SessionKey>, issued: &Arc<Issued>, is_first: bool) {
        self.remove(key);
        let party = key.party(issued.renewal);
        let bytes = weight(key, issued);
        if bytes > self.capacity {
            return;
        }
        while self.bytes + bytes > self.capacity {
            let Some(gives_way) = self.gives_way(&party, bytes) else {
                return;
            };
            self.remove(&gives_way);
            self.evicted += 1;
        }
        self.next += 1;
        let entry = Entry {
            issued: Arc::clone(issued),
            party: party.clone(),
            bytes,
            use_number: self.next,
            used: Instant::now(),
            is_asked_for: is_first,
            due: (issued.due_at().min(issued.over_at()), self.next),
        };
        self.due.insert(entry.due, Arc::clone(key));
        let held = self.parties.entry(party).or_default();
        held.bytes += bytes;
        held.by_use.insert(entry.use_number, Arc::clone(key));
        if let Some(pod) = key.pod() {
            let of_pod = self.pods.entry(pod.to_owned()).or_default();
            of_pod.push(Arc::clone(key));
        }
        self.bytes += bytes;
        self.entries.insert(Arc::clone(key), entry);
    }

    /// Who makes room for `bytes` of `party`.
    fn gives_way(&self, party: &CallParty, bytes: usize) -> Option<Arc<SessionKey>> {
        let share = self.capacity / SHARE;
        let oldest = |held: &Held| {
            held.by_use
                .first_key_value()
                .map(|(at, key)| (*at, Arc::clone(key)))
        };
        let own = self.parties.get(party);
        if let Some((_, key)) = own.filter(|held| held.bytes + bytes > share).and_then(oldest) {
            return Some(key);
        }
        let greediest = self.parties.values().max_by_key(|held| held.bytes)?;
        if greediest.bytes > share {
            return oldest(greediest).map(|(_, key)| key);
        }
        let all = self.parties.values().filter_map(oldest);
        all.min_by_key(|(at, _)| *at).map(|(_, key)| key)
    }

    pub(in crate::issuer) fn remove(&mut self, key: &SessionKey) {
        let Some((key, entry)) = self.entries.remove_entry(key) else {
            return;
        };
        self.due.remove(&entry.due);
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        if let Some(held) = self.parties.get_mut(&entry.party) {
            held.bytes = held.bytes.saturating_sub(entry.bytes);
            held.by_use.remove(&entry.use_number);
            if held.by_use.is_empty() {
                self.parties.remove(&entry.party);
            }
        }
        if let Some(pod) = key.pod()
            && let Some(of_pod) = self.pods.get_mut(pod)
        {
            of_pod.retain(|kept| *kept != key);
            if of_pod.is_empty() {
                self.pods.remove(pod);
            }
        }
    }

    /// Forgets what is kept for a pod alone.
    pub(in crate::issuer) fn remove_pod(&mut self, uid: &str) {
        for key in self.pods.remove(uid).unwrap_or_default() {
            self.remove(&key);
        }
    }

    /// What is due and was asked for, and is looked at again a little later; forgets what is over. Costs as much as there is of that.
    pub(in crate::issuer) fn take_due(&mut self, now: Timestamp) -> Vec<Arc<SessionKey>> {
        let instant = Instant::now();
        let mut taken = Vec::new();
        while let Some(first) = self.due.first_entry().filter(|first| first.key().0 <= instant) {
            let ((_, number), key) = first.remove_entry();
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            if !entry.issued.is_usable(now) {
                self.remove(&key);
                continue;
            }
            let over = entry.issued.over_at();
            let wanted = entry.is_asked_for && entry.issued.renewal != Renewal::OnRequest;
            let again = if wanted { instant + LOOK_AGAIN } else { over };
            // Where our clock and that nobody sets disagree, it is looked at until both say that it is over.
            entry.due = (again.min(over).max(instant + SAME_USE), number);
            self.due.insert(entry.due, Arc::clone(&key));
            if wanted {
                taken.push(key);
            }
        }
        taken
    }
}

/// About how many bytes a session takes with its key.
fn weight(key: &SessionKey, issued: &Issued) -> usize {
    let session = &issued.session;
    let secrets = session.credentials.secret_access_key.expose_secret().len()
        + session.credentials.session_token.expose_secret().len();
    OVERHEAD
        + key.weight()
        + session.credentials.access_key_id.len()
        + secrets
        + session.arn.len()
        + session.unique_id.len()
}

#[cfg(test)]
mod tests;
