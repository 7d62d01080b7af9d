//! `deputy explain session`: the examples of the IAM User Guide as scenarios, and the same as flags.

use std::{fs, path::Path};

use serde_json::Value;

use crate::run::{Done, File, deputy};

const SCENARIOS: &str = "tests/cli/sessions";
/// The examples, and whether all of it is allowed.
const EXAMPLES: &[(&str, i32)] = &[
    ("carol", 1),
    ("chained", 1),
    ("delete-object", 1),
    ("external-id", 1),
    ("manager", 1),
    ("saml", 0),
    ("stop-instances", 1),
    ("token-app", 1),
    ("update-app", 0),
    ("web-identity", 1),
];

fn explain(arguments: &[&str]) -> Done {
    deputy(&[&["explain", "session"], arguments].concat(), "")
}

fn root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Each scenario beside the answer that the guide gives.
#[test]
fn the_examples_of_the_user_guide_are_answered_as_it_says() {
    for (name, code) in EXAMPLES {
        let done = explain(&[&format!("{SCENARIOS}/{name}.yaml")]);
        assert_eq!((done.code, done.err.as_str()), (*code, ""), "{name}");
        let expected = fs::read_to_string(root(&format!("{SCENARIOS}/{name}.txt"))).unwrap();
        assert_eq!(done.out, expected, "{name}");
    }
    let scenarios = fs::read_dir(root(SCENARIOS)).unwrap().filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        path.extension().is_some_and(|extension| extension == "yaml")
    });
    assert_eq!(scenarios.count(), EXAMPLES.len(), "each is run");
}

#[test]
fn flags_ask_what_a_scenario_asks() {
    let carol = [
        "--way",
        "federation-token",
        "--caller",
        "arn:aws:iam::111122223333:user/token-app",
        "--policy",
        "tests/cli/sessions/token-app.json",
        "--name",
        "Carol",
        "--action",
        "s3:GetObject",
        "--resource",
        "arn:aws:s3:::productionapp/report",
    ];
    let without = explain(&carol);
    assert_eq!(without.code, 1, "{}", without.err);
    assert_eq!(
        without.out.lines().last().unwrap(),
        "s3:GetObject on arn:aws:s3:::productionapp/report: implicitDeny: a federated user without session policy has no \
         permissions but those of resource policies that name it"
    );
    let with = explain(&[&carol[..], &["--session-policy", "tests/cli/sessions/carol.json"]].concat());
    assert_eq!(with.code, 0, "{}{}", with.out, with.err);
    assert!(
        with.out.ends_with(" at tests/cli/sessions/token-app.json:5:5\n"),
        "{}",
        with.out
    );
}

#[test]
fn a_role_is_explained_with_all_that_flags_can_say() {
    let statement = |principal: &str, action: &str, condition: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{principal},"Action":{action}{condition}}}}}"#
        )
    };
    let trust = statement(
        r#"{"AWS":"AROAFIRSTROLEFIRST001"}"#,
        r#"["sts:AssumeRole","sts:TagSession"]"#,
        r#","Condition":{"StringEquals":{"sts:ExternalId":"x"}}"#,
    );
    let bucket = statement(
        r#"{"AWS":"AROASECONDROLESECOND1"}"#,
        r#""s3:GetObject","Resource":"*""#,
        "",
    );
    let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let (trust, bucket, all) = (
        File::new("trust.json", trust),
        File::new("bucket.json", bucket),
        File::new("all.json", all),
    );
    let chained = |more: &[&str]| {
        let arguments = [
            "--way=assume-role",
            "--caller=arn:aws:sts::111122223333:assumed-role/first/s1",
            "--caller-role=arn:aws:iam::111122223333:role/team/first",
            "--role=arn:aws:iam::111122223333:role/second",
            "--role-id=AROASECONDROLESECOND1",
            "--role-max-duration=43200",
            "--name=s2",
            "--passed=sts:ExternalId=x",
            "--passed=aws:RequestTag/team=a",
            "--action=s3:GetObject",
            "--resource=arn:aws:s3:::productionapp/report",
            "--resource-account=111122223333",
            "--context=aws:SecureTransport=true",
        ];
        let files = [
            "--trust",
            trust.path(),
            "--resource-policy",
            bucket.path(),
            "--caller-policy",
            all.path(),
            "--caller-boundary",
            all.path(),
            "--caller-session",
            all.path(),
            "--boundary",
            all.path(),
            "--scps",
            all.path(),
        ];
        explain(&[&arguments[..], &files[..], more].concat())
    };
    let known = chained(&["--caller-id=AROAFIRSTROLEFIRST001", "--duration=3600"]);
    assert_eq!((known.code, known.err.as_str()), (0, ""), "{}", known.out);
    let long = chained(&["--caller-id=AROAFIRSTROLEFIRST001", "--duration=3601"]);
    assert_eq!(long.code, 1);
    assert!(long.out.starts_with("session: none\n"), "{}", long.out);
    let anew = chained(&["--caller-id=AROAFIRSTROLEANEW0001"]);
    assert_eq!((anew.code, anew.err.as_str()), (1, ""), "{}", anew.out);
    let unknown = chained(&[]);
    assert_eq!(
        (unknown.code, unknown.out.as_str()),
        (2, ""),
        "no answer is not a yes"
    );
    assert!(unknown.err.contains("AROAFIRSTROLEFIRST001"), "{}", unknown.err);
    let explained = chained(&["--caller-id=AROAFIRSTROLEFIRST001", "--explain"]);
    assert!(explained.out.contains("sts:TagSession: "), "{}", explained.out);
}

#[test]
fn the_answer_as_json_has_decisions_and_places() {
    let done = explain(&["-o", "json", "tests/cli/sessions/carol.yaml"]);
    let answer: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(
        answer["session"],
        "arn:aws:sts::111122223333:federated-user/Carol"
    );
    assert_eq!(answer["start"]["action"], "sts:GetFederationToken");
    assert_eq!(answer["start"]["decision"], "allowed");
    assert_eq!(answer["start"]["at"], "tests/cli/sessions/carol.yaml:8:11");
    let decisions: Vec<_> = answer["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|request| request["decision"].as_str().unwrap())
        .collect();
    assert_eq!(decisions, ["allowed", "allowed", "implicitDeny"]);
    let none = explain(&["-o", "json", "tests/cli/sessions/chained.yaml"]);
    let none: Value = serde_json::from_str(&none.out).unwrap();
    assert_eq!(
        (none.get("session"), &none["requests"]),
        (None, &serde_json::json!([]))
    );
}

/// What is changed in the scenario of Carol, in which line something is wrong then, and what is said.
const WRONG: &[(&str, &str, usize, &str)] = &[
    (
        "way: federation-token",
        "way: federation",
        2,
        "there is no such way; there are assume-role",
    ),
    ("way: federation-token\n", "", 2, "it needs way"),
    (
        "session:\n",
        "sessions:\n",
        10,
        "sessions: there is no such field",
    ),
    (
        "  name: Carol",
        "  name: Carol\n  name: Dave",
        12,
        "session.name: the key is there more than once",
    ),
    ("  name: Carol", "  name: 12", 11, "session.name: text is needed"),
    (
        "  name: Carol",
        "  name: Carol\n  mfa: maybe",
        12,
        "session.mfa: true or false is needed",
    ),
    (
        "  name: Carol",
        "  name: Carol\n  duration: soon",
        12,
        "session.duration: a number of seconds",
    ),
    ("  name: Carol", "  name:", 11, "session.name: it is null"),
    (
        "  name: Carol",
        "  name: Carol\n  context: {x: y}",
        12,
        "a context key is prefix:name",
    ),
    (
        "user/token-app",
        "user/token app",
        4,
        "a principal has no white space",
    ),
    (
        "Effect: Allow, Action: \"s3:ListBucket\"",
        "Effect: Alow, Action: \"s3:ListBucket\"",
        9,
        "caller.policies[0].Statement[1].Effect",
    ),
    (
        "action: s3:GetObject",
        "action: s3:Get*",
        13,
        "a request asks for one action",
    ),
    (
        "way: federation-token",
        "way: federation-token\nrole: {arn: \"arn:aws:iam::111122223333:user/a\"}",
        3,
        "is no role",
    ),
    (
        "requests:",
        "requests: {}\nrest:",
        13,
        "rest: there is no such field",
    ),
    (
        "way: federation-token",
        "way: [",
        4,
        "neither a JSON nor a YAML document",
    ),
];

#[test]
fn what_is_wrong_with_a_scenario_is_said_with_file_and_line() {
    let whole = fs::read_to_string(root("tests/cli/sessions/carol.yaml")).unwrap();
    for (from, to, line, says) in WRONG {
        assert!(whole.contains(from), "{from}");
        let file = File::new("wrong.yaml", whole.replacen(from, to, 1));
        let done = explain(&[file.path()]);
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{to}");
        let place = format!("{}:{line}:", file.path());
        assert!(
            done.err.contains(&place) && done.err.contains(says),
            "{to}: {}",
            done.err
        );
    }
}

#[test]
fn what_does_not_fit_together_is_no_answer() {
    let user = "--caller=arn:aws:iam::111122223333:user/a";
    for (arguments, says) in [
        (
            &[
                "--way=saml",
                user,
                "--role=arn:aws:iam::111122223333:role/r",
                "--name=s1",
            ][..],
            "a SAML provider does",
        ),
        (&["--way=assume-role", user, "--name=s1"], "needs --role"),
        (&["--way=federation-token", user], "needs a name for the session"),
        (
            &["--way=session-token", user, "--trust=x.json"],
            "--trust is for the ways of roles",
        ),
        (
            &["--way=session-token", user, "--passed=x"],
            "KEY=VALUE is needed",
        ),
        (
            &["--way=session-token", user, "--passed=aws:username=b"],
            "the context has aws:username=b, but the caller has \"a\"",
        ),
        (
            &[
                "--way=assume-role",
                "--caller=arn:aws:sts::111122223333:assumed-role/r/s1",
                "--role=arn:aws:iam::111122223333:role/q",
                "--name=s1",
            ],
            "does not show the path of its role",
        ),
        (
            &[
                "--way=session-token",
                user,
                "--caller-role=arn:aws:iam::111122223333:role/r",
            ],
            "is not the role of",
        ),
        (
            &["--way=session-token", user, "--action=s3:GetObject"],
            "--resource",
        ),
        (&[], "<FILE>"),
    ] {
        let done = explain(arguments);
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{arguments:?}");
        assert!(done.err.contains(says), "{arguments:?}: {}", done.err);
    }
}

/// What the page on sessions tells people to type.
#[test]
fn the_commands_of_the_page_on_sessions_run() {
    let page = fs::read_to_string(root("docs/sessions.md")).unwrap();
    let commands: Vec<Vec<&str>> = page
        .lines()
        .filter_map(|line| line.strip_prefix("$ deputy explain session "))
        .map(|rest| rest.split_whitespace().collect())
        .collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    for command in commands {
        let done = explain(&command);
        assert!(done.code < 2 && done.err.is_empty(), "{command:?}: {}", done.err);
        for line in done.out.lines() {
            assert!(page.contains(line), "the page does not show {line:?}");
        }
    }
}
