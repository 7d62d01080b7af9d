//! What every call to STS passes before it is made, so that one endpoint that hangs or refuses slows no other account, one namespace no
//! other, and all of them together do not ask more than AWS lets a calling account ask.
//!
//! For each (account, endpoint): a bounded share of the calls under way, a bounded line that is fair by namespace ([`queue`]), and a
//! [`circuit`]. For each (calling account, region): a call budget that halves when AWS throttles, at which endpoints and namespaces have their
//! turns ([`turns`]).

mod circuit;
mod lanes;
mod options;
mod queue;
mod route;
mod turns;

use std::{sync::Arc, time::Duration};

use deputy_aws::{AwsError, CallBudget, CallPurpose, ErrorClass};
use futures::FutureExt as _;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::{
    sync::oneshot::{self, Receiver, Sender},
    time::Instant,
};
use tracing::Instrument as _;

use self::{
    circuit::{Admission, Sign},
    lanes::{GateState, GatedCall},
    route::CallerKey,
    turns::{CallerTurns, WaitingCaller},
};
pub use self::{
    options::GateOptions,
    queue::{CallParty, CallUrgency},
    route::{NotSent, StsRoute, StsSource},
};

/// Budgets that are kept of calling accounts, each in a region.
const MOST_CALLERS: usize = 1024;
/// Longer than the slowest budget takes for a call.
const NEXT_CALL: Duration = Duration::from_secs(60);

/// Tells whoever waits that his turn has come, or why it will not.
type Turn = Receiver<Result<(), NotSent>>;

/// The figures for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GateFigures {
    /// Endpoints that are left alone.
    pub open: usize,
    /// Calls that wait for their turn.
    pub waiting: usize,
    /// Calls under way.
    pub under_way: usize,
}

/// Lets calls to STS through. Cheap to clone.
#[derive(Clone)]
pub struct StsGate {
    state: Arc<Mutex<GateState>>,
    options: GateOptions,
    clock: fn() -> Timestamp,
}

impl StsGate {
    pub fn new(options: GateOptions, clock: fn() -> Timestamp) -> Self {
        Self {
            state: Arc::default(),
            options,
            clock,
        }
    }

    /// Makes a call, in its turn.
    ///
    /// # Errors
    /// [`NotSent`], or else what the call says.
    pub async fn call<T>(
        &self,
        (route, urgency, who): (&StsRoute, CallUrgency, CallParty),
        operation: &'static str,
        call: impl Future<Output = Result<T, AwsError>> + Send,
    ) -> Result<Result<T, AwsError>, NotSent> {
        let deadline = Instant::now() + self.options.patience;
        let gated = GatedCall {
            route: route.clone(),
            urgency,
            who,
            is_probe: false,
        };
        // The budget first: whoever waits for it keeps no place at an endpoint from those who may call.
        let budget = self.may_call(&gated, operation, deadline).await?;
        let mut leave = self.enter(gated, deadline).await?;
        let started = Instant::now();
        let result = call.await;
        let is_throttled = matches!(&result, Err(error) if error.class() == ErrorClass::Throttled);
        budget.learn(started, is_throttled);
        leave.result = Some((
            Sign::of(&result),
            result.as_ref().err().map(AwsError::sentence).unwrap_or_default(),
        ));
        Ok(result)
    }

    /// How it is with all endpoints now.
    #[must_use]
    pub fn figures(&self) -> GateFigures {
        let state = self.state.lock();
        GateFigures {
            open: state.lanes.values().filter(|lane| lane.circuit.is_open()).count(),
            waiting: state.lanes.values().map(|lane| lane.waiting.len()).sum::<usize>()
                + state.callers.values().map(CallerTurns::len).sum::<usize>(),
            under_way: state.under_way,
        }
    }

    /// Waits for the turn of a call at its endpoint.
    async fn enter(&self, mut call: GatedCall, deadline: Instant) -> Result<Leave, NotSent> {
        let route = call.route.clone();
        let turn = {
            let mut state = self.state.lock();
            let now = Instant::now();
            match state.lane(&route.lane, self.options).circuit.admit(now) {
                Admission::Open => return Err(state.is_open(&route.lane, now)),
                Admission::Probe => {
                    call.is_probe = true;
                    state.begin(&call);
                    return Ok(Leave::new(self, call));
                }
                Admission::Closed => {}
            }
            let (told, turn) = oneshot::channel();
            let lane = state.lane(&route.lane, self.options);
            lane.waiting.make_room(call.urgency, Sender::is_closed);
            if let Some(gives_way) = lane.waiting.push(call.urgency, &call.who, told) {
                // Whoever is gone hears nothing.
                let _gone = gives_way.send(Err(NotSent::QueueFull(route.lane.what().into())));
            }
            state.hand_out(self.options);
            turn
        };
        let mut waits = Waits {
            gate: self,
            call: Some(call),
            turn,
        };
        match tokio::time::timeout_at(deadline, &mut waits.turn).await {
            Ok(Ok(Ok(()))) => waits
                .had()
                .ok_or_else(|| NotSent::NoTurn(route.lane.what().into())),
            Ok(Ok(Err(not_sent))) => Err(not_sent),
            Ok(Err(_)) | Err(_) => Err(NotSent::NoTurn(route.lane.what().into())),
        }
    }

    fn leave(&self, call: &GatedCall, result: Option<(Sign, String)>) {
        let (sign, error) = result.unwrap_or((Sign::Unknown, String::new()));
        let at = (Instant::now(), (self.clock)());
        let opened = {
            let mut state = self.state.lock();
            state.end(call);
            let lane = state.lane(&call.route.lane, self.options);
            let opened = lane.circuit.learn(sign, call.is_probe, &error, at);
            let opened = opened.then(|| state.is_open(&call.route.lane, at.0));
            if let Some(said) = &opened {
                let lane = state.lane(&call.route.lane, self.options);
                for waits in lane.waiting.drain() {
                    let _gone = waits.send(Err(said.clone()));
                }
            }
            state.forget_if_idle(&call.route.lane);
            state.hand_out(self.options);
            opened
        };
        if let Some(said) = opened {
            tracing::warn!(detail = %said, "endpoint of STS left alone");
        }
    }
}

impl StsGate {
    /// Waits for a call's turn at the budget of who calls.
    async fn may_call(
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
    fn join(
        &self,
        call: &GatedCall,
        operation: &'static str,
    ) -> Result<(Arc<CallBudget>, Option<Turn>), NotSent> {
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

/// A call that waits, or has its turn and has not noticed yet.
struct Waits<'a> {
    gate: &'a StsGate,
    call: Option<GatedCall>,
    turn: Turn,
}

impl Waits<'_> {
    fn had(&mut self) -> Option<Leave> {
        self.call.take().map(|call| Leave::new(self.gate, call))
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        // No turn can come after this; one that came and was not taken is given back.
        self.turn.close();
        if let (Some(call), Ok(Ok(()))) = (self.call.take(), self.turn.try_recv()) {
            self.gate.leave(&call, None);
        }
    }
}

/// A call that is under way. Dropped, it makes room for the next, also when it ends in a panic.
struct Leave {
    gate: StsGate,
    call: GatedCall,
    result: Option<(Sign, String)>,
}

impl Leave {
    fn new(gate: &StsGate, call: GatedCall) -> Self {
        Self {
            gate: gate.clone(),
            call,
            result: None,
        }
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.gate.leave(&self.call, self.result.take());
    }
}

#[cfg(test)]
mod tests;
