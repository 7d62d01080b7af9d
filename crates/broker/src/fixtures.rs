//! What tests of several modules begin with: the objects of `examples/productionapp`, and an index that holds them.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use deputy_delegation::{
    ClusterName, NamespaceName, ObjectName, PodName, ServiceAccountName, Uid,
    model::{Account, ObjectId},
    session::SessionSubject,
};
use deputy_index::{Index, ResourceKind};
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::token::PodIdentity;

/// Each object is a newer one: the API server counts, and what has the generation of before is not read again.
static GENERATION: AtomicI64 = AtomicI64::new(1);

fn object(kind: &str, namespace: Option<&str>, name: &str, spec: &Value, status: &Value) -> DynamicObject {
    let generation = GENERATION.fetch_add(1, Ordering::Relaxed);
    let mut object = json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": kind,
        "metadata": {"name": name, "uid": format!("uid-{name}"), "generation": generation, "creationTimestamp": "2026-01-02T03:04:05Z"},
        "spec": spec, "status": status,
    });
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = json!(namespace);
    }
    serde_json::from_value(object).unwrap()
}

fn policy(action: &str) -> Value {
    let resource = "arn:aws:s3:::productionapp/*";
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]})
}

pub fn account_object() -> DynamicObject {
    let issuer = json!({"principalARN": "arn:aws:iam::123456789012:user/deputy-broker"});
    let spec = json!({"accountID": "123456789012", "region": "ap-northeast-1", "issuer": issuer});
    object("AWSAccount", None, "production", &spec, &json!({}))
}

/// The limit `payments`, on reading.
pub fn limit_object(action: &str) -> DynamicObject {
    let spec = json!({"namespaces": ["payments"], "accounts": ["production"], "ceiling": policy(action)});
    object("DelegationLimit", None, "payments", &spec, &json!({}))
}

/// A role that does this; with its unique id, if it is in AWS.
pub fn role_object(name: &str, action: &str, role_id: Option<&str>) -> DynamicObject {
    let policies = json!([{"name": "objects", "document": policy(action)}]);
    let spec = json!({"accountRef": {"name": "production"}, "policies": policies});
    let status = role_id.map_or(json!({}), |id| json!({"roleID": id}));
    object("AWSRole", Some("payments"), name, &spec, &status)
}

/// A binding of a role to the ServiceAccount `uploader`, with this session.
pub fn binding_object(name: &str, role: &str, session: &Value) -> DynamicObject {
    let status = json!({"roleARN": "arn:aws:iam::123456789012:role/deputy/demo/uploader"});
    bound(name, role, session, &status)
}

/// A binding whose role was never there.
pub fn early_binding_object(name: &str, role: &str) -> DynamicObject {
    bound(name, role, &json!({}), &json!({}))
}

fn bound(name: &str, role: &str, session: &Value, status: &Value) -> DynamicObject {
    let subjects = json!([{"kind": "ServiceAccount", "name": "uploader"}]);
    let spec =
        json!({"roleRef": {"kind": "AWSRole", "name": role}, "subjects": subjects, "session": session});
    object("AWSRoleBinding", Some("payments"), name, &spec, status)
}

/// A binding of the federated user `Manager` to the ServiceAccount `uploader`, with this in its session; on reading, unless that says otherwise.
pub fn federated_object(name: &str, session: &Value) -> DynamicObject {
    let mut all = json!({"policy": policy("s3:GetObject")});
    for (field, value) in session.as_object().unwrap() {
        all[field] = value.clone();
    }
    // Null takes it away.
    all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let subjects = json!([{"kind": "ServiceAccount", "name": "uploader"}]);
    let spec = json!({
        "accountRef": {"name": "production"}, "userName": "Manager", "subjects": subjects, "session": all,
    });
    object(
        "AWSFederatedUserBinding",
        Some("payments"),
        name,
        &spec,
        &json!({}),
    )
}

/// The object as if it had been made then.
pub fn made_at(mut object: DynamicObject, time: &str) -> DynamicObject {
    object.metadata.creation_timestamp = Some(serde_json::from_value(json!(time)).unwrap());
    object
}

/// An account with a federation user, a limit on reading that allows `Manager*` for 36 hours, the role, no binding of it, and a binding of a
/// federated user with this in its session.
pub fn federated_index(session: &Value) -> Arc<Index> {
    let index = index();
    let mut account = account_object();
    account.data["spec"]["federation"] =
        json!({"userARN": "arn:aws:iam::123456789012:user/deputy-federation"});
    let mut limit = limit_object("s3:GetObject");
    limit.data["spec"]["federatedUsers"] = json!(["Manager*"]);
    limit.data["spec"]["session"] = json!({"maxFederatedDuration": "36h"});
    index.reset(ResourceKind::Accounts, [account]);
    index.reset(ResourceKind::Limits, [limit]);
    index.reset(ResourceKind::Bindings, []);
    index.reset(
        ResourceKind::FederatedBindings,
        [federated_object("manager", session)],
    );
    index
}

pub fn binding_id(name: &str) -> ObjectId {
    ObjectId {
        namespace: NamespaceName::new("payments").unwrap(),
        name: ObjectName::new(name).unwrap(),
    }
}

pub fn account() -> Account {
    let index = index();
    let account = index.account(&ObjectName::new("production").unwrap());
    account.known().unwrap().as_ref().clone()
}

/// The account, a limit on reading, a role that reads and is in AWS, and a binding of it.
pub fn index() -> Arc<Index> {
    let index = Arc::new(Index::new(ClusterName::new("demo").unwrap()));
    index.reset(ResourceKind::ClusterRoles, []);
    index.reset(ResourceKind::FederatedBindings, []);
    index.reset(ResourceKind::Accounts, [account_object()]);
    index.reset(ResourceKind::Limits, [limit_object("s3:GetObject")]);
    index.reset(
        ResourceKind::Roles,
        [role_object("uploader", "s3:GetObject", Some("AROA1"))],
    );
    index.reset(
        ResourceKind::Bindings,
        [binding_object("uploader", "uploader", &json!({}))],
    );
    index
}

/// The pod `uploader-1` of a ServiceAccount.
pub fn pod_of(service_account: &str) -> PodIdentity {
    PodIdentity {
        namespace: NamespaceName::new("payments").unwrap(),
        subject: SessionSubject {
            service_account: ServiceAccountName::new(service_account).unwrap(),
            pod: PodName::new("uploader-1").unwrap(),
            pod_uid: Uid::new("0af1").unwrap(),
        },
    }
}
