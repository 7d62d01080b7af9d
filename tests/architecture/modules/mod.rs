//! Which files of a crate import which, read from the sources.

mod graph;
mod layers;
mod names;
mod parse;

use graph::Graph;

/// The crates of the workspace and the command line, as folders of sources.
fn crates() -> Vec<String> {
    let mut found: Vec<_> = std::fs::read_dir(crate::files::root().join("crates"))
        .unwrap()
        .map(|entry| format!("crates/{}/src", entry.unwrap().file_name().to_string_lossy()))
        .collect();
    found.push("src".into());
    found.sort();
    found
}

/// Whoever reads a file should have to read nothing that in turn needs this file.
#[test]
fn no_files_of_a_crate_import_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for sources in crates() {
        for circle in Graph::of(&sources).circles() {
            circles.push(format!("{sources}: {}", circle.join(" <-> ")));
        }
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}
