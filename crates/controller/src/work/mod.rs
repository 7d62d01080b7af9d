//! Workers on a queue.

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
    queue::{Queue, Requeue},
};

/// No reconciliation takes longer: the API client has no deadline of its own.
const LONGEST: Duration = Duration::from_secs(120);

/// What reconciles one key.
pub type Reconciler<K> = Arc<dyn Fn(K) -> BoxFuture<'static, Result<Requeue, ReconcileError>> + Send + Sync>;

/// Works on the queue with `workers` tasks until the process drains; what is in hand then is finished. A panic in a
/// reconciliation ends that one: an object that brings it about must not keep all others from being looked at.
pub async fn run<K>(
    progress: WorkProgress,
    queue: Queue<K>,
    ctx: Arc<ControllerContext>,
    shutdown: Shutdown,
    workers: usize,
    reconcile: Reconciler<K>,
) where
    K: Clone + Eq + Hash + fmt::Display + Send + Sync + 'static,
{
    // Each a task of its own: what one computes holds up no other, and not the Lease.
    let mut tasks = JoinSet::new();
    for _ in 0..workers {
        let worker = Worker {
            kind: progress.kind(),
            progress: progress.clone(),
            queue: queue.clone(),
            ctx: Arc::clone(&ctx),
            reconcile: Arc::clone(&reconcile),
        };
        let shutdown = shutdown.clone();
        tasks.spawn(async move { worker.run(&shutdown).await });
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
    async fn run(&self, shutdown: &Shutdown) {
        loop {
            let key = tokio::select! {
                key = self.take() => key,
                () = shutdown.draining() => return,
            };
            // In every line about this piece of work, also of the calls that it makes.
            let span = tracing::info_span!("reconcile", kind = self.kind, object = %key);
            // It may have waited long for a key.
            if let Err(stale) = self.ctx.index.current(&ResourceKind::KINDS) {
                span.in_scope(|| tracing::warn!(%stale, "reconciliation put off: the index is stale"));
                self.ctx.metrics.reconciled(self.kind, "stale");
                self.queue.put_back(key);
                continue;
            }
            let begun = self.progress.begin();
            let action = self.reconcile(&key).instrument(span).await;
            drop(begun);
            self.queue.done(key, action);
        }
    }

    /// Only the leader works. The index of the others is kept up to date all the same, for when they lead.
    async fn take(&self) -> K {
        self.ctx.leadership.wait_until_leader().await;
        self.ctx.index.until_current(&ResourceKind::KINDS).await;
        self.queue.take().await
    }

    async fn reconcile(&self, key: &K) -> Requeue {
        let work = contained((self.reconcile)(key.clone()));
        match tokio::time::timeout(LONGEST, work).await {
            Ok(Ok(Ok(action))) => {
                let outcome = if action == Requeue::Retry {
                    "waiting"
                } else {
                    "done"
                };
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
        if matches!(category, "conflict" | "not-leader") {
            tracing::debug!(category, error, "reconciliation put off");
        } else {
            tracing::warn!(category, error, "failed to reconcile");
        }
        Requeue::Retry
    }
}

#[cfg(test)]
mod tests;
