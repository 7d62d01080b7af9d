//! Policies of 2008.

use serde_json::Value;

/// Whether a policy is in the language of 2008, which AWS reads it in, too, where it says no version.
pub fn is_old(document: &Value) -> bool {
    document.is_object()
        && document
            .get("Version")
            .is_none_or(|version| version == "2008-10-17")
}

/// A policy in the language of today: without `${`, which is a variable in this one alone, it means the same.
pub fn of_today(mut document: Value) -> Value {
    if is_old(&document)
        && !document.to_string().contains("${")
        && let Some(members) = document.as_object_mut()
    {
        members.insert("Version".to_owned(), "2012-10-17".into());
    }
    document
}
