//! Each crate says at its top what must stay true in it, and which tests hold it.

use std::fs;

use super::page::tracked;
use crate::files::root;

#[test]
fn each_crate_has_invariants_and_the_tests_that_hold_them_exist() {
    let code: String = tracked()
        .iter()
        .filter(|t| t.ends_with(".rs") || t.ends_with(".py"))
        .map(|t| fs::read_to_string(root().join(t)).unwrap_or_default())
        .collect();
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
            let names = invariant.split('`').skip(1).step_by(2);
            let tests: Vec<_> = names.filter(|n| n.matches('_').count() > 1).collect();
            if tests.is_empty() {
                wrong.push(format!("{file}: no test holds: {invariant}"));
            }
            for name in tests {
                if !code.contains(&format!("fn {name}(")) && !code.contains(&format!("def {name}(")) {
                    wrong.push(format!("{file} names {name}, which does not exist"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(found >= 30, "{found} invariants");
}
