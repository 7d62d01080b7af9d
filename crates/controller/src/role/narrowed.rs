//! Sessions of ServiceAccounts that stay bound, and get less of the role than before: a session keeps the session policy that it was issued
//! with. Pure.
//!
//! By default they live until they expire, and that is said: a pod whose credentials are cut does not ask for others before those would expire.
//! Where the owner of the role says so they are cut. They are told from those of now by the mark that each has as a tag, so no clock decides.
//!
//! The record has a hash of what each gets. What it stands for is known to the process that wrote it; where it isn't, another hash counts as
//! less. A session that somebody had between two looks at the bindings is in no record.

use deputy_api::{
    NarrowedSessionsStatus, RemainingReason, RemainingSessionsStatus, RoleSessionsStatus,
    SessionPoliciesStatus,
};
use deputy_delegation::{
    ServiceAccountName,
    model::{Revocation, RoleKind},
    quota,
};
use jiff::Timestamp;

use super::{
    sessions::{Bearers, FormerSessions},
    shares::SessionShares,
    times::{ISSUED_WITHIN, after, all_over},
};

/// How many of them are written down of a role of this kind.
pub fn most_recorded(kind: &RoleKind) -> usize {
    match kind {
        RoleKind::AWSRole => quota::SERVICE_ACCOUNTS_RECORDED,
        RoleKind::ClusterAWSRole { .. } => quota::SESSION_POLICIES_OF_INSTANCE,
    }
}

/// Decides about them in `record`, in which there is room for so many. `remembered` is what the hashes stand for that are written down, as far as
/// that is known.
pub fn step(
    former: FormerSessions<'_>,
    bearers: &Bearers,
    remembered: Option<&SessionShares>,
    record: &mut RoleSessionsStatus,
    (revocation, now, most): (Revocation, Timestamp, usize),
) {
    let shares = &bearers.shares;
    record.session_policies = shares.recorded(most);
    let narrowed = |name: Option<String>| NarrowedSessionsStatus {
        service_account: name,
        hash: None,
        before: after(now, ISSUED_WITHIN),
        until: all_over(now),
    };
    let by_name = |name: &ServiceAccountName| narrowed(Some(name.to_string()));
    let mut entries = match former {
        FormerSessions::Never => Vec::new(),
        FormerSessions::Unknown => shares.without_whole().map(by_name).collect(),
        FormerSessions::Recorded(old) => {
            let known = Known { old, remembered };
            let mut entries = known.going_on(shares, now);
            let is_changed = old.session_policies != record.session_policies;
            if known.is_of_all() {
                entries.extend(is_changed.then(|| narrowed(None)));
            } else if is_changed || is_bound_anew(old, record) {
                for name in shares.without_whole().filter(|name| known.had_more(shares, name)) {
                    let mut new = by_name(name);
                    let there = entries.len();
                    entries.retain(|entry| entry.service_account != new.service_account);
                    if entries.len() == there {
                        new.hash = known.hash_of(name).map(str::to_owned);
                    }
                    entries.push(new);
                }
            }
            entries
        }
    };
    if shares.without_whole().next().is_none() {
        entries.clear();
    }
    record.narrowed = fewer(entries, most);
    let last = record.narrowed.iter().map(|entry| entry.until.clone()).max();
    if revocation == Revocation::Distinguishable {
        let remain = last.map(|until| RemainingSessionsStatus {
            reason: RemainingReason::FormerPolicy,
            until,
        });
        record.remain.extend(remain);
    }
}

/// Whether somebody may have come who had sessions once.
fn is_bound_anew(old: &RoleSessionsStatus, new: &RoleSessionsStatus) -> bool {
    old.service_accounts != new.service_accounts || old.service_accounts_hash != new.service_accounts_hash
}

/// What is known of how much there was.
struct Known<'a> {
    old: &'a RoleSessionsStatus,
    remembered: Option<&'a SessionShares>,
}

impl Known<'_> {
    /// The entries that are not over.
    fn going_on(&self, shares: &SessionShares, now: Timestamp) -> Vec<NarrowedSessionsStatus> {
        let still = |entry: &&NarrowedSessionsStatus| {
            let Some(of) = &entry.service_account else {
                return entry.until.0 > now;
            };
            let name = shares.without_whole().find(|name| name.as_str() == of);
            // All is as it was, and nobody else had more.
            let is_back = |name| entry.hash.is_some() && shares.hash_of(name) == entry.hash;
            entry.until.0 > now && name.is_some_and(|name| !is_back(name))
        };
        self.old.narrowed.iter().filter(still).cloned().collect()
    }

    /// Whether there were too many for the record.
    fn is_of_all(&self) -> bool {
        let mut recorded = self.old.session_policies.iter();
        recorded.any(|one| one.service_account.is_none())
    }

    /// What is written down of a ServiceAccount that has a session policy.
    fn hash_of(&self, name: &ServiceAccountName) -> Option<&str> {
        let named = |one: &&SessionPoliciesStatus| one.service_account.as_deref() == Some(name.as_str());
        let one = self.old.session_policies.iter().find(named)?;
        Some(one.hash.as_str())
    }

    /// Whether a ServiceAccount may have sessions that are not known to be covered by those that it gets.
    fn had_more(&self, shares: &SessionShares, name: &ServiceAccountName) -> bool {
        let old = self.old;
        let named = |there: &String| there == name.as_str();
        let was_bound = old.service_accounts_hash.is_some() || old.service_accounts.iter().any(named);
        if !was_bound {
            // Bound again, its sessions from before are not cut any more; what they get nobody knows.
            let mut cut = old.cut.iter().map(|entry| entry.service_account.as_ref());
            return cut.any(|of| of.is_none_or(named));
        }
        let Some(hash) = self.hash_of(name) else {
            // It got all of the role.
            return true;
        };
        if shares.hash_of(name).as_deref() == Some(hash) {
            return false;
        }
        let remembered = self
            .remembered
            .filter(|former| former.hash_of(name).as_deref() == Some(hash));
        !remembered.is_some_and(|former| shares.cover(former, name))
    }
}

/// At most so many entries, in the order of their names: where there are more, one stands for all.
fn fewer(mut entries: Vec<NarrowedSessionsStatus>, most: usize) -> Vec<NarrowedSessionsStatus> {
    let is_of_all = entries.iter().any(|entry| entry.service_account.is_none());
    if entries.len() > most || is_of_all {
        let before = entries.iter().map(|entry| entry.before.clone()).max();
        let until = entries.iter().map(|entry| entry.until.clone()).max();
        let all = before.zip(until).map(|(before, until)| NarrowedSessionsStatus {
            service_account: None,
            hash: None,
            before,
            until,
        });
        return all.into_iter().collect();
    }
    entries.sort_by(|a, b| a.service_account.cmp(&b.service_account));
    entries
}
