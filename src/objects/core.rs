//! What stands around Deputy's objects: pods and the workloads that make them, ServiceAccounts, namespaces, events about drift.

use std::collections::HashSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::metadata;

/// What a question wants of a cluster beside Deputy's objects.
#[derive(Debug, Clone, Copy)]
pub enum WantedBeside<'a> {
    /// No more.
    Nothing,
    /// Which ServiceAccounts there are, and what was said of drift.
    Estate,
    /// A pod, NAMESPACE/NAME, else what workloads of that name make, with the ServiceAccount and the namespace.
    Pod(&'a str),
}

/// The kinds that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoreKind {
    /// A pod, also one that a workload's template would make.
    Pod,
    ServiceAccount,
    Namespace,
}

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub struct CoreObject {
    pub kind: CoreKind,
    /// `Pod`, `Deployment`…: what has the name.
    pub of: String,
    pub namespace: Option<String>,
    pub name: String,
    pub value: Value,
}

/// A reason of events about differences in AWS (docs/contracts.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriftReason {
    /// What could not be put right yet.
    Found,
    /// What was put right.
    Reverted,
}

impl DriftReason {
    /// Those that weigh most come first.
    pub const ALL: [Self; 2] = [Self::Found, Self::Reverted];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Found => "DriftFound",
            Self::Reverted => "DriftReverted",
        }
    }
}

/// What Deputy said of a difference in AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftEvent {
    /// `AWSRole payments/uploader`
    pub object: String,
    pub namespace: Option<String>,
    pub reason: DriftReason,
    pub message: String,
    pub time: Option<String>,
}

/// What an object is called: its kind, its namespace if it has one, its name.
pub fn title(kind: &str, namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

/// All that was read of them.
#[derive(Debug, Default)]
pub struct CoreObjects {
    objects: Vec<CoreObject>,
    /// Namespace and name of each ServiceAccount among them.
    accounts: HashSet<(String, String)>,
    pub drift: Vec<DriftEvent>,
    /// All ServiceAccounts of the cluster are among the objects.
    pub all_service_accounts: bool,
    /// What was wanted and could not be read, a sentence each.
    pub unread: Vec<String>,
}

impl CoreObject {
    /// The object of a document, if it is one that is looked at. `default`: the namespace of one that names none.
    pub fn of(
        version: &str,
        kind: &str,
        value: impl FnOnce() -> Value,
        default: Option<&str>,
    ) -> Option<Self> {
        let (core, template) = match (version, kind) {
            ("v1", "Pod") => (CoreKind::Pod, None),
            ("v1", "ServiceAccount") => (CoreKind::ServiceAccount, None),
            ("v1", "Namespace") => (CoreKind::Namespace, None),
            ("apps/v1", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("batch/v1", "Job") => {
                (CoreKind::Pod, Some("/spec/template"))
            }
            ("batch/v1", "CronJob") => (CoreKind::Pod, Some("/spec/jobTemplate/spec/template")),
            _ => return None,
        };
        let value = value();
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let name = text("/metadata/name")?;
        let namespace = text("/metadata/namespace").or_else(|| default.map(str::to_owned));
        let namespace = namespace.filter(|_| core != CoreKind::Namespace);
        let value = match template {
            None => value,
            Some(pointer) => pod_of(value.pointer(pointer)?, &name, namespace.as_deref()),
        };
        Some(Self {
            kind: core,
            of: kind.to_owned(),
            namespace,
            name,
            value,
        })
    }

    /// `Pod payments/uploader`
    pub fn title(&self) -> String {
        title(&self.of, self.namespace.as_deref(), &self.name)
    }

    /// Its metadata; `None` where they can't be read, such as labels that are no text.
    pub fn meta(&self) -> Option<ObjectMeta> {
        let metadata = self.value.get("metadata").cloned()?;
        serde_json::from_value(metadata).ok()
    }

    /// All that is wrong with its labels and annotations, which an API server would refuse.
    pub fn mistakes(&self) -> Vec<String> {
        let found = metadata::faults(&self.value).into_iter();
        found
            .map(|fault| format!("{}: {}", fault.field, fault.message))
            .collect()
    }

    /// Whether it is of this kind, namespace and name.
    fn is(&self, kind: CoreKind, namespace: Option<&str>, name: &str) -> bool {
        self.kind == kind && self.name == name && self.namespace.as_deref() == namespace
    }
}

/// The pod that a template makes, under the name of its workload.
fn pod_of(template: &Value, name: &str, namespace: Option<&str>) -> Value {
    let mut metadata = template.get("metadata").cloned().unwrap_or_else(|| json!({}));
    if let Value::Object(metadata) = &mut metadata {
        metadata.insert("name".to_owned(), name.into());
        metadata.extend(namespace.map(|namespace| ("namespace".to_owned(), namespace.into())));
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template.get("spec")})
}

impl CoreObjects {
    /// These take the place of those of one name.
    pub fn put(&mut self, objects: Vec<CoreObject>) {
        for object in objects {
            if let (CoreKind::ServiceAccount, Some(namespace)) = (object.kind, &object.namespace) {
                let key = (namespace.clone(), object.name.clone());
                if self.accounts.insert(key) {
                    self.objects.push(object);
                    continue;
                }
            }
            let (kind, namespace, name) = (object.kind, object.namespace.as_deref(), object.name.as_str());
            self.objects
                .retain(|old| !(old.is(kind, namespace, name) && old.of == object.of));
            self.objects.push(object);
        }
    }

    /// Whether a ServiceAccount is known not to be there.
    pub fn lacks_service_account(&self, namespace: &str, name: &str) -> bool {
        let key = (namespace.to_owned(), name.to_owned());
        self.all_service_accounts && !self.accounts.contains(&key)
    }

    /// The objects of a kind, namespace and name: of pods there may be several, a pod and a workload of one name.
    pub fn all<'a>(
        &'a self,
        kind: CoreKind,
        namespace: Option<&'a str>,
        name: &'a str,
    ) -> impl Iterator<Item = &'a CoreObject> {
        self.objects
            .iter()
            .filter(move |object| object.is(kind, namespace, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pod_of_a_workload_has_the_name_of_the_workload() {
        let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"serviceAccountName": "s"}});
        let cron =
            json!({"metadata": {"name": "w"}, "spec": {"jobTemplate": {"spec": {"template": template}}}});
        let one = CoreObject::of("batch/v1", "CronJob", || cron, Some("payments")).unwrap();
        assert_eq!(one.title(), "CronJob payments/w");
        assert_eq!(one.value.pointer("/metadata/namespace"), Some(&"payments".into()));
        assert_eq!(one.value.pointer("/spec/serviceAccountName"), Some(&"s".into()));
        assert!(CoreObject::of("v1", "ConfigMap", || json!({"metadata": {"name": "x"}}), None).is_none());
    }
}
