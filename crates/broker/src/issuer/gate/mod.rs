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

use std::sync::Arc;

use deputy_aws::{AwsError, ErrorClass};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::{
    sync::oneshot::{self, Receiver, Sender},
    time::Instant,
};

use self::{
    circuit::{Admission, Sign},
    lanes::{GateState, GatedCall},
    turns::CallerTurns,
};
pub use self::{
    options::GateOptions,
    queue::{CallParty, CallUrgency},
    route::{NotSent, StsRoute, StsSource},
};

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

/// A call that waits, or has its turn and has not noticed yet.
struct Waits<'a> {
    gate: &'a StsGate,
    call: Option<GatedCall>,
    turn: Receiver<Result<(), NotSent>>,
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
