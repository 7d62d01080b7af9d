//! Sessions: made once for any number of concurrent callers, kept, and renewed long before they end.
//!
//! A call to STS runs in a task of its own, so a caller who goes away harms nobody, and one who waits longer than
//! [`IssuerOptions::answer_within`] hears "try again" while the call goes on for the next. After a failure STS is left
//! alone for a moment with the same request, longer with each further one.

mod key;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use deputy_aws::{AwsError, Session, Sts};
use deputy_runtime::contain::contained;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};
use tracing::Instrument as _;

pub use self::key::{FederatedSessionKey, RoleSessionKey, SessionKey};

/// How long a session may be used before a new one is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// A sixth of its life: for sessions that many pods share, so that all of them ride out a long outage of STS.
    Shared,
    /// Half of its life.
    Single,
    /// Half of its life; the next one is made when somebody asks again. Who asked may not be in a group any more that gave it.
    OnRequest,
}

/// Limits of the issuer.
#[derive(Debug, Clone, Copy)]
pub struct IssuerOptions {
    /// How long a caller waits for an answer; the JavaScript SDK gives up after one second.
    pub answer_within: Duration,
    /// Calls to STS at once.
    pub concurrent_calls: usize,
    /// Of these, how many may be renewals: first requests come first.
    pub concurrent_renewals: usize,
    /// Of these, how many may be for people: pods come first.
    pub concurrent_people: usize,
    /// Sessions kept, a quarter of them of people.
    pub capacity: usize,
}

impl Default for IssuerOptions {
    fn default() -> Self {
        Self {
            answer_within: Duration::from_millis(900),
            concurrent_calls: 64,
            concurrent_renewals: 16,
            concurrent_people: 8,
            capacity: 50_000,
        }
    }
}

/// A session, with what was noted when it was made.
pub struct Issued {
    pub session: Session,
    /// When STS made it, by our clock.
    pub made: Timestamp,
    /// The same on the clock that nobody sets, and the life that was asked for: when our clock is wrong against that of
    /// AWS, a session must not be taken for good after its end.
    arrived: Instant,
    life: Duration,
    renewal: Renewal,
}

impl Issued {
    /// A session is never handed out in its last minute: clocks differ.
    const MARGIN: Duration = Duration::from_secs(60);

    fn is_usable(&self, now: Timestamp) -> bool {
        let margin = i64::try_from(Self::MARGIN.as_secs()).unwrap_or(i64::MAX);
        if self.renewal == Renewal::OnRequest && self.is_due(now) {
            return false;
        }
        now.as_second() < self.session.expiration.as_second().saturating_sub(margin)
            && self.arrived.elapsed() + Self::MARGIN < self.life
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let life = self.session.expiration.as_second() - self.made.as_second();
        let share = match self.renewal {
            Renewal::Shared => life / 6,
            Renewal::Single | Renewal::OnRequest => life / 2,
        };
        now.as_second() >= self.made.as_second() + share
    }
}

/// Why there is no session.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IssueError {
    /// No answer within [`IssuerOptions::answer_within`].
    #[error("STS has not answered yet; the call goes on")]
    Slow,
    /// STS answered with an error, or could not be reached.
    #[error(transparent)]
    Aws(Arc<AwsError>),
}

type Outcome = Option<Result<Arc<Issued>, Arc<AwsError>>>;

struct Entry {
    issued: Arc<Issued>,
    /// Unix seconds of the last request for it: what nobody asks for is not renewed.
    used: AtomicI64,
}

/// A request that failed, and until when it is not made again.
struct Failure {
    error: Arc<AwsError>,
    until: Instant,
    pause: Duration,
}

impl Failure {
    const FIRST_PAUSE: Duration = Duration::from_millis(500);
    /// While callers wait for a first session; a role that was made a moment ago is soon known everywhere.
    const LAST_PAUSE: Duration = Duration::from_secs(5);
    /// While there is a session to serve.
    const LAST_PAUSE_OF_RENEWAL: Duration = Duration::from_secs(60);
    /// So long after its pause a failure is remembered, for the length of the next.
    const REMEMBERED: Duration = Duration::from_secs(60);

    fn after(previous: Option<&Self>, error: Arc<AwsError>, purpose: Purpose) -> Self {
        let last = match purpose {
            Purpose::First => Self::LAST_PAUSE,
            Purpose::Renewal => Self::LAST_PAUSE_OF_RENEWAL,
        };
        let pause = previous.map_or(Self::FIRST_PAUSE, |p| p.pause.saturating_mul(2).min(last));
        Self {
            error,
            until: Instant::now() + pause,
            pause,
        }
    }

    fn holds(&self) -> bool {
        Instant::now() < self.until
    }
}

#[derive(Default)]
struct State {
    kept: HashMap<SessionKey, Arc<Entry>>,
    in_flight: HashMap<SessionKey, watch::Receiver<Outcome>>,
    failed: HashMap<SessionKey, Failure>,
}

/// Told of each session that STS made.
pub type OnIssued = dyn Fn(&SessionKey, &Issued) + Send + Sync;

/// Makes and keeps sessions. Cheap to clone.
#[derive(Clone)]
pub struct Issuer {
    state: Arc<Mutex<State>>,
    calls: Arc<Semaphore>,
    renewals: Arc<Semaphore>,
    people: Arc<Semaphore>,
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
            state: Arc::default(),
            calls: Arc::new(Semaphore::new(options.concurrent_calls)),
            renewals: Arc::new(Semaphore::new(options.concurrent_renewals)),
            people: Arc::new(Semaphore::new(options.concurrent_people)),
            options,
            on_issued,
            clock,
        }
    }

    /// The session that is kept for `key`, if it is still good. Renewed in the background when it is due: whoever asks has an answer already.
    /// `sts` is asked for then alone, and may have nothing to renew with.
    pub fn cached_session(
        &self,
        key: &SessionKey,
        sts: impl FnOnce() -> Option<Arc<dyn Sts>>,
    ) -> Option<Arc<Issued>> {
        let now = (self.clock)();
        let (entry, wanted) = {
            let mut state = self.state.lock();
            let entry = usable(&mut state, key, now)?;
            // While that is under way, or failed a moment ago, there is nothing to begin, and so nothing to ask for.
            let rests =
                state.in_flight.contains_key(key) || state.failed.get(key).is_some_and(Failure::holds);
            let wanted = entry.issued.is_due(now) && !rests;
            (entry, wanted)
        };
        if wanted && let Some(sts) = sts() {
            self.renew(&mut self.state.lock(), key, &entry, &sts);
        }
        Some(entry.issued.clone())
    }

    /// The same, and nothing is renewed: what is known of the cluster is too old for a new session.
    #[must_use]
    pub fn cached(&self, key: &SessionKey) -> Option<Arc<Issued>> {
        let entry = usable(&mut self.state.lock(), key, (self.clock)())?;
        Some(entry.issued.clone())
    }

    /// A session for `key`: the one that is kept, or a new one.
    ///
    /// # Errors
    /// [`IssueError::Slow`] after [`IssuerOptions::answer_within`], or what STS said, now or a moment ago.
    pub async fn session(
        &self,
        key: &SessionKey,
        renewal: Renewal,
        sts: &Arc<dyn Sts>,
    ) -> Result<Arc<Issued>, IssueError> {
        if let Some(issued) = self.cached_session(key, || Some(Arc::clone(sts))) {
            return Ok(issued);
        }
        let mut outcome = {
            let mut state = self.state.lock();
            if let Some(failure) = state.failed.get(key).filter(|f| f.holds()) {
                return Err(IssueError::Aws(failure.error.clone()));
            }
            self.start(&mut state, key, renewal, sts, Purpose::First)
        };
        let answer = async {
            loop {
                if let Some(result) = outcome.borrow_and_update().clone() {
                    return result.map_err(IssueError::Aws);
                }
                if outcome.changed().await.is_err() {
                    return Err(IssueError::Slow);
                }
            }
        };
        tokio::time::timeout(self.options.answer_within, answer)
            .await
            .unwrap_or(Err(IssueError::Slow))
    }

    fn renew(&self, state: &mut State, key: &SessionKey, entry: &Entry, sts: &Arc<dyn Sts>) {
        if state.failed.get(key).is_some_and(Failure::holds) {
            return;
        }
        // Nobody waits for it.
        let _renewing = self.start(state, key, entry.issued.renewal, sts, Purpose::Renewal);
    }

    /// Joins the call under way for `key`, or begins one.
    fn start(
        &self,
        state: &mut State,
        key: &SessionKey,
        renewal: Renewal,
        sts: &Arc<dyn Sts>,
        purpose: Purpose,
    ) -> watch::Receiver<Outcome> {
        if let Some(running) = state.in_flight.get(key) {
            return running.clone();
        }
        let (tx, rx) = watch::channel(None);
        state.in_flight.insert(key.clone(), rx.clone());
        let (this, key, sts) = (self.clone(), key.clone(), sts.clone());
        let work = async move {
            let Ok(result) = contained(this.call(&key, renewal, &sts, purpose)).await else {
                // Whoever waits hears that it takes longer; the next request begins anew.
                this.state.lock().in_flight.remove(&key);
                return;
            };
            {
                let mut state = this.state.lock();
                state.in_flight.remove(&key);
                match &result {
                    Ok(_) => {
                        state.failed.remove(&key);
                    }
                    Err(error) => {
                        let failure = Failure::after(state.failed.get(&key), error.clone(), purpose);
                        state.failed.insert(key, failure);
                    }
                }
            }
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
        sts: &Arc<dyn Sts>,
        purpose: Purpose,
    ) -> Result<Arc<Issued>, Arc<AwsError>> {
        let _share = match purpose {
            Purpose::Renewal => self.renewals.acquire().await.ok(),
            Purpose::First if renewal == Renewal::OnRequest => self.people.acquire().await.ok(),
            Purpose::First => None,
        };
        let _permit = self.calls.acquire().await.ok();
        let session = key.call(sts.as_ref()).await.map_err(Arc::new)?;
        let now = (self.clock)();
        let issued = Arc::new(Issued {
            session,
            made: now,
            arrived: Instant::now(),
            life: Duration::from_secs(u64::from(key.seconds())),
            renewal,
        });
        (self.on_issued)(key, &issued);
        let entry = Entry {
            issued: issued.clone(),
            used: AtomicI64::new(now.as_second()),
        };
        let mut state = self.state.lock();
        if state.kept.len() >= self.options.capacity && !state.kept.contains_key(key) {
            state.kept.retain(|_, e| e.issued.is_usable(now));
        }
        let has_room = state.kept.len() < self.options.capacity
            && (renewal != Renewal::OnRequest || of_people(&state) < self.options.capacity / 4);
        if has_room || state.kept.contains_key(key) {
            state.kept.insert(key.clone(), Arc::new(entry));
        }
        Ok(issued)
    }

    /// Renews what is due and was asked for since it was made, and forgets what has ended. Called by a ticker. A renewal is a new session: it
    /// is decided like one, and made with what `granted` gives; nothing, and it is nobody's any more.
    pub fn renew_due(&self, granted: impl Fn(&SessionKey) -> Renewable) {
        let now = (self.clock)();
        let mut state = self.state.lock();
        state.kept.retain(|_, e| e.issued.is_usable(now));
        state
            .failed
            .retain(|_, f| f.until.elapsed() < Failure::REMEMBERED);
        let due: Vec<_> = state
            .kept
            .iter()
            .filter(|(_, e)| {
                let asked_for = e.used.load(Ordering::Relaxed) > e.issued.made.as_second();
                e.issued.is_due(now) && asked_for
            })
            .map(|(k, e)| (k.clone(), e.clone()))
            .collect();
        // Others ask for sessions while that is decided.
        drop(state);
        for (key, entry) in due {
            let granted = granted(&key);
            let mut state = self.state.lock();
            match granted {
                Renewable::With(sts) => self.renew(&mut state, &key, &entry, &sts),
                Renewable::NotNow => {}
                Renewable::No => {
                    state.kept.remove(&key);
                }
            }
        }
    }

    /// Sessions kept: a gauge.
    #[must_use]
    pub fn count(&self) -> usize {
        self.state.lock().kept.len()
    }
}

/// How many of the sessions that are kept are of people.
fn of_people(state: &State) -> usize {
    let entries = state.kept.values();
    entries
        .filter(|entry| entry.issued.renewal == Renewal::OnRequest)
        .count()
}

/// What is kept for `key` and still good; asked for now.
fn usable(state: &mut State, key: &SessionKey, now: Timestamp) -> Option<Arc<Entry>> {
    let entry = state.kept.get(key).cloned()?;
    if !entry.issued.is_usable(now) {
        state.kept.remove(key);
        return None;
    }
    entry.used.store(now.as_second(), Ordering::Relaxed);
    Some(entry)
}

/// Whether a session that is kept would be given now.
pub enum Renewable {
    /// It would, by this.
    With(Arc<dyn Sts>),
    /// It would, and nothing is there to make it with. What is kept stays.
    NotNow,
    /// It would not.
    No,
}

#[derive(Clone, Copy)]
enum Purpose {
    First,
    Renewal,
}

#[cfg(test)]
mod tests;
