//! Whether the API server and this machine have one time. AWS refuses what is signed more than 5 minutes off (AWS General Reference,
//! "Signature Version 4": requests expire five minutes after their time stamp).

use jiff::SignedDuration;

use crate::doctor::{
    finding::{CheckOutcome, DoctorFinding},
    snapshot::DoctorSnapshot,
};

/// What AWS does not take.
const TOO_MUCH: SignedDuration = SignedDuration::from_mins(5);
/// What no clock that is kept has.
const NOTICED: SignedDuration = SignedDuration::from_secs(30);

pub fn check(snapshot: &DoctorSnapshot) -> CheckOutcome {
    let object = "API server";
    let clock = match &snapshot.clock {
        Err(why) => return CheckOutcome::Looked(vec![DoctorFinding::unknown(object, why)]),
        Ok(clock) => clock,
    };
    // Its time is of a moment between, and says whole seconds.
    let second = SignedDuration::from_secs(1);
    let ahead = clock.said.duration_since(clock.answered);
    let behind = clock.asked.duration_since(clock.said) - second;
    let (off, how) = match ahead > behind {
        true => (ahead, "ahead of"),
        false => (behind, "behind"),
    };
    let message = format!("its clock is {} s {how} this machine's", off.as_secs());
    let fix = "let both be set by NTP: tokens, certificates and what is signed for AWS have times in them";
    CheckOutcome::Looked(match off {
        off if off >= TOO_MUCH => vec![DoctorFinding::error(
            object,
            format!("{message}; AWS refuses what is signed 5 minutes off"),
            fix,
        )],
        off if off >= NOTICED => vec![DoctorFinding::warning(object, message, fix)],
        _ => Vec::new(),
    })
}
