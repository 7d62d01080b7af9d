//! Why an IAM role would not stay when its object goes, as `deputy controller` decides it then. Pure.

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    fn limit(
        name: &str,
        namespaces: &[&str],
        allow: Option<bool>,
        enforcement: Option<&str>,
    ) -> DynamicObject {
        let mut spec = json!({
            "accounts": ["production"],
            "namespaces": namespaces,
            "ceiling": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*"}
            ]},
            "boundary": {"type": "Generated"},
        });
        let fields = spec.as_object_mut().unwrap();
        if let Some(allow) = allow {
            fields.insert("roles".to_owned(), json!({"allowRetain": allow}));
        }
        if let Some(enforcement) = enforcement {
            fields.insert("enforcement".to_owned(), json!(enforcement));
        }
        object(json!({"metadata": {"name": name, "uid": name}, "spec": spec}))
    }

    fn role(namespace: &str, account: &str) -> DynamicObject {
        object(json!({
            "metadata": {"name": "uploader", "namespace": namespace},
            // What a webhook or a status said before is no proof.
            "spec": {"accountRef": {"name": account}, "deletionPolicy": "Retain"},
            "status": {"roleARN": "arn", "conditions": [{"type": "Accepted", "status": "True", "reason": "WithinLimits", "message": ""}]},
        }))
    }

    fn cluster_role(namespaces: &[&str]) -> DynamicObject {
        let instance =
            |namespace: &&str| json!({"namespace": namespace, "account": "production", "roleARN": "arn"});
        let mut instances: Vec<_> = namespaces.iter().map(instance).collect();
        // Never in AWS.
        instances.push(json!({"namespace": "nobody", "account": "production", "reason": "NoLimit"}));
        object(json!({"metadata": {"name": "reader"}, "spec": {}, "status": {"instances": instances}}))
    }

    fn said(limits: Vec<DynamicObject>, kind: DeputyKind, object: &DynamicObject) -> Option<String> {
        let accounts = [serde_json::from_value(json!({"metadata": {"name": "production"}})).unwrap()];
        let left = LeftObjects::of_objects(DeputyKind::Limit, limits);
        hindrance(&super::limits(&left).unwrap(), &accounts, kind, object)
    }

    #[test]
    fn a_role_stays_only_where_every_limit_of_each_of_its_places_lets_it() {
        let (role, cluster_role) = (role("shop", "production"), cluster_role(&["shop", "blog"]));
        let yes = |name: &str, of: &[&str]| limit(name, of, Some(true), None);
        let no = |name: &str, of: &[&str]| limit(name, of, Some(false), None);
        for (limits, of_role, of_cluster_role) in [
            (
                vec![],
                Some("no DelegationLimit applies to namespace shop"),
                Some("no DelegationLimit applies to namespace shop"),
            ),
            (
                vec![yes("a", &["shop"])],
                None,
                Some("no DelegationLimit applies to namespace blog"),
            ),
            (vec![yes("a", &["shop", "blog"])], None, None),
            (
                vec![yes("a", &["shop"]), no("b", &["blog"])],
                None,
                Some("in namespace blog"),
            ),
            (
                vec![yes("a", &["shop", "blog"]), no("b", &["shop"])],
                Some("not true in DelegationLimit b"),
                Some("not true in DelegationLimit b"),
            ),
            (
                vec![limit("a", &["shop", "blog"], None, None)],
                Some("not true in DelegationLimit a"),
                Some("not true in DelegationLimit a"),
            ),
            // A dry run decides nothing, in either way.
            (
                vec![limit("a", &["shop", "blog"], Some(true), Some("DryRun"))],
                Some("no DelegationLimit applies"),
                Some("no DelegationLimit applies"),
            ),
        ] {
            for (kind, object, expected) in [
                (DeputyKind::Role, &role, of_role),
                (DeputyKind::ClusterRole, &cluster_role, of_cluster_role),
            ] {
                let said = said(limits.clone(), kind, object);
                let is_so = match (&said, expected) {
                    (Some(said), Some(part)) => said.contains(part),
                    (said, part) => said.is_none() && part.is_none(),
                };
                assert!(is_so, "{kind:?} {limits:?}: {said:?}, not {expected:?}");
            }
        }
    }

    #[test]
    fn what_is_not_known_does_not_stay() {
        let all = || vec![limit("a", &["shop"], Some(true), None)];
        let unread = |kind, object: DynamicObject| said(all(), kind, &object).unwrap();
        let elsewhere = role("shop", "staging");
        assert!(unread(DeputyKind::Role, elsewhere).contains("no AWSAccount staging"));
        assert!(unread(DeputyKind::Role, role("shop", "No Name")).contains("can't be read"));
        let nowhere = json!({"metadata": {"name": "x"}, "status": {"instances": [{"roleARN": "arn"}]}});
        assert!(unread(DeputyKind::ClusterRole, object(nowhere)).contains("can't be read"));
    }
}
