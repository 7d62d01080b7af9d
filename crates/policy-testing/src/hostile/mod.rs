//! Pairs of policies made to take long: what a tenant would send who wants to keep an admission webhook busy.

pub mod statements;
pub mod texts;

use deputy_policy::{Document, PolicyKind};
use serde_json::{Value, json};

/// A name, the candidate and the ceiling.
pub type HostilePair = (&'static str, Document, Document);

fn policy(statements: Value) -> Document {
    Document::from_value(
        &json!({"Version": "2012-10-17", "Statement": statements}),
        PolicyKind::Identity,
    )
    .unwrap()
}

fn allow(resource: Value) -> Value {
    json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource})
}

fn when(condition: Value) -> Value {
    json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": condition})
}

fn letters(n: usize, count: usize) -> impl Iterator<Item = char> {
    (0..count).map(move |i| char::from(b'a' + u8::try_from((i * 7 + n * 3) % 26).unwrap()))
}

/// `*a*b*c*…`, another order of letters for each number.
fn stars(n: usize, count: usize) -> String {
    letters(n, count).fold("*".to_owned(), |text, letter| format!("{text}{letter}*"))
}

/// All pairs.
pub fn pairs() -> Vec<HostilePair> {
    let arn = |rest: &str| format!("arn:aws:s3:::{rest}");
    let statements_of_stars = policy((0..64).map(|n| allow(json!(arn(&stars(n, 12))))).collect());
    let one = |rest: &str| policy(json!([allow(json!(arn(rest)))]));
    let list = |values: Vec<String>| policy(json!([allow(json!(values))]));
    let floating = policy((0..40).map(|n| allow(json!(arn(&format!("*{n}*"))))).collect());
    let actions: Vec<String> = (0..64).map(|n| format!("s3:{}", stars(n, 10))).collect();
    let of_actions = policy(
        actions
            .iter()
            .map(|action| json!({"Effect": "Allow", "Action": action, "Resource": "*"}))
            .collect(),
    );
    let question_marks = format!("*a{}", "?".repeat(60));
    let thousands: Vec<String> = (0..4000).map(|n| format!("value-{n}")).collect();
    let thousands_of_stars: Vec<String> = (0..2000).map(|n| format!("*{n}*")).collect();
    let many_keys: Vec<Value> = (0..30)
        .map(|n| when(json!({"StringLike": {"aws:PrincipalTag/a": format!("*{n}*"), format!("aws:PrincipalTag/k{n}"): "x*"}})))
        .collect();
    let sets: Vec<Value> = (0..12)
        .map(|n| {
            when(json!({"ForAnyValue:StringLike": {"aws:TagKeys": format!("*{}*", char::from(b'a' + n))}}))
        })
        .collect();
    let cross: Vec<Value> = (0..16)
        .map(|n| when(json!({"StringEquals": {format!("aws:PrincipalTag/k{n}"): "x", format!("aws:PrincipalTag/k{}", (n + 1) % 16): "y"}})))
        .collect();
    let denies: Vec<Value> = (0..60)
        .map(|n| json!({"Effect": "Deny", "Action": "s3:*", "Resource": arn(&format!("*{}*", stars(n, 4)))}))
        .chain([json!({"Effect": "Allow", "Action": "*", "Resource": "*"})])
        .collect();
    let long = "a*".repeat(5_000);
    let huge: Vec<String> = (0..1_000)
        .map(|n| {
            arn(&format!(
                "a-rather-long-name-of-a-bucket-{n}/with/a/long/path/below/it/*x"
            ))
        })
        .collect();
    let resource_policy = |first: usize| {
        let users: Vec<String> = (first..first + 2000)
            .map(|n| format!("arn:aws:iam::{:012}:user/u{n}", n % 7))
            .collect();
        let statement =
            json!({"Effect": "Allow", "Principal": {"AWS": users}, "Action": "s3:*", "Resource": "*"});
        let policy = json!({"Version": "2012-10-17", "Statement": statement});
        Document::from_value(&policy, PolicyKind::Resource).unwrap()
    };
    vec![
        (
            "2,000 users in 2,000 others",
            resource_policy(0),
            resource_policy(1000),
        ),
        (
            "64 statements of *a*b*c*… in 64 others",
            statements_of_stars.clone(),
            { policy((0..64).map(|n| allow(json!(arn(&stars(n, 13))))).collect()) },
        ),
        (
            "everything in 64 statements of *a*b*c*…",
            one("*"),
            statements_of_stars,
        ),
        ("one floating letter in 40 floating numbers", one("*a*"), floating),
        (
            "an action in 64 actions of *a*b*c*…",
            policy(json!([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}])),
            of_actions,
        ),
        (
            "a pattern of 10 kB in itself with a letter more",
            one(&long),
            one(&format!("{long}b")),
        ),
        (
            "a pattern of 10 kB in two halves",
            one(&long),
            list(vec![arn(&format!("{long}a")), arn(&format!("{long}b"))]),
        ),
        ("60 question marks behind a star", one("*"), one(&question_marks)),
        (
            "60 question marks in a shorter one",
            one(&question_marks),
            one(&format!("*b{}", "?".repeat(59))),
        ),
        (
            "100 kB of resources in 100 kB of others",
            list(huge.clone()),
            list(huge.iter().map(|r| format!("{r}y")).collect()),
        ),
        (
            "100 kB of resources in themselves",
            list(huge.clone()),
            list(huge),
        ),
        (
            "4,000 values in 3,999 of them",
            policy(json!([when(json!({"StringEquals": {"s3:prefix": thousands}}))])),
            policy(json!([when(
                json!({"StringEquals": {"s3:prefix": thousands[1..]}})
            )])),
        ),
        (
            "4,000 values in one pattern",
            policy(json!([when(json!({"StringEquals": {"s3:prefix": thousands}}))])),
            policy(json!([when(json!({"StringLike": {"s3:prefix": "value-*"}}))])),
        ),
        (
            "2,000 floating values in 1,999 of them",
            policy(json!([when(
                json!({"StringLike": {"s3:prefix": thousands_of_stars}})
            )])),
            policy(json!([when(
                json!({"StringLike": {"s3:prefix": thousands_of_stars[1..]}})
            )])),
        ),
        (
            "30 floating values, each with a key of its own",
            policy(json!([when(json!({}))])),
            policy(json!(many_keys)),
        ),
        (
            "lists of 12 sorts of values",
            policy(json!([when(
                json!({"ForAllValues:StringLike": {"aws:TagKeys": "*z*"}})
            )])),
            policy(json!(sets)),
        ),
        (
            "a ring of 16 keys",
            policy(json!([when(json!({}))])),
            policy(json!(cross)),
        ),
        (
            "everything but 60 floating Denys",
            one("*"),
            policy(json!(denies)),
        ),
    ]
}
