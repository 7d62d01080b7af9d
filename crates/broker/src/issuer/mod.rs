//! Sessions: made once for any number of concurrent callers, kept, and renewed long before they end.
//!
//! A call to STS runs in a task of its own, so a caller who goes away harms nobody, and one who waits longer than
//! [`IssuerOptions::answer_within`] hears "try again" while the call goes on for the next. It passes the [`gate`] first. After a failure
//! STS is left alone for a moment with the same request, longer with each further one. What is kept is bounded in bytes ([`store`]).

mod failures;
mod gate;
mod gated;
mod key;
mod outcome;
mod session;
mod store;

use std::{collections::hash_map::Entry, sync::Arc, time::Duration};

use deputy_delegation::{ObjectName, Uid};
use deputy_runtime::contain::contained;
use jiff::Timestamp;
use tokio::sync::watch;
use tracing::Instrument as _;

pub use self::{
    gate::{CallUrgency, GateFigures, GateOptions, NotSent, StsGate, StsRoute, StsSource},
    gated::GatedClients,
    key::{FederatedSessionKey, RoleSessionKey, SessionKey},
    outcome::IssueError,
    session::{Issued, Renewal},
};
use self::{
    outcome::CallOutcome,
    store::{Shard, Shards, UnderWay},
};

/// Limits of the issuer.
#[derive(Debug, Clone, Copy)]
pub struct IssuerOptions {
    /// How long a caller waits for an answer; the JavaScript SDK gives up after one second.
    pub answer_within: Duration,
    /// Bytes of sessions that are kept, estimated.
    pub kept_bytes: usize,
    /// Locks over which what is kept is spread, 64 at most.
    pub shards: usize,
    /// What calls to STS pass.
    pub gate: GateOptions,
}

impl Default for IssuerOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            answer_within: Duration::from_millis(900),
            kept_bytes: 64 * 1024 * 1024,
            shards: cores.saturating_mul(4),
            gate: GateOptions::default(),
        }
    }
}

/// Told of each session that STS made, and of the limits that accepted it.
pub type OnIssued = dyn Fn(&SessionKey, &Issued, &[ObjectName]) + Send + Sync;

/// How much is kept: the figures for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeptFigures {
    pub sessions: usize,
    /// Estimated.
    pub bytes: usize,
    /// Sessions that gave way to others while they were good, since the process began.
    pub evicted: u64,
}

/// Makes and keeps sessions. Cheap to clone.
#[derive(Clone)]
pub struct Issuer {
    shards: Arc<Shards>,
    gate: StsGate,
    options: IssuerOptions,
    on_issued: Arc<OnIssued>,
    clock: fn() -> Timestamp,
}

impl Issuer {
    /// An issuer without sessions. `on_issued` runs once for each session that STS made: the audit log.
    pub fn new(options: IssuerOptions, on_issued: Arc<OnIssued>) -> Self {
        Self::with_clock(options, on_issued, Timestamp::now)
    }

    pub(crate) fn with_clock(
        options: IssuerOptions,
        on_issued: Arc<OnIssued>,
        clock: fn() -> Timestamp,
    ) -> Self {
        Self {
            shards: Arc::new(Shards::new(options.shards, options.kept_bytes)),
            gate: StsGate::new(options.gate, clock),
            options,
            on_issued,
            clock,
        }
    }

    /// What all calls to STS pass.
    #[must_use]
    pub fn gate(&self) -> &StsGate {
        &self.gate
    }

    /// The session that is kept for `key`, if it is still good. Renewed in the background when it is due: whoever asks has an answer already.
    /// `sts` is asked for then alone, and may have nothing to renew with.
    pub fn cached_session(
        &self,
        key: &SessionKey,
        sts: impl FnOnce() -> Option<StsSource>,
    ) -> Option<Arc<Issued>> {
        let (issued, wanted) = {
            let mut shard = self.shards.of(key);
            let issued = shard.kept.asked_for(key, (self.clock)())?;
            // While that is under way, or failed a moment ago, there is nothing to begin, and so nothing to ask for.
            let wanted = issued.is_due() && self.may_begin(&shard, key);
            (issued, wanted)
        };
        if wanted && let Some(source) = sts() {
            self.renew(key, &issued, &source);
        }
        Some(issued)
    }

    /// The same, and nothing is renewed: what is known of the cluster is too old for a new session.
    #[must_use]
    pub fn cached(&self, key: &SessionKey) -> Option<Arc<Issued>> {
        self.shards.of(key).kept.asked_for(key, (self.clock)())
    }

    /// A session for `key`: the one that is kept, or a new one.
    ///
    /// # Errors
    /// [`IssueError::Slow`] after [`IssuerOptions::answer_within`], what STS said, now or a moment ago, or why it was not asked.
    pub async fn session(
        &self,
        key: &SessionKey,
        renewal: Renewal,
        source: &StsSource,
    ) -> Result<Arc<Issued>, IssueError> {
        if let Some(issued) = self.cached_session(key, || Some(source.clone())) {
            return Ok(issued);
        }
        let mut outcome = {
            let mut shard = self.shards.of(key);
            if let Some(failure) = shard.failures.holding(self.shards.digest(key)) {
                return Err(IssueError::Aws(failure.error.clone()));
            }
            self.start(&mut shard, key, renewal, source, CallUrgency::First)
        };
        let answer = async {
            match outcome.wait_for(Option::is_some).await {
                Ok(outcome) => outcome.clone().unwrap_or(Err(IssueError::Slow)),
                // It died, and so did its sender.
                Err(_) => Err(IssueError::Slow),
            }
        };
        tokio::time::timeout(self.options.answer_within, answer)
            .await
            .unwrap_or(Err(IssueError::Slow))
    }

    /// Whether neither a call for `key` is under way nor one failed a moment ago.
    fn may_begin(&self, shard: &Shard, key: &SessionKey) -> bool {
        !shard.under_way.contains_key(key) && shard.failures.holding(self.shards.digest(key)).is_none()
    }

    fn renew(&self, key: &SessionKey, issued: &Issued, source: &StsSource) {
        let mut shard = self.shards.of(key);
        if self.may_begin(&shard, key) {
            // Nobody waits for it.
            let _renewing = self.start(&mut shard, key, issued.renewal, source, CallUrgency::Renewal);
        }
    }

    /// Joins the call under way for `key`, or begins one.
    fn start(
        &self,
        shard: &mut Shard,
        key: &SessionKey,
        renewal: Renewal,
        source: &StsSource,
        urgency: CallUrgency,
    ) -> watch::Receiver<CallOutcome> {
        let key = Arc::new(key.clone());
        let (tx, rx) = watch::channel(None);
        match shard.under_way.entry(Arc::clone(&key)) {
            Entry::Occupied(running) => return running.get().outcome.clone(),
            Entry::Vacant(vacant) => vacant.insert(UnderWay {
                outcome: rx.clone(),
                is_abandoned: false,
            }),
        };
        let (this, source) = (self.clone(), source.clone());
        let work = async move {
            let Ok(result) = contained(this.call(&key, renewal, &source, urgency)).await else {
                // Whoever waits hears that it takes longer; the next request begins anew.
                this.shards.of(&key).under_way.remove(&key);
                return;
            };
            this.note(&key, &result, urgency);
            // Nobody may be waiting any more; the session is kept all the same.
            tx.send_replace(Some(result));
        };
        // The lines of the call are those of the request that began it.
        tokio::spawn(work.in_current_span());
        rx
    }

    async fn call(
        &self,
        key: &SessionKey,
        renewal: Renewal,
        source: &StsSource,
        urgency: CallUrgency,
    ) -> Result<Arc<Issued>, IssueError> {
        let what = (&source.route, urgency, key.caller(renewal));
        let call = key.call(source.sts.as_ref());
        let answer = self.gate.call(what, key.operation(), call).await;
        let session = answer
            .map_err(IssueError::NotSent)?
            .map_err(|error| IssueError::Aws(Arc::new(error)))?;
        let life = Duration::from_secs(u64::from(key.seconds()));
        let issued = Arc::new(Issued::new(session, life, renewal));
        source.place.take();
        (self.on_issued)(key, &issued, &source.limits);
        Ok(issued)
    }

    /// Keeps what a call came to.
    fn note(&self, key: &Arc<SessionKey>, result: &Result<Arc<Issued>, IssueError>, urgency: CallUrgency) {
        let digest = self.shards.digest(key);
        let mut shard = self.shards.of(key);
        let is_abandoned = shard.under_way.remove(key).is_some_and(|call| call.is_abandoned);
        match result {
            Ok(issued) => {
                shard.failures.succeeded(digest);
                if !is_abandoned {
                    shard.kept.insert(key, issued, urgency == CallUrgency::First);
                }
            }
            Err(IssueError::Aws(error)) => shard.failures.failed(digest, error.clone(), urgency),
            // STS said nothing.
            Err(IssueError::NotSent(_) | IssueError::Slow) => {}
        }
    }

    /// Renews what is due and was asked for since it was made, and forgets what has ended. Called by a ticker; costs as much as there is of
    /// that. A renewal is a new session: it is decided like one, and made with what `granted` gives; nothing, and it is nobody's any more.
    pub fn renew_due(&self, granted: impl Fn(&SessionKey) -> Renewable) {
        let now = (self.clock)();
        let mut due = Vec::new();
        for mut shard in self.shards.each() {
            shard.failures.tidy();
            due.extend(shard.kept.take_due(now));
        }
        // Others ask for sessions while that is decided.
        for key in due {
            match granted(&key) {
                Renewable::With(source) => {
                    let issued = self.shards.of(&key).kept.get(&key).cloned();
                    if let Some(issued) = issued {
                        self.renew(&key, &issued, &source);
                    }
                }
                Renewable::NotNow => {}
                Renewable::No => self.shards.of(&key).kept.remove(&key),
            }
        }
    }

    /// Forgets what is kept for a pod alone: it has ended.
    pub fn pod_ended(&self, pod: &Uid) {
        self.shards.pod_ended(pod);
    }

    /// How much is kept.
    #[must_use]
    pub fn kept(&self) -> KeptFigures {
        let mut figures = KeptFigures::default();
        for shard in self.shards.each() {
            figures.sessions += shard.kept.len();
            figures.bytes += shard.kept.bytes();
            figures.evicted += shard.kept.evicted();
        }
        figures
    }
}

/// Whether a session that is kept would be given now.
pub enum Renewable {
    /// It would, by this.
    With(StsSource),
    /// It would, and nothing is there to make it with. What is kept stays.
    NotNow,
    /// It would not.
    No,
}

#[cfg(test)]
mod tests;
