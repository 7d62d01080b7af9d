//! The object under review: what every kind is asked about it.

use deputy_api::crds::crd;
use deputy_delegation::{Reason, Violation, Violations};
use kube::core::admission::Operation;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{kind::DeputyKind, review::Verdict};

/// An object on its way into the cluster, or out of it.
pub(super) struct ReviewedObject<'a> {
    pub(super) kind: DeputyKind,
    pub(super) operation: Operation,
    /// As it would be; as it was for a deletion.
    pub(super) object: &'a Value,
    /// As it was.
    pub(super) old: Option<&'a Value>,
    /// Whether names of other objects may be told: whoever asks has shown the object as it is stored.
    ///
    /// The API server proves itself to nobody, so anybody who reaches the webhook may ask. What is asked about an object that
    /// is there comes with its uid, a random number that only those know who may read the object.
    pub(super) tells_names: bool,
}

impl ReviewedObject<'_> {
    /// `AWSRole payments/uploader`
    pub(super) fn title(&self) -> String {
        let text = |key: &str| self.object.pointer(key).and_then(Value::as_str);
        let name = text("/metadata/name").or_else(|| text("/metadata/generateName"));
        let name = name.unwrap_or_default();
        match text("/metadata/namespace").filter(|_| self.kind.is_namespaced()) {
            Some(namespace) => format!("{} {namespace}/{name}", self.kind.name()),
            None => format!("{} {name}", self.kind.name()),
        }
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        self.object
            .get("metadata")?
            .get("annotations")?
            .get(key)?
            .as_str()
    }

    /// The object read as `K` and parsed, or the refusal.
    pub(super) fn parse<K, T>(&self, parse: impl FnOnce(&K) -> Result<T, Violations>) -> Result<T, Verdict>
    where
        K: DeserializeOwned,
    {
        let typed = K::deserialize(self.object)
            .map_err(|error| Verdict::invalid(format!("{} is invalid: {error}", self.title())))?;
        parse(&typed).map_err(|violations| Verdict::unreadable(&self.title(), &violations))
    }

    /// Fields that the definition does not know. The API server has pruned them, unless its definition is newer than this
    /// process: then they may be restrictions that would not be held.
    pub(super) fn unknown_fields(&self) -> Vec<Violation> {
        let Some(crd) = crd(self.kind.plural()) else {
            return vec![invalid("spec", "the kind has no definition")];
        };
        deputy_api::unknown::unknown_fields(crd, self.object)
            .into_iter()
            .filter(|path| path != "status" && !path.starts_with("status."))
            .map(|path| invalid(&path, "is not a field of this version, or is null"))
            .collect()
    }

    /// Fields that can't be changed: another value would be another object in AWS.
    pub(super) fn changed_fields(&self) -> Vec<Violation> {
        let fields: &[&str] = match self.kind {
            DeputyKind::Account => &["accountID", "partition"],
            DeputyKind::Role => &["accountRef"],
            DeputyKind::Binding => &["roleRef", "accountRef"],
            DeputyKind::FederatedBinding => &["accountRef", "userName"],
            DeputyKind::Statement => &["accountRef", "resourceARN"],
            DeputyKind::Limit | DeputyKind::ClusterRole => &[],
        };
        let Some(old) = self.old else { return Vec::new() };
        let of = |object: &Value, field: &str| object.get("spec").and_then(|s| s.get(field)).cloned();
        let changed = |field: &&&str| of(old, field) != of(self.object, field);
        fields
            .iter()
            .filter(changed)
            .map(|field| invalid(&format!("spec.{field}"), "can't be changed; make another object"))
            .collect()
    }
}

fn invalid(field: &str, message: &str) -> Violation {
    Violation::new(Reason::Structure, field, message)
}
