//! What the status of an object says that is not as it should be.

use serde_json::Value;

use super::ReadObject;

/// Conditions that say something is wrong when they are True.
const WRONG_WHEN_TRUE: [&str; 2] = ["CappedByBoundary", "PrincipalReplaced"];

/// A condition; what it does not say is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusCondition<'a> {
    /// `Ready`
    pub of: &'a str,
    /// `True`, `False` or `Unknown`.
    pub status: &'a str,
    pub reason: &'a str,
    pub message: &'a str,
}

/// The conditions of an object's status.
pub fn conditions(object: &Value) -> impl Iterator<Item = StatusCondition<'_>> {
    let all = object.pointer("/status/conditions").and_then(Value::as_array);
    all.into_iter().flatten().map(|condition| {
        let text = |key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default();
        StatusCondition {
            of: text("type"),
            status: text("status"),
            reason: text("reason"),
            message: text("message"),
        }
    })
}

/// The conditions of an object that do not hold, those that say the same as another one once: what is not accepted is the cause of all that
/// comes after it for the same reason. `Ready` sums up: what has a cause of its own is told by that one, which comes first.
pub fn unmet(object: &ReadObject) -> Vec<StatusCondition<'_>> {
    let all = conditions(&object.value);
    let wrong = all.filter(|one| (one.status == "True") == WRONG_WHEN_TRUE.contains(&one.of));
    let (ready, mut others): (Vec<_>, Vec<_>) = wrong.partition(|one| one.of == "Ready");
    others.sort_by_key(|one| one.of != "Accepted");
    let mut found: Vec<StatusCondition<'_>> = Vec::new();
    for one in others.into_iter().chain(ready) {
        let is_told = |told: &StatusCondition<'_>| {
            told.reason == one.reason && (told.message == one.message || told.of == "Accepted")
        };
        if !found.iter().any(is_told) {
            found.push(one);
        }
    }
    found
}

/// That the status is about an earlier object, in a sentence.
pub fn outdated(object: &ReadObject) -> Option<String> {
    let number = |pointer: &str| object.value.pointer(pointer).and_then(Value::as_i64);
    let (seen, is) = (
        number("/status/observedGeneration")?,
        number("/metadata/generation")?,
    );
    (seen < is)
        .then(|| format!("its status is about generation {seen}, and the object is of generation {is}"))
}
