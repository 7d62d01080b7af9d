//! Texts, patterns and values: those of policies, those of requests, and what is next to them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    keys::{GeneratedKey, Theory, theory_of},
    model::ConditionDraft,
};
use crate::choices::Choices;

/// Letters of names and values: few, one of them in both cases.
pub const LETTERS: &[char] = &['a', 'b', 'A'];
/// Letters of resource parts.
pub const PATH: &[char] = &['a', 'b', '/', ':'];

/// A run of letters.
pub fn word(c: &mut Choices<'_>, letters: &[char], low: usize, high: usize) -> String {
    let length = c.between(low, high);
    (0..length).map(|_| *c.pick(letters)).collect()
}

/// Letters with wildcards among them.
pub fn pattern(c: &mut Choices<'_>, letters: &[char], low: usize, high: usize) -> String {
    let length = c.between(low, high);
    (0..length)
        .map(|_| match c.below(8) {
            0..=4 => *c.pick(letters),
            5 | 6 => '*',
            _ => '?',
        })
        .collect()
}

/// Texts of no type, of one and of several: `4` is a number and a date (four seconds after 1970), `2020` a number, a date
/// and base64, `true` a truth value and base64.
pub const MIXED: &[&str] = &[
    "zz",
    "4",
    "5",
    "4.5",
    "",
    "1577836800",
    "2020-01-01",
    "2020",
    "10.0.0.1",
    "11.0.0.0",
    "::1",
    "arn:aws:s3:::a",
    "arn:aws:s3:::b",
    "true",
    "YQ==",
    "-1",
    "4a",
];
/// Patterns for them.
const MIXED_PATTERNS: &[&str] = &["4*", "*", "zz", "?", "arn:*", "2*", "*.*", "10.0.0.?", "*a"];

const VARIABLES: &[&str] = &[
    "${aws:username}",
    "${aws:PrincipalTag/a}",
    "${aws:username, 'a'}",
    "${AWS:UserName}",
    "${aws:RequestTag/w}",
    "${*}",
    "${?}",
];

/// A variable, or a letter that stands for itself.
pub fn variable(c: &mut Choices<'_>) -> &'static str {
    c.pick::<&str>(VARIABLES)
}

const ARN_VALUES: &[&str] = &[
    "arn:aws:s3:::a",
    "arn:aws:s3:::b",
    "arn:aws:sns:r:1:a",
    "arn:aws:sns:r:1:a:b",
];
const ARN_PATTERNS: &[&str] = &[
    "arn:aws:s3:::a",
    "arn:aws:s3:::*",
    "arn:aws:sns:*:1:a",
    "arn:aws:*:r:?:a*",
    "arn:aws:s*:*:*:*",
    "arn:*:*:*:*:?",
    "arn:aws:s3:::${aws:username}",
    "*",
    "arn:aws:sns:r:${aws:RequestTag/w}:a",
];
const DATES: &[&str] = &[
    "2020-01-01",
    "2020-01",
    "2020-01-01T00:00:00Z",
    "1577836800",
    "2020-01-01T00:00:01Z",
    "2019-12-31T23:59:59Z",
    "2020-01-01T01:00:00+01:00",
    "2020-01-02",
    "2020-03-01T00:00:00.5Z",
    "-1",
];
const NUMBERS: &[&str] = &["1", "2", "3", "0", "2.0", "1.5", "-1", "02", "1.50", "10"];
const RANGES: &[&str] = &[
    "10.0.0.0/8",
    "10.0.0.1",
    "10.0.0.0/9",
    "10.128.0.0/9",
    "10.0.0.0/31",
    "10.0.0.1/32",
    "0.0.0.0/0",
    "2001:db8::/32",
    "2001:db8::1",
    "::/0",
];
const BYTES: &[&str] = &["YQ==", "YWI=", "YWJj", ""];

/// The tests that a key of this theory is written with.
pub fn tests(theory: Theory) -> &'static [&'static str] {
    match theory {
        Theory::Text => &[
            "StringEquals",
            "StringLike",
            "StringNotEquals",
            "StringNotLike",
            "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase",
        ],
        Theory::Number => &[
            "NumericEquals",
            "NumericLessThan",
            "NumericLessThanEquals",
            "NumericGreaterThan",
            "NumericGreaterThanEquals",
            "NumericNotEquals",
        ],
        Theory::Date => &[
            "DateEquals",
            "DateLessThan",
            "DateLessThanEquals",
            "DateGreaterThan",
            "DateGreaterThanEquals",
            "DateNotEquals",
        ],
        Theory::Bool => &["Bool"],
        Theory::Address => &["IpAddress", "NotIpAddress"],
        Theory::Arn => &["ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals"],
        Theory::Binary => &["BinaryEquals"],
        Theory::Mixed => &[
            "NumericNotEquals",
            "NumericEquals",
            "NumericLessThan",
            "NumericGreaterThanEquals",
            "DateNotEquals",
            "DateEquals",
            "DateLessThan",
            "DateGreaterThanEquals",
            "NotIpAddress",
            "IpAddress",
            "ArnNotLike",
            "ArnLike",
            "ArnNotEquals",
            "StringEquals",
            "StringNotEquals",
            "StringLike",
            "StringNotLike",
            "StringEqualsIgnoreCase",
            "Bool",
            "BinaryEquals",
        ],
    }
}

/// A value for a condition with this test on a key.
pub fn condition_value(c: &mut Choices<'_>, test: &str, key: &GeneratedKey) -> String {
    let theory = theory_of(test);
    if key.theory == Theory::Mixed {
        // Values that several types share.
        match theory {
            Theory::Text if test.contains("Like") => return (*c.pick(MIXED_PATTERNS)).to_owned(),
            Theory::Text => return (*c.pick(MIXED)).to_owned(),
            Theory::Number => return (*c.pick(&["5", "4", "1577836800", "2020", "4.5"])).to_owned(),
            Theory::Date => return (*c.pick(&["2020-01-01", "1577836800", "4", "2020-01"])).to_owned(),
            _ => {}
        }
    }
    if theory == Theory::Text && key.theory != Theory::Text {
        return request_value(c, key.theory);
    }
    match theory {
        Theory::Text if c.chance(1, 10) => format!("{}{}", word(c, LETTERS, 0, 1), variable(c)),
        Theory::Text if test.contains("Like") => pattern(c, LETTERS, 0, 3),
        Theory::Text => word(c, LETTERS, 0, 2),
        Theory::Number => (*c.pick(NUMBERS)).to_owned(),
        Theory::Date => (*c.pick(DATES)).to_owned(),
        Theory::Bool => (*c.pick(&["true", "false", "True"])).to_owned(),
        Theory::Address => (*c.pick(RANGES)).to_owned(),
        Theory::Arn => (*c.pick(ARN_PATTERNS)).to_owned(),
        Theory::Binary => (*c.pick(BYTES)).to_owned(),
        Theory::Mixed => (*c.pick(MIXED)).to_owned(),
    }
}

/// A value that a request may have: of the key's type, when the key has one.
pub fn request_value(c: &mut Choices<'_>, theory: Theory) -> String {
    match theory {
        Theory::Text => word(c, LETTERS, 0, 3),
        Theory::Number => (*c.pick(NUMBERS)).to_owned(),
        Theory::Date => (*c.pick(DATES)).to_owned(),
        Theory::Bool => (*c.pick(&["true", "false"])).to_owned(),
        Theory::Address => (*c.pick(&[
            "10.0.0.1",
            "10.128.0.0",
            "10.0.0.2",
            "11.0.0.0",
            "2001:db8::1",
            "::1",
        ]))
        .to_owned(),
        Theory::Arn => (*c.pick(ARN_VALUES)).to_owned(),
        Theory::Binary => (*c.pick(BYTES)).to_owned(),
        Theory::Mixed => (*c.pick(MIXED)).to_owned(),
    }
}

/// A text that a pattern matches, unless a variable has no value; variables take theirs from `value_of`.
pub fn instance(
    c: &mut Choices<'_>,
    pattern: &str,
    letters: &[char],
    wildcards: bool,
    variables: bool,
    value_of: &dyn Fn(&str) -> Option<String>,
) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        if variables
            && let Some((inside, after)) = rest.strip_prefix("${").and_then(|rest| rest.split_once('}'))
        {
            if matches!(inside, "*" | "?" | "$") {
                out.push_str(inside);
            } else {
                let (name, default) = inside.split_once(',').unwrap_or((inside, "a"));
                let default = default.trim().trim_matches('\'').to_owned();
                out.push_str(&value_of(name).unwrap_or(default));
            }
            rest = after;
            continue;
        }
        match letter {
            '*' if wildcards => out.push_str(&word(c, letters, 0, 2)),
            '?' if wildcards => out.push(*c.pick(letters)),
            letter => out.push(letter),
        }
        rest = &rest[letter.len_utf8()..];
    }
    out
}

/// The text with one letter put in, taken out or exchanged.
pub fn edited(c: &mut Choices<'_>, text: &str, letters: &[char]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let at = c.below(chars.len() + 1);
    match c.below(3) {
        0 if at < chars.len() => drop(chars.remove(at)),
        1 if at < chars.len() => chars[at] = *c.pick(letters),
        _ => chars.insert(at, *c.pick(letters)),
    }
    chars.into_iter().collect()
}

/// A value that satisfies the condition, if it is easy to find; `None` asks for an absent key.
pub fn satisfying(
    c: &mut Choices<'_>,
    condition: &ConditionDraft,
    key: &GeneratedKey,
    value_of: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    if condition.values.is_empty() {
        return Some(request_value(c, key.theory));
    }
    let value = c.pick(&condition.values).clone();
    if condition.test == "Null" {
        return (value != "true").then(|| request_value(c, key.theory));
    }
    if condition.is_negated() {
        return if c.chance(1, 4) {
            None
        } else {
            Some(request_value(c, key.theory))
        };
    }
    Some(match theory_of(condition.test) {
        Theory::Text => instance(
            c,
            &value,
            LETTERS,
            condition.test.contains("Like"),
            true,
            value_of,
        ),
        Theory::Arn => instance(c, &value, &['a', 'r', '1'], true, true, value_of),
        Theory::Number | Theory::Date => {
            let steps = if condition.test.contains("Less") {
                -1
            } else {
                i64::from(condition.test.contains("Greater"))
            };
            if condition.test.ends_with("ThanEquals") && c.chance(1, 2) {
                value
            } else {
                stepped(&value, theory_of(condition.test), steps)
            }
        }
        Theory::Address => address_at(&value, c.below(2) == 0),
        _ => value,
    })
}

/// The number or date a step up or down; whole numbers step by one half.
fn stepped(value: &str, theory: Theory, steps: i64) -> String {
    if steps == 0 {
        return value.to_owned();
    }
    if theory == Theory::Number {
        let halves = (value.parse::<f64>().unwrap_or(0.0) * 2.0).round();
        return format!("{}", (halves + steps as f64) / 2.0);
    }
    let seconds = match value {
        "2020-01-02" => 1_577_923_200,
        "2020-01-01T00:00:01Z" => 1_577_836_801,
        "2019-12-31T23:59:59Z" => 1_577_836_799,
        "2020-03-01T00:00:00.5Z" => 1_583_020_800,
        "-1" => -1,
        _ => 1_577_836_800,
    };
    (seconds + steps).to_string()
}

/// The first or the last address of a range.
fn address_at(range: &str, first: bool) -> String {
    bounds(range).map_or_else(
        || range.to_owned(),
        |(low, high, v6)| address(if first { low } else { high }, v6),
    )
}

fn bounds(range: &str) -> Option<(u128, u128, bool)> {
    let (network, prefix) = range.split_once('/').unwrap_or((range, "128"));
    let (bits, width, v6) = match network.parse().ok()? {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32, false),
        IpAddr::V6(v6) => (v6.to_bits(), 128, true),
    };
    let host = width - prefix.parse::<u32>().ok()?.min(width);
    let mask = if host == 128 { u128::MAX } else { (1 << host) - 1 };
    Some((bits & !mask, bits | mask, v6))
}

fn address(bits: u128, v6: bool) -> String {
    if v6 {
        Ipv6Addr::from_bits(bits).to_string()
    } else {
        Ipv4Addr::from_bits(u32::try_from(bits & 0xffff_ffff).unwrap_or(0)).to_string()
    }
}

/// Values next to the edge of what a condition value accepts.
pub fn edges(value: &str, theory: Theory) -> Vec<String> {
    match theory {
        Theory::Number | Theory::Date => (-1..=1).map(|steps| stepped(value, theory, steps)).collect(),
        Theory::Bool => vec!["true".to_owned(), "false".to_owned()],
        Theory::Address => bounds(value).map_or_else(Vec::new, |(low, high, v6)| {
            vec![
                address(low, v6),
                address(high, v6),
                address(low.wrapping_sub(1), v6),
                address(high.wrapping_add(1), v6),
            ]
        }),
        Theory::Mixed => MIXED.iter().map(|text| (*text).to_owned()).collect(),
        Theory::Text | Theory::Arn | Theory::Binary => Vec::new(),
    }
}

/// The request value with one edit.
pub fn edited_value(c: &mut Choices<'_>, value: &str, theory: Theory) -> String {
    match theory {
        Theory::Text => edited(c, value, LETTERS),
        Theory::Number | Theory::Date | Theory::Address => {
            let edges = edges(value, theory);
            if edges.is_empty() {
                value.to_owned()
            } else {
                c.pick(&edges).clone()
            }
        }
        _ => request_value(c, theory),
    }
}
