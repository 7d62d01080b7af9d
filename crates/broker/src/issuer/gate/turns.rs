//! Who of those that one calling account calls for has the next call of its budget: of each endpoint and party one, then of each the second;
//! first requests before renewals. The budget's own line has one entry, whose call is for whoever's turn it is by then.

use std::sync::Arc;

use deputy_aws::CallBudget;
use tokio::sync::oneshot::Sender;

use super::{
    options::GateOptions,
    queue::{CallParty, FairQueue},
    route::{LaneKey, NotSent},
};

/// One that waits, and for which endpoint. It hears that it may call, or why not.
pub(super) struct WaitingCaller {
    pub(super) lane: LaneKey,
    pub(super) told: Sender<Result<(), NotSent>>,
}

/// A budget, and who waits for it.
pub(super) struct CallerTurns {
    pub(super) budget: Arc<CallBudget>,
    pub(super) waiting: FairQueue<(LaneKey, CallParty), WaitingCaller>,
    /// Whether somebody gives the calls of the budget to those who wait.
    pub(super) is_served: bool,
}

impl CallerTurns {
    pub(super) fn new(options: GateOptions) -> Self {
        Self {
            budget: Arc::new(CallBudget::new(options.budget)),
            waiting: FairQueue::new(options.waiting_of_caller),
            is_served: false,
        }
    }

    /// Calls that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nobody needs it now.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_served && self.waiting.is_empty() && Arc::strong_count(&self.budget) == 1
    }
}
