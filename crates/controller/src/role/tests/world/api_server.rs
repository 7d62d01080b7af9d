//! An API server that has one AWSRole and knows no time: resource versions, merge patches, finalizers, the status beside the rest.

use std::{convert::Infallible, sync::Arc};

use http::{Method, Response};
use http_body_util::{BodyExt as _, Full};
use kube::{Client, client::Body};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::fixtures::script::{Call, Script, Trouble};

/// Hears of each change of the AWSRole: `None` when it is gone.
pub type Watcher = Box<dyn Fn(Option<&Value>) + Send + Sync>;

#[derive(Default)]
struct Stored {
    role: Option<Value>,
    account: Option<Value>,
    version: u64,
    /// Whether the namespace is younger than whatever is in AWS.
    is_namespace_new: bool,
    writes: Vec<Value>,
    events: Vec<String>,
    /// Whether the namespace is being deleted.
    namespace_goes: bool,
}

/// Its objects.
pub struct ApiServer {
    script: Arc<Script>,
    stored: Mutex<Stored>,
    watcher: Watcher,
}

impl ApiServer {
    pub fn new(script: Arc<Script>, watcher: Watcher) -> Arc<Self> {
        Arc::new(Self {
            script,
            stored: Mutex::default(),
            watcher,
        })
    }

    pub fn client(self: &Arc<Self>) -> Client {
        let server = Arc::clone(self);
        let answer = move |request: http::Request<Body>| {
            let server = Arc::clone(&server);
            async move {
                let (head, body) = request.into_parts();
                let bytes = body.collect().await.map(http_body_util::Collected::to_bytes);
                let body = bytes.ok().and_then(|b| serde_json::from_slice(&b).ok());
                let (status, answer) =
                    server.answer(&head.method, head.uri.path(), body.unwrap_or(Value::Null));
                let response = Response::builder().status(status);
                Ok::<_, Infallible>(
                    response
                        .body(Full::new(answer.to_string().into_bytes().into()))
                        .unwrap(),
                )
            }
        };
        Client::new(tower::service_fn(answer), "default")
    }

    /// The AWSRole as it is.
    pub fn role(&self) -> Option<Value> {
        self.stored.lock().role.clone()
    }

    /// What was written since the last call of this.
    pub fn take_writes(&self) -> Vec<Value> {
        std::mem::take(&mut self.stored.lock().writes)
    }

    /// What was told as events since the last call of this.
    pub fn take_events(&self) -> Vec<String> {
        std::mem::take(&mut self.stored.lock().events)
    }

    /// The AWSAccount, once it was put there.
    pub fn account(&self) -> Option<Value> {
        self.stored.lock().account.clone()
    }

    /// Somebody makes the AWSAccount, or changes it.
    pub fn put_account(&self, account: Value) {
        self.stored.lock().account = Some(account);
    }

    /// Somebody deletes the namespace.
    pub fn delete_namespace(&self) {
        self.stored.lock().namespace_goes = true;
    }

    /// The namespace is younger than whatever is in AWS, or older.
    pub fn put_namespace(&self, is_new: bool) {
        self.stored.lock().is_namespace_new = is_new;
    }

    /// A resource version that no object has.
    pub fn next_version(&self) -> String {
        self.stored.lock().next_version()
    }

    /// Somebody makes the AWSRole, or changes it: without finalizers it is gone when it is being deleted.
    pub fn put(&self, role: Option<Value>) {
        let mut stored = self.stored.lock();
        stored.store(role);
        (self.watcher)(stored.role.as_ref());
    }

    /// The same, and no watch shows it yet.
    pub fn put_unseen(&self, role: Value) {
        self.stored.lock().store(Some(role));
    }

    fn answer(&self, method: &Method, path: &str, body: Value) -> (u16, Value) {
        if path.contains("/events") {
            // Nothing waits for an event.
            let word = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
            let event = format!("{}: {}", word("reason"), word("note"));
            self.stored.lock().events.push(event);
            return (201, body);
        }
        if path == "/api/v1/namespaces/payments" {
            let stored = self.stored.lock();
            let created = if stored.is_namespace_new {
                "2100-01-01T00:00:00Z"
            } else {
                "2000-01-01T00:00:00Z"
            };
            let mut metadata = json!({"name": "payments", "creationTimestamp": created});
            if stored.namespace_goes {
                metadata["deletionTimestamp"] = json!("2026-01-03T03:04:05Z");
            }
            return (
                200,
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}),
            );
        }
        if path.contains("/awsaccounts/") {
            return self.answer_of_account(&body);
        }
        assert!(path.contains("/awsroles/uploader"), "{method} {path}");
        let is_read = method == Method::GET;
        let trouble = self
            .script
            .next(if is_read { Call::ReadApi } else { Call::WriteApi });
        match trouble {
            None if is_read => self.read(),
            None => self.patch(path.ends_with("/status"), &body),
            Some(trouble) => {
                if trouble.is_done() {
                    self.patch(path.ends_with("/status"), &body);
                }
                trouble.of_api()
            }
        }
    }

    fn answer_of_account(&self, patch: &Value) -> (u16, Value) {
        let mut stored = self.stored.lock();
        let Some(account) = &mut stored.account else {
            return not_found();
        };
        if let Some(status) = patch.get("status") {
            merge(&mut account["status"], status);
        }
        (200, account.clone())
    }

    fn read(&self) -> (u16, Value) {
        self.role().map_or_else(not_found, |role| (200, role))
    }

    fn patch(&self, is_status: bool, patch: &Value) -> (u16, Value) {
        let mut stored = self.stored.lock();
        let Some(mut role) = stored.role.clone() else {
            return not_found();
        };
        let expected = patch.pointer("/metadata/resourceVersion");
        if expected.is_some_and(|version| *version != role["metadata"]["resourceVersion"]) {
            return Trouble::Conflict.of_api();
        }
        for (key, value) in patch.as_object().into_iter().flatten() {
            if is_status == (key == "status") {
                merge(&mut role[key], value);
            }
        }
        stored.writes.push(patch.clone());
        stored.store(Some(role.clone()));
        (self.watcher)(stored.role.as_ref());
        (200, stored.role.clone().unwrap_or(role))
    }
}

impl Stored {
    fn next_version(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    fn store(&mut self, role: Option<Value>) {
        let version = self.next_version();
        self.role = role.and_then(|mut role| {
            role["metadata"]["resourceVersion"] = json!(version);
            let is_deleted = role["metadata"].get("deletionTimestamp").is_some();
            let is_held = role["metadata"]["finalizers"]
                .as_array()
                .is_some_and(|f| !f.is_empty());
            (is_held || !is_deleted).then_some(role)
        });
    }
}

/// A JSON merge patch, RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}

fn not_found() -> (u16, Value) {
    (404, failure(404, "NotFound"))
}

fn failure(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "on order of the test", "reason": reason, "code": code})
}
