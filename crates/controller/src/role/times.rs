//! How long sessions of a role may run, and may be issued. Pure.

use std::time::Duration;

use deputy_delegation::quota;
use jiff::{Timestamp, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// For so long after a removal was seen a session may still be issued: brokers go by what was true 30 s ago, and AWS takes calls of a
/// clock that is five minutes off, as may be this one's. It costs nothing to wait longer: whom it would concern has no session.
pub const ISSUED_WITHIN: Duration = Duration::from_secs(600);
/// The longest session there is, whatever role, bindings and issuer say now: they may have said something else when it was issued.
pub const LONGEST: Duration = Duration::from_secs(quota::SESSION_SECONDS_MAX as u64);

/// So long after `now`.
pub fn after(now: Timestamp, time: Duration) -> Time {
    // What is read again is as it was written: a status has whole seconds.
    let seconds = now.round(Unit::Second).unwrap_or(now);
    Time(seconds.checked_add(time).unwrap_or(Timestamp::MAX))
}

/// When the last session is over that may have been issued by now, or is still.
pub fn all_over(now: Timestamp) -> Time {
    after(now, ISSUED_WITHIN + LONGEST)
}

/// The second that has begun, and not the next one: whoever comes now may have a session before that.
pub fn second_of(now: Timestamp) -> Time {
    Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}
