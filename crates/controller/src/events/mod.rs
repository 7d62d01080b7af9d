//! Events about the objects that controllers reconcile. One that is told again within minutes is not written again but counted in the one that is
//! there, as the API asks (`series`).
//!
//! `kube::runtime::events::Recorder` does the same, with each event of the last six minutes in memory, all of which it looks through for each one
//! that it writes. A controller that begins to reconcile ten thousand objects writes as many, and they were a third of what it held. What is
//! remembered here has a bound.
//! <https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use deputy_runtime::events::as_note;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::Instant;

/// What is told again within this time is counted. As kube and client-go have it.
const SERIES: Duration = Duration::from_secs(360);
/// The most that is remembered. Beyond, the one that was told longest ago is forgotten, and written anew when it is told again.
const REMEMBERED: usize = 1024;
/// Of the object's name, in the event's: that has at most 253 characters, and a dot and sixteen digits besides.
const MAX_NAME: usize = 230;
/// Where the events about objects without a namespace are.
const DEFAULT_NAMESPACE: &str = "default";

/// Something to tell.
#[derive(Debug, Clone, Copy)]
pub struct ObjectEvent<'a> {
    /// What it is about.
    pub about: &'a ObjectReference,
    /// Whether somebody should do something about it.
    pub is_warning: bool,
    /// In CamelCase; a contract (docs/contracts.md).
    pub reason: &'a str,
    /// In words; cut to what an event can say.
    pub note: &'a str,
}

/// Writes events. Cheap to clone; clones remember together.
#[derive(Clone)]
pub struct EventRecorder {
    client: Client,
    controller: &'static str,
    instance: Arc<str>,
    recent: Arc<Mutex<Recent>>,
}

impl EventRecorder {
    /// One that signs as `controller`, whose process is `instance`.
    #[must_use]
    pub fn new(client: Client, controller: &'static str, instance: &str) -> Self {
        Self {
            client,
            controller,
            instance: instance.into(),
            recent: Arc::default(),
        }
    }

    /// Writes an event, or counts it in the one that was written. Right needed on events of all namespaces: `create`, `patch`.
    ///
    /// # Errors
    /// Whatever the API server says.
    pub async fn publish(&self, told: ObjectEvent<'_>) -> Result<(), kube::Error> {
        let namespace = told.about.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let again = self.recent.lock().again(&told, Instant::now());
        if let Some((name, count)) = again {
            let series = json!({"series": {"count": count, "lastObservedTime": MicroTime(Timestamp::now())}});
            match api
                .patch(&name, &PatchParams::default(), &Patch::Merge(series))
                .await
            {
                // Events do not live long.
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                patched => return patched.map(|_| ()),
            }
        }
        let event = self.event(&told, Timestamp::now());
        api.create(&PostParams::default(), &event).await?;
        let name = event.metadata.name.unwrap_or_default();
        self.recent.lock().remember(&told, name, Instant::now());
        Ok(())
    }

    fn event(&self, told: &ObjectEvent<'_>, now: Timestamp) -> Event {
        let of = told.about.name.as_deref().unwrap_or(self.controller);
        let of: String = of.chars().take(MAX_NAME).collect();
        let name = format!("{}.{:x}", of.trim_end_matches(['.', '-']), now.as_nanosecond());
        let namespace = told.about.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        let kind = if told.is_warning { "Warning" } else { "Normal" };
        Event {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            action: Some("Reconcile".to_owned()),
            event_time: Some(MicroTime(now)),
            note: Some(as_note(told.note).to_owned()),
            reason: Some(told.reason.to_owned()),
            regarding: Some(told.about.clone()),
            reporting_controller: Some(self.controller.to_owned()),
            reporting_instance: Some(self.instance.to_string()),
            type_: Some(kind.to_owned()),
            ..Event::default()
        }
    }
}

/// What was told lately: by a hash of the object, the reason and the type, whatever the words.
#[derive(Default)]
struct Recent {
    events: HashMap<u64, Written>,
    hasher: RandomState,
}

struct Written {
    name: String,
    count: i32,
    last: Instant,
}

impl Recent {
    fn key(&self, told: &ObjectEvent<'_>) -> u64 {
        let about = told.about;
        let object = (
            &about.api_version,
            &about.kind,
            &about.namespace,
            &about.name,
            &about.uid,
        );
        self.hasher.hash_one((object, told.is_warning, told.reason))
    }

    /// The name of the event that it is counted in, and how often it was told with this time.
    fn again(&mut self, told: &ObjectEvent<'_>, now: Instant) -> Option<(String, i32)> {
        let key = self.key(told);
        let written = self.events.get_mut(&key)?;
        if now.duration_since(written.last) >= SERIES {
            return None;
        }
        written.count = written.count.saturating_add(1);
        written.last = now;
        Some((written.name.clone(), written.count))
    }

    fn remember(&mut self, told: &ObjectEvent<'_>, name: String, now: Instant) {
        let key = self.key(told);
        if self.events.len() >= REMEMBERED && !self.events.contains_key(&key) {
            let oldest = self.events.iter().min_by_key(|(_, written)| written.last);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.events.remove(&oldest);
            }
        }
        let written = Written {
            name,
            count: 1,
            last: now,
        };
        self.events.insert(key, written);
    }
}
