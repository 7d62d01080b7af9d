//! One JSON object: a contract (docs/contracts.md).

use serde_json::json;

use crate::diff::compare::ObjectDifference;

pub fn json(found: &[ObjectDifference]) -> String {
    format!("{:#}\n", json!({ "objects": found }))
}
