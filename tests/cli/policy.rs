//! `deputy policy`: its batch forms are fixed, for tests from outside.

use serde_json::{Value, json};

use crate::run::{Done, File, deputy};

const GET: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::productionapp/*"}]}"#;
const ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::productionapp/*"}]}"#;

fn batch(command: &str, lines: &[String]) -> Vec<Value> {
    let Done { code, out, err } = deputy(&["policy", command, "--batch", "-"], &(lines.join("\n") + "\n"));
    assert_eq!((code, err.as_str()), (0, ""));
    let answers: Vec<Value> = out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(answers.len(), lines.len(), "one line out for one line in");
    answers
}

fn question(id: &str, candidate: &str, ceiling: &str) -> String {
    format!(r#"{{"id":"{id}","candidate":{candidate},"ceiling":{ceiling}}}"#)
}

#[test]
fn contains_answers_every_line_in_order() {
    let twice = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Effect":"Deny","Action":"s3:GetObject","Resource":"*"}]}"#;
    let lines = [
        question("a", GET, ALL),
        question("b", ALL, GET),
        question("c", twice, ALL),
        question("d", ALL, twice),
        r#"{"id":"e","candidate":1"#.to_owned(),
        // Without principals they are not trust policies.
        format!(r#"{{"id":"f","candidate":{GET},"ceiling":{ALL},"type":"trust"}}"#),
        format!(r#"{{"id":"g","candidate":{GET},"ceiling":{ALL},"colour":"red"}}"#),
        question("h", &GET.replace("2012-10-17", "2008-10-17"), ALL),
    ];
    let answers = batch("contains", &lines);
    let verdicts: Vec<_> = answers.iter().map(|a| a["verdict"].as_str().unwrap()).collect();
    assert_eq!(
        verdicts,
        [
            "contained",
            "exceeds",
            "invalid",
            "invalid",
            "invalid",
            "invalid",
            "invalid",
            "invalid"
        ]
    );
    let ids: Vec<_> = answers.iter().map(|a| a["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "b", "c", "d", "e", "f", "g", "h"]);
    assert!(
        answers
            .iter()
            .all(|a| a["reason"].as_str().is_some_and(|r| !r.is_empty()))
    );
}

#[test]
fn an_excess_has_a_witness_and_nothing_else_has() {
    let answers = batch("contains", &[question("a", GET, ALL), question("b", ALL, GET)]);
    assert!(answers[0].get("witness").is_none());
    let witness = &answers[1]["witness"];
    assert_eq!(witness["action"], "s3:PutObject");
    assert!(
        witness["resource"]
            .as_str()
            .unwrap()
            .starts_with("arn:aws:s3:::productionapp/")
    );
    assert_eq!(witness["context"], json!({}));
    let question = json!({"id": 1, "request": {"action": witness["action"], "resource": witness["resource"], "principal": "arn:aws:iam::123456789012:role/r", "context": witness["context"]}});
    let ask = |document: &str| {
        let mut line = question.clone();
        line["identity"] = json!([serde_json::from_str::<Value>(document).unwrap()]);
        batch("evaluate", &[line.to_string()])[0]["decision"].clone()
    };
    assert_eq!(
        (ask(ALL), ask(GET)),
        (json!("allowed"), json!("implicitDeny")),
        "the evaluator confirms it"
    );
}

#[test]
fn policies_with_principals_are_compared_by_type() {
    let trust = |who: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{who},"Action":"sts:AssumeRole"}}]}}"#
        )
    };
    let bucket = |who: &str| {
        trust(who).replace(
            r#""Action":"sts:AssumeRole""#,
            r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*""#,
        )
    };
    let (one, both) = (
        r#"{"AWS":"arn:aws:iam::123456789012:role/a"}"#,
        r#"{"AWS":["arn:aws:iam::123456789012:role/a","arn:aws:iam::123456789012:role/b"]}"#,
    );
    let ask = |kind: &str, candidate: &str, ceiling: &str| {
        format!(r#"{{"id":"{kind}","candidate":{candidate},"ceiling":{ceiling},"type":"{kind}"}}"#)
    };
    let lines = [
        ask("trust", &trust(one), &trust(both)),
        ask("trust", &trust(both), &trust(one)),
        ask("resource", &bucket(one), &bucket(both)),
        ask("resource", &bucket(both), &bucket(one)),
    ];
    let answers = batch("contains", &lines);
    let verdicts: Vec<_> = answers.iter().map(|a| a["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["contained", "exceeds", "contained", "exceeds"]);
    for answer in [&answers[1], &answers[3]] {
        let principal = answer["witness"]["principal"].as_str().unwrap();
        assert!(principal.contains("/b"), "{principal}");
    }
}

#[test]
fn a_key_given_twice_is_invalid_and_named() {
    let twice = r#"{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}"#;
    let answers = batch("contains", &[question("x", twice, ALL)]);
    assert_eq!(
        (&answers[0]["id"], &answers[0]["verdict"]),
        (&json!("x"), &json!("invalid"))
    );
    let reason = answers[0]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("candidate: ") && reason.contains("Version"),
        "{reason}"
    );
}

#[test]
fn the_exit_code_is_the_answer() {
    let (get, all, bad) = (
        File::new("get", GET),
        File::new("all", ALL),
        File::new("bad", "{"),
    );
    let code = |arguments: &[&str]| deputy(arguments, "").code;
    assert_eq!(code(&["policy", "contains", get.path(), all.path()]), 0);
    assert_eq!(code(&["policy", "contains", all.path(), get.path()]), 1);
    assert_eq!(code(&["policy", "contains", bad.path(), all.path()]), 2);
    assert_eq!(code(&["policy", "contains", "/nowhere", all.path()]), 2);
    assert_eq!(code(&["policy", "contains", get.path()]), 2);
    let evaluate = [
        "policy",
        "evaluate",
        "--identity",
        get.path(),
        "--resource",
        "arn:aws:s3:::productionapp/a",
        "--action",
    ];
    assert_eq!(code(&[&evaluate[..], &["s3:GetObject"]].concat()), 0);
    assert_eq!(code(&[&evaluate[..], &["s3:PutObject"]].concat()), 1);
    assert_eq!(code(&["policy", "lint", get.path()]), 0);
    assert_eq!(code(&["no-such-command"]), 2);
}

#[test]
fn the_answers_are_sentences() {
    let (get, all) = (File::new("get2", GET), File::new("all2", ALL));
    let out = |a: &str, b: &str| deputy(&["policy", "contains", a, b], "").out;
    assert_eq!(out(get.path(), all.path()), "contained\n");
    let exceeds = out(all.path(), get.path());
    assert!(
        exceeds.starts_with("exceeds: s3:PutObject on arn:aws:s3:::productionapp/"),
        "{exceeds}"
    );
}

#[test]
fn a_ceiling_that_reaches_iam_is_found() {
    let wide = File::new(
        "wide",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"}]}"#,
    );
    let Done { code, out, .. } = deputy(&["policy", "lint", "--type", "boundary", wide.path()], "");
    assert_eq!(code, 1);
    assert!(out.to_lowercase().contains("iam:createrole"), "{out}");
}

#[test]
fn a_policy_that_is_not_one_says_where() {
    let document = File::new(
        "number",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"aws:SourceAccount":123456789012}}}]}"#,
    );
    let Done { code, err, .. } = deputy(&["policy", "lint", document.path()], "");
    assert_eq!(code, 2);
    assert!(
        err.contains("Statement[0]") && err.contains("aws:SourceAccount"),
        "{err}"
    );
}
