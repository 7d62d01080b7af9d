//! The keys by which the cluster's tokens are verified, as the broker hands them on. With them a made-up token costs nobody but this agent anything.

use std::{sync::Arc, time::Duration};

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
/// First and longest pause while the broker does not say.
const TRIES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// So long after keys were fetched, they are not fetched again because of a key that is not among them.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How long keys count that nobody confirms: as long as with the broker.
pub(super) const LAST_KNOWN_FOR: Duration = Duration::from_secs(3600);

/// Where keys come from: the broker, or a script in tests.
pub(super) trait KeySource: Send + Sync + 'static {
    /// What the broker says of them.
    fn keys(&self) -> impl Future<Output = Result<KeysAnswer, AgentProblem>> + Send;
}

impl KeySource for Arc<BrokerClient> {
    fn keys(&self) -> impl Future<Output = Result<KeysAnswer, AgentProblem>> + Send {
        BrokerClient::keys(self)
    }
}

/// What is known of the keys.
enum KeyState {
    /// The broker has not said yet.
    NotYet,
    /// There are none to have: the broker has to be asked about each token.
    NotPublished,
    /// These, as of then.
    Keys(Arc<PublishedKeys>, Instant),
}

/// What the keys say of a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is the API server's own: what it says is so.
    Genuine,
    /// The broker has to be asked: it may be anything.
    Unknown,
}

/// The keys of now.
pub(super) struct NodeKeys {
    state: watch::Sender<KeyState>,
    wanted: Notify,
    log: Log,
}

impl NodeKeys {
    pub(super) fn new(log: Log) -> Self {
        Self {
            state: watch::Sender::new(KeyState::NotYet),
            wanted: Notify::new(),
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
        let (keys, fetched) = match &*self.state.borrow() {
            KeyState::NotYet => return Err(KeyProblem::NotYet),
            KeyState::NotPublished => return Ok(Judgement::Unknown),
            KeyState::Keys(_, fetched) if fetched.elapsed() > LAST_KNOWN_FOR => {
                return Err(KeyProblem::Old);
            }
            KeyState::Keys(keys, fetched) => (Arc::clone(keys), *fetched),
        };
        match keys.check(token) {
            Signature::Right if claims.issuer() == keys.issuer() => Ok(Judgement::Genuine),
            // By a name that the API server had before, or a key of a kind that is not known here: it may still accept it, and alone
            // knows.
            Signature::Right | Signature::ForeignKey => Ok(Judgement::Unknown),
            Signature::Wrong => Err(InvalidToken::BadSignature.into()),
            Signature::UnknownKey if fetched.elapsed() >= AGAIN_AFTER => {
                self.wanted.notify_one();
                Err(KeyProblem::Newer)
            }
            Signature::UnknownKey => Err(InvalidToken::UnknownKey.into()),
        }
    }

    /// Fetches them now and then. Never ends. While the broker does not answer, what it said last counts on.
    pub(super) async fn follow(self: Arc<Self>, source: impl KeySource) {
        let mut failures = 0;
        loop {
            let pause = match source.keys().await {
                Ok(answer) => {
                    failures = 0;
                    self.learn(answer);
                    between(EVERY / 10 * 9, EVERY)
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

    pub(super) fn learn(&self, answer: KeysAnswer) {
        let (now, event) = match answer {
            KeysAnswer::Keys(keys) => (KeyState::Keys(Arc::new(keys), Instant::now()), "KeysLearned"),
            KeysAnswer::NotPublished => (KeyState::NotPublished, "KeysNotPublished"),
        };
        let before = self.state.send_replace(now);
        let is_news = match (&before, &*self.state.borrow()) {
            (KeyState::Keys(before, _), KeyState::Keys(now, _)) => before.document() != now.document(),
            (KeyState::NotPublished, KeyState::NotPublished) => false,
            _ => true,
        };
        if is_news {
            self.log.info(event, &[]);
        }
    }
}

/// Why a token is not taken by its signature.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyProblem {
    #[error("the keys that tokens are verified by have not been fetched from the broker yet")]
    NotYet,
    #[error(
        "the broker has not confirmed the keys that tokens are verified by for more than {LAST_KNOWN_FOR:?}"
    )]
    Old,
    #[error("the token is signed by a key that is not known yet; the keys are being fetched again")]
    Newer,
    #[error(transparent)]
    Invalid(#[from] InvalidToken),
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };

    use deputy_token_testing::{ISSUER, TokenSigner, claims};
    use serde_json::json;

    use super::*;

    /// Hands on the keys that it has, or says that it can't just now.
    #[derive(Clone)]
    struct Publisher(Arc<(AtomicUsize, Mutex<Option<PublishedKeys>>)>);

    impl Publisher {
        fn new() -> Self {
            Self(Arc::new((AtomicUsize::new(0), Mutex::new(None))))
        }

        fn has(&self, signers: &[&TokenSigner]) {
            let keys: Vec<_> = signers.iter().map(|signer| signer.published()).collect();
            let discovery = json!({ "issuer": ISSUER }).to_string();
            let keys = PublishedKeys::parse(&discovery, &json!({ "keys": keys }).to_string());
            *self.0.1.lock().unwrap() = Some(keys.unwrap());
        }

        fn asked(&self) -> usize {
            self.0.0.swap(0, Ordering::SeqCst)
        }
    }

    impl KeySource for Publisher {
        async fn keys(&self) -> Result<KeysAnswer, AgentProblem> {
            self.0.0.fetch_add(1, Ordering::SeqCst);
            let keys = self.0.1.lock().unwrap().clone();
            keys.map(KeysAnswer::Keys)
                .ok_or_else(|| AgentProblem::unavailable("NotReady", "later"))
        }
    }

    fn following(publisher: &Publisher) -> Arc<NodeKeys> {
        let keys = Arc::new(NodeKeys::new(Log::new(std::io::sink())));
        tokio::spawn(Arc::clone(&keys).follow(publisher.clone()));
        keys
    }

    fn judge(keys: &NodeKeys, token: &str) -> Result<Judgement, KeyProblem> {
        let signed = SignedToken::parse(token).unwrap();
        keys.judge(&signed, &signed.claims().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_fetched_every_five_minutes_and_soon_when_one_is_not_known() {
        let (old, new, publisher) = (TokenSigner::new("a"), TokenSigner::new("b"), Publisher::new());
        publisher.has(&[&old]);
        let keys = following(&publisher);
        keys.known().await;
        sleep(EVERY * 10).await;
        assert!((10..=13).contains(&publisher.asked()), "between 270 and 300 s");
        sleep(EVERY).await;
        publisher.has(&[&old, &new]);
        publisher.asked();
        let token = new.sign(&claims());
        while judge(&keys, &token) == Err(InvalidToken::UnknownKey.into()) {
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(judge(&keys, &token), Err(KeyProblem::Newer));
        sleep(Duration::from_millis(1)).await;
        assert_eq!(judge(&keys, &token), Ok(Judgement::Genuine));
        assert_eq!(publisher.asked(), 1);
        // Key ids that somebody made up, a hundred a second, are a question every five seconds.
        let header = |number: u8| json!({"alg": "ES256", "kid": number.to_string()});
        let made_up: Vec<_> = (0..100)
            .map(|number| new.sign_as(&header(number), &claims()))
            .collect();
        for _ in 0..30 {
            assert!(made_up.iter().all(|token| judge(&keys, token).is_err()));
            sleep(Duration::from_secs(1)).await;
        }
        let asked = publisher.asked();
        assert!((4..=7).contains(&asked), "{asked}");
    }

    #[tokio::test(start_paused = true)]
    async fn until_the_broker_says_it_is_asked_again_and_again_and_then_its_word_counts() {
        let (signer, publisher) = (TokenSigner::new("a"), Publisher::new());
        let keys = following(&publisher);
        let token = signer.sign(&claims());
        sleep(Duration::from_secs(300)).await;
        assert!((10..60).contains(&publisher.asked()));
        assert_eq!(judge(&keys, &token), Err(KeyProblem::NotYet));
        publisher.has(&[&signer]);
        keys.known().await;
        *publisher.0.1.lock().unwrap() = None;
        sleep(LAST_KNOWN_FOR - Duration::from_secs(1)).await;
        assert_eq!(judge(&keys, &token), Ok(Judgement::Genuine));
        sleep(Duration::from_secs(2)).await;
        assert_eq!(judge(&keys, &token), Err(KeyProblem::Old));
        publisher.has(&[&signer]);
        sleep(TRIES.1).await;
        assert_eq!(judge(&keys, &token), Ok(Judgement::Genuine));
        keys.learn(KeysAnswer::NotPublished);
        assert_eq!(judge(&keys, &token), Ok(Judgement::Unknown));
    }
}
