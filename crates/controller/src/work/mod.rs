//! Works on the keys of a queue, each in a task of its own.

use std::{fmt, hash::Hash, sync::Arc, time::Duration};

use deputy_index::ResourceKind;
use deputy_runtime::{contain::contained, shutdown::Shutdown};
use futures::future::BoxFuture;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::{
    context::ControllerContext,
    error::{ReconcileError, chain},
    progress::WorkProgress,
    queue::{Lane, Queue, Requeue, Superseded, WorkItem},
};

/// No reconciliation takes longer: the API client has no deadline of its own.
const LONGEST: Duration = Duration::from_secs(120);

/// How urgent a reconciliation is, and whether it has become more urgent since it began.
#[derive(Debug, Clone)]
pub struct Urgency {
    pub lane: Lane,
    pub superseded: Superseded,
}

#[cfg(test)]
impl Urgency {
    /// Something changed, and nothing else does meanwhile.
    pub(crate) fn change() -> Self {
        Self {
            lane: Lane::Change,
            superseded: Superseded::never(),
        }
    }
}

/// What reconciles one key.
pub type Reconciler<K> =
    Arc<dyn Fn(K, Urgency) -> BoxFuture<'static, Result<Requeue, ReconcileError>> + Send + Sync>;

/// Works on the queue until the process drains; what is in hand then is finished. How many keys are in hand at a time says the queue. A
/// panic in a reconciliation ends that one: an object that brings it about must not keep all others from being looked at.
pub async fn run<K>(
    progress: WorkProgress,
    queue: Queue<K>,
    ctx: Arc<ControllerContext>,
    shutdown: Shutdown,
    reconcile: Reconciler<K>,
) where
    K: Clone + Eq + Hash + fmt::Display + Send + Sync + 'static,
{
    let worker = Arc::new(Worker {
        kind: progress.kind(),
        progress,
        queue,
        ctx,
        reconcile,
    });
    // Each a task of its own: what one computes holds up no other, and not the Lease.
    let mut tasks = JoinSet::new();
    loop {
        let item = tokio::select! {
            item = worker.take() => item,
            Some(_ended) = tasks.join_next() => continue,
            () = shutdown.draining() => break,
        };
        // In every line about this piece of work, also of the calls that it makes.
        let span = tracing::info_span!("reconcile", kind = worker.kind, object = %item.key);
        // It may have waited long for a key.
        if let Err(stale) = worker.ctx.index.current(&ResourceKind::KINDS) {
            span.in_scope(|| tracing::warn!(%stale, "reconciliation put off: the index is stale"));
            worker.ctx.metrics.reconciled(worker.kind, "stale");
            worker.queue.put_back(item);
            continue;
        }
        let worker = Arc::clone(&worker);
        tasks.spawn(async move { worker.work(item).await }.instrument(span));
    }
    while tasks.join_next().await.is_some() {}
}

struct Worker<K> {
    kind: &'static str,
    progress: WorkProgress,
    queue: Queue<K>,
    ctx: Arc<ControllerContext>,
    reconcile: Reconciler<K>,
}

impl<K: Clone + Eq + Hash + fmt::Display> Worker<K> {
    /// Only the leader works. The index of the others is kept up to date all the same, for when they lead.
    async fn take(&self) -> WorkItem<K> {
        self.ctx.leadership.wait_until_leader().await;
        self.ctx.index.until_current(&ResourceKind::KINDS).await;
        self.queue.take().await
    }

    async fn work(&self, item: WorkItem<K>) {
        let begun = self.progress.begin();
        let urgency = Urgency {
            lane: item.lane,
            superseded: item.superseded,
        };
        let action = self.reconcile(&item.key, urgency).await;
        drop(begun);
        self.queue.done(item.key, action);
    }

    async fn reconcile(&self, key: &K, urgency: Urgency) -> Requeue {
        let work = contained((self.reconcile)(key.clone(), urgency));
        match tokio::time::timeout(LONGEST, work).await {
            Ok(Ok(Ok(action))) => {
                let outcome = if action.is_retry() { "waiting" } else { "done" };
                self.ctx.metrics.reconciled(self.kind, outcome);
                action
            }
            Ok(Ok(Err(error))) => self.failed(&error),
            Ok(Err(panicked)) => self.failed(&panicked.into()),
            Err(_) => {
                self.ctx.metrics.reconciled(self.kind, "timeout");
                tracing::warn!(seconds = LONGEST.as_secs(), "reconciliation timed out");
                Requeue::Retry
            }
        }
    }

    fn failed(&self, error: &ReconcileError) -> Requeue {
        let category = error.category();
        self.ctx.metrics.reconciled(self.kind, category);
        let error = chain(error);
        if matches!(category, "conflict" | "not-leader" | "superseded") {
            tracing::debug!(category, error, "reconciliation put off");
        } else {
            tracing::warn!(category, error, "failed to reconcile");
        }
        Requeue::Retry
    }
}

#[cfg(test)]
mod tests;
