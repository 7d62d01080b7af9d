//! Keeps the credentials that the broker gave, and decides what a caller gets.
//!
//! For each binding:
//! - What was confirmed within [`FRESH`] is served at once.
//! - What is older is confirmed with the broker first, and served unconfirmed when the broker does not answer
//!   within [`REVALIDATION_WAIT`], can't be reached, or fails: an outage of the broker is no outage of the pod.
//! - A refusal (403) drops it: a removed grant stops. That the broker could not tell who asks (401) is none.
//! - What is about to expire is never served.
//! - It is asked for again in time, whether or not anybody asks ([`refresh`]), so that what is held is of a young session.
//! - Any number of callers share one call to the broker. The call belongs to none of them, so one that goes
//!   away harms nobody, and an answer that comes after they gave up serves the next.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    binding::SelectedBinding,
    broker::{CredentialSource, FetchError, Fetched},
    credential::{Credential, WallClock},
    log::Log,
    problem::AgentProblem,
};
use slot::{KeptCredential, PendingFetch, Slot, make_room};

mod refresh;
mod slot;

/// How long a confirmation by the broker is good for.
pub const FRESH: Duration = Duration::from_secs(5);
/// How long a caller waits for a confirmation when there is something to serve without it.
pub const REVALIDATION_WAIT: Duration = Duration::from_millis(300);
/// How long a caller waits for a first credential. The JavaScript SDK gives up after 1 s.
pub const FIRST_WAIT: Duration = Duration::from_millis(900);
/// How long a call to the broker may go on after its callers gave up.
pub const CALL_LIMIT: Duration = Duration::from_secs(10);
/// After a refusal, and after a failure with something to serve, the broker is left alone this long: SDKs ask
/// three or four times in a row.
pub const PAUSE: Duration = Duration::from_secs(1);

/// What callers get: the body of a 200, or what to say instead.
pub type CredentialAnswer = Result<Bytes, AgentProblem>;

/// The credentials of this pod. See the module.
pub struct CredentialKeeper<S> {
    source: S,
    clock: WallClock,
    log: Log,
    slots: Mutex<HashMap<SelectedBinding, Slot>>,
    /// A slot has another time at which it is due.
    planned: Notify,
}

impl<S: CredentialSource> CredentialKeeper<S> {
    /// A keeper with nothing in it, which never lets go of the `configured` bindings, at most [`MAX_BINDINGS`].
    ///
    /// [`MAX_BINDINGS`]: crate::binding::MAX_BINDINGS
    pub fn new(source: S, clock: WallClock, log: Log, configured: &[SelectedBinding]) -> Arc<Self> {
        let slots = configured
            .iter()
            .map(|binding| (binding.clone(), Slot::new(true)));
        Arc::new(Self {
            source,
            clock,
            log,
            slots: Mutex::new(slots.collect()),
            planned: Notify::new(),
        })
    }

    /// The credential of `binding`, or why there is none, within [`FIRST_WAIT`].
    ///
    /// # Errors
    /// The [`AgentProblem`] to answer with: the broker's refusal, or 503.
    pub async fn get(self: &Arc<Self>, binding: &SelectedBinding) -> CredentialAnswer {
        let (mut call, holds) = {
            let mut slots = self.lock();
            make_room(&mut slots, binding)?;
            let slot = slots.entry(binding.clone()).or_insert_with(|| Slot::new(false));
            slot.used = Instant::now();
            let kept = self.usable(slot);
            let confirmed = slot
                .kept
                .as_ref()
                .is_some_and(|kept| kept.confirmed.elapsed() < FRESH);
            let paused = slot.paused_until.is_some_and(|until| Instant::now() < until);
            match (&kept, &slot.refusal) {
                (Some(body), _) if confirmed || paused => return Ok(body.clone()),
                (None, Some(refusal)) if paused => return Err(refusal.clone()),
                _ => {}
            }
            (self.call(binding, slot), kept.is_some())
        };
        let deadline = if holds {
            // From the start of the call: while the broker hangs, only the first callers wait.
            call.started.checked_add(REVALIDATION_WAIT)
        } else {
            Instant::now().checked_add(FIRST_WAIT)
        };
        let deadline = deadline.unwrap_or(call.started);
        let outcome = match timeout_at(deadline, call.done.wait_for(Option::is_some)).await {
            Ok(Ok(outcome)) => outcome.clone(),
            Ok(Err(_)) | Err(_) => None,
        };
        let kept = self.lock().get_mut(binding).and_then(|slot| self.usable(slot));
        match (outcome, kept) {
            (Some(Err(FetchError::Refused(problem))), _) => Err(problem),
            (_, Some(body)) => Ok(body),
            (Some(Err(FetchError::Unavailable(problem))), None) => Err(problem),
            (None | Some(Ok(())), None) => {
                let message = format!(
                    "the broker has not answered yet for the {binding} binding; the request to it goes on, try again"
                );
                Err(AgentProblem {
                    retry_after: Some(1),
                    ..AgentProblem::unavailable("NotReady", message)
                })
            }
        }
    }

    /// The credential of `binding` that is held, without a word to the broker.
    pub(crate) fn get_held(&self, binding: &SelectedBinding) -> Option<Bytes> {
        let mut slots = self.lock();
        let slot = slots.get_mut(binding)?;
        slot.used = Instant::now();
        self.usable(slot)
    }

    /// Waits until no call to the broker is under way.
    pub(crate) async fn settled(&self) {
        loop {
            let call = self.lock().values().find_map(|slot| slot.call.clone());
            let Some(mut call) = call else { return };
            // Over is also one whose task is gone.
            if call.done.wait_for(Option::is_some).await.is_err() {
                return;
            }
        }
    }

    /// Whether a credential is held.
    pub(crate) fn holds_any(&self) -> bool {
        self.lock().values().any(|slot| slot.kept.is_some())
    }

    /// Whether there is anything that somebody asked for: a call under way, or a credential that an application may live on.
    pub(crate) fn is_wanted(&self) -> bool {
        let now = (self.clock)();
        self.lock().values().any(|slot| {
            let is_under_way = slot.call.as_ref().is_some_and(PendingFetch::is_under_way);
            is_under_way || slot.wanted_until.is_some_and(|until| now < until)
        })
    }

    /// What of `slot` is handed out now. What may not be is dropped.
    fn usable(&self, slot: &mut Slot) -> Option<Bytes> {
        slot.drop_expired((self.clock)());
        let credential = &slot.kept.as_ref()?.credential;
        slot.wanted_until = Some(credential.expiration());
        Some(credential.body())
    }

    /// The call to the broker that is under way for `slot`, or a new one.
    fn call(self: &Arc<Self>, binding: &SelectedBinding, slot: &mut Slot) -> PendingFetch {
        if let Some(call) = slot.call.as_ref().filter(|call| call.is_under_way()) {
            return call.clone();
        }
        let (send, done) = watch::channel(None);
        let call = PendingFetch {
            started: Instant::now(),
            done,
        };
        slot.call = Some(call.clone());
        // Planned anew when it is over.
        slot.due = None;
        slot.drop_expired((self.clock)());
        let etag = slot.kept.as_ref().and_then(|kept| kept.etag.clone());
        let (keeper, binding, started) = (Arc::clone(self), binding.clone(), call.started);
        tokio::spawn(async move {
            let result = timeout(CALL_LIMIT, keeper.source.fetch(&binding, etag))
                .await
                .unwrap_or_else(|_| {
                    let message = format!("the Deputy broker did not answer in {CALL_LIMIT:?}");
                    Err(FetchError::Unavailable(AgentProblem::unavailable(
                        "BrokerSilent",
                        message,
                    )))
                });
            let outcome = keeper.settle(&binding, started, result);
            send.send_replace(Some(outcome));
        });
        call
    }

    /// Takes in what a call brought.
    fn settle(
        &self,
        binding: &SelectedBinding,
        started: Instant,
        result: Result<Fetched, FetchError>,
    ) -> Result<(), FetchError> {
        let mut slots = self.lock();
        let slot = slots.entry(binding.clone()).or_insert_with(|| Slot::new(false));
        slot.call = None;
        slot.refusal = None;
        slot.paused_until = None;
        slot.drop_expired((self.clock)());
        let told = result.as_ref().ok().and_then(Fetched::refresh_after);
        let outcome = self.store(slot, started, result).map_err(|error| match error {
            FetchError::Refused(problem) if slot.kept.take().is_some() => {
                FetchError::Refused(problem.that_dropped())
            }
            error => error,
        });
        let pause = Instant::now().checked_add(PAUSE);
        match &outcome {
            Ok(()) => {}
            Err(FetchError::Refused(problem)) => {
                slot.refusal = Some(problem.clone());
                slot.paused_until = pause;
            }
            Err(FetchError::Unavailable(_)) if slot.kept.is_some() => slot.paused_until = pause,
            Err(FetchError::Unavailable(_)) => {}
        }
        self.plan(slot, told, &outcome);
        slot.log_change(&self.log, binding, &outcome);
        outcome
    }

    fn store(
        &self,
        slot: &mut Slot,
        started: Instant,
        result: Result<Fetched, FetchError>,
    ) -> Result<(), FetchError> {
        match (result?, &mut slot.kept) {
            // Confirmed as of the question, not the answer: the broker may have decided right after it came.
            (Fetched::NotModified { .. }, Some(kept)) => kept.confirmed = started,
            // It expired while the broker said that it is current.
            (Fetched::NotModified { .. }, None) => {
                let message = "the broker confirmed a credential that has expired here";
                return Err(FetchError::Unavailable(AgentProblem::unavailable(
                    "BrokerError",
                    message,
                )));
            }
            (Fetched::Credential { body, etag, .. }, _) => {
                let credential = Credential::parse(&body, (self.clock)()).map_err(|error| {
                    FetchError::Unavailable(AgentProblem::unavailable("BrokerError", error.to_string()))
                })?;
                slot.keep(KeptCredential {
                    credential,
                    etag,
                    confirmed: started,
                });
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SelectedBinding, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
