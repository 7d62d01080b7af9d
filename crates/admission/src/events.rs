//! Events about warnings: who creates a pod is mostly a controller, which shows its warnings to nobody. So the pod's owner
//! gets an event, and `kubectl describe` of a ReplicaSet or Job tells.
//!
//! Nothing waits for them, and they can't become many: a namespace has a share of them, the same one of an owner is told
//! once in a while, the queue is short and emptied slowly. Each replica counts for itself. What does not fit is left out; the
//! pod's annotation says the same.

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use deputy_delegation::NamespaceName;
use deputy_runtime::shutdown::Shutdown;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use tokio::{sync::mpsc, time::Instant};

const COMPONENT: &str = "deputy-webhook";
/// Notices that wait to be written.
const QUEUE: usize = 64;
/// Between two events: at most five a second.
const PAUSE: Duration = Duration::from_millis(200);
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// The same warning of the same owner is not told again so soon.
const QUIET: Duration = Duration::from_secs(600);
/// The most that is told in one namespace in that time: whoever makes pods there, others' are told, too.
const PER_NAMESPACE: usize = 16;
/// The most namespaces remembered; beyond, nothing is told of a further one until the oldest is over.
const NAMESPACES: usize = 1024;
/// Longest apiVersion, kind, name or uid of an owner, in bytes. What an owner is called stands in the pod, unchecked yet.
/// Names have at most 253, uids 36, kinds 63; an apiVersion is a group's name and a version.
const MAX_OWNER: usize = 320;
/// The API takes 1,024 bytes.
const MAX_NOTE: usize = 1000;

/// Something to tell about the owner of a pod.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Notice {
    pub(crate) namespace: NamespaceName,
    /// The controller that the pod belongs to.
    pub(crate) owner: OwnerReference,
    pub(crate) text: String,
}

/// Takes notices. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Events {
    queue: mpsc::Sender<Notice>,
    told: Arc<Mutex<Told>>,
}

impl Events {
    /// Writes what it is given until `shutdown` stops. Right on events of all namespaces: `create`.
    pub(crate) fn start(client: Client, shutdown: Shutdown) -> Self {
        let (events, mut receiver) = Self::channel();
        tokio::spawn(async move {
            loop {
                let notice = tokio::select! {
                    notice = receiver.recv() => notice,
                    () = shutdown.stopped() => None,
                };
                let Some(notice) = notice else { return };
                write(&client, &notice).await;
                tokio::time::sleep(PAUSE).await;
            }
        });
        events
    }

    /// With the other end, where notices come out.
    pub(crate) fn channel() -> (Self, mpsc::Receiver<Notice>) {
        let (queue, receiver) = mpsc::channel(QUEUE);
        let told = Arc::default();
        (Self { queue, told }, receiver)
    }

    /// Publishes later, or never when too much is to be told.
    pub(crate) fn publish(&self, mut notice: Notice) {
        let owner = &notice.owner;
        let is_long = |text: &String| text.len() > MAX_OWNER;
        if [&owner.api_version, &owner.kind, &owner.name, &owner.uid]
            .into_iter()
            .any(is_long)
        {
            return;
        }
        let end = notice.text.floor_char_boundary(MAX_NOTE);
        notice.text.truncate(end);
        // The place first: what finds none must not count as told.
        let Ok(place) = self.queue.try_reserve() else {
            tracing::debug!("event dropped: queue full");
            return;
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_new(&notice, Instant::now()) {
            place.send(notice);
        }
    }
}

/// What was told, and when: by namespace, a hash of owner and warning. Where two have one hash, one is not told.
#[derive(Default)]
struct Told(HashMap<NamespaceName, Vec<(u64, Instant)>>);

impl Told {
    fn is_new(&mut self, notice: &Notice, now: Instant) -> bool {
        let is_recent = |at: &Instant| now.duration_since(*at) < QUIET;
        if self.0.len() >= NAMESPACES && !self.0.contains_key(&notice.namespace) {
            self.0.retain(|_, told| told.iter().any(|(_, at)| is_recent(at)));
            if self.0.len() >= NAMESPACES {
                return false;
            }
        }
        let mut hasher = DefaultHasher::new();
        (&notice.owner.uid, &notice.text).hash(&mut hasher);
        let hash = hasher.finish();
        let told = self.0.entry(notice.namespace.clone()).or_default();
        told.retain(|(_, at)| is_recent(at));
        if told.len() >= PER_NAMESPACE || told.iter().any(|(known, _)| *known == hash) {
            return false;
        }
        told.push((hash, now));
        true
    }
}

async fn write(client: &Client, notice: &Notice) {
    let api: Api<Event> = Api::namespaced(client.clone(), notice.namespace.as_str());
    let (event, params) = (event(notice), PostParams::default());
    let written = tokio::time::timeout(CALL_TIMEOUT, api.create(&params, &event)).await;
    match written {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "failed to publish event"),
        Err(_) => tracing::debug!("failed to publish event: no answer"),
    }
}

fn event(notice: &Notice) -> Event {
    Event {
        metadata: ObjectMeta {
            generate_name: Some(format!("{COMPONENT}-")),
            namespace: Some(notice.namespace.to_string()),
            ..ObjectMeta::default()
        },
        action: Some("Inject".to_owned()),
        event_time: Some(MicroTime(Timestamp::now())),
        note: Some(notice.text.clone()),
        reason: Some("InjectionWarning".to_owned()),
        regarding: Some(ObjectReference {
            api_version: Some(notice.owner.api_version.clone()),
            kind: Some(notice.owner.kind.clone()),
            name: Some(notice.owner.name.clone()),
            namespace: Some(notice.namespace.to_string()),
            uid: Some(notice.owner.uid.clone()),
            ..ObjectReference::default()
        }),
        reporting_controller: Some(COMPONENT.to_owned()),
        reporting_instance: Some(COMPONENT.to_owned()),
        type_: Some("Warning".to_owned()),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(namespace: &str, uid: &str, text: &str) -> Notice {
        Notice {
            namespace: NamespaceName::new(namespace).unwrap(),
            owner: OwnerReference {
                api_version: "apps/v1".into(),
                kind: "ReplicaSet".into(),
                name: "app-1".into(),
                uid: uid.into(),
                ..OwnerReference::default()
            },
            text: text.into(),
        }
    }

    fn of(uid: &str, text: &str) -> Notice {
        notice("payments", uid, text)
    }

    #[test]
    fn the_same_is_told_once_in_ten_minutes() {
        let (mut told, now) = (Told::default(), Instant::now());
        assert!(told.is_new(&of("1", "a"), now));
        assert!(!told.is_new(&of("1", "a"), now + Duration::from_secs(599)));
        assert!(told.is_new(&of("1", "b"), now));
        assert!(told.is_new(&of("2", "a"), now));
        assert!(told.is_new(&of("1", "a"), now + QUIET));
    }

    #[test]
    fn a_namespace_has_a_share_and_the_namespaces_are_bounded() {
        let (mut told, now) = (Told::default(), Instant::now());
        let new = (0..10_000)
            .filter(|i| told.is_new(&of(&i.to_string(), "a"), now))
            .count();
        assert_eq!(new, PER_NAMESPACE);
        assert!(told.is_new(&notice("shop", "1", "a"), now));
        for i in 0..2 * NAMESPACES {
            let _is_new = told.is_new(&notice(&format!("n{i}"), "1", "a"), now);
        }
        assert_eq!(told.0.len(), NAMESPACES);
        assert!(!told.is_new(&notice("late", "1", "a"), now));
        assert!(told.is_new(&notice("late", "1", "a"), now + QUIET));
        assert!(told.is_new(&of("new", "a"), now + QUIET));
    }

    #[tokio::test]
    async fn an_event_is_about_the_owner_and_short_enough() {
        let (events, mut receiver) = Events::channel();
        events.publish(of("1", &"é".repeat(1000)));
        let event = event(&receiver.try_recv().unwrap());
        let note = event.note.unwrap();
        assert!((MAX_NOTE - 1..=MAX_NOTE).contains(&note.len()));
        let about = event.regarding.unwrap();
        assert_eq!(
            (
                about.kind.as_deref(),
                about.uid.as_deref(),
                about.namespace.as_deref()
            ),
            (Some("ReplicaSet"), Some("1"), Some("payments"))
        );
        // What no object can be called is nobody's name.
        events.publish(of(&"x".repeat(MAX_OWNER + 1), "a"));
        assert!(receiver.try_recv().is_err());
    }

    #[tokio::test]
    async fn more_than_the_queue_holds_is_left_out_without_waiting_and_told_later() {
        let (events, mut receiver) = Events::channel();
        for i in 0..3 * QUEUE {
            events.publish(notice(&format!("n{i}"), "1", "a"));
        }
        let mut told = Vec::new();
        while let Ok(notice) = receiver.try_recv() {
            told.push(notice.namespace.to_string());
        }
        assert_eq!(told.len(), QUEUE);
        events.publish(notice(&format!("n{QUEUE}"), "1", "a"));
        events.publish(notice("n0", "1", "a"));
        assert_eq!(
            receiver.try_recv().unwrap().namespace.as_str(),
            format!("n{QUEUE}")
        );
        assert!(receiver.try_recv().is_err());
    }
}
