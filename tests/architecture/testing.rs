//! What tests need stays out of what runs, and within its package.

use std::{fs, process::Command};

use crate::files::{root, tracked};

/// The packages and features that a build of these packages has, one a line.
fn built_with(packages: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--locked", "--offline", "--prefix=none"]);
    // Of this platform alone: what the others need is not there after a build, and would have to be fetched.
    command.args(["--edges=normal,build,features"]);
    for package in packages {
        command.args(["--package", package]);
    }
    let done = command.current_dir(root()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn no_program_is_built_with_what_tests_forge() {
    let feature = "deputy-policy feature \"testing\"";
    assert!(built_with(&["deputy-policy-testing"]).contains(feature));
    // As the Dockerfile builds them.
    let programs = built_with(&["deputy", "deputy-agent"]);
    assert!(programs.contains("deputy-policy feature \"default\""));
    assert!(!programs.contains(feature));
    for crate_of_tests in [
        "deputy-policy-testing",
        "deputy-log-testing",
        "deputy-token-testing",
    ] {
        assert!(!programs.contains(crate_of_tests), "{crate_of_tests}");
    }
}

#[test]
fn tests_share_crates_and_not_files() {
    for file in tracked(".rs") {
        let path = file.strip_prefix(root()).unwrap();
        if path.components().any(|part| part.as_os_str() == "src") {
            continue;
        }
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            assert!(
                !line.trim_start().starts_with("#[path"),
                "{}:{}: {line}",
                path.display(),
                number + 1
            );
        }
    }
}

#[test]
fn release_builds_have_the_same_items_as_debug_builds() {
    for file in tracked(".rs") {
        let text = fs::read_to_string(&file).unwrap();
        let word = concat!("cfg(", "debug_assertions)");
        assert!(!text.contains(word), "{} has {word}", file.display());
    }
}
