//! How fast an account's IAM is called: a token bucket whose rate halves when AWS throttles and grows slowly while it does
//! not. IAM's own limits are per account, unpublished, and shared with everybody else in that account.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::error::{AwsError, ErrorClass};

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
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self {
            burst: 10.0,
            initial_rate: 10.0,
            min_rate: 0.5,
            max_rate: 20.0,
            growth: 0.05,
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
    /// Calls that may be made now; below zero while reserved calls wait for their turn.
    tokens: f64,
    rate: f64,
    refilled: Instant,
    /// When the rate was last halved: the answers to calls that were under way then say nothing new.
    halved: Option<Instant>,
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
            }),
            settings,
        }
    }

    /// Waits until a call may be made, in the order of asking. Returns how long that took.
    ///
    /// # Errors
    /// At once, as throttled, if it would take longer than `patience`.
    pub async fn acquire(&self, operation: &'static str, patience: Duration) -> Result<Duration, AwsError> {
        let started = Instant::now();
        let (wait, rate) = self.reserve(started, patience);
        match wait {
            Ok(wait) if wait.is_zero() => {}
            Ok(wait) => tokio::time::sleep_until(started + wait).await,
            Err(wait) => {
                return Err(AwsError::new(
                    operation,
                    ErrorClass::Throttled,
                    &format!(
                        "the call budget of this account ({rate:.1} calls/s now) would allow it in {:.1} s, the limit is {:.1} s",
                        wait.as_secs_f64(),
                        patience.as_secs_f64()
                    ),
                )
                .with_code("CallBudget"));
            }
        }
        Ok(started.elapsed())
    }

    /// Takes a token of now or of the future: how long to wait for it, `Err` if that is too long and none was taken.
    fn reserve(&self, now: Instant, patience: Duration) -> (Result<Duration, Duration>, f64) {
        let mut state = self.lock();
        let passed = now.saturating_duration_since(state.refilled).as_secs_f64();
        state.refilled = state.refilled.max(now);
        state.tokens = passed.mul_add(state.rate, state.tokens).min(self.settings.burst);
        let missing = (1.0 - state.tokens).max(0.0);
        let wait = Duration::from_secs_f64(missing / state.rate);
        let rate = state.rate;
        if wait > patience {
            return (Err(wait), rate);
        }
        state.tokens -= 1.0;
        (Ok(wait), rate)
    }

    /// What AWS said to a call that was made at `started`.
    pub fn learn(&self, started: Instant, throttled: bool) {
        let mut state = self.lock();
        if !throttled {
            state.rate = (state.rate + self.settings.growth).min(self.settings.max_rate);
        } else if state.halved.is_none_or(|halved| started > halved) {
            state.rate = (state.rate / 2.0).max(self.settings.min_rate);
            state.tokens = state.tokens.min(0.0);
            state.halved = Some(Instant::now());
        }
    }

    /// Calls a second at present.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.lock().rate
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Plain numbers, each valid on its own: nothing to repair.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for CallBudget {
    fn default() -> Self {
        Self::new(BudgetSettings::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn budget() -> CallBudget {
        CallBudget::new(BudgetSettings {
            burst: 2.0,
            initial_rate: 4.0,
            min_rate: 0.5,
            max_rate: 8.0,
            growth: 1.0,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn calls_beyond_the_burst_wait_their_turn() {
        let budget = budget();
        let mut waits = Vec::new();
        for _ in 0..4 {
            waits.push(budget.acquire("iam:GetRole", PATIENCE).await.unwrap().as_millis());
        }
        assert_eq!(waits, [0, 0, 250, 250]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_would_wait_too_long_is_refused_at_once_and_takes_nothing() {
        let budget = budget();
        for _ in 0..2 {
            budget.acquire("iam:GetRole", PATIENCE).await.unwrap();
        }
        let error = budget
            .acquire("iam:CreateRole", Duration::from_millis(100))
            .await
            .unwrap_err();
        assert_eq!(
            (error.class(), error.code()),
            (ErrorClass::Throttled, Some("CallBudget"))
        );
        assert!(!error.outcome_unknown());
        let wait = budget.acquire("iam:GetRole", PATIENCE).await.unwrap();
        assert_eq!(wait.as_millis(), 250);
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_halves_the_rate_once_for_all_calls_under_way() {
        let budget = budget();
        let started = Instant::now();
        tokio::time::advance(Duration::from_millis(10)).await;
        budget.learn(started, true);
        budget.learn(started, true);
        assert_eq!(budget.rate(), 2.0);
        tokio::time::advance(Duration::from_millis(10)).await;
        budget.learn(Instant::now(), true);
        assert_eq!(budget.rate(), 1.0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_stays_within_its_bounds() {
        let budget = budget();
        for _ in 0..20 {
            tokio::time::advance(Duration::from_secs(1)).await;
            budget.learn(Instant::now(), true);
        }
        assert_eq!(budget.rate(), 0.5);
        for _ in 0..20 {
            budget.learn(Instant::now(), false);
        }
        assert_eq!(budget.rate(), 8.0);
    }
}
