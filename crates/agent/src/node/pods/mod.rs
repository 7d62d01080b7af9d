//! The pods of the node that have asked: for each the last token that was found good, and a keeper like that of a pod's own agent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{StatusCode, header::HeaderValue};
use subtle::ConstantTimeEq as _;
use tokio::{
    sync::{Semaphore, mpsc},
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, interval},
};
use zeroize::Zeroizing;

use crate::{
    binding::SelectedBinding,
    broker::{CredentialSource, FetchError, Fetched},
    credential::WallClock,
    keeper::{CredentialAnswer, CredentialKeeper},
    log::Log,
    token::PodToken,
};

/// Most pods that something is kept for; Kubernetes is made for 110 on a node. The one that asked least recently makes room.
pub(super) const MAX_PODS: usize = 1024;
/// How often pods that want nothing any more are looked for. One keeps its place for so long at least.
const SWEEP: Duration = Duration::from_secs(60);
/// Most questions to the broker about one pod at a time, of the 16 that all pods of the node have together: a pod with many bindings, or one
/// that makes names of them up, waits for its own.
const QUESTIONS_OF_POD: usize = 4;
/// Longest name in log lines, in characters: a namespace, and a pod's.
const MAX_NAME: usize = 320;
/// The broker's word that a pod has ended.
const POD_GONE: &str = "PodGone";

/// By what a pod is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum PodKey {
    /// By the uid that a genuine token names.
    Uid(String),
    /// By its token's SHA-256, where only the broker can tell whose it is: another token that names the same pod gets nothing of this one's.
    Token([u8; 32]),
}

impl PodKey {
    /// The key of a token that only the broker can tell about.
    pub(super) fn of_token(token: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, token);
        let mut bytes = [0; 32];
        for (byte, of) in bytes.iter_mut().zip(digest.as_ref()) {
            *byte = *of;
        }
        Self::Token(bytes)
    }
}

/// A pod's token, replaced by one that ends later. It has no `Debug`: it is a secret.
pub(crate) struct HeldToken(Mutex<(PodToken, i64)>);

impl HeldToken {
    /// `token`, which ends then, in seconds since 1970.
    pub(super) fn new(token: &[u8], expires: i64) -> Self {
        Self(Mutex::new((Arc::new(Zeroizing::new(token.to_vec())), expires)))
    }

    /// The one to show to the broker.
    pub(super) fn current(&self) -> PodToken {
        Arc::clone(&self.lock().0)
    }

    fn offer(&self, token: &[u8], expires: i64) {
        let mut held = self.lock();
        if expires > held.1 {
            *held = (Arc::new(Zeroizing::new(token.to_vec())), expires);
        }
    }

    fn is(&self, token: &[u8]) -> bool {
        self.lock().0.ct_eq(token).into()
    }

    fn lock(&self) -> MutexGuard<'_, (PodToken, i64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes what asks the broker for one pod.
pub(super) trait PodSources: Send + Sync + 'static {
    type Source: CredentialSource;
    /// For the pod that has this token.
    fn source(&self, token: Arc<HeldToken>) -> Self::Source;
}

/// What is known of one pod.
struct KnownPod<S> {
    keeper: Arc<CredentialKeeper<PodSource<S>>>,
    token: Arc<HeldToken>,
    asked: Instant,
    refresh: AbortHandle,
}

impl<S> Drop for KnownPod<S> {
    fn drop(&mut self) {
        self.refresh.abort();
    }
}

/// A pod that asks.
pub(super) struct AskingPod<'a> {
    pub key: PodKey,
    pub token: &'a [u8],
    /// When the token ends, in seconds since 1970.
    pub expires: i64,
    /// What log lines say of it.
    pub name: String,
}

/// The pods of the node.
pub(super) struct NodePods<M: PodSources> {
    sources: M,
    clock: WallClock,
    log: Log,
    most: usize,
    pods: Mutex<HashMap<PodKey, KnownPod<M::Source>>>,
    ended: mpsc::UnboundedSender<PodKey>,
}

impl<M: PodSources> NodePods<M> {
    /// None yet; and what [`Self::tend`] hears of those that end.
    pub(super) fn new(
        sources: M,
        clock: WallClock,
        log: Log,
        most: usize,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<PodKey>) {
        // Bounded by the pods there are: each request to the broker says so once.
        let (ended, heard) = mpsc::unbounded_channel();
        let pods = Self {
            sources,
            clock,
            log,
            most,
            pods: Mutex::default(),
            ended,
        };
        (Arc::new(pods), heard)
    }

    /// Whether this very token was found good for this pod before.
    pub(super) fn holds(&self, key: &PodKey, token: &[u8]) -> bool {
        self.lock().get(key).is_some_and(|pod| pod.token.is(token))
    }

    /// Whether the broker has given something for this very token.
    pub(super) fn is_proven(&self, key: &PodKey, token: &[u8]) -> bool {
        let pods = self.lock();
        let pod = pods.get(key);
        pod.is_some_and(|pod| pod.token.is(token) && pod.keeper.holds_any())
    }

    /// What is held of `binding` for the pod, for which nobody is asked anew.
    pub(super) fn held(&self, key: &PodKey, binding: &SelectedBinding) -> Option<Bytes> {
        let mut pods = self.lock();
        let pod = pods.get_mut(key)?;
        pod.asked = Instant::now();
        pod.keeper.get_held(binding)
    }

    /// The credential of `binding` for a pod whose token was found good.
    pub(super) async fn credential(
        &self,
        pod: &AskingPod<'_>,
        binding: &SelectedBinding,
    ) -> CredentialAnswer {
        self.keeper(pod).get(binding).await
    }

    /// The same for a pod whose token only the broker can tell about. Then, until the broker has answered, `share` is taken; and one that
    /// it gives nothing is forgotten.
    pub(super) async fn doubtful(
        self: &Arc<Self>,
        pod: AskingPod<'_>,
        binding: &SelectedBinding,
        share: impl Send + 'static,
    ) -> CredentialAnswer {
        let keeper = self.keeper(&pod);
        let answer = keeper.get(binding).await;
        let this = Arc::clone(self);
        tokio::spawn(async move {
            keeper.settled().await;
            if !keeper.is_wanted() {
                this.lock().remove(&pod.key);
            }
            drop(share);
        });
        answer
    }

    /// Lets go of pods that have ended, and of those that want nothing any more. Never ends.
    pub(super) async fn tend(self: Arc<Self>, mut ended: mpsc::UnboundedReceiver<PodKey>) {
        // Outside of the loop: pods that end again and again put it off no longer.
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(key) = ended.recv() => drop(self.lock().remove(&key)),
                _ = sweep.tick() => self.sweep(),
            }
        }
    }

    fn sweep(&self) {
        self.lock()
            .retain(|_, pod| pod.asked.elapsed() < SWEEP || pod.keeper.is_wanted());
    }

    fn keeper(&self, asking: &AskingPod<'_>) -> Arc<CredentialKeeper<PodSource<M::Source>>> {
        let mut pods = self.lock();
        if let Some(pod) = pods.get_mut(&asking.key) {
            pod.asked = Instant::now();
            pod.token.offer(asking.token, asking.expires);
            return Arc::clone(&pod.keeper);
        }
        if pods.len() >= self.most {
            // One that holds nothing goes first.
            let oldest = pods
                .iter()
                .min_by_key(|(_, pod)| (pod.keeper.is_wanted(), pod.asked))
                .map(|(key, _)| key.clone());
            oldest.and_then(|oldest| pods.remove(&oldest));
        }
        let token = Arc::new(HeldToken::new(asking.token, asking.expires));
        let source = PodSource {
            inner: self.sources.source(Arc::clone(&token)),
            key: asking.key.clone(),
            ended: self.ended.clone(),
            turns: Semaphore::new(QUESTIONS_OF_POD),
        };
        let log = match &asking.key {
            PodKey::Uid(uid) => {
                let name = asking.name.chars().take(MAX_NAME).collect();
                self.log.bounded(uid, vec![("pod", name)])
            }
            // The names in it are whoever's who wrote it. All such tokens have one share of the log.
            PodKey::Token(digest) => {
                let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                self.log.bounded("unverified", vec![("token_sha256", short)])
            }
        };
        let keeper = CredentialKeeper::new(source, Arc::clone(&self.clock), log, &[]);
        let pod = KnownPod {
            token,
            asked: Instant::now(),
            refresh: tokio::spawn(Arc::clone(&keeper).refresh()).abort_handle(),
            keeper: Arc::clone(&keeper),
        };
        pods.insert(asking.key.clone(), pod);
        keeper
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PodKey, KnownPod<M::Source>>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for one pod, and tells when the broker says that it has ended.
struct PodSource<S> {
    inner: S,
    key: PodKey,
    ended: mpsc::UnboundedSender<PodKey>,
    turns: Semaphore,
}

impl<S: CredentialSource> CredentialSource for PodSource<S> {
    async fn fetch(
        &self,
        binding: &SelectedBinding,
        etag: Option<HeaderValue>,
    ) -> Result<Fetched, FetchError> {
        // Never closed: there is always one.
        let turn = self.turns.acquire().await.ok();
        let answer = self.inner.fetch(binding, etag).await;
        drop(turn);
        if let Err(FetchError::Refused(problem)) = &answer
            && problem.status == StatusCode::FORBIDDEN
            && problem.code == POD_GONE
        {
            // Nobody hears it only when the agent ends.
            self.ended.send(self.key.clone()).unwrap_or_default();
        }
        answer
    }
}

#[cfg(test)]
mod tests;
