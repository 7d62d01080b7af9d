//! Sessions that nobody can tell apart, of a role whose owner has all of them cut.

use std::time::Duration;

use deputy_api::{RemainingReason, RoleSessionsStatus, conditions::ConditionReason};
use deputy_delegation::model::Revocation;
use jiff::Timestamp;

use crate::{
    queue::Requeue,
    role::{
        outcome::RoleOutcome,
        sessions::{Bearers, FormerSessions, comes_first, look_again, step, with_cut},
        untagged,
    },
};

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
/// Between a cut and when the last session that it means is over.
const OVER: i64 = 10 * MINUTE + 12 * HOUR;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn principals(names: &[&str]) -> Bearers {
    Bearers {
        others: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Bearers::default()
    }
}

/// The record once these are who may have sessions.
fn next(
    former: FormerSessions<'_>,
    names: &[&str],
    revocation: Revocation,
    second: i64,
) -> RoleSessionsStatus {
    let mut record = step(former, &principals(names), at(second), 3);
    let old = match former {
        FormerSessions::Recorded(old) => old.untagged.as_ref(),
        FormerSessions::Never | FormerSessions::Unknown => None,
    };
    let is_known = former != FormerSessions::Unknown;
    untagged::step(old, is_known, &mut record, revocation, at(second));
    record
}

fn later(
    old: &RoleSessionsStatus,
    names: &[&str],
    revocation: Revocation,
    second: i64,
) -> RoleSessionsStatus {
    next(FormerSessions::Recorded(old), names, revocation, second)
}

/// Before when they are cut.
fn before(record: &RoleSessionsStatus) -> Option<i64> {
    let cut = record.untagged.as_ref();
    cut.map(|cut| cut.before.0.as_second())
}

fn provisioned() -> RoleOutcome {
    RoleOutcome::Provisioned {
        bound: true,
        role_id: None,
        trust_hash: None,
        untagged: Vec::new(),
        absent: Vec::new(),
        left_out: Vec::new(),
    }
}

#[test]
fn they_are_cut_where_the_owner_says_all_and_somebody_of_them_is_gone() {
    use Revocation::{All, Distinguishable};
    for (then, revocation, is_cut) in [
        (["x"].as_slice(), All, true),
        (&[], All, true),
        (&["x", "z"], All, true),
        (&["x", "y"], All, false),
        (&["x", "y", "z"], All, false),
        (&["x"], Distinguishable, false),
    ] {
        let both = next(FormerSessions::Never, &["x", "y"], revocation, 0);
        assert_eq!(before(&both), None);
        let record = later(&both, then, revocation, HOUR);
        let former = FormerSessions::Recorded(&both);
        assert_eq!(before(&record), is_cut.then_some(HOUR), "{then:?} {revocation:?}");
        assert!(!is_cut || record.remain.is_empty() && comes_first(former, &record));
        let deny = with_cut(&mut record.clone(), &principals(then), None);
        assert_eq!(deny.is_some(), is_cut);
        assert_eq!(
            later(&record, then, revocation, HOUR),
            record,
            "once more changes nothing"
        );
    }
}

#[test]
fn where_nobody_knows_who_had_some_they_are_cut() {
    let all = next(FormerSessions::Unknown, &["x"], Revocation::All, 60);
    assert_eq!(before(&all), Some(60));
    let rest = next(FormerSessions::Unknown, &["x"], Revocation::Distinguishable, 60);
    assert_eq!(before(&rest), None);
}

#[test]
fn what_remains_is_cut_when_the_owner_comes_to_say_all() {
    let both = next(FormerSessions::Never, &["x", "y"], Revocation::Distinguishable, 0);
    let one = later(&both, &["x"], Revocation::Distinguishable, 60);
    assert_eq!(one.remain[0].reason, RemainingReason::NotTagged);
    let all = later(&one, &["x"], Revocation::All, HOUR);
    assert_eq!((before(&all), all.remain.len()), (Some(HOUR), 0));
    // It stays so whatever he says then.
    let back = later(&all, &["x"], Revocation::Distinguishable, HOUR + 60);
    assert_eq!(back.untagged, all.untagged);
}

#[test]
fn they_are_cut_once_more_a_minute_after_aws_has_the_trust_policy() {
    let both = next(FormerSessions::Never, &["x", "y"], Revocation::All, 0);
    let mut cut = later(&both, &["x"], Revocation::All, 100);
    let hours = Requeue::After(Duration::from_secs(24 * 3600));
    // AWS does not take it: whoever is let in meanwhile is cut now and then.
    let refused = RoleOutcome::waiting(ConditionReason::AccessDenied, "");
    untagged::reached(&mut cut, &refused, at(101));
    assert_eq!(cut.untagged.as_ref().unwrap().closed, None);
    assert_eq!(
        before(&later(&cut, &["x"], Revocation::All, 99 + HOUR)),
        Some(100)
    );
    let mut cut = later(&cut, &["x"], Revocation::All, 100 + HOUR);
    assert_eq!(before(&cut), Some(100 + HOUR));
    untagged::reached(&mut cut, &provisioned(), at(200 + HOUR));
    let minute = Requeue::After(Duration::from_secs(61));
    assert_eq!(look_again(Some(&cut), at(200 + HOUR), hours), minute);
    let mut again = later(&cut, &["x"], Revocation::All, 260 + HOUR);
    assert_eq!(before(&again), Some(260 + HOUR));
    // That was the last time.
    untagged::reached(&mut again, &provisioned(), at(261 + HOUR));
    assert_eq!(later(&again, &["x"], Revocation::All, 261 + HOUR), again);
    let last = 260 + HOUR + OVER;
    assert_eq!(later(&again, &["x"], Revocation::All, last - 1), again);
    assert_eq!(before(&later(&again, &["x"], Revocation::All, last)), None);
}
