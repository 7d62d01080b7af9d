//! Whose turn it is with a policy: of each resource this process has one change under way. And what it wrote there last: what AWS shows for
//! a while afterwards may be what was there before.

use std::{collections::HashMap, sync::Arc, time::Duration};

use deputy_delegation::PolicyResource;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{queue::Requeue, verified::PROPAGATION};

/// When to come again where another statement has the turn: a change is one read and one write.
pub const LATER: Requeue = Requeue::After(Duration::from_secs(1));

/// The text of a policy; `None` where there is none.
type Policy = Option<String>;

#[derive(Debug, Default)]
struct Known {
    is_taken: bool,
    last: Option<LastWrite>,
}

#[derive(Debug, Clone)]
struct LastWrite {
    before: Policy,
    after: Policy,
    at: Instant,
}

/// The policies that are being changed, and those that were a short while ago.
#[derive(Debug)]
pub struct PolicyTurns {
    known: Arc<Mutex<HashMap<PolicyResource, Known>>>,
    since: Instant,
}

impl Default for PolicyTurns {
    fn default() -> Self {
        Self {
            known: Arc::default(),
            since: Instant::now(),
        }
    }
}

/// A turn with a policy; it ends with this.
#[derive(Debug)]
pub struct PolicyTurn {
    known: Arc<Mutex<HashMap<PolicyResource, Known>>>,
    since: Instant,
    resource: PolicyResource,
}

impl PolicyTurns {
    /// The turn with the policy of a resource. `None` while somebody has it: nobody waits with a worker in hand.
    pub fn take(&self, resource: &PolicyResource) -> Option<PolicyTurn> {
        let mut all = self.known.lock();
        all.retain(|_, known| known.is_taken || known.last.as_ref().is_some_and(LastWrite::is_fresh));
        let known = all.entry(resource.clone()).or_default();
        if known.is_taken {
            return None;
        }
        known.is_taken = true;
        Some(PolicyTurn {
            known: Arc::clone(&self.known),
            since: self.since,
            resource: resource.clone(),
        })
    }

    /// Whether somebody has the turn.
    pub fn is_taken(&self, resource: &PolicyResource) -> bool {
        self.known
            .lock()
            .get(resource)
            .is_some_and(|known| known.is_taken)
    }
}

impl LastWrite {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < PROPAGATION
    }
}

impl PolicyTurn {
    /// The policy as it is, of the one that AWS showed: what was there before the last write is shown for a while after it.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>
    pub fn current(&self, shown: Policy) -> Policy {
        let known = self.known.lock();
        let last = known.get(&self.resource).and_then(|known| known.last.as_ref());
        match last.filter(|last| last.is_fresh()) {
            Some(last) if last.before == shown => last.after.clone(),
            _ => shown,
        }
    }

    /// AWS has taken `after` in the place of `before`.
    pub fn wrote(&self, before: Policy, after: Policy) {
        if let Some(known) = self.known.lock().get_mut(&self.resource) {
            known.last = Some(LastWrite {
                before,
                after,
                at: Instant::now(),
            });
        }
    }

    /// How long it may still be that AWS shows a policy from before a write that nobody here knows of: that of the process before. What this
    /// one wrote is known.
    pub fn unsure_for(&self) -> Option<Duration> {
        let known = self.known.lock();
        if known
            .get(&self.resource)
            .is_some_and(|known| known.last.is_some())
        {
            return None;
        }
        PROPAGATION
            .checked_sub(self.since.elapsed())
            .filter(|left| !left.is_zero())
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
        turns
            .take(&resource("bucket"))
            .unwrap()
            .wrote(policy("old"), policy("new"));
        let turn = turns.take(&resource("bucket")).unwrap();
        assert_eq!(turn.current(policy("old")), policy("new"));
        assert_eq!(turn.current(policy("another")), policy("another"));
        tokio::time::advance(PROPAGATION).await;
        assert_eq!(turn.current(policy("old")), policy("old"));
    }
}
