use serde_json::json;

use super::*;
use crate::fixtures;

fn limit() -> DynamicObject {
    let mut limit = fixtures::limit_object(&["s3:GetObject"]);
    limit.data["spec"]["accounts"] = json!(["a", "b", "c"]);
    limit
}

fn entry(account: &str, version: &str) -> BoundaryStatus {
    BoundaryStatus {
        account: account.to_owned(),
        version_id: Some(version.to_owned()),
        ..BoundaryStatus::default()
    }
}

fn name(account: &str) -> ObjectName {
    ObjectName::new(account).unwrap()
}

fn batch(uid: &str, reports: &[BoundaryReport]) -> BTreeMap<ObjectName, Waiter> {
    let mut waiting = Waiting::default();
    for report in reports {
        waiting.add(&name(&report.entry.account), Some(uid), report);
    }
    waiting.reports
}

#[test]
fn an_entry_takes_its_own_place_and_no_other() {
    let old = [entry("a", "v1"), entry("c", "v1")];
    let reports = [
        BoundaryReport::seen(entry("c", "v2")),
        BoundaryReport::seen(entry("b", "v1")),
    ];
    let merged = |uid: &str| merged(&limit(), &old, &batch(uid, &reports));
    assert_eq!(
        merged("uid-payments"),
        [entry("a", "v1"), entry("b", "v1"), entry("c", "v2")]
    );
    assert_eq!(merged("of-a-former-limit"), old, "another one of its name");
}

#[test]
fn there_is_no_entry_of_an_account_that_the_limit_does_not_name() {
    let old = [entry("a", "v1"), entry("gone", "v1")];
    let reports = [BoundaryReport::seen(entry("unknown", "v1"))];
    assert_eq!(
        merged(&limit(), &old, &batch("uid-payments", &reports)),
        [entry("a", "v1")]
    );
}

#[test]
fn what_was_not_seen_leaves_what_was_known() {
    let why = problem(ConditionReason::Unavailable, &"x".repeat(5000));
    assert!(why.message.chars().count() <= 1024);
    let unseen = BoundaryReport::unseen("a".to_owned(), why.clone());
    let with_problem = |entry: BoundaryStatus| BoundaryStatus {
        problem: Some(why.clone()),
        ..entry
    };
    assert_eq!(
        unseen.onto(Some(&entry("a", "v1"))),
        with_problem(entry("a", "v1"))
    );
    let nothing = BoundaryStatus {
        version_id: None,
        ..entry("a", "")
    };
    assert_eq!(unseen.onto(None), with_problem(nothing));
}

#[test]
fn what_came_while_others_were_written_is_written_by_the_next_one() {
    let mut waiting = Waiting::default();
    let report = |version: &str| BoundaryReport::seen(entry("a", version));
    let first = waiting.add(&name("a"), None, &report("v1"));
    let batch = waiting.reports.clone();
    let second = waiting.add(&name("a"), None, &report("v2"));
    waiting.add(&name("b"), None, &BoundaryReport::seen(entry("b", "v1")));
    waiting.done(&batch);
    assert!(second > first);
    assert_eq!(waiting.reports.len(), 2);
    assert_eq!(waiting.reports[&name("a")].report, report("v2"));
    let batch = waiting.reports.clone();
    waiting.done(&batch);
    assert!(waiting.reports.is_empty());
}

#[test]
fn a_look_that_finds_the_same_soon_afterwards_is_not_told() {
    let at = |minutes: i64, version: &str| BoundaryStatus {
        last_verified: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
            jiff::Timestamp::from_second(1_795_000_000 + minutes * 60).unwrap(),
        )),
        ..entry("a", version)
    };
    let then = [at(0, "v1")];
    let told = |new: BoundaryStatus| {
        merged(
            &limit(),
            &then,
            &batch("uid-payments", &[BoundaryReport::seen(new)]),
        )
    };
    assert_eq!(told(at(29, "v1")), then);
    assert_eq!(told(at(30, "v1")), [at(30, "v1")]);
    assert_eq!(told(at(1, "v2")), [at(1, "v2")], "something else was found");
}
