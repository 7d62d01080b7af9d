//! The index, fed with objects as an API server sends them. This file has the objects; what is asked of the index is
//! in its modules.

mod changes;
mod cluster_roles;
mod decisions;
mod federated;
mod kept;
mod questions;
mod statements;
mod tally;
mod told;
mod under_limit;
mod uses;
mod watching;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
};

use deputy_delegation::{
    Decision, MissingFact, MissingFacts, NamespaceName, ObjectName, Reason, ServiceAccountName,
    model::{LimitEntry, ObjectId, RoleId, RoleKind},
    names::ClusterName,
};
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::{BoundaryKey, Dirty, Entry, GrantRef, Index, LimitGrants, ProposedChange, ResourceKind};

impl Index {
    /// What a limit means for the grants under it, counted from the beginning.
    fn grants_under(&self, limit: &ObjectName) -> Option<LimitGrants> {
        Some(self.counted(limit, &self.tally(limit)?))
    }
}

const CREATED: &str = "2026-01-02T03:04:05Z";

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

fn made(kind: &str, namespace: Option<&str>, name: &str, spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": kind,
        "metadata": {"name": name, "uid": format!("uid-{name}"), "generation": 1, "creationTimestamp": CREATED},
        "spec": spec,
    });
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = json!(namespace);
    }
    object
}

fn policy(action: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "arn:aws:s3:::app/*"}]})
}

fn account(name: &str) -> Value {
    let issuer = json!({"principalARN": "arn:aws:iam::123456789012:role/broker"});
    made(
        "AWSAccount",
        None,
        name,
        json!({"accountID": "123456789012", "region": "eu-west-1", "issuer": issuer}),
    )
}

fn limit(name: &str, namespaces: &[&str], action: &str) -> Value {
    // Of those that apply to a role one has a boundary.
    let further = ["strict", "second", "broken"];
    let spec = json!({
        "namespaces": namespaces, "accounts": ["production"], "ceiling": policy(action),
        "acknowledgeEscalation": ["s3:*"],
        "boundary": {"type": if further.contains(&name) { "CheckOnly" } else { "Generated" }},
    });
    made("DelegationLimit", None, name, spec)
}

fn role(namespace: &str, name: &str, action: &str) -> Value {
    let policies = json!([{"name": "p", "document": policy(action)}]);
    made(
        "AWSRole",
        Some(namespace),
        name,
        json!({"accountRef": {"name": "production"}, "policies": policies}),
    )
}

fn binding(namespace: &str, name: &str, role: &str, service_accounts: &[&str]) -> Value {
    let subjects: Vec<Value> = service_accounts
        .iter()
        .map(|name| json!({"kind": "ServiceAccount", "name": name}))
        .collect();
    let spec = json!({"roleRef": {"kind": "AWSRole", "name": role}, "subjects": subjects});
    made("AWSRoleBinding", Some(namespace), name, spec)
}

fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[key] = value;
    object
}

/// The same object with another spec: the API server counts.
fn again(object: Value) -> Value {
    with(object, "/metadata/generation", json!(2))
}

fn deleting(object: Value) -> Value {
    with(
        object,
        "/metadata/deletionTimestamp",
        json!("2026-02-02T00:00:00Z"),
    )
}

fn id(namespace: &str, name: &str) -> ObjectId {
    ObjectId {
        namespace: ns(namespace),
        name: named(name),
    }
}
fn role_id(namespace: &str, name: &str) -> RoleId {
    id(namespace, name).into()
}
fn ns(name: &str) -> NamespaceName {
    NamespaceName::new(name).unwrap()
}
fn named(name: &str) -> ObjectName {
    ObjectName::new(name).unwrap()
}
fn sa(name: &str) -> ServiceAccountName {
    ServiceAccountName::new(name).unwrap()
}

fn empty() -> Arc<Index> {
    Arc::new(Index::new(ClusterName::new("test").unwrap()))
}

/// One account, one limit on payments*, one role and one binding, all accepted.
fn index() -> Arc<Index> {
    let index = empty();
    index.reset(ResourceKind::ClusterRoles, []);
    index.reset(ResourceKind::FederatedBindings, []);
    index.reset(ResourceKind::Accounts, [object(account("production"))]);
    index.reset(
        ResourceKind::Limits,
        [object(limit("payments", &["payments*"], "s3:*"))],
    );
    index.reset(
        ResourceKind::Roles,
        [object(role("payments", "reader", "s3:GetObject"))],
    );
    index.reset(
        ResourceKind::Bindings,
        [object(binding("payments", "reader", "reader", &["app"]))],
    );
    index
}

fn reasons(decision: &Decision) -> Vec<Reason> {
    match decision {
        Decision::Refused(violations) => violations.iter().map(|v| v.reason).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

/// How many answers were made anew while `ask` asked.
fn made_anew(index: &Index, ask: impl FnOnce()) -> usize {
    let made = || index.decisions.made.load(Ordering::Relaxed);
    let before = made();
    ask();
    made() - before
}

fn role_decision(index: &Index) -> Arc<Decision> {
    index.decide_role(&role_id("payments", "reader")).unwrap().1
}

fn names(bindings: &[Arc<deputy_delegation::model::Binding>]) -> Vec<&str> {
    bindings.iter().map(|b| b.id.name.as_str()).collect()
}
