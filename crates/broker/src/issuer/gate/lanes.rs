//! What is under way and what waits at each endpoint. Pure, but for telling whoever waits.

use std::{collections::HashMap, sync::Arc};

use deputy_aws::CallBudget;
use tokio::{sync::oneshot::Sender, time::Instant};

use super::{
    circuit::Circuit,
    options::GateOptions,
    queue::{CallParty, CallUrgency, FairQueue},
    route::{CallerKey, LaneKey, NotSent, StsRoute},
};

#[derive(Default)]
pub(super) struct GateState {
    pub(super) lanes: HashMap<LaneKey, EndpointLane>,
    pub(super) budgets: HashMap<CallerKey, Arc<CallBudget>>,
    pub(super) under_way: usize,
    pub(super) people: usize,
}

pub(super) struct EndpointLane {
    pub(super) waiting: FairQueue<Sender<Result<(), NotSent>>>,
    pub(super) under_way: usize,
    pub(super) renewals: usize,
    pub(super) circuit: Circuit,
}

/// What a call is, for as long as it waits or is under way.
#[derive(Clone)]
pub(super) struct GatedCall {
    pub(super) route: StsRoute,
    pub(super) urgency: CallUrgency,
    pub(super) who: CallParty,
    pub(super) is_probe: bool,
}

impl GateState {
    pub(super) fn lane(&mut self, key: &LaneKey, options: GateOptions) -> &mut EndpointLane {
        self.lanes.entry(key.clone()).or_insert_with(|| EndpointLane {
            waiting: FairQueue::new(options.waiting),
            under_way: 0,
            renewals: 0,
            circuit: Circuit::default(),
        })
    }

    pub(super) fn is_open(&self, key: &LaneKey, now: Instant) -> NotSent {
        let lane = self.lanes.get(key);
        let said = lane.map(|lane| lane.circuit.sentence(&key.what(), now));
        NotSent::CircuitOpen(said.unwrap_or_default().into())
    }

    /// Gives their turns to those who wait, as far as there is room.
    pub(super) fn hand_out(&mut self, options: GateOptions) {
        let Self {
            lanes,
            under_way,
            people,
            ..
        } = self;
        for lane in lanes.values_mut().filter(|lane| !lane.waiting.is_empty()) {
            loop {
                let left = options.calls.saturating_sub(*under_way);
                if lane.under_way >= options.calls_of_endpoint.min(left.max(options.always)) {
                    break;
                }
                let may_renew = lane.renewals < options.renewals_of_endpoint;
                let may_people = *people < options.people;
                let may = |urgency: CallUrgency, who: &CallParty| {
                    (urgency == CallUrgency::First || may_renew) && (*who != CallParty::People || may_people)
                };
                let Some((urgency, who, told)) = lane.waiting.pop(may) else {
                    break;
                };
                if told.send(Ok(())).is_err() {
                    continue;
                }
                *under_way += 1;
                lane.under_way += 1;
                lane.renewals += usize::from(urgency == CallUrgency::Renewal);
                *people += usize::from(who == CallParty::People);
            }
        }
    }

    pub(super) fn begin(&mut self, call: &GatedCall) {
        self.under_way += 1;
        self.people += usize::from(call.who == CallParty::People);
        if let Some(lane) = self.lanes.get_mut(&call.route.lane) {
            lane.under_way += 1;
            lane.renewals += usize::from(call.urgency == CallUrgency::Renewal);
        }
    }

    pub(super) fn end(&mut self, call: &GatedCall) {
        self.under_way = self.under_way.saturating_sub(1);
        self.people = self
            .people
            .saturating_sub(usize::from(call.who == CallParty::People));
        if let Some(lane) = self.lanes.get_mut(&call.route.lane) {
            lane.under_way = lane.under_way.saturating_sub(1);
            let renewals = usize::from(call.urgency == CallUrgency::Renewal);
            lane.renewals = lane.renewals.saturating_sub(renewals);
        }
    }

    /// A lane about which there is nothing to remember: accounts come and go.
    pub(super) fn forget_if_idle(&mut self, key: &LaneKey) {
        let is_idle =
            |lane: &EndpointLane| lane.under_way == 0 && lane.waiting.is_empty() && lane.circuit.is_sound();
        if self.lanes.get(key).is_some_and(is_idle) {
            self.lanes.remove(key);
        }
    }
}
