//! Documents as JSON.

use serde_json::Value;

/// The statements of a document, which may have only one.
pub fn statements(document: &Value) -> Vec<&Value> {
    match &document["Statement"] {
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    }
}

/// A string or a list of strings; numbers and booleans as they are written.
pub fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}
