//! Constructs that AWS takes and whose meaning it leaves open, or makes depend on the service. *Contained* holds under every
//! reading; *exceeds* has a request that exceeds under the reading that AWS documents, or, where it documents none, under
//! every one; what is left is *unknown*. Held against all small policies of such constructs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use deputy_policy::{AccessDecision, Candidate, Context, Document, Layers, PolicyKind, Request, evaluate};
use deputy_policy_testing::engine::{CheckedVerdict, contain};
use serde_json::{Value, json};

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
/// `others` could be meant as well. Of a hundred pairs that could be decided, at most `unknown` may not be.
fn verdicts_hold_under_every_reading(
    kind: PolicyKind,
    statements: &[Value],
    sure: &[Reading],
    others: &[Reading],
    unknown: usize,
) {
    let counts = counts_of_verdicts(kind, statements, sure, others, unknown);
    assert!(counts[2] > 20, "{counts:?}");
}

/// The same, of which pairs there were: contained, exceeding, and those where it depends on the reading.
fn counts_of_verdicts(
    kind: PolicyKind,
    statements: &[Value],
    sure: &[Reading],
    others: &[Reading],
    unknown: usize,
) -> [usize; 3] {
    let policies = policies(kind, statements);
    let (mut counts, mut open) = ([0; 3], 0);
    for (candidate, of_candidate) in &policies {
        for (ceiling, of_ceiling) in &policies {
            let exceeds = |reading: &Reading, request: usize| {
                let matched = &reading[request];
                allowed(of_candidate, matched) && !allowed(of_ceiling, matched)
            };
            let mut requests = 0..sure[0].len();
            let verdict = contain(&Candidate::new(&[candidate]), ceiling);
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
                CheckedVerdict::Contained => 0,
                CheckedVerdict::Exceeds(..) => 1,
                CheckedVerdict::Unknown(why) if why.contains("does not verify") => panic!("{why}"),
                CheckedVerdict::Unknown(_) => 2,
                CheckedVerdict::Unproved(why) => panic!("{why}"),
            };
            counts[expected] += 1;
            // Two lists that are negated may have a variable whose values are not compared.
            if found == 2 && expected != 2 {
                open += 1;
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
    eprintln!("{open} of {counts:?}");
    assert!(counts[0] > 20 && counts[1] > 20, "{counts:?}");
    assert!(
        open * 100 <= unknown * (counts[0] + counts[1]),
        "{open} of {counts:?}"
    );
    counts
}

/// It is about what the policy is attached to, or about nothing.
#[test]
fn a_statement_without_resource_has_two_readings() {
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
        0,
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
            "ArnLike",
            json!("arn:*:*:*:*:*"),
            [false, true, true, false, false].map(Some),
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
        0,
    );
}

#[test]
fn a_variable_for_the_account_is_what_it_stands_for_or_matches_nothing() {
    let resources = [
        "arn:aws:s3::${aws:PrincipalAccount}:x",
        "arn:aws:s3::${aws:PrincipalAccount}:*",
        "arn:aws:s3::*:x",
        "arn:aws:s3::1:x",
        "*",
    ];
    let statement = |resource: &&str| json!({"Action": "s3:A", "Resource": resource});
    let statements: Vec<Value> = resources.iter().map(statement).collect();
    // Account and rest of the resource, and the caller's account.
    let callers = [None, Some("1"), Some("2"), Some("3")];
    let requests = ["1", "2"].iter().flat_map(|account| {
        let rests = ["x", "y"].iter();
        rests.flat_map(move |rest| callers.map(|caller| (*account, *rest, caller)))
    });
    let requests: Vec<_> = requests.collect();
    let reading = |expanded: bool| -> Reading {
        let matched = |(account, rest, caller): &(&str, &str, Option<&str>)| {
            let own = expanded && *caller == Some(account);
            vec![
                own && *rest == "x",
                own,
                *rest == "x",
                *account == "1" && *rest == "x",
                true,
            ]
        };
        requests.iter().map(matched).collect()
    };
    verdicts_hold_under_every_reading(
        PolicyKind::Identity,
        &statements,
        &[reading(true), reading(false)],
        &[],
        0,
    );
}

/// It excludes nothing, or it keeps the statement from matching.
#[test]
fn a_valueless_variable_in_not_resource_has_two_readings() {
    let statements = vec![
        json!({"Action": "s3:A", "NotResource": "arn:aws:s3:::h/${aws:username}"}),
        json!({"Action": "s3:A", "NotResource": ["arn:aws:s3:::h/a", "arn:aws:s3:::h/${aws:username}"]}),
        json!({"Action": "s3:A", "NotResource": "arn:aws:s3:::h/a"}),
        json!({"Action": "s3:A", "Resource": "arn:aws:s3:::h/${aws:username}"}),
        json!({"Action": "s3:A", "Resource": ["arn:aws:s3:::h/a", "arn:aws:s3:::b"]}),
        json!({"Action": "s3:A", "Resource": "arn:aws:s3:::b"}),
        json!({"Action": "s3:A", "Resource": "*"}),
    ];
    let names = ["h/a", "h/b", "h/c", "b", "c"];
    let users = [None, Some("h/a"), Some("h/b"), Some("h/c")];
    // `matches`: what holds when the user has no name.
    let reading = |matches: bool| -> Reading {
        let matched = |name: &str, user: Option<&str>| {
            let own = user == Some(name);
            let resolved = user.is_some() || matches;
            vec![
                resolved && !own,
                resolved && !own && name != "h/a",
                name != "h/a",
                own,
                name == "h/a" || name == "b",
                name == "b",
                true,
            ]
        };
        let of_user = |user| names.map(|name| matched(name, user));
        users.into_iter().flat_map(of_user).collect()
    };
    verdicts_hold_under_every_reading(
        PolicyKind::Identity,
        &statements,
        &[reading(true)],
        &[reading(false)],
        2,
    );
}

#[test]
fn a_condition_without_values_holds_or_does_not() {
    let when = |condition: Value| json!({"Action": "s3:A", "Resource": "*", "Condition": condition});
    let statements = vec![
        when(json!({"StringEquals": {"aws:username": []}})),
        when(json!({"StringNotEquals": {"AWS:username": []}})),
        when(json!({"StringEquals": {"aws:username": [], "s3:prefix": "a"}})),
        when(json!({"StringEquals": {"s3:prefix": "a"}})),
        json!({"Action": "s3:A", "Resource": "*"}),
    ];
    let reading = |equals: bool, differs: bool| -> Reading {
        let matched = |prefix: bool| vec![equals, differs, equals && prefix, prefix, true];
        [true, false].into_iter().map(matched).collect()
    };
    let readings = [(true, true), (true, false), (false, true), (false, false)];
    let readings = readings.map(|(equals, differs)| reading(equals, differs));
    verdicts_hold_under_every_reading(PolicyKind::Identity, &statements, &readings, &[], 2);
}

/// Identity statements with one condition each on a tag of the request, and how the condition lies to each request in each reading.
fn on_a_tag(conditions: &[(&str, Value)]) -> Vec<Value> {
    let statement = |(operator, value): &(&str, Value)| json!({"Action": "ec2:A", "Resource": "*", "Condition": {*operator: {"aws:RequestTag/a": value}}});
    conditions.iter().map(statement).collect()
}

/// `ForAllValues` holds of an empty text as of no value, says the guide; and services compare it.
#[test]
fn for_all_values_takes_an_empty_text_for_none_or_compares_it() {
    let statements = on_a_tag(&[
        ("ForAllValues:StringEquals", json!("a")),
        ("ForAllValues:StringLike", json!("b")),
        ("StringEqualsIfExists", json!("a")),
        ("StringEquals", json!(["a", "b"])),
        ("StringEquals", json!("")),
        ("StringNotEquals", json!("a")),
    ]);
    let requests = [None, Some(""), Some("a"), Some("b"), Some("x")];
    let reading = |none: bool| -> Reading {
        let matched = |value: Option<&str>| {
            let is_none = value.is_none() || (none && value == Some(""));
            vec![
                is_none || value == Some("a"),
                is_none || value == Some("b"),
                matches!(value, None | Some("a")),
                matches!(value, Some("a" | "b")),
                value == Some(""),
                value != Some("a"),
            ]
        };
        requests.into_iter().map(matched).collect()
    };
    verdicts_hold_under_every_reading(
        PolicyKind::Identity,
        &statements,
        &[reading(false), reading(true)],
        &[],
        1,
    );
}

/// The guide has people write `Null` beside `ForAllValues`, against values that are none: so that takes the same for none.
#[test]
fn null_beside_for_all_values_guards_against_empty_texts() {
    let of = |conditions: Value| {
        let statement =
            json!({"Effect": "Allow", "Action": "ec2:A", "Resource": "*", "Condition": conditions});
        let value = json!({"Version": "2012-10-17", "Statement": statement});
        Document::from_value(&value, PolicyKind::Identity).unwrap()
    };
    let keys = |operator: &str, values: Value| json!({operator: {"aws:TagKeys": values}, "Null": {"aws:TagKeys": "false"}});
    let guarded = of(keys("ForAllValues:StringEquals", json!(["a"])));
    let some = of(json!({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}));
    let bare = of(json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}));
    let there = of(json!({"Null": {"aws:TagKeys": "false"}}));
    let anything = of(json!({"ForAnyValue:StringLike": {"aws:TagKeys": "*"}}));
    for (candidate, ceiling, contained) in [
        (&guarded, &some, true),
        (&guarded, &bare, true),
        (&guarded, &there, true),
        (&bare, &some, false),
        // Nothing asks about all values: what is there is there.
        (&anything, &there, true),
    ] {
        let verdict = contain(&Candidate::new(&[candidate]), ceiling);
        let found = matches!(verdict, CheckedVerdict::Contained);
        assert_eq!(
            found,
            contained,
            "{verdict:?} {} {}",
            candidate.to_json(),
            ceiling.to_json()
        );
    }
}

/// Of letters beyond ASCII it is not said which are one when case is ignored.
#[test]
fn letters_that_only_some_tables_of_case_equate_are_one_or_two() {
    let mut in_doubt = 0;
    // Whether the evaluator takes them for one.
    for (letter, upper, strange, evaluated) in [
        ("k", "K", &["\u{212a}"][..], true),
        ("s", "S", &["\u{17f}"], false),
        ("i", "I", &["\u{130}", "\u{131}"], false),
        ("\u{b5}", "x", &["\u{39c}", "\u{3bc}"], false),
        ("ß", "x", &["\u{1e9e}"], true),
        ("å", "Å", &["\u{212b}"], true),
    ] {
        let statements = on_a_tag(&[
            ("StringEqualsIgnoreCase", json!(letter)),
            ("StringNotEqualsIgnoreCase", json!(letter)),
            ("StringEquals", json!([letter, upper])),
            ("StringLike", json!("?")),
        ]);
        let requests: Vec<&str> = [letter, upper, "y", "yy"]
            .into_iter()
            .chain(strange.iter().copied())
            .collect();
        let is_one = |text: &str, open: bool| {
            text == letter || (text == upper && upper != "x") || (open && strange.contains(&text))
        };
        let reading = |open: bool| -> Reading {
            let matched = |text: &&str| {
                let one = is_one(text, open);
                vec![
                    one,
                    !one,
                    *text == letter || *text == upper,
                    text.chars().count() == 1,
                ]
            };
            // And of what has no such tag.
            let absent = vec![false, true, false, false];
            requests.iter().map(matched).chain([absent]).collect()
        };
        let readings = [reading(evaluated), reading(!evaluated)];
        let [sure, others] = readings.each_ref().map(std::slice::from_ref);
        in_doubt += counts_of_verdicts(PolicyKind::Identity, &statements, sure, others, 0)[2];
    }
    assert!(in_doubt > 20, "{in_doubt}");
}

/// What an identity policy of these statements decides.
fn decision(statements: Value, resource: &str, context: Context) -> AccessDecision {
    let value = json!({"Version": "2012-10-17", "Statement": statements});
    let document = Document::from_value(&value, PolicyKind::Identity).unwrap();
    let layers = Layers {
        identity: &[&document],
        ..Layers::default()
    };
    let request = Request {
        action: "kms:Decrypt".to_owned(),
        resource: resource.to_owned(),
        principal: None,
        context,
    };
    evaluate(&layers, &request).decision
}

#[test]
fn what_is_not_defined_does_not_allow_and_does_deny() {
    let own = json!({"Effect": "Allow", "Action": "kms:*", "Resource": "arn:*:kms:*:${aws:PrincipalAccount}:key/*"});
    let mut not_own = own.clone();
    not_own["Effect"] = json!("Deny");
    let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let key = "arn:aws:kms:us-east-1:123456789012:key/k";
    let caller = |account: &str| Context::new().with("aws:PrincipalAccount", account);
    for (statements, account, expected) in [
        (json!([own]), "123456789012", AccessDecision::ImplicitDeny),
        (json!([own]), "999999999999", AccessDecision::ImplicitDeny),
        (
            json!([all, not_own]),
            "123456789012",
            AccessDecision::ExplicitDeny,
        ),
        (json!([all, not_own]), "999999999999", AccessDecision::Allowed),
        (json!([all, own]), "123456789012", AccessDecision::Allowed),
    ] {
        assert_eq!(
            decision(statements.clone(), key, caller(account)),
            expected,
            "{statements} {account}"
        );
    }
}

#[test]
fn a_condition_without_values_does_not_allow_and_does_deny() {
    let with = |effect: &str| json!({"Effect": effect, "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:username": []}}});
    let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let ask = |statements| decision(statements, "*", Context::new().with("aws:username", "bob"));
    assert_eq!(ask(json!([with("Allow")])), AccessDecision::ImplicitDeny);
    assert_eq!(ask(json!([all, with("Deny")])), AccessDecision::ExplicitDeny);
    assert_eq!(ask(json!([all, with("Allow")])), AccessDecision::Allowed);
}
