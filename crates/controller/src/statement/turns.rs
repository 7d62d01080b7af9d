//! Whose turn it is with a policy: of each resource this process has one change under way. And what it wrote there last: what AWS shows for
//! a while afterwards may be what was there before.

use std::{collections::HashMap, sync::Arc, time::Duration};

use deputy_delegation::PolicyResource;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{queue::Requeue, verified::PROPAGATION};

/// When to come again where another statement has the turn: a change is one read and one write.
pub const LATER: Requeue = Requeue::RetryWithin(Duration::from_secs(1));

/// The text of a policy; `None` where there is none.
type Policy = Option<String>;

#[derive(Debug, Default)]
struct Known {
    is_taken: bool,
    /// The writes of the last minute, the newest last.
    writes: Vec<PolicyWrite>,
}

#[derive(Debug, Clone)]
struct PolicyWrite {
    before: Policy,
    after: Policy,
    at: Instant,
}

/// A policy as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentPolicy {
    /// Its text.
    pub policy: Policy,
    /// Whether AWS shows it; else it is what was written there last.
    pub is_shown: bool,
}

/// The policies that are being changed, and those that were a short while ago.
#[derive(Debug, Default)]
pub struct PolicyTurns(Arc<Mutex<HashMap<PolicyResource, Known>>>);

/// A turn with a policy; it ends with this.
#[derive(Debug)]
pub struct PolicyTurn {
    known: Arc<Mutex<HashMap<PolicyResource, Known>>>,
    resource: PolicyResource,
}

impl PolicyTurns {
    /// The turn with the policy of a resource. `None` while somebody has it: nobody waits with a worker in hand.
    pub fn take(&self, resource: &PolicyResource) -> Option<PolicyTurn> {
        let mut all = self.0.lock();
        all.retain(|_, known| {
            known.writes.retain(PolicyWrite::is_fresh);
            known.is_taken || !known.writes.is_empty()
        });
        let known = all.entry(resource.clone()).or_default();
        if known.is_taken {
            return None;
        }
        known.is_taken = true;
        Some(PolicyTurn {
            known: Arc::clone(&self.0),
            resource: resource.clone(),
        })
    }

    /// Whether somebody has the turn.
    pub fn is_taken(&self, resource: &PolicyResource) -> bool {
        self.0.lock().get(resource).is_some_and(|known| known.is_taken)
    }
}

impl PolicyWrite {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < PROPAGATION
    }
}

impl PolicyTurn {
    /// The policy as it is, of the one that AWS showed: what was there before a write is shown for a while after it.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>
    pub fn current(&self, shown: Policy) -> CurrentPolicy {
        let known = self.known.lock();
        let writes = known.get(&self.resource).map_or(&[][..], |known| &known.writes);
        let mut fresh = writes.iter().filter(|write| write.is_fresh());
        match fresh.clone().next_back() {
            Some(last) if last.after != shown && fresh.any(|write| write.before == shown) => CurrentPolicy {
                policy: last.after.clone(),
                is_shown: false,
            },
            _ => CurrentPolicy {
                policy: shown,
                is_shown: true,
            },
        }
    }

    /// AWS has taken `after` in the place of `before`.
    pub fn wrote(&self, before: Policy, after: Policy) {
        if let Some(known) = self.known.lock().get_mut(&self.resource) {
            known.writes.push(PolicyWrite {
                before,
                after,
                at: Instant::now(),
            });
        }
    }
}

impl Drop for PolicyTurn {
    fn drop(&mut self) {
        if let Some(known) = self.known.lock().get_mut(&self.resource) {
            known.is_taken = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(name: &str) -> PolicyResource {
        PolicyResource::parse(&format!("arn:aws:s3:::{name}")).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn of_one_policy_there_is_one_change_at_a_time() {
        let turns = PolicyTurns::default();
        let first = turns.take(&resource("one-bucket"));
        assert!(first.is_some());
        assert!(turns.take(&resource("one-bucket")).is_none() && turns.is_taken(&resource("one-bucket")));
        assert!(turns.take(&resource("another")).is_some());
        drop(first);
        assert!(turns.take(&resource("one-bucket")).is_some());
        assert!(!turns.is_taken(&resource("one-bucket")));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_there_before_a_write_is_not_believed_for_a_minute() {
        let turns = PolicyTurns::default();
        let policy = |text: &str| Some(text.to_owned());
        let turn = turns.take(&resource("bucket")).unwrap();
        turn.wrote(policy("old"), policy("new"));
        turn.wrote(policy("new"), policy("newest"));
        drop(turn);
        let turn = turns.take(&resource("bucket")).unwrap();
        let seen = |shown: &str| {
            let current = turn.current(policy(shown));
            (current.policy.unwrap(), current.is_shown)
        };
        for old in ["old", "new"] {
            assert_eq!(seen(old), ("newest".to_owned(), false));
        }
        for believed in ["newest", "another"] {
            assert_eq!(seen(believed), (believed.to_owned(), true));
        }
        tokio::time::advance(PROPAGATION).await;
        assert_eq!(seen("old"), ("old".to_owned(), true));
    }
}
