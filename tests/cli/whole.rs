//! The rest of the command line.

use std::{fs, path::Path};

use crate::run::deputy;

#[test]
fn crds_prints_what_is_in_crds() {
    let done = deputy(&["crds"], "");
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    let documents: Vec<_> = done.out.split("---\n").filter(|d| !d.is_empty()).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|e| fs::read_to_string(e.unwrap().path()).unwrap())
        .collect();
    assert_eq!(documents.len(), files.len());
    for file in files {
        assert!(
            documents.iter().any(|d| file.ends_with(d)),
            "not printed:\n{file}"
        );
    }
}

#[test]
fn the_version_is_told_and_help_lists_the_processes() {
    let version = deputy(&["--version"], "");
    assert_eq!(
        (version.code, version.out),
        (0, format!("deputy {}\n", env!("CARGO_PKG_VERSION")))
    );
    let help = deputy(&["--help"], "").out;
    for process in ["controller", "limits", "webhook", "broker"] {
        assert!(help.contains(&format!("\n  {process} ")), "{help}");
    }
}

#[test]
fn a_process_without_a_cluster_fails_and_says_so() {
    let done = deputy(&["controller", "--cluster-name", "production-1"], "");
    assert_eq!(done.code, 3, "{}", done.err);
    assert!(done.err.starts_with("deputy: "), "{}", done.err);
}

#[test]
fn a_process_without_a_cluster_name_is_not_started() {
    for process in ["controller", "limits", "webhook", "broker"] {
        let done = deputy(&[process], "");
        assert_eq!(done.code, 2);
        assert!(done.err.contains("--cluster-name"), "{}", done.err);
    }
}

/// What the README tells people to type, on the files that it names.
#[test]
fn the_commands_of_the_readme_run() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let commands: Vec<Vec<&str>> = readme
        .lines()
        .filter_map(|line| line.trim().strip_prefix("deputy policy "))
        .map(|rest| rest.split('#').next().unwrap().split_whitespace().collect())
        .collect();
    assert!(commands.len() > 2, "{commands:?}");
    for command in commands {
        let done = deputy(&[&["policy"], command.as_slice()].concat(), "");
        assert!(done.code < 2 && done.err.is_empty(), "{command:?}: {}", done.err);
    }
}
