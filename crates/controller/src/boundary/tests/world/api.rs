//! An API server in memory.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use deputy_api::DelegationLimitStatus;
use deputy_index::{Index, ResourceKind};
use http_body_util::{BodyExt as _, Full};
use kube::{Client, api::DynamicObject, client::Body};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::fixtures::UNHELD_LEASE;

/// An API server that has limits, and takes whatever else is written.
pub(super) struct FakeApi {
    pub(super) index: Arc<Index>,
    pub(super) limits: Mutex<BTreeMap<String, Value>>,
    pub(super) writes: AtomicUsize,
}

impl FakeApi {
    pub(super) fn object(value: &Value) -> DynamicObject {
        serde_json::from_value(value.clone()).unwrap()
    }

    /// A limit is there, or changed: the watch shows it.
    pub(super) fn put(&self, limit: Value) {
        let mut limits = self.limits.lock();
        let name = limit["metadata"]["name"].as_str().unwrap().to_owned();
        self.index.apply(ResourceKind::Limits, Self::object(&limit));
        limits.insert(name, limit);
    }

    pub(super) fn status(&self, name: &str) -> DelegationLimitStatus {
        let limits = self.limits.lock();
        serde_json::from_value(limits[name].get("status").cloned().unwrap_or(json!({}))).unwrap()
    }

    fn answer(&self, head: &http::request::Parts, body: &[u8]) -> (u16, Value) {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let status = |reason: &str, code: u16| json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code});
        let of_limits = head.uri.path().split_once("/delegationlimits/");
        let Some(name) = of_limits.and_then(|(_, rest)| rest.split('/').next()) else {
            return match head.method {
                http::Method::GET if head.uri.path().contains("/leases/") => {
                    (200, serde_json::from_str(UNHELD_LEASE).unwrap())
                }
                http::Method::GET => (404, status("NotFound", 404)),
                _ => (200, body),
            };
        };
        let mut limits = self.limits.lock();
        let Some(limit) = limits.get_mut(name) else {
            return (404, status("NotFound", 404));
        };
        if head.method == http::Method::PATCH {
            if body["metadata"]["resourceVersion"] != limit["metadata"]["resourceVersion"] {
                return (409, status("Conflict", 409));
            }
            for (member, value) in body["status"].as_object().unwrap() {
                limit["status"][member] = value.clone();
            }
            let version = self.writes.fetch_add(1, Ordering::SeqCst) + 2;
            limit["metadata"]["resourceVersion"] = json!(version.to_string());
            self.index.apply(ResourceKind::Limits, Self::object(limit));
        }
        (200, limit.clone())
    }

    pub(super) fn client(self: &Arc<Self>) -> Client {
        let api = Arc::clone(self);
        let answer = move |request: http::Request<Body>| {
            let api = Arc::clone(&api);
            async move {
                let (head, body) = request.into_parts();
                let mut bytes = body.collect().await.unwrap().to_bytes();
                let (status, answer) = api.answer(&head, &bytes);
                bytes = answer.to_string().into_bytes().into();
                let response = http::Response::builder().status(status);
                Ok::<_, Infallible>(response.body(Full::new(bytes)).unwrap())
            }
        };
        Client::new(tower::service_fn(answer), "default")
    }
}
