//! What lint says, and what it does not say, rule by rule.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod tenant;

use deputy_policy::{Document, Lint, PolicyKind, lint};
use serde_json::{Value, json};

/// The findings of a policy with these statements.
fn findings(kind: PolicyKind, statements: &Value) -> Vec<Lint> {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let document = Document::parse(&text, kind).unwrap_or_else(|problem| panic!("{text}: {problem}"));
    lint(&document, Some(&text))
}
