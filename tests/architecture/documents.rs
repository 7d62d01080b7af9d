//! What the documents name is there.

use std::fs;

use crate::files::{manifests, root, rust_files};

#[test]
fn the_tests_that_architecture_names_exist() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let tests: String = manifests()
        .iter()
        .flat_map(|m| rust_files(m.parent().unwrap()))
        .map(|p| fs::read_to_string(p).unwrap())
        .collect();
    let python: String = ["tests/integration", "tests/e2e", "tests/rig"]
        .iter()
        .flat_map(|folder| fs::read_dir(root().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "py"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let is_test = |word: &&str| {
        word.matches('_').count() > 2 && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    let named: Vec<_> = text.split('`').skip(1).step_by(2).filter(is_test).collect();
    assert!(named.len() > 15, "{named:?}");
    for name in named {
        let there = tests.contains(&format!("fn {name}(")) || python.contains(&format!("def {name}("));
        assert!(there, "ARCHITECTURE.md names {name}, which does not exist");
    }
}

#[test]
fn the_paths_that_the_documents_name_exist() {
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "SECURITY.md",
        "docs/contracts.md",
        "docs/operations.md",
        "docs/benchmarks.md",
        "charts/deputy/README.md",
        "tests/e2e/README.md",
        "tests/rig/README.md",
    ] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let folder = root().join(document).parent().unwrap().to_owned();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|l| !l.starts_with("http") && !l.starts_with('#')) {
            assert!(folder.join(link).exists(), "{document} links to {link}");
        }
        let starts = [
            "crates/",
            "src/",
            "tests/",
            "hack/",
            "docs/",
            "charts/",
            "examples/",
        ];
        let named = text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|w| starts.iter().any(|s| w.starts_with(s)));
        for path in named.filter(|p| !p.contains([' ', '*', '<'])) {
            assert!(root().join(path).exists(), "{document} names {path}");
        }
    }
}
