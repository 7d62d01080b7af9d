//! What a limit means for the grants under it, counted into its status: not for each change of a grant, of which there may be thousands a
//! minute, but at most once in [`COUNT_EVERY`]; the first change, and a change of the limit itself, at once. Then only the roles that changed
//! are counted again, with their bindings.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use deputy_api::{DelegationLimit, DelegationLimitStatus};
use deputy_delegation::{
    ObjectName,
    model::{Enforcement, LimitEntry, RoleId},
};
use deputy_index::{Index, LimitGrants, LimitTally};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::status;
use crate::{
    context::ControllerContext, error::ReconcileError, limit_status::LimitStatuses, objects, queue::Requeue,
    report,
};

/// The shortest time between two counts of a limit.
pub(super) const COUNT_EVERY: Duration = Duration::from_secs(10);
/// Of the time at most one part in so many goes into counting a limit, however many grants there are under it.
const SHARE: u32 = 20;

/// Counts the grants of limits.
pub struct CountController {
    ctx: Arc<ControllerContext>,
    statuses: Arc<LimitStatuses>,
    times: CountTimes,
    tallies: Tallies,
}

impl CountController {
    #[must_use]
    pub fn new(ctx: Arc<ControllerContext>, statuses: Arc<LimitStatuses>) -> Self {
        Self {
            ctx,
            statuses,
            times: CountTimes::default(),
            tallies: Tallies::default(),
        }
    }

    /// These roles have changed, under these limits.
    pub fn changed(&self, counted: &BTreeMap<ObjectName, BTreeSet<RoleId>>) {
        counted
            .iter()
            .for_each(|(limit, roles)| self.tallies.changed(limit, roles));
    }

    /// Counts the grants under one limit, if it is time to, and says so in its status.
    ///
    /// # Errors
    /// [`ReconcileError`]; the key is tried again.
    pub async fn count(&self, name: &ObjectName) -> Result<Requeue, ReconcileError> {
        let Some((LimitEntry::Valid(limit), meta, _)) = self.ctx.index.limit(name) else {
            self.times.forget(name);
            self.tallies.forget(name);
            return Ok(Requeue::AwaitChange);
        };
        if let Some(left) = self.times.begin(name, meta.generation) {
            return Ok(Requeue::After(left));
        }
        let begun = Instant::now();
        let counted = {
            let (name, (known, changed)) = (name.clone(), self.tallies.begin(name));
            self.ctx
                .decide(move |index| count_again(index, &name, known, &changed))
                .await
        };
        self.times.end(name, begun.elapsed());
        let grants = match counted? {
            Some((tally, grants)) => {
                self.tallies.end(name, tally);
                Some(grants)
            }
            None => None,
        };
        let _turn = self.statuses.turn(name).await;
        let api = objects::cluster_wide::<DelegationLimit>(&self.ctx.client);
        let object = api.get_opt(name.as_str()).await?;
        let Some(object) = object.filter(|o| o.metadata.deletion_timestamp.is_none()) else {
            return Ok(Requeue::AwaitChange);
        };
        let old: DelegationLimitStatus = objects::status_of(&object);
        let is_dry_run = limit.enforcement == Enforcement::DryRun;
        let new = status::counted(&old, &limit.ceiling, is_dry_run, grants.as_ref());
        report::write_status::<DelegationLimit, _>(&self.ctx, &api, &object, &old, &new).await?;
        Ok(Requeue::AwaitChange)
    }
}

/// Counts the roles that changed; all of them where nothing is known. `None` while nothing can be decided.
fn count_again(
    index: &Index,
    limit: &ObjectName,
    known: Option<LimitTally>,
    changed: &BTreeSet<RoleId>,
) -> Option<(LimitTally, LimitGrants)> {
    let tally = match known {
        Some(mut tally) => index.count_again(limit, &mut tally, changed).then_some(tally)?,
        None => index.tally(limit)?,
    };
    let grants = index.counted(limit, &tally);
    Some((tally, grants))
}

/// More changed roles than these are not remembered one by one: all are counted again.
pub(super) const CHANGED_MAX: usize = 10_000;

/// What limits were counted to, and what has changed since.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    /// None of a limit that was never counted: all is to be.
    known: Mutex<HashMap<ObjectName, Tallied>>,
}

#[derive(Debug, Default)]
struct Tallied {
    /// None while it is counted.
    tally: Option<LimitTally>,
    changed: BTreeSet<RoleId>,
}

impl Tallies {
    pub(super) fn changed(&self, limit: &ObjectName, roles: &BTreeSet<RoleId>) {
        let mut known = self.known.lock();
        let Some(tallied) = known.get_mut(limit) else {
            return;
        };
        tallied.changed.extend(roles.iter().cloned());
        if tallied.changed.len() > CHANGED_MAX {
            known.remove(limit);
        }
    }

    /// Begins to count: from what is known with what changed since, or from the beginning. What changes from now on is for the next
    /// count.
    pub(super) fn begin(&self, limit: &ObjectName) -> (Option<LimitTally>, BTreeSet<RoleId>) {
        let tallied = self.known.lock().insert(limit.clone(), Tallied::default());
        tallied.map_or_else(Default::default, |tallied| match tallied.tally {
            Some(tally) => (Some(tally), tallied.changed),
            // A count was broken off.
            None => (None, BTreeSet::new()),
        })
    }

    /// It was counted to this. A count that is broken off does not come here: the next one begins from the beginning.
    pub(super) fn end(&self, limit: &ObjectName, tally: LimitTally) {
        if let Some(tallied) = self.known.lock().get_mut(limit) {
            tallied.tally = Some(tally);
        }
    }

    fn forget(&self, limit: &ObjectName) {
        self.known.lock().remove(limit);
    }
}

/// When limits were counted.
#[derive(Debug, Default)]
pub(super) struct CountTimes {
    last: Mutex<HashMap<ObjectName, LastCount>>,
}

#[derive(Debug)]
struct LastCount {
    /// Of the limit that was counted.
    generation: i64,
    /// When it may be counted again.
    next: Instant,
}

impl CountTimes {
    /// Begins to count, unless it is too early: then gives how long to wait.
    pub(super) fn begin(&self, name: &ObjectName, generation: i64) -> Option<Duration> {
        let (mut last, now) = (self.last.lock(), Instant::now());
        if let Some(known) = last.get(name)
            && known.generation == generation
            && known.next > now
        {
            return Some(known.next.duration_since(now));
        }
        let next = now + COUNT_EVERY;
        last.insert(name.clone(), LastCount { generation, next });
        None
    }

    /// A count took so long.
    pub(super) fn end(&self, name: &ObjectName, took: Duration) {
        let next = Instant::now() + took.saturating_mul(SHARE);
        if let Some(known) = self.last.lock().get_mut(name) {
            known.next = known.next.max(next);
        }
    }

    fn forget(&self, name: &ObjectName) {
        self.last.lock().remove(name);
    }
}
