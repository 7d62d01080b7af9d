//! Accounts that can't be reached. A call to one takes its whole deadline, and there is a boundary policy of each limit there: so one of
//! them at a time finds out whether it can be reached again, and the others wait for that.

use std::{collections::HashMap, time::Duration};

use deputy_aws::{AwsError, ErrorClass};
use deputy_delegation::ObjectName;
use parking_lot::Mutex;
use tokio::time::Instant;

/// After a first call that nobody answered; doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause: so long after it can be reached again everything there is looked at.
const LAST_PAUSE: Duration = Duration::from_secs(120);
/// How long finding out may take, with waiting for the turn to call.
const PROBE: Duration = Duration::from_secs(60);

/// Accounts that could not be reached when they were last called.
#[derive(Debug, Default)]
pub struct Reach {
    away: Mutex<HashMap<ObjectName, Away>>,
}

#[derive(Debug)]
struct Away {
    error: AwsError,
    pause: Duration,
    /// When the next one may call.
    next: Instant,
    /// Who calls now, or did last.
    probe: u64,
}

/// Whether an account may be called.
#[derive(Debug, PartialEq, Eq)]
pub enum MayCall {
    /// It may; the number is for [`Reach::end`].
    Yes(u64),
    /// It could not be reached, and it is not time to try again, or somebody else does.
    NotFor(Duration, AwsError),
}

impl Reach {
    /// Somebody wants to call an account.
    pub fn begin(&self, account: &ObjectName) -> MayCall {
        let (mut away, now) = (self.away.lock(), Instant::now());
        match away.get_mut(account) {
            None => MayCall::Yes(0),
            Some(away) if away.next > now => {
                MayCall::NotFor(away.next.duration_since(now), away.error.clone())
            }
            Some(away) => {
                away.next = now + PROBE;
                away.probe = away.probe.wrapping_add(1);
                MayCall::Yes(away.probe)
            }
        }
    }

    /// What came of calling it: its error, if there was one.
    pub fn end(&self, account: &ObjectName, probe: u64, error: Option<&AwsError>) {
        let mut away = self.away.lock();
        let Some(error) = error.filter(|error| error.class() == ErrorClass::Unreachable) else {
            away.remove(account);
            return;
        };
        let pause = match away.get(account) {
            // Under way when the first one failed: it says nothing new.
            Some(known) if known.probe != probe || probe == 0 => return,
            Some(known) => known.pause.saturating_mul(2).min(LAST_PAUSE),
            None => FIRST_PAUSE,
        };
        let known = Away {
            error: error.clone(),
            pause,
            next: Instant::now() + pause,
            probe,
        };
        away.insert(account.clone(), known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> ObjectName {
        ObjectName::new("production").unwrap()
    }

    fn unreachable() -> AwsError {
        AwsError::new("iam:GetPolicy", ErrorClass::Unreachable, "no answer")
    }

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_finds_out_whether_an_account_can_be_reached() {
        let (reach, account) = (Reach::default(), account());
        // Three are under way when it goes away; that is one failure.
        for _ in 0..3 {
            assert_eq!(reach.begin(&account), MayCall::Yes(0));
        }
        for _ in 0..3 {
            reach.end(&account, 0, Some(&unreachable()));
        }
        let mut pauses = Vec::new();
        for probe in 1..8 {
            let MayCall::NotFor(pause, error) = reach.begin(&account) else {
                panic!("it is too early")
            };
            assert_eq!(error, unreachable());
            pauses.push(pause.as_secs());
            tokio::time::advance(pause).await;
            assert_eq!(reach.begin(&account), MayCall::Yes(probe));
            assert!(
                matches!(reach.begin(&account), MayCall::NotFor(..)),
                "somebody does"
            );
            reach.end(&account, probe, Some(&unreachable()));
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 120, 120]);
        reach.end(&account, 7, None);
        assert_eq!(reach.begin(&account), MayCall::Yes(0));
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_aws_answers_it_was_reached_and_a_probe_may_never_end() {
        let (reach, account) = (Reach::default(), account());
        reach.begin(&account);
        reach.end(
            &account,
            0,
            Some(&AwsError::new("iam:GetPolicy", ErrorClass::AccessDenied, "no")),
        );
        assert_eq!(reach.begin(&account), MayCall::Yes(0));
        reach.end(&account, 0, Some(&unreachable()));
        tokio::time::advance(FIRST_PAUSE).await;
        assert_eq!(reach.begin(&account), MayCall::Yes(1));
        tokio::time::advance(PROBE).await;
        assert_eq!(reach.begin(&account), MayCall::Yes(2));
    }
}
