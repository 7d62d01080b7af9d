//! Whether an endpoint is called at all: after some failures in a row it is left alone, and one call at a time tries it again. Pure.

use std::time::Duration;

use deputy_aws::{AwsError, ErrorClass};
use jiff::Timestamp;
use tokio::time::Instant;

/// Calls in a row without an answer, or with a 5xx, after which an endpoint is left alone.
const FAILURES: u32 = 5;
/// How long it is left alone at first; twice as long after each call that tries it in vain.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How long at most: so long after it is back, it is used.
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// Characters of an error that are repeated: what is to be done about it comes after.
const SHOWN: usize = 160;

/// Closed: calls are made. Open: none is. When its pause is over, one call tries, and what comes of it decides.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    failures: u32,
    open: Option<OpenCircuit>,
}

#[derive(Debug)]
struct OpenCircuit {
    since: Timestamp,
    until: Instant,
    pause: Duration,
    is_tried: bool,
    last: String,
}

/// What becomes of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is made in its turn.
    Closed,
    /// It is made now: it is the one that tries the endpoint.
    Probe,
    /// It is not made.
    Open,
}

/// What a call says of its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It answers, whatever it says.
    Alive,
    /// No answer, or a 5xx.
    Failing,
    /// Nothing: it was not asked.
    Unknown,
}

impl Sign {
    pub(super) fn of<T>(result: &Result<T, AwsError>) -> Self {
        match result.as_ref().map_err(AwsError::class) {
            Err(ErrorClass::Unreachable | ErrorClass::Service) => Self::Failing,
            Err(ErrorClass::NoCredentials | ErrorClass::InvalidCredentials | ErrorClass::NotLeader) => {
                Self::Unknown
            }
            _ => Self::Alive,
        }
    }
}

impl Circuit {
    pub(super) fn admit(&mut self, now: Instant) -> Admission {
        let admission = self.would_admit(now);
        if admission == Admission::Probe
            && let Some(open) = &mut self.open
        {
            open.is_tried = true;
        }
        admission
    }

    /// What would become of a call now.
    pub(super) fn would_admit(&self, now: Instant) -> Admission {
        match &self.open {
            None => Admission::Closed,
            Some(open) if !open.is_tried && now >= open.until => Admission::Probe,
            Some(_) => Admission::Open,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether nothing is remembered.
    pub(super) fn is_sound(&self) -> bool {
        self.failures == 0 && self.open.is_none()
    }

    /// What a call came to. `error` is what is said of a failure. Gives whether the circuit has opened.
    pub(super) fn learn(
        &mut self,
        sign: Sign,
        was_probe: bool,
        error: &str,
        (now, time): (Instant, Timestamp),
    ) -> bool {
        match (sign, &mut self.open) {
            (Sign::Alive, _) => {
                *self = Self::default();
                false
            }
            (Sign::Failing, Some(open)) if was_probe => {
                open.pause = open.pause.saturating_mul(2).min(LAST_PAUSE);
                open.last = error.chars().take(SHOWN).collect();
                open.until = now + open.pause;
                open.is_tried = false;
                false
            }
            (Sign::Unknown, Some(open)) if was_probe => {
                open.until = now + open.pause;
                open.is_tried = false;
                false
            }
            // Begun before: nothing new.
            (Sign::Failing, Some(_)) | (Sign::Unknown, _) => false,
            (Sign::Failing, None) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures < FAILURES {
                    return false;
                }
                self.open = Some(OpenCircuit {
                    since: time,
                    until: now + FIRST_PAUSE,
                    pause: FIRST_PAUSE,
                    is_tried: false,
                    last: error.chars().take(SHOWN).collect(),
                });
                true
            }
        }
    }

    /// What whoever is not served hears: which endpoint, since when, what it says, and what comes next.
    pub(super) fn sentence(&self, what: &str, now: Instant) -> String {
        let Some(open) = &self.open else {
            return format!("{what} is called");
        };
        let next = if open.is_tried {
            "one call tries it now".to_owned()
        } else {
            let left = open.until.saturating_duration_since(now).as_secs_f64().ceil();
            format!("the next request after {left} s tries it again")
        };
        format!(
            "{what} has not answered since {}, {FAILURES} calls or more in a row ({}), and is left alone; {next}",
            open.since.strftime("%Y-%m-%dT%H:%M:%SZ"),
            open.last
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINCE: &str = "2026-01-02T03:04:05Z";

    fn fail(circuit: &mut Circuit, was_probe: bool) -> bool {
        let at = (Instant::now(), SINCE.parse().unwrap());
        circuit.learn(Sign::Failing, was_probe, "no answer in time", at)
    }

    fn answer(circuit: &mut Circuit, was_probe: bool) {
        let at = (Instant::now(), SINCE.parse().unwrap());
        assert!(!circuit.learn(Sign::Alive, was_probe, "", at));
    }

    #[tokio::test(start_paused = true)]
    async fn five_failures_in_a_row_open_it_and_an_answer_between_begins_anew() {
        let mut circuit = Circuit::default();
        for _ in 0..3 {
            for _ in 0..4 {
                assert!(!fail(&mut circuit, false));
            }
            answer(&mut circuit, false);
        }
        for n in 0..5 {
            assert_eq!(circuit.admit(Instant::now()), Admission::Closed);
            assert_eq!(fail(&mut circuit, false), n == 4);
        }
        assert_eq!(circuit.admit(Instant::now()), Admission::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn one_call_at_a_time_tries_it_less_and_less_often() {
        let mut circuit = Circuit::default();
        while !fail(&mut circuit, false) {}
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            tokio::time::advance(Duration::from_secs(pause) - Duration::from_millis(1)).await;
            assert_eq!(circuit.admit(Instant::now()), Admission::Open, "{pause}");
            tokio::time::advance(Duration::from_millis(1)).await;
            assert_eq!(circuit.admit(Instant::now()), Admission::Probe, "{pause}");
            assert_eq!(circuit.admit(Instant::now()), Admission::Open, "{pause}");
            fail(&mut circuit, true);
        }
        tokio::time::advance(LAST_PAUSE).await;
        assert_eq!(circuit.admit(Instant::now()), Admission::Probe);
        answer(&mut circuit, true);
        assert!(circuit.is_sound());
    }

    #[tokio::test(start_paused = true)]
    async fn it_says_which_endpoint_since_when_why_and_what_is_next() {
        let mut circuit = Circuit::default();
        while !fail(&mut circuit, false) {}
        let said = circuit.sentence("STS at https://sts.example.com", Instant::now());
        assert_eq!(
            said,
            "STS at https://sts.example.com has not answered since 2026-01-02T03:04:05Z, 5 calls or more in a row (no answer in \
             time), and is left alone; the next request after 1 s tries it again"
        );
    }

    #[test]
    fn a_refusal_is_a_sign_of_life_and_missing_keys_are_none_of_either() {
        let of = |class| Sign::of::<()>(&Err(AwsError::new("sts:AssumeRole", class, "no")));
        assert_eq!(of(ErrorClass::AccessDenied), Sign::Alive);
        assert_eq!(of(ErrorClass::Throttled), Sign::Alive);
        assert_eq!(of(ErrorClass::Service), Sign::Failing);
        assert_eq!(of(ErrorClass::Unreachable), Sign::Failing);
        assert_eq!(of(ErrorClass::NoCredentials), Sign::Unknown);
        assert_eq!(Sign::of(&Ok(())), Sign::Alive);
    }
}
