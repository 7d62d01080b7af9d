//! The keys by which the cluster's tokens are verified, as the broker hands them on. With them a made-up token costs nobody but this agent anything.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use deputy_token::{InvalidToken, PodTokenClaims, PublishedKeys, Signature, SignedToken};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep},
};

use crate::{
    broker::{BrokerClient, KeysAnswer},
    jitter::{backoff, between},
    log::Log,
    problem::AgentProblem,
};

/// How often keys are fetched although nobody showed an unknown one.
const EVERY: Duration = Duration::from_secs(300);
/// How soon they are asked for again after the broker's word that there are none, which one of several brokers may say alone, or for a moment.
const SOON: Duration = Duration::from_secs(30);
/// First and longest pause while the broker does not say.
const TRIES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// So long after keys were fetched, they are not fetched again because of a key that is not among them.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How long keys count that nobody confirms: as long as with the broker, from when that read them.
pub(super) const LAST_KNOWN_FOR: Duration = Duration::from_secs(3600);
/// So many times in a row, and for so long, the broker says that there are none, before known keys are let go.
const BELIEVED_AFTER: (u32, Duration) = (3, Duration::from_secs(180));
/// Most unknown keys of which it is known when they were first seen.
const MAX_SIGHTINGS: usize = 256;

/// Where keys come from: the broker, or a script in tests.
pub(super) trait KeySource: Send + Sync + 'static {
    /// What the broker says of them. `unknown` is the id of a key that is missed.
    fn keys(&self, unknown: Option<&str>) -> impl Future<Output = Result<KeysAnswer, AgentProblem>> + Send;
}

impl KeySource for Arc<BrokerClient> {
    fn keys(&self, unknown: Option<&str>) -> impl Future<Output = Result<KeysAnswer, AgentProblem>> + Send {
        BrokerClient::keys(self, unknown)
    }
}

/// What is known of the keys.
enum KeyState {
    /// The broker has not said yet.
    NotYet,
    /// There are none to have: the broker has to be asked about each token.
    NotPublished,
    /// These.
    Keys(KnownKeys),
}

impl KeyState {
    /// Whether there are keys that still count.
    fn counts(&self) -> bool {
        matches!(self, Self::Keys(known) if known.age() <= LAST_KNOWN_FOR)
    }
}

/// Keys, and since when.
struct KnownKeys {
    keys: Arc<PublishedKeys>,
    /// When the broker was asked for them.
    asked: Instant,
    /// How old they were then.
    old: Duration,
}

impl KnownKeys {
    /// How long ago the API server said so, at most.
    fn age(&self) -> Duration {
        self.asked.elapsed().saturating_add(self.old)
    }
}

/// Keys that tokens name and that are not known.
#[derive(Default)]
struct MissedKeys {
    /// The one to name in the next question.
    named: Option<String>,
    /// When each was seen first.
    seen: HashMap<String, Instant>,
}

impl MissedKeys {
    /// How long ago `key_id` was first seen. One that was forgotten, for somebody made so many up, is seen anew: then it is asked for once more.
    fn first_seen(&mut self, key_id: &str) -> Duration {
        if let Some(first) = self.seen.get(key_id) {
            return first.elapsed();
        }
        if self.seen.len() >= MAX_SIGHTINGS {
            let oldest = self.seen.iter().min_by_key(|(_, first)| **first);
            let oldest = oldest.map(|(key_id, _)| key_id.clone());
            oldest.and_then(|oldest| self.seen.remove(&oldest));
        }
        self.seen.insert(key_id.to_owned(), Instant::now());
        Duration::ZERO
    }
}

/// How often in a row, and since when, the broker says that there are no keys.
type Denials = Option<(u32, Instant)>;

/// What the keys say of a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is the API server's own: what it says is so.
    Genuine,
    /// It was, by keys that nobody has confirmed for long: good enough for what is held, and for nothing new.
    GenuineOnce,
    /// The broker has to be asked: it may be anything.
    Unknown,
}

/// The keys of now.
pub(super) struct NodeKeys {
    state: watch::Sender<KeyState>,
    wanted: Notify,
    missed: Mutex<MissedKeys>,
    denials: Mutex<Denials>,
    log: Log,
}

impl NodeKeys {
    pub(super) fn new(log: Log) -> Self {
        Self {
            state: watch::Sender::new(KeyState::NotYet),
            wanted: Notify::new(),
            missed: Mutex::default(),
            denials: Mutex::default(),
            log,
        }
    }

    /// Waits until the broker has given keys, or said that there are none.
    pub(super) async fn known(&self) {
        let mut state = self.state.subscribe();
        // The other end is here.
        drop(state.wait_for(|state| !matches!(state, KeyState::NotYet)).await);
    }

    /// Whether `token`, which says `claims`, is the API server's.
    ///
    /// # Errors
    /// It is not (401), or that can't be told before the keys were fetched (503).
    pub(super) fn judge(
        &self,
        token: &SignedToken<'_>,
        claims: &PodTokenClaims,
    ) -> Result<Judgement, KeyProblem> {
        let (keys, age) = match &*self.state.borrow() {
            KeyState::NotYet => return Err(KeyProblem::NotYet),
            KeyState::NotPublished => return Ok(Judgement::Unknown),
            KeyState::Keys(known) => (Arc::clone(&known.keys), known.age()),
        };
        let (signature, is_of_issuer) = (keys.check(token), claims.issuer() == keys.issuer());
        if age > LAST_KNOWN_FOR {
            return match signature {
                Signature::Right if is_of_issuer => Ok(Judgement::GenuineOnce),
                _ => Err(KeyProblem::Old),
            };
        }
        match signature {
            Signature::Right if is_of_issuer => Ok(Judgement::Genuine),
            // By a name that the API server had before, or a key of a kind that is not known here: it may still accept it, and alone
            // knows.
            Signature::Right | Signature::ForeignKey => Ok(Judgement::Unknown),
            Signature::Wrong => Err(InvalidToken::BadSignature.into()),
            Signature::UnknownKey => Err(self.unknown(token.key_id(), age)),
        }
    }

    /// What a key that is not among those of `age` means: it may be a new one, until the API server was asked later than it was first seen.
    /// Also after that it is asked for now and then: one of several API servers may be behind the others.
    fn unknown(&self, key_id: &str, age: Duration) -> KeyProblem {
        let mut missed = self.missed();
        let is_confirmed = missed.first_seen(key_id) > age;
        if !is_confirmed || missed.named.is_none() {
            missed.named = Some(key_id.to_owned());
        }
        self.wanted.notify_one();
        match is_confirmed {
            true => InvalidToken::UnknownKey.into(),
            false => KeyProblem::Newer,
        }
    }

    /// Fetches them now and then. Never ends. While the broker does not answer, what it said last counts on.
    pub(super) async fn follow(self: Arc<Self>, source: impl KeySource) {
        let mut failures = 0;
        loop {
            let (asked, unknown) = (Instant::now(), self.missed().named.take());
            let pause = match source.keys(unknown.as_deref()).await {
                Ok(answer) => {
                    failures = 0;
                    let pause = self.learn(answer, asked);
                    between(pause / 10 * 9, pause)
                }
                Err(problem) => {
                    if failures == 0 {
                        let fields = [("code", problem.code.as_str()), ("message", &problem.message)];
                        self.log.warn("KeysUnavailable", &fields);
                    }
                    let pause = backoff(failures, TRIES, problem.retry_after);
                    failures = failures.saturating_add(1);
                    pause
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = async {
                    sleep(AGAIN_AFTER.min(pause)).await;
                    self.wanted.notified().await;
                } => {}
            }
        }
    }

    /// Takes in what the broker said when it was `asked`. Gives how soon it is to be asked again.
    pub(super) fn learn(&self, answer: KeysAnswer, asked: Instant) -> Duration {
        let is_denied = !matches!(answer, KeysAnswer::Keys { .. });
        let is_believed = self.count(is_denied);
        let counts = self.state.borrow().counts();
        let now = match answer {
            KeysAnswer::Keys { keys, age } => {
                let keys = Arc::new(keys);
                KeyState::Keys(KnownKeys {
                    keys,
                    asked,
                    old: age,
                })
            }
            // One of several brokers is an older one: that says nothing of the cluster.
            KeysAnswer::NotHandedOn if counts => return SOON,
            KeysAnswer::NotPublished if counts && !is_believed => return SOON,
            KeysAnswer::NotHandedOn | KeysAnswer::NotPublished => KeyState::NotPublished,
        };
        let before = self.state.send_replace(now);
        let (is_news, event) = match (&before, &*self.state.borrow()) {
            (KeyState::Keys(before), KeyState::Keys(now)) => {
                (before.keys.document() != now.keys.document(), "KeysLearned")
            }
            (_, KeyState::Keys(_)) => (true, "KeysLearned"),
            (before, _) => (!matches!(before, KeyState::NotPublished), "KeysNotPublished"),
        };
        if is_news {
            self.log.info(event, &[]);
        }
        match is_denied && !is_believed {
            true => SOON,
            false => EVERY,
        }
    }

    /// Counts an answer without keys. Whether there were so many of them that they are believed.
    fn count(&self, is_denied: bool) -> bool {
        let mut denials = self.denials.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_denied {
            *denials = None;
            return false;
        }
        let (count, since) = denials.get_or_insert((0, Instant::now()));
        *count = count.saturating_add(1);
        *count >= BELIEVED_AFTER.0 && since.elapsed() >= BELIEVED_AFTER.1
    }

    fn missed(&self) -> MutexGuard<'_, MissedKeys> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a token is not taken by its signature.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyProblem {
    #[error("the keys that tokens are verified by have not been fetched from the broker yet")]
    NotYet,
    #[error(
        "the API server has not confirmed the keys that tokens are verified by for more than {LAST_KNOWN_FOR:?}, as far as the broker says"
    )]
    Old,
    #[error("the token is signed by a key that is not known yet; the keys are being fetched again")]
    Newer,
    #[error(transparent)]
    Invalid(#[from] InvalidToken),
}

#[cfg(test)]
mod tests;
