//! `deputy who-can`, `what-can`, `denied` and `explain` of objects, as others call them.

use serde_json::Value;

use crate::run::{Done, File, deputy};

const EXAMPLE: &str = "examples/productionapp";

fn json(arguments: &[&str]) -> (i32, Value) {
    let Done { code, out, err } = deputy(&[arguments, &["-f", EXAMPLE, "-o", "json"]].concat(), "");
    assert_eq!(err, "", "{arguments:?}");
    (code, serde_json::from_str(&out).unwrap())
}

#[test]
fn who_can_answers_in_json_with_the_arn_of_the_role() {
    let asked = ["who-can", "s3:Get*", "arn:aws:s3:::productionapp/*"];
    let (code, answer) = json(&[&asked[..], &["--cluster-name", "production-1"]].concat());
    let one = &answer["bindings"][0];
    assert_eq!((code, &one["can"]), (0, &"yes".into()));
    let arn = one["roleArn"].as_str().unwrap();
    assert!(
        arn.contains(":role/deputy/production-1/deputy.payments.uploader-"),
        "{arn}"
    );
    let (code, answer) = json(&["who-can", "iam:*", "*"]);
    assert_eq!((code, answer["bindings"].as_array().unwrap().len()), (1, 0));
}

#[test]
fn what_can_of_nobody_is_a_no() {
    assert_eq!(json(&["what-can", "payments/uploader"]).0, 0);
    let (code, answer) = json(&["what-can", "user:ada"]);
    assert_eq!((code, answer["bindings"].as_array().unwrap().len()), (1, 0));
}

#[test]
fn a_denial_leads_to_the_change_that_the_limit_accepts() {
    let named = [
        "explain",
        "role",
        "payments/uploader",
        "--cluster-name",
        "production-1",
    ];
    let (_, answer) = json(&named);
    let facts = answer["objects"][0]["facts"].as_array().unwrap();
    let arn = facts.iter().find(|fact| fact["what"] == "arn").unwrap()["is"]
        .as_str()
        .unwrap();
    let name = arn.rsplit('/').next().unwrap();
    let message = format!(
        "An error occurred (AccessDenied) when calling the DeleteObject operation: User: \
         arn:aws:sts::123456789012:assumed-role/{name}/payments.uploader is not authorized to perform: s3:DeleteObject on resource: \
         \"arn:aws:s3:::productionapp/x\" because no session policy allows the s3:DeleteObject action"
    );
    let Done { code, out, .. } = deputy(&["denied", &message, "-f", EXAMPLE], "");
    assert_eq!(code, 0, "{out}");
    for expected in [
        "AWS says: nothing allows it in the session policy\n",
        "binding: AWSRoleBinding payments/uploader\n",
        "the role allows it\nthe session policy does not allow it\nthe boundary of limit payments allows it\n",
        "change AWSRoleBinding payments/uploader, add to spec.session.policy.Statement:\n- Effect: Allow\n  Action: s3:DeleteObject\n",
        "the limits say to that: accepted\n",
    ] {
        assert!(out.contains(expected), "{out}");
    }
    let (code, answer) = json(&["denied", &message]);
    assert_eq!((code, &answer["cause"]["limits"]), (0, &"accepted".into()));
    assert_eq!(answer["message"]["layer"], "session");
    let (code, answer) = json(&["explain", "arn", arn, "--cluster-name", "production-1"]);
    assert_eq!(
        (code, &answer["objects"][0]["object"]),
        (0, &"AWSRole payments/uploader".into())
    );
}

#[test]
fn a_denial_is_read_from_an_event_on_standard_input() {
    let says = |action: &str| {
        format!(
            "User: arn:aws:sts::123456789012:federated-user/Manager-reports is not authorized to perform: {action} on resource: \
             \"arn:aws:s3:::productionapp/reports/x\" because no session policy allows the {action} action"
        )
    };
    let event = |action: &str| serde_json::json!({"errorCode": "AccessDenied", "errorMessage": says(action)});
    let asked = ["denied", "-", "-f", "examples/federation", "-o", "json"];
    for (document, others) in [
        (event("s3:PutObject"), false),
        (
            serde_json::json!({"Records": [event("s3:PutObject"), event("s3:DeleteObject")]}),
            true,
        ),
    ] {
        let Done { code, out, err } = deputy(&asked, &document.to_string());
        let answer: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {err}"));
        let binding = "AWSFederatedUserBinding reports/manager";
        assert_eq!((code, &answer["cause"]["binding"]), (0, &binding.into()), "{out}");
        assert_eq!(answer["message"]["action"], "s3:PutObject");
        assert_eq!(err.contains("2 different denials"), others, "{err}");
        assert_eq!(err.is_empty(), !others, "{err}");
    }
}

#[test]
fn a_cluster_that_nobody_names_is_not_said_to_be_the_default() {
    for command in [
        &["who-can"][..],
        &["what-can"],
        &["denied"],
        &["report"],
        &["check"],
        &["suggest", "role"],
        &["explain", "role"],
        &["explain", "pod"],
    ] {
        let Done { code, out, .. } = deputy(&[command, &["--help"]].concat(), "");
        assert_eq!(code, 0);
        let text = out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            text.contains("without --context and --kubeconfig no cluster is asked"),
            "{command:?}: {text}"
        );
        assert!(!text.contains("by default its current one"), "{command:?}");
    }
    for command in [
        &["doctor"][..],
        &["credentials", "role"],
        &["credentials", "config"],
    ] {
        let Done { out, .. } = deputy(&[command, &["--help"]].concat(), "");
        let text = out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("by default its current one"), "{command:?}");
    }
}

#[test]
fn what_is_asked_of_nothing_is_bad_input() {
    for (arguments, expected) in [
        (
            &["who-can", "s3:GetObject", "*"][..],
            "manifests by -f FILE|DIR, or a cluster by --context NAME",
        ),
        (
            &["who-can", "GetObject", "*", "-f", EXAMPLE],
            "ACTION GetObject: an action is service:Name",
        ),
        (
            &["who-can", "s3:GetObject", "productionapp", "-f", EXAMPLE],
            "RESOURCE productionapp: a resource is an ARN",
        ),
        (&["denied", "-", "-f", "-"], "would both read standard input"),
        (&["denied", "Access Denied", "-f", EXAMPLE], "CloudTrail"),
        (
            &["explain", "pod", "uploader", "-f", EXAMPLE],
            "say NAMESPACE/NAME",
        ),
        (&["explain", "arn", "uploader", "-f", EXAMPLE], "an ARN of a role"),
        (
            &["what-can", "payments/uploader", "-f", "no/such/file"],
            "no/such/file",
        ),
    ] {
        let Done { code, err, .. } = deputy(arguments, "");
        assert_eq!(code, 2, "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
}

/// The documents of a file of the example that have `kind`.
fn only(file: &str, kind: &str) -> String {
    let text = std::fs::read_to_string(format!("{EXAMPLE}/{file}")).unwrap();
    let documents = text.split("---\n");
    let kept: Vec<&str> = documents
        .filter(|one| one.contains(&format!("kind: {kind}\n")))
        .collect();
    kept.join("---\n")
}

#[test]
fn what_the_files_leave_open_is_neither_a_yes_nor_a_no() {
    let limits = ["-f", "examples/data-team"];
    let why = "no AWSAccount \"production\" among the files";
    let asked: [(&[&str], usize, &str); 2] = [
        (
            &["who-can", "s3:PutObject", "*"],
            2,
            "not known: 2 bindings are undecided: ",
        ),
        (
            &["what-can", "clicks/ingest"],
            1,
            "not known: 1 binding is undecided: ",
        ),
    ];
    for (asked, bindings, expected) in asked {
        let Done { code, out, err } = deputy(&[asked, &limits].concat(), "");
        assert_eq!((code, err.as_str()), (2, ""), "{out}");
        assert!(out.starts_with(&format!("{expected}{why}\n")), "{out}");
        assert!(
            out.contains(
                "  ServiceAccount clicks/ingest, by AWSRoleBinding clicks/ingest, as AWSRole clicks/ingest\n"
            ),
            "{out}"
        );
        assert!(
            !out.contains("nobody can") && !out.contains("no accepted"),
            "{out}"
        );
        let Done { code, out, .. } = deputy(&[asked, &limits, &["-o", "json"]].concat(), "");
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &answer["answer"]), (2, &"unknown".into()));
        let undecided = answer["undecided"].as_array().unwrap();
        assert_eq!(undecided.len(), bindings, "{out}");
        assert_eq!(undecided[0]["why"], why);
    }
    // A yes stays one, and what is open is told beside it.
    let other = File::new(
        "another.yaml",
        only("20-application.yaml", "AWSRoleBinding").replace("name: uploader\n", "name: other\n"),
    );
    let both = ["who-can", "s3:PutObject", "*", "-f", EXAMPLE, "-f", other.path()];
    let Done { code, out, .. } = deputy(&both, "");
    assert_eq!(code, 0, "{out}");
    assert!(
        out.starts_with("yes: ") && out.contains("not known: 1 binding"),
        "{out}"
    );
}

#[test]
fn one_word_for_what_waits_whoever_is_asked() {
    let read = |name: &str| std::fs::read_to_string(format!("{EXAMPLE}/{name}")).unwrap();
    let (platform, application) = (read("10-platform.yaml"), read("20-application.yaml"));
    let account = only("10-platform.yaml", "AWSAccount");
    let check_only = platform.replace("type: Generated", "type: CheckOnly");
    let wide = application.replacen("s3:ListBucket", "\"s3:*\"", 1);
    for (name, text, word) in [
        ("accepted", format!("{platform}\n---\n{application}"), "accepted"),
        ("refused", format!("{platform}\n---\n{wide}"), "refused"),
        ("no-account", application.clone(), "undecided"),
        ("no-limit", format!("{account}\n---\n{application}"), "undecided"),
        (
            "no-boundary",
            format!("{check_only}\n---\n{application}"),
            "undecided",
        ),
    ] {
        let file = File::new(&format!("{name}.yaml"), text);
        let role = "AWSRole payments/uploader";
        let answer = |asked: &[&str]| -> Value {
            serde_json::from_str(&deputy(asked, "").out).unwrap_or_else(|error| panic!("{asked:?}: {error}"))
        };
        let checked = answer(&["check", file.path(), "--format", "json"]);
        let objects = checked["objects"].as_array().unwrap();
        let checked = objects.iter().find(|one| one["object"] == role).unwrap();
        assert_eq!(checked["status"], word, "{name}");
        let reported = answer(&["report", file.path(), "--format", "json"]);
        assert_eq!(reported["roles"][0]["outcome"], word, "{name}");
        let said = reported["roles"][0]["decision"].as_str().unwrap();
        assert!(said.starts_with(word), "{name}: {said}");
        let explained = answer(&[
            "explain",
            "role",
            "payments/uploader",
            "-f",
            file.path(),
            "-o",
            "json",
        ]);
        let facts = explained["objects"][0]["facts"].as_array().unwrap();
        let decision = facts.iter().find(|fact| fact["what"] == "decision").unwrap();
        assert!(
            decision["is"].as_str().unwrap().starts_with(word),
            "{name}: {decision}"
        );
    }
}

#[test]
fn an_action_that_is_none_is_told_and_answered() {
    for (action, resource, expected) in [
        ("s3:GetObjekt", "*", "did you mean s3:GetObject?"),
        ("s3:ListObjectsV2", "*", "s3:ListBucket"),
        ("s4:GetObject", "*", "no service"),
        ("s3:Head*", "*", "no action of s3"),
        ("s3:GetObject", "arn:aws:s3:::productionapp", "s3:GetObject"),
    ] {
        let asked = ["who-can", action, resource, "-f", EXAMPLE];
        let Done { code, out, err } = deputy(&asked, "");
        assert_eq!((code, out.as_str()), (1, "nobody can\n"), "{action}: {err}");
        assert!(
            err.starts_with("deputy: warning: ") && err.contains(expected),
            "{action}: {err}"
        );
        let Done { out, .. } = deputy(&[&asked[..], &["-o", "json"]].concat(), "");
        let answer: Value = serde_json::from_str(&out).unwrap();
        let warnings = answer["warnings"].as_array().unwrap();
        assert_eq!(warnings.len(), 1, "{action}: {out}");
        assert!(
            warnings[0].as_str().unwrap().contains(expected),
            "{action}: {out}"
        );
    }
    for (action, resource) in [
        ("s3:*", "*"),
        ("*", "*"),
        ("s3:Get*", "arn:aws:s3:::productionapp/*"),
    ] {
        let Done { err, .. } = deputy(&["who-can", action, resource, "-f", EXAMPLE], "");
        assert_eq!(err, "", "{action}");
    }
}
