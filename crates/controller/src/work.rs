//! Workers on a queue.

use std::{fmt, future::Future, hash::Hash, sync::Arc, time::Duration};

use deputy_index::Watched;
use deputy_runtime::shutdown::Shutdown;
use futures::future::BoxFuture;

use crate::{
    context::Context,
    error::Error,
    queue::{Next, Queue},
};

/// No reconciliation takes longer: the API client has no deadline of its own.
const LONGEST: Duration = Duration::from_secs(120);

/// What reconciles one key.
pub type Reconcile<K> = Arc<dyn Fn(K) -> BoxFuture<'static, Result<Next, Error>> + Send + Sync>;

/// Wraps a reconciling method.
pub fn reconcile<K, C, F, Fut>(controller: Arc<C>, f: F) -> Reconcile<K>
where
    K: Send + 'static,
    C: Send + Sync + 'static,
    F: Fn(Arc<C>, K) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Next, Error>> + Send + 'static,
{
    Arc::new(move |key| Box::pin(f(controller.clone(), key)))
}

/// Works on the queue with `workers` tasks until the process drains; what is in hand then is finished. A panic in a
/// reconciliation would end the process: none is caught.
pub async fn run<K>(
    kind: &'static str,
    queue: Queue<K>,
    ctx: &Context,
    shutdown: &Shutdown,
    workers: usize,
    reconcile: Reconcile<K>,
) where
    K: Clone + Eq + Hash + fmt::Display + Send + Sync + 'static,
{
    let worker = || async {
        loop {
            // Whoever leads works; what this process knows is for the day it does.
            let next = async {
                ctx.leadership.wait_until_leader().await;
                ctx.world.until_current(&Watched::KINDS).await;
                queue.take().await
            };
            let key = tokio::select! {
                key = next => key,
                () = shutdown.draining() => return,
            };
            // It may have waited long for a key.
            if let Err(stale) = ctx.world.current(&Watched::KINDS) {
                tracing::warn!(kind, %key, %stale, "not reconciled");
                ctx.metrics.reconciled(kind, "stale");
                queue.put_back(key);
                continue;
            }
            let next = match tokio::time::timeout(LONGEST, reconcile(key.clone())).await {
                Ok(Ok(next)) => {
                    let outcome = if next == Next::Retry { "waiting" } else { "done" };
                    ctx.metrics.reconciled(kind, outcome);
                    next
                }
                Ok(Err(error)) => {
                    ctx.metrics.reconciled(kind, error.category());
                    if matches!(error.category(), "conflict" | "not-leader") {
                        tracing::debug!(kind, %key, %error, "again");
                    } else {
                        tracing::warn!(kind, %key, %error, "not reconciled");
                    }
                    Next::Retry
                }
                Err(_) => {
                    ctx.metrics.reconciled(kind, "timeout");
                    tracing::warn!(kind, %key, seconds = LONGEST.as_secs(), "not reconciled in time");
                    Next::Retry
                }
            };
            queue.done(key, next);
        }
    };
    futures::future::join_all((0..workers).map(|_| worker())).await;
}
