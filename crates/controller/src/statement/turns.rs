//! Whose turn it is with a policy: of each resource this process has one change under way.

use std::{collections::HashSet, sync::Arc, time::Duration};

use deputy_delegation::PolicyResource;
use parking_lot::Mutex;

use crate::queue::Requeue;

/// When to come again where another statement has the turn: a change is one read and one write.
pub const LATER: Requeue = Requeue::After(Duration::from_secs(1));

/// The policies that are being changed.
#[derive(Debug, Default)]
pub struct PolicyTurns(Arc<Mutex<HashSet<PolicyResource>>>);

/// A turn with a policy; it ends with this.
#[derive(Debug)]
pub struct PolicyTurn {
    taken: Arc<Mutex<HashSet<PolicyResource>>>,
    resource: PolicyResource,
}

impl PolicyTurns {
    /// The turn with the policy of a resource. `None` while somebody has it: nobody waits with a worker in hand.
    pub fn take(&self, resource: &PolicyResource) -> Option<PolicyTurn> {
        self.0.lock().insert(resource.clone()).then(|| PolicyTurn {
            taken: Arc::clone(&self.0),
            resource: resource.clone(),
        })
    }
}

impl Drop for PolicyTurn {
    fn drop(&mut self) {
        self.taken.lock().remove(&self.resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_policy_there_is_one_change_at_a_time() {
        let turns = PolicyTurns::default();
        let resource = |text| PolicyResource::parse(text).unwrap();
        let first = turns.take(&resource("arn:aws:s3:::one-bucket"));
        assert!(first.is_some());
        assert!(turns.take(&resource("arn:aws:s3:::one-bucket")).is_none());
        assert!(turns.take(&resource("arn:aws:s3:::another")).is_some());
        drop(first);
        assert!(turns.take(&resource("arn:aws:s3:::one-bucket")).is_some());
    }
}
