//! What every controller of a process shares.

use std::sync::Arc;

use deputy_aws::Clients;
use deputy_delegation::{ClusterName, ClusterUid};
use deputy_index::Index;
use deputy_runtime::{
    contain::{Panicked, attempt},
    lease::Leadership,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use tokio::sync::Semaphore;

use crate::{
    error::ReconcileError,
    events::{EventRecorder, ObjectEvent},
    metrics::ControllerMetrics,
    progress::WorkProgress,
};

/// Whether a write to AWS may begin now.
pub type MayWrite<'a> = &'a (dyn Fn() -> bool + Send + Sync);

/// What time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Shared by the controllers of a process. Only *dereference*, the finalizer, *apply* and *report* use the clients.
pub struct ControllerContext {
    pub cluster: ClusterName,
    /// Which cluster of that name it is.
    pub cluster_uid: ClusterUid,
    pub client: Client,
    pub aws: Arc<Clients>,
    /// What is known of the cluster.
    pub index: Arc<Index>,
    /// Whether this process may write.
    pub leadership: Leadership,
    pub metrics: ControllerMetrics,
    pub recorder: EventRecorder,
    /// Whether the broker gives sessions to people.
    pub people: PeopleApi,
    /// Leave to compute decisions, for as many at a time as there are processors.
    pub deciding: Arc<Semaphore>,
    /// Whether decisions come to an end.
    pub decisions: WorkProgress,
    /// This machine's, but in tests.
    pub clock: Clock,
}

/// Whether the API by which people get sessions is served in this cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PeopleApi {
    /// It is.
    Served,
    /// It is not.
    #[default]
    Absent,
}

impl ControllerContext {
    /// As many decisions at a time as there are processors.
    #[must_use]
    pub fn processors() -> Arc<Semaphore> {
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Arc::new(Semaphore::new(count))
    }

    /// Decides something about the index on a thread where computing holds nobody up: the Lease is renewed and probes are
    /// answered meanwhile.
    ///
    /// # Errors
    /// [`ReconcileError::Panicked`] when the decision panicked.
    pub async fn decide<T: Send + 'static>(
        &self,
        decide: impl FnOnce(&Index) -> T + Send + 'static,
    ) -> Result<T, ReconcileError> {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.deciding).acquire_owned().await.ok();
        let (index, begun) = (Arc::clone(&self.index), self.decisions.begin());
        let span = tracing::Span::current();
        let task = tokio::task::spawn_blocking(move || {
            let decided = span.in_scope(|| attempt(|| decide(&index)));
            drop((permit, begun));
            decided
        });
        Ok(task.await.map_err(|_| Panicked)??)
    }

    /// This machine's clock.
    #[must_use]
    pub fn system_clock() -> Clock {
        Arc::new(Timestamp::now)
    }

    /// The time: for conditions, and for when sessions are over. Nothing rests on its being right to the minute.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Whether a write to AWS may begin: only while the Lease has more time left than the call can take.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.leadership.may_write(self.aws.timeouts().longest_write())
    }

    /// Tells users about `object`. An event that can't be written fails nothing.
    pub async fn publish_event(&self, object: &ObjectReference, warning: bool, reason: &str, message: &str) {
        let told = ObjectEvent {
            about: object,
            is_warning: warning,
            reason,
            note: message,
        };
        if let Err(error) = self.recorder.publish(told).await {
            tracing::debug!(%error, reason, "event not written");
        }
    }
}
