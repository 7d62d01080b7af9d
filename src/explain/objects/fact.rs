//! The words of an answer.

use serde::Serialize;

/// One thing that is said: a contract (docs/contracts.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedFact {
    pub what: &'static str,
    pub is: String,
}

/// An object and what is said of it: a contract (docs/contracts.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedObject {
    pub object: String,
    pub facts: Vec<ExplainedFact>,
}
