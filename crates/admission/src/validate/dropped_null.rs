//! A null that `kubectl apply` took out before it sent the object.
//!
//! A template that renders `session.policy:` with nothing behind it did not mean "all of the role", and null is refused there. But kubectl
//! drops every null of what it creates, and by its patch a null takes away what was there: what arrives says nothing. What was in
//! the file is in the annotation in which kubectl keeps it.

use deputy_api::crds::NULL_KEPT;
use serde_json::{Map, Value};

use super::object::ReviewedObject;
use crate::kind::DeputyKind;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// What the API server takes of all annotations of an object, in bytes.
const MAX_ANNOTATION: usize = 262_144;

/// The object with the null that was dropped; `None`: nothing was, as far as can be read. An annotation that did not change with the object
/// is of another time.
pub(super) fn restored(reviewed: &ReviewedObject<'_>) -> Option<Value> {
    if reviewed.kind != DeputyKind::Binding {
        return None;
    }
    let applied = annotation(reviewed.object).filter(|text| text.len() <= MAX_ANNOTATION)?;
    if reviewed.old.and_then(annotation) == Some(applied) {
        return None;
    }
    let has_policy = NULL_KEPT
        .last()
        .and_then(|path| at(reviewed.object, path))
        .is_some_and(|policy| !policy.is_null());
    if has_policy {
        return None;
    }
    let applied: Value = serde_json::from_str(applied).ok()?;
    let path = NULL_KEPT
        .iter()
        .find(|path| at(&applied, path).is_some_and(Value::is_null))?;
    let mut object = reviewed.object.clone();
    put_null(&mut object, path);
    Some(object)
}

fn annotation(object: &Value) -> Option<&str> {
    at(object, &["metadata", "annotations", LAST_APPLIED])?.as_str()
}

fn at<'v>(object: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(object, |value, name| value.get(name))
}

fn put_null(object: &mut Value, path: &[&str]) {
    let Some((name, rest)) = path.split_first() else {
        *object = Value::Null;
        return;
    };
    if let Value::Object(fields) = object {
        let field = fields.entry(*name).or_insert_with(|| Map::new().into());
        put_null(field, rest);
    }
}
