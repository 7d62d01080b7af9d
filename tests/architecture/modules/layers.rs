//! The layers of the policy engine: data below meaning, meaning below comparison.

use super::Graph;

/// What each part of `crates/policy/src` may import. A part is a file or folder there, or in `contain/`; it imports only what
/// stands above it in this list. The checker knows the certificate and nothing of how it was found.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("work", &[]),
    ("context", &[]),
    ("helm", &[]),
    ("reference", &[]),
    ("ast", &[]),
    ("keys", &["reference"]),
    ("pattern", &["work", "context", "reference", "ast", "keys"]),
    ("condition", &["work", "context", "ast", "pattern"]),
    ("principal", &["text", "context", "ast"]),
    ("compiled", &["ast", "pattern", "condition", "principal"]),
    (
        "document",
        &[
            "text",
            "helm",
            "ast",
            "pattern",
            "condition",
            "principal",
            "compiled",
        ],
    ),
    ("impossible", &["work", "reference", "ast", "pattern", "document"]),
    (
        "evaluate",
        &[
            "text",
            "work",
            "context",
            "ast",
            "pattern",
            "condition",
            "principal",
            "compiled",
            "document",
        ],
    ),
    (
        "session",
        &["text", "context", "principal", "document", "evaluate"],
    ),
    ("contain/bits", &[]),
    ("contain/certificate", &["pattern", "document", "contain/bits"]),
    ("contain/candidate", &["document"]),
    (
        "contain/answer",
        &["context", "principal", "document", "contain/certificate"],
    ),
    (
        "contain/check",
        &[
            "work",
            "reference",
            "ast",
            "keys",
            "pattern",
            "condition",
            "compiled",
            "document",
            "contain/bits",
            "contain/certificate",
            "contain/candidate",
        ],
    ),
    ("contain/cover", &["work", "pattern", "compiled", "document"]),
    (
        "contain/search",
        &[
            "work",
            "reference",
            "keys",
            "pattern",
            "condition",
            "principal",
            "compiled",
            "contain/bits",
            "contain/certificate",
            "contain/cover",
        ],
    ),
    (
        "contain/probe",
        &[
            "work",
            "context",
            "reference",
            "ast",
            "keys",
            "pattern",
            "condition",
            "principal",
            "compiled",
            "document",
            "evaluate",
            "contain/answer",
            "contain/cover",
            "contain/search",
        ],
    ),
    (
        "contain/prove",
        &[
            "work",
            "ast",
            "document",
            "contain/bits",
            "contain/certificate",
            "contain/answer",
            "contain/cover",
            "contain/search",
            "contain/probe",
        ],
    ),
    ("contain/testing", &["contain/certificate"]),
    (
        "contain",
        &["work", "ast", "document", "contain/check", "contain/prove"],
    ),
    (
        "seal",
        &["work", "ast", "pattern", "compiled", "document", "contain/cover"],
    ),
    (
        "lint",
        &[
            "text",
            "work",
            "context",
            "helm",
            "reference",
            "ast",
            "keys",
            "pattern",
            "condition",
            "principal",
            "compiled",
            "document",
            "contain/candidate",
            "contain/answer",
            "contain/cover",
            "contain",
        ],
    ),
];

/// The part to which a file belongs.
fn part(path: &str) -> String {
    let inside = path.strip_prefix("crates/policy/src/").unwrap();
    let mut names = inside.split('/').map(|name| name.trim_end_matches(".rs"));
    let first = names.next().unwrap();
    match names.next().filter(|name| first == "contain" && *name != "mod") {
        Some(second) => format!("{first}/{second}"),
        None => first.to_owned(),
    }
}

#[test]
fn each_part_of_the_engine_imports_only_what_is_below_it() {
    let known = |name: &str| MAY_IMPORT.iter().position(|(part, _)| *part == name);
    for (at, (part, imports)) in MAY_IMPORT.iter().enumerate() {
        for import in *imports {
            let below = known(import).is_some_and(|other| other < at);
            assert!(
                below,
                "{part} may not import {import}, which does not stand above it here"
            );
        }
    }
    let mut wrong = Vec::new();
    let mut used = vec![Vec::new(); MAY_IMPORT.len()];
    for (from, to) in Graph::of("crates/policy/src").arrows() {
        let (importer, imported) = (part(from), part(to));
        if from.ends_with("src/lib.rs") || importer == imported {
            continue;
        }
        match known(&importer) {
            Some(at) if MAY_IMPORT[at].1.contains(&imported.as_str()) => used[at].push(imported),
            _ => wrong.push(format!("{from} imports {to}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for ((part, imports), used) in MAY_IMPORT.iter().zip(used) {
        for import in *imports {
            assert!(
                used.iter().any(|u| u == import),
                "{part} imports nothing of {import}"
            );
        }
    }
}

#[test]
fn the_checker_knows_nothing_of_the_search() {
    let (_, imports) = MAY_IMPORT
        .iter()
        .find(|(part, _)| *part == "contain/check")
        .unwrap();
    for part in ["search", "probe", "prove", "cover"] {
        let of_search = format!("contain/{part}");
        assert!(
            MAY_IMPORT.iter().any(|(known, _)| *known == of_search),
            "{part} has another name"
        );
        assert!(!imports.contains(&of_search.as_str()), "{part}");
    }
}
