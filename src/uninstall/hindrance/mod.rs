//! Why an IAM role would not stay when its object goes, as `deputy controller` decides it then. Pure.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use deputy_admission::DeputyKind;
use deputy_delegation::{ClusterName, NamespaceName, ObjectName, decide::may_be_retained, model::LimitEntry};
use deputy_index::{Index, ResourceKind};
use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::Value;

use super::left::LeftObjects;
use crate::exit::Failure;

/// The limits, read as `deputy controller` reads them.
///
/// # Errors
/// Never: the name of a cluster that nobody asks for is one.
pub fn limits(left: &LeftObjects) -> Result<Arc<Index>, Failure> {
    let cluster = ClusterName::new("uninstall").map_err(Failure::error)?;
    let index = Arc::new(Index::new(cluster));
    index.reset(
        ResourceKind::Limits,
        left.of_kind(DeputyKind::Limit).iter().cloned(),
    );
    Ok(index)
}

/// Why an IAM role of an object would not stay, or not be shut, when its object goes. `deputy controller` asks the same of the limits then, and
/// nothing of the object's conditions or of what the webhook said.
pub fn hindrance(
    limits: &Index,
    accounts: &[DynamicObject],
    kind: DeputyKind,
    object: &DynamicObject,
) -> Option<String> {
    for place in places(kind, object) {
        let Some((namespace, account)) = place else {
            return Some(
                "its namespace or AWSAccount can't be read, so it is not known whether it may stay"
                    .to_owned(),
            );
        };
        if accounts.iter().all(|known| known.name_any() != account.as_str()) {
            return Some(format!(
                "there is no AWSAccount {account}, so nobody can shut its IAM role"
            ));
        }
        let applying = limits.limits_of(&namespace, &account);
        if may_be_retained(&applying, &namespace, &account) {
            continue;
        }
        let names: Vec<_> = applying
            .iter()
            .filter(|entry| matches!(entry, LimitEntry::Valid(limit) if !limit.allow_retain))
            .map(|entry| entry.name().as_str())
            .collect();
        return Some(if names.is_empty() {
            format!(
                "no DelegationLimit applies to namespace {namespace} in AWSAccount {account}, so its IAM role would be deleted"
            )
        } else {
            format!(
                "in namespace {namespace} and AWSAccount {account} its IAM role would be deleted: roles.allowRetain is not true in DelegationLimit {}",
                names.join(", ")
            )
        });
    }
    None
}

/// Where an object has IAM roles: namespace and account. `None` is one that can't be read.
fn places(kind: DeputyKind, object: &DynamicObject) -> Vec<Option<(NamespaceName, ObjectName)>> {
    let read = |namespace: Option<&str>, account: Option<&str>| {
        let namespace = NamespaceName::new(namespace?).ok()?;
        Some((namespace, ObjectName::new(account?).ok()?))
    };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    if kind == DeputyKind::Role {
        let account = text(object.data.pointer("/spec/accountRef/name"));
        return vec![read(object.namespace().as_deref(), account.as_deref())];
    }
    let instances = object.data.pointer("/status/instances").and_then(Value::as_array);
    instances
        .into_iter()
        .flatten()
        .filter(|entry| entry.get("roleARN").is_some())
        .map(|entry| {
            let (namespace, account) = (text(entry.get("namespace")), text(entry.get("account")));
            read(namespace.as_deref(), account.as_deref())
        })
        .collect()
}
