//! The record of whose sessions may run and whose are cut.

use std::time::Duration;

use deputy_api::{RemainingReason, RoleSessionsStatus};
use deputy_delegation::{ServiceAccountName, quota};
use deputy_policy::{Document, PolicyKind};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use crate::{
    queue::Requeue,
    role::{
        sessions::{Bearers, FormerSessions, comes_first, everybodys, look_again, step, with_cut},
        takeover::Takeover,
    },
};

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
/// Between a removal and when the last session that it concerns is over.
const OVER: i64 = 10 * MINUTE + 12 * HOUR;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn bearers(names: &[&str]) -> Bearers {
    Bearers {
        service_accounts: names
            .iter()
            .map(|n| ServiceAccountName::new(*n).unwrap())
            .collect(),
        ..Bearers::default()
    }
}

/// The record after these could have sessions one after the other, from so many seconds on; at most `most` names are in it.
fn after(history: &[(i64, &[&str])], most: usize) -> RoleSessionsStatus {
    let mut record: Option<RoleSessionsStatus> = None;
    for (second, names) in history {
        let former = record
            .as_ref()
            .map_or(FormerSessions::Never, FormerSessions::Recorded);
        record = Some(step(former, &bearers(names), at(*second), most));
    }
    record.unwrap()
}

/// Whose sessions are cut; `*` stands for all others.
fn cut(record: &RoleSessionsStatus) -> Vec<&str> {
    let names = record.cut.iter().map(|entry| entry.service_account.as_deref());
    names.map(|name| name.unwrap_or("*")).collect()
}

#[test]
fn whoever_is_removed_is_cut_until_his_last_session_is_over() {
    type Row = (&'static [(i64, &'static [&'static str])], &'static [&'static str]);
    let table: &[Row] = &[
        (&[(0, &["a", "b"])], &[]),
        (&[(0, &["a", "b"]), (60, &["a"])], &["b"]),
        (&[(0, &["a", "b"]), (60, &[])], &["a", "b"]),
        (&[(0, &["a", "b"]), (60, &["b"]), (90, &["b", "c"])], &["a"]),
        // Bound again.
        (&[(0, &["a", "b"]), (60, &["a"]), (90, &["a", "b"])], &[]),
        // The last moment, and the first one after it.
        (&[(0, &["a"]), (60, &[]), (60 + OVER - 1, &[])], &["a"]),
        (&[(0, &["a"]), (60, &[]), (60 + OVER, &[])], &[]),
        // More than there is room for: nobody knows who they were.
        (&[(0, &["a", "b", "c", "d"]), (60, &["a"])], &["*"]),
        (&[(0, &["a", "b", "c", "d"]), (60, &["a", "b", "c", "d"])], &[]),
        (
            &[(0, &["a", "b", "c"]), (60, &["a"]), (90, &["x", "y"]), (99, &[])],
            &["*"],
        ),
        // What all others are is no name's any more.
        (
            &[(0, &["a", "b", "c", "d"]), (60, &["a"]), (90, &[])],
            &["*", "a"],
        ),
    ];
    for (history, expected) in table {
        let record = after(history, 3);
        assert_eq!(cut(&record), *expected, "{history:?}: {record:?}");
    }
}

#[test]
fn what_no_record_says_is_cut_where_the_role_may_be_in_aws() {
    let one = bearers(&["a"]);
    assert_eq!(
        cut(&step(FormerSessions::Never, &one, at(0), 3)),
        Vec::<&str>::new()
    );
    let record = step(FormerSessions::Unknown, &one, at(0), 3);
    assert_eq!(cut(&record), ["*"]);
    assert!(comes_first(FormerSessions::Unknown, &record));
}

#[test]
fn sessions_that_are_not_the_brokers_remain_and_that_is_said() {
    let with = |others: &[&str]| Bearers {
        others: others.iter().map(|one| (*one).to_owned()).collect(),
        ..bearers(&["a"])
    };
    let both = step(FormerSessions::Never, &with(&["x", "y"]), at(0), 3);
    let more = step(FormerSessions::Recorded(&both), &with(&["x", "y", "z"]), at(9), 3);
    assert_eq!(more.remain, []);
    let fewer = step(FormerSessions::Recorded(&more), &with(&["x"]), at(60), 3);
    assert_eq!(fewer.remain[0].reason, RemainingReason::NotTagged);
    assert_eq!(fewer.remain[0].until.0, at(60 + OVER));
    let later = step(FormerSessions::Recorded(&fewer), &with(&["x"]), at(60 + OVER), 3);
    assert_eq!(later.remain, []);
}

#[test]
fn everybodys_sessions_are_cut_for_a_former_namespace_alone() {
    let mut record = after(&[(0, &["a"])], 3);
    for takeover in [None, Some(Takeover::SameNamespace)] {
        assert_eq!(everybodys(Some(&record), takeover, at(60)), None);
    }
    let cut = everybodys(Some(&record), Some(Takeover::FormerNamespace), at(60));
    let all = cut.clone().unwrap();
    assert_eq!((all.before.0, all.until.0), (at(60), at(60 + 12 * HOUR)));
    record.everybody = cut.clone();
    assert!(comes_first(
        FormerSessions::Recorded(&after(&[(0, &["a"])], 3)),
        &record
    ));
    // It stays so, until they are over.
    assert_eq!(everybodys(Some(&record), None, at(99)), cut);
    assert_eq!(everybodys(Some(&record), None, at(60 + 12 * HOUR)), None);
    let late = Timestamp::from_millisecond(60_999).unwrap();
    assert_eq!(everybodys(None, Some(Takeover::FormerNamespace), late), cut);
    let hour = Requeue::After(Duration::from_secs(13 * 3600));
    let left = Requeue::After(Duration::from_secs(12 * 3600 + 1));
    assert_eq!(look_again(Some(&record), at(60), hour), left);
    assert!(with_cut(&mut record, &bearers(&["a"]), None).is_some());
}

#[test]
fn a_deny_that_has_no_room_is_said_and_drops_nothing_of_the_role() {
    let resources: Vec<String> = (0..101).map(|n| format!("arn:aws:s3:::{n:0>85}")).collect();
    let full = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": resources}]});
    let full = Document::from_value(&full, PolicyKind::Identity).unwrap();
    let mut record = after(&[(0, &["a", "b"]), (60, &["a"])], 3);
    assert_eq!(
        with_cut(&mut record, &bearers(&["a"]), Some(&full)),
        Some(full.clone())
    );
    assert_eq!(record.remain[0].reason, RemainingReason::NoRoom);
    assert_eq!(record.remain[0].until, record.cut[0].until);
    // It is said anew each time, and so the same.
    let mut again = step(FormerSessions::Recorded(&record), &bearers(&["a"]), at(99), 3);
    let _inline = with_cut(&mut again, &bearers(&["a"]), Some(&full));
    assert_eq!(again, record);
    let mut with_room = step(FormerSessions::Recorded(&record), &bearers(&["a"]), at(99), 3);
    assert!(with_cut(&mut with_room, &bearers(&["a"]), None).is_some());
    assert_eq!(with_room.remain, []);
}

#[test]
fn the_role_is_looked_at_again_when_the_first_cut_is_over() {
    let record = after(&[(0, &["a", "b"]), (60, &["a"])], 3);
    let hour = Requeue::After(Duration::from_secs(3600));
    for (now, expected) in [(60, 3600), (60 + OVER - 100, 101), (60 + OVER + 5, 1)] {
        let requeue = look_again(Some(&record), at(now), hour);
        assert_eq!(requeue, Requeue::After(Duration::from_secs(expected)), "{now}");
    }
    assert_eq!(look_again(Some(&record), at(60), Requeue::Retry), Requeue::Retry);
    assert_eq!(look_again(None, at(60), hour), hour);
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn history() -> impl Strategy<Value = Vec<(i64, Vec<&'static str>)>> {
    let moment = (
        prop::sample::select(vec![0, 1, 5 * MINUTE, HOUR, 6 * HOUR, OVER]),
        prop::sample::subsequence(NAMES.to_vec(), 0..=6),
    );
    prop::collection::vec(moment, 1..12)
}

proptest! {
    /// Whoever could have a session that still runs, and may have none any more, is denied; whoever may have one is not.
    #[test]
    fn nobody_who_was_removed_is_forgotten_and_nobody_else_is_denied(history in history(), most in 1_usize..=7) {
        let mut record: Option<RoleSessionsStatus> = None;
        let mut last_bound = std::collections::BTreeMap::new();
        let mut now = 0;
        for (passed, names) in history {
            now += passed;
            let bearers = bearers(&names);
            let former = record.as_ref().map_or(FormerSessions::Never, FormerSessions::Recorded);
            let new = step(former, &bearers, at(now), most);
            prop_assert!(new.cut.len() <= most && new.service_accounts.len() <= most);
            let is_taken = new.cut.iter().any(|c| record.as_ref().is_none_or(|old| !old.cut.contains(c)));
            prop_assert!(!is_taken || comes_first(former, &new), "it is written first");
            let again = step(FormerSessions::Recorded(&new), &bearers, at(now), most);
            prop_assert_eq!(&again, &new, "once more changes nothing");
            for name in NAMES {
                let named = new.cut.iter().any(|c| c.service_account.as_deref() == Some(name));
                let all_others = new.cut.iter().find(|c| c.service_account.is_none());
                if names.contains(&name) {
                    prop_assert!(!named);
                    last_bound.insert(name, None);
                } else if let Some(removed) = last_bound.get_mut(name) {
                    let removed = *removed.get_or_insert(now);
                    let denied = named || all_others.is_some_and(|c| c.before.0 >= at(removed + 10 * MINUTE));
                    prop_assert!(denied || now >= removed + OVER, "{name} at {now}: {new:?}");
                }
            }
            record = Some(new);
        }
    }

    /// What is written down is no more than fits into an object that a thousand share.
    #[test]
    fn a_record_is_small(count in 0_usize..200) {
        let names: Vec<String> = (0..count).map(|n| format!("{n:0>63}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let record = after(&[(0, &names), (60, &[])], quota::SERVICE_ACCOUNTS_OF_INSTANCE);
        prop_assert!(serde_json::to_string(&record).unwrap().len() < 1500);
    }
}
