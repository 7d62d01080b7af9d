//! How fast an account's IAM is called: a token bucket whose rate halves when AWS throttles and grows slowly while it does
//! not. IAM's own limits are per account, unpublished, and shared with everybody else in that account.
//!
//! Calls that have to wait have their turn by what they are made for ([`CallPurpose`]), and in the order of asking within that.
//! Nothing of the future is reserved: however many looks wait, the next token is that of a write that comes now. Who stops waiting leaves
//! its turn to the next one.

mod purpose;
mod waiting;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot::Receiver, time::Instant};

use self::waiting::Waiting;
use crate::error::{AwsError, ErrorClass};

pub use self::purpose::CallPurpose;

/// The figures of a [`CallBudget`], in calls and calls a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BudgetSettings {
    /// Calls that may be made at once after a pause.
    pub burst: f64,
    /// The rate to begin with.
    pub initial_rate: f64,
    /// The rate that throttling can't push it below.
    pub min_rate: f64,
    /// The rate it never exceeds.
    pub max_rate: f64,
    /// What one call that was not throttled adds to the rate.
    pub growth: f64,
    /// The same while the rate is below half of what it was when AWS began to throttle: after a storm of refusals, in which each try
    /// halved it, the rate is soon where it may be.
    pub recovery: f64,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self {
            burst: 10.0,
            initial_rate: 10.0,
            min_rate: 0.5,
            max_rate: 20.0,
            growth: 0.05,
            recovery: 0.5,
        }
    }
}

/// Calls that may be made now, and how that grows: additive increase, multiplicative decrease.
#[derive(Debug)]
pub struct CallBudget {
    settings: BudgetSettings,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Calls that may be made now: below one, none.
    tokens: f64,
    rate: f64,
    refilled: Instant,
    /// When the rate was last halved: the answers to calls that were under way then say nothing new.
    halved: Option<Instant>,
    /// Half of the rate at which AWS began to throttle.
    safe_rate: f64,
    /// Whether the last answer was that there are too many calls.
    is_throttled: bool,
    waiting: Waiting,
}

/// Sums of fractions come out a little below the whole.
const ALMOST_ONE: f64 = 1.0 - 1e-6;

impl State {
    /// Adds what has come since the last time.
    fn refill(&mut self, now: Instant, burst: f64) {
        let passed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.refilled = self.refilled.max(now);
        self.tokens = passed.mul_add(self.rate, self.tokens).min(burst);
    }

    /// Gives the tokens that there are to those who wait, by their turn.
    fn hand_out(&mut self) {
        while self.tokens >= ALMOST_ONE && self.waiting.grant() {
            self.tokens -= 1.0;
        }
    }

    /// When there is a token again, should nothing be granted before.
    fn next_token(&self) -> Instant {
        let missing = (1.0 - self.tokens).max(0.0);
        self.refilled + Duration::from_secs_f64(missing / self.rate)
    }
}

impl CallBudget {
    /// A full bucket.
    #[must_use]
    pub fn new(settings: BudgetSettings) -> Self {
        Self {
            state: Mutex::new(State {
                tokens: settings.burst,
                rate: settings.initial_rate.clamp(settings.min_rate, settings.max_rate),
                refilled: Instant::now(),
                halved: None,
                safe_rate: settings.min_rate,
                is_throttled: false,
                waiting: Waiting::default(),
            }),
            settings,
        }
    }

    /// Waits until a call that is made for `purpose` may be made, `patience` at most. Returns how long that took. Dropped while it
    /// waits, it has taken nothing.
    ///
    /// # Errors
    /// As throttled, with the code `CallBudget`, if its turn did not come within `patience`.
    pub async fn acquire(
        &self,
        operation: &'static str,
        purpose: CallPurpose,
        patience: Duration,
    ) -> Result<Duration, AwsError> {
        let started = Instant::now();
        let mut turn = self.join(started, purpose);
        while !turn.has_come() {
            let deadline = started + patience;
            if Instant::now() >= deadline {
                return Err(self.out_of_patience(operation, patience));
            }
            let until = self.lock().next_token().min(deadline);
            if tokio::time::timeout_at(until, &mut turn.heard).await.is_ok() {
                turn.is_taken = true;
                break;
            }
            // Whoever wakes up hands out for all: nobody's turn waits for somebody who is busy.
            self.change(State::hand_out);
        }
        Ok(started.elapsed())
    }

    fn join(&self, now: Instant, purpose: CallPurpose) -> Turn<'_> {
        let mut state = self.lock();
        state.refill(now, self.settings.burst);
        let heard = state.waiting.join(purpose);
        state.hand_out();
        drop(state);
        Turn {
            budget: self,
            heard,
            is_taken: false,
        }
    }

    fn out_of_patience(&self, operation: &'static str, patience: Duration) -> AwsError {
        let rate = self.rate();
        AwsError::new(
            operation,
            ErrorClass::Throttled,
            &format!(
                "the call budget of this account ({rate:.1} calls/s now) had no turn for it within {:.1} s",
                patience.as_secs_f64()
            ),
        )
        .with_code("CallBudget")
    }

    /// What AWS said to a call that was made at `started`.
    pub fn learn(&self, started: Instant, throttled: bool) {
        let settings = self.settings;
        self.change(|state| {
            if !throttled {
                let growth = if state.rate < state.safe_rate {
                    settings.recovery
                } else {
                    settings.growth
                };
                state.rate = (state.rate + growth).min(settings.max_rate);
                state.is_throttled = false;
            } else if state.halved.is_none_or(|halved| started > halved) {
                if !state.is_throttled {
                    state.safe_rate = state.rate / 2.0;
                }
                state.rate = (state.rate / 2.0).max(settings.min_rate);
                state.tokens = state.tokens.min(0.0);
                state.halved = Some(Instant::now());
                state.is_throttled = true;
            }
        });
    }

    /// Calls a second at present.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.lock().rate
    }

    /// Whether no call waits for its turn.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        state.refill(Instant::now(), self.settings.burst);
        change(&mut state);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Plain numbers and those who wait, each valid on its own: nothing to repair.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for CallBudget {
    fn default() -> Self {
        Self::new(BudgetSettings::default())
    }
}

/// A call that waits, or has its turn and has not noticed yet.
struct Turn<'a> {
    budget: &'a CallBudget,
    heard: Receiver<()>,
    is_taken: bool,
}

impl Turn<'_> {
    fn has_come(&mut self) -> bool {
        self.is_taken |= self.heard.try_recv().is_ok();
        self.is_taken
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // No turn can come after this; one that came and was not taken is the next one's.
        self.heard.close();
        if !self.is_taken && self.heard.try_recv().is_ok() {
            self.budget.change(|state| {
                state.tokens += 1.0;
                state.hand_out();
            });
        }
    }
}

#[cfg(test)]
mod tests;
