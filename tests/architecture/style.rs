//! House rules that no lint holds.

use std::{fs, path::Path};

use crate::files::{root, tracked};

/// Lines of unit tests at the end of the file that they test. More of them stand in `tests.rs` beside it.
const LONGEST_TESTS: usize = 120;
/// Characters of the name of a test: one short sentence.
const LONGEST_NAME: usize = 75;

fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

#[test]
fn unit_tests_stand_in_one_of_two_places() {
    for path in tracked(".rs") {
        let (text, name) = (fs::read_to_string(&path).unwrap(), name(&path));
        assert!(
            !text.contains("\n#[path"),
            "{name}: a module stands where its name says"
        );
        let lines: Vec<_> = text.lines().collect();
        let begin = lines.iter().position(|line| line.starts_with("mod tests {"));
        if let Some(begin) = begin {
            let count = lines.len() - begin;
            assert!(
                count <= LONGEST_TESTS,
                "{name} ends with {count} lines of tests: they belong into tests.rs of its folder"
            );
        }
        let stem = path.file_stem().unwrap().to_string_lossy();
        assert!(
            !stem.ends_with("_tests"),
            "{name}: unit tests are called tests.rs"
        );
    }
}

#[test]
fn the_name_of_a_test_is_one_short_sentence() {
    let mut long = Vec::new();
    for path in tracked(".rs") {
        let text = fs::read_to_string(&path).unwrap();
        let functions = text.lines().filter_map(|line| {
            let rest = line.trim_start();
            let rest = rest.strip_prefix("async ").unwrap_or(rest).strip_prefix("fn ")?;
            rest.split(['(', '<']).next()
        });
        long.extend(
            functions
                .filter(|f| f.len() > LONGEST_NAME)
                .map(|f| format!("{}: {f}", name(&path))),
        );
    }
    assert!(
        long.is_empty(),
        "over {LONGEST_NAME} characters:\n{}",
        long.join("\n")
    );
}

/// What nobody uses any more is neither updated nor missed.
#[test]
fn every_dependency_of_the_workspace_is_used() {
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, table) = workspace.split_once("[workspace.dependencies]\n").unwrap();
    let table = table.split("\n[").next().unwrap();
    let manifests: Vec<_> = tracked("Cargo.toml")
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let declared = table
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once(" = "));
    for (dependency, _) in declared {
        let uses = [
            format!("\n{dependency}.workspace = true"),
            format!("\n{dependency} = {{ workspace = true"),
        ];
        assert!(
            manifests.iter().any(|m| uses.iter().any(|u| m.contains(u))),
            "nothing uses {dependency}"
        );
    }
}
