//! What is under way and what waits at each endpoint. Pure, but for telling whoever waits.

use std::collections::HashMap;

use deputy_delegation::people::UserName;
use tokio::{sync::oneshot::Sender, time::Instant};

use super::{
    circuit::{Admission, Circuit},
    options::GateOptions,
    queue::{CallParty, CallUrgency, FairQueue},
    route::{CallerKey, LaneKey, NotSent, StsRoute},
    turns::CallerTurns,
};

#[derive(Default)]
pub(super) struct GateState {
    pub(super) lanes: HashMap<LaneKey, EndpointLane>,
    pub(super) callers: HashMap<CallerKey, CallerTurns>,
    pub(super) under_way: usize,
    pub(super) people: People,
}

/// Calls under way for people.
#[derive(Default)]
pub(super) struct People {
    all: usize,
    of_each: HashMap<UserName, usize>,
}

impl People {
    fn of(&self, who: &CallParty) -> usize {
        match who {
            CallParty::Person(user) => self.of_each.get(user).copied().unwrap_or_default(),
            _ => 0,
        }
    }

    fn begin(&mut self, who: &CallParty) {
        self.all += usize::from(who.is_people());
        if let CallParty::Person(user) = who {
            *self.of_each.entry(user.clone()).or_default() += 1;
        }
    }

    fn end(&mut self, who: &CallParty) {
        self.all = self.all.saturating_sub(usize::from(who.is_people()));
        if let CallParty::Person(user) = who
            && let Some(calls) = self.of_each.get_mut(user)
        {
            *calls = calls.saturating_sub(1);
            if *calls == 0 {
                self.of_each.remove(user);
            }
        }
    }
}

pub(super) struct EndpointLane {
    pub(super) waiting: FairQueue<CallParty, Sender<Result<(), NotSent>>>,
    pub(super) under_way: usize,
    pub(super) renewals: usize,
    /// Under way for people.
    pub(super) people: usize,
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
            people: 0,
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
                // Endpoints that hang leave the people of others one call.
                let may_people = lane.people == 0
                    || (people.all < options.people && lane.people < options.people_of_endpoint);
                let may = |urgency: CallUrgency, who: &CallParty| {
                    (urgency == CallUrgency::First || may_renew)
                        && (!who.is_people() || (may_people && people.of(who) < options.of_person))
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
                lane.people += usize::from(who.is_people());
                people.begin(&who);
            }
        }
    }

    pub(super) fn begin(&mut self, call: &GatedCall) {
        self.under_way += 1;
        self.people.begin(&call.who);
        if let Some(lane) = self.lanes.get_mut(&call.route.lane) {
            lane.under_way += 1;
            lane.people += usize::from(call.who.is_people());
            lane.renewals += usize::from(call.urgency == CallUrgency::Renewal);
        }
    }

    pub(super) fn end(&mut self, call: &GatedCall) {
        self.under_way = self.under_way.saturating_sub(1);
        self.people.end(&call.who);
        if let Some(lane) = self.lanes.get_mut(&call.route.lane) {
            lane.under_way = lane.under_way.saturating_sub(1);
            lane.people = lane.people.saturating_sub(usize::from(call.who.is_people()));
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

impl GateState {
    /// # Errors
    /// The endpoint is left alone, and this is not the moment to try it.
    pub(super) fn refuse_if_open(&self, lane: &LaneKey, now: Instant) -> Result<(), NotSent> {
        match self.lanes.get(lane).map(|lane| lane.circuit.would_admit(now)) {
            Some(Admission::Open) => Err(self.is_open(lane, now)),
            _ => Ok(()),
        }
    }

    /// Gives a call, if there `is_one`, to whoever's turn it is. Gives whether somebody may wait still.
    pub(super) fn give_call(&mut self, key: &CallerKey, mut is_one: bool) -> bool {
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
