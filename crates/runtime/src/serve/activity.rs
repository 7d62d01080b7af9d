//! What a connection is doing, and until when it may go on so.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::limits::ListenerLimits;

/// How long a connection that is being closed may stay open with nothing in flight.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why a connection was closed by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Cut {
    Handshake,
    Unaccepted,
    Head,
    Idle,
    Request,
    Write,
    Age,
    /// Another connection needed its place.
    Evicted,
    /// The process stops during the handshake: nothing was in flight.
    Stopped,
}

impl Cut {
    pub(super) const ALL: [Self; 9] = [
        Self::Handshake,
        Self::Unaccepted,
        Self::Head,
        Self::Idle,
        Self::Request,
        Self::Write,
        Self::Age,
        Self::Evicted,
        Self::Stopped,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Unaccepted => "unaccepted",
            Self::Head => "head",
            Self::Idle => "idle",
            Self::Request => "request",
            Self::Write => "write",
            Self::Age => "age",
            Self::Evicted => "evicted",
            Self::Stopped => "stopped",
        }
    }
}

/// One connection as its task, its requests and the table of connections see it.
pub(super) struct Activity {
    state: Mutex<State>,
    /// Cancelled when another connection needs this one's place.
    pub(super) evicted: CancellationToken,
}

struct State {
    opened: Instant,
    /// The end of the handshake.
    secured: Option<Instant>,
    /// When nothing was in flight any more.
    idle_since: Instant,
    /// When each request in flight began.
    flights: BTreeMap<u64, Instant>,
    requests: u64,
    /// The first byte that came while nothing was in flight. HTTP/1 only: other frames of HTTP/2 come at any time.
    head_since: Option<Instant>,
    /// Since when the client takes nothing.
    blocked_since: Option<Instant>,
    accepted: bool,
    /// When it was told to take no further request.
    closing: Option<Instant>,
    one_at_a_time: bool,
}

impl Activity {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            state: Mutex::new(State {
                opened: now,
                secured: None,
                idle_since: now,
                flights: BTreeMap::new(),
                requests: 0,
                head_since: None,
                blocked_since: None,
                accepted: false,
                closing: None,
                one_at_a_time: true,
            }),
            evicted: CancellationToken::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests may come from now on.
    pub(super) fn secured(&self, now: Instant, http2: bool) {
        let mut state = self.state();
        state.secured = Some(now);
        state.idle_since = now;
        state.one_at_a_time = !http2;
    }

    /// The head of a request is there. Gives the number to end it with.
    pub(super) fn begin(&self, now: Instant) -> u64 {
        let mut state = self.state();
        let number = state.requests;
        state.requests = number.wrapping_add(1);
        state.head_since = None;
        state.flights.insert(number, now);
        number
    }

    /// The response of the request `number` is written, or will never be.
    pub(super) fn end(&self, number: u64, now: Instant) {
        let mut state = self.state();
        state.flights.remove(&number);
        state.idle_since = now;
    }

    /// A request proved who asks.
    pub(super) fn accept(&self) {
        self.state().accepted = true;
    }

    /// It takes no further request.
    pub(super) fn close(&self, now: Instant) {
        self.state().closing.get_or_insert(now);
    }

    /// Bytes came.
    pub(super) fn read(&self, now: Instant) {
        let mut state = self.state();
        if state.one_at_a_time && state.flights.is_empty() {
            state.head_since.get_or_insert(now);
        }
    }

    /// Bytes went out, or could not.
    pub(super) fn wrote(&self, blocked: bool, now: Instant) {
        let mut state = self.state();
        if blocked {
            state.blocked_since.get_or_insert(now);
        } else {
            state.blocked_since = None;
        }
    }

    /// Since when nothing is in flight; `None` while something is.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        state.flights.is_empty().then_some(state.idle_since)
    }

    /// When it was accepted.
    pub(super) fn opened(&self) -> Instant {
        self.state().opened
    }

    /// When it is cut off if nothing changes, and why. [`Cut::Age`] asks it to close; the others end it.
    pub(super) fn deadline(&self, limits: &ListenerLimits) -> (Instant, Cut) {
        let state = self.state();
        let Some(secured) = state.secured else {
            return (state.opened + limits.handshake, Cut::Handshake);
        };
        let first_flight = state.flights.first_key_value().map(|(_, began)| *began);
        let idle_since = first_flight.is_none().then_some(state.idle_since);
        let first_head = (state.requests == 0).then_some(secured);
        let deadlines = [
            first_flight.map(|since| (since + limits.request, Cut::Request)),
            idle_since.map(|since| (since + limits.idle, Cut::Idle)),
            first_head
                .or(state.head_since)
                .map(|since| (since + limits.head, Cut::Head)),
            state
                .blocked_since
                .map(|since| (since + limits.write, Cut::Write)),
            limits
                .unaccepted
                .filter(|_| !state.accepted)
                .map(|life| (state.opened + life, Cut::Unaccepted)),
            match (state.closing, idle_since) {
                (None, _) => Some((state.opened + limits.age, Cut::Age)),
                (Some(closing), Some(idle)) => Some((closing.max(idle) + LAST_WORDS, Cut::Idle)),
                (Some(_), None) => None,
            },
        ];
        // There is always one: it is idle or a request is in flight.
        deadlines
            .into_iter()
            .flatten()
            .min()
            .unwrap_or((state.opened + limits.age, Cut::Idle))
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::Endpoint;
    use super::*;

    /// Seconds from the beginning, and why.
    fn due(activity: &Activity, start: Instant, limits: &ListenerLimits) -> (u64, Cut) {
        let (at, cut) = activity.deadline(limits);
        ((at - start).as_secs(), cut)
    }

    #[tokio::test(start_paused = true)]
    async fn each_state_of_a_connection_has_its_deadline() {
        let limits = Endpoint::Webhook.limits();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let activity = Activity::new(start);
        assert_eq!(due(&activity, start, &limits), (5, Cut::Handshake));
        activity.secured(at(1), false);
        assert_eq!(
            due(&activity, start, &limits),
            (1 + 5, Cut::Head),
            "the first request"
        );
        activity.read(at(2));
        activity.read(at(4));
        assert_eq!(
            due(&activity, start, &limits),
            (6, Cut::Head),
            "a byte buys nothing"
        );
        let first = activity.begin(at(5));
        assert_eq!(due(&activity, start, &limits), (5 + 40, Cut::Request));
        activity.read(at(20));
        assert_eq!(
            due(&activity, start, &limits),
            (45, Cut::Request),
            "a body buys nothing"
        );
        activity.wrote(true, at(30));
        activity.wrote(true, at(33));
        assert_eq!(
            due(&activity, start, &limits),
            (40, Cut::Write),
            "since it is blocked"
        );
        activity.wrote(false, at(34));
        activity.end(first, at(35));
        assert_eq!(due(&activity, start, &limits), (35 + 75, Cut::Idle));
        activity.read(at(50));
        assert_eq!(
            due(&activity, start, &limits),
            (55, Cut::Head),
            "a head has begun"
        );
        let second = activity.begin(at(51));
        activity.end(second, at(590));
        assert_eq!(due(&activity, start, &limits), (600, Cut::Age));
        activity.close(at(600));
        assert_eq!(
            due(&activity, start, &limits),
            (601, Cut::Idle),
            "nothing is in flight"
        );
        let late = activity.begin(at(600));
        assert_eq!(
            due(&activity, start, &limits),
            (640, Cut::Request),
            "what is in flight is answered"
        );
        activity.end(late, at(610));
        assert_eq!(due(&activity, start, &limits), (611, Cut::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn frames_of_http_2_buy_no_time() {
        let limits = Endpoint::Webhook.limits();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let activity = Activity::new(start);
        activity.secured(start, true);
        activity.read(at(1));
        assert_eq!(
            due(&activity, start, &limits),
            (5, Cut::Head),
            "a preface is no request"
        );
        let (first, second) = (activity.begin(at(2)), activity.begin(at(3)));
        activity.end(first, at(4));
        assert_eq!(
            due(&activity, start, &limits),
            (3 + 40, Cut::Request),
            "of the oldest in flight"
        );
        activity.end(second, at(5));
        activity.read(at(70));
        assert_eq!(
            due(&activity, start, &limits),
            (5 + 75, Cut::Idle),
            "a ping is no request"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_accepted_request_buys_more_than_five_seconds() {
        let limits = Endpoint::Broker.limits();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let activity = Activity::new(start);
        activity.secured(at(1), false);
        let refused = activity.begin(at(2));
        assert_eq!(due(&activity, start, &limits), (5, Cut::Unaccepted));
        activity.end(refused, at(3));
        assert_eq!(due(&activity, start, &limits), (5, Cut::Unaccepted));
        let good = activity.begin(at(4));
        activity.accept();
        activity.end(good, at(4));
        assert_eq!(due(&activity, start, &limits), (4 + 10, Cut::Idle));
    }
}
