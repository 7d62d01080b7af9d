//! `deputy diff`: exact answers.

use serde_json::Value;

use crate::run::{Done, File, Folder, deputy};

const PLATFORM: &str = "examples/productionapp/10-platform.yaml";
const APPLICATION: &str = "examples/productionapp/20-application.yaml";

/// A namespace, or a ServiceAccount.
const OTHERS: &str = "1 other document of OLD and 1 of NEW passed over\n";

fn diff(arguments: &[&str]) -> Done {
    deputy(&[&["diff"], arguments].concat(), "")
}

#[test]
fn a_policy_of_another_sort_is_told_with_the_flag_that_compares_it() {
    let trust = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "sts:AssumeRole"}]}"#;
    let bucket = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "s3:GetObject", "Resource": "arn:aws:s3:::productionapp/*"}]}"#;
    for (text, word) in [(trust, "trust"), (bucket, "resource")] {
        let file = File::new("diff-sort.json", text);
        let Done { code, err, .. } = diff(&[file.path(), file.path()]);
        assert_eq!(code, 2, "{err}");
        let hint = format!("it is read as one of --type identity: with --type {word} it can be compared");
        assert!(err.contains(&hint), "{err}");
        let Done { code, err, .. } = diff(&[file.path(), file.path(), "--type", word]);
        assert_eq!((code, err.as_str()), (0, ""));
    }
    let broken = File::new("diff-broken.json", r#"{"Version": "2012-10-17", "Statement": 3}"#);
    let Done { err, .. } = diff(&[broken.path(), broken.path()]);
    assert!(!err.contains("--type"), "{err}");
}

#[test]
fn what_is_the_same_differs_in_nothing() {
    for path in [PLATFORM, APPLICATION, "examples"] {
        let Done { code, out, err } = diff(&[path, path]);
        if path == "examples" {
            // Its stories have objects of one name.
            assert_eq!(
                (code, err.contains("the object is there twice")),
                (2, true),
                "{err}"
            );
        } else {
            let expected = format!("nothing differs\n{OTHERS}");
            assert_eq!((code, out, err), (0, expected, String::new()));
        }
    }
    // Spelling, order and folds of statements say nothing.
    let text = std::fs::read_to_string(PLATFORM).unwrap();
    let other = text.replace(
        "Action: [s3:GetObject, s3:PutObject, s3:DeleteObject]",
        "Action: [s3:DeleteObject, S3:PutObject, s3:getobject]",
    );
    assert_ne!(other, text);
    assert_eq!(
        diff(&[PLATFORM, File::new("diff-same.yaml", other).path()]).code,
        0
    );
}

#[test]
fn each_class_of_requests_has_a_sign_a_witness_and_a_place() {
    let text = std::fs::read_to_string(PLATFORM).unwrap();
    let other = text
        .replace(
            "[s3:GetObject, s3:PutObject, s3:DeleteObject]",
            "[s3:GetObject, s3:GetObjectAcl]",
        )
        .replace("maxDuration: 1h", "maxDuration: 2h");
    let file = File::new("diff-new.yaml", other);
    let Done { code, out, .. } = diff(&[PLATFORM, file.path()]);
    assert_eq!(code, 1);
    let expected = format!(
        "DelegationLimit payments (changed)
  + newly allowed: s3:GetObjectAcl on arn:aws:s3:::productionapp/*, such as s3:GetObjectAcl on arn:aws:s3:::productionapp/a [{}:28:9]
  - newly denied: s3:PutObject on arn:aws:s3:::productionapp/*, such as s3:PutObject on arn:aws:s3:::productionapp/a [{PLATFORM}:28:9]
  - newly denied: s3:DeleteObject on arn:aws:s3:::productionapp/*, such as s3:DeleteObject on arn:aws:s3:::productionapp/a [{PLATFORM}:28:9]
  ~ spec.session.maxDuration (how long a session may be): 2h, was 1h
{OTHERS}",
        file.path()
    );
    assert_eq!(out, expected);
    let Done { out, .. } = diff(&[PLATFORM, file.path(), "--format", "json"]);
    let answer: Value = serde_json::from_str(&out).unwrap();
    let object = &answer["objects"][0];
    assert_eq!(object["object"], "DelegationLimit payments");
    assert_eq!(object["newlyAllowed"][0]["actions"], "s3:GetObjectAcl");
    assert_eq!(object["newlyDenied"].as_array().unwrap().len(), 2);
    assert_eq!(object["fields"][0]["field"], "spec.session.maxDuration");
    let Done { out, .. } = diff(&[PLATFORM, file.path(), "--format", "markdown"]);
    assert!(
        out.starts_with("<!-- deputy diff -->\n### What this change allows and denies\n"),
        "{out}"
    );
    assert!(
        out.contains("- 🟢 newly allowed: `s3:GetObjectAcl on arn:aws:s3:::productionapp/*`"),
        "{out}"
    );
}

#[test]
fn objects_that_come_and_go_are_told() {
    let empty = File::new("diff-empty.yaml", "");
    let Done { code, out, .. } = diff(&[empty.path(), APPLICATION]);
    assert_eq!(code, 1);
    assert!(out.contains("AWSRole payments/uploader (added)\n  + newly allowed: s3:ListBucket on arn:aws:s3:::productionapp"), "{out}");
    assert!(
        out.contains("spec.subjects (who gets sessions): added ServiceAccount uploader"),
        "{out}"
    );
    let Done { out, .. } = diff(&[APPLICATION, empty.path()]);
    assert!(
        out.contains("AWSRoleBinding payments/uploader (removed)"),
        "{out}"
    );
    assert!(!out.contains('+'), "{out}");
}

#[test]
fn policies_by_themselves_are_compared_as_what_they_are() {
    let policy = |action: &str| {
        format!(
            "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Action\":\"{action}\",\"Resource\":\"*\"}}]}}"
        )
    };
    let (old, new) = (
        File::new("diff-old.json", policy("s3:Get*")),
        File::new("diff-new.json", policy("s3:*")),
    );
    for kind in ["identity", "session", "boundary", "scp"] {
        let Done { code, out, .. } = diff(&[old.path(), new.path(), "--type", kind]);
        assert_eq!(code, 1);
        assert!(
            out.starts_with("the policy (changed)\n  + newly allowed: s3:* on *, such as s3:"),
            "{out}"
        );
        assert!(out.ends_with(&format!("[{}:1:38]\n", new.path())), "{out}");
        assert_eq!(diff(&[old.path(), old.path(), "--type", kind]).code, 0);
    }
    let Done { code, err, .. } = diff(&[old.path(), APPLICATION]);
    assert_eq!(code, 2);
    assert!(err.contains("compare policies with policies"), "{err}");
    assert_eq!(diff(&[old.path(), "no/such/file"]).code, 2);
}

fn folder(name: &str, files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new(name);
    for (file, text) in files {
        folder.add(file, text);
    }
    folder
}

const OPEN: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const READ: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}"#;

#[test]
fn policies_of_folders_are_compared_file_by_file() {
    let others = ("package.json", "{\"name\": \"x\"}");
    let old = folder("diff-folder-old", &[("a.json", READ), ("b.json", READ), others]);
    let new = folder("diff-folder-new", &[("a.json", OPEN), ("b.json", READ), others]);
    let Done { code, out, .. } = diff(&[old.path(), new.path()]);
    assert_eq!(code, 1, "{out}");
    assert!(
        out.starts_with("the policy a.json (changed)\n  + newly allowed: * on *, such as "),
        "{out}"
    );
    assert!(!out.contains("b.json"), "{out}");
    assert!(
        out.ends_with("\n1 other document of OLD and 1 of NEW passed over\n"),
        "{out}"
    );
    let Done { code, out, .. } = diff(&[old.path(), old.path()]);
    let expected = "nothing differs\n1 other document of OLD and 1 of NEW passed over\n";
    assert_eq!((code, out.as_str()), (0, expected));
    let less = folder("diff-folder-less", &[("b.json", READ)]);
    let Done { code, out, .. } = diff(&[old.path(), less.path()]);
    assert_eq!(code, 1, "{out}");
    assert!(
        out.starts_with("the policy a.json (removed)\n  - newly denied: s3:Get* on *"),
        "{out}"
    );
}

#[test]
fn what_is_wrong_beside_a_policy_is_no_sameness() {
    let beside = |policy: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x, name: y}}\n---\n{policy}\n")
    };
    let old = File::new("diff-beside-old.yaml", beside(READ));
    let new = File::new("diff-beside-new.yaml", beside(OPEN));
    let Done { code, out, err } = diff(&[old.path(), new.path()]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("metadata.name"), "{err}");
}

#[test]
fn to_compare_nothing_is_a_mistake() {
    let nothing = folder("diff-nothing", &[("package.json", "{\"name\": \"x\"}")]);
    let Done { code, out, err } = diff(&[nothing.path(), nothing.path()]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("there is nothing to compare"), "{err}");
}
