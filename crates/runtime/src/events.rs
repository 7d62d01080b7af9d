//! Events that nothing waits for, and that can't become many: about a pod's owner when a warning of the pod would reach nobody, about a pod that
//! waits for its credential.
//!
//! A namespace has a share of them, the same one is told once in a while, the queue is short and emptied slowly. Each replica counts for itself.
//! What does not fit is left out: whoever publishes says the same elsewhere too.

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use tokio::{sync::mpsc, time::Instant};

use crate::shutdown::Shutdown;

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
/// Longest apiVersion, kind, name or uid of what an event is about, in bytes. What a pod's owner is called stands in the pod, unchecked yet.
/// Names have at most 253, uids 36, kinds 63; an apiVersion is a group's name and a version.
const MAX_REFERENCE: usize = 320;
/// The API takes 1,024 bytes.
const MAX_NOTE: usize = 1000;

/// As much of a text as an event can say.
#[must_use]
pub fn as_note(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_NOTE)).unwrap_or_default()
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// What it is about, with its namespace: there the event is.
    pub regarding: ObjectReference,
    /// Who tells: `deputy-webhook`, `deputy-broker`.
    pub component: &'static str,
    /// What was tried, such as `Inject`.
    pub action: &'static str,
    /// The reason, in CamelCase; a contract.
    pub reason: &'static str,
    /// What tells it from others of the same object and reason, where its words change from one time to the next. Without it, its words do.
    pub code: Option<&'static str>,
    /// In words; cut to 1,000 bytes.
    pub text: String,
}

impl Notice {
    fn namespace(&self) -> &str {
        self.regarding.namespace.as_deref().unwrap_or_default()
    }
}

/// Takes notices. Cheap to clone.
#[derive(Clone)]
pub struct NoticeQueue {
    queue: mpsc::Sender<Notice>,
    told: Arc<Mutex<Told>>,
}

impl NoticeQueue {
    /// Writes what it is given until `shutdown` stops. Right on events of all namespaces: `create`.
    #[must_use]
    pub fn start(client: Client, shutdown: Shutdown) -> Self {
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
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<Notice>) {
        let (queue, receiver) = mpsc::channel(QUEUE);
        let told = Arc::default();
        (Self { queue, told }, receiver)
    }

    /// Publishes later, or never when too much is to be told.
    pub fn publish(&self, mut notice: Notice) {
        let about = &notice.regarding;
        let is_long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > MAX_REFERENCE);
        if [&about.api_version, &about.kind, &about.name, &about.uid]
            .into_iter()
            .any(is_long)
        {
            return;
        }
        notice.text.truncate(as_note(&notice.text).len());
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

/// What was told, and when: by namespace, a hash of what it is about, reason and code, or words without one. Where two have one hash, one is not told.
#[derive(Default)]
struct Told(HashMap<String, Vec<(u64, Instant)>>);

impl Told {
    fn is_new(&mut self, notice: &Notice, now: Instant) -> bool {
        let is_recent = |at: &Instant| now.duration_since(*at) < QUIET;
        if self.0.len() >= NAMESPACES && !self.0.contains_key(notice.namespace()) {
            self.0.retain(|_, told| told.iter().any(|(_, at)| is_recent(at)));
            if self.0.len() >= NAMESPACES {
                return false;
            }
        }
        let mut hasher = DefaultHasher::new();
        let words = notice.code.is_none().then_some(&notice.text);
        (&notice.regarding.uid, notice.reason, notice.code, words).hash(&mut hasher);
        let hash = hasher.finish();
        let told = self.0.entry(notice.namespace().to_owned()).or_default();
        told.retain(|(_, at)| is_recent(at));
        if told.len() >= PER_NAMESPACE || told.iter().any(|(known, _)| *known == hash) {
            return false;
        }
        told.push((hash, now));
        true
    }
}

async fn write(client: &Client, notice: &Notice) {
    let api: Api<Event> = Api::namespaced(client.clone(), notice.namespace());
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
            generate_name: Some(format!("{}-", notice.component)),
            namespace: notice.regarding.namespace.clone(),
            ..ObjectMeta::default()
        },
        action: Some(notice.action.to_owned()),
        event_time: Some(MicroTime(Timestamp::now())),
        note: Some(notice.text.clone()),
        reason: Some(notice.reason.to_owned()),
        regarding: Some(notice.regarding.clone()),
        reporting_controller: Some(notice.component.to_owned()),
        reporting_instance: Some(notice.component.to_owned()),
        type_: Some("Warning".to_owned()),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(namespace: &str, uid: &str, text: &str) -> Notice {
        let regarding = ObjectReference {
            api_version: Some("apps/v1".into()),
            kind: Some("ReplicaSet".into()),
            namespace: Some(namespace.into()),
            name: Some("app-1".into()),
            uid: Some(uid.into()),
            ..ObjectReference::default()
        };
        Notice {
            regarding,
            component: "deputy-webhook",
            action: "Inject",
            reason: "InjectionWarning",
            code: None,
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
    fn what_has_a_code_is_the_same_whatever_its_words() {
        let (mut told, now) = (Told::default(), Instant::now());
        let of = |uid: &str, code, text: &str| Notice {
            code: Some(code),
            ..of(uid, text)
        };
        assert!(told.is_new(&of("1", "Throttled", "request 1"), now));
        for n in 2..100 {
            assert!(!told.is_new(&of("1", "Throttled", &format!("request {n}")), now));
        }
        assert!(told.is_new(&of("1", "Unavailable", "request 1"), now));
        assert!(told.is_new(&of("2", "Throttled", "request 1"), now));
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
    async fn an_event_is_about_its_object_and_short_enough() {
        let (events, mut receiver) = NoticeQueue::channel();
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
        events.publish(of(&"x".repeat(MAX_REFERENCE + 1), "a"));
        assert!(receiver.try_recv().is_err());
    }

    #[tokio::test]
    async fn more_than_the_queue_holds_is_left_out_without_waiting_and_told_later() {
        let (events, mut receiver) = NoticeQueue::channel();
        for i in 0..3 * QUEUE {
            events.publish(notice(&format!("n{i}"), "1", "a"));
        }
        let mut told = Vec::new();
        while let Ok(notice) = receiver.try_recv() {
            told.push(notice.namespace().to_owned());
        }
        assert_eq!(told.len(), QUEUE);
        events.publish(notice(&format!("n{QUEUE}"), "1", "a"));
        events.publish(notice("n0", "1", "a"));
        assert_eq!(receiver.try_recv().unwrap().namespace(), format!("n{QUEUE}"));
        assert!(receiver.try_recv().is_err());
    }
}
