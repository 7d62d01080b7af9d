//! Files, folders and links that documents name.

use std::fs;

use super::{
    exceptions::is_excepted,
    page::{Page, page, pages, tracked},
};
use crate::files::root;

/// Endings of file names that a document speaks of as ours.
const ENDINGS: [&str; 8] = [".rs", ".py", ".md", ".toml", ".yaml", ".json", ".txt", ".tpl"];

#[test]
fn the_links_of_the_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    for from in pages() {
        for link in &from.links {
            if let Err(why) = follow(from, link) {
                wrong.push(format!("{} links to {link}: {why}", from.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn follow(from: &Page, link: &str) -> Result<(), String> {
    if link.starts_with("http://") || link.starts_with("https://") {
        return Ok(());
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() {
        from.path.clone()
    } else {
        let folder = root().join(&from.path).parent().unwrap().to_owned();
        let there = fs::canonicalize(folder.join(path)).map_err(|e| e.to_string())?;
        let inside = there.strip_prefix(fs::canonicalize(root()).unwrap());
        inside.map_err(|e| e.to_string())?.display().to_string()
    };
    if !is_there(&target) {
        return Err("git has no such file".into());
    }
    if !anchor.is_empty() && !page(&target).anchors.iter().any(|a| a == anchor) {
        return Err(format!("{target} has no such heading"));
    }
    Ok(())
}

/// Whether a file or folder is tracked.
pub fn is_there(path: &str) -> bool {
    let path = path.trim_end_matches('/');
    tracked().iter().any(|t| {
        t.strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[test]
fn the_paths_that_the_documents_name_exist() {
    let mut wrong = Vec::new();
    let mut found = 0;
    for page in pages() {
        for span in &page.spans {
            let Some(path) = as_path(&span.code) else { continue };
            found += 1;
            let base = if span.of_crate.is_empty() {
                base_of(page)
            } else {
                &span.of_crate
            };
            if !exists(path, base) && !is_excepted(&page.path, &span.code) {
                wrong.push(format!("{} names {}, which is not there", page.path, span.code));
            }
        }
    }
    assert!(found > 200, "{found} paths were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The crate that a whole document is about.
fn base_of(page: &Page) -> &str {
    match page.path.as_str() {
        "docs/assurance.md" | "docs/containment.md" => "crates/policy",
        path => path
            .strip_suffix("/README.md")
            .filter(|f| f.starts_with("crates/"))
            .unwrap_or(""),
    }
}

/// The path that code in a document is, without a place in the file.
fn as_path(code: &str) -> Option<&str> {
    let path = code.split(':').next().filter(|p| !p.is_empty())?;
    let is_plain = path
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let (first, _) = path.split_once('/').unwrap_or(("", ""));
    let ours = tracked()
        .iter()
        .any(|t| t.split_once('/').is_some_and(|(f, _)| f == first));
    let is_file = ENDINGS.iter().any(|e| path.len() > e.len() && path.ends_with(e));
    let is_folder = path.ends_with('/') && !path.starts_with('/');
    (is_plain && !path.starts_with('/') && (ours || is_file || is_folder)).then_some(path)
}

/// Whether there is such a path: from the root, or below the crate in question (anywhere, without one).
fn exists(path: &str, base: &str) -> bool {
    let below = |t: &String| {
        t.strip_prefix(base).is_some_and(|rest| {
            let rest = format!("{rest}/");
            rest.contains(&format!("/{}/", path.trim_end_matches('/')))
        })
    };
    is_there(path) || tracked().iter().any(below)
}

/// Comments in code send readers to documents, too.
#[test]
fn the_documents_that_code_names_exist() {
    let (mut found, mut wrong) = (0, Vec::new());
    let is_code = |t: &&String| !t.ends_with(".md") && !t.starts_with("tests/architecture/");
    for file in tracked().iter().filter(is_code) {
        let Ok(text) = fs::read_to_string(root().join(file)) else {
            continue;
        };
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"._-/".contains(c));
        for word in words.filter(|w| w.ends_with(".md") && w.len() > ".md".len() && !w.starts_with('-')) {
            let name = word.trim_start_matches(['.', '/']);
            // Other projects' pages have folders of their own.
            let ours = !name.contains('/')
                || ["docs/", "tests/", "crates/", "charts/"]
                    .iter()
                    .any(|f| name.starts_with(f));
            if ours {
                found += 1;
                let below = |t: &String| t.ends_with(&format!("/{name}"));
                if !is_there(name) && !tracked().iter().any(below) {
                    wrong.push(format!("{file} names {word}"));
                }
            }
        }
    }
    assert!(found > 30, "{found} documents are named");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_path_is_told_from_other_code() {
    let cases = [
        ("crates/policy", Some("crates/policy")),
        ("glob.rs", Some("glob.rs")),
        ("probe/", Some("probe/")),
        ("crates/policy/src/lib.rs:12", Some("crates/policy/src/lib.rs")),
        ("deputy.dev/inject", None),
        ("/readyz", None),
        ("https://x/y", None),
        ("tests/*.rs", None),
    ];
    for (code, expected) in cases {
        assert_eq!(as_path(code), expected, "{code}");
    }
    assert!(exists("page.rs", "tests/architecture") && !exists("age.rs", "tests/architecture"));
    assert!(!exists("page.rs", "crates/policy") && exists("documents/page.rs", ""));
}
