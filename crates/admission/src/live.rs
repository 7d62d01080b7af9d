//! One look at the API server before something is refused because of a limit.
//!
//! The index is some milliseconds behind, and tools apply a limit and the roles under it in one go. Whoever asks while a
//! look is under way waits for the next one, which then serves all of them: any number of reviews costs one look at a
//! time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use deputy_delegation::model::RoleId;
use deputy_index::{LookError, Seen, look, look_for_role};
use kube::Client;
use tokio::sync::{Mutex, Semaphore};

use crate::metrics::AdmissionMetrics;

/// How long a review waits for what it looks up, the wait for others included. The API server gives it 10 s by the chart.
const LOOK_TIMEOUT: Duration = Duration::from_secs(3);
/// So many roles are looked up at a time; more wait.
const ROLES_AT_ONCE: usize = 8;

/// What a verdict rests on that the index may not know yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LookAgain {
    /// Limits and accounts.
    Limits,
    /// These and a role.
    Role(RoleId),
}

/// Nothing was seen in time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LiveError {
    #[error(transparent)]
    Look(#[from] LookError),
    #[error("the API server did not answer within {} ms", LOOK_TIMEOUT.as_millis())]
    TimedOut,
}

/// Looks.
#[derive(Clone)]
pub(crate) struct Live {
    client: Client,
    metrics: AdmissionMetrics,
    /// When the last look began, and what it saw.
    last: Arc<Mutex<Option<(Instant, Seen)>>>,
    roles: Arc<Semaphore>,
}

impl Live {
    pub(crate) fn new(client: Client, metrics: AdmissionMetrics) -> Self {
        Self {
            client,
            metrics,
            last: Arc::default(),
            roles: Arc::new(Semaphore::new(ROLES_AT_ONCE)),
        }
    }

    /// What is there now: as it was when this was called, or later.
    pub(crate) async fn look(&self, what: &LookAgain) -> Result<Seen, LiveError> {
        let look = async {
            let (seen, role) = futures::try_join!(self.limits(), async {
                match what {
                    LookAgain::Limits => Ok(None),
                    LookAgain::Role(id) => {
                        // Never closed: an error only means that nobody waits in line.
                        let _turn = self.roles.acquire().await.ok();
                        let role = look_for_role(&self.client, id).await?;
                        Ok(Some((id.clone(), role)))
                    }
                }
            })?;
            Ok(match role {
                Some((id, role)) => seen.with_role(id, role),
                None => seen,
            })
        };
        let seen = tokio::time::timeout(LOOK_TIMEOUT, look)
            .await
            .unwrap_or(Err(LiveError::TimedOut));
        let outcome = if seen.is_ok() { "found" } else { "error" };
        self.metrics.live_read("DelegationLimit", outcome);
        seen
    }

    async fn limits(&self) -> Result<Seen, LiveError> {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((began, seen)) = last.as_ref()
            && *began >= asked
        {
            return Ok(seen.clone());
        }
        let began = Instant::now();
        let seen = look(&self.client).await?;
        *last = Some((began, seen.clone()));
        Ok(seen)
    }
}
