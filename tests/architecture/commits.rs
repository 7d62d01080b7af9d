//! The hook that checks commit messages, `hack/commit-msg`.

use std::{fs, path::Path, process::Command};

use crate::files::root;

/// What the hook says of a message; empty when it takes it.
fn said(name: &str, message: &str) -> String {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("commit-{name}"));
    fs::write(&file, message).unwrap();
    let done = Command::new(root().join("hack/commit-msg"))
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.success(), text.is_empty(), "{text}");
    text
}

#[test]
fn a_commit_message_has_subject_and_body() {
    let good = "broker: a revoked binding is told from a late one\n\nProblem: both were 403.\n\nSolution: 403 and 503.\n\nChecked by: the tests of resolve.\n";
    assert_eq!(said("good", good), "");
    assert_eq!(said("merge", "Merge branch 'x'\n"), "");
    let commented = format!(
        "{good}# Please enter the commit message\n# ------------------------ >8 ---\n{}",
        "x ".repeat(90)
    );
    assert_eq!(said("commented", &commented), "");
    let long = format!("broker: {}\n\nChecked.\n", "a".repeat(65));
    let cases = [
        ("long", long.as_str(), "73 characters, more than 72"),
        ("area", "Make it better\n\nChecked.\n", "no area"),
        ("nothing", "broker: clippy\n\nChecked.\n", "says nothing"),
        ("stop", "broker: an end.\n\nChecked.\n", "full stop"),
        ("second", "broker: an end\nChecked.\n", "not empty"),
        ("bare", "broker: an end\n", "no body"),
        ("unchecked", "broker: an end\n\nBecause.\n", "how it was checked"),
    ];
    for (name, message, expected) in cases {
        let text = said(name, message);
        assert!(
            text.contains(expected) && text.contains("CONTRIBUTING.md"),
            "{name}: {text}"
        );
    }
    let wide = format!("broker: an end\n\nChecked {}\n", "a b ".repeat(30));
    assert!(said("wide", &wide).contains("more than 100"));
}
