//! The record of whose sessions of people may run, and that the others are cut.

use std::{collections::BTreeSet, time::Duration};

use deputy_api::RoleSessionsStatus;
use deputy_policy::{Document, PolicyKind};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use crate::{
    queue::Requeue,
    role::sessions::{Bearers, FormerSessions, comes_first, look_again, step, with_cut},
};

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
/// Between a removal and when the last session that it concerns is over.
const OVER: i64 = 10 * MINUTE + 12 * HOUR;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn people(marks: &[&str]) -> Bearers {
    Bearers {
        people: marks.iter().map(|mark| (*mark).to_owned()).collect(),
        ..Bearers::default()
    }
}

fn later(old: &RoleSessionsStatus, marks: &[&str], second: i64) -> RoleSessionsStatus {
    step(FormerSessions::Recorded(old), &people(marks), at(second), 3)
}

/// Until when people are cut.
fn cut_until(record: &RoleSessionsStatus) -> Option<i64> {
    record.cut_people.as_ref().map(|cut| cut.until.0.as_second())
}

/// What the deny in the role's policy says of people.
fn denied(record: &mut RoleSessionsStatus, marks: &[&str]) -> Option<String> {
    let policy = with_cut(record, &people(marks), None)?.to_json();
    policy.contains("DeputyCutPeoplesSessions").then_some(policy)
}

#[test]
fn whose_mark_is_gone_is_cut_until_the_last_session_is_over() {
    let first = step(FormerSessions::Never, &people(&["alice", "bob"]), at(0), 3);
    assert_eq!(
        (first.people.clone(), cut_until(&first)),
        (vec!["alice".into(), "bob".into()], None)
    );
    let more = later(&first, &["alice", "bob", "carol"], 10);
    assert_eq!(cut_until(&more), None);
    assert!(
        comes_first(FormerSessions::Recorded(&first), &more),
        "the broker waits for a mark"
    );
    let mut fewer = later(&more, &["alice", "carol"], 20);
    assert_eq!(cut_until(&fewer), Some(20 + OVER));
    assert!(comes_first(FormerSessions::Recorded(&more), &fewer));
    let policy = denied(&mut fewer, &["alice", "carol"]).unwrap();
    assert!(
        policy.contains("[\"alice\",\"carol\"]") && !policy.contains("bob"),
        "{policy}"
    );
    let again = later(&fewer, &["alice", "bob", "carol"], 30);
    assert_eq!(
        cut_until(&again),
        Some(20 + OVER),
        "of before: bob's new sessions have his mark, which goes on"
    );
    let same = later(&fewer, &["alice", "carol"], 20 + OVER - 1);
    assert_eq!(cut_until(&same), Some(20 + OVER));
    let requeue = look_again(
        Some(&same),
        at(20 + OVER - 1),
        Requeue::After(Duration::from_secs(3600)),
    );
    assert_eq!(requeue, Requeue::After(Duration::from_secs(2)));
    let mut over = later(&same, &["alice", "carol"], 20 + OVER);
    assert_eq!(
        (cut_until(&over), denied(&mut over, &["alice", "carol"])),
        (None, None)
    );
}

#[test]
fn all_are_cut_when_nobody_is_left_or_it_is_not_known_who_had_any() {
    let first = step(FormerSessions::Never, &people(&["alice"]), at(0), 3);
    let mut nobody = later(&first, &[], 10);
    let policy = denied(&mut nobody, &[]).unwrap();
    assert!(!policy.contains("StringNotEquals"), "{policy}");
    let unknown = step(FormerSessions::Unknown, &people(&["alice"]), at(0), 3);
    assert_eq!(cut_until(&unknown), Some(OVER));
}

#[test]
fn more_than_are_written_down_are_one_digest_and_a_change_of_it_cuts() {
    let many = step(FormerSessions::Never, &people(&["a", "b", "c", "d"]), at(0), 3);
    assert_eq!(many.people.len(), 1);
    assert_eq!(many.people[0].len(), 64);
    assert_eq!(cut_until(&later(&many, &["a", "b", "c", "d"], 10)), None);
    let mut other = later(&many, &["a", "b", "c", "e"], 10);
    let policy = denied(&mut other, &["a", "b", "c", "e"]).unwrap();
    assert!(
        policy.contains("[\"a\",\"b\",\"c\",\"e\"]"),
        "whoever is named goes on: {policy}"
    );
}

#[test]
fn where_there_is_no_room_for_the_marks_all_people_are_cut() {
    let marks: Vec<String> = (0..100).map(|n| format!("{n:0>26}")).collect();
    let marks: Vec<&str> = marks.iter().map(String::as_str).collect();
    let resources: Vec<String> = (0..85).map(|n| format!("arn:aws:s3:::{n:0>85}")).collect();
    let inline = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": resources}]});
    let inline = Document::from_value(&inline, PolicyKind::Identity).unwrap();
    let mut record = later(
        &step(FormerSessions::Never, &people(&["gone"]), at(0), 3),
        &marks,
        10,
    );
    let policy = with_cut(&mut record, &people(&marks), Some(&inline))
        .unwrap()
        .to_json();
    assert!(
        policy.contains("DeputyCutPeoplesSessions") && !policy.contains("StringNotEquals"),
        "{policy}"
    );
    assert!(record.remain.is_empty());
    let is_all = |record: &RoleSessionsStatus| record.cut_people.as_ref().unwrap().all;
    assert!(is_all(&record), "the broker hears that it gives none for a while");
    let said = record.clone();
    assert!(comes_first(
        FormerSessions::Recorded(&RoleSessionsStatus {
            cut_people: None,
            ..said.clone()
        }),
        &said
    ));
    // With room again, whoever has a mark goes on.
    let mut roomy = later(&record, &marks, 20);
    let policy = with_cut(&mut roomy, &people(&marks), None).unwrap().to_json();
    assert!(policy.contains("StringNotEquals") && !is_all(&roomy), "{policy}");
}

proptest! {
    /// Whatever comes and goes: a mark that is lost is cut as long as a session of it may live, and the record says at any time who may have
    /// one.
    #[test]
    fn a_lost_mark_is_cut_as_long_as_its_sessions_live(
        history in proptest::collection::vec((1i64..4 * HOUR, proptest::collection::btree_set(0u8..5, 0..5)), 1..12),
    ) {
        let mut now = 0;
        let mut record: Option<RoleSessionsStatus> = None;
        let mut lost: std::collections::BTreeMap<String, i64> = Default::default();
        let mut before: BTreeSet<String> = BTreeSet::new();
        for (pause, names) in history {
            now += pause;
            let names: BTreeSet<String> = names.iter().map(u8::to_string).collect();
            let marks: Vec<&str> = names.iter().map(String::as_str).collect();
            let former = record.as_ref().map_or(FormerSessions::Never, FormerSessions::Recorded);
            let next = step(former, &people(&marks), at(now), 8);
            for gone in before.difference(&names) {
                lost.insert(gone.clone(), now);
            }
            lost.retain(|mark, since| !names.contains(mark) && *since + OVER > now);
            if let Some(last) = lost.values().max() {
                prop_assert!(cut_until(&next).is_some_and(|until| until >= last + OVER));
                let policy = denied(&mut next.clone(), &marks).unwrap();
                for mark in lost.keys() {
                    let quoted = format!("\"{mark}\"");
                    prop_assert!(!policy.contains(&quoted));
                }
            }
            prop_assert_eq!(&next.people, &names.iter().cloned().collect::<Vec<_>>());
            before = names;
            record = Some(next);
        }
    }
}
