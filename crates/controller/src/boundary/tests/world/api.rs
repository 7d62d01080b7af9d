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

use crate::fixtures::{
    UNHELD_LEASE,
    script::{Call, Script},
};

/// Is shown a limit after each write of its status, and the status before.
type Watch = Box<dyn Fn(&Value, &Value) + Send + Sync>;

/// An API server that has limits, and takes whatever else is written.
pub struct FakeApi {
    index: Arc<Index>,
    script: Arc<Script>,
    pub limits: Mutex<BTreeMap<String, Value>>,
    pub writes: AtomicUsize,
    watch: Mutex<Option<Watch>>,
}

impl FakeApi {
    /// Without limits. What it has is seen in `index`, and its calls go through `script`.
    pub fn new(index: &Arc<Index>, script: &Arc<Script>) -> Arc<Self> {
        Arc::new(Self {
            index: Arc::clone(index),
            script: Arc::clone(script),
            limits: Mutex::default(),
            writes: AtomicUsize::new(0),
            watch: Mutex::default(),
        })
    }

    /// From now on this is shown each limit whose status is written.
    pub fn watched_by(&self, watch: impl Fn(&Value, &Value) + Send + Sync + 'static) {
        *self.watch.lock() = Some(Box::new(watch));
    }

    pub fn object(value: &Value) -> DynamicObject {
        serde_json::from_value(value.clone()).unwrap()
    }

    /// A limit is there, or changed: the watch shows it.
    pub fn put(&self, limit: Value) {
        let mut limits = self.limits.lock();
        let name = limit["metadata"]["name"].as_str().unwrap().to_owned();
        self.index.apply(ResourceKind::Limits, Self::object(&limit));
        limits.insert(name, limit);
    }

    /// These are the limits that there are.
    pub fn reset(&self, limits: &BTreeMap<String, Value>) {
        self.limits.lock().clone_from(limits);
        self.index
            .reset(ResourceKind::Limits, limits.values().map(Self::object));
    }

    pub fn status(&self, name: &str) -> DelegationLimitStatus {
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
        let is_read = head.method == http::Method::GET;
        let call = if is_read { Call::ReadApi } else { Call::WriteApi };
        let trouble = self.script.next(call);
        if let Some(trouble) = trouble.filter(|trouble| !trouble.is_done()) {
            return trouble.of_api();
        }
        let mut limits = self.limits.lock();
        let Some(limit) = limits.get_mut(name) else {
            return (404, status("NotFound", 404));
        };
        if !is_read {
            if body["metadata"]["resourceVersion"] != limit["metadata"]["resourceVersion"] {
                return (409, status("Conflict", 409));
            }
            let before = limit["status"].clone();
            for (member, value) in body["status"].as_object().unwrap() {
                if value.is_null() {
                    limit["status"].as_object_mut().unwrap().remove(member);
                } else {
                    limit["status"][member] = value.clone();
                }
            }
            let version = self.writes.fetch_add(1, Ordering::SeqCst) + 2;
            limit["metadata"]["resourceVersion"] = json!(version.to_string());
            self.index.apply(ResourceKind::Limits, Self::object(limit));
            if let Some(watch) = &*self.watch.lock() {
                watch(&before, limit);
            }
        }
        match trouble {
            Some(trouble) => trouble.of_api(),
            None => (200, limit.clone()),
        }
    }

    pub fn client(self: &Arc<Self>) -> Client {
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
