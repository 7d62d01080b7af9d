//! A session with what was noted when it was made: how long it may be used, when its successor is due, and when agents ask for that.

use std::{collections::HashSet, time::Duration};

use deputy_aws::Session;
use jiff::Timestamp;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

/// Within that what is due is looked at: the ticker's interval, of the process.
const LOOKED_AT: Duration = Duration::from_secs(15);

/// When the next session is made. Of pods' sessions at another time for each, within some share of their life: what was made together,
/// after a restart, is not renewed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// Between a tenth and a sixth of its life: for sessions that many pods share, so that all of them ride out a long outage of STS.
    Shared,
    /// Between 13 and 23 hundredths of its life: an agent that asks a little later still holds two thirds of a session.
    Single,
    /// Half of its life; the next one is made when somebody asks again. Who asked may not be in a group any more that gave it.
    OnRequest,
}

impl Renewal {
    /// The share of its life after which a session is due. `spread`, below 1, tells sessions of the same moment apart.
    fn share(self, spread: f64) -> f64 {
        let (first, last) = match self {
            Self::Shared => (0.1, 1.0 / 6.0),
            Self::Single => (0.13, 0.23),
            Self::OnRequest => (0.5, 0.5),
        };
        spread.mul_add(last - first, first)
    }
}

/// A session, with what was noted when it was made.
pub struct Issued {
    pub session: Session,
    /// When STS made it, on the clock that nobody sets, and the life that was asked for: when our clock is wrong against that of
    /// AWS, a session must not be taken for good after its end.
    arrived: Instant,
    life: Duration,
    pub renewal: Renewal,
    due: Duration,
    /// Whom it was delivered to, each by what stands for them.
    delivered: Mutex<HashSet<u64>>,
}

/// Deliveries that a session remembers.
const MOST_DELIVERIES: usize = 65_536;

impl Issued {
    /// A session is never handed out in its last minute: clocks differ.
    const MARGIN: Duration = Duration::from_secs(60);
    /// Agents ask for the next session no sooner than this.
    const SOONEST_REFRESH: Duration = Duration::from_secs(30);
    /// The most that the protocol allows (docs/contracts.md).
    const LATEST_REFRESH: u64 = 43_200;

    /// A session that STS has just made, and that was asked for with this life.
    #[must_use]
    pub fn new(session: Session, life: Duration, renewal: Renewal) -> Self {
        let share = renewal.share(fraction(&session.credentials.access_key_id));
        Self {
            session,
            arrived: Instant::now(),
            life,
            renewal,
            due: life.mul_f64(share),
            delivered: Mutex::default(),
        }
    }

    /// Whether it was delivered to `receiver` before.
    #[must_use]
    pub(crate) fn is_delivered(&self, receiver: u64) -> bool {
        self.delivered.lock().contains(&receiver)
    }

    /// It is delivered to `receiver`. Gives whether that is new.
    pub(crate) fn deliver(&self, receiver: u64) -> bool {
        let mut delivered = self.delivered.lock();
        if delivered.len() >= MOST_DELIVERIES && !delivered.contains(&receiver) {
            // What is forgotten is new once more.
            delivered.clear();
        }
        delivered.insert(receiver)
    }

    /// When the next session is due.
    #[must_use]
    pub fn due_at(&self) -> Instant {
        self.arrived + self.due
    }

    /// From when on it is handed out no more, as far as the clock that nobody sets knows.
    #[must_use]
    pub fn over_at(&self) -> Instant {
        match self.renewal {
            Renewal::OnRequest => self.due_at(),
            Renewal::Shared | Renewal::Single => self.arrived + self.life.saturating_sub(Self::MARGIN),
        }
    }

    /// Whether it may be handed out.
    #[must_use]
    pub fn is_usable(&self, now: Timestamp) -> bool {
        let margin = i64::try_from(Self::MARGIN.as_secs()).unwrap_or(i64::MAX);
        now.as_second() < self.session.expiration.as_second().saturating_sub(margin)
            && Instant::now() < self.over_at()
    }

    /// Whether the next session is due.
    #[must_use]
    pub fn is_due(&self) -> bool {
        Instant::now() >= self.due_at()
    }

    /// In how many whole seconds the agent of this pod asks for the next session: when that has been made, and not all pods at once.
    #[must_use]
    pub fn refresh_after(&self, pod_uid: &str) -> u64 {
        let left = self.due_at().saturating_duration_since(Instant::now());
        let spread = (self.life / 20).mul_f64(fraction(pod_uid));
        let after = (left + LOOKED_AT).max(Self::SOONEST_REFRESH) + spread;
        after.as_secs().clamp(1, Self::LATEST_REFRESH)
    }
}

/// A number from 0 to below 1, the same for the same word and evenly spread over words.
fn fraction(word: &str) -> f64 {
    let digest = Sha256::digest(word);
    let first = digest.first_chunk::<4>().copied().unwrap_or_default();
    f64::from(u32::from_be_bytes(first)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use deputy_aws::Credentials;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn issued(n: usize, renewal: Renewal) -> Issued {
        let session = Session {
            credentials: Credentials {
                access_key_id: format!("ASIA{n:016}"),
                secret_access_key: "secret".into(),
                session_token: "token".into(),
            },
            expiration: Timestamp::from_second(1_003_600).unwrap(),
            arn: String::new(),
            unique_id: String::new(),
            packed_policy_size: None,
        };
        Issued::new(session, HOUR, renewal)
    }

    fn dues(renewal: Renewal) -> Vec<f64> {
        let dues = (0..1000).map(|n| issued(n, renewal).due.as_secs_f64() / HOUR.as_secs_f64());
        dues.collect()
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_of_one_moment_are_due_one_after_the_other() {
        for (renewal, first, last) in [(Renewal::Shared, 0.1, 1.0 / 6.0), (Renewal::Single, 0.13, 0.23)] {
            let dues = dues(renewal);
            assert!(dues.iter().all(|due| (first..=last).contains(due)), "{renewal:?}");
            // In each tenth of that time about a tenth of them.
            for tenth in 0..10 {
                let width = (last - first) / 10.0;
                let begin = width.mul_add(f64::from(tenth), first);
                let there = dues
                    .iter()
                    .filter(|due| (begin..begin + width).contains(*due))
                    .count();
                assert!(
                    (60..150).contains(&there),
                    "{renewal:?}: {there} in tenth {tenth}"
                );
            }
        }
        assert!(
            dues(Renewal::OnRequest)
                .iter()
                .all(|due| (due - 0.5).abs() < 1e-9)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_asks_when_it_is_told_holds_two_thirds_of_a_session() {
        for renewal in [Renewal::Shared, Renewal::Single] {
            for n in 0..1000 {
                let issued = issued(n, renewal);
                let after = Duration::from_secs(issued.refresh_after(&format!("pod-{n}")));
                assert!(Instant::now() + after >= issued.due_at() + LOOKED_AT - Duration::from_secs(1));
                // The agent's own spread: a twentieth of what is left.
                let latest = after + (HOUR - after) / 20;
                assert!(latest <= HOUR / 3, "{renewal:?}: {latest:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_hears_the_same_each_time_and_pods_do_not_ask_together() {
        let issued = issued(0, Renewal::Shared);
        let of = |n: usize| issued.refresh_after(&format!("pod-{n}"));
        let all: std::collections::BTreeSet<u64> = (0..1000).map(of).collect();
        assert!(all.len() > 150, "{}", all.len());
        assert_eq!(of(7), of(7));
        tokio::time::advance(HOUR / 2).await;
        // Due, and not made yet.
        assert!((0..1000).all(|n| (30..=210).contains(&of(n))));
    }
}
