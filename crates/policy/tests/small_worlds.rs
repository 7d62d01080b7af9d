//! Containment is exact on small worlds: few letters, few values, and every request that they allow. A *contained* with a
//! counterexample, an *exceeds* that the second evaluator does not confirm and any *unknown* fail. `PROPTEST_CASES` makes
//! the runs longer.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use deputy_policy::{Candidate, Context, Document, PolicyKind};
use deputy_policy_testing::{
    choices::Choices,
    engine::{CheckedVerdict, KnownRequest, confirm, contain},
    naive::{NaiveDecision, Readings},
};
use proptest::test_runner::Config;
use serde_json::{Value, json};

/// Statements to choose from, and for each the requests that it is about.
struct World {
    kind: PolicyKind,
    requests: Vec<KnownRequest>,
    statements: Vec<(Value, Bits)>,
    /// Whether conditions of this world are not defined for all requests.
    undefined: bool,
}

type Bits = Vec<u64>;

fn request(action: &str, resource: &str, context: Context) -> KnownRequest {
    KnownRequest {
        action: action.to_owned(),
        resource: resource.to_owned(),
        who: None,
        context,
    }
}

impl World {
    /// `statements` have no Effect.
    fn new(kind: PolicyKind, requests: Vec<KnownRequest>, statements: Vec<Value>) -> Self {
        let about = |statement: &Value| {
            let document = self::document(&[(statement, "Allow")]);
            let mut bits = vec![0; requests.len().div_ceil(64)];
            for (i, request) in requests.iter().enumerate() {
                if request.decide(&[vec![document.clone()]], &Readings::EVALUATOR) == NaiveDecision::Allowed {
                    bits[i / 64] |= 1 << (i % 64);
                }
            }
            bits
        };
        let statements = statements
            .into_iter()
            .map(|statement| {
                let bits = about(&statement);
                (statement, bits)
            })
            .collect();
        Self {
            kind,
            requests,
            statements,
            undefined: false,
        }
    }

    /// AWS does not define all of this world, so not everything can be decided.
    fn undefined(mut self) -> Self {
        self.undefined = true;
        self
    }

    /// One policy: some statements, the first of which allows.
    fn policy(&self, c: &mut Choices<'_>) -> (Value, Bits) {
        let count = c.between(1, 3);
        let mut chosen = Vec::new();
        let mut allowed = vec![0; self.requests.len().div_ceil(64)];
        let mut denied = allowed.clone();
        for i in 0..count {
            let (mut statement, mut bits) = c.pick(&self.statements).clone();
            if i == 0 && statement.get("NotPrincipal").is_some() {
                (statement, bits) = self.statements[0].clone();
            }
            // With Allow it is refused.
            let deny = i > 0 && (statement.get("NotPrincipal").is_some() || c.chance(1, 2));
            chosen.push((statement, if deny { "Deny" } else { "Allow" }));
            let sum = if deny { &mut denied } else { &mut allowed };
            sum.iter_mut().zip(bits).for_each(|(sum, bits)| *sum |= bits);
        }
        allowed
            .iter_mut()
            .zip(&denied)
            .for_each(|(sum, bits)| *sum &= !bits);
        let chosen: Vec<(&Value, &str)> = chosen.iter().map(|(s, effect)| (s, *effect)).collect();
        (document(&chosen), allowed)
    }

    fn check(
        &self,
        (candidate, allowed): &(Value, Bits),
        (ceiling, limit): &(Value, Bits),
    ) -> Result<bool, String> {
        let counterexample = allowed
            .iter()
            .zip(limit)
            .enumerate()
            .find(|(_, (a, l))| *a & !*l != 0)
            .map(|(word, (a, l))| word * 64 + (a & !l).trailing_zeros() as usize);
        let read =
            |value: &Value| Document::from_value(value, self.kind).map_err(|e| format!("{value}: {e}"));
        let verdict = contain(&Candidate::new(&[&read(candidate)?]), &read(ceiling)?);
        let fail = |what: String| Err(format!("{what}\ncandidate {candidate}\nceiling {ceiling}"));
        match (verdict, counterexample) {
            (CheckedVerdict::Contained, None) => Ok(true),
            (CheckedVerdict::Contained, Some(i)) => fail(format!("contained, but {:?}", self.requests[i])),
            (CheckedVerdict::Exceeds(witness, bounded), _) => {
                let layers = [vec![candidate.clone()]];
                match confirm(self.kind, &layers, ceiling, &witness, bounded) {
                    Ok(()) => Ok(false),
                    Err(why) => fail(why),
                }
            }
            (CheckedVerdict::Unknown(_), _) if self.undefined => Ok(true),
            (CheckedVerdict::Unproved(why), _) => fail(why),
            (CheckedVerdict::Unknown(why), _) => fail(format!("unknown: {why}")),
        }
    }

    /// Random policies of one to three statements against others and against themselves changed.
    fn run(&self, per_case: u64) {
        let (mut contained, mut exceeds) = (0, 0);
        let trials = u64::from(Config::default().cases) * per_case;
        for seed in 0..trials {
            let mut c = Choices::seeded(seed);
            let (a, b) = (self.policy(&mut c), self.policy(&mut c));
            match self.check(&a, &b) {
                Ok(true) => contained += 1,
                Ok(false) => exceeds += 1,
                Err(wrong) => panic!("seed {seed}: {wrong}"),
            }
        }
        eprintln!("{contained} contained, {exceeds} exceed");
        assert!(
            contained * 50 > trials && exceeds * 50 > trials,
            "the check says too little"
        );
    }
}

fn document(statements: &[(&Value, &str)]) -> Value {
    let with_effect = |(statement, effect): &(&Value, &str)| {
        let mut statement = (*statement).clone();
        statement["Effect"] = json!(effect);
        statement
    };
    let statements: Vec<Value> = statements.iter().map(with_effect).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// Every text over the letters from a length to another.
fn all_texts(letters: &str, low: usize, high: usize) -> Vec<String> {
    let mut out = Vec::new();
    let mut longest = vec![String::new()];
    for length in 0..=high {
        if length >= low {
            out.extend(longest.iter().cloned());
        }
        longest = longest
            .iter()
            .flat_map(|text| letters.chars().map(move |letter| format!("{text}{letter}")))
            .collect();
    }
    out
}

const ANY: &str = "arn:aws:s3:::x";

/// Patterns up to three characters against requests over their letters and one other.
fn patterns(make: impl Fn(&str) -> Value, ask: impl Fn(&str) -> KnownRequest, low: usize) -> World {
    let requests = all_texts("abc", low, 5).iter().map(|text| ask(text)).collect();
    let mut patterns = all_texts("ab*?", low, 3);
    patterns.retain(|pattern| !pattern.contains("**") && !pattern.contains("*?"));
    World::new(
        PolicyKind::Identity,
        requests,
        patterns.iter().map(|text| make(text)).collect(),
    )
}

fn action_world() -> World {
    patterns(
        |text| json!({"Action": format!("s3:{text}"), "Resource": "*"}),
        |text| request(&format!("s3:{text}"), ANY, Context::new()),
        1,
    )
}

fn resource_world() -> World {
    patterns(
        |text| json!({"Action": "s3:x", "Resource": format!("arn:aws:s3:::{text}")}),
        |text| request("s3:x", &format!("arn:aws:s3:::{text}"), Context::new()),
        0,
    )
}

#[test]
fn one_action_pattern_within_another_one_is_decided_exactly() {
    every_pair_of_patterns(&action_world());
}

#[test]
fn one_resource_pattern_within_another_one_is_decided_exactly() {
    every_pair_of_patterns(&resource_world());
}

fn every_pair_of_patterns(world: &World) {
    let single = |i: usize| {
        let (statement, bits): &(Value, Bits) = &world.statements[i];
        (document(&[(statement, "Allow")]), bits.clone())
    };
    for i in 0..world.statements.len() {
        for j in 0..world.statements.len() {
            if let Err(wrong) = world.check(&single(i), &single(j)) {
                panic!("{wrong}");
            }
        }
    }
}

#[test]
fn actions_are_exact() {
    action_world().run(4);
}

#[test]
fn resources_are_exact() {
    resource_world().run(4);
}

#[test]
fn lists_and_their_complements_are_exact() {
    let mut statements = Vec::new();
    for (action, resource) in [
        ("Action", "Resource"),
        ("NotAction", "Resource"),
        ("Action", "NotResource"),
        ("NotAction", "NotResource"),
    ] {
        for a in ["s3:a*", "s3:*a", "s3:?", "s3:b", "*"] {
            for r in [
                "arn:aws:s3:::a*",
                "arn:aws:s3:::?b",
                "arn:aws:s3:*::a",
                "arn:aws:s3:r::*",
                "*",
            ] {
                statements.push(json!({action: [a, "s3:ab"], resource: r}));
            }
        }
    }
    let mut requests = Vec::new();
    for action in all_texts("abc", 1, 3) {
        for rest in all_texts("abc", 0, 2) {
            for region in ["", "r", "q"] {
                requests.push(request(
                    &format!("s3:{action}"),
                    &format!("arn:aws:s3:{region}::{rest}"),
                    Context::new(),
                ));
            }
        }
        requests.push(request(&format!("s3:{action}"), "*", Context::new()));
        requests.push(request(
            &format!("ec2:{action}"),
            "arn:aws:ec2:::a",
            Context::new(),
        ));
    }
    World::new(PolicyKind::Identity, requests, statements).run(1);
}

/// Conditions on one key: every test with every value, one statement in three with two conditions.
fn conditions(key: &str, operators: &[&str], values: &[&str], requests: &[Vec<&str>]) -> World {
    let mut singles = vec![
        json!({}),
        json!({"Null": {key: "true"}}),
        json!({"Null": {key: "false"}}),
    ];
    for operator in operators {
        for (i, value) in values.iter().enumerate() {
            singles.push(json!({*operator: {key: value}}));
            let next = values[(i + 1) % values.len()];
            singles.push(json!({*operator: {key: [value, next]}}));
        }
    }
    let mut statements: Vec<Value> = Vec::new();
    for (i, single) in singles.iter().enumerate() {
        statements.push(json!({"Action": "s3:x", "Resource": "*", "Condition": single}));
        let mut both = single.as_object().unwrap().clone();
        let other = &singles[(i * 7 + 3) % singles.len()];
        both.extend(other.as_object().unwrap().clone());
        statements.push(json!({"Action": "s3:x", "Resource": "*", "Condition": both}));
    }
    for statement in &mut statements {
        if statement["Condition"].as_object().unwrap().is_empty() {
            statement.as_object_mut().unwrap().remove("Condition");
        }
    }
    let mut asked = vec![request("s3:x", ANY, Context::new())];
    for values in requests {
        asked.push(request(
            "s3:x",
            ANY,
            Context::new().with_many(key, values.clone()),
        ));
    }
    World::new(PolicyKind::Identity, asked, statements)
}

fn one_each<'a>(values: &[&'a str]) -> Vec<Vec<&'a str>> {
    values.iter().map(|value| vec![*value]).collect()
}

fn texts() -> Vec<String> {
    all_texts("abcA", 0, 3)
}

#[test]
fn strings_are_exact() {
    let all = texts();
    let asked: Vec<&str> = all.iter().map(String::as_str).collect();
    let operators = [
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringNotLike",
        "StringEqualsIfExists",
        "StringLikeIfExists",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
    ];
    conditions(
        "s3:prefix",
        &operators,
        &["a", "b", "ab", "A", ""],
        &one_each(&asked),
    )
    .run(2);
    let operators = [
        "StringLike",
        "StringNotLike",
        "StringLikeIfExists",
        "StringEquals",
    ];
    conditions(
        "s3:prefix",
        &operators,
        &["a*", "*a", "?", "a?", "*", "*b*"],
        &one_each(&asked),
    )
    .run(2);
}

#[test]
fn arns_are_exact() {
    let asked = [
        "arn:aws:s3:::a",
        "arn:aws:s3:::b",
        "arn:aws:s3:::c",
        "arn:aws:s3:::aa",
        "arn:aws:s3:::a:b",
        "arn:aws:s3:r::a",
        "arn:aws:s3:q::a",
        "arn:aws:sx:::a",
        "arn:aws:s3:::",
        "arn:x:s3:::a",
        "arn:aws:s3:r::b",
        "x",
    ];
    let operators = [
        "ArnLike",
        "ArnEquals",
        "ArnNotLike",
        "ArnNotEquals",
        "ArnLikeIfExists",
    ];
    let values = [
        "arn:aws:s3:::a",
        "arn:aws:s3:::a*",
        "arn:aws:s3:*::a",
        "arn:aws:s?:::?",
        "arn:*:s3:r::*",
    ];
    conditions("aws:SourceArn", &operators, &values, &one_each(&asked)).run(2);
}

#[test]
fn numbers_are_exact() {
    let operators = [
        "NumericEquals",
        "NumericNotEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
        "NumericEqualsIfExists",
        "NumericLessThanIfExists",
        "NumericGreaterThanEqualsIfExists",
    ];
    let asked = ["-1", "-0.5", "0", "0.5", "1", "1.25", "1.5", "1.75", "2", "3"];
    conditions(
        "s3:max-keys",
        &operators,
        &["0", "1", "1.5", "2.0"],
        &one_each(&asked),
    )
    .run(2);
}

#[test]
fn dates_are_exact() {
    let operators = [
        "DateEquals",
        "DateNotEquals",
        "DateLessThan",
        "DateLessThanEquals",
        "DateGreaterThan",
        "DateGreaterThanEquals",
        "DateLessThanIfExists",
        "DateGreaterThanEqualsIfExists",
    ];
    let values = ["2020-01-01", "2020-01-01T00:00:02Z", "1577836804"];
    let asked = [
        "1577836799",
        "1577836800",
        "1577836801",
        "1577836802",
        "1577836803",
        "1577836804",
        "1577836805",
        "2020-01-01T00:00:00.5Z",
    ];
    conditions("aws:CurrentTime", &operators, &values, &one_each(&asked)).run(2);
}

#[test]
fn booleans_are_exact() {
    conditions(
        "aws:SecureTransport",
        &["Bool", "BoolIfExists"],
        &["true", "false"],
        &one_each(&["true", "false"]),
    )
    .run(1);
}

#[test]
fn bytes_are_exact() {
    let operators = ["BinaryEquals", "BinaryEqualsIfExists"];
    let asked = ["YQ==", "YWI=", "YWJj", ""];
    conditions(
        "aws:PrincipalTag/b",
        &operators,
        &["YQ==", "YWI=", ""],
        &one_each(&asked),
    )
    .run(1);
}

#[test]
fn addresses_are_exact() {
    let operators = ["IpAddress", "NotIpAddress", "IpAddressIfExists"];
    let values = [
        "10.0.0.0/30",
        "10.0.0.0/31",
        "10.0.0.2/31",
        "10.0.0.1",
        "0.0.0.0/0",
        "::/0",
        "2001:db8::/127",
        "2001:db8::1",
    ];
    let asked = [
        "10.0.0.0",
        "10.0.0.1",
        "10.0.0.2",
        "10.0.0.3",
        "10.0.0.4",
        "9.255.255.255",
        "::",
        "2001:db8::",
        "2001:db8::1",
        "2001:db8::2",
    ];
    conditions("aws:SourceIp", &operators, &values, &one_each(&asked)).run(2);
}

#[test]
fn set_operators_are_exact() {
    let lists = |letters: &[&'static str]| {
        let mut lists: Vec<Vec<&str>> = vec![Vec::new()];
        let mut longest = lists.clone();
        for _ in 0..3 {
            longest = longest
                .iter()
                .flat_map(|list| {
                    letters
                        .iter()
                        .map(|letter| [list.as_slice(), &[*letter]].concat())
                })
                .collect();
            lists.extend(longest.iter().cloned());
        }
        lists
    };
    let operators = [
        "ForAllValues:StringEquals",
        "ForAnyValue:StringEquals",
        "ForAllValues:StringNotEquals",
        "ForAnyValue:StringNotEquals",
        "ForAllValues:StringLike",
        "ForAnyValue:StringLike",
    ];
    let world = |operators: &[&str]| {
        conditions(
            "aws:TagKeys",
            operators,
            &["a", "b", "ab"],
            &lists(&["a", "b", "ab", "c"]),
        )
    };
    for set in ["ForAllValues", "ForAnyValue"] {
        let of_set: Vec<&str> = operators
            .into_iter()
            .filter(|operator| operator.starts_with(set))
            .collect();
        world(&of_set).run(1);
    }
    // Both of them ask about empty values, which may be none to the former alone.
    world(&operators).undefined().run(2);
    // Of a key that nobody knows a request may have one value or several.
    let operators = [
        "ForAllValues:StringEquals",
        "ForAnyValue:StringEquals",
        "ForAnyValue:StringNotEquals",
        "StringEquals",
        "StringNotEquals",
        "StringLike",
    ];
    conditions(
        "a:k",
        &operators,
        &["a", "b", "a*"],
        &lists(&["a", "b", "ab", "c"]),
    )
    .undefined()
    .run(2);
}

#[test]
fn actions_resources_and_conditions_together_are_exact() {
    let mut statements = Vec::new();
    for action in ["s3:a", "s3:*", "s3:?b"] {
        for resource in ["arn:aws:s3:::a*", "arn:aws:s3:::*b", "*"] {
            for condition in [
                json!({"StringEquals": {"s3:prefix": "a"}}),
                json!({"StringNotEquals": {"s3:prefix": "a"}}),
                json!({"StringLikeIfExists": {"s3:prefix": "a*"}}),
                json!({"NumericLessThan": {"s3:max-keys": "2"}}),
                json!({"NumericGreaterThanEqualsIfExists": {"s3:max-keys": "2"}, "Null": {"s3:prefix": "false"}}),
                json!({"Null": {"s3:max-keys": "true"}}),
            ] {
                statements.push(json!({"Action": action, "Resource": resource, "Condition": condition}));
            }
            statements.push(json!({"Action": action, "Resource": resource}));
        }
    }
    let mut requests = Vec::new();
    for action in ["a", "b", "ab", "c"] {
        for rest in ["", "a", "b", "ab", "ba", "c"] {
            for prefix in [None, Some("a"), Some("ab"), Some("c")] {
                for keys in [None, Some("1"), Some("2"), Some("3")] {
                    let mut context = Context::new();
                    for (key, value) in [("s3:prefix", prefix), ("s3:max-keys", keys)] {
                        if let Some(value) = value {
                            context.set(key, [value]);
                        }
                    }
                    requests.push(request(
                        &format!("s3:{action}"),
                        &format!("arn:aws:s3:::{rest}"),
                        context,
                    ));
                }
            }
        }
    }
    World::new(PolicyKind::Identity, requests, statements).run(4);
}
