//! Validation of Deputy's kinds: one file a kind. Pure: an object and the index give a verdict.
//!
//! What is decided here is advice to whoever writes the object, as early as it can be given. The controllers decide
//! again before every write to AWS.

mod absent;
mod account;
mod binding;
mod blast_radius;
mod cluster_role;
mod dropped_null;
mod federated;
mod keys;
mod limit;
mod lints;
mod listed;
mod named;
mod object;
mod overlap;
mod role;
mod shadowed;
mod statement;

#[cfg(test)]
mod tests;

use deputy_index::Stale;
use kube::core::admission::Operation;
use serde_json::{Value, value::RawValue};

use self::object::ReviewedObject;
pub use self::{blast_radius::ACCEPT_SUSPENDING, role::is_awaiting};
use crate::{
    facts::Facts,
    kind::DeputyKind,
    review::{ReviewError, ReviewRequest, Verdict},
};

/// Answers a request to `/validate`.
pub(crate) fn review(facts: &Facts, request: &ReviewRequest<&RawValue>) -> Result<Verdict, ReviewError> {
    let Some(kind) = DeputyKind::from_request(request) else {
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
    let reviewed = ReviewedObject {
        kind,
        operation: request.operation.clone(),
        object,
        old: old.as_ref(),
        tells_names: old.as_ref().is_some_and(|old| is_as_stored(kind, old, facts)),
    };
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    let verdict = decide(&reviewed, facts);
    let verdict = match reviewed.operation {
        Operation::Delete => verdict,
        _ => keys::warn(&reviewed, verdict),
    };
    Ok(verdict.about(kind.name(), name.unwrap_or_default()))
}

/// Whether an object has the uid of the stored one of its name.
fn is_as_stored(kind: DeputyKind, object: &Value, facts: &Facts) -> bool {
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
fn disagreement(kind: DeputyKind, request: &ReviewRequest<&RawValue>, object: &Value) -> Option<String> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let api_version = format!("{}/{}", deputy_api::GROUP, deputy_api::VERSION);
    if text("/kind") != Some(kind.name()) || text("/apiVersion") != Some(&api_version) {
        return Some(format!("the object is not an {} of {api_version}", kind.name()));
    }
    if !request.name.is_empty() && text("/metadata/name") != Some(request.name.as_str()) {
        return Some("the object's name is not the request's".to_owned());
    }
    if kind.is_namespaced() && text("/metadata/namespace") != request.namespace.as_deref() {
        return Some("the object's namespace is not the request's".to_owned());
    }
    None
}

/// The verdict on an object, by its kind.
fn decide(object: &ReviewedObject<'_>, facts: &Facts) -> Verdict {
    if object.operation == Operation::Delete {
        return delete(object, facts);
    }
    if let Some(old) = object.old
        && old.get("spec") == object.object.get("spec")
    {
        // Finalizers, labels, status: nothing that is decided about changes.
        return Verdict::allow().audit("decision", "spec unchanged");
    }
    // A limit limits until it is gone; the others grant nothing once they are on their way out.
    if object.kind != DeputyKind::Limit && object.object.pointer("/metadata/deletionTimestamp").is_some() {
        return Verdict::allow().audit("decision", "being deleted");
    }
    if let Err(stale) = facts.current() {
        return not_known(&stale);
    }
    let Some(restored) = dropped_null::restored(object) else {
        return judge(object, facts);
    };
    let object = ReviewedObject {
        kind: object.kind,
        operation: object.operation.clone(),
        object: &restored,
        old: object.old,
        tells_names: object.tells_names,
    };
    judge(&object, facts)
}

/// The verdict on an object that is to go. Of an account, a limit and a ClusterAWSRole it may be a no, and then has to be known; what is in a
/// namespace may always go.
fn delete(object: &ReviewedObject<'_>, facts: &Facts) -> Verdict {
    let guarded = match object.kind {
        DeputyKind::Account => account::delete,
        DeputyKind::Limit => limit::delete,
        DeputyKind::ClusterRole => cluster_role::delete,
        DeputyKind::Role | DeputyKind::Binding | DeputyKind::FederatedBinding | DeputyKind::Statement => {
            return named::warn(object, facts, Verdict::allow().audit("decision", "deleted"));
        }
    };
    match facts.current_for_deletion(object.kind) {
        Ok(()) => guarded(object, facts),
        Err(stale) => not_known(&stale),
    }
}

/// The verdict on an object that nobody applies: what it would be if somebody did, in a cluster that is known however old that is.
pub(crate) fn unasked(kind: DeputyKind, object: &Value, old: Option<&Value>, facts: &Facts) -> Verdict {
    let operation = match old {
        Some(_) => Operation::Update,
        None => Operation::Create,
    };
    let reviewed = ReviewedObject {
        kind,
        operation,
        object,
        old,
        // Whoever asks holds the objects.
        tells_names: true,
    };
    let verdict = judge(&reviewed, facts);
    // Also of one that is stored like this: whoever asks looks at all of it.
    keys::warn(
        &ReviewedObject {
            old: None,
            ..reviewed
        },
        verdict,
    )
}

/// The verdict on an object that is made or changed, by its kind.
fn judge(object: &ReviewedObject<'_>, facts: &Facts) -> Verdict {
    let mut violations = object.unknown_fields();
    violations.extend(object.changed_fields());
    if !violations.is_empty() {
        return Verdict::unreadable(&object.title(), &violations);
    }
    match object.kind {
        DeputyKind::Account => account::review(object, facts),
        DeputyKind::Limit => limit::review(object, facts),
        DeputyKind::Role => role::review(object, facts),
        DeputyKind::ClusterRole => cluster_role::review(object, facts),
        DeputyKind::Binding => binding::review(object, facts),
        DeputyKind::FederatedBinding => federated::review(object, facts),
        DeputyKind::Statement => statement::review(object, facts),
    }
}

fn not_known(stale: &Stale) -> Verdict {
    Verdict::failed(format!("deputy can't decide: {stale}; try again"))
}
