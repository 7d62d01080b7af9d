//! The queue of a kind with its workers, and what is put into it.

use std::{collections::BTreeSet, fmt, hash::Hash, sync::Arc};

use deputy_delegation::model::{ObjectId, RoleId};
use deputy_index::Index;
use deputy_runtime::shutdown::Shutdown;

use crate::{
    context::ControllerContext,
    error::ReconcileError,
    progress::WorkProgress,
    queue::{Lane, PerLane, Place, Queue, Requeue, Workers},
    work::{self, Reconciler, Urgency},
};

/// The queue of a kind, and whether its work gets done.
pub(crate) struct KindQueue<K> {
    pub(crate) queue: Queue<K>,
    progress: WorkProgress,
}

impl<K: Clone + Eq + Hash + fmt::Display + Send + Sync + 'static> KindQueue<K> {
    pub(crate) fn new(
        kind: &'static str,
        workers: Workers,
        place_of: impl Fn(&K) -> Place + Send + Sync + 'static,
    ) -> Self {
        Self {
            queue: Queue::new(workers, place_of),
            progress: WorkProgress::new(kind),
        }
    }

    /// Works on the queue until the process drains.
    pub(crate) async fn work<F>(
        &self,
        ctx: &Arc<ControllerContext>,
        shutdown: &Shutdown,
        reconcile: impl Fn(K, Urgency) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<Requeue, ReconcileError>> + Send + 'static,
    {
        let reconciler: Reconciler<K> = Arc::new(move |key, urgency| Box::pin(reconcile(key, urgency)));
        let (progress, queue) = (self.progress.clone(), self.queue.clone());
        work::run(progress, queue, ctx.clone(), shutdown.clone(), reconciler).await;
    }

    /// For the gauges and the liveness of the process.
    pub(crate) fn observed(&self) -> (WorkProgress, Depth) {
        let queue = self.queue.clone();
        (self.progress.clone(), Box::new(move || queue.depth()))
    }
}

/// Why a key is put into a queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was there when the process began.
    Start,
    /// Something about it changed.
    Change,
}

impl Origin {
    fn lane(self) -> Lane {
        match self {
            Self::Start => Lane::Routine,
            Self::Change => Lane::Change,
        }
    }

    /// How urgent a role is, as far as that can be told without deciding.
    pub(crate) fn lane_of_role(self, index: &Index, id: &RoleId, is_unbound: bool) -> Lane {
        let is_going = index.role(id).is_none_or(|role| role.meta.terminating);
        match self {
            Self::Change if is_going || is_unbound => Lane::Revoke,
            _ => self.lane(),
        }
    }

    /// The same of a statement: what takes away comes first.
    pub(crate) fn lane_of_statement(self, index: &Index, id: &ObjectId) -> Lane {
        let is_going = index.statement(id).is_none_or(|view| view.meta.terminating);
        if self == Self::Change && is_going {
            return Lane::Revoke;
        }
        self.lane()
    }

    pub(crate) fn enqueue<K: Clone + Eq + Hash + Ord>(
        self,
        queue: &Queue<K>,
        keys: impl IntoIterator<Item = K>,
        echoed: &BTreeSet<K>,
    ) {
        for key in keys {
            if echoed.contains(&key) {
                queue.add_echo(key);
            } else {
                queue.add(key, self.lane());
            }
        }
    }
}

/// How many keys wait in a queue.
pub(crate) type Depth = Box<dyn Fn() -> PerLane + Send>;
