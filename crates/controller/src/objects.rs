//! Reading and writing our objects without trusting their shape: an object that its type can't hold is still there.

use deputy_delegation::{NamespaceName, Reason, Violation, Violations};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::{ClusterResourceScope, NamespaceResourceScope},
};
use serde::de::DeserializeOwned;
use serde_json::json;

/// Objects of a namespaced kind.
pub fn namespaced<K>(client: &Client, namespace: &NamespaceName) -> Api<DynamicObject>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    Api::namespaced_with(client.clone(), namespace.as_str(), &ApiResource::erase::<K>(&()))
}

/// Objects of a cluster-scoped kind.
pub fn cluster_wide<K>(client: &Client) -> Api<DynamicObject>
where
    K: Resource<DynamicType = (), Scope = ClusterResourceScope>,
{
    Api::all_with(client.clone(), &ApiResource::erase::<K>(&()))
}

/// Reads an object as `K` and then by `parse`.
///
/// # Errors
/// Every violation; also when it does not even have the shape of its kind.
pub fn parse<K: DeserializeOwned, T>(
    object: &DynamicObject,
    parse: impl FnOnce(&K) -> Result<T, Violations>,
) -> Result<T, Violations> {
    let typed: Result<K, _> = serde_json::to_value(object).and_then(serde_json::from_value);
    match typed {
        Ok(typed) => parse(&typed),
        Err(e) => Err(Violation::new(Reason::Structure, "spec", e.to_string()).into()),
    }
}

/// The status of an object; the empty one if there is none that can be read.
#[must_use]
pub fn status_of<S: DeserializeOwned + Default>(object: &DynamicObject) -> S {
    object
        .data
        .get("status")
        .and_then(|status| S::deserialize(status).ok())
        .unwrap_or_default()
}

/// Whether an AWSRole or ClusterAWSRole says that its role stays in AWS; read also when the rest of it can't be.
#[must_use]
pub fn is_retained(object: &DynamicObject) -> bool {
    let policy = object.data.pointer("/spec/deletionPolicy");
    policy.and_then(serde_json::Value::as_str) == Some("Retain")
}

/// Whether a namespace is being deleted, or is gone.
///
/// # Errors
/// The API server does not answer.
pub async fn is_terminating(client: &Client, namespace: &NamespaceName) -> Result<bool, kube::Error> {
    let api: Api<Namespace> = Api::all(client.clone());
    let namespace = api.get_opt(namespace.as_str()).await?;
    Ok(namespace.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some()))
}

/// Adds or removes a finalizer, on the object as it was read. Gives the object as it is then; `None` when it is gone.
///
/// # Errors
/// Whatever the API server says: a conflict when the object has changed since it was read.
pub async fn set_finalizer(
    api: &Api<DynamicObject>,
    object: &DynamicObject,
    finalizer: &str,
    present: bool,
) -> Result<Option<DynamicObject>, kube::Error> {
    let Some(name) = object.metadata.name.as_deref() else {
        return Ok(None);
    };
    let mut finalizers = object.metadata.finalizers.clone().unwrap_or_default();
    if finalizers.iter().any(|f| f == finalizer) == present {
        return Ok(Some(object.clone()));
    }
    if present {
        finalizers.push(finalizer.to_owned());
    } else {
        finalizers.retain(|f| f != finalizer);
    }
    let patch =
        json!({"metadata": {"resourceVersion": object.metadata.resource_version, "finalizers": finalizers}});
    match api
        .patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await
    {
        Ok(written) => Ok(Some(written)),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
