//! The files of a crate and the arrows between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use super::parse::Parsed;
use crate::files::{root, sources};

/// A module that is a file: its path from the root of the crate.
pub type Module = Vec<String>;

/// Arrows point from a file to what it imports. A name that a module only gives further (`pub use`) leads to the file where
/// it stands, and giving it further is no arrow.
pub struct Graph {
    files: BTreeMap<Module, (String, Parsed)>,
    arrows: BTreeMap<Module, BTreeSet<Module>>,
}

impl Graph {
    /// Reads the sources below a folder such as `crates/policy/src`, without files of tests.
    pub fn of(folder: &str) -> Self {
        let package = folder.strip_suffix("/src").unwrap_or(".");
        let mut files = BTreeMap::new();
        for source in sources(package) {
            let path = source.path.strip_prefix("./").unwrap_or(&source.path);
            let inside = path.strip_prefix(folder).unwrap().trim_start_matches('/');
            files.insert(module(inside), (path.to_owned(), Parsed::of(&source.text)));
        }
        let mut graph = Self {
            files,
            arrows: BTreeMap::new(),
        };
        graph.arrows = graph
            .files
            .keys()
            .map(|m| (m.clone(), graph.imports(m)))
            .collect();
        graph
    }

    /// The public types of all files, with the file.
    pub fn types(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .values()
            .flat_map(|(path, parsed)| parsed.types.iter().map(move |t| (t.as_str(), path.as_str())))
    }

    /// All arrows, by path.
    pub fn arrows(&self) -> impl Iterator<Item = (&str, &str)> {
        let path = |module| self.files[module].0.as_str();
        self.arrows
            .iter()
            .flat_map(move |(from, to)| to.iter().map(move |to| (path(from), path(to))))
    }

    /// Sets of files each of which leads to each other one.
    pub fn circles(&self) -> Vec<Vec<String>> {
        let reached: BTreeMap<_, _> = self.arrows.keys().map(|m| (m, self.reached_from(m))).collect();
        let mut found = BTreeSet::new();
        for (module, reach) in &reached {
            if reach.contains(*module) {
                let circle = reach.iter().filter(|other| reached[other].contains(*module));
                found.insert(circle.map(|m| self.files[m].0.clone()).collect::<Vec<_>>());
            }
        }
        found.into_iter().collect()
    }

    fn reached_from(&self, module: &Module) -> BTreeSet<Module> {
        let (mut found, mut next) = (BTreeSet::new(), vec![module]);
        while let Some(module) = next.pop() {
            for to in &self.arrows[module] {
                if found.insert(to.clone()) {
                    next.push(to);
                }
            }
        }
        found
    }

    fn imports(&self, module: &Module) -> BTreeSet<Module> {
        let parsed = &self.files[module].1;
        let given: BTreeSet<_> = parsed.reexports.iter().map(|(_, path)| path).collect();
        let used = parsed.paths.iter().filter(|path| !given.contains(path));
        used.filter_map(|path| self.file_of(module, path, 0))
            .filter(|to| to != module)
            .collect()
    }

    /// The file in which what a path names stands. `None` for other crates.
    fn file_of(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        let mut at = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => from.clone(),
            // A path that begins with a module of this file.
            name if self.files[from].1.modules.iter().any(|m| m == name) => from.clone(),
            _ => return None,
        };
        let mut rest = path;
        while let Some(first) = rest.first() {
            match first.as_str() {
                "crate" | "self" => {}
                "super" => {
                    at.pop();
                }
                name => {
                    at.push(name.to_owned());
                    if !self.files.contains_key(&at) {
                        at.pop();
                        break;
                    }
                }
            }
            rest = &rest[1..];
        }
        // What the module only gives further is followed, not without end.
        let name = rest.first().filter(|_| depth < 8);
        let behind = name.and_then(|name| {
            let given = &self.files[&at].1.reexports;
            let by_name = given.iter().filter(|(known_as, _)| known_as == name);
            let by_glob = given.iter().filter(|(known_as, _)| known_as == "*");
            by_name
                .map(|(_, path)| path.clone())
                .chain(by_glob.map(|(_, path)| [path.clone(), vec![name.clone()]].concat()))
                .find_map(|path| self.file_of(&at, &path, depth + 1).filter(|file| *file != at))
        });
        Some(behind.unwrap_or(at))
    }
}

/// The module of a file such as `contain/mod.rs`.
fn module(inside: &str) -> Module {
    let name = inside.strip_suffix(".rs").unwrap();
    let mut module: Module = name.split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

/// Files that are the root of a crate beside another one, such as `main.rs` beside `lib.rs`, have no place in the graph.
#[test]
fn modules_have_the_path_of_their_file() {
    assert_eq!(module("contain/mod.rs"), ["contain"]);
    assert_eq!(module("contain/check/tree.rs"), ["contain", "check", "tree"]);
    assert!(module("lib.rs").is_empty());
    assert!(fs::exists(root().join("crates/policy/src/lib.rs")).unwrap());
}
