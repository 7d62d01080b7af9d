//! What one address may have under way of what costs more than its sender: nobody takes all of it.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How much each address has under way. Clones share it.
#[derive(Clone)]
pub struct PeerShares {
    most: usize,
    /// Without those that have nothing: never more entries than pieces of work.
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A part of an address's share, given back when dropped.
pub struct PeerShare(PeerShares, IpAddr);

impl PeerShares {
    /// At most `most` for each address.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most,
            taken: Arc::default(),
        }
    }

    /// A part of what `peer` may have; `None` when it has all of it.
    #[must_use]
    pub fn take(&self, peer: IpAddr) -> Option<PeerShare> {
        let mut taken = self.lock();
        let of_peer = taken.entry(peer).or_insert(0);
        if *of_peer >= self.most {
            return None;
        }
        *of_peer = of_peer.saturating_add(1);
        Some(PeerShare(self.clone(), peer))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PeerShare {
    fn drop(&mut self) {
        let mut taken = self.0.lock();
        if let Some(of_peer) = taken.get_mut(&self.1) {
            *of_peer = of_peer.saturating_sub(1);
            if *of_peer == 0 {
                taken.remove(&self.1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_its_share_and_others_have_theirs() {
        let shares = PeerShares::new(2);
        let (one, other): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let first = shares.take(one).unwrap();
        let _second = shares.take(one).unwrap();
        assert!(shares.take(one).is_none());
        let others = shares.take(other).unwrap();
        drop(first);
        assert!(shares.take(one).is_some());
        drop(others);
        assert_eq!(shares.lock().len(), 1, "who has nothing is not remembered");
    }
}
