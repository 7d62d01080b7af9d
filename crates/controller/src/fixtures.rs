//! What tests of several modules begin with: the objects of `examples/productionapp`, and an index that holds them.

use std::{convert::Infallible, sync::Arc};

use deputy_delegation::{
    ClusterName, ClusterUid, NamespaceName, ObjectName, Uid,
    model::{Account, Binding, Limit, Role, RoleId, RoleKind},
};
use deputy_index::{Index, ResourceKind};
use http_body_util::{BodyExt as _, Full};
use kube::{Client, api::DynamicObject, client::Body};
use serde_json::{Value, json};

pub fn object(kind: &str, namespace: Option<&str>, name: &str, spec: Value) -> DynamicObject {
    let mut object = json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": kind,
        "metadata": {"name": name, "uid": format!("uid-{name}"), "generation": 1, "creationTimestamp": "2026-01-02T03:04:05Z"},
        "spec": spec,
    });
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = json!(namespace);
    }
    serde_json::from_value(object).unwrap()
}

/// Allows these actions on the bucket's objects.
pub fn policy(actions: &[&str]) -> Value {
    let resource = "arn:aws:s3:::productionapp/*";
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resource}]})
}

pub fn account_object() -> DynamicObject {
    let issuer = json!({"principalARN": "arn:aws:iam::123456789012:user/deputy-broker"});
    let spec = json!({
        "accountID": "123456789012", "region": "ap-northeast-1", "issuer": issuer, "tags": {"cost-center": "platform"},
    });
    object("AWSAccount", None, "production", spec)
}

pub fn limit_object(actions: &[&str]) -> DynamicObject {
    let spec = json!({"namespaces": ["payments"], "accounts": ["production"], "ceiling": policy(actions)});
    object("DelegationLimit", None, "payments", spec)
}

pub fn role_object(actions: &[&str]) -> DynamicObject {
    let policies = json!([{"name": "objects", "document": policy(actions)}]);
    let spec = json!({"accountRef": {"name": "production"}, "policies": policies});
    object("AWSRole", Some("payments"), "uploader", spec)
}

pub fn binding_object(name: &str) -> DynamicObject {
    let subjects = json!([{"kind": "ServiceAccount", "name": "uploader"}]);
    let spec = json!({"roleRef": {"kind": "AWSRole", "name": "uploader"}, "subjects": subjects});
    object("AWSRoleBinding", Some("payments"), name, spec)
}

pub fn account() -> Account {
    crate::objects::parse(&account_object(), deputy_api::parse_account).unwrap()
}

pub fn limit(actions: &[&str]) -> Limit {
    crate::objects::parse(&limit_object(actions), deputy_api::parse_limit).unwrap()
}

pub fn role(actions: &[&str]) -> Role {
    crate::objects::parse(&role_object(actions), deputy_api::parse_role).unwrap()
}

/// A role that exists, and is somebody else's.
pub fn existing_role() -> Role {
    let existing = json!({"roleARN": "arn:aws:iam::123456789012:role/terraform/reports"});
    let spec = json!({"accountRef": {"name": "production"}, "existing": existing});
    let object = object("AWSRole", Some("payments"), "uploader", spec);
    crate::objects::parse(&object, deputy_api::parse_role).unwrap()
}

pub fn cluster() -> ClusterName {
    ClusterName::new("demo").unwrap()
}

/// Which cluster of that name it is.
pub fn cluster_uid() -> ClusterUid {
    ClusterUid::new("5d2f7c1e-0000-4000-8000-0000000000a1").unwrap()
}

/// Another one of that name.
pub const OTHER_CLUSTER: &str = "77777777-0000-4000-8000-0000000000b2";

pub fn uid(uid: &str) -> Uid {
    Uid::new(uid).unwrap()
}

/// The binding of the role.
pub fn binding() -> Binding {
    crate::objects::parse(&binding_object("uploader"), deputy_api::parse_binding).unwrap()
}

pub fn uploader() -> RoleId {
    RoleId {
        namespace: NamespaceName::new("payments").unwrap(),
        name: ObjectName::new("uploader").unwrap(),
        kind: RoleKind::AWSRole,
    }
}

/// The account, a limit on reading and writing, a role that reads, and a binding of it.
pub fn index() -> Arc<Index> {
    let index = Arc::new(Index::new(cluster()));
    index.reset(ResourceKind::ClusterRoles, []);
    index.reset(ResourceKind::Accounts, [account_object()]);
    index.reset(
        ResourceKind::Limits,
        [limit_object(&["s3:GetObject", "s3:PutObject"])],
    );
    index.reset(ResourceKind::Roles, [role_object(&["s3:GetObject"])]);
    index.reset(ResourceKind::Bindings, [binding_object("uploader")]);
    index
}

/// A Lease that nobody holds, as an API server gives it: who asks for it has it at once.
pub const UNHELD_LEASE: &str = r#"{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{}}"#;

/// An API server that has nothing but such a Lease, and takes whatever is written: the Lease is ours.
pub fn nothing_there() -> Client {
    let answer = |request: http::Request<Body>| async move {
        let (head, body) = request.into_parts();
        let is_lease = head.uri.path().contains("/leases/");
        let (status, text) = if head.method == http::Method::GET && is_lease {
            (200, UNHELD_LEASE.into())
        } else if head.method == http::Method::GET {
            let status =
                r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}"#;
            (404, status.into())
        } else {
            (200, body.collect().await.unwrap().to_bytes())
        };
        let response = http::Response::builder()
            .status(status)
            .body(Full::new(text))
            .unwrap();
        Ok::<_, Infallible>(response)
    };
    Client::new(tower::service_fn(answer), "default")
}
