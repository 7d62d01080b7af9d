//! Constructs that AWS takes and whose meaning it leaves open, or makes depend on the service. *Contained* holds under every
//! reading; *exceeds* has a request that exceeds under the reading that AWS documents, or, where it documents none, under
//! every one; what is left is *unknown*. Held against all small policies of such constructs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod support;

use deputy_policy::{Document, PolicyKind};
use serde_json::{Value, json};
use support::engine::{Verdict, contain};

/// All policies of one or two of the statements, each as Allow and as Deny, with the statements by index.
fn policies(kind: PolicyKind, statements: &[Value]) -> Vec<(Document, Vec<(bool, usize)>)> {
    let single = (0..statements.len()).flat_map(|i| [(true, i), (false, i)]);
    let single: Vec<(bool, usize)> = single.collect();
    let pairs = single
        .iter()
        .flat_map(|a| single.iter().map(move |b| vec![*a, *b]));
    let all = single.iter().map(|one| vec![*one]).chain(pairs);
    all.map(|chosen| {
        let chosen_statements: Vec<Value> = chosen
            .iter()
            .map(|(allow, i)| {
                let mut statement = statements[*i].clone();
                statement["Effect"] = json!(if *allow { "Allow" } else { "Deny" });
                statement
            })
            .collect();
        let value = json!({"Version": "2012-10-17", "Statement": chosen_statements});
        (Document::from_value(&value, kind).unwrap(), chosen)
    })
    .collect()
}

/// A reading of the undefined constructs: whether each request is matched by each statement (`[request][statement]`).
type Reading = Vec<Vec<bool>>;

fn allowed(policy: &[(bool, usize)], matched: &[bool]) -> bool {
    let some = |effect| policy.iter().any(|(allow, i)| *allow == effect && matched[*i]);
    some(true) && !some(false)
}

/// Holds the verdicts on all pairs against the readings. Those in `sure` must agree on a request that exceeds; those in
/// `others` could be meant as well.
fn verdicts_hold_under_every_reading(
    kind: PolicyKind,
    statements: &[Value],
    sure: &[Reading],
    others: &[Reading],
) {
    let policies = policies(kind, statements);
    let (mut counts, mut late) = ([0; 3], 0);
    for (candidate, of_candidate) in &policies {
        for (ceiling, of_ceiling) in &policies {
            let exceeds = |reading: &Reading, request: usize| {
                let matched = &reading[request];
                allowed(of_candidate, matched) && !allowed(of_ceiling, matched)
            };
            let mut requests = 0..sure[0].len();
            let verdict = contain(&[&[candidate]], ceiling);
            let expected = if requests
                .clone()
                .any(|r| sure.iter().all(|reading| exceeds(reading, r)))
            {
                1
            } else if requests.any(|r| sure.iter().chain(others).any(|reading| exceeds(reading, r))) {
                2
            } else {
                0
            };
            let found = match &verdict {
                Verdict::Contained => 0,
                Verdict::Exceeds(..) => 1,
                Verdict::Unknown(_) => 2,
                Verdict::Unproved(why) => panic!("{why}"),
            };
            counts[expected] += 1;
            // The first question without answer ends the search, also when a later one would exceed.
            if (found, expected) == (2, 1) {
                late += 1;
                continue;
            }
            assert_eq!(
                found,
                expected,
                "{verdict:?}\ncandidate {}\nceiling   {}",
                candidate.to_json(),
                ceiling.to_json()
            );
        }
    }
    assert!(counts.iter().all(|count| *count > 20), "{counts:?}");
    assert!(late * 50 < counts[1], "{late} of {counts:?}");
}

#[test]
fn statements_without_resource_are_about_what_the_policy_is_attached_to_or_about_nothing() {
    let statement = |action: &str, resource: Option<&str>| {
        let mut statement = json!({"Principal": "*", "Action": action});
        if let Some(resource) = resource {
            statement["Resource"] = json!(resource);
        }
        statement
    };
    let mut statements = Vec::new();
    for action in ["*", "ecr:A"] {
        for resource in [None, Some("*"), Some("arn:aws:ecr:::a")] {
            statements.push(statement(action, resource));
        }
    }
    let reading = |attached: bool| -> Reading {
        let requests = [("ecr:A", "a"), ("ecr:B", "a"), ("ecr:A", "b"), ("ecr:B", "b")];
        let matched = |(action, resource): (&str, &str)| {
            let matches = |statement: &Value| {
                let of_action = statement["Action"] == "*" || statement["Action"] == action;
                let of_resource = match statement.get("Resource") {
                    None => attached,
                    Some(text) => *text == "*" || resource == "a",
                };
                of_action && of_resource
            };
            statements.iter().map(matches).collect()
        };
        requests.into_iter().map(matched).collect()
    };
    verdicts_hold_under_every_reading(
        PolicyKind::Resource,
        &statements,
        &[reading(true)],
        &[reading(false)],
    );
}

#[test]
fn a_lone_star_of_an_arn_operator_is_every_arn_and_perhaps_every_text() {
    // An operator, its value, and for each request whether the condition holds; `None`: that is the question.
    let values = [
        None,
        Some("arn:aws:s3:::a"),
        Some("arn:aws:s3:::b"),
        Some("x"),
        Some("y"),
    ];
    let conditions = [
        (
            "ArnLike",
            json!("*"),
            [Some(false), Some(true), Some(true), None, None],
        ),
        (
            "ArnEqualsIfExists",
            json!("*"),
            [Some(true), Some(true), Some(true), None, None],
        ),
        (
            "ArnLike",
            json!("arn:aws:s3:::a"),
            [false, true, false, false, false].map(Some),
        ),
        (
            "StringLike",
            json!(["arn:aws:s3:::a", "x*"]),
            [false, true, false, true, false].map(Some),
        ),
        (
            "StringLike",
            json!("*"),
            [false, true, true, true, true].map(Some),
        ),
        ("Null", json!("false"), [false, true, true, true, true].map(Some)),
        (
            "Null",
            json!("true"),
            [true, false, false, false, false].map(Some),
        ),
    ];
    let statement = |(operator, value, _): &(&str, Value, _)| json!({"Action": "s3:A", "Resource": "*", "Condition": {*operator: {"aws:PrincipalTag/a": value}}});
    let statements: Vec<Value> = conditions.iter().map(statement).collect();
    let reading = |every_text: bool| -> Reading {
        let matched = |r: usize| {
            conditions
                .iter()
                .map(move |(_, _, holds)| holds[r].unwrap_or(every_text))
        };
        (0..values.len()).map(|r| matched(r).collect()).collect()
    };
    verdicts_hold_under_every_reading(
        PolicyKind::Identity,
        &statements,
        &[reading(false)],
        &[reading(true)],
    );
}
