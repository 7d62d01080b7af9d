//! Deputy's objects of the cluster: read, changed and deleted, each call with a deadline, and all of them with one.

use std::time::Duration;

use deputy_admission::DeputyKind;
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    exit::Failure,
    objects::{list_objects, resource},
};

/// How long one question to the API server may take: its webhook has 10 s.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is looked whether something is gone, or may be deleted now.
const LOOK: Duration = Duration::from_secs(1);

/// What the API server says to a change.
#[derive(Debug)]
pub enum ChangeAnswer {
    Done,
    /// It is not there, which is as good.
    Gone,
    /// The webhook, a policy or the schema says no, and why.
    Refused(String),
}

/// The objects, and when everything has to be done.
pub struct ClusterObjects {
    client: Client,
    allowed: Duration,
    deadline: Instant,
}

impl ClusterObjects {
    pub fn new(client: Client, allowed: Duration) -> Self {
        Self {
            client,
            allowed,
            deadline: Instant::now() + allowed,
        }
    }

    /// How long everything may take.
    pub fn allowed(&self) -> Duration {
        self.allowed
    }

    /// Waits a moment; false when there is no time left.
    pub async fn pause(&self) -> bool {
        let next = Instant::now() + LOOK;
        tokio::time::sleep_until(next.min(self.deadline)).await;
        next < self.deadline
    }

    /// All objects of a kind; none where the cluster does not know the kind.
    pub async fn list(&self, kind: DeputyKind) -> Result<Vec<DynamicObject>, Failure> {
        Ok(list_objects(&self.client, kind).await?.unwrap_or_default())
    }

    /// Merges a change into an object.
    pub async fn patch(
        &self,
        kind: DeputyKind,
        object: &DynamicObject,
        change: &Value,
        dry_run: bool,
    ) -> Result<ChangeAnswer, Failure> {
        let parameters = PatchParams {
            dry_run,
            ..PatchParams::default()
        };
        let (api, name, change) = (self.api(kind, object), object.name_any(), Patch::Merge(change));
        let patched = api.patch(&name, &parameters, &change);
        judged(format!("change {} {}", kind.name(), place(object)), patched).await
    }

    /// Asks for the deletion of an object; its finalizer may keep it for a while.
    pub async fn delete(&self, kind: DeputyKind, object: &DynamicObject) -> Result<ChangeAnswer, Failure> {
        if object.metadata.deletion_timestamp.is_some() {
            return Ok(ChangeAnswer::Done);
        }
        let (api, name) = (self.api(kind, object), object.name_any());
        let parameters = DeleteParams::default();
        let deleted = api.delete(&name, &parameters);
        judged(format!("delete {} {}", kind.name(), place(object)), deleted).await
    }

    fn api(&self, kind: DeputyKind, object: &DynamicObject) -> Api<DynamicObject> {
        let resource = resource(kind);
        match object.namespace() {
            Some(namespace) => Api::namespaced_with(self.client.clone(), &namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }
}

/// Namespace and name, as people write them.
pub fn place(object: &DynamicObject) -> String {
    match object.namespace() {
        Some(namespace) => format!("{namespace}/{}", object.name_any()),
        None => object.name_any(),
    }
}

async fn judged<T>(
    action: String,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<ChangeAnswer, Failure> {
    match tokio::time::timeout(CALL_TIMEOUT, request).await {
        Ok(Ok(_)) => Ok(ChangeAnswer::Done),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(ChangeAnswer::Gone),
        // Not what the API server says of itself (429, 5xx), nor of rights in Kubernetes, which say so in their own words.
        Ok(Err(kube::Error::Api(status))) if matches!(status.code, 400 | 403 | 409 | 422) => {
            Ok(ChangeAnswer::Refused(status.message.clone()))
        }
        Ok(Err(error)) => Err(Failure::process(format!("failed to {action}: {error}"))),
        Err(_) => {
            let seconds = CALL_TIMEOUT.as_secs();
            Err(Failure::process(format!(
                "failed to {action}: no answer in {seconds} s"
            )))
        }
    }
}
