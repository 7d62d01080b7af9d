//! Writing the status of an object.

use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
};
use serde::Serialize;
use serde_json::json;

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
    let Some(name) = object.metadata.name.as_deref() else {
        return Ok(false);
    };
    let patch = json!({"metadata": {"resourceVersion": object.metadata.resource_version}, "status": status});
    match api
        .patch_status(name, &PatchParams::default(), &Patch::Merge(patch))
        .await
    {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}
