//! What lint says, and what it does not say, rule by rule.

#![expect(clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod actions;
mod bounds;
mod keys;
mod resources;
mod template;
mod tenant;

use deputy_policy::{Code, Document, Lint, PolicyKind, lint};
use serde_json::{Value, json};

/// The findings of a policy with these statements.
fn findings(kind: PolicyKind, statements: &Value) -> Vec<Lint> {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let document = Document::parse(&text, kind).unwrap_or_else(|problem| panic!("{text}: {problem}"));
    lint(&document, Some(&text))
}

/// The findings of one name in an identity policy of one statement.
fn found(code: Code, statement: &Value) -> Vec<Lint> {
    let found = findings(PolicyKind::Identity, statement).into_iter();
    found.filter(|lint| lint.code == code).collect()
}

/// The names of all findings in an identity policy of one statement.
fn codes(statement: &Value) -> Vec<Code> {
    let found = findings(PolicyKind::Identity, statement).into_iter();
    found.map(|lint| lint.code).collect()
}
