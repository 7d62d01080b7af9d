//! Whose sessions of people may run, and that all others are cut. Pure.
//!
//! A session of a person has a mark: of the binding, and of the subject by which that names them. Where a mark is not given any
//! more, all sessions of people are cut that do not have one of those of now: nobody's who has one is touched.

use std::collections::BTreeSet;

use deputy_api::{CutPeopleStatus, RoleSessionsStatus};
use deputy_delegation::cut_sessions::CutOfPeople;
use jiff::Timestamp;

use super::times::{ISSUED_WITHIN, after, all_over};

/// What the record says of a cut once `marks` are written in it. Until now it was `old`; `is_known` says whether anybody knows who had some.
pub fn step(
    old: Option<&RoleSessionsStatus>,
    is_known: bool,
    marks: &[String],
    now: Timestamp,
) -> Option<CutPeopleStatus> {
    let cut = || CutPeopleStatus {
        before: after(now, ISSUED_WITHIN),
        all: false,
        until: all_over(now),
    };
    let is_lost = old.is_some_and(|old| old.people.iter().any(|mark| !marks.contains(mark)));
    if is_lost || !is_known {
        return Some(cut());
    }
    let old = old?.cut_people.clone().filter(|cut| cut.until.0 > now)?;
    // Whether there is room to say which go on is found anew.
    Some(CutPeopleStatus { all: false, ..old })
}

/// The sessions that the record asks to be denied everything; `marks` are those that go on.
pub fn denied(record: &RoleSessionsStatus, marks: &BTreeSet<String>) -> Option<CutOfPeople> {
    let cut = record.cut_people.as_ref()?;
    Some(CutOfPeople {
        marks: marks.clone(),
        issued_before: cut.before.0.to_string(),
    })
}
