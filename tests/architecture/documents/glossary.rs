//! The glossary speaks of what is there.

use std::fs;

use super::page::{page, tracked};
use crate::files::root;

#[test]
fn the_types_in_the_glossary_exist() {
    let code: String = tracked()
        .iter()
        .filter(|t| t.ends_with(".rs") && (t.starts_with("crates/") || t.starts_with("src/")))
        .map(|t| fs::read_to_string(root().join(t)).unwrap_or_default())
        .collect();
    let follows = |before: &str, name: &str| {
        let definition = format!("{before}{name}");
        code.match_indices(&definition).any(|(at, _)| {
            let rest = &code[at + definition.len()..];
            // Of a line that only has the name, its macro's text follows.
            !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
                && (!before.starts_with('\n') || rest.starts_with(", \"") || rest.starts_with(" {"))
        })
    };
    // A kind is derived from its spec, a name is made by a macro.
    let keywords = [
        "struct ",
        "enum ",
        "trait ",
        "type ",
        "fn ",
        "mod ",
        "const ",
        "kind = \"",
        "\n    ",
    ];
    let is_defined = |name: &str| keywords.iter().any(|k| follows(k, name));
    let rows: Vec<Vec<&str>> = page("docs/glossary.md")
        .text
        .lines()
        .filter(|l| l.starts_with("| ") && !l.starts_with("| word"))
        .map(|l| l.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert!((40..=60).contains(&rows.len()), "{} words", rows.len());
    let (mut types, mut wrong) = (0, Vec::new());
    for row in &rows {
        assert_eq!(row.len(), 4, "{row:?}");
        for name in row[2].split('`').skip(1).step_by(2) {
            let name = name.rsplit("::").next().unwrap();
            // Paths, fields, annotations and reasons are looked at elsewhere.
            if name.contains(['/', '.', '-']) || row[2].contains("reason `") || row[2].contains("condition `")
            {
                continue;
            }
            types += 1;
            if !is_defined(name) {
                wrong.push(format!("{}: there is no {name}", row[0]));
            }
        }
    }
    assert!(types >= 20, "{types} types");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut words: Vec<_> = rows.iter().map(|r| r[0]).collect();
    words.sort_unstable();
    let all = words.len();
    words.dedup();
    assert_eq!(words.len(), all, "a word is there twice");
}
