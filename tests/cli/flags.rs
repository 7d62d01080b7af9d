//! Flags that several commands have are spelled alike.

use crate::run::{Done, deputy};

/// The commands that ask for no further one, with their help.
fn commands(path: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let asked: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
    let Done { code, out, .. } = deputy(&asked, "");
    assert_eq!(code, 0, "{path:?}");
    let mut lines = out.lines().skip_while(|line| *line != "Commands:").skip(1);
    let mut names = Vec::new();
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        // What goes on from the line before stands further to the right.
        if let Some(line) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) {
            names.extend(line.split_whitespace().next());
        }
    }
    for name in names.iter().filter(|name| **name != "help") {
        commands(&[path, &[(*name).to_owned()]].concat(), found);
    }
    if names.is_empty() {
        found.push((path.to_vec(), out));
    }
}

#[test]
fn how_an_answer_is_written_is_asked_by_the_same_flags_everywhere() {
    // Its --output is a folder.
    let others = [["bootstrap", "aws"]];
    let mut all = Vec::new();
    commands(&[], &mut all);
    let has = |help: &str| {
        ["--format <", "--output <"]
            .iter()
            .any(|flag| help.contains(flag))
    };
    let with: Vec<_> = all
        .into_iter()
        .filter(|(path, help)| has(help) && !others.iter().any(|other| path == other))
        .collect();
    assert!(with.len() >= 17, "{with:?}");
    for (path, help) in with {
        assert!(
            !(help.contains("--format <") && help.contains("--output <")),
            "{path:?} shows it twice"
        );
        for flag in ["-o", "--output", "--format"] {
            let mut asked: Vec<&str> = path.iter().map(String::as_str).collect();
            asked.extend([flag, "nonsense"]);
            let Done { code, err, .. } = deputy(&asked, "");
            assert_eq!(code, 2, "{asked:?}");
            assert!(err.contains("invalid value 'nonsense'"), "{asked:?}: {err}");
        }
    }
}

#[test]
fn manifests_are_named_as_they_stand_or_by_a_flag() {
    let (old, new) = ("examples/productionapp", "examples/refused/another-bucket.yaml");
    for (plain, flagged) in [
        (&["check", old][..], &["check", "-f", old][..]),
        (&["check", old, new], &["check", old, "--filename", new]),
        (
            &["report", old, "--format", "json"],
            &["report", "-f", old, "--format", "json"],
        ),
        (&["diff", old, new], &["diff", "-f", old, "--filename", new]),
        (&["diff", new, old], &["diff", "-f", new, "-f", old]),
    ] {
        let (plain, flagged) = (deputy(plain, ""), deputy(flagged, ""));
        let sound = |done: &Done| -> Vec<String> {
            let lines = done.out.lines().filter(|line| !line.contains("\"generated\""));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(
            (plain.code, plain.err.as_str()),
            (flagged.code, flagged.err.as_str())
        );
        assert_eq!(sound(&plain), sound(&flagged));
        assert!(!plain.out.is_empty());
    }
    for asked in [
        &["check"][..],
        &["diff"],
        &["diff", old],
        &["diff", "-f", old],
        &["diff", old, "-f", new],
        &["diff", "-f", old, "-f", old, "-f", new],
    ] {
        let Done { code, out, err } = deputy(asked, "");
        assert_eq!((code, out.as_str()), (2, ""), "{asked:?}");
        assert!(!err.is_empty(), "{asked:?}");
    }
}

#[test]
fn a_folder_where_one_file_is_read_is_told() {
    for asked in [
        &["policy", "lint", "examples"][..],
        &["policy", "lint", "--batch", "examples"],
        &["policy", "contains", "examples", "examples"],
        &["explain", "session", "examples"],
    ] {
        let Done { code, err, .. } = deputy(asked, "");
        assert_eq!(code, 2, "{asked:?}: {err}");
        assert!(
            err.contains("examples: it is a folder, and this reads one file: name a file in it"),
            "{asked:?}: {err}"
        );
        assert!(!err.contains("os error"), "{asked:?}: {err}");
    }
}
