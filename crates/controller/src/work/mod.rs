//! Workers on a queue.

use std::{fmt, future::Future, hash::Hash, sync::Arc, time::Duration};

use deputy_index::ResourceKind;
use deputy_runtime::{
    contain::{Panicked, contained},
    shutdown::Shutdown,
};
use futures::future::BoxFuture;
use tokio::task::JoinSet;

use crate::{
    context::Context,
    error::Error,
    progress::Progress,
    queue::{Queue, Requeue},
};

/// No reconciliation takes longer: the API client has no deadline of its own.
const LONGEST: Duration = Duration::from_secs(120);

/// What reconciles one key.
pub type Reconcile<K> = Arc<dyn Fn(K) -> BoxFuture<'static, Result<Requeue, Error>> + Send + Sync>;

/// Wraps a reconciling method.
pub fn reconcile<K, C, F, Fut>(controller: Arc<C>, f: F) -> Reconcile<K>
where
    K: Send + 'static,
    C: Send + Sync + 'static,
    F: Fn(Arc<C>, K) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Requeue, Error>> + Send + 'static,
{
    Arc::new(move |key| Box::pin(f(controller.clone(), key)))
}

/// Works on the queue with `workers` tasks until the process drains; what is in hand then is finished. A panic in a
/// reconciliation ends that one: an object that brings it about must not keep all others from being looked at.
pub async fn run<K>(
    progress: Progress,
    queue: Queue<K>,
    ctx: Arc<Context>,
    shutdown: Shutdown,
    workers: usize,
    reconcile: Reconcile<K>,
) where
    K: Clone + Eq + Hash + fmt::Display + Send + Sync + 'static,
{
    // Each a task of its own: what one computes holds up no other, and not the Lease.
    let mut tasks = JoinSet::new();
    for _ in 0..workers {
        let worker = Worker {
            kind: progress.what(),
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
    progress: Progress,
    queue: Queue<K>,
    ctx: Arc<Context>,
    reconcile: Reconcile<K>,
}

impl<K: Clone + Eq + Hash + fmt::Display> Worker<K> {
    async fn run(&self, shutdown: &Shutdown) {
        loop {
            let key = tokio::select! {
                key = self.take() => key,
                () = shutdown.draining() => return,
            };
            // It may have waited long for a key.
            if let Err(stale) = self.ctx.index.current(&ResourceKind::KINDS) {
                tracing::warn!(kind = self.kind, %key, %stale, "not reconciled");
                self.ctx.metrics.reconciled(self.kind, "stale");
                self.queue.put_back(key);
                continue;
            }
            let begun = self.progress.begin();
            let next = self.reconcile(&key).await;
            drop(begun);
            self.queue.done(key, next);
        }
    }

    /// Whoever leads works; what this process knows is for the day it does.
    async fn take(&self) -> K {
        self.ctx.leadership.wait_until_leader().await;
        self.ctx.index.until_current(&ResourceKind::KINDS).await;
        self.queue.take().await
    }

    async fn reconcile(&self, key: &K) -> Requeue {
        let kind = self.kind;
        let work = contained((self.reconcile)(key.clone()));
        match tokio::time::timeout(LONGEST, work).await {
            Ok(Ok(Ok(next))) => {
                let outcome = if next == Requeue::Retry { "waiting" } else { "done" };
                self.ctx.metrics.reconciled(kind, outcome);
                next
            }
            Ok(Ok(Err(error))) => self.failed(key, &error),
            Ok(Err(Panicked)) => self.failed(key, &Error::Fault),
            Err(_) => {
                self.ctx.metrics.reconciled(kind, "timeout");
                tracing::warn!(kind, %key, seconds = LONGEST.as_secs(), "not reconciled in time");
                Requeue::Retry
            }
        }
    }

    fn failed(&self, key: &K, error: &Error) -> Requeue {
        let kind = self.kind;
        self.ctx.metrics.reconciled(kind, error.category());
        if matches!(error.category(), "conflict" | "not-leader") {
            tracing::debug!(kind, %key, %error, "again");
        } else {
            tracing::warn!(kind, %key, %error, "not reconciled");
        }
        Requeue::Retry
    }
}

#[cfg(test)]
mod tests;
