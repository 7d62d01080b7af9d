//! What a limit means for the grants under it, counted into its status: not for each change of a grant, of which there may be thousands a
//! minute, but at most once in [`COUNT_EVERY`]; the first change, and a change of the limit itself, at once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use deputy_api::{DelegationLimit, DelegationLimitStatus};
use deputy_delegation::{
    ObjectName,
    model::{Enforcement, LimitEntry},
};
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
}

impl CountController {
    #[must_use]
    pub fn new(ctx: Arc<ControllerContext>, statuses: Arc<LimitStatuses>) -> Self {
        Self {
            ctx,
            statuses,
            times: CountTimes::default(),
        }
    }

    /// Counts the grants under one limit, if it is time to, and says so in its status.
    ///
    /// # Errors
    /// [`ReconcileError`]; the key is tried again.
    pub async fn count(&self, name: &ObjectName) -> Result<Requeue, ReconcileError> {
        let Some((LimitEntry::Valid(limit), meta, _)) = self.ctx.index.limit(name) else {
            self.times.forget(name);
            return Ok(Requeue::AwaitChange);
        };
        if let Some(left) = self.times.begin(name, meta.generation) {
            return Ok(Requeue::After(left));
        }
        let begun = Instant::now();
        let counted = {
            let name = name.clone();
            self.ctx.decide(move |index| index.grants_under(&name)).await
        };
        self.times.end(name, begun.elapsed());
        let grants = counted?;
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
