//! Comparing a document with AWS's service reference takes a bounded time.

use std::time::{Duration, Instant};

use deputy_policy::PolicyKind;
use serde_json::{Value, json};

use super::findings;

/// Generous: the suite runs on loaded machines and without optimisation of its own code.
const LIMIT: Duration = Duration::from_secs(5);

fn lints_in_time(what: &str, statement: &Value) {
    // The tables are read before the clock starts.
    findings(
        PolicyKind::Identity,
        &json!({"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}),
    );
    let started = Instant::now();
    findings(PolicyKind::Identity, statement);
    assert!(started.elapsed() < LIMIT, "{what}: {:?}", started.elapsed());
}

#[test]
fn documents_as_large_as_they_may_be_are_linted_in_time() {
    let many =
        |count: usize, text: &dyn Fn(usize) -> String| -> Vec<String> { (0..count).map(text).collect() };
    let resources = many(2_000, &|n| format!("arn:aws:ec2:*:*:*a{n}*b*c*d*"));
    lints_in_time(
        "slips",
        &json!({"Effect": "Allow", "Action": many(8_000, &|n| format!("ec2:DescribeInstncz{n}")), "Resource": "*"}),
    );
    lints_in_time(
        "patterns that match nothing",
        &json!({"Effect": "Allow", "Action": many(8_000, &|n| format!("ec2:*e*e*e*e*x{n}")), "Resource": "*"}),
    );
    lints_in_time(
        "many resources for many types",
        &json!({"Effect": "Allow", "Action": many(400, &|n| format!("ec2:*{}*", n % 10)), "Resource": resources}),
    );
    lints_in_time(
        "keys that are nearly one",
        &json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals":
            many(6_000, &|n| format!("s3:x-amz-server-side-encryptionz{n}")).into_iter().map(|key| (key, json!("a")))
                .collect::<serde_json::Map<_, _>>()}}),
    );
    lints_in_time(
        "keys of many actions",
        &json!({"Effect": "Allow", "Action": many(300, &|n| format!("ec2:*{}*", char::from(b'a' + u8::try_from(n % 26).unwrap()))),
            "Resource": "*", "Condition": {"StringEquals":
            many(3_000, &|n| format!("s3:ExistingObjectTag/{n}")).into_iter().map(|key| (key, json!("a")))
                .collect::<serde_json::Map<_, _>>()}}),
    );
}
