//! What the documents say is so: every Markdown file that git tracks is read.

mod absent;
mod admission;
mod book;
mod commands;
mod exceptions;
mod glossary;
mod invariants;
mod manifests;
mod messages;
mod names;
mod numbers;
mod page;
mod paths;

use std::fs;

use self::page::{pages, tracked};
use crate::files::root;

#[test]
fn the_tests_that_documents_name_exist() {
    let read = |p: &String| fs::read_to_string(root().join(p)).unwrap_or_default();
    let code: String = tracked()
        .iter()
        .filter(|p| p.ends_with(".rs") || p.ends_with(".py"))
        .map(read)
        .collect();
    // Settings of other programs have such names, too, and stand in what sets them.
    let other: String = tracked()
        .iter()
        .filter(|p| !p.ends_with(".rs") && !p.ends_with(".py") && !p.ends_with(".md"))
        .map(read)
        .collect();
    let is_test = |word: &&str| {
        word.matches('_').count() > 2
            && !word.starts_with("deputy_")
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let (mut found, mut wrong) = (0, Vec::new());
    for document in pages() {
        for name in document.spans.iter().map(|s| s.code.as_str()).filter(is_test) {
            found += 1;
            let is_function = code.contains(&format!("fn {name}(")) || code.contains(&format!("def {name}("));
            if !is_function && !other.contains(name) {
                wrong.push(format!("{} names {name}, which does not exist", document.path));
            }
        }
    }
    assert!(found > 40, "{found} tests were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
