//! What the batch forms of `contains`, `evaluate` and `lint` have in common: every line is answered, whatever is in it.

use serde_json::Value;

use crate::run::{Done, deputy_on};

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

/// Each command, the member that says how a line went, and its value for a good and a bad line.
const COMMANDS: [(&str, &str, &str, &str); 3] = [
    ("contains", "verdict", "\"contained\"", "\"invalid\""),
    ("evaluate", "decision", "\"allowed\"", "\"invalid\""),
    ("lint", "valid", "true", "false"),
];

/// The members of a good line.
fn good(command: &str) -> String {
    match command {
        "contains" => format!(r#""candidate":{POLICY},"ceiling":{POLICY}"#),
        "evaluate" => {
            format!(r#""request":{{"action":"s3:GetObject","resource":"*"}},"identity":[{POLICY}]"#)
        }
        _ => format!(r#""policy":{POLICY}"#),
    }
}

/// The lines that come back.
fn answers(command: &str, input: impl Into<Vec<u8>>) -> Vec<String> {
    let Done { code, out, err } = deputy_on(&["policy", command, "--batch", "-"], input.into());
    assert_eq!((code, err.as_str()), (0, ""), "{command}");
    out.lines().map(str::to_owned).collect()
}

fn value(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))
}

fn reason(line: &str) -> String {
    value(line)["reason"].as_str().unwrap_or_default().to_owned()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_line_that_cannot_be_read_is_answered_and_the_next_one_is_read() {
    let utf16: Vec<u8> = "{\"id\": 1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let deep = |deep: usize| format!("{{\"id\":7,\"x\":{}{}}}", "[".repeat(deep), "]".repeat(deep));
    // What is in the line, its id, and what is said.
    let cases: Vec<(Vec<u8>, &str, &str)> = vec![
        (
            b"{\"id\":7,\"x\":\"\xE9\"}".to_vec(),
            "7",
            "it is not UTF-8: the byte 0xE9 at offset 13",
        ),
        (
            b"\xFF\xFF\xFF".to_vec(),
            "null",
            "it is not UTF-8: the byte 0xFF at offset 0",
        ),
        (
            b"\xEF\xBB\xBF{\"id\":7}".to_vec(),
            "7",
            "it begins with a byte order mark (U+FEFF)",
        ),
        (utf16.clone(), "null", "it is UTF-16"),
        (
            [b"\xFF\xFE".to_vec(), utf16].concat(),
            "null",
            "it is UTF-16 (little endian)",
        ),
        (b"garbage".to_vec(), "null", "the line is not JSON: "),
        (b"\0".to_vec(), "null", "the line is not JSON: "),
        (b"{\"id\":7,\"\0".to_vec(), "7", "the line is not JSON: "),
        ("\u{a0}".into(), "null", "the line is not JSON: "),
        (b"{}".to_vec(), "null", "is missing"),
        (
            b"[1,2,3,4]".to_vec(),
            "null",
            "the line is a list; an object is needed",
        ),
        (
            b"\"text\"".to_vec(),
            "null",
            "the line is text; an object is needed",
        ),
        (
            b"12".to_vec(),
            "null",
            "the line is a number; an object is needed",
        ),
        (
            b"true".to_vec(),
            "null",
            "the line is a boolean; an object is needed",
        ),
        (b"null".to_vec(), "null", "the line is null; an object is needed"),
        (
            b"{\"id\":7,\"x\":1,\"x\":2}".to_vec(),
            "7",
            "the line has the member \"x\" more than once",
        ),
        (
            b"{\"id\":1,\"id\":2}".to_vec(),
            "null",
            "the line has the member \"id\" more than once",
        ),
        (b"{\"id\":7".to_vec(), "null", "EOF while parsing an object"),
        (b"{\"id\":\"7\"".to_vec(), "\"7\"", "EOF while parsing an object"),
        (deep(200).into(), "7", ""),
        (deep(100_000).into(), "7", ""),
        ("[".repeat(100_000).into(), "null", ""),
        (
            format!("{{\"id\":{}1{}}}", "[".repeat(65), "]".repeat(65)).into(),
            "null",
            "id: nested more than 64 deep",
        ),
        (
            vec![b'x'; (1 << 20) + 1],
            "null",
            "the line has 1048577 bytes; at most 1048576 are read",
        ),
        (
            [
                b"{\"x\":\"".to_vec(),
                vec![b'x'; 3 << 20],
                b"\",\"id\":{\"a\":1.10}}".to_vec(),
            ]
            .concat(),
            "{\"a\":1.10}",
            "the line has 3145752 bytes; at most 1048576 are read",
        ),
    ];
    for (command, member, of_good, of_bad) in COMMANDS {
        let good = format!("{{\"id\":\"good\",{}}}", good(command));
        let mut input = Vec::new();
        for (bad, _, _) in &cases {
            input.extend([bad.as_slice(), good.as_bytes(), b""].join(&b'\n'));
        }
        let answers = answers(command, input);
        assert_eq!(
            answers.len(),
            2 * cases.len(),
            "{command}: an answer to each line"
        );
        for (pair, (bad, id, said)) in answers.chunks(2).zip(&cases) {
            let shown = String::from_utf8_lossy(&bad[..bad.len().min(60)]);
            assert_eq!(
                value(&pair[0])[member],
                value(of_bad),
                "{command}: {shown}: {}",
                pair[0]
            );
            assert!(
                pair[0].starts_with(&format!("{{\"id\":{id},")),
                "{command}: {shown}: {}",
                pair[0]
            );
            let reason = reason(&pair[0]);
            assert!(
                !reason.is_empty() && reason.contains(said),
                "{command}: {shown}: {reason}"
            );
            assert_eq!(
                value(&pair[1])[member],
                value(of_good),
                "{command} after {shown}: {}",
                pair[1]
            );
        }
    }
}

#[test]
fn a_line_of_the_largest_size_is_read_and_the_last_one_needs_no_end() {
    for (command, member, of_good, of_bad) in COMMANDS {
        let line = |bytes: usize| {
            let line = format!("{{\"id\":1,{}}}", good(command));
            let spaces = " ".repeat(bytes - line.len());
            line + &spaces
        };
        for (end, bytes, went) in [
            ("\n", 1 << 20, of_good),
            ("", 1 << 20, of_good),
            ("\r\n", (1 << 20) - 1, of_good),
            ("\n", (1 << 20) + 1, of_bad),
            ("", (1 << 20) + 1, of_bad),
        ] {
            let answers = answers(command, line(bytes) + end);
            assert_eq!(answers.len(), 1);
            assert_eq!(
                value(&answers[0])[member],
                value(went),
                "{command} {bytes} {end:?}"
            );
        }
    }
}

#[test]
fn lines_of_white_space_are_no_lines() {
    for (command, ..) in COMMANDS {
        let line = format!("{{{}}}", good(command));
        assert_eq!(
            answers(command, format!("\n \t\r\n{line}\n\n  {line}  \r\n\t")).len(),
            2
        );
        assert!(answers(command, "").is_empty());
    }
}

#[test]
fn an_id_comes_back_as_it_was_written() {
    let ids = [
        "12345678901234567890123",
        "1.10",
        "1e5",
        "-0",
        "\"a\"",
        r#""\u00e9\/ \"\ud83d\ude00""#,
        "null",
        "false",
        "[]",
        r#"{"b" : 1.0, "a": [ "\u0041" ]}"#,
    ];
    for (command, member, of_good, of_bad) in COMMANDS {
        let members = good(command);
        let good = ids.map(|id| format!("{{\"id\": {id} ,{members}}}"));
        // A member that is not known, one that is missing, one of another type, and no JSON at all.
        let unknown = ids.map(|id| format!("{{{members},\"colour\":\"red\",\"id\":{id}}}"));
        let missing = ids.map(|id| format!("{{\"id\":{id}}}"));
        let other =
            ids.map(|id| format!("{{\"id\":{id},\"request\":1,\"policy\":1,\"candidate\":1,\"ceiling\":1}}"));
        let broken = ids.map(|id| format!("{{\"id\":{id},{members},}}"));
        for (lines, went) in [
            (good, of_good),
            (unknown, of_bad),
            (missing, of_bad),
            (other, of_bad),
            (broken, of_bad),
        ] {
            let answers = answers(command, lines.join("\n"));
            assert_eq!(answers.len(), ids.len());
            for ((answer, id), line) in answers.iter().zip(ids).zip(lines) {
                assert!(
                    answer.starts_with(&format!("{{\"id\":{id},")),
                    "{command}: {line}: {answer}"
                );
                assert_eq!(value(answer)[member], value(went), "{command}: {line}: {answer}");
            }
        }
        let none = answers(command, format!("{{{members}}}"));
        assert!(none[0].starts_with("{\"id\":null,"), "{}", none[0]);
    }
}

/// What is said is in the words of JSON and of the contract, never in those of our types.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_wrong_is_said_in_the_words_of_the_contract() {
    let said = |command: &str, line: &str| reason(&answers(command, line)[0]);
    for (command, line, wanted) in [
        ("contains", "{\"ceiling\":{}}".to_owned(), "candidate is missing"),
        (
            "contains",
            format!("{{{},\"type\":1}}", good("contains")),
            "type is a number; text in quotes is needed",
        ),
        (
            "contains",
            format!("{{{},\"type\":\"user\"}}", good("contains")),
            "type: \"user\" is none of identity, session, boundary, resource, trust, scp, rcp",
        ),
        (
            "lint",
            format!("{{{},\"type\":\"IDENTITY\"}}", good("lint")),
            "type: \"IDENTITY\" is none of identity, session, boundary, resource, trust, scp, rcp",
        ),
        (
            "contains",
            format!("{{{},\"colour\":1}}", good("contains")),
            "\"colour\" is not known; there may be id, candidate, ceiling, type",
        ),
        (
            "lint",
            format!("{{{},\"colour\":1}}", good("lint")),
            "\"colour\" is not known; there may be id, policy, type",
        ),
        (
            "evaluate",
            format!("{{{},\"colour\":1}}", good("evaluate")),
            "\"colour\" is not known; there may be id, request, identity, boundaries, session, resourcePolicy, scps, rcps",
        ),
        (
            "evaluate",
            "{\"request\":[]}".to_owned(),
            "request is a list; an object is needed",
        ),
        (
            "evaluate",
            "{\"request\":{}}".to_owned(),
            "request.action is missing",
        ),
        (
            "evaluate",
            "{\"request\":{\"action\":{},\"resource\":\"*\"}}".to_owned(),
            "request.action is an object; text in quotes is needed",
        ),
        (
            "evaluate",
            "{\"request\":{\"action\":\"s3:ListBucket\",\"resource\":\"*\",\"colour\":1}}".to_owned(),
            "request.\"colour\" is not known; there may be action, resource, principal, resourceAccount, context",
        ),
        (
            "evaluate",
            "{\"request\":{\"action\":\"s3:ListBucket\",\"resource\":\"*\",\"context\":[]}}".to_owned(),
            "request.context is a list; an object is needed",
        ),
        (
            "evaluate",
            "{\"request\":{\"action\":\"s3:ListBucket\",\"resource\":\"*\",\"context\":{\"a:k\":{}}}}"
                .to_owned(),
            "request.context: \"a:k\" is an object; text, a boolean, a number or a list of those is needed",
        ),
        (
            "evaluate",
            "{\"request\":{\"action\":\"s3:ListBucket\",\"resource\":\"*\"},\"identity\":{}}".to_owned(),
            "identity is an object; a list is needed",
        ),
        (
            "evaluate",
            "{\"request\":{\"action\":\"s3:ListBucket\",\"resource\":\"*\"},\"scps\":[{}]}".to_owned(),
            "scps[0] is an object; a list is needed",
        ),
    ] {
        assert_eq!(said(command, &line), wanted, "{command}: {line}");
    }
    // Any value in any place: never a word of Rust.
    let values = [
        "null",
        "true",
        "1",
        "1.5",
        "\"x\"",
        "[]",
        "[1]",
        "[[]]",
        "[[1]]",
        "{}",
        "{\"a\":1}",
    ];
    let members = [
        "candidate",
        "ceiling",
        "type",
        "policy",
        "request",
        "identity",
        "boundaries",
        "session",
        "resourcePolicy",
        "scps",
        "rcps",
    ];
    for (command, ..) in COMMANDS {
        let good: serde_json::Map<String, Value> =
            serde_json::from_str(&format!("{{{}}}", good(command))).unwrap();
        let mut lines = Vec::new();
        for member in members {
            for value in values {
                let mut line = good.clone();
                line.insert(member.to_owned(), serde_json::from_str(value).unwrap());
                lines.push(Value::Object(line).to_string());
            }
        }
        let inner = ["action", "resource", "principal", "resourceAccount", "context"];
        for (member, value) in inner
            .iter()
            .flat_map(|member| values.map(|value| (member, value)))
        {
            lines.push(format!("{{\"request\":{{\"{member}\":{value}}}}}"));
        }
        for (line, answer) in lines.iter().zip(answers(command, lines.join("\n"))) {
            for word in [
                "struct",
                "sequence",
                "map",
                "tuple",
                "unit",
                "integer",
                "string \"",
                "RawValue",
                "line 1",
            ] {
                assert!(!reason(&answer).contains(word), "{command}: {line}: {answer}");
            }
        }
    }
}
