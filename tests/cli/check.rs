//! `deputy check`: manifests as kubectl reads them, judged as the webhook judges them.

use serde_json::Value;

use crate::run::{Done, File, deputy};

const PLATFORM: &str = "examples/productionapp/10-platform.yaml";
const APPLICATION: &str = "examples/productionapp/20-application.yaml";
const REFUSED: &str = "examples/refused/another-bucket.yaml";

pub fn check(arguments: &[&str]) -> Done {
    deputy(&[&["check"], arguments].concat(), "")
}

pub const ROLE: &str = "apiVersion: deputy.dev/v1alpha1
kind: AWSRole
metadata: {name: reader, namespace: payments}
spec:
  accountRef: {name: production}
  policies:
    - name: objects
      document:
        Version: \"2012-10-17\"
        Statement:
          - {Effect: Allow, Action: s3:GetObject, Resource: \"arn:aws:s3:::productionapp/*\"}
";

#[test]
fn every_example_is_judged_as_its_story_says() {
    for entry in std::fs::read_dir("examples").unwrap() {
        let folder = entry.unwrap().path();
        let folder = folder.to_str().unwrap();
        let has_platform = std::path::Path::new(folder).join("10-platform.yaml").exists();
        if !has_platform {
            continue;
        }
        let files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| path.to_str().unwrap().to_owned())
            .collect();
        let mut facts = vec!["--limits", PLATFORM];
        let arguments: Vec<&str> = files.iter().map(String::as_str).collect();
        let platform = std::fs::read_to_string(format!("{folder}/10-platform.yaml")).unwrap();
        if platform.contains("kind: AWSAccount\nmetadata:\n  name: production\n") {
            facts.clear();
        }
        let Done { code, out, .. } = check(&[arguments.as_slice(), &facts].concat());
        // What only AWS knows is the one thing that is left.
        let expected = i32::from(folder.ends_with("terraform-role"));
        assert_eq!(code, expected, "{folder}: {out}");
        assert!(!out.contains("error["), "{folder}: {out}");
        let refused = format!("{folder}/refused");
        if std::path::Path::new(&refused).exists() {
            let own = arguments.iter().flat_map(|file| ["--limits", *file]);
            let with: Vec<&str> = own.chain(facts).collect();
            let Done { code, out, .. } = check(&[&[refused.as_str()], with.as_slice()].concat());
            assert_eq!(code, 1, "{refused}: {out}");
            assert!(out.contains("error["), "{refused}: {out}");
        }
    }
}

#[test]
fn what_is_accepted_is_counted() {
    let Done { code, out, err } = check(&["examples/productionapp"]);
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (0, "4 objects: 4 accepted; 4 other documents passed over\n", "")
    );
    let Done { code, out, .. } = check(&[APPLICATION, "--limits", PLATFORM]);
    assert_eq!(code, 0, "{out}");
    assert!(out.starts_with("2 objects: 2 accepted"), "{out}");
}

#[test]
fn a_refusal_names_place_reason_limit_and_what_is_allowed() {
    let Done { code, out, err } = check(&[REFUSED, "--limits", PLATFORM]);
    assert_eq!((code, err.as_str()), (1, ""));
    assert_eq!(
        out,
        "examples/refused/another-bucket.yaml:19:13: error[ExceedsLimit]: AWSRole payments/reporter: \
         spec.policies[0].document.Statement[1]: policy \"objects\" Statement[1] grants s3:GetObject on \
         arn:aws:s3:::customer-records/a, which limit \"payments\" does not allow: its Statement[1] allows s3:GetObject only on \
         arn:aws:s3:::productionapp/* (limit payments)\n1 object: 1 refused\n"
    );
}

#[test]
fn what_the_files_do_not_have_is_undecided_and_said_so() {
    let Done { code, out, .. } = check(&[APPLICATION]);
    assert_eq!(code, 1);
    let expected = "20-application.yaml:15:5: undecided[NoLimit]: AWSRole payments/uploader: spec.accountRef: no DelegationLimit applies";
    assert!(out.contains(expected), "{out}");
    assert!(out.contains("2 objects: 2 undecided"), "{out}");
    assert_eq!(check(&[APPLICATION, "--allow-undecided"]).code, 0);
    // What is refused is so whatever is allowed to be undecided.
    assert_eq!(
        check(&[REFUSED, "--limits", PLATFORM, "--allow-undecided"]).code,
        1
    );
    let there = [
        "--limits",
        "examples/terraform-role/10-platform.yaml",
        "--limits",
        PLATFORM,
    ];
    let file = "examples/terraform-role/20-application.yaml";
    let Done { code, out, .. } = check(&[&[file], there.as_slice()].concat());
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("undecided[OnlyAWSKnows]: AWSRole"), "{out}");
}

#[test]
fn an_object_of_the_files_counts_before_that_of_the_limits() {
    let wide = ROLE.replace("s3:GetObject", "s3:DeleteObjectVersion");
    let stored = File::new("check-stored.yaml", &wide);
    let new = File::new("check-new.yaml", ROLE);
    let Done { code, out, .. } = check(&[new.path(), "--limits", stored.path(), "--limits", PLATFORM]);
    assert_eq!(code, 0, "{out}");
    assert_eq!(
        check(&[stored.path(), "--limits", new.path(), "--limits", PLATFORM]).code,
        1
    );
}

#[test]
fn lists_json_and_objects_without_namespace_are_read() {
    let Done { out, .. } = deputy(&["check", "-", "--limits", PLATFORM], ROLE);
    assert_eq!(out, "1 object: 1 accepted\n");
    let value: Value = serde_saphyr::from_str(ROLE).unwrap();
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [value]});
    let Done { out, .. } = deputy(&["check", "-", "--limits", PLATFORM], &list.to_string());
    assert_eq!(out, "1 object: 1 accepted\n");
    let nowhere = ROLE.replace(", namespace: payments", "");
    let Done { code, out, err } = deputy(&["check", "-", "--limits", PLATFORM], &nowhere);
    assert_eq!((code, err.as_str()), (2, "deputy: 1 input can't be read\n"));
    assert!(
        out.starts_with("-:3:11: error[Unreadable]: AWSRole reader: metadata.namespace: it is missing"),
        "{out}"
    );
    let Done { code, out, .. } = deputy(&["check", "-", "-n", "payments", "--limits", PLATFORM], &nowhere);
    assert_eq!(code, 0, "{out}");
}

#[test]
fn what_kubectl_would_not_take_is_found_with_its_place() {
    for (from, to, code, expected) in [
        (
            "kind: AWSRole",
            "kind: AWSRoles",
            1,
            "-:2:7: error[Structure]: -: kind: deputy.dev/v1alpha1 has no kind \"AWSRoles\"; did you mean AWSRole?",
        ),
        (
            "v1alpha1",
            "v1",
            1,
            "-:1:13: error[Structure]: -: apiVersion: there is no deputy.dev/v1; write",
        ),
        (
            "accountRef",
            "acountRef",
            1,
            "spec.acountRef: AWSRole has no such field; did you mean accountRef?",
        ),
        (
            "document:",
            "documents:",
            1,
            "spec.policies[0].documents: AWSRole has no such field; did you mean document?",
        ),
        (
            "accountRef:",
            "unheardOf:",
            1,
            "spec.unheardOf: AWSRole has no such field\n",
        ),
        (
            "- name: objects",
            "- name: objects\n      name: again",
            2,
            "-:8:7: error[Unreadable]: AWSRole payments/reader: spec.policies[0].name: the key is there more than once",
        ),
        (
            "Action: s3:GetObject",
            "Action: s3:GetObject, Sid: yes",
            2,
            "error[Unreadable]: AWSRole payments/reader: spec.policies[0].document.Statement[0].Sid",
        ),
        ("Effect: Allow", "Effect: Alow", 1, "-:11:"),
        (
            "spec:",
            "spec: {{ .Values.spec }}",
            2,
            "a Helm template has to be rendered first",
        ),
    ] {
        let text = ROLE.replacen(from, to, 1);
        assert_ne!(text, ROLE);
        let done = deputy(&["check", "-", "--limits", PLATFORM], &text);
        assert_eq!(done.code, code, "{to}: {}{}", done.out, done.err);
        assert!(done.out.contains(expected), "{to}: {}", done.out);
    }
    let twice = format!("{ROLE}---\n{ROLE}");
    let Done { code, out, .. } = deputy(&["check", "-", "--limits", PLATFORM], &twice);
    assert_eq!(code, 2);
    assert!(out.contains("-:15:18: error[Unreadable]: AWSRole payments/reader: metadata.name: the object is there twice: -:3:18 has it, too"), "{out}");
}

#[test]
fn other_documents_are_passed_over_and_counted() {
    let others = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n---\nreplicas: 3\n";
    let Done { code, out, .. } = deputy(&["check", "-"], others);
    assert_eq!(
        (code, out.as_str()),
        (0, "no object of Deputy's; 2 other documents passed over\n")
    );
    let folder = std::env::temp_dir().join(format!("deputy-check-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("deep/.git")).unwrap();
    std::fs::write(folder.join("deep/role.yml"), ROLE).unwrap();
    std::fs::write(folder.join("deep/template.yaml"), "a: {{ .Values.a }}\n").unwrap();
    std::fs::write(folder.join("deep/.git/role.yaml"), ROLE).unwrap();
    std::fs::write(folder.join("README.md"), "# no manifest").unwrap();
    let Done { code, out, .. } = check(&[folder.to_str().unwrap(), "--limits", PLATFORM]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(
        (code, out.as_str()),
        (0, "1 object: 1 accepted; 1 other document passed over\n")
    );
    assert_eq!(check(&["no/such/folder"]).code, 2);
}

#[test]
fn the_json_has_every_part_of_a_finding() {
    let Done { code, out, .. } = check(&[REFUSED, "--limits", PLATFORM, "--format", "json"]);
    assert_eq!(code, 1);
    let answer: Value = serde_json::from_str(&out).unwrap();
    let object = &answer["objects"][0];
    assert_eq!(object["object"], "AWSRole payments/reporter");
    assert_eq!(object["status"], "refused");
    assert_eq!(object["line"], 3);
    let finding = &object["findings"][0];
    assert_eq!(finding["level"], "error");
    assert_eq!(finding["reason"], "ExceedsLimit");
    assert_eq!(finding["limit"], "payments");
    assert_eq!(finding["field"], "spec.policies[0].document.Statement[1]");
    assert_eq!(
        (&finding["file"], &finding["line"], &finding["column"]),
        (&REFUSED.into(), &19.into(), &13.into())
    );
    let summary =
        serde_json::json!({"accepted": 0, "refused": 1, "undecided": 0, "unreadable": 0, "passedOver": 0});
    assert_eq!(answer["summary"], summary);
}

/// What SARIF 2.1.0 demands of what is written here: its sections 3.13, 3.14, 3.18, 3.19, 3.27, 3.28, 3.29, 3.30, 3.4, 3.49.
fn assert_sarif(log: &Value) {
    assert_eq!(log["version"], "2.1.0");
    for run in log["runs"].as_array().unwrap() {
        let driver = &run["tool"]["driver"];
        assert_eq!(driver["name"], "deputy");
        let kinds = ["utf16CodeUnits", "unicodeCodePoints"];
        assert!(kinds.iter().any(|kind| run["columnKind"] == *kind));
        let rules = driver["rules"].as_array().unwrap();
        for rule in rules {
            assert!(!rule["id"].as_str().unwrap().is_empty());
            assert!(rule["shortDescription"]["text"].is_string() && rule["help"]["text"].is_string());
        }
        for result in run["results"].as_array().unwrap() {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
            let levels = ["none", "note", "warning", "error"];
            assert!(levels.iter().any(|level| result["level"] == *level));
            assert!(!result["message"]["text"].as_str().unwrap().is_empty());
            for location in result["locations"].as_array().unwrap() {
                let physical = &location["physicalLocation"];
                let uri = physical["artifactLocation"]["uri"].as_str().unwrap();
                assert!(uri.bytes().all(|b| b.is_ascii_graphic()), "{uri}");
                let region = &physical["region"];
                assert!(
                    region["startLine"].as_u64().unwrap() >= 1
                        && region["startColumn"].as_u64().unwrap() >= 1
                );
            }
        }
    }
}

#[test]
fn the_sarif_is_as_its_specification_says() {
    for arguments in [
        &["examples/refused", "--limits", PLATFORM][..],
        &[APPLICATION],
        &["examples/productionapp"],
    ] {
        let Done { out, .. } = check(&[arguments, &["--format", "sarif"]].concat());
        assert_sarif(&serde_json::from_str(&out).unwrap());
    }
    let Done { out, .. } = check(&[REFUSED, "--limits", PLATFORM, "--format", "sarif"]);
    let log: Value = serde_json::from_str(&out).unwrap();
    let result = &log["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "ExceedsLimit");
    assert_eq!(
        result["locations"][0]["physicalLocation"]["region"]["startLine"],
        19
    );
}

#[test]
fn the_junit_report_can_be_read() {
    let Done { out, .. } = check(&[
        "examples/refused",
        APPLICATION,
        "--limits",
        PLATFORM,
        "--format",
        "junit",
    ]);
    let report = roxmltree::Document::parse(&out).unwrap();
    let root = report.root_element();
    assert_eq!(root.tag_name().name(), "testsuites");
    let cases = report.descendants().filter(|n| n.has_tag_name("testcase"));
    assert_eq!(root.attribute("tests").unwrap(), cases.count().to_string());
    let failures: Vec<_> = report
        .descendants()
        .filter(|n| n.has_tag_name("failure"))
        .collect();
    assert_eq!(root.attribute("failures").unwrap(), failures.len().to_string());
    assert!(
        failures
            .iter()
            .any(|failure| failure.attribute("type") == Some("ExceedsLimit"))
    );
    assert!(failures.iter().all(|failure| failure.text().is_some()));
}

#[test]
fn an_annotation_is_a_line_of_its_own() {
    let Done { out, .. } = check(&[REFUSED, "--limits", PLATFORM, "--format", "github"]);
    let lines: Vec<&str> = out.lines().collect();
    assert!(
        lines[0].starts_with(
            "::error file=examples/refused/another-bucket.yaml,line=19,col=13,title=deputy%3A ExceedsLimit::AWSRole payments/reporter: "
        ),
        "{out}"
    );
    assert_eq!(lines.len(), 2);
}

#[test]
fn standard_input_is_read_once() {
    let Done { code, err, .. } = check(&["-", "--limits", "-"]);
    assert_eq!(code, 2);
    assert!(err.contains("would both read standard input"), "{err}");
}
