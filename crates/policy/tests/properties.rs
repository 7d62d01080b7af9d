//! Properties of the parser and of containment on random policies that are near to each other. `PROPTEST_CASES` makes
//! the runs longer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use deputy_policy::{Containment, Context, Document, Layers, PolicyKind, Request, contains, evaluate};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Small alphabets, so that patterns meet.
fn action() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => Just("*".to_owned()),
        8 => ("(s3|ec2)", "[ab*?]{1,4}").prop_map(|(service, name)| format!("{service}:{name}")),
    ]
}

fn resource() -> impl Strategy<Value = String> {
    let part = "(\\*|r|q)";
    let rest = prop_oneof![6 => "[ab*?/:]{0,5}", 1 => "[ab]\\$\\{aws:username\\}[ab*]{0,2}"];
    prop_oneof![
        1 => Just("*".to_owned()),
        8 => (part, rest).prop_map(|(region, rest)| format!("arn:aws:s3:{region}::{rest}")),
    ]
}

fn condition() -> impl Strategy<Value = (String, String, Value)> {
    let set = "(|ForAllValues:|ForAnyValue:)";
    let key = "a:(k|l)";
    let text = prop_oneof![4 => "[ab*?]{0,3}", 1 => Just("${aws:username}".to_owned())];
    let texts = prop::collection::vec(text, 1..3);
    let strings = (
        set,
        "(StringEquals|StringNotEquals|StringLike|StringNotLike|StringEqualsIgnoreCase)",
        "(|IfExists)",
        key,
        texts,
    )
        .prop_map(|(set, test, exists, key, values)| (format!("{set}{test}{exists}"), key, json!(values)));
    let numbers = (
        "Numeric(Equals|NotEquals|LessThan|LessThanEquals|GreaterThan|GreaterThanEquals)(|IfExists)",
        "a:n",
        prop::collection::vec(0_i64..4, 1..3),
    )
        .prop_map(|(operator, key, values)| (operator, key, json!(values)));
    let others = prop_oneof![
        ("Bool(|IfExists)", "a:b", any::<bool>()).prop_map(|(o, k, v)| (o, k, json!(v))),
        (Just("Null".to_owned()), "a:(k|b|n)", any::<bool>()).prop_map(|(o, k, v)| (o, k, json!(v))),
        (
            "(IpAddress|NotIpAddress)(|IfExists)",
            "a:i",
            "(10\\.0\\.0\\.0/(8|16)|10\\.1\\.0\\.0/16|::/0|10\\.0\\.0\\.1)"
        )
            .prop_map(|(o, k, v)| (o, k, json!(v))),
        (
            "Arn(Like|NotLike|Equals)(|IfExists)",
            "a:a",
            "arn:aws:iam::(1|\\*|\\?):[ab*]{0,3}"
        )
            .prop_map(|(o, k, v)| (o, k, json!(v))),
        ("Date(LessThan|GreaterThan|Equals)", "a:d", "202[0-3]-01-01").prop_map(|(o, k, v)| (o, k, json!(v))),
    ];
    prop_oneof![4 => strings, 2 => numbers, 4 => others]
}

fn statement() -> impl Strategy<Value = Value> {
    let actions = prop::collection::vec(action(), 1..4);
    let resources = prop::collection::vec(resource(), 1..4);
    let conditions = prop::collection::vec(condition(), 0..3);
    let effect = prop_oneof![3 => Just("Allow"), 1 => Just("Deny")];
    (effect, any::<u8>(), actions, resources, conditions).prop_map(
        |(effect, not, actions, resources, conditions)| {
            let mut object = serde_json::Map::new();
            object.insert("Effect".to_owned(), json!(effect));
            let variables = resources.iter().any(|resource| resource.contains("${"));
            object.insert(
                if not % 8 == 0 { "NotAction" } else { "Action" }.to_owned(),
                json!(actions),
            );
            let not_resource = not % 16 >= 14 && !variables;
            object.insert(
                if not_resource { "NotResource" } else { "Resource" }.to_owned(),
                json!(resources),
            );
            if !conditions.is_empty() {
                let mut operators = serde_json::Map::new();
                for (operator, key, values) in conditions {
                    let block = operators.entry(operator).or_insert_with(|| json!({}));
                    block[key] = values;
                }
                object.insert("Condition".to_owned(), Value::Object(operators));
            }
            Value::Object(object)
        },
    )
}

fn document(statements: &[Value]) -> Document {
    let value = json!({"Version": "2012-10-17", "Statement": statements});
    Document::from_value(&value, PolicyKind::Identity).unwrap_or_else(|e| panic!("{value}: {e}"))
}

fn statements() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(statement(), 1..4)
}

/// Two policies, the second of which often shares statements with the first.
fn neighbours() -> impl Strategy<Value = (Document, Document)> {
    (statements(), statements(), any::<u8>()).prop_map(|(a, b, mix)| {
        let shared: Vec<Value> = a
            .iter()
            .enumerate()
            .filter(|(i, _)| mix >> i & 1 == 1)
            .map(|(_, s)| s.clone())
            .collect();
        let other = if mix & 0x80 == 0 { b } else { Vec::new() };
        let ceiling: Vec<Value> = shared.into_iter().chain(other).collect();
        let ceiling = if ceiling.is_empty() { a.clone() } else { ceiling };
        (document(&a), document(&ceiling))
    })
}

fn context() -> impl Strategy<Value = Context> {
    let texts = || prop::option::of(prop::collection::vec("[abA]{0,3}", 0..3));
    let keys = (
        texts(),
        texts(),
        prop::option::of(0_i64..4),
        prop::option::of(any::<bool>()),
        prop::option::of("(10\\.0\\.0\\.1|10\\.1\\.2\\.3|10\\.9\\.9\\.9|11\\.1\\.1\\.1|::1)"),
        prop::option::of("arn:aws:iam::(1|2|):[ab]{0,2}"),
        prop::option::of("202[0-3]-0[12]-01"),
        prop::option::of("[ab]{0,2}"),
    );
    keys.prop_map(|(k, l, n, b, i, a, d, user)| {
        let mut context = Context::new();
        let mut one = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                context.set(key, [value]);
            }
        };
        one("a:n", n.map(|n| n.to_string()));
        one("a:b", b.map(|b| b.to_string()));
        one("a:i", i);
        one("a:a", a);
        one("a:d", d);
        one("aws:username", user);
        for (key, values) in [("a:k", k), ("a:l", l)] {
            if let Some(values) = values {
                context.set(key, values);
            }
        }
        context
    })
}

fn request() -> impl Strategy<Value = Request> {
    let resource = prop_oneof![
        1 => Just("*".to_owned()),
        8 => ("(r|q|)", "[ab/:]{0,5}").prop_map(|(region, rest)| format!("arn:aws:s3:{region}::{rest}")),
    ];
    ("(s3|ec2)", "[ab]{1,3}", resource, context()).prop_map(|(service, name, resource, context)| Request {
        action: format!("{service}:{name}"),
        resource,
        principal: None,
        context,
    })
}

fn allows(document: &Document, request: &Request) -> bool {
    evaluate(
        &Layers {
            identity: &[document],
            ..Layers::default()
        },
        request,
    )
    .is_allowed()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn canonical_json_parses_to_the_same_document(statements in statements()) {
        let document = document(&statements);
        let again = Document::parse(&document.to_json(), PolicyKind::Identity).unwrap();
        prop_assert_eq!(&again, &document);
        prop_assert_eq!(again.to_json(), document.to_json());
        prop_assert!(again.semantically_eq(&document));
    }

    #[test]
    fn parsing_never_panics(text in "\\PC{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(Document::parse(&text, PolicyKind::Identity));
        drop(Document::parse(&String::from_utf8_lossy(&bytes), PolicyKind::Trust));
        let value = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": text, "Resource": text,
            "Condition": {"DateEquals": {"a:d": text}, "StringLike": {"a:k": text}, "IpAddress": {"a:i": text},
                "NumericEquals": {"a:n": text}, "BinaryEquals": {"a:x": text}, "ArnLike": {"a:a": text}}}});
        drop(Document::from_value(&value, PolicyKind::Identity));
    }

    #[test]
    fn every_policy_contains_itself(statements in statements()) {
        let document = document(&statements);
        prop_assert!(contains(&[&document], &document).is_contained());
    }

    #[test]
    fn a_further_statement_of_the_ceilings_kind_does_not_narrow_it((a, b) in neighbours(), more in statement()) {
        let mut more = more;
        more["Effect"] = json!("Allow");
        if contains(&[&a], &b).is_contained() {
            let wider = Document::merge([&b, &document(&[more])]).unwrap();
            prop_assert!(contains(&[&a], &wider).is_contained());
        }
    }

    #[test]
    fn a_further_deny_of_the_candidate_never_makes_it_exceed((a, b) in neighbours(), deny in statement()) {
        let mut deny = deny;
        deny["Effect"] = json!("Deny");
        if contains(&[&a], &b).is_contained() {
            let answer = contains(&[&a, &document(&[deny])], &b);
            prop_assert!(!matches!(answer, Containment::Exceeds(_)), "{answer:?}");
        }
    }

    #[test]
    fn a_witness_is_allowed_by_the_candidate_and_not_by_the_ceiling((a, b) in neighbours()) {
        if let Containment::Exceeds(w) = contains(&[&a], &b) {
            let request = Request { action: w.action, resource: w.resource, principal: None, context: w.context };
            prop_assert!(allows(&a, &request) && !allows(&b, &request), "{request:?}");
        }
    }
}

/// How often the sampled checks say something.
#[derive(Default)]
struct Share {
    contained: u32,
    exceeds: u32,
    unknown: u32,
    requests: u32,
    allowed: u32,
}

#[test]
fn no_sampled_request_contradicts_contained() {
    use proptest::test_runner::{Config, TestRunner};
    let cases = Config::default().cases * 2;
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let share = std::cell::RefCell::new(Share::default());
    let strategy = (neighbours(), prop::collection::vec(request(), 24));
    runner
        .run(&strategy, |((a, b), requests)| {
            let mut share = share.borrow_mut();
            match contains(&[&a], &b) {
                Containment::Contained(_) => share.contained += 1,
                Containment::Exceeds(_) => {
                    share.exceeds += 1;
                    return Ok(());
                }
                Containment::Unknown(_) => {
                    share.unknown += 1;
                    return Ok(());
                }
            }
            for request in &requests {
                share.requests += 1;
                if allows(&a, request) {
                    share.allowed += 1;
                    prop_assert!(
                        allows(&b, request),
                        "{request:?}\n{}\n{}",
                        a.to_json(),
                        b.to_json()
                    );
                }
            }
            Ok(())
        })
        .unwrap();
    let share = share.into_inner();
    let Share {
        contained,
        exceeds,
        unknown,
        requests,
        allowed,
    } = share;
    eprintln!(
        "contained {contained}, exceeds {exceeds}, unknown {unknown}; {requests} requests, {allowed} allowed"
    );
    let enough =
        contained * 5 > cases && exceeds * 5 > cases && unknown * 5 < cases && allowed * 40 > requests;
    assert!(enough, "the check says too little");
}
