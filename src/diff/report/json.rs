//! One JSON object: a contract (docs/contracts.md).

use serde_json::json;

use crate::diff::compare::DiffAnswer;

pub fn json(answer: &DiffAnswer) -> String {
    let (old, new) = answer.passed_over;
    let answer = json!({ "objects": answer.objects, "passedOver": { "old": old, "new": new } });
    format!("{answer:#}\n")
}
