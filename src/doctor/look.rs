//! What checks look at objects with.

use serde_json::Value;

use super::{finding::DoctorFinding, snapshot::DoctorSnapshot};

/// An object's name; none of an object is without one.
pub fn name(object: &Value) -> &str {
    object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A list of it; empty where there is none.
pub fn list<'v>(object: &'v Value, pointer: &str) -> &'v [Value] {
    let list = object.pointer(pointer).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// A text of it; empty where there is none.
pub fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// What to do about a part of the release that is not where it is looked for.
pub fn where_it_is(snapshot: &DoctorSnapshot) -> String {
    format!(
        "install the chart into namespace {}, or say by --namespace where it is",
        snapshot.namespace
    )
}

/// What `with` finds of an object that has to be there.
pub fn of_object(
    snapshot: &DoctorSnapshot,
    kind: &'static str,
    name: &str,
    fix: &str,
    with: impl FnOnce(&Value) -> Vec<DoctorFinding>,
) -> Vec<DoctorFinding> {
    let title = format!("{kind} {name}");
    match snapshot.object(kind, name) {
        Err(why) => vec![DoctorFinding::unknown(&title, why)],
        Ok(None) => vec![DoctorFinding::error(&title, "it is not there", fix)],
        Ok(Some(object)) => with(object),
    }
}
