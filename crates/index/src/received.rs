//! Objects as they arrive from the API server: what an index reads of them, and nothing of what it does not.
//!
//! A third of a role on the wire, and more of a pod's metadata, is `metadata.managedFields`, which nobody here reads; and the types of kube
//! hold everything but the metadata in a tree of their own before it becomes the one that is asked for. While ten thousand objects are
//! listed that is what a process needs most of its memory for.

use std::{borrow::Cow, collections::BTreeMap, marker::PhantomData};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::{
    Resource,
    api::{DynamicObject, PartialObjectMeta},
    core::ApiResource,
};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// The metadata that an index reads.
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/>
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    finalizers: Option<Vec<String>>,
}

impl From<Metadata> for ObjectMeta {
    fn from(read: Metadata) -> Self {
        Self {
            name: read.name,
            namespace: read.namespace,
            uid: read.uid,
            resource_version: read.resource_version,
            generation: read.generation,
            creation_timestamp: read.creation_timestamp,
            deletion_timestamp: read.deletion_timestamp,
            labels: read.labels,
            annotations: read.annotations,
            finalizers: read.finalizers,
            ..Self::default()
        }
    }
}

/// An object of one of Deputy's kinds: metadata, spec and status.
#[derive(Debug, Clone)]
pub(crate) struct Received(pub(crate) DynamicObject);

impl<'de> Deserialize<'de> for Received {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Object {
            #[serde(default)]
            metadata: Metadata,
            #[serde(default)]
            spec: Value,
            #[serde(default)]
            status: Value,
        }
        let read = Object::deserialize(deserializer)?;
        let parts = [("spec", read.spec), ("status", read.status)];
        let there = parts.into_iter().filter(|(_, value)| !value.is_null());
        Ok(Self(DynamicObject {
            types: None,
            metadata: read.metadata.into(),
            data: there
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<Map<_, _>>()
                .into(),
        }))
    }
}

impl Resource for Received {
    type DynamicType = ApiResource;
    type Scope = <DynamicObject as Resource>::Scope;

    fn group(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::group(kind)
    }

    fn version(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::version(kind)
    }

    fn kind(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::kind(kind)
    }

    fn plural(kind: &ApiResource) -> Cow<'_, str> {
        DynamicObject::plural(kind)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.0.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.0.metadata
    }
}

/// The metadata of an object of a kind of Kubernetes'; the API server is asked for nothing else.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedMetadata<K> {
    pub(crate) metadata: ObjectMeta,
    kind: PhantomData<K>,
}

impl<'de, K> Deserialize<'de> for ReceivedMetadata<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Object {
            #[serde(default)]
            metadata: Metadata,
        }
        Ok(Self {
            metadata: Object::deserialize(deserializer)?.metadata.into(),
            kind: PhantomData,
        })
    }
}

impl<K: Resource> Resource for ReceivedMetadata<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn group(kind: &K::DynamicType) -> Cow<'_, str> {
        K::group(kind)
    }

    fn version(kind: &K::DynamicType) -> Cow<'_, str> {
        K::version(kind)
    }

    fn kind(kind: &K::DynamicType) -> Cow<'_, str> {
        K::kind(kind)
    }

    fn plural(kind: &K::DynamicType) -> Cow<'_, str> {
        K::plural(kind)
    }

    fn metadata_api() -> bool {
        PartialObjectMeta::<K>::metadata_api()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    use super::*;

    fn whole() -> Value {
        json!({
            "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSRole",
            "metadata": {
                "name": "uploader", "namespace": "payments", "uid": "u1", "resourceVersion": "7", "generation": 3,
                "creationTimestamp": "2026-01-02T03:04:05Z", "deletionTimestamp": "2026-02-02T03:04:05Z",
                "labels": {"team": "a"}, "annotations": {"deputy.dev/reconcile-requested-at": "now"},
                "finalizers": ["deputy.dev/iam-role"],
                "managedFields": [{"manager": "kubectl", "operation": "Apply", "apiVersion": "deputy.dev/v1alpha1",
                    "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:policies": {}}}}],
                "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "u2"}],
            },
            "spec": {"policies": [], "any": [1, null, "x"]},
            "status": {"roleARN": "arn:aws:iam::123456789012:role/x"},
        })
    }

    #[test]
    fn all_that_an_index_reads_is_there() {
        let mut expected: DynamicObject = serde_json::from_value(whole()).unwrap();
        expected.types = None;
        expected.metadata.managed_fields = None;
        expected.metadata.owner_references = None;
        let Received(read) = serde_json::from_value(whole()).unwrap();
        assert_eq!(read, expected);
        let of_pod: ReceivedMetadata<Pod> = serde_json::from_str(&whole().to_string()).unwrap();
        assert_eq!(of_pod.metadata, expected.metadata);
        assert!(
            ReceivedMetadata::<Pod>::metadata_api(),
            "nothing else is asked for"
        );
    }

    #[test]
    fn what_is_absent_or_null_is_no_error() {
        for object in [
            json!({"metadata": {"name": "x"}}),
            json!({"metadata": {"name": "x", "labels": null, "finalizers": null}, "spec": null, "status": null, "data": {"a": 1}}),
        ] {
            let Received(read) = serde_json::from_value(object).unwrap();
            let metadata = ObjectMeta {
                name: Some("x".to_owned()),
                ..ObjectMeta::default()
            };
            assert_eq!((read.metadata, read.data), (metadata, json!({})));
        }
    }

    #[test]
    fn a_spec_of_any_shape_arrives() {
        for spec in [
            json!("text"),
            json!([1, 2]),
            json!(7),
            json!({"policies": "none"}),
        ] {
            let Received(read) =
                serde_json::from_value(json!({"metadata": {"name": "x"}, "spec": spec})).unwrap();
            assert_eq!(read.data, json!({"spec": spec}));
        }
    }
}
