//! Keeping the API server's keys current. A key that is not known yet is asked for once for everybody, and seldom: tokens that somebody made up
//! name as many as he likes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use deputy_token::PublishedKeys;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::review::{NoKeys, TokenApi};

/// How often keys are read although nobody asked for an unknown one.
const EVERY: Duration = Duration::from_secs(60);
/// The pause after a try in vain while no keys are known.
const FIRST_TRIES: Duration = Duration::from_secs(1);
/// So long after keys were read, they are not read again because of a key that is not among them.
pub(super) const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// So many times in a row the API server says that it does not publish its keys, before that is believed of one that did: one that begins, or a
/// proxy in front of it, says so for a moment.
const BELIEVED_AFTER: u32 = 3;

/// What is known of the keys.
#[derive(Clone)]
pub(super) enum KeyState {
    /// They were not read yet: the API server has to be asked about each token until then.
    NotYet(String),
    /// They can't be had: the API server has to be asked about each token.
    NotPublished,
    /// These, as of then.
    Keys(Arc<PublishedKeys>, Instant),
}

/// Whether tokens can be verified, for readiness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the API server's keys have not been read yet: {0}")]
pub struct KeysNotRead(String);

/// The keys of now, and a way to ask for newer ones.
pub(super) struct ClusterKeys {
    known: ArcSwap<KeyState>,
    wanted: Notify,
    /// The API server was asked once more, maybe in vain.
    asked: Notify,
    /// Times in a row that it said so.
    unpublished: AtomicU32,
}

impl Default for ClusterKeys {
    fn default() -> Self {
        Self {
            known: ArcSwap::from_pointee(KeyState::NotYet("nobody has answered yet".to_owned())),
            wanted: Notify::new(),
            asked: Notify::new(),
            unpublished: AtomicU32::new(0),
        }
    }
}

impl ClusterKeys {
    pub(super) fn known(&self) -> Arc<KeyState> {
        self.known.load_full()
    }

    pub(super) fn check(&self) -> Result<(), KeysNotRead> {
        match self.known.load().as_ref() {
            KeyState::NotYet(why) => Err(KeysNotRead(why.clone())),
            KeyState::NotPublished | KeyState::Keys(..) => Ok(()),
        }
    }

    /// Somebody shows a key that is not among those of now. True: they are read again soon. False: they were read a moment ago.
    pub(super) fn want_newer(&self, read: Instant) -> bool {
        let is_old = read.elapsed() >= AGAIN_AFTER;
        if is_old {
            self.wanted.notify_one();
        }
        is_old
    }

    /// Waits until keys were asked for again because of one that is not among those of `read`, so long at most. If they were read a moment
    /// ago, they are not asked for again, and nobody waits.
    pub(super) async fn newer_within(&self, read: Instant, patience: Duration) {
        // Before the wish: what is told from now on is heard.
        let asked = self.asked.notified();
        if self.want_newer(read) {
            // In vain, what is known counts on.
            drop(timeout(patience, asked).await);
        }
    }

    /// Reads them now and then. Never ends. While the API server does not answer, what was read last counts on.
    pub(super) async fn follow(&self, api: &dyn TokenApi) {
        loop {
            self.learn(api.keys().await);
            self.asked.notify_waiters();
            let pause = match self.known.load().as_ref() {
                KeyState::NotYet(_) => FIRST_TRIES,
                KeyState::NotPublished | KeyState::Keys(..) => EVERY,
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = async {
                    tokio::time::sleep(AGAIN_AFTER.min(pause)).await;
                    self.wanted.notified().await;
                } => {}
            }
        }
    }

    pub(super) fn learn(&self, read: Result<PublishedKeys, NoKeys>) {
        let before = self.known();
        let unpublished = match &read {
            Err(NoKeys::NotPublished(_)) => {
                self.unpublished.fetch_add(1, Ordering::Relaxed).saturating_add(1)
            }
            Ok(_) | Err(NoKeys::Unavailable(_)) => {
                self.unpublished.store(0, Ordering::Relaxed);
                0
            }
        };
        let now = match (read, before.as_ref()) {
            (Ok(keys), _) => {
                if !matches!(before.as_ref(), KeyState::Keys(..)) {
                    tracing::info!(
                        issuer = keys.issuer(),
                        keys = keys.count(),
                        "tokens are verified by the API server's keys"
                    );
                }
                KeyState::Keys(Arc::new(keys), Instant::now())
            }
            (Err(error @ NoKeys::NotPublished(_)), before)
                if unpublished >= BELIEVED_AFTER || !matches!(before, KeyState::Keys(..)) =>
            {
                if !matches!(before, KeyState::NotPublished) {
                    tracing::warn!(%error, "the API server is asked about each token (TokenReview)");
                }
                KeyState::NotPublished
            }
            (Err(error), KeyState::NotYet(_)) => {
                tracing::warn!(%error, "failed to read the API server's keys");
                KeyState::NotYet(error.to_string())
            }
            (Err(error), KeyState::NotPublished | KeyState::Keys(..)) => {
                tracing::warn!(%error, "failed to read the API server's keys; those of before count on");
                return;
            }
        };
        self.known.store(Arc::new(now));
    }
}
