//! An index fed by an API server that is slow, silent or away, by a clock that is turned by hand.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use bytes::Bytes;
use futures::{StreamExt as _, channel::mpsc, future::BoxFuture};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use kube::{Client, client::Body};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::*;
use crate::watch;

/// The next watches, in order: what each sends at which second after it began, and when the server ends it. `None`: never.
type Script = (Vec<(u64, Value)>, Option<u64>);

type Answer = UnsyncBoxBody<Bytes, Infallible>;

/// An API server with one role, whose connections can be frozen.
struct Server {
    objects: Mutex<Vec<Value>>,
    watches: Mutex<VecDeque<Script>>,
    /// Nothing answers at all.
    is_away: Mutex<bool>,
    lists: Mutex<usize>,
}

impl Server {
    fn new(watches: impl IntoIterator<Item = Script>) -> Arc<Self> {
        let mut only = role("payments", "uploader", "s3:GetObject");
        only["metadata"]["resourceVersion"] = json!("1");
        Arc::new(Self {
            objects: Mutex::new(vec![only]),
            watches: Mutex::new(watches.into_iter().collect()),
            is_away: Mutex::new(false),
            lists: Mutex::default(),
        })
    }

    fn client(self: &Arc<Self>) -> Client {
        let server = Arc::clone(self);
        let answer = move |request: Request<Body>| -> BoxFuture<'static, Result<_, Infallible>> {
            let server = Arc::clone(&server);
            let is_watch = request.uri().query().unwrap_or_default().contains("watch=true");
            Box::pin(async move { Ok(server.answer(is_watch).await) })
        };
        Client::new(tower::service_fn(answer), "default")
    }

    async fn answer(&self, is_watch: bool) -> Response<Answer> {
        while *self.is_away.lock() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if !is_watch {
            *self.lists.lock() += 1;
            let list = json!({"apiVersion": "deputy.dev/v1alpha1", "kind": "AWSRoleList",
                "metadata": {"resourceVersion": "10"}, "items": *self.objects.lock()});
            return Response::new(Full::new(Bytes::from(list.to_string())).boxed_unsync());
        }
        // As it is asked for, where the script has nothing to say.
        let (events, end) = self.watches.lock().pop_front().unwrap_or((Vec::new(), Some(20)));
        let (sender, receiver) = mpsc::unbounded();
        tokio::spawn(async move {
            let start = Instant::now();
            for (second, event) in events {
                tokio::time::sleep_until(start + Duration::from_secs(second)).await;
                sender.unbounded_send(format!("{event}\n")).ok();
            }
            match end {
                Some(second) => tokio::time::sleep_until(start + Duration::from_secs(second)).await,
                None => std::future::pending().await,
            }
        });
        let frames = receiver.map(|text| Ok::<_, Infallible>(Frame::data(Bytes::from(text))));
        Response::new(StreamBody::new(frames).boxed_unsync())
    }
}

fn gone() -> Value {
    let mut object = role("payments", "uploader", "s3:GetObject");
    object["metadata"]["resourceVersion"] = json!("11");
    json!({"type": "DELETED", "object": object})
}

fn bookmark() -> Value {
    json!({"type": "BOOKMARK", "object": {"apiVersion": "deputy.dev/v1alpha1", "kind": "AWSRole",
        "metadata": {"resourceVersion": "12"}}})
}

struct Fed {
    index: Arc<Index>,
    start: Instant,
}

async fn feed(server: &Arc<Server>) -> Fed {
    let index = Arc::new(Index::new(ClusterName::new("demo").unwrap()));
    let (client, fed) = (server.client(), Arc::clone(&index));
    let start = Instant::now();
    tokio::spawn(async move { watch(client, fed, &[ResourceKind::Roles]).await });
    index.synced(&[ResourceKind::Roles]).await;
    Fed { index, start }
}

impl Fed {
    fn has_role(&self) -> bool {
        !self
            .index
            .roles_of_account(&ObjectName::new("production").unwrap())
            .is_empty()
    }

    /// Looks every half second until `second`; gives the oldest that the index was.
    async fn oldest_until(&self, second: u64) -> u64 {
        let mut oldest = Duration::ZERO;
        while self.start.elapsed() < Duration::from_secs(second) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            oldest = oldest.max(self.index.age(ResourceKind::Roles).unwrap());
        }
        oldest.as_secs()
    }
}

#[tokio::test(start_paused = true)]
async fn a_index_in_which_nothing_changes_stays_current() {
    let server = Server::new([]);
    let fed = feed(&server).await;
    let oldest = fed.oldest_until(3600).await;
    assert!(oldest <= 20, "{oldest} s");
    assert_eq!(
        *server.lists.lock(),
        1,
        "a watch goes on where the one before it ended"
    );
}

#[tokio::test(start_paused = true)]
async fn a_frozen_connection_is_noticed_within_thirty_seconds() {
    // The watch says nothing any more, at once or after a while; the next one tells what was missed.
    for first in [vec![], vec![(15, bookmark())]] {
        let server = Server::new([(first.clone(), None), (vec![(0, gone())], Some(20))]);
        let fed = feed(&server).await;
        let until = if first.is_empty() { 27 } else { 42 };
        let oldest = fed.oldest_until(until).await;
        assert!(!fed.has_role(), "{first:?}");
        assert!(oldest <= 26, "{first:?}: {oldest} s");
        assert_eq!(fed.index.current(&[ResourceKind::Roles]), Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn while_nothing_answers_the_index_grows_old_and_is_current_soon_after() {
    let server = Server::new([]);
    let fed = feed(&server).await;
    *server.is_away.lock() = true;
    assert!(fed.oldest_until(100).await >= 70);
    assert_eq!(
        fed.index.current(&[ResourceKind::Roles]).unwrap_err().kind,
        ResourceKind::Roles
    );
    assert!(fed.has_role(), "it keeps what it has");
    *server.is_away.lock() = false;
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(fed.index.current(&[ResourceKind::Roles]), Ok(()));
}
