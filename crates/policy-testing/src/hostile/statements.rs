//! Pairs with many statements, conditions or principals that must be told apart: the worst that is known beside the patterns of
//! [`super`]. Sizes of AWS's quotas and ten times as large.

use deputy_policy::{Document, PolicyKind};
use serde_json::{Value, json};

/// A name, whether the candidate stays within the ceiling, the candidate and the ceiling.
pub type HostileStatements = (&'static str, bool, Document, Document);

fn document(kind: PolicyKind, statements: Vec<Value>) -> Document {
    Document::from_value(&json!({"Version": "2012-10-17", "Statement": statements}), kind).unwrap()
}

fn policy(statements: Vec<Value>) -> Document {
    document(PolicyKind::Identity, statements)
}

fn when(effect: &str, actions: &Value, condition: Value) -> Value {
    json!({"Effect": effect, "Action": actions, "Resource": "*", "Condition": condition})
}

fn each(count: usize, one: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..count).map(one).collect()
}

fn texts(count: usize, one: impl Fn(usize) -> String) -> Vec<String> {
    (0..count).map(one).collect()
}

/// One statement with all values, and a statement for each.
fn split(count: usize, operator: &str, key: &str, value: impl Fn(usize) -> String) -> (Document, Document) {
    let all = json!("s3:*");
    let values = texts(count, &value);
    (
        policy(vec![when(
            "Allow",
            &json!("s3:GetObject"),
            json!({operator: {key: values}}),
        )]),
        policy(each(count, |n| {
            when("Allow", &all, json!({operator: {key: value(n)}}))
        })),
    )
}

fn by_principals(candidate: &[String], ceiling: &[String]) -> (Document, Document) {
    let statement = |names: &[String]| json!({"Effect": "Allow", "Principal": {"AWS": names}, "Action": "sts:AssumeRole"});
    let denied =
        |names: &[String]| json!({"Effect": "Deny", "Principal": {"AWS": names}, "Action": "sts:TagSession"});
    (
        document(PolicyKind::Trust, vec![statement(candidate)]),
        document(PolicyKind::Trust, vec![statement(ceiling), denied(candidate)]),
    )
}

/// All pairs.
pub fn pairs() -> Vec<HostileStatements> {
    let mut pairs: Vec<HostileStatements> = Vec::new();
    let mut add = |name, contained, (candidate, ceiling): (Document, Document)| {
        pairs.push((name, contained, candidate, ceiling));
    };
    let (arn, tag) = ("aws:SourceArn", "aws:PrincipalTag/t");
    add(
        "500 ARNs, a statement for each",
        true,
        split(500, "ArnLike", arn, |n| format!("arn:aws:s3:::b{n}")),
    );
    add(
        "500 ARNs with stars, a statement for each",
        true,
        split(500, "ArnLike", arn, |n| format!("arn:aws:s3:::b{n}-*")),
    );
    add(
        "60 ARNs with stars, a statement for each",
        true,
        split(60, "ArnLike", arn, |n| format!("arn:aws:s3:::b{n}-*")),
    );
    add(
        "500 values, a statement for each",
        true,
        split(500, "StringEquals", "s3:prefix", |n| format!("p{n}")),
    );
    add(
        "500 values without case, a statement for each",
        true,
        split(500, "StringEqualsIgnoreCase", "s3:prefix", |n| format!("p{n}")),
    );
    add(
        "60 values with stars, a statement for each",
        true,
        split(60, "StringLike", "s3:prefix", |n| format!("p{n}/*")),
    );
    add(
        "300 numbers, a statement for each",
        true,
        split(300, "NumericEquals", "s3:max-keys", |n| n.to_string()),
    );
    add(
        "300 dates, a statement for each",
        true,
        split(300, "DateEquals", "aws:CurrentTime", |n| {
            (1_700_000_000 + n).to_string()
        }),
    );
    add(
        "300 ranges, a statement for each",
        true,
        split(300, "IpAddress", "aws:SourceIp", |n| {
            format!("10.{}.{}.0/24", n / 250, n % 250)
        }),
    );
    add(
        "300 values of bytes, a statement for each",
        true,
        split(300, "BinaryEquals", tag, |n| {
            format!("{}A==", char::from(b'A' + u8::try_from(n % 26).unwrap()))
        }),
    );
    let lists = |n: usize| json!({"StringEquals": {"s3:prefix": texts(100, |i| format!("p{n}-{i}"))}});
    let all = texts(10_000, |i| format!("p{}-{}", i / 100, i % 100));
    add(
        "100 statements of 100 values",
        true,
        (
            policy(vec![when(
                "Allow",
                &json!("s3:GetObject"),
                json!({"StringEquals": {"s3:prefix": all}}),
            )]),
            policy(each(100, |n| when("Allow", &json!("s3:*"), lists(n)))),
        ),
    );
    let actions = json!(texts(50, |n| format!("s3:a{n}")));
    let bucket = |n: usize| format!("arn:aws:s3:::b{n}");
    add(
        "50 actions under 50 ARNs",
        true,
        (
            policy(vec![when(
                "Allow",
                &actions,
                json!({"ArnLike": {arn: texts(50, bucket)}}),
            )]),
            policy(each(50, |n| {
                when("Allow", &json!("s3:*"), json!({"ArnLike": {arn: bucket(n)}}))
            })),
        ),
    );
    let stars = |n: usize| format!("s3:*{}*", char::from(b'a' + u8::try_from(n % 26).unwrap()));
    add(
        "50 floating actions under 50 ARNs",
        true,
        (
            policy(vec![when(
                "Allow",
                &json!(texts(26, stars)),
                json!({"ArnLike": {arn: texts(50, bucket)}}),
            )]),
            policy(each(50, |n| {
                when("Allow", &json!("s3:*"), json!({"ArnLike": {arn: bucket(n)}}))
            })),
        ),
    );
    let statement = |n: usize| json!({"Effect": "Allow", "Action": "ec2:*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/env": format!("e{n}")}}});
    add(
        "60 actions, 5 resources and 10 values of a tag",
        true,
        (
            policy(vec![json!({
                "Effect": "Allow",
                "Action": texts(60, |n| format!("ec2:Action{n}")),
                "Resource": texts(5, |n| format!("arn:aws:ec2:*:*:kind{n}/*")),
                "Condition": {"StringEquals": {"aws:ResourceTag/env": texts(10, |n| format!("e{n}"))}},
            })]),
            policy(each(10, statement)),
        ),
    );
    let denied = |n: usize| {
        when(
            "Deny",
            &json!("s3:*"),
            json!({"ArnNotLike": {arn: texts(2, |i| bucket(n + i))}}),
        )
    };
    let mut denies = each(95, denied);
    denies.push(json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}));
    add(
        "95 Denys of the candidate, which leave nothing",
        true,
        (
            policy(denies),
            policy(each(95, |n| {
                when("Allow", &json!("s3:Get*"), json!({"ArnLike": {arn: bucket(n)}}))
            })),
        ),
    );
    let mixed = |n: usize| match n % 4 {
        0 => json!({"NumericNotEquals": {tag: n.to_string()}}),
        1 => json!({"NotIpAddress": {tag: format!("10.{n}.0.0/16")}}),
        2 => json!({"DateNotEquals": {tag: (1_700_000_000 + n).to_string()}}),
        _ => json!({"ArnNotLike": {tag: bucket(n)}}),
    };
    add(
        "values of four types on one key",
        false,
        (
            policy(vec![when(
                "Allow",
                &json!("s3:*"),
                json!({"Null": {tag: "false"}}),
            )]),
            policy(each(60, |n| when("Allow", &json!("s3:*"), mixed(n)))),
        ),
    );
    add(
        "lists of 40 values",
        false,
        (
            policy(vec![when(
                "Allow",
                &json!("s3:*"),
                json!({"ForAllValues:StringEquals": {"aws:TagKeys": texts(40, |n| format!("k{n}"))}}),
            )]),
            policy(each(40, |n| {
                when(
                    "Allow",
                    &json!("s3:*"),
                    json!({"ForAnyValue:StringEquals": {"aws:TagKeys": format!("k{n}")}}),
                )
            })),
        ),
    );
    let user = |n: usize| format!("arn:aws:iam::{:012}:user/u{n}", n % 7);
    let id = |n: usize| format!("AIDA{n:017}");
    let both = |from: usize, count: usize| -> Vec<String> {
        (from..from + count).flat_map(|n| [user(n), id(n)]).collect()
    };
    add(
        "10 users and 10 unique ids in themselves and a user more",
        true,
        by_principals(&both(0, 10), &both(0, 11)),
    );
    add(
        "100 users and 100 unique ids in others",
        false,
        by_principals(&both(0, 100), &both(50, 100)),
    );
    add("1,000 accounts in themselves and one more", true, {
        let account = |n: usize| format!("{n:012}");
        by_principals(&texts(1_000, account), &texts(1_001, account))
    });
    let owner = |n: usize| format!("arn:aws:iam::{n:012}:user/u{n}");
    add(
        "1,000 users of 1,000 accounts in themselves and one more",
        true,
        by_principals(&texts(1_000, owner), &texts(1_001, owner)),
    );
    let federated = |n: usize| {
        let rest = if n.is_multiple_of(2) {
            format!("iam::111111111111:user/u{n}")
        } else {
            format!("sts::111111111111:federated-user/f{n}")
        };
        format!("arn:aws:{rest}")
    };
    add(
        "1,000 users and 1,000 federated users",
        true,
        by_principals(&texts(2_000, federated), &texts(2_001, federated)),
    );
    let role = |n: usize| {
        let rest = if n.is_multiple_of(2) {
            format!("iam::111111111111:role/p{n}/r")
        } else {
            format!("sts::111111111111:assumed-role/r/s{n}")
        };
        format!("arn:aws:{rest}")
    };
    add(
        "500 paths and 500 sessions of a role",
        true,
        by_principals(&texts(1_000, role), &texts(1_001, role)),
    );
    let action = |n: usize| format!("s3:Action{n}");
    let plain = |action: Value| json!({"Effect": "Allow", "Action": action, "Resource": "*"});
    add(
        "3,000 actions in 1,000 statements of three",
        true,
        (
            policy(vec![plain(json!(texts(3_000, action)))]),
            policy(each(1_000, |n| plain(json!(texts(3, |i| action(3 * n + i)))))),
        ),
    );
    let resource = |n: usize| format!("arn:aws:s3:::b{n}/*");
    let on = |resource: Value| json!({"Effect": "Allow", "Action": "s3:*", "Resource": resource});
    add(
        "1,000 resources in 1,000 statements",
        true,
        (
            policy(vec![on(json!(texts(1_000, resource)))]),
            policy(each(1_000, |n| on(json!(resource(n))))),
        ),
    );
    let no = |resource: String| json!({"Effect": "Deny", "Action": "s3:*", "Resource": resource});
    add(
        "1,000 resources and 1,000 Denys of others",
        true,
        (
            policy(vec![on(json!(texts(1_000, resource)))]),
            policy(
                each(1_000, |n| no(format!("arn:aws:s3:::c{n}/*")))
                    .into_iter()
                    .chain([on(json!("*"))])
                    .collect(),
            ),
        ),
    );
    let conditions = |n: usize| {
        let keys = (0..30).map(|i| (format!("aws:PrincipalTag/k{i}"), json!(format!("v{}", n * i))));
        when(
            "Allow",
            &json!("s3:*"),
            json!({"StringEquals": keys.collect::<serde_json::Map<_, _>>()}),
        )
    };
    add(
        "100 statements of 30 conditions, the other way round",
        true,
        (
            policy(each(100, conditions)),
            policy(each(100, |n| conditions(99 - n))),
        ),
    );
    let names = |n: usize| format!("s{n}:Get*");
    add(
        "3,000 actions of 1,000 services, half of them under a condition",
        false,
        (
            policy(vec![plain(json!(texts(3_000, |n| format!(
                "s{}:Get{n}*",
                n % 1_000
            ))))]),
            policy(vec![
                plain(json!(texts(500, names))),
                when(
                    "Allow",
                    &json!(texts(1_000, names)),
                    json!({"StringEquals": {tag: "a"}}),
                ),
            ]),
        ),
    );
    let words = |from: u8| -> Vec<String> {
        let letters = (from..from + 24).map(char::from);
        letters.map(|c| format!("s3:*Obj{c}*Data*")).collect()
    };
    let but = |denied: Vec<String>| {
        let some = json!(["s3:Get*", "s3:Put*", "s3:List*", "s3:Create*", "s3:Delete*"]);
        policy(vec![
            plain(some),
            json!({"Effect": "Deny", "Action": denied, "Resource": "*"}),
        ])
    };
    add(
        "a Deny of 24 floating actions in one of 23 and all of the last",
        false,
        (
            but(words(b'a')),
            but([words(b'a'), vec!["s3:*ObjzData*".to_owned()]].concat()),
        ),
    );
    add(
        "a Deny of 25 floating actions in one of 24",
        true,
        (
            but([words(b'a'), vec!["s3:*Objz*".to_owned()]].concat()),
            but(words(b'a')),
        ),
    );
    pairs
}
