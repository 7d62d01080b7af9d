//! What is known of one binding, and which binding has to make room for another.

use std::collections::HashMap;

use http::header::HeaderValue;
use jiff::Timestamp;
use tokio::{sync::watch, time::Instant};

use crate::{
    binding::{MAX_BINDINGS, SelectedBinding},
    broker::FetchError,
    credential::Credential,
    log::Log,
    problem::AgentProblem,
};

pub(super) struct Slot {
    /// Named in `DEPUTY_BINDINGS`: never let go.
    pub configured: bool,
    pub kept: Option<KeptCredential>,
    pub call: Option<PendingFetch>,
    /// The last refusal and until when it is repeated without asking.
    pub refusal: Option<AgentProblem>,
    pub paused_until: Option<Instant>,
    /// When the broker is asked again by ourselves; never while a call is under way.
    pub due: Option<Instant>,
    /// How often in a row the broker failed, or refused.
    pub failures: u32,
    /// Until when the application may live on what it was handed last.
    pub wanted_until: Option<Timestamp>,
    state: State,
    pub used: Instant,
}

pub(super) struct KeptCredential {
    pub credential: Credential,
    pub etag: Option<HeaderValue>,
    pub confirmed: Instant,
}

#[derive(Clone)]
pub(super) struct PendingFetch {
    pub started: Instant,
    pub done: watch::Receiver<Option<Result<(), FetchError>>>,
}

impl PendingFetch {
    /// Whether it can still bring something. One whose task is gone without an outcome will never have one.
    pub fn is_under_way(&self) -> bool {
        self.done.has_changed().is_ok()
    }
}

/// What was last logged about a binding: only changes are. Another cause is a change, too: who looks for the reason of a
/// failure reads the last line. The code stands for it, for messages may differ in every answer.
#[derive(Clone, PartialEq, Eq)]
enum State {
    New,
    Good,
    Refused(String),
    Unavailable(String),
}

impl Slot {
    pub fn new(configured: bool) -> Self {
        Self {
            configured,
            kept: None,
            call: None,
            refusal: None,
            paused_until: None,
            due: None,
            failures: 0,
            wanted_until: None,
            state: State::New,
            used: Instant::now(),
        }
    }

    /// Holds `new` from now on.
    pub fn keep(&mut self, new: KeptCredential) {
        let is_new = self
            .kept
            .as_ref()
            .is_none_or(|kept| kept.credential.access_key_id() != new.credential.access_key_id());
        if is_new {
            self.state = State::New;
        }
        self.wanted_until.get_or_insert(new.credential.expiration());
        self.kept = Some(new);
    }

    /// Forgets what may not be handed out at `now` any more.
    pub fn drop_expired(&mut self, now: Timestamp) {
        if self
            .kept
            .as_ref()
            .is_some_and(|kept| !kept.credential.is_usable(now))
        {
            self.kept = None;
        }
    }

    /// Counts one more failure, or the first when it is of another kind than the last. Gives how many there were before.
    pub fn count_failure(&mut self, is_refusal: bool) -> u32 {
        let same = match self.state {
            State::Refused(_) => is_refusal,
            State::Unavailable(_) => !is_refusal,
            State::New | State::Good => false,
        };
        let before = if same { self.failures } else { 0 };
        self.failures = before.saturating_add(1);
        before
    }

    /// Logs `outcome` when it is news.
    pub fn log_change(&mut self, log: &Log, binding: &SelectedBinding, outcome: &Result<(), FetchError>) {
        let binding = binding.to_string();
        let state = match outcome {
            Ok(()) => State::Good,
            Err(FetchError::Refused(problem)) => State::Refused(problem.code.clone()),
            Err(FetchError::Unavailable(problem)) => State::Unavailable(problem.code.clone()),
        };
        if self.state == state {
            return;
        }
        self.state = state;
        match (outcome, &self.kept) {
            (Ok(()), Some(KeptCredential { credential, .. })) => {
                let expiration = credential.expiration().to_string();
                let fields = [
                    ("binding", binding.as_str()),
                    ("access_key_id", credential.access_key_id()),
                    ("expiration", &expiration),
                ];
                log.info("CredentialCurrent", &fields);
            }
            (Ok(()), None) => {}
            (Err(FetchError::Refused(problem)), _) => {
                let fields = [
                    ("binding", binding.as_str()),
                    ("code", &problem.code),
                    ("message", &problem.message),
                ];
                log.warn("Refused", &fields);
            }
            (Err(FetchError::Unavailable(problem)), kept) => {
                let serving = if kept.is_some() {
                    "the kept credential"
                } else {
                    "nothing"
                };
                let fields = [
                    ("binding", binding.as_str()),
                    ("code", &problem.code),
                    ("message", &problem.message),
                    ("serving", serving),
                ];
                log.warn("BrokerUnavailable", &fields);
            }
        }
    }
}

/// Sees to it that a slot for `binding` fits: names come from the application, which may make up any number.
pub(super) fn make_room(
    slots: &mut HashMap<SelectedBinding, Slot>,
    binding: &SelectedBinding,
) -> Result<(), AgentProblem> {
    if slots.len() < MAX_BINDINGS || slots.contains_key(binding) {
        return Ok(());
    }
    // What holds nothing goes first, then what was not asked for longest. What is configured stays.
    let oldest = slots
        .iter()
        .filter(|(_, slot)| slot.call.is_none() && !slot.configured)
        .min_by_key(|(_, slot)| (slot.kept.is_some(), slot.used))
        .map(|(binding, _)| binding.clone());
    match oldest {
        Some(oldest) => {
            slots.remove(&oldest);
            Ok(())
        }
        None => {
            let message =
                format!("{MAX_BINDINGS} bindings are configured or being fetched, the most there can be");
            Err(AgentProblem::unavailable("TooManyBindings", message))
        }
    }
}
