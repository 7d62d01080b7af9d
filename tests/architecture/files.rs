//! Our sources.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The lines above `pub enum NAME` or `pub struct NAME` that start with `#[`.
pub fn attributes_of(text: &str, name: &str) -> Option<String> {
    let lines: Vec<_> = text.lines().collect();
    let is_it = |l: &&str| {
        let rest = ["pub enum ", "pub struct ", "pub(crate) struct "]
            .iter()
            .find_map(|p| l.strip_prefix(p));
        rest.and_then(|r| r.strip_prefix(name))
            .is_some_and(|r| !r.starts_with(|c: char| c.is_alphanumeric()))
    };
    let at = lines.iter().position(is_it)?;
    let above = lines[..at]
        .iter()
        .rev()
        .take_while(|l| l.starts_with("#[") || l.starts_with("///"));
    Some(above.filter(|l| l.starts_with("#[")).copied().collect())
}

pub struct Source {
    pub path: String,
    pub text: String,
}

impl Source {
    /// Numbered lines that are neither comments nor below the file's tests.
    pub fn code(&self) -> Vec<(usize, &str)> {
        let lines = self
            .text
            .lines()
            .take_while(|l| !l.starts_with("#[cfg(test)]"))
            .enumerate();
        lines
            .filter(|(_, l)| !l.trim_start().starts_with("//"))
            .map(|(i, l)| (i + 1, l))
            .collect()
    }
}

/// The sources of a crate without files of tests.
pub fn sources(package: &str) -> Vec<Source> {
    let files = rust_files(&root().join(package).join("src"));
    let is_test = |p: &PathBuf| {
        p.file_stem()
            .is_some_and(|s| s.to_string_lossy().ends_with("tests"))
            || p.components().any(|c| c.as_os_str() == "tests")
    };
    let found: Vec<_> = files
        .into_iter()
        .filter(|p| !is_test(&p.strip_prefix(root()).unwrap().to_owned()))
        .map(|p| Source {
            text: fs::read_to_string(&p).unwrap(),
            path: p.strip_prefix(root()).unwrap().display().to_string(),
        })
        .collect();
    assert!(!found.is_empty(), "{package} has no sources");
    found
}

/// The manifests of all our packages.
pub fn manifests() -> Vec<PathBuf> {
    let crates = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|e| e.unwrap().path().join("Cargo.toml"));
    crates.chain([root().join("Cargo.toml")]).collect()
}

/// All files in git, or about to be, whose names end so: those of the workspaces beside this one too.
pub fn tracked(ending: &str) -> Vec<PathBuf> {
    let done = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let names = String::from_utf8(done.stdout).unwrap();
    let named = names.split('\0').filter(|name| name.ends_with(ending));
    let mut found: Vec<_> = named
        .map(|name| root().join(name))
        .filter(|p| p.exists())
        .collect();
    found.sort();
    found.dedup();
    assert!(!found.is_empty(), "no {ending}");
    found
}

/// All Rust files below a folder of ours. Of the root package only `src`, `tests` and `benches`.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut open = if folder == root() {
        ["src", "tests", "benches"]
            .iter()
            .map(|f| folder.join(f))
            .collect()
    } else {
        vec![folder.to_owned()]
    };
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
