//! What documents may name although it is not there.

use super::page::{Page, pages};

/// Document, what it names, and why that is right.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "docs/roles-anywhere.md",
        "CERTIFICATE_BUNDLE",
        "a value of the AWS command line, in its spelling",
    ),
    ("CHANGELOG.md", "", "it tells what was, too"),
    (
        "docs/releasing.md",
        "provenance.intoto.json",
        "a file of a release, which hack/release makes",
    ),
    (
        "docs/releasing.md",
        "release.json",
        "a file of a release, which hack/release makes",
    ),
    (
        "docs/tutorial-platform.md",
        "account.yaml",
        "a file that the reader writes",
    ),
    (
        "docs/tutorial-platform.md",
        "team.yaml",
        "a file that the reader writes",
    ),
    (
        "docs/tutorial-platform.md",
        "CAPABILITY_NAMED_IAM",
        "a value of the AWS command line, in its spelling",
    ),
    (
        "docs/contracts.md",
        "deputy.dev/",
        "the prefix of annotations, no folder",
    ),
    (
        "docs/operations.md",
        "RLIMIT_NOFILE",
        "the kernel's name, which the code has from a library",
    ),
    (
        "docs/compatibility.md",
        "MissingCredentialsError",
        "an error of an SDK, in its spelling",
    ),
    (
        "docs/compatibility.md",
        "NoRegionError",
        "an error of an SDK, in its spelling",
    ),
    (
        "docs/operations.md",
        "LimitNOFILE",
        "a setting of the container runtime's unit",
    ),
];

/// Whether a document may name `what`.
pub fn is_excepted(document: &str, what: &str) -> bool {
    EXCEPTIONS
        .iter()
        .any(|(page, code, _)| *page == document && (code.is_empty() || *code == what))
}

#[test]
fn the_exceptions_are_few_and_in_use() {
    assert!(EXCEPTIONS.len() <= 20, "mend the documents instead");
    for (document, code, reason) in EXCEPTIONS {
        assert!(!reason.is_empty());
        let names = |p: &Page| p.path == *document && (code.is_empty() || p.code().any(|c| c.contains(code)));
        assert!(
            pages().iter().any(names),
            "{document} does not name {code} any more"
        );
    }
}
