//! What SECURITY.md says of ways around admission, and docs/contracts.md of what a pod gets: each line names what holds it, and that is there.

use std::fs;

use super::page::{page, tracked};
use crate::files::root;

/// The points of the pod contract that have cases.
const POINTS: [&str; 11] = [
    "environment",
    "token",
    "sidecar",
    "start",
    "broker",
    "which binding",
    "every list of containers",
    "delivery",
    "`hostNetwork`",
    "not injected",
    "patch",
];
/// How many ways around admission are known.
const WAYS: usize = 14;

/// The rows of the only table in a text.
fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// What stands between backticks.
fn names(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Whether a name is that of a case of injection, with its answer.
fn is_case(name: &str) -> bool {
    let path = |end: &str| format!("crates/admission/tests/injection/{name}.{end}");
    ["yaml", "json"]
        .iter()
        .all(|end| tracked().iter().any(|t| *t == path(end)))
}

fn code() -> String {
    tracked()
        .iter()
        .filter(|t| t.ends_with(".rs") || t.ends_with(".py"))
        .map(|t| fs::read_to_string(root().join(t)).unwrap_or_default())
        .collect()
}

/// What is wrong with a line of [`WAYS`].
fn wrong_way(row: &[&str], code: &str) -> Option<String> {
    let [tried, holds, by] = row else {
        return Some(format!("not three columns: {row:?}"));
    };
    let held_by = names(by);
    let is_test =
        |name: &str| code.contains(&format!("fn {name}(")) || code.contains(&format!("def {name}("));
    if holds.is_empty() || held_by.is_empty() {
        return Some(format!("nothing holds: {tried}"));
    }
    let missing: Vec<_> = held_by
        .into_iter()
        .filter(|name| !is_test(name) && !is_case(name))
        .collect();
    (!missing.is_empty()).then(|| format!("{missing:?} is neither a test nor a case: {tried}"))
}

#[test]
fn each_way_around_admission_is_held_by_a_test_or_a_case() {
    let code = code();
    let section = page("SECURITY.md").section("Ways around admission");
    let rows = rows(section);
    let wrong: Vec<_> = rows.iter().filter_map(|row| wrong_way(row, &code)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(rows.len(), WAYS);
}

#[test]
fn each_point_of_the_pod_contract_has_its_cases() {
    let rows = rows(page("docs/contracts.md").section("Cases of injection"));
    let points: Vec<_> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(points, POINTS);
    for row in rows {
        let cases = names(row[1]);
        assert!(!cases.is_empty(), "{}", row[0]);
        for case in cases {
            assert!(is_case(case), "{}: there is no case {case}", row[0]);
        }
    }
}

#[test]
fn a_line_that_nothing_holds_is_noticed() {
    let code = "fn a_test() {} def test_another(): pass";
    let is_wrong = |by: &str| wrong_way(&["tried", "holds", by], code).is_some();
    for good in ["`a_test`", "`test_another`, `plain`"] {
        assert!(!is_wrong(good), "{good}");
    }
    for bad in ["", "a_test", "`no_such_test`", "`a_test`, `no-such-case`"] {
        assert!(is_wrong(bad), "{bad}");
    }
    assert!(wrong_way(&["tried", "`a_test`"], code).is_some());
}
