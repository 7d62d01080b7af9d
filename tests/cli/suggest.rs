//! `deputy suggest`: what is proposed is as published, and it is contained in what there was.

use std::{fs, io::Write as _, path::Path};

use serde_json::Value;

use crate::run::{Done, File, deputy, deputy_on};

const EVENTS: &str = "tests/golden/suggest/events.json";
const EXAMPLE: [&str; 4] = ["-f", "examples/productionapp", "--cluster-name", "production-1"];

/// With a trail of all data events.
fn suggest(more: &[&str]) -> Done {
    sure(&[more, &["--data-events"]].concat())
}

fn sure(more: &[&str]) -> Done {
    deputy(&[&["suggest", "role"], more, &EXAMPLE].concat(), "")
}

fn is_golden(name: &str, out: &str) {
    let name = format!("tests/golden/suggest/{name}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1") {
        fs::write(&path, out).unwrap();
    }
    let is = fs::read_to_string(&path).unwrap_or_default();
    assert!(is == out, "{name} is out of date. Run: make generate\n{out}");
}

#[test]
fn a_narrower_role_is_proposed_and_the_engine_says_so_too() {
    let Done { code, out, err } = suggest(&["payments/uploader", "--events", EVENTS]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    is_golden("role.out.yaml", &out);
    // What the files can't show is said.
    assert!(
        out.contains("# Assumed, and not shown by the files: the trail has every data event"),
        "{out}"
    );
    // By the commands that people check with, which know nothing of the proposal.
    let file = File::new("narrower.yaml", &out);
    let contains = [
        "policy",
        "contains",
        file.path(),
        "examples/productionapp/10-platform.yaml",
    ];
    assert_eq!(deputy(&contains, "").code, 0);
    let diff = deputy(
        &["diff", "examples/productionapp/20-application.yaml", file.path()],
        "",
    );
    assert!(diff.out.contains("newly denied: s3:DeleteObject"), "{}", diff.out);
    let changed: Vec<&str> = diff
        .out
        .lines()
        .filter(|line| line.contains("newly allowed"))
        .collect();
    assert!(changed.is_empty(), "{changed:?}");
    // The rest of the object is what it was.
    let checked = deputy(
        &["check", "examples/productionapp/10-platform.yaml", file.path()],
        "",
    );
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
}

#[test]
fn every_form_of_the_events_says_the_same() {
    let text = fs::read_to_string(EVENTS).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let records = all["Records"].as_array().unwrap();
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    let looked_up: Vec<Value> = records
        .iter()
        .map(|record| serde_json::json!({"EventName": record["eventName"], "CloudTrailEvent": record.to_string()}))
        .collect();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    let expected = suggest(&["payments/uploader", "--events", EVENTS]).out;
    for input in [
        text.into_bytes(),
        lines.join("\n").into_bytes(),
        serde_json::json!({ "Events": looked_up })
            .to_string()
            .into_bytes(),
        packed.finish().unwrap(),
    ] {
        let arguments = [
            &[
                "suggest",
                "role",
                "payments/uploader",
                "--data-events",
                "--events",
                "-",
            ][..],
            &EXAMPLE,
        ]
        .concat();
        let Done { code, out, err } = deputy_on(&arguments, input);
        assert_eq!((code, out), (0, expected.clone()), "{err}");
    }
}

#[test]
fn the_answer_in_json_has_what_the_comments_say() {
    let Done { code, out, .. } = suggest(&["--events", EVENTS, "-o", "json"]);
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    let role = &answer["roles"][0];
    assert_eq!(role["role"], "AWSRole payments/uploader");
    assert_eq!(
        (&role["events"], &role["first"]),
        (&8.into(), &"2026-11-01T06:00:00Z".into())
    );
    assert_eq!(role["denied"][0], "DeleteObject of s3.amazonaws.com (1)");
    assert_eq!(role["object"]["kind"], "AWSRole");
    assert!(role["takenAway"].as_array().unwrap().len() >= 2);
    assert_eq!(role["kept"], Value::Array(Vec::new()));
    // By its ARN as well.
    let arn = role["roleARN"].as_str().unwrap();
    assert_eq!(suggest(&[arn, "--events", EVENTS, "-o", "json"]).out, out);
}

/// A trail has data events of what it was told to, so their lack says nothing.
#[test]
fn without_a_word_on_data_events_none_is_taken_away() {
    let Done { code, out, err } = sure(&["payments/uploader", "--events", EVENTS]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(
        err.contains("--data-events") && err.contains("s3:DeleteObject"),
        "{err}"
    );
}

#[test]
fn a_folder_of_events_says_the_same() {
    let folder = std::env::temp_dir().join(format!("deputy-suggest-{}", std::process::id()));
    fs::create_dir_all(folder.join("2026/11")).unwrap();
    fs::copy(EVENTS, folder.join("2026/11/events.json")).unwrap();
    let done = suggest(&["payments/uploader", "--events", folder.to_str().unwrap()]);
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(done.out, suggest(&["payments/uploader", "--events", EVENTS]).out);
}

#[test]
fn a_role_that_is_larger_than_aws_takes_is_not_proposed() {
    let text = fs::read_to_string(EVENTS).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let mut read = all["Records"][0].clone();
    read["eventName"] = "GetObject".into();
    read["resources"] = Value::Null;
    read["errorCode"] = Value::Null;
    let records: Vec<Value> = (0..12)
        .map(|i| {
            let mut one = read.clone();
            let key = format!("{i}{}", "x".repeat(900));
            one["requestParameters"] =
                serde_json::json!({"bucketName": format!("productionapp-{i}"), "key": key});
            one
        })
        .collect();
    let events = File::new("long.json", serde_json::json!({ "Records": records }).to_string());
    let wide = fs::read_to_string("examples/productionapp/20-application.yaml").unwrap();
    let wide = wide.replace("arn:aws:s3:::productionapp/*", "arn:aws:s3:::productionapp-*");
    let role = File::new("wide.yaml", &wide);
    let account = "examples/productionapp/10-platform.yaml";
    let arguments = [
        "suggest",
        "role",
        "payments/uploader",
        "--data-events",
        "--events",
        events.path(),
        "-f",
        account,
        "-f",
        role.path(),
        "--cluster-name",
        "production-1",
    ];
    let Done { code, out, err } = deputy(&arguments, "");
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("AWS takes 10240"), "{err}");
}

#[test]
fn without_events_of_the_role_nothing_is_proposed() {
    let none = File::new("none.json", "{\"Records\": []}");
    let Done { code, out, err } = suggest(&["payments/uploader", "--events", none.path()]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        err.contains("none is of a session of arn:aws:iam::123456789012:role/deputy/production-1/"),
        "{err}"
    );
}

#[test]
fn what_can_not_be_read_is_bad_input() {
    let nonsense = File::new("nonsense.json", "{\"a\": 1}");
    let packed = File::new("half.gz", [0x1F, 0x8B, 0x08, 0]);
    for (arguments, expected) in [
        (
            &["payments/uploader", "--events", nonsense.path()][..],
            "neither events of CloudTrail",
        ),
        (&["payments/uploader", "--events", packed.path()], "half.gz"),
        (&["payments/uploader", "--events", "no/such/file"], "no/such/file"),
        (
            &["payments/nobody", "--events", EVENTS],
            "there is no such AWSRole",
        ),
    ] {
        let Done { code, err, .. } = suggest(arguments);
        assert_eq!(code, 2, "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
    let without = [
        "suggest",
        "role",
        "--events",
        EVENTS,
        "-f",
        "examples/productionapp",
    ];
    let Done { code, err, .. } = deputy(&without, "");
    assert_eq!(code, 2);
    assert!(err.contains("--cluster-name"), "{err}");
}

#[test]
fn a_limit_is_proposed_that_holds_its_roles() {
    let Done { code, out, err } = deputy(&["suggest", "limit", "-f", "examples/productionapp"], "");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    is_golden("limit.out.yaml", &out);
    let limit = File::new("limit.yaml", &out);
    let role = "examples/productionapp/20-application.yaml";
    assert_eq!(deputy(&["policy", "contains", role, limit.path()], "").code, 0);
    // Of a policy by itself the objects do not say whose it is.
    let policy = File::new(
        "bare.json",
        r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}}"#,
    );
    let Done { code, err, .. } = deputy(&["suggest", "limit", "-f", policy.path()], "");
    assert_eq!(code, 2);
    assert!(err.contains("--namespace"), "{err}");
    let named = [
        "suggest",
        "limit",
        "-f",
        policy.path(),
        "-n",
        "payments",
        "--account",
        "production",
    ];
    let Done { code, out, err } = deputy(&named, "");
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("sqs:SendMessage") && out.contains("- payments"),
        "{out}"
    );
    let limit = File::new("bare-limit.yaml", &out);
    assert_eq!(
        deputy(&["policy", "contains", policy.path(), limit.path()], "").code,
        0
    );
}

/// What one account allows, a limit of both would allow in the other.
#[test]
fn a_limit_is_of_one_account() {
    let Done { code, out, err } = deputy(&["suggest", "limit", "-f", "examples/two-accounts"], "");
    assert_eq!(code, 0, "{err}");
    is_golden("limit-accounts.out.yaml", &out);
    let limits: Vec<&str> = out.split("---\n").skip(1).collect();
    assert_eq!(limits.len(), 2, "{out}");
    for (limit, own, other) in [
        (limits[0], "- orders\n", "warehouse-landing"),
        (limits[1], "- warehouse\n", "dynamodb:GetItem"),
    ] {
        assert!(limit.contains(own) && !limit.contains(other), "{limit}");
    }
    // Together it is one of each account still.
    let together = ["suggest", "limit", "-f", "examples/two-accounts", "--together"];
    assert_eq!(
        deputy(&together, "").out.matches("kind: DelegationLimit").count(),
        2
    );
}

#[test]
fn the_roles_of_every_example_are_within_the_limits_that_are_made_of_them() {
    for example in [
        "productionapp",
        "add-ons",
        "data-team",
        "two-accounts",
        "two-limits",
    ] {
        let folder = format!("examples/{example}");
        let Done { code, out, err } = deputy(&["suggest", "limit", "-f", &folder, "--name", "made"], "");
        assert_eq!(code, 0, "{example}: {err}");
        assert!(out.contains("kind: DelegationLimit"), "{example}: {out}");
    }
}
