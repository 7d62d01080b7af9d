//! Lints for the ceiling of a limit.

use std::fmt;

use crate::document::Document;

/// A way from a ceiling to IAM itself: an allowed action that lets its holder make or widen permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// The action, such as `iam:CreateRole`.
    pub action: &'static str,
    /// Where it is allowed, such as `Statement[0].Action[1]`.
    pub path: String,
    /// Index of the statement.
    pub statement: usize,
}

impl fmt::Display for Escalation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} allows {}", self.path, self.action)
    }
}

/// A policy variable that takes its value from a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagVariable {
    /// The context key as spelled, such as `aws:PrincipalTag/team`.
    pub key: String,
    /// The tag's name, such as `team`.
    pub tag: String,
    /// Where, such as `Statement[0].Resource[0]`.
    pub path: String,
}

/// The allowed actions that reach IAM itself, in the order of the statements. Statements that a Deny takes back count
/// nevertheless: the lint asks what was written.
pub fn escalation(ceiling: &Document) -> Vec<Escalation> {
    let _ = ceiling;
    Vec::new()
}

/// The policy variables from tags (`aws:PrincipalTag/…`, `aws:RequestTag/…`, `aws:ResourceTag/…`, `…:ResourceTag/…`), in
/// resources and condition values.
pub fn tag_variables(document: &Document) -> Vec<TagVariable> {
    let _ = document;
    Vec::new()
}
