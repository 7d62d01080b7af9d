//! The election against the API server.

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, api::PostParams};
use tokio::{sync::watch, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    LeaseConfig,
    election::{Election, ElectionStep},
};
use crate::watch::describe;

/// The pause before another try when one failed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How long one round (a read and a write) may take.
const ROUND_TIMEOUT: Duration = Duration::from_secs(3);

/// Leadership is lost, and the process must end: whatever it still does may collide with the next leader.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// No renewal succeeded in time.
    #[error("lost the Lease {lease}: not renewed for {seconds} s, the last failure was: {last}")]
    RenewDeadline {
        /// Namespace and name.
        lease: String,
        /// [`LeaseConfig::renew_deadline`], in seconds.
        seconds: u64,
        /// The last failure.
        last: String,
    },
    /// Another holds it although we did not give it up.
    #[error("lost the Lease {lease} to {holder}")]
    Taken {
        /// Namespace and name.
        lease: String,
        /// Who holds it.
        holder: String,
    },
    /// Somebody deleted it: another process may have made it and hold it.
    #[error("lost the Lease {lease}: it was deleted")]
    Missing {
        /// Namespace and name.
        lease: String,
    },
    /// The task that renews the Lease died.
    #[error("the task that renews the Lease {lease} died")]
    Task {
        /// Namespace and name.
        lease: String,
    },
}

impl LeaseError {
    /// A bounded name for metrics and events.
    pub fn category(&self) -> &'static str {
        match self {
            Self::RenewDeadline { .. } => "renew-deadline",
            Self::Taken { .. } => "taken",
            Self::Missing { .. } => "missing",
            Self::Task { .. } => "task",
        }
    }
}

/// Until when the Lease is ours. Both clocks must agree: the monotonic one stands still while a virtual machine is
/// suspended, the other one may be set.
#[derive(Debug, Clone, Copy)]
struct Held {
    monotonic: Instant,
    wall: Timestamp,
}

impl Held {
    fn remaining(&self) -> Option<Duration> {
        let monotonic = self.monotonic.checked_duration_since(Instant::now())?;
        let wall = Duration::try_from(self.wall.duration_since(Timestamp::now())).ok()?;
        Some(monotonic.min(wall)).filter(|remaining| !remaining.is_zero())
    }
}

/// Whether, and for how long, this process is the leader. Clones see the same.
#[derive(Debug, Clone)]
pub struct Leadership {
    held: watch::Receiver<Option<Held>>,
}

impl Leadership {
    /// How long the Lease is still ours if no further renewal succeeds; `None` when it is not ours.
    pub fn remaining(&self) -> Option<Duration> {
        let held = *self.held.borrow();
        held?.remaining()
    }

    /// Whether a call to the outside that takes at most `call_budget` ends while the Lease is ours. Asked before
    /// each call that changes something; the caller enforces the budget.
    pub fn may_write(&self, call_budget: Duration) -> bool {
        self.remaining().is_some_and(|remaining| remaining > call_budget)
    }

    /// Whether the Lease is ours now.
    pub fn is_leader(&self) -> bool {
        self.remaining().is_some()
    }

    /// Resolves when this process is the leader. Never resolves when the election is over.
    pub async fn wait_until_leader(&self) {
        let mut held = self.held.clone();
        loop {
            if self.is_leader() {
                return;
            }
            if held.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Resolves when this process is not the leader: at once when it never was.
    pub async fn lost(&self) {
        let mut held = self.held.clone();
        loop {
            held.borrow_and_update();
            let Some(remaining) = self.remaining() else { return };
            tokio::select! {
                () = tokio::time::sleep(remaining) => {}
                changed = held.changed() => if changed.is_err() {
                    tokio::time::sleep(remaining).await;
                },
            }
        }
    }
}

/// A Lease that a test holds in its hand: no API server, no time.
#[cfg(feature = "test-support")]
#[derive(Debug)]
pub struct LeaseInHand(watch::Sender<Option<Held>>);

#[cfg(feature = "test-support")]
impl LeaseInHand {
    /// One that is not held yet, and who is told of it.
    pub fn new() -> (Self, Leadership) {
        let (sender, held) = watch::channel(None);
        (Self(sender), Leadership { held })
    }

    /// It is held, until it is lost.
    pub fn take(&self) {
        /// Longer than any test.
        const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);
        let wall = Timestamp::now();
        self.0.send_replace(Some(Held {
            monotonic: Instant::now() + FOR_EVER,
            wall: wall.checked_add(FOR_EVER).unwrap_or(wall),
        }));
    }

    /// It is lost.
    pub fn lose(&self) {
        self.0.send_replace(None);
    }
}

/// The running election. Dropping it aborts the election without giving the Lease up.
#[derive(Debug)]
pub struct LeaseTask {
    lease: String,
    release: CancellationToken,
    /// `None` once its result was taken.
    task: Option<JoinHandle<Result<(), LeaseError>>>,
}

impl LeaseTask {
    /// Resolves when leadership was lost. The process must end with exit code 3. May be dropped and called again.
    pub async fn failed(&mut self) -> LeaseError {
        match self.join().await {
            Some(Err(error)) => error,
            Some(Ok(())) | None => LeaseError::Task {
                lease: self.lease.clone(),
            },
        }
    }

    /// Gives the Lease up (when it is ours), so that the next leader need not wait for it to run out. Called when
    /// everything that writes has ended.
    pub async fn release(mut self) -> Result<(), LeaseError> {
        self.release.cancel();
        self.join().await.unwrap_or_else(|| {
            Err(LeaseError::Task {
                lease: self.lease.clone(),
            })
        })
    }

    async fn join(&mut self) -> Option<Result<(), LeaseError>> {
        let result = self.task.as_mut()?.await;
        self.task = None;
        result.ok()
    }
}

impl Drop for LeaseTask {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Stands for election to the Lease of `config` until the task is released or leadership is lost.
///
/// Rights: `get`, `update` on the Lease by name, `create` on Leases in its namespace.
pub fn campaign(client: kube::Client, config: LeaseConfig) -> (Leadership, LeaseTask) {
    let api = Api::<Lease>::namespaced(client, &config.namespace);
    start(
        ApiStore {
            api,
            name: config.name.clone(),
        },
        config,
    )
}

/// A name for this process in elections: the pod's (`POD_NAME`, else `HOSTNAME`) with the process id. A container
/// that is started again in the same pod takes its own Lease over at once.
pub fn default_identity() -> String {
    let host = ["POD_NAME", "HOSTNAME"]
        .into_iter()
        .filter_map(|variable| std::env::var(variable).ok())
        .find(|value| !value.is_empty())
        .unwrap_or_else(|| "deputy".to_owned());
    format!("{host}_{}", std::process::id())
}

fn start(store: impl Store, config: LeaseConfig) -> (Leadership, LeaseTask) {
    let (sender, held) = watch::channel(None);
    let release = CancellationToken::new();
    let lease = format!("{}/{}", config.namespace, config.name);
    let campaign = Campaign {
        store,
        election: Election::new(config),
        lease: lease.clone(),
        held: sender,
        renewed: None,
        last_failure: "none".to_owned(),
    };
    let task = tokio::spawn(campaign.run(release.clone()));
    (
        Leadership { held },
        LeaseTask {
            lease,
            release,
            task: Some(task),
        },
    )
}

/// Why the store refused.
#[derive(Debug, thiserror::Error)]
enum StoreError {
    #[error("somebody else wrote it first")]
    Conflict,
    /// Anything else; the outcome of a write is unknown. Without the body of the response.
    #[error("{0}")]
    Other(String),
}

/// The Lease with optimistic concurrency.
trait Store: Send + Sync + 'static {
    fn get(&self) -> impl Future<Output = Result<Option<Lease>, StoreError>> + Send;
    fn create(&self, lease: &Lease) -> impl Future<Output = Result<(), StoreError>> + Send;
    fn replace(&self, lease: &Lease) -> impl Future<Output = Result<(), StoreError>> + Send;
}

struct ApiStore {
    api: Api<Lease>,
    name: String,
}

impl Store for ApiStore {
    async fn get(&self) -> Result<Option<Lease>, StoreError> {
        self.api.get_opt(&self.name).await.map_err(store_error)
    }

    async fn create(&self, lease: &Lease) -> Result<(), StoreError> {
        self.api
            .create(&PostParams::default(), lease)
            .await
            .map(drop)
            .map_err(store_error)
    }

    async fn replace(&self, lease: &Lease) -> Result<(), StoreError> {
        self.api
            .replace(&self.name, &PostParams::default(), lease)
            .await
            .map(drop)
            .map_err(store_error)
    }
}

fn store_error(error: kube::Error) -> StoreError {
    match &error {
        kube::Error::Api(status)
            if status.is_conflict() || status.is_already_exists() || status.is_not_found() =>
        {
            StoreError::Conflict
        }
        other => StoreError::Other(describe(other)),
    }
}

struct Campaign<S> {
    store: S,
    election: Election,
    lease: String,
    held: watch::Sender<Option<Held>>,
    /// When the renewal that succeeded last was sent; `None` while we are a candidate.
    renewed: Option<Instant>,
    last_failure: String,
}

enum Round {
    Held,
    Waiting {
        holder: String,
        until: Instant,
    },
    /// It was missing, and is there now.
    Made,
    Failed,
}

impl<S: Store> Campaign<S> {
    async fn run(mut self, release: CancellationToken) -> Result<(), LeaseError> {
        let mut waiting_for = None;
        loop {
            let deadline = self
                .renewed
                .map(|renewed| renewed + self.election.config().renew_deadline);
            let timeout = Instant::now() + ROUND_TIMEOUT;
            let timeout = deadline.map_or(timeout, |deadline| deadline.min(timeout));
            let round = tokio::select! {
                round = tokio::time::timeout_at(timeout, self.round()) => round,
                () = release.cancelled() => return self.give_up().await,
            };
            let pause = match round {
                Ok(Round::Held) => self.election.config().retry_period,
                Ok(Round::Waiting { holder, until }) => {
                    if self.renewed.is_some() {
                        self.held.send_replace(None);
                        return Err(LeaseError::Taken {
                            lease: self.lease,
                            holder,
                        });
                    }
                    if waiting_for.as_ref() != Some(&holder) {
                        tracing::info!(lease = self.lease, holder, "waiting for lease");
                        waiting_for = Some(holder);
                    }
                    let left = until.saturating_duration_since(Instant::now());
                    left.min(self.election.config().look_period)
                }
                Ok(Round::Made) if self.renewed.is_some() => {
                    self.held.send_replace(None);
                    return Err(LeaseError::Missing { lease: self.lease });
                }
                Ok(Round::Made) => {
                    tracing::warn!(
                        lease = self.lease,
                        "lease was missing: it is held by nobody until it has run out"
                    );
                    self.election.config().look_period
                }
                Ok(Round::Failed) => RETRY_PAUSE,
                Err(_) => {
                    self.last_failure = "the API server did not answer in time".to_owned();
                    RETRY_PAUSE
                }
            };
            if let Some(renewed) = self.renewed
                && renewed.elapsed() >= self.election.config().renew_deadline
            {
                self.held.send_replace(None);
                return Err(LeaseError::RenewDeadline {
                    lease: self.lease,
                    seconds: self.election.config().renew_deadline.as_secs(),
                    last: self.last_failure,
                });
            }
            let wake = Instant::now() + pause;
            let wake = self.renewed.map_or(wake, |renewed| {
                wake.min(renewed + self.election.config().renew_deadline)
            });
            tokio::select! {
                () = tokio::time::sleep_until(wake) => {}
                () = release.cancelled() => return self.give_up().await,
            }
        }
    }

    async fn round(&mut self) -> Round {
        let lease = match self.store.get().await {
            Ok(lease) => lease,
            Err(error) => return self.failed("read", &error),
        };
        // Counted from before the write is sent: whoever sees it sees it later.
        let sent = Instant::now();
        let wall = Timestamp::now();
        let written = match self.election.decide(lease, sent, wall) {
            ElectionStep::Wait { holder, until } => return Round::Waiting { holder, until },
            ElectionStep::Create(lease) => {
                return match self.store.create(&lease).await {
                    Ok(()) => Round::Made,
                    Err(error) => self.failed("write", &error),
                };
            }
            ElectionStep::Replace(lease) => self.store.replace(&lease).await,
        };
        match written {
            Ok(()) => {
                if self.renewed.is_none() {
                    tracing::info!(lease = self.lease, "lease acquired");
                }
                let duration = self.election.config().duration;
                self.renewed = Some(sent);
                let wall = wall.checked_add(duration).unwrap_or(wall);
                self.held.send_replace(Some(Held {
                    monotonic: sent + duration,
                    wall,
                }));
                Round::Held
            }
            Err(error) => self.failed("write", &error),
        }
    }

    fn failed(&mut self, action: &str, error: &StoreError) -> Round {
        self.last_failure = format!("{action}: {error}");
        tracing::warn!(
            lease = self.lease,
            error = self.last_failure,
            "failed to {action} the Lease"
        );
        Round::Failed
    }

    async fn give_up(self) -> Result<(), LeaseError> {
        self.held.send_replace(None);
        // Even a candidate may hold it: its last write may have arrived without an answer.
        let release = async {
            let lease = self.store.get().await?;
            match lease.and_then(|lease| self.election.released(lease, Timestamp::now())) {
                Some(lease) => self.store.replace(&lease).await.map(|()| true),
                None => Ok(false),
            }
        };
        match tokio::time::timeout(ROUND_TIMEOUT, release).await {
            Ok(Ok(true)) => tracing::info!(lease = self.lease, "lease released"),
            Ok(Ok(false)) => {}
            // It runs out by itself.
            Ok(Err(error)) => tracing::warn!(lease = self.lease, %error, "failed to release the Lease"),
            Err(_) => tracing::warn!(lease = self.lease, "failed to release the Lease in time"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
