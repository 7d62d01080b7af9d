//! The site of the documents (`make docs`): docs/SUMMARY.md has its pages.

use std::collections::BTreeMap;

use super::page::{page, pages, tracked};
use crate::files::root;

/// The pages of the site, by their paths from the root, in order.
fn summary() -> Vec<String> {
    let links = &page("docs/SUMMARY.md").links;
    let from_root = |link: &String| {
        let path = std::fs::canonicalize(root().join("docs").join(link)).unwrap();
        let inside = path.strip_prefix(std::fs::canonicalize(root()).unwrap()).unwrap();
        inside.display().to_string()
    };
    links.iter().map(from_root).collect()
}

#[test]
fn every_document_in_docs_is_a_page_of_the_site_once() {
    let mut times = BTreeMap::<String, usize>::new();
    for path in summary() {
        *times.entry(path).or_default() += 1;
    }
    let (mut found, mut wrong) = (0, Vec::new());
    for path in tracked()
        .iter()
        .filter(|p| p.starts_with("docs/") && p.ends_with(".md"))
        .filter(|p| *p != "docs/SUMMARY.md" && root().join(p).exists())
    {
        found += 1;
        if !times.contains_key(path) {
            wrong.push(format!("docs/SUMMARY.md lacks {path}"));
        }
    }
    wrong.extend(
        times
            .iter()
            .filter(|(_, n)| **n > 1)
            .map(|(path, n)| format!("docs/SUMMARY.md has {path} {n} times, and the site can have it once")),
    );
    assert!(found > 40, "{found} documents are in docs");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Somebody who reads one document after the other comes to every page, without the list of contents.
#[test]
fn every_page_of_the_site_is_linked_from_another_one() {
    let pages_of_site = summary();
    let mut unlinked = Vec::new();
    for path in &pages_of_site {
        let name = path.rsplit_once('/').map_or(path.as_str(), |(_, name)| name);
        let leads_there = |link: &String| {
            link.split('#')
                .next()
                .is_some_and(|l| l == name || l.ends_with(&format!("/{name}")))
        };
        let linked = pages()
            .iter()
            .filter(|p| p.path != "docs/SUMMARY.md" && p.path != *path)
            .any(|p| p.links.iter().any(leads_there));
        if !linked {
            unlinked.push(path.clone());
        }
    }
    assert!(unlinked.is_empty(), "nothing links to {}", unlinked.join(", "));
}
