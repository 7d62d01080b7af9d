//! Every AWS managed policy is read, and contained in itself. The policies are not part of the repository: `hack/bench-data`
//! takes them from moto, `make test` runs it and demands them (`DEPUTY_MANAGED_POLICIES`).

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{fs, path::PathBuf};

use deputy_policy::{Candidate, Containment, Document, PolicyKind, check, contains};
use serde_json::{Map, Value};

/// The policies by name.
fn managed_policies() -> Option<Map<String, Value>> {
    let demanded = std::env::var_os("DEPUTY_MANAGED_POLICIES").filter(|path| !path.is_empty());
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        PathBuf::from,
    );
    let usual = target.join("bench-data/managed-policies.json");
    let path = demanded.as_ref().map_or(usual, PathBuf::from);
    match fs::read_to_string(&path) {
        Ok(text) => Some(serde_json::from_str(&text).unwrap()),
        Err(e) if demanded.is_some() => panic!("{}: {e}", path.display()),
        Err(_) => {
            eprintln!(
                "SKIPPED: {} is not there; hack/bench-data writes it",
                path.display()
            );
            None
        }
    }
}

#[test]
fn every_managed_policy_is_read_and_contained_in_itself() {
    let Some(policies) = managed_policies() else {
        return;
    };
    let mut problems = Vec::new();
    for (name, policy) in &policies {
        let document = match Document::parse(&policy.to_string(), PolicyKind::Identity) {
            Ok(document) => document,
            Err(errors) => {
                problems.push(format!("{name} is refused: {errors}"));
                continue;
            }
        };
        let again = Document::parse(&document.to_json(), PolicyKind::Identity);
        assert_eq!(again.as_ref(), Ok(&document), "{name}");
        match contains(&Candidate::new(&[&document]), &document) {
            Containment::Contained(certificate) => {
                assert_eq!(
                    check(&certificate, &Candidate::new(&[&document]), &document),
                    Ok(()),
                    "{name}"
                );
            }
            other => problems.push(format!("{name} in itself: {other:?}")),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    // The README says how many there are, and where they come from.
    let pins = include_str!("../../../hack/tools/python/moto.txt");
    let version = pins.lines().find_map(|line| line.strip_prefix("moto=="));
    let version = version.and_then(|line| line.split(' ').next()).unwrap();
    let count = policies.len();
    let sentence = format!(
        "All {},{:03} AWS managed policies that moto {version} carries",
        count / 1000,
        count % 1000
    );
    let readme = include_str!("../README.md").replace('\n', " ");
    assert!(readme.contains(&sentence), "{sentence}");
}
