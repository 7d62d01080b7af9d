//! `deputy policy lint`, and the places that `contains` and `lint` point to.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::run::{Done, File, deputy};

/// In the dialect, and not what its author means.
const ODD: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b"},
    {
      "Effect": "Allow",
      "Action": "s3:GetObject",
      "Resource": ["arn:aws:s3:::b/*"],
      "Condition": {"StringEquals": {"aws:Referer": "home/*"}}
    }
  ]
}
"#;

fn refused() -> String {
    ODD.replace("[\"arn:aws:s3:::b/*\"]", "[\"s3:::b/*\"]")
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_warning_is_a_line_with_its_place() {
    let file = File::new("odd", ODD);
    let Done { code, out, err } = deputy(&["policy", "lint", file.path()], "");
    assert_eq!((code, err.as_str()), (1, ""));
    let wanted = format!(
        "{}:9:53: warning[wildcard-in-equals]: Statement[1].Condition.StringEquals.aws:Referer[0]: \
         the * of \"home/*\" is text; StringLike and StringNotLike have wildcards\n\
         237 characters as AWS counts them, 1 findings\n",
        file.path()
    );
    assert_eq!(out, wanted);
}

#[test]
fn a_refusal_is_a_line_with_its_place_and_what_to_write() {
    let file = File::new("refused", refused());
    let lint = deputy(&["policy", "lint", file.path()], "");
    let line = format!(
        "{}:8:20: error[short-arn]: Statement[1].Resource[0]: \"s3:::b/*\": an ARN has six parts, this one has fewer; \
         AWS fills the rest in, in a way that depends on the kind of policy; write arn:aws:s3:::b/*\n",
        file.path()
    );
    assert_eq!((lint.code, lint.out.as_str()), (2, ""));
    assert!(lint.err.ends_with(&line), "{}", lint.err);
    let contains = deputy(&["policy", "contains", file.path(), file.path()], "");
    assert_eq!(
        (contains.code, contains.err),
        (2, lint.err),
        "every command says it the same way"
    );
}

#[test]
fn findings_are_json_when_asked() {
    let file = File::new("json", ODD);
    let Done { code, out, .. } = deputy(&["policy", "lint", "--format", "json", file.path()], "");
    assert_eq!(code, 1);
    let start = ODD.find("\"home/*\"").unwrap();
    let finding = json!({
        "code": "wildcard-in-equals",
        "severity": "warning",
        "path": "Statement[1].Condition.StringEquals.aws:Referer[0]",
        "message": "the * of \"home/*\" is text; StringLike and StringNotLike have wildcards",
        "span": {"start": start, "end": start + 8, "line": 9, "column": 53},
    });
    assert_eq!(
        json_of(&out),
        json!({"valid": true, "size": 237, "findings": [finding]})
    );

    let file = File::new("json-refused", refused());
    let Done { code, out, err } = deputy(&["policy", "lint", "--format", "json", file.path()], "");
    assert_eq!((code, err.lines().count()), (2, 1));
    let answer = json_of(&out);
    assert_eq!((&answer["valid"], answer.get("size")), (&json!(false), None));
    assert_eq!(answer["findings"][0]["suggestion"], "arn:aws:s3:::b/*");
}

#[test]
fn a_batch_answers_every_line_in_order() {
    let lines = [
        json!({"id": "a", "policy": json_of(ODD)}).to_string(),
        json!({"id": "b", "policy": json_of(&refused())}).to_string(),
        format!(r#"{{"id":"c","type":"boundary","policy":{}}}"#, r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:CreateRole","Resource":"*"}}"#),
        r#"{"id":"d","type":"rcp","policy":{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}}}"#.to_owned(),
        r#"{"id":"e","policy":{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}}"#.to_owned(),
        r#"{"id":"f"}"#.to_owned(),
        "nonsense".to_owned(),
    ];
    let Done { code, out, err } = deputy(&["policy", "lint", "--batch", "-"], &(lines.join("\n") + "\n"));
    assert_eq!((code, err.as_str()), (0, ""));
    let answers: Vec<Value> = out.lines().map(json_of).collect();
    let codes = |answer: &Value| -> Vec<String> {
        let findings = answer["findings"].as_array().unwrap();
        findings
            .iter()
            .map(|f| f["code"].as_str().unwrap().to_owned())
            .collect()
    };
    let shown: Vec<_> = answers
        .iter()
        .map(|a| (a["id"].clone(), a["valid"].as_bool().unwrap(), codes(a)))
        .collect();
    let wanted = [
        ("a".into(), true, vec!["wildcard-in-equals".to_owned()]),
        ("b".into(), false, vec!["short-arn".to_owned()]),
        ("c".into(), true, vec!["escalation".to_owned()]),
        ("d".into(), true, vec![]),
        (
            "e".into(),
            false,
            vec!["duplicate-key".to_owned(), "empty-element".to_owned()],
        ),
        ("f".into(), false, vec![]),
        (Value::Null, false, vec![]),
    ];
    assert_eq!(shown, wanted);
    let reasons: Vec<&Value> = answers[5..].iter().map(|a| &a["reason"]).collect();
    assert_eq!(
        reasons,
        [
            "policy is missing",
            "the line is not JSON: expected ident at column 2"
        ]
    );
}

#[test]
fn an_excess_points_at_the_statement_that_allows_it() {
    let (odd, narrow) = (
        File::new("points", ODD),
        File::new(
            "narrow",
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}}"#,
        ),
    );
    let Done { code, out, .. } = deputy(&["policy", "contains", odd.path(), narrow.path()], "");
    assert_eq!(code, 1);
    assert!(
        out.ends_with(&format!("\nallowed by {}:5:5: Statement[1]\n", odd.path())),
        "{out}"
    );
}

#[test]
fn a_boundary_and_session_policies_cap_the_candidate() {
    let wide = File::new(
        "wide2",
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#,
    );
    let get = File::new(
        "get3",
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}"#,
    );
    let put = File::new(
        "put3",
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}}"#,
    );
    let code = |more: &[&str]| {
        deputy(
            &[&["policy", "contains", wide.path(), get.path()], more].concat(),
            "",
        )
        .code
    };
    assert_eq!(code(&[]), 1);
    assert_eq!(code(&["--boundary", get.path()]), 0);
    assert_eq!(code(&["--session", get.path()]), 0);
    assert_eq!(
        code(&["--session", get.path(), "--session", put.path()]),
        1,
        "the session's policies are a union"
    );
    assert_eq!(
        code(&["--session", put.path(), "--boundary", get.path()]),
        0,
        "nothing is left"
    );
    assert_eq!(code(&["--type", "session", "--boundary", get.path()]), 2);
}

/// The members that docs/contracts.md lists below a table's head.
fn contract(head: &str) -> BTreeSet<String> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/contracts.md")).unwrap();
    let (_, table) = page.split_once(&format!("| {head} | meaning |\n")).unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.flat_map(|row| {
        let cell = row.split('|').nth(1).unwrap().to_owned();
        let names: Vec<String> = cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        names
    })
    .collect()
}

#[test]
fn the_answers_have_the_members_of_the_contract() {
    let members = |command: &str, lines: &[String]| -> BTreeSet<String> {
        let Done { out, .. } = deputy(&["policy", command, "--batch", "-"], &(lines.join("\n") + "\n"));
        out.lines()
            .flat_map(|line| {
                json_of(line)
                    .as_object()
                    .unwrap()
                    .keys()
                    .cloned()
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    let lint = [
        json!({"id": 1, "policy": json_of(ODD), "type": "identity"}).to_string(),
        "{".to_owned(),
    ];
    assert_eq!(members("lint", &lint), contract("`lint`, member out"));
    let everything =
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    let contains = [
        json!({"id": 1, "candidate": everything, "ceiling": json_of(ODD), "type": "session"}).to_string(),
        json!({"id": 1, "candidate": json_of(ODD), "ceiling": everything}).to_string(),
    ];
    assert_eq!(members("contains", &contains), contract("`contains`, member out"));
    // Nothing else is read.
    let mut more = json!({"id": 1, "policy": json_of(ODD), "type": "identity"});
    let read: BTreeSet<String> = more.as_object().unwrap().keys().cloned().collect();
    assert_eq!(read, contract("`lint`, member in"));
    more["colour"] = json!("red");
    let Done { out, .. } = deputy(&["policy", "lint", "--batch", "-"], &format!("{more}\n"));
    assert_eq!(json_of(&out)["valid"], json!(false));
}
