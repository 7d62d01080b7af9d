//! Who of those that one calling account calls for has the next call of its budget: of each endpoint and party one, then of each the second;
//! first requests before renewals. The budget's own line has one entry, whose call is for whoever's turn it is by then.

use std::{sync::Arc, time::Duration};

use deputy_aws::{AwsError, CallBudget, CallPurpose, ErrorClass};
use futures::FutureExt as _;
use tokio::{
    sync::oneshot::{self, Receiver, Sender},
    time::Instant,
};
use tracing::Instrument as _;

use super::{
    StsGate,
    circuit::Admission,
    lanes::{GateState, GatedCall},
    options::GateOptions,
    queue::{CallParty, FairQueue},
    route::{CallerKey, LaneKey, NotSent},
};

/// Budgets that are kept of calling accounts, each in a region.
const MOST_CALLERS: usize = 1024;
/// Longer than the slowest budget takes for a call.
const NEXT_CALL: Duration = Duration::from_secs(60);

/// One that waits, and for which endpoint. It hears that it may call, or why not.
struct WaitingCaller {
    lane: LaneKey,
    told: Sender<Result<(), NotSent>>,
}

/// A budget, and who waits for it.
pub(super) struct CallerTurns {
    budget: Arc<CallBudget>,
    waiting: FairQueue<(LaneKey, CallParty), WaitingCaller>,
    /// Whether somebody gives the calls of the budget to those who wait.
    is_served: bool,
}

impl CallerTurns {
    fn new(options: GateOptions) -> Self {
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
    fn is_idle(&self) -> bool {
        !self.is_served && self.waiting.is_empty() && Arc::strong_count(&self.budget) == 1
    }
}

impl StsGate {
    /// Waits for a call's turn at the budget of who calls.
    pub(super) async fn may_call(
        &self,
        call: &GatedCall,
        operation: &'static str,
        deadline: Instant,
    ) -> Result<Arc<CallBudget>, NotSent> {
        let (budget, turn) = self.join(call, operation)?;
        if let Some(turn) = turn {
            match tokio::time::timeout_at(deadline, turn).await {
                Ok(Ok(told)) => told?,
                Ok(Err(_)) => return Err(NotSent::NoTurn(call.route.lane.what().into())),
                Err(_) => return Err(self.no_call(operation, budget.rate())),
            }
        }
        Ok(budget)
    }

    fn no_call(&self, operation: &'static str, rate: f64) -> NotSent {
        let patience = self.options.patience.as_secs_f64();
        let said = format!(
            "the call budget of this account ({rate:.1} calls/s now) had no turn for it within {patience:.1} s"
        );
        let error = AwsError::new(operation, ErrorClass::Throttled, &said).with_code("CallBudget");
        NotSent::Budget(Arc::new(error))
    }

    /// The budget, and what to wait for when there is no call left now.
    #[expect(clippy::type_complexity, reason = "used once")]
    fn join(
        &self,
        call: &GatedCall,
        operation: &'static str,
    ) -> Result<(Arc<CallBudget>, Option<Receiver<Result<(), NotSent>>>), NotSent> {
        let (key, lane) = (&call.route.caller, &call.route.lane);
        let mut state = self.state.lock();
        state.refuse_if_open(lane, Instant::now())?;
        if state.callers.len() >= MOST_CALLERS && !state.callers.contains_key(key) {
            // Accounts come and go. What nobody uses now is learned again.
            state.callers.retain(|_, caller| !caller.is_idle());
        }
        let caller = state
            .callers
            .entry(key.clone())
            .or_insert_with(|| CallerTurns::new(self.options));
        let budget = Arc::clone(&caller.budget);
        if !caller.is_served {
            let now = budget.acquire(operation, CallPurpose::Provision, Duration::ZERO);
            if matches!(now.now_or_never(), Some(Ok(_))) {
                return Ok((budget, None));
            }
            caller.is_served = true;
            let serving = self.clone().serve(key.clone(), Arc::clone(&budget), operation);
            tokio::spawn(serving.in_current_span());
        }
        let (told, turn) = oneshot::channel();
        caller
            .waiting
            .make_room(call.urgency, |waits| waits.told.is_closed());
        let (who, waits) = (
            (lane.clone(), call.who.clone()),
            WaitingCaller {
                lane: lane.clone(),
                told,
            },
        );
        if let Some(gives_way) = caller.waiting.push(call.urgency, &who, waits) {
            let full = NotSent::QueueFull(gives_way.lane.what().into());
            // Whoever is gone hears nothing.
            let _gone = gives_way.told.send(Err(full));
        }
        Ok((budget, Some(turn)))
    }

    /// Gives each call that the budget has to whoever's turn it is then, until nobody waits.
    async fn serve(self, key: CallerKey, budget: Arc<CallBudget>, operation: &'static str) {
        loop {
            let call = budget.acquire(operation, CallPurpose::Provision, NEXT_CALL).await;
            if !self.state.lock().give_call(&key, call.is_ok()) {
                return;
            }
        }
    }
}

impl GateState {
    /// # Errors
    /// The endpoint is left alone, and this is not the moment to try it.
    fn refuse_if_open(&self, lane: &LaneKey, now: Instant) -> Result<(), NotSent> {
        match self.lanes.get(lane).map(|lane| lane.circuit.would_admit(now)) {
            Some(Admission::Open) => Err(self.is_open(lane, now)),
            _ => Ok(()),
        }
    }

    /// Gives a call, if there `is_one`, to whoever's turn it is. Gives whether somebody may wait still.
    fn give_call(&mut self, key: &CallerKey, mut is_one: bool) -> bool {
        let now = Instant::now();
        while is_one {
            let caller = self.callers.get_mut(key);
            let Some((_, _, next)) = caller.and_then(|caller| caller.waiting.pop(|_, _| true)) else {
                break;
            };
            // While it waited its endpoint may have ceased to answer: the call is somebody else's.
            let told = self.refuse_if_open(&next.lane, now);
            let is_refused = told.is_err();
            is_one = next.told.send(told).is_err() || is_refused;
        }
        let Some(caller) = self.callers.get_mut(key) else {
            return false;
        };
        caller.is_served = !caller.waiting.is_empty();
        caller.is_served
    }
}
