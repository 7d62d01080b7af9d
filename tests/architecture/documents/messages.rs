//! The log messages of the operations page are those of the sources.

use std::fs;

use super::page::{page, tracked};
use crate::files::root;

#[test]
fn the_log_messages_of_operations_are_in_the_processes_that_it_names() {
    // Where a process is built from, besides what all are.
    let folders = [
        ("controller", "crates/controller/"),
        ("limits", "crates/controller/"),
        ("webhook", "crates/admission/"),
        ("broker", "crates/broker/"),
        ("all", ""),
    ];
    let common = ["crates/runtime/", "crates/index/", "crates/aws/", "src/"];
    let is_code = |t: &&String| t.ends_with(".rs") && !t.contains("/tests/") && !t.ends_with("tests.rs");
    let source = |folder: &str| -> String {
        tracked()
            .iter()
            .filter(is_code)
            .filter(|t| {
                common.iter().any(|c| t.starts_with(c)) || !folder.is_empty() && t.starts_with(folder)
            })
            .map(|t| fs::read_to_string(root().join(t)).unwrap_or_default())
            .collect()
    };
    let mut found = 0;
    let mut wrong = Vec::new();
    let section = page("docs/operations.md").section("Log messages worth an alert");
    for row in section.lines().filter(|l| l.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{row}");
        for process in cells[1].split(", ") {
            let (_, folder) = folders.iter().find(|(p, _)| *p == process).unwrap();
            let text = source(folder);
            for message in cells[0].split('`').skip(1).step_by(2) {
                found += 1;
                let literal = format!("\"{message}\"");
                let logged = text.match_indices(&literal).any(|(at, _)| {
                    // The macro that logs it begins a few lines before.
                    let before: Vec<_> = text[..at].lines().rev().take(8).collect();
                    before
                        .iter()
                        .any(|l| l.contains("warn!(") || l.contains("error!("))
                });
                if !logged {
                    wrong.push(format!("{process} does not log {message:?}"));
                }
            }
        }
    }
    assert!(found >= 10, "{found} messages");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
