//! Who asks: the pod behind a projected ServiceAccount token.
//!
//! A token is believed when one of the API server's keys signed it, which are kept here, so that a request costs the API server nothing and one
//! with a made-up token costs microseconds; that is why pods have credentials while the API server is away. Then its pod must be alive by its uid,
//! as the watch of pods says: a token dies with its pod, so it may live a day. A token that is bound to no pod is refused.
//!
//! Where the keys can't be had, before they were read, and when the watch does not know the ServiceAccount of a token, the API server is asked about it
//! (TokenReview), once for any number of callers.

mod error;
mod follow;
mod review;

use std::{net::IpAddr, sync::Arc, time::Duration};

use deputy_delegation::Uid;
use deputy_index::{Index, PodLife, ResourceKind};
use deputy_token::{InvalidToken, PeerShare, PeerShares, PublishedKeys, Signature, SignedToken, check_shape};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};
use zeroize::Zeroizing;

pub use self::{
    error::{PodIdentity, TokenError},
    follow::KeysNotRead,
    review::{NoKeys, TokenApi},
};
use self::{
    follow::{ClusterKeys, KeyState},
    review::{API_TIMEOUT, identity},
};
use crate::single_flight::SingleFlight;

/// How long a token that the API server accepted is not asked about again.
const ACCEPTED_FOR: Duration = Duration::from_secs(5);
/// How long a pod that the watch does not know counts as alive. With what the API server may take to answer: less than 5 s.
const ALIVE_FOR: Duration = Duration::from_secs(3);
/// How long a refusal stands: a pod with a bad token asks again and again.
const REFUSED_FOR: Duration = Duration::from_secs(2);
/// How long an API server that does not answer is left alone with the same question.
const AWAY_FOR: Duration = Duration::from_millis(250);
/// Questions to the API server at a time.
const CONCURRENT_QUESTIONS: usize = 128;
/// Of these, how many may be about what one address sent.
const QUESTIONS_OF_ONE_PEER: usize = 16;
/// Tokens and pods remembered.
const CAPACITY: usize = 50_000;
/// How long pods count as alive, and keys as the API server's, while it says nothing about them. The sessions of such pods are kept ones, which last as
/// long at most where a role is the issuer.
const LAST_KNOWN_FOR: Duration = Duration::from_secs(3600);

/// What the broker has to hand on of the API server's keys.
pub(crate) enum HandedOnKeys {
    /// It does not know them, or not any more.
    NotYet(String),
    /// There are none to have, or more than are handed on.
    NotPublished,
    /// As `deputy_token::PublishedKeys` reads them.
    Document {
        /// The text.
        text: Vec<u8>,
        /// How long ago the API server said so.
        age: Duration,
    },
}

/// Tells whose a token is.
#[derive(Clone)]
pub struct Verifier {
    api: Arc<dyn TokenApi>,
    index: Arc<Index>,
    keys: Arc<ClusterKeys>,
    questions: Arc<Semaphore>,
    shares: PeerShares,
    reviewed: SingleFlight<[u8; 32], Result<Arc<PodIdentity>, TokenError>>,
    looked_at: SingleFlight<Uid, Result<(), TokenError>>,
    clock: fn() -> Timestamp,
}

impl Verifier {
    /// A verifier that asks `api`, and knows from `index` who is alive.
    #[must_use]
    pub fn new(api: Arc<dyn TokenApi>, index: Arc<Index>) -> Self {
        Self {
            api,
            index,
            keys: Arc::default(),
            questions: Arc::new(Semaphore::new(CONCURRENT_QUESTIONS)),
            shares: PeerShares::new(QUESTIONS_OF_ONE_PEER),
            reviewed: SingleFlight::new(CAPACITY),
            looked_at: SingleFlight::new(CAPACITY),
            clock: Timestamp::now,
        }
    }

    /// Keeps the keys current. Never ends; nothing is verified without it.
    pub async fn follow_keys(&self) {
        self.keys.follow(self.api.as_ref()).await;
    }

    /// Whether tokens can be told apart, for readiness.
    ///
    /// # Errors
    /// [`KeysNotRead`].
    pub fn ready(&self) -> Result<(), KeysNotRead> {
        self.keys.check()
    }

    /// The keys for somebody else who verifies tokens. He names the id of a key that he does not know; if it is not known here either, the
    /// API server is asked first: a new key of its may be in no token that comes here.
    pub(crate) async fn handed_on(&self, unknown: Option<&str>) -> HandedOnKeys {
        if let (Some(key_id), KeyState::Keys(keys, read)) = (unknown, self.keys.known().as_ref())
            && !keys.has(key_id)
        {
            self.keys.newer_within(*read, API_TIMEOUT).await;
        }
        match self.keys.known().as_ref() {
            KeyState::NotYet(why) => HandedOnKeys::NotYet(why.clone()),
            KeyState::NotPublished => HandedOnKeys::NotPublished,
            KeyState::Keys(_, read) if read.elapsed() > LAST_KNOWN_FOR => HandedOnKeys::NotYet(format!(
                "nobody has confirmed them for more than {LAST_KNOWN_FOR:?}"
            )),
            KeyState::Keys(keys, read) => match keys.document() {
                Some(document) => HandedOnKeys::Document {
                    text: document.to_vec(),
                    age: read.elapsed(),
                },
                None => HandedOnKeys::NotPublished,
            },
        }
    }

    /// The pod that `token`, which came from `peer`, belongs to, and that is alive.
    ///
    /// # Errors
    /// [`TokenError`]; only [`TokenError::Unavailable`] is worth another try.
    pub async fn verify(&self, token: &str, peer: IpAddr) -> Result<Arc<PodIdentity>, TokenError> {
        check_shape(token)?;
        let known = self.keys.known();
        let pod = match known.as_ref() {
            KeyState::NotYet(_) | KeyState::NotPublished => self.review(token, peer).await?,
            KeyState::Keys(_, read) if read.elapsed() > LAST_KNOWN_FOR => self.review(token, peer).await?,
            KeyState::Keys(keys, read) => match self.verify_by(keys, *read, token)? {
                Some(pod) => Arc::new(pod),
                None => self.review(token, peer).await?,
            },
        };
        self.check_life(&pod, peer).await?;
        Ok(pod)
    }

    /// Whose `token` is by the signature that it bears. `None`: it has to be asked about.
    fn verify_by(
        &self,
        keys: &PublishedKeys,
        read: Instant,
        token: &str,
    ) -> Result<Option<PodIdentity>, TokenError> {
        let signed = SignedToken::parse(token)?;
        match keys.check(&signed) {
            Signature::Right => {}
            Signature::Wrong => return Err(InvalidToken::BadSignature.into()),
            Signature::UnknownKey if self.keys.want_newer(read) => {
                let why = "the token is signed by a key that is not known yet; the keys are being read again";
                return Err(TokenError::Unavailable(why.into()));
            }
            Signature::UnknownKey => return Err(InvalidToken::UnknownKey.into()),
            Signature::ForeignKey => return Ok(None),
        }
        let claims = signed.claims()?;
        // A name that the API server had before: it may still accept it, and alone knows.
        if claims.issuer() != keys.issuer() {
            return Ok(None);
        }
        let pod = PodIdentity::of(claims.pod((self.clock)())?)?;
        // One that was deleted, and made again, is another one: its pods stay, and their tokens are worth nothing.
        let account = self
            .index
            .service_account(&pod.namespace, &pod.subject.service_account);
        let is_there =
            account.is_some_and(|account| account.uid.as_deref() == Some(claims.service_account_uid()));
        Ok(is_there.then_some(pod))
    }

    /// Whose `token` is, as the API server says.
    async fn review(&self, token: &str, peer: IpAddr) -> Result<Arc<PodIdentity>, TokenError> {
        // The digest, not the token: what is cached may end in a core dump.
        let key: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let share = self.shares.clone();
        let review = || {
            let (this, token) = (self.clone(), Zeroizing::new(token.to_owned()));
            async move {
                let _share = share_of(&share, peer)?;
                let _permit = this.permit().await?;
                identity(this.api.review(&token).await?).map(Arc::new)
            }
        };
        self.reviewed
            .get(key, review, |answer| keep(answer, ACCEPTED_FOR))
            .await
            .ok_or_else(ended_early)?
    }

    /// Whether the pod of a token is alive. One that the watch does not know yet is looked at.
    async fn check_life(&self, pod: &Arc<PodIdentity>, peer: IpAddr) -> Result<(), TokenError> {
        let uid = &pod.subject.pod_uid;
        let age = self.index.age(ResourceKind::Pods);
        match self.index.pod_life(uid) {
            PodLife::Alive if age.is_some_and(|age| age <= LAST_KNOWN_FOR) => return Ok(()),
            PodLife::Alive => {
                let why = format!("it has said nothing about pods for more than {LAST_KNOWN_FOR:?}");
                return Err(TokenError::Unavailable(why));
            }
            PodLife::Ended => return Err(TokenError::PodGone(Arc::clone(pod))),
            PodLife::Unknown => {}
        }
        let share = self.shares.clone();
        let look = || {
            let (this, pod) = (self.clone(), Arc::clone(pod));
            async move {
                let _share = share_of(&share, peer)?;
                let _permit = this.permit().await?;
                let found = this.api.pod_uid(&pod.namespace, &pod.subject.pod).await?;
                if found.as_deref() == Some(pod.subject.pod_uid.as_str()) {
                    Ok(())
                } else {
                    Err(TokenError::PodGone(pod))
                }
            }
        };
        self.looked_at
            .get(uid.clone(), look, |answer| keep(answer, ALIVE_FOR))
            .await
            .ok_or_else(ended_early)?
    }

    /// Leave to ask the API server. Nobody waits for an answer longer than a second, so neither does the question.
    async fn permit(&self) -> Result<SemaphorePermit<'_>, TokenError> {
        let busy = || TokenError::Unavailable("too many questions are under way".into());
        let permit = tokio::time::timeout(API_TIMEOUT, self.questions.acquire()).await;
        permit.ok().and_then(Result::ok).ok_or_else(busy)
    }
}

/// Who sends many tokens that have to be asked about waits for his own.
fn share_of(shares: &PeerShares, peer: IpAddr) -> Result<PeerShare, TokenError> {
    shares.take(peer).ok_or_else(|| {
        let why =
            format!("{QUESTIONS_OF_ONE_PEER} questions for {peer} are under way, the most for one address");
        TokenError::Unavailable(why)
    })
}

fn ended_early() -> TokenError {
    TokenError::Unavailable("the check ended early".into())
}

/// How long an answer is good for.
fn keep<T>(answer: &Result<T, TokenError>, good_for: Duration) -> Duration {
    match answer {
        Ok(_) => good_for,
        Err(TokenError::Unavailable(_)) => AWAY_FOR,
        Err(_) => REFUSED_FOR,
    }
}

#[cfg(test)]
mod tests;
