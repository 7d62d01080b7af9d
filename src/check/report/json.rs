//! One JSON object: a contract (docs/contracts.md).

use serde_json::{Value, json};

use crate::check::answer::{CheckAnswer, CheckedStatus};

/// The answer for programs.
pub fn json(answer: &CheckAnswer) -> Value {
    let mut summary = serde_json::Map::new();
    for status in CheckedStatus::ALL {
        summary.insert(status.as_str().to_owned(), answer.count(status).into());
    }
    summary.insert("passedOver".to_owned(), answer.passed_over.into());
    json!({ "objects": answer.objects, "summary": summary })
}
