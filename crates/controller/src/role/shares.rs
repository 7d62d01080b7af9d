//! How much of a role the sessions get that the broker makes, for each ServiceAccount. Pure.

use std::collections::{BTreeMap, BTreeSet};

use deputy_api::SessionPoliciesStatus;
use deputy_delegation::{ServiceAccountName, cut_sessions::digest, model::Binding, share::SessionShare};

/// Characters of a hash in the record.
const HASH_CHARS: usize = 32;

/// How much the sessions of ServiceAccounts get of a role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionShares {
    /// Of each that has a session policy by one of its bindings, by each of them; sorted. One is kept of each role, and most have one entry, for which
    /// a tree would take eleven times as much.
    restricted: Box<[(ServiceAccountName, Box<[SessionShare]>)]>,
}

impl SessionShares {
    /// By these bindings, of which the broker makes all sessions.
    pub fn of<'a>(bindings: impl IntoIterator<Item = &'a Binding>) -> Self {
        let mut all: BTreeMap<ServiceAccountName, Vec<SessionShare>> = BTreeMap::new();
        for binding in bindings {
            let share = SessionShare::of(&binding.session);
            for name in binding.subjects.service_accounts() {
                let shares = all.entry(name.clone()).or_default();
                if !shares.contains(&share) {
                    shares.push(share.clone());
                }
            }
        }
        all.retain(|_, shares| shares.iter().any(|share| !share.is_whole()));
        let restricted = all.into_iter().map(|(name, shares)| (name, shares.into()));
        Self {
            restricted: restricted.collect(),
        }
    }

    /// Those of this one, if it has a session policy.
    fn get(&self, name: &ServiceAccountName) -> Option<&[SessionShare]> {
        let at = self.restricted.binary_search_by(|(of, _)| of.cmp(name)).ok()?;
        self.restricted.get(at).map(|(_, shares)| shares.as_ref())
    }

    /// Whether none has a session policy.
    pub fn is_empty(&self) -> bool {
        self.restricted.is_empty()
    }

    /// Those that have one, and no session without.
    pub fn without_whole(&self) -> impl Iterator<Item = &ServiceAccountName> {
        let restricted = self.restricted.iter();
        let without = restricted.filter(|(_, shares)| !shares.iter().any(SessionShare::is_whole));
        without.map(|(name, _)| name)
    }

    /// The marks of all sessions that there may be of this one.
    pub fn marks_of(&self, name: &ServiceAccountName) -> BTreeSet<String> {
        let shares = self.get(name).into_iter().flatten();
        shares.filter_map(|share| share.mark(name)).collect()
    }

    /// What the record says of this one.
    pub fn hash_of(&self, name: &ServiceAccountName) -> Option<String> {
        let shares = self.get(name)?;
        let has_whole = shares.iter().any(SessionShare::is_whole);
        let marks = self.marks_of(name);
        // No mark is empty.
        let whole = has_whole.then_some("");
        Some(short(digest(marks.iter().map(String::as_str).chain(whole))))
    }

    /// What of them is written down.
    pub fn recorded(&self, most: usize) -> Vec<SessionPoliciesStatus> {
        let hashes: Vec<SessionPoliciesStatus> = self
            .restricted
            .iter()
            .filter_map(|(name, _)| {
                Some(SessionPoliciesStatus {
                    service_account: Some(name.to_string()),
                    hash: self.hash_of(name)?,
                })
            })
            .collect();
        if hashes.len() <= most {
            return hashes;
        }
        let all = digest(hashes.iter().map(|one| one.hash.as_str()));
        vec![SessionPoliciesStatus {
            service_account: None,
            hash: short(all),
        }]
    }

    /// Whether every session that this one had by `former` is known to be covered by one that it has now.
    pub fn cover(&self, former: &Self, name: &ServiceAccountName) -> bool {
        let (Some(now), Some(before)) = (self.get(name), former.get(name)) else {
            return false;
        };
        before.iter().all(|old| now.iter().any(|new| new.covers(old)))
    }
}

fn short(mut hash: String) -> String {
    hash.truncate(HASH_CHARS);
    hash
}
