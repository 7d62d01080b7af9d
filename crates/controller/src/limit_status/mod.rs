//! Writing the status of DelegationLimits, which several controllers of `deputy limits` do: what a limit sums up, what it counts, and an
//! entry for each account.
//!
//! The writes of one object go one after the other, each onto what was just read. Entries that wait for their turn together are written
//! together: 256 accounts that are done at the same time are a few writes, not 256 of an object with 256 entries.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use deputy_api::{
    BoundaryProblem, BoundaryStatus, DelegationLimit, DelegationLimitStatus, conditions::ConditionReason,
};
use deputy_delegation::ObjectName;
use deputy_index::BoundaryKey;
use deputy_runtime::status::patch_status;
use jiff::SignedDuration;
use kube::api::DynamicObject;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;

use crate::{context::ControllerContext, error::ReconcileError, objects};

/// A look within this time of the one that was told of is not told, if it found the same.
const TOLD_FOR: SignedDuration = SignedDuration::from_mins(30);

/// Characters of the message of a problem.
const PROBLEM_CHARS: usize = 1000;

/// A problem as an entry has it.
#[must_use]
pub fn problem(reason: ConditionReason, message: &str) -> BoundaryProblem {
    let mut message = message.to_owned();
    if let Some((end, _)) = message.char_indices().nth(PROBLEM_CHARS) {
        message.truncate(end);
        message.push('…');
    }
    BoundaryProblem {
        reason: reason.to_string(),
        message,
    }
}

/// What a look at one account comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundaryReport {
    /// What to say.
    pub entry: BoundaryStatus,
    /// Whether AWS was seen. If not, what the entry says of it stays as it was.
    is_seen: bool,
}

impl BoundaryReport {
    /// AWS was looked at: the entry is all that is true.
    #[must_use]
    pub fn seen(entry: BoundaryStatus) -> Self {
        Self { entry, is_seen: true }
    }

    /// AWS could not be looked at: what was known of it stays, and when that was seen.
    #[must_use]
    pub fn unseen(account: String, problem: BoundaryProblem) -> Self {
        let entry = BoundaryStatus {
            account,
            problem: Some(problem),
            ..BoundaryStatus::default()
        };
        Self {
            entry,
            is_seen: false,
        }
    }

    /// The entry, where it was `old`.
    #[must_use]
    pub fn onto(&self, old: Option<&BoundaryStatus>) -> BoundaryStatus {
        match old {
            Some(old) if !self.is_seen => BoundaryStatus {
                problem: self.entry.problem.clone(),
                ..old.clone()
            },
            _ => self.entry.clone(),
        }
    }
}

/// Who writes them.
pub struct LimitStatuses {
    ctx: Arc<ControllerContext>,
    turns: Mutex<HashMap<ObjectName, Arc<Turn>>>,
}

#[derive(Default)]
struct Turn {
    writing: Arc<tokio::sync::Mutex<()>>,
    waiting: Mutex<Waiting>,
    /// Whether the last write failed: it may have been done nevertheless.
    is_unsure: AtomicBool,
}

/// Reports that are not written yet, the last one of each account.
#[derive(Default)]
struct Waiting {
    reports: BTreeMap<ObjectName, Waiter>,
    count: u64,
}

#[derive(Clone)]
struct Waiter {
    number: u64,
    /// Of the limit that it is about.
    uid: Option<String>,
    report: BoundaryReport,
}

impl LimitStatuses {
    #[must_use]
    pub fn new(ctx: Arc<ControllerContext>) -> Self {
        Self {
            ctx,
            turns: Mutex::default(),
        }
    }

    /// The turn to write the status of a limit; it ends when that is dropped.
    pub async fn turn(&self, name: &ObjectName) -> OwnedMutexGuard<()> {
        let turn = self.turn_of(name);
        Arc::clone(&turn.writing).lock_owned().await
    }

    fn turn_of(&self, name: &ObjectName) -> Arc<Turn> {
        Arc::clone(self.turns.lock().entry(name.clone()).or_default())
    }

    /// The limit is gone.
    pub fn forget(&self, name: &ObjectName) {
        self.turns
            .lock()
            .retain(|known, turn| known != name || Arc::strong_count(turn) > 1);
    }

    /// Writes the entry of one account, and whatever else waits for the same. Gives whether anything was written by this call, or may
    /// have been by those before it that failed. A limit that is gone, or another one of its name, is none of ours.
    ///
    /// # Errors
    /// Whatever the API server says: the report waits for the next one who writes.
    pub async fn put(
        &self,
        key: &BoundaryKey,
        uid: Option<&str>,
        report: &BoundaryReport,
    ) -> Result<bool, ReconcileError> {
        let turn = self.turn_of(&key.limit);
        let number = turn.waiting.lock().add(&key.account, uid, report);
        let _writing = turn.writing.lock().await;
        let batch = turn.waiting.lock().reports.clone();
        if batch
            .get(&key.account)
            .is_none_or(|waiter| waiter.number < number)
        {
            // Somebody else has written it.
            return Ok(false);
        }
        let was_unsure = turn.is_unsure.load(Ordering::Relaxed);
        let api = objects::cluster_wide::<DelegationLimit>(&self.ctx.client);
        let written = match api.get_opt(key.limit.as_str()).await? {
            Some(object) if object.metadata.deletion_timestamp.is_none() => {
                let old: DelegationLimitStatus = objects::status_of(&object);
                let new = merged(&object, &old.boundaries, &batch);
                new != old.boundaries && {
                    turn.is_unsure.store(true, Ordering::Relaxed);
                    patch_status(&api, &object, &json!({"boundaries": new})).await?
                }
            }
            _ => false,
        };
        turn.waiting.lock().done(&batch);
        turn.is_unsure.store(false, Ordering::Relaxed);
        Ok(written || was_unsure)
    }
}

impl Waiting {
    fn add(&mut self, account: &ObjectName, uid: Option<&str>, report: &BoundaryReport) -> u64 {
        self.count = self.count.wrapping_add(1);
        let waiter = Waiter {
            number: self.count,
            uid: uid.map(str::to_owned),
            report: report.clone(),
        };
        self.reports.insert(account.clone(), waiter);
        self.count
    }

    /// These are written; what came later is not.
    fn done(&mut self, batch: &BTreeMap<ObjectName, Waiter>) {
        self.reports.retain(|account, waiter| {
            batch
                .get(account)
                .is_none_or(|written| written.number != waiter.number)
        });
    }
}

/// The entries of an object, in the order of their accounts, with these reports: never one of an account that it does not name.
fn merged(
    object: &DynamicObject,
    old: &[BoundaryStatus],
    batch: &BTreeMap<ObjectName, Waiter>,
) -> Vec<BoundaryStatus> {
    let named: BTreeSet<&str> = object
        .data
        .pointer("/spec/accounts")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut entries: BTreeMap<&str, BoundaryStatus> = old
        .iter()
        .map(|entry| (entry.account.as_str(), entry.clone()))
        .collect();
    for (account, waiter) in batch {
        if waiter.uid.is_some() && waiter.uid != object.metadata.uid {
            continue;
        }
        let old = entries.get(account.as_str());
        let entry = waiter.report.onto(old);
        if !old.is_some_and(|old| is_told_by(old, &entry)) {
            entries.insert(account.as_str(), entry);
        }
    }
    entries.retain(|account, _| named.contains(account));
    entries.into_values().collect()
}

/// Whether an entry says all that `new` says, of a look that was not much earlier: then a process that begins and looks at everything
/// writes nothing where nothing changed.
fn is_told_by(old: &BoundaryStatus, new: &BoundaryStatus) -> bool {
    let same = BoundaryStatus {
        last_verified: new.last_verified.clone(),
        ..old.clone()
    };
    let (Some(told), Some(looked)) = (&old.last_verified, &new.last_verified) else {
        return same == *new && old.last_verified == new.last_verified;
    };
    same == *new && looked.0.duration_since(told.0).abs() < TOLD_FOR
}

#[cfg(test)]
mod tests;
