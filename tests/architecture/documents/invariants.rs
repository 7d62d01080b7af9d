//! Each crate says at its top what must stay true in it, docs/reliability.md what may be relied on, and both which tests hold it.

use std::fs;

use super::page::{page, tracked};
use crate::files::root;

/// The sources of all tests, in both languages.
fn code() -> String {
    tracked()
        .iter()
        .filter(|t| t.ends_with(".rs") || t.ends_with(".py"))
        .map(|t| fs::read_to_string(root().join(t)).unwrap_or_default())
        .collect()
}

/// The names of tests in a text.
fn tests_in(text: &str) -> Vec<&str> {
    let names = text.split('`').skip(1).step_by(2);
    names
        .filter(|n| {
            n.matches('_').count() > 1 && !n.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        })
        .collect()
}

fn exists(code: &str, name: &str) -> bool {
    code.contains(&format!("fn {name}(")) || code.contains(&format!("def {name}("))
}

#[test]
fn the_tests_that_hold_what_may_be_relied_on_exist() {
    let code = code();
    let text = &page("docs/reliability.md").text;
    let tests = tests_in(text);
    let missing: Vec<_> = tests.iter().filter(|name| !exists(&code, name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(tests.len() >= 40, "{}", tests.len());
}

#[test]
fn each_crate_has_invariants_and_the_tests_that_hold_them_exist() {
    let code = code();
    let is_crate = |t: &&String| t.starts_with("crates/") && t.ends_with("/src/lib.rs");
    let mut wrong = Vec::new();
    let mut found = 0;
    // What only tests use has no invariants of its own.
    for file in tracked()
        .iter()
        .filter(is_crate)
        .filter(|t| !t.contains("-testing/"))
    {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let head: String = text
            .lines()
            .filter_map(|l| l.strip_prefix("//!"))
            .map(|l| l.to_owned() + "\n")
            .collect();
        let Some((_, invariants)) = head.split_once("# Invariants\n") else {
            wrong.push(format!("{file} has no invariants"));
            continue;
        };
        for invariant in invariants.split("\n - ").skip(1) {
            found += 1;
            let tests = tests_in(invariant);
            if tests.is_empty() {
                wrong.push(format!("{file}: no test holds: {invariant}"));
            }
            for name in tests {
                if !exists(&code, name) {
                    wrong.push(format!("{file} names {name}, which does not exist"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(found >= 30, "{found} invariants");
}
