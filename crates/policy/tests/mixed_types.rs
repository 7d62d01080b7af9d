//! Operators of two types on one key, and values of none, of one and of several types: every pair of small policies, for
//! every value of a small universe, under every reading of what AWS does not define. `PROPTEST_CASES` makes the runs
//! longer; from 8192 on every pair is looked at.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use deputy_policy::{Context, PolicyKind};
use deputy_policy_testing::{
    engine::KnownRequest,
    small_worlds::{ChosenStatements, JudgedPolicy, SmallWorld, Tally, request, some_of},
};
use proptest::test_runner::Config;
use serde_json::{Value, json};

/// Operators with a value, by the type of what they compare.
const TYPES: &[(&str, &[(&str, &str)])] = &[
    (
        "text",
        &[
            ("StringEquals", "4"),
            ("StringNotEquals", "zz"),
            ("StringLike", "*4*"),
            ("StringNotLike", "*4*"),
            ("StringEqualsIgnoreCase", "ZZ"),
        ],
    ),
    (
        "number",
        &[
            ("NumericEquals", "4"),
            ("NumericNotEquals", "4"),
            ("NumericLessThan", "5"),
            ("NumericGreaterThanEquals", "5"),
        ],
    ),
    (
        "date",
        &[
            ("DateEquals", "2020-01-01"),
            ("DateNotEquals", "2020-01-01"),
            ("DateLessThan", "2020-01-01"),
            ("DateGreaterThanEquals", "2020-01-01"),
        ],
    ),
    (
        "address",
        &[("IpAddress", "10.0.0.0/8"), ("NotIpAddress", "10.0.0.0/8")],
    ),
    (
        "arn",
        &[
            ("ArnLike", "arn:aws:s3:::a*"),
            ("ArnNotLike", "arn:aws:s3:::a*"),
            ("ArnNotEquals", "arn:aws:s3:::b"),
        ],
    ),
    ("flag", &[("Bool", "true"), ("Bool", "false")]),
    ("bytes", &[("BinaryEquals", "YQ==")]),
];

/// No type, one type, and several: `4` is a number and four seconds after 1970, `1577836800` a number and the first of 2020,
/// `2020` a number, base64, and no date: it may be a year or seconds.
const VALUES: &[&str] = &[
    "zz",
    "",
    "4.5",
    "4",
    "5",
    "1577836800",
    "2020",
    "2020-01-01",
    "2019-12-31",
    "10.0.0.1",
    "11.0.0.1",
    "::1",
    "arn:aws:s3:::a",
    "arn:aws:s3:::b",
    "arn:aws:s3",
    "true",
    "YQ==",
    "YWI=",
    "x4",
    "ZZ",
];

/// What the README's list of what is not known says of conditions on one key besides what AWS does not define. A pair that
/// this is not about has to be decided when one answer holds under every reading.
const NAMED: &[&str] = &[
    "operators of two types on one key",
    "a comparison without set operator on a key that may be a list",
];

fn named(key: &str, candidate: &JudgedPolicy, ceiling: &JudgedPolicy) -> Option<&'static str> {
    if key == "a:m" {
        return Some(NAMED[1]);
    }
    let mut types = Vec::new();
    for statement in [candidate, ceiling]
        .iter()
        .flat_map(|one| one.value["Statement"].as_array().unwrap())
    {
        for (operator, _) in statement["Condition"].as_object().into_iter().flatten() {
            let name = operator.rsplit(':').next().unwrap().trim_end_matches("IfExists");
            let of =
                |(_, operators): &&(&str, &[(&str, &str)])| operators.iter().any(|(one, _)| *one == name);
            if let Some((of, _)) = TYPES.iter().find(of) {
                types.push(*of);
            }
        }
    }
    types.sort_unstable();
    types.dedup();
    (types.len() > 1).then_some(NAMED[0])
}

fn statement(conditions: &[&(String, Value)], key: &str) -> Value {
    let mut blocks = json!({});
    for (operator, value) in conditions {
        blocks[operator.as_str()] = json!({key: value});
    }
    let mut statement = json!({"Action": "s3:a", "Resource": "*", "Condition": blocks});
    if conditions.is_empty() {
        statement.as_object_mut().unwrap().remove("Condition");
    }
    statement
}

/// The statements: nothing, each condition, and each two of them; the last two numbers say where they begin.
fn statements(conditions: &[(String, Value)], key: &str) -> (Vec<Value>, usize) {
    let mut all = vec![statement(&[], key)];
    all.extend(conditions.iter().map(|one| statement(&[one], key)));
    let both = all.len();
    for (i, a) in conditions.iter().enumerate() {
        let others = conditions[i + 1..].iter().filter(|b| b.0 != a.0);
        all.extend(others.map(|b| statement(&[a, b], key)));
    }
    (all, both)
}

const ALLOW: bool = false;
const DENY: bool = true;

/// Policies of one and two statements.
fn policies(
    conditions: usize,
    both: std::ops::Range<usize>,
) -> (Vec<ChosenStatements>, Vec<ChosenStatements>) {
    let single = 1..=conditions;
    let mut small: Vec<ChosenStatements> = vec![vec![(ALLOW, 0)]];
    small.extend(single.clone().map(|a| vec![(ALLOW, a)]));
    small.extend(single.clone().map(|a| vec![(ALLOW, 0), (DENY, a)]));
    small.extend(both.map(|a| vec![(ALLOW, a)]));
    let mut large = small.clone();
    for a in single.clone() {
        for b in single.clone().filter(|b| *b != a) {
            if a < b {
                large.push(vec![(ALLOW, a), (ALLOW, b)]);
            }
            large.push(vec![(ALLOW, a), (DENY, b)]);
        }
    }
    (small, large)
}

fn run(key: &str, conditions: &[(String, Value)], requests: Vec<KnownRequest>, at_most: usize) -> Tally {
    let (statements, both) = statements(conditions, key);
    let end = statements.len();
    // Each value is a request of its own.
    let alike = |asked: &KnownRequest| vec![format!("{:?}", asked.context)];
    let world = SmallWorld::new(PolicyKind::Identity, statements, requests, alike);
    let (small, large) = policies(conditions.len(), both..end);
    let (candidates, ceilings) = (world.documents(small), world.documents(large));
    let take = some_of(candidates.len() * ceilings.len(), at_most);
    world
        .check(&candidates, &ceilings, take, |a, b| named(key, a, b))
        .unwrap_or_else(|wrong| panic!("{key}: {wrong}"))
}

fn with_if_exists(operators: &[(&str, &str)]) -> Vec<(String, Value)> {
    operators
        .iter()
        .flat_map(|(operator, value)| {
            ["", "IfExists"].map(|suffix| (format!("{operator}{suffix}"), json!(value)))
        })
        .collect()
}

fn asked(key: &str, values: &[&str]) -> KnownRequest {
    let mut context = Context::new();
    if !values.is_empty() {
        context.set(key, values.to_vec());
    }
    request("s3:a", "arn:aws:s3:::x", context)
}

#[test]
fn operators_of_two_types_on_a_key_that_may_be_anything() {
    let at_most = usize::try_from(Config::default().cases).unwrap() * 8;
    // Tags have one value; of a key that nobody knows there may be several.
    for (key, list) in [("aws:PrincipalTag/t", false), ("a:m", true)] {
        let mut tally = Tally::default();
        let one_each = VALUES.iter().map(|value| vec![*value]);
        let mut values: Vec<Vec<&str>> = std::iter::once(Vec::new()).chain(one_each).collect();
        if list {
            // No type, one, two, and the same twice.
            let several = ["zz", "ZZ", "4", "4.5", "2020-01-01", "10.0.0.1", "arn:aws:s3:::a"];
            values.extend(
                several
                    .iter()
                    .flat_map(|a| several.iter().map(move |b| vec![*a, *b])),
            );
        }
        let requests: Vec<KnownRequest> = values.iter().map(|values| asked(key, values)).collect();
        for (i, (_, a)) in TYPES.iter().enumerate() {
            for (_, b) in &TYPES[i..] {
                let mut conditions = with_if_exists(a);
                conditions.extend(
                    with_if_exists(b)
                        .into_iter()
                        .filter(|one| !a.iter().any(|(op, _)| *op == one.0)),
                );
                conditions.sort_by(|a, b| a.0.cmp(&b.0));
                conditions.dedup();
                conditions.push(("Null".to_owned(), json!("true")));
                conditions.push(("Null".to_owned(), json!("false")));
                tally += run(key, &conditions, requests.clone(), at_most);
            }
        }
        eprintln!("{key}: {tally:?}");
        let Tally {
            contained,
            exceeds,
            unknown,
            named,
            missed,
        } = tally;
        assert_eq!(missed, 0, "{tally:?}");
        assert!(
            contained > 500 && exceeds > 500 && unknown > 500,
            "the check says too little: {tally:?}"
        );
        // Most of what one answer holds for under every reading is decided, though nobody promises it.
        assert!(named * 4 < contained + exceeds, "{tally:?}");
    }
}
