//! Writing the status of an object.

use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Merges `status` into the status of `object` as it was read: two writers never mix what they found. Gives whether the object was
/// still there.
///
/// # Errors
/// Whatever the API server says: a conflict when the object has changed since it was read.
pub async fn patch_status(
    api: &Api<DynamicObject>,
    object: &DynamicObject,
    status: &impl Serialize,
) -> Result<bool, kube::Error> {
    Ok(patched_status(api, object, status).await?.is_some())
}

/// As [`patch_status`]; gives the object as it is then.
async fn patched_status(
    api: &Api<DynamicObject>,
    object: &DynamicObject,
    status: &impl Serialize,
) -> Result<Option<DynamicObject>, kube::Error> {
    let Some(name) = object.metadata.name.as_deref() else {
        return Ok(None);
    };
    let patch = json!({"metadata": {"resourceVersion": object.metadata.resource_version}, "status": status});
    match api
        .patch_status(name, &PatchParams::default(), &Patch::Merge(patch))
        .await
    {
        Ok(written) => Ok(Some(written)),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the status of `object`, which was read as `old`, to `new`; see [`patch_status`].
///
/// # Errors
/// Whatever the API server says: a conflict when the object has changed since it was read.
pub async fn replace_status(
    api: &Api<DynamicObject>,
    object: &DynamicObject,
    old: &impl Serialize,
    new: &impl Serialize,
) -> Result<bool, kube::Error> {
    Ok(replaced_status(api, object, old, new).await?.is_some())
}

/// As [`replace_status`]; gives the object as it is then, and `None` when it is gone.
///
/// # Errors
/// Whatever the API server says: a conflict when the object has changed since it was read.
pub async fn replaced_status(
    api: &Api<DynamicObject>,
    object: &DynamicObject,
    old: &impl Serialize,
    new: &impl Serialize,
) -> Result<Option<DynamicObject>, kube::Error> {
    let value = |status: Result<Value, serde_json::Error>| status.map_err(kube::Error::SerdeError);
    let (old, new) = (
        value(serde_json::to_value(old))?,
        value(serde_json::to_value(new))?,
    );
    patched_status(api, object, &replacing(&old, &new)).await
}

/// What makes `old` to `new` by a merge patch: all of `new`, and null for each member that only `old` has. A merge leaves what is not
/// named, so a member that is left out where it says nothing any more would stay for ever.
fn replacing(old: &Value, new: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return new.clone();
    };
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    let mut members: Map<String, Value> = gone.map(|key| (key.clone(), Value::Null)).collect();
    for (key, value) in new {
        let value = match old.get(key) {
            Some(before) => replacing(before, value),
            None => value.clone(),
        };
        members.insert(key.clone(), value);
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_any_more_is_taken_away() {
        let old = json!({"boundaries": [{"account": "a", "within": true}], "wouldRefuse": {"count": 2, "grants": [1]}, "same": {"x": 1}});
        let new = json!({"wouldRefuse": {"count": 0}, "same": {"x": 1}, "more": "y"});
        assert_eq!(
            replacing(&old, &new),
            json!({"boundaries": null, "wouldRefuse": {"count": 0, "grants": null}, "same": {"x": 1}, "more": "y"})
        );
        // A list is one value.
        let (old, new) = (json!({"list": [{"a": 1, "b": 2}]}), json!({"list": [{"a": 1}]}));
        assert_eq!(replacing(&old, &new), new);
    }
}
