//! Deputy's objects of the cluster: read, changed and deleted, each call with a deadline, and all of them with one.

use std::time::Duration;

use deputy_admission::DeputyKind;
use deputy_api::GROUP;
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    exit::Failure,
    objects::{StatusCondition, Unanswered, answer, conditions, list_objects, resource},
};

/// How long one question to the API server may take: its webhook has 10 s.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is looked whether something is gone, or may be deleted now.
const LOOK: Duration = Duration::from_secs(1);
/// What is put back when time is over has this long: less than the 30 s that a pod has after it is told to end.
const TO_PUT_BACK: Duration = Duration::from_secs(20);
/// To see what is left, when time is over.
const TO_LOOK: Duration = Duration::from_secs(5);

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

    /// The same objects, with time of its own for what has to be put back however it ended.
    pub fn to_put_back(&self) -> Self {
        Self::new(self.client.clone(), TO_PUT_BACK)
    }

    /// How long is left.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Waits a moment; false when there is no time left.
    pub async fn pause(&self) -> bool {
        let next = Instant::now() + LOOK;
        tokio::time::sleep_until(next.min(self.deadline)).await;
        next < self.deadline
    }

    /// All objects of a kind. A cluster that does not know the kind says nothing of what there is in AWS: its definitions may have been
    /// deleted, and IAM roles stay then.
    pub async fn list(&self, kind: DeputyKind) -> Result<Vec<DynamicObject>, Failure> {
        let listed = tokio::time::timeout(self.remaining().max(TO_LOOK), list_objects(&self.client, kind));
        match listed.await {
            Ok(listed) => listed?.ok_or_else(|| not_served(kind)),
            Err(_) => Err(self.over(&format!("list {}", kind.plural()))),
        }
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
        self.judged(format!("change {} {}", kind.name(), place(object)), patched)
            .await
    }

    /// Asks for the deletion of an object; its finalizer may keep it for a while.
    pub async fn delete(&self, kind: DeputyKind, object: &DynamicObject) -> Result<ChangeAnswer, Failure> {
        if object.metadata.deletion_timestamp.is_some() {
            return Ok(ChangeAnswer::Done);
        }
        let (api, name) = (self.api(kind, object), object.name_any());
        let parameters = DeleteParams::default();
        let deleted = api.delete(&name, &parameters);
        self.judged(format!("delete {} {}", kind.name(), place(object)), deleted)
            .await
    }

    async fn judged<T>(
        &self,
        action: String,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<ChangeAnswer, Failure> {
        let within = CALL_TIMEOUT.min(self.remaining());
        if within.is_zero() {
            return Err(self.over(&action));
        }
        match answer(within, request).await {
            Ok(_) => Ok(ChangeAnswer::Done),
            Err(Unanswered::Error(kube::Error::Api(status))) if status.code == 404 => Ok(ChangeAnswer::Gone),
            // Not what the API server says of itself (429, 5xx), nor of rights in Kubernetes, which say so in their own words.
            Err(Unanswered::Error(kube::Error::Api(status)))
                if matches!(status.code, 400 | 403 | 409 | 422) =>
            {
                Ok(ChangeAnswer::Refused(status.message.clone()))
            }
            Err(Unanswered::Late(_)) if within < CALL_TIMEOUT => Err(self.over(&action)),
            Err(why) => Err(Failure::process(format!("failed to {action}: {why}"))),
        }
    }

    /// That there is no time left for something.
    fn over(&self, action: &str) -> Failure {
        let seconds = self.allowed.as_secs();
        Failure::process(format!(
            "in {seconds} s not everything was done; there was no time left to {action}. Deputy is not removed: uninstall again, or give it more \
             time (uninstall.timeoutSeconds, and --timeout of helm uninstall)"
        ))
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

fn not_served(kind: DeputyKind) -> Failure {
    let plural = kind.plural();
    Failure::process(format!(
        "the API server knows no {plural}.{GROUP}, so what Deputy has in AWS is not known, and Deputy is not removed. Bring the definitions and \
         their objects back (`deputy crds`), or look in AWS yourself, and go all the same: `helm uninstall --no-hooks`"
    ))
}

/// A condition of an object.
pub fn condition<'a>(object: &'a DynamicObject, kind: &str) -> Option<StatusCondition<'a>> {
    conditions(&object.data).find(|one| one.of == kind)
}
