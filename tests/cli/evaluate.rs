//! `deputy policy evaluate`: its batch form is fixed, for tests from outside.

use serde_json::{Value, json};

use crate::run::{Done, File, deputy};

const BOB: &str = "arn:aws:iam::123456789012:user/bob";
const SESSION: &str = "arn:aws:sts::123456789012:assumed-role/app/s1";
const ROLE: &str = "arn:aws:iam::123456789012:role/app";

fn policy(statement: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

fn allow(action: &str) -> Value {
    policy(json!({"Effect": "Allow", "Action": action, "Resource": "*"}))
}

fn deny(action: &str) -> Value {
    policy(json!({"Effect": "Deny", "Action": action, "Resource": "*"}))
}

fn naming(arn: &str) -> Value {
    policy(json!({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "s3:*", "Resource": "*"}))
}

/// A question of Bob, with more members.
fn ask(more: Value) -> Value {
    let mut line = json!({"request": {"action": "s3:GetObject", "resource": "arn:aws:s3:::productionapp/a",
        "principal": BOB, "context": {}}});
    for (key, value) in more.as_object().unwrap() {
        match key.as_str() {
            "request" => line["request"]
                .as_object_mut()
                .unwrap()
                .extend(value.as_object().unwrap().clone()),
            key => line[key] = value.clone(),
        }
    }
    line
}

fn batch_with(flags: &[&str], lines: &[String]) -> Vec<Value> {
    let arguments = [&["policy", "evaluate", "--batch", "-"], flags].concat();
    let Done { code, out, err } = deputy(&arguments, &(lines.join("\n") + "\n"));
    assert_eq!((code, err.as_str()), (0, ""));
    let answers: Vec<Value> = out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(answers.len(), lines.len(), "one line out for one line in");
    answers
}

fn batch(lines: &[String]) -> Vec<Value> {
    batch_with(&[], lines)
}

fn decisions(questions: &[Value]) -> Vec<String> {
    let lines: Vec<String> = questions.iter().map(Value::to_string).collect();
    batch(&lines)
        .iter()
        .map(|a| a["decision"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_layer_of_the_batch_form_counts() {
    let rcp = policy(json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}));
    let rcp_full = policy(json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}));
    let (s3, ec2) = (allow("s3:*"), allow("ec2:*"));
    let cases = [
        (json!({}), "implicitDeny"),
        (json!({"identity": []}), "implicitDeny"),
        (json!({"identity": [ec2, s3]}), "allowed"),
        (json!({"identity": [s3, deny("s3:Get*")]}), "explicitDeny"),
        (json!({"identity": [s3], "boundaries": [s3]}), "allowed"),
        (json!({"identity": [s3], "boundaries": [s3, ec2]}), "implicitDeny"),
        (
            json!({"identity": [s3], "boundaries": [], "session": [], "scps": [], "rcps": []}),
            "allowed",
        ),
        (
            json!({"identity": [s3], "boundaries": null, "session": null, "scps": null, "rcps": null, "resourcePolicy": null}),
            "allowed",
        ),
        (json!({"identity": [s3], "session": [ec2]}), "implicitDeny"),
        (json!({"identity": [s3], "session": [ec2, s3]}), "allowed"),
        (
            json!({"identity": [s3], "session": [deny("s3:*")]}),
            "explicitDeny",
        ),
        (json!({"identity": [s3], "scps": [[s3], [ec2, s3]]}), "allowed"),
        (json!({"identity": [s3], "scps": [[s3], [ec2]]}), "implicitDeny"),
        (json!({"identity": [s3], "scps": [[s3], []]}), "implicitDeny"),
        (
            json!({"identity": [s3], "scps": [[s3], [s3, deny("*")]]}),
            "explicitDeny",
        ),
        (json!({"identity": [s3], "rcps": [[], [rcp_full]]}), "allowed"),
        (
            json!({"identity": [s3], "rcps": [[rcp_full], [rcp]]}),
            "explicitDeny",
        ),
        (json!({"resourcePolicy": naming(BOB)}), "allowed"),
        (
            json!({"resourcePolicy": naming(BOB), "boundaries": [ec2]}),
            "allowed",
        ),
        (json!({"resourcePolicy": naming("123456789012")}), "implicitDeny"),
        (
            json!({"resourcePolicy": naming("123456789012"), "identity": [s3]}),
            "allowed",
        ),
        (
            json!({"resourcePolicy": naming(ROLE), "request": {"principal": SESSION}}),
            "allowed",
        ),
        (
            json!({"resourcePolicy": naming(ROLE), "request": {"principal": SESSION}, "boundaries": [ec2]}),
            "implicitDeny",
        ),
        (
            json!({"identity": [s3], "request": {"resourceAccount": "999999999999"}}),
            "implicitDeny",
        ),
        (
            json!({"identity": [s3], "request": {"resourceAccount": "999999999999"}, "resourcePolicy": naming(BOB)}),
            "allowed",
        ),
        (
            json!({"resourcePolicy": naming("*"), "request": {"principal": "*"}}),
            "allowed",
        ),
        (
            json!({"request": {"principal": "arn:aws:iam::123456789012:root"}}),
            "allowed",
        ),
    ];
    let questions: Vec<Value> = cases.iter().map(|(more, _)| ask(more.clone())).collect();
    for ((case, expected), found) in cases.iter().zip(decisions(&questions)) {
        assert_eq!(&found, expected, "{case}");
    }
}

#[test]
fn the_policy_of_a_role_that_is_assumed_is_its_trust_policy() {
    let trust =
        |actions: Value| policy(json!({"Effect": "Allow", "Principal": {"AWS": BOB}, "Action": actions}));
    let assume = |trust: &Value, context: Value| {
        ask(json!({"resourcePolicy": trust,
            "request": {"action": "sts:AssumeRole", "resource": ROLE, "context": context}}))
    };
    let (plain, tags) = (
        trust(json!("sts:AssumeRole")),
        trust(json!(["sts:AssumeRole", "sts:TagSession"])),
    );
    let tagged = || json!({"aws:RequestTag/team": "x", "aws:TagKeys": ["team"]});
    let questions = [
        assume(&plain, json!({})),
        assume(&plain, tagged()),
        assume(&tags, tagged()),
        assume(&naming(BOB), json!({})),
        ask(json!({"identity": [allow("sts:*")], "request": {"action": "sts:AssumeRole", "resource": ROLE}})),
    ];
    assert_eq!(
        decisions(&questions),
        ["allowed", "implicitDeny", "allowed", "invalid", "implicitDeny"]
    );
    let refused = batch(&[questions[1].to_string()]).remove(0);
    assert_eq!(
        refused["reason"],
        "sts:TagSession: no statement of the trust policy allows it"
    );
}

#[test]
fn context_values_are_strings_booleans_numbers_and_lists() {
    let on = |operator: &str, value: &str, context: &str| {
        let document = policy(json!({"Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": {operator: {"a:k": value}}}));
        let mut line = ask(json!({"identity": [document]})).to_string();
        line = line.replace(r#""context":{}"#, &format!(r#""context":{{"a:k":{context}}}"#));
        batch(&[line]).remove(0)["decision"].as_str().unwrap().to_owned()
    };
    assert_eq!(on("StringEquals", "x", r#""x""#), "allowed");
    assert_eq!(on("StringEquals", "é\n", r#""\u00e9\n""#), "allowed");
    assert_eq!(on("Bool", "true", "true"), "allowed");
    assert_eq!(on("Bool", "true", "false"), "implicitDeny");
    assert_eq!(on("NumericEquals", "1.5", "1.50"), "allowed");
    assert_eq!(
        on("StringEquals", "1.50", "1.50"),
        "allowed",
        "the text of a number is kept"
    );
    assert_eq!(on("StringEquals", "012345678901", "\"012345678901\""), "allowed");
    assert_eq!(
        on("NumericLessThan", "123456789012345678", "123456789012345677"),
        "allowed"
    );
    assert_eq!(on("ForAllValues:StringEquals", "x", r#"["x", "x"]"#), "allowed");
    assert_eq!(on("ForAllValues:StringEquals", "x", "[]"), "allowed");
    assert_eq!(
        on("ForAnyValue:StringEquals", "true", r#"["x", true]"#),
        "allowed"
    );
    assert_eq!(on("StringEquals", "x", "[]"), "implicitDeny");
    for wrong in ["null", "{}", "[[]]", "[null]", r#"{"x": 1}"#] {
        assert_eq!(on("Null", "true", wrong), "invalid", "{wrong}");
    }
}

#[test]
fn what_is_not_understood_is_invalid_with_its_id_and_never_passed_over() {
    let line = |more: Value| ask(more).to_string();
    let full = || allow("*");
    let twice = r#"{"id":7,"request":{"action":"s3:GetObject","resource":"*","principal":"*","context":{"a:K":"1","A:k":"2"}},"identity":[]}"#;
    let old =
        json!({"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let lines = [
        line(json!({"id": 1, "colour": "red"})),
        line(json!({"id": 2, "identity": [full()], "request": {"colour": "red"}})),
        line(json!({"id": 3, "identity": [naming(BOB)]})),
        line(json!({"id": 4, "identity": [full()], "request": {"principal": "bob"}})),
        line(json!({"id": 5, "identity": [full()], "request": {"resourceAccount": "12"}})),
        line(json!({"id": 6, "identity": [old]})),
        twice.to_owned(),
        line(json!({"id": 8, "identity": [full()], "resourcePolicy": full()})),
        line(json!({"id": 9, "identity": [full()], "scps": [full()]})),
        line(json!({"id": 10, "identity": [full()], "rcps": [[full()]]})),
        line(json!({"id": 11, "identity": {}})),
        r#"{"id":12}"#.to_owned(),
        line(json!({"id": 13, "resourcePolicy": naming("*"), "request": {"principal": null}})),
    ];
    let answers = batch(&lines);
    for (i, answer) in answers.iter().enumerate() {
        assert_eq!(
            (&answer["decision"], &answer["id"]),
            (&json!("invalid"), &json!(i + 1))
        );
        assert!(
            answer["reason"].as_str().is_some_and(|r| !r.is_empty()),
            "{answer}"
        );
    }
    let lost = batch(&[
        "not json".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        r#"{"id":1,"id":2}"#.to_owned(),
    ]);
    for answer in lost {
        assert_eq!(
            (&answer["decision"], &answer["id"]),
            (&json!("invalid"), &Value::Null)
        );
    }
    let nested = format!(r#"{{"id":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(batch(&[nested])[0]["decision"], "invalid");
    assert_eq!(
        batch(&[line(json!({"identity": [full()]}))])[0]["id"],
        Value::Null,
        "no id"
    );
}

#[test]
fn duplicate_keys_of_a_policy_are_invalid() {
    let line = ask(json!({"identity": [allow("*")]})).to_string();
    let line = line.replacen(r#""Effect":"Allow""#, r#""Effect":"Deny","Effect":"Allow""#, 1);
    assert_eq!(batch(&[line])[0]["decision"], "invalid");
}

#[test]
fn reasons_name_the_statement_and_explanations_are_given_when_asked_for() {
    let question = ask(json!({"id": "x", "identity": [allow("ec2:*"), deny("s3:Get*")]})).to_string();
    let plain = batch(std::slice::from_ref(&question)).remove(0);
    assert_eq!(plain["reason"], "statement 0 of identity policy document 1");
    assert!(plain.get("explanation").is_none());
    let explained = batch_with(&["--explain"], &[question]).remove(0);
    assert_eq!(explained["reason"], plain["reason"]);
    let text = explained["explanation"].as_str().unwrap();
    assert!(
        text.contains("document 0 statement 0 does not allow: its actions do not match s3:GetObject"),
        "{text}"
    );
    assert!(text.contains("document 1 statement 0 denies"), "{text}");
}

#[test]
fn service_linked_roles_are_known_by_the_path_of_their_arn() {
    let role = "arn:aws:iam::123456789012:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX";
    let line = |principal: &str| {
        ask(json!({"identity": [allow("*")], "scps": [[deny("*")]], "request": {"principal": principal}}))
    };
    assert_eq!(decisions(&[line(role), line(ROLE)]), ["allowed", "explicitDeny"]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn files_are_evaluated_like_lines() {
    let file = |name: &str, document: &Value| File::new(name, document.to_string());
    let (s3, ec2) = (
        file("evaluate-s3", &allow("s3:*")),
        file("evaluate-ec2", &allow("ec2:*")),
    );
    let (bucket, trust) = (
        file("evaluate-bucket", &naming(BOB)),
        file(
            "evaluate-trust",
            &policy(json!({"Effect": "Allow", "Principal": {"AWS": BOB}, "Action": "sts:AssumeRole"})),
        ),
    );
    let both = format!("{},{}", s3.path(), ec2.path());
    let run = |more: &[&str]| {
        let base = ["policy", "evaluate", "--principal", BOB, "--action"];
        deputy(&[&base[..], more].concat(), "").code
    };
    let get = ["s3:GetObject", "--resource", "arn:aws:s3:::productionapp/a"];
    let get = |more: &[&str]| run(&[&get[..], more].concat());
    assert_eq!(get(&["--identity", s3.path()]), 0);
    assert_eq!(get(&["--identity", ec2.path()]), 1);
    assert_eq!(
        get(&["--resource-policy", bucket.path(), "--boundary", ec2.path()]),
        0
    );
    assert_eq!(
        get(&[
            "--identity",
            s3.path(),
            "--boundary",
            s3.path(),
            "--boundary",
            ec2.path()
        ]),
        1
    );
    assert_eq!(
        get(&["--identity", s3.path(), "--scps", &both, "--scps", s3.path()]),
        0
    );
    assert_eq!(
        get(&["--identity", s3.path(), "--scps", &both, "--scps", ec2.path()]),
        1
    );
    assert_eq!(
        get(&["--identity", s3.path(), "--resource-account", "999999999999"]),
        1
    );
    assert_eq!(get(&["--identity", s3.path(), "--resource-account", "x"]), 2);
    assert_eq!(get(&["--identity", bucket.path()]), 2);
    assert_eq!(
        run(&[
            "sts:AssumeRole",
            "--resource",
            ROLE,
            "--resource-policy",
            trust.path()
        ]),
        0
    );
    let Done { out, .. } = deputy(
        &[
            "policy",
            "evaluate",
            "--explain",
            "--principal",
            BOB,
            "--action",
            "s3:PutObject",
            "--resource",
            "*",
            "--identity",
            ec2.path(),
        ],
        "",
    );
    assert_eq!(
        out,
        "not allowed: no statement of the identity policy allows it\n  identity policy: is silent (must allow)\n    \
         document 0 statement 0 does not allow: its actions do not match s3:PutObject\n"
    );
}

#[test]
fn without_a_policy_nothing_is_evaluated() {
    let asked = [
        "policy",
        "evaluate",
        "--action",
        "s3:GetObject",
        "--resource",
        "*",
    ];
    for more in [&[][..], &["--principal", BOB]] {
        let Done { code, out, err } = deputy(&[&asked[..], more].concat(), "");
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(
            err.contains("there is no policy to evaluate: name one by --identity"),
            "{err}"
        );
    }
}
