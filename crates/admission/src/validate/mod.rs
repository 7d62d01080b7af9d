//! Validation of Deputy's kinds: one file a kind. Pure: an object and the index give a verdict.
//!
//! What is decided here is advice to whoever writes the object, as early as it can be given. The controllers decide
//! again before every write to AWS.

mod account;
mod binding;
mod brake;
mod findings;
mod limit;
mod role;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::LazyLock};

use deputy_delegation::{Reason, Violation, Violations};
use deputy_index::Stale;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::admission::Operation;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    facts::Facts,
    review::{Request, ReviewError, Verdict},
};

/// A kind that is validated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Account,
    Limit,
    Role,
    Binding,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Account, Self::Limit, Self::Role, Self::Binding];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Account => "AWSAccount",
            Self::Limit => "DelegationLimit",
            Self::Role => "AWSRole",
            Self::Binding => "AWSRoleBinding",
        }
    }
    fn plural(self) -> &'static str {
        match self {
            Self::Account => "awsaccounts",
            Self::Limit => "delegationlimits",
            Self::Role => "awsroles",
            Self::Binding => "awsrolebindings",
        }
    }
    fn namespaced(self) -> bool {
        matches!(self, Self::Role | Self::Binding)
    }

    /// The kind that the request is about. `None` unless kind and resource both say so.
    pub(crate) fn of(request: &Request<'_>) -> Option<Self> {
        let (kind, resource) = (&request.kind, &request.resource);
        Self::ALL.into_iter().find(|k| {
            kind.group == deputy_api::GROUP
                && kind.version == deputy_api::VERSION
                && kind.kind == k.as_str()
                && resource.group == kind.group
                && resource.version == kind.version
                && resource.resource == k.plural()
        })
    }
}

/// An object on its way into the cluster, or out of it.
pub(crate) struct Subject<'a> {
    kind: Kind,
    operation: Operation,
    /// As it would be; as it was for a deletion.
    object: &'a Value,
    /// As it was.
    old: Option<&'a Value>,
    /// Whether names of other objects may be told: whoever asks has shown the object as it is stored.
    ///
    /// The API server proves itself to nobody, so anybody who reaches the webhook may ask. What is asked about an object that
    /// is there comes with its uid, a random number that only those know who may read the object.
    tells_names: bool,
}

/// Answers a request to `/validate`.
pub(crate) fn review(facts: &Facts, request: &Request<'_>) -> Result<Verdict, ReviewError> {
    let Some(kind) = Kind::of(request) else {
        return Ok(Verdict::bad_request(format!(
            "deputy does not validate kind {} ({}/{}) as resource {}.{} ({})",
            request.kind.kind,
            request.kind.group,
            request.kind.version,
            request.resource.resource,
            request.resource.group,
            request.resource.version
        )));
    };
    let (new, old) = (request.object()?, request.old_object()?);
    let object = match (&request.operation, &new, &old) {
        (Operation::Create, Some(new), _) | (Operation::Update, Some(new), Some(_)) => new,
        (Operation::Delete, _, Some(old)) => old,
        (Operation::Connect, ..) => return Ok(Verdict::bad_request("CONNECT is no operation of this kind")),
        (Operation::Create | Operation::Update | Operation::Delete, ..) => {
            return Ok(Verdict::bad_request(format!(
                "the {} request lacks the object",
                request.operation()
            )));
        }
    };
    if let Some(why) = disagreement(kind, request, object) {
        return Ok(Verdict::bad_request(why));
    }
    let subject = Subject {
        kind,
        operation: request.operation.clone(),
        object,
        old: old.as_ref(),
        tells_names: old.as_ref().is_some_and(|old| is_as_stored(kind, old, facts)),
    };
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    Ok(subject
        .review(facts)
        .about(kind.as_str(), name.unwrap_or_default()))
}

/// Whether an object has the uid of the stored one of its name.
fn is_as_stored(kind: Kind, object: &Value, facts: &Facts) -> bool {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let stored = facts.uid(kind, text("/metadata/namespace"), text("/metadata/name"));
    stored.is_some_and(|uid| !uid.is_empty() && *uid == *text("/metadata/uid"))
}

/// What the object says of itself must be what the request says of it.
fn disagreement(kind: Kind, request: &Request<'_>, object: &Value) -> Option<String> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let api_version = format!("{}/{}", deputy_api::GROUP, deputy_api::VERSION);
    if text("/kind") != Some(kind.as_str()) || text("/apiVersion") != Some(&api_version) {
        return Some(format!("the object is not an {} of {api_version}", kind.as_str()));
    }
    if !request.name.is_empty() && text("/metadata/name") != Some(request.name.as_str()) {
        return Some("the object's name is not the request's".to_owned());
    }
    if kind.namespaced() && text("/metadata/namespace") != request.namespace.as_deref() {
        return Some("the object's namespace is not the request's".to_owned());
    }
    None
}

impl Subject<'_> {
    fn review(&self, facts: &Facts) -> Verdict {
        if self.operation == Operation::Delete {
            if let Err(stale) = facts.current() {
                return not_known(&stale);
            }
            return match self.kind {
                Kind::Account => account::delete(self, facts),
                Kind::Limit => limit::delete(self, facts),
                Kind::Role | Kind::Binding => Verdict::allow(),
            };
        }
        if let Some(old) = self.old
            && old.get("spec") == self.object.get("spec")
        {
            // Finalizers, labels, status: nothing that is decided about changes.
            return Verdict::allow().audit("decision", "spec unchanged");
        }
        // A limit limits until it is gone; the others grant nothing once they are on their way out.
        if self.kind != Kind::Limit && self.object.pointer("/metadata/deletionTimestamp").is_some() {
            return Verdict::allow().audit("decision", "being deleted");
        }
        if let Err(stale) = facts.current() {
            return not_known(&stale);
        }
        let mut violations = self.unknown_fields();
        violations.extend(self.changed_fields());
        if !violations.is_empty() {
            return Verdict::unreadable(&self.title(), &violations);
        }
        match self.kind {
            Kind::Account => account::review(self, facts),
            Kind::Limit => limit::review(self, facts),
            Kind::Role => role::review(self, facts),
            Kind::Binding => binding::review(self, facts),
        }
    }

    /// `AWSRole payments/uploader`
    fn title(&self) -> String {
        let text = |key: &str| self.object.pointer(key).and_then(Value::as_str);
        let name = text("/metadata/name").or_else(|| text("/metadata/generateName"));
        let name = name.unwrap_or_default();
        match text("/metadata/namespace").filter(|_| self.kind.namespaced()) {
            Some(namespace) => format!("{} {namespace}/{name}", self.kind.as_str()),
            None => format!("{} {name}", self.kind.as_str()),
        }
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        self.object
            .get("metadata")?
            .get("annotations")?
            .get(key)?
            .as_str()
    }

    /// The object read as `K` and parsed, or the refusal.
    fn parse<K, T>(&self, parse: impl FnOnce(&K) -> Result<T, Violations>) -> Result<T, Verdict>
    where
        K: DeserializeOwned,
    {
        let typed = K::deserialize(self.object)
            .map_err(|error| Verdict::invalid(format!("{} is invalid: {error}", self.title())))?;
        parse(&typed).map_err(|violations| Verdict::unreadable(&self.title(), &violations))
    }

    /// Fields that the definition does not know. The API server has pruned them, unless its definition is newer than this
    /// process: then they may be restrictions that would not be held.
    fn unknown_fields(&self) -> Vec<Violation> {
        let Some(crd) = CRDS.get(self.kind.plural()) else {
            return vec![invalid("spec", "the kind has no definition")];
        };
        deputy_api::unknown::unknown_fields(crd, self.object)
            .into_iter()
            .filter(|path| path != "status" && !path.starts_with("status."))
            .map(|path| invalid(&path, "is not a field of this version, or is null"))
            .collect()
    }

    /// Fields that can't be changed: another value would be another object in AWS.
    fn changed_fields(&self) -> Vec<Violation> {
        let fields: &[&str] = match self.kind {
            Kind::Account => &["accountID", "partition"],
            Kind::Role => &["accountRef"],
            Kind::Binding => &["roleRef"],
            Kind::Limit => &[],
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

fn not_known(stale: &Stale) -> Verdict {
    Verdict::failed(format!("deputy can't decide: {stale}; try again"))
}

fn invalid(field: &str, message: &str) -> Violation {
    Violation::new(Reason::Structure, field, message)
}

/// The definitions; made once, because that takes a while.
static CRDS: LazyLock<HashMap<String, CustomResourceDefinition>> = LazyLock::new(|| {
    deputy_api::crds::crds()
        .into_iter()
        .map(|crd| (crd.spec.names.plural.clone(), crd))
        .collect()
});
