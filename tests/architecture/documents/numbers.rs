//! Numbers that documents state are those of the code.

use std::fs;

use super::page::{page, tracked};
use crate::files::root;

/// Document, what it says, and what the code says. Where both change, this line does.
const NUMBERS: &[(&str, &str, &str)] = &[
    (
        "README.md",
        "(the first 16, and how many more)",
        "MAX_LISTED: usize = 16;",
    ),
    ("README.md", "max(5, 5 %)", "FREE: usize = 5;"),
    ("README.md", "max(5, 5 %)", "FREE_PERCENT: usize = 5;"),
    ("ARCHITECTURE.md", "max(5, 5 %)", "FREE_PERCENT: usize = 5;"),
    (
        "ARCHITECTURE.md",
        "What was confirmed within 5 s",
        "FRESH: Duration = Duration::from_secs(5);",
    ),
    (
        "ARCHITECTURE.md",
        "has not proved for 30 s",
        "STALE_AFTER: Duration = Duration::from_secs(30);",
    ),
    (
        "SECURITY.md",
        "after 30 s for new sessions and after an hour for those it keeps",
        "LAST_KNOWN_FOR: Duration = Duration::from_secs(3600);",
    ),
    (
        "SECURITY.md",
        "closed after ten minutes at most",
        "age: seconds(600),",
    ),
    ("SECURITY.md", "after 24 h", "TOKEN_SECONDS: u32 = 86_400;"),
    (
        "docs/operations.md",
        "no task ran for 30 s",
        "STILL_BEATING: Duration = Duration::from_secs(30);",
    ),
    (
        "docs/operations.md",
        "none of it has ended for 180 s",
        "PATIENCE: Duration = Duration::from_secs(180);",
    ),
    (
        "docs/operations.md",
        "nothing about one kind for 30 s",
        "STALE_AFTER: Duration = Duration::from_secs(30);",
    ),
    (
        "docs/operations.md",
        "Nobody decides on what is older than 30 s",
        "STALE_AFTER: Duration = Duration::from_secs(30);",
    ),
    (
        "docs/operations.md",
        "once in ten minutes",
        "QUIET: Duration = Duration::from_secs(600);",
    ),
    (
        "docs/operations.md",
        "at most 16 in a namespace",
        "PER_NAMESPACE: usize = 16;",
    ),
    (
        "docs/operations.md",
        "60 % of what the API server waits",
        "COUNTING_SHARE: f64 = 0.6;",
    ),
    (
        "docs/operations.md",
        "looks again every ten minutes",
        "LOOK_AGAIN: Duration = Duration::from_secs(600);",
    ),
    (
        "docs/operations.md",
        "renewed before a sixth of its life is over",
        "Self::Shared => (0.1, 1.0 / 6.0),",
    ),
    (
        "docs/operations.md",
        "is noticed within 25 s",
        "WATCH_SECONDS: u32 = 20;",
    ),
    (
        "docs/operations.md",
        "is noticed within 25 s",
        "OVERDUE: Duration = Duration::from_secs(5);",
    ),
    (
        "docs/operations.md",
        "fewer than 2,304",
        "OTHER_FILES: u64 = 256;",
    ),
    (
        "docs/operations.md",
        "its 2,048 connections",
        "connections: 2048,",
    ),
    (
        "docs/operations.md",
        "10,240 characters of a role's policies",
        "ROLE_INLINE_POLICIES: usize = 10_240;",
    ),
    (
        "docs/operations.md",
        "2,048 of a session policy",
        "SESSION_POLICY: usize = 2_048;",
    ),
    (
        "docs/operations.md",
        "6,144 of a boundary",
        "MANAGED_POLICY: usize = 6_144;",
    ),
    ("docs/operations.md", "50 tags)", "TAGS: usize = 50;"),
    (
        "docs/contracts.md",
        "at most 47 characters",
        "ROLE_NAME_MAX: usize = 47;",
    ),
    (
        "docs/contracts.md",
        "at most 64 characters",
        "LIMIT_POLICY_NAME_MAX: usize = 64;",
    ),
    (
        "docs/contracts.md",
        "cut to 64 characters",
        "SESSION_NAME_MAX: usize = 64;",
    ),
    (
        "docs/contracts.md",
        "the first 80 bits in base32",
        "HASH_BYTES: usize = 10;",
    ),
    (
        "docs/contracts.md",
        "that the pod's containers use, at most 64",
        "MAX_BINDINGS: usize = 64;",
    ),
    (
        "docs/contracts.md",
        "(audience `deputy`, 86400 s",
        "TOKEN_SECONDS: u32 = 86_400;",
    ),
    (
        "docs/contracts.md",
        "5 a second in all",
        "PAUSE: Duration = Duration::from_millis(200);",
    ),
    (
        "docs/contracts.md",
        "AWS refuses the role for two minutes",
        "GRACE: Duration = Duration::from_secs(120);",
    ),
    (
        "docs/contracts.md",
        "262,144 bytes a policy",
        "MAX_TEXT_BYTES: usize = 262_144;",
    ),
    (
        "docs/contracts.md",
        "16 MiB a file",
        "MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;",
    ),
    ("docs/contracts.md", "in YAML 64 levels", "max_depth: 64,"),
    (
        "docs/contracts.md",
        "64 levels, 250,000 values",
        "MAX_VALUES: usize = 250_000;",
    ),
    ("docs/contracts.md", "1,024 documents", "max_documents: 1_024,"),
    (
        "docs/migrate.md",
        "A file may have 256 MiB",
        "MAX_BYTES: u64 = 256 * 1024 * 1024;",
    ),
    (
        "docs/migrate.md",
        "in JSON ten million values",
        "MAX_VALUES: usize = 10_000_000;",
    ),
    (
        "docs/migrate.md",
        "in YAML two million",
        "MAX_YAML_VALUES: usize = 2_000_000;",
    ),
    (
        "docs/contracts.md",
        "100,000 by way of aliases",
        "MAX_REPLAYED: usize = 100_000;",
    ),
    (
        "docs/contracts.md",
        "at most 1,048,576 bytes",
        "MAX_LINE_BYTES: usize = 1024 * 1024;",
    ),
    (
        "docs/contracts.md",
        "the same one of the same pod once a minute",
        "SAME_REFUSAL: Duration = Duration::from_secs(60);",
    ),
    (
        "crates/policy/README.md",
        "more than 262,144 bytes are refused",
        "MAX_TEXT_BYTES: usize = 262_144;",
    ),
    (
        "docs/design/0003-queue-and-lease.md",
        "nothing ends for 180 s",
        "PATIENCE: Duration = Duration::from_secs(180);",
    ),
    (
        "docs/design/0006-unreadable-is-not-absent.md",
        "within 30 s",
        "STALE_AFTER: Duration = Duration::from_secs(30);",
    ),
];

#[test]
fn the_numbers_of_documents_are_those_of_the_code() {
    let code: String = tracked()
        .iter()
        .filter(|t| t.ends_with(".rs") && (t.starts_with("crates/") || t.starts_with("src/")))
        .map(|t| fs::read_to_string(root().join(t)).unwrap_or_default())
        .collect();
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut wrong = Vec::new();
    for (document, words, definition) in NUMBERS {
        if !one_line(&page(document).text).contains(words) {
            wrong.push(format!("{document} does not say {words:?} any more"));
        }
        if !code.contains(definition) {
            wrong.push(format!(
                "{document} says {words:?}, and no code has {definition:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
