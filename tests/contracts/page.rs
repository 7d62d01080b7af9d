//! Reading the page, and the sources that it speaks of.

use std::{fs, path::Path};

/// The text below the heading `## TITLE`.
pub fn section(title: &str) -> String {
    let text = fs::read_to_string(root().join("docs/contracts.md")).unwrap();
    let (_, rest) = text
        .split_once(&format!("\n## {title}\n"))
        .unwrap_or_else(|| panic!("docs/contracts.md has no section {title}"));
    rest.split("\n## ").next().unwrap().to_owned()
}

/// The rows of all tables of a section: their cells, without the head.
pub fn rows(title: &str) -> Vec<Vec<String>> {
    let section = section(title);
    let mut rows = Vec::new();
    let mut lines = section.lines().peekable();
    while let Some(line) = lines.next() {
        let is_head = lines.peek().is_some_and(|next| next.starts_with("|---"));
        if line.starts_with('|') && !line.starts_with("|---") && !is_head {
            rows.push(
                line.trim_matches('|')
                    .split('|')
                    .map(|c| c.trim().to_owned())
                    .collect(),
            );
        }
    }
    assert!(!rows.is_empty(), "no table in {title}");
    rows
}

/// What stands between backticks.
pub fn codes(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The row that starts with `what`.
pub fn row(title: &str, what: &str) -> Vec<String> {
    rows(title)
        .into_iter()
        .find(|r| r[0].starts_with(what))
        .unwrap_or_else(|| panic!("no row {what} in {title}"))
}

/// All sources of a folder that are no tests.
pub fn source(folder: &str) -> String {
    let mut open = vec![root().join(folder)];
    let mut text = String::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                open.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
                let file = fs::read_to_string(&path).unwrap();
                text.push_str(file.split("#[cfg(test)]\nmod tests {").next().unwrap());
            }
        }
    }
    text
}

/// The string literals in sources, without escapes and comments.
pub fn literals(source: &str) -> Vec<&str> {
    source
        .lines()
        .filter(|l| !l.trim_start().starts_with("//"))
        .flat_map(|l| l.split('"').skip(1).step_by(2))
        .collect()
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
