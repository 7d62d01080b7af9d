//! Idle connections to the broker, kept for a moment: a pod asks once in a while, and ten thousand pods that each kept a
//! connection for as long as it lasts would fill every broker.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1::SendRequest;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep},
};

use crate::binding::MAX_BINDINGS;

/// Sends requests on one connection. Dropped, it closes the connection.
pub type Sender = SendRequest<Empty<Bytes>>;

/// What a pool keeps. The broker closes what is idle for ten seconds, so it is never the first.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// How long an idle connection is kept.
    pub idle: Duration,
    /// Most idle connections.
    pub most_idle: usize,
    /// Most requests at a time, each of which has a connection; those that come meanwhile wait.
    pub most_at_once: usize,
}

impl PoolLimits {
    /// Of one pod's agent: long enough for the bindings of a pod's start and for a retry, and one binding at a time is the rule. So
    /// many bindings as a pod may have can be asked for at once.
    pub const SIDECAR: Self = Self {
        idle: Duration::from_secs(3),
        most_idle: 2,
        most_at_once: MAX_BINDINGS,
    };
    /// Of a node's agent: its pods share one connection, and more are there only while requests would wait for it.
    pub const NODE: Self = Self {
        idle: Duration::from_secs(8),
        most_idle: 1,
        most_at_once: 16,
    };
}

struct Idle {
    sender: Sender,
    since: Instant,
}

/// Idle connections. Clones are of the same ones.
#[derive(Clone)]
pub struct Pool {
    idle: Arc<Mutex<Vec<Idle>>>,
    turns: Arc<Semaphore>,
    limits: PoolLimits,
}

impl Pool {
    /// A pool with nothing in it.
    pub fn new(limits: PoolLimits) -> Self {
        Self {
            idle: Arc::default(),
            turns: Arc::new(Semaphore::new(limits.most_at_once)),
            limits,
        }
    }

    /// Waits until there may be one more request. It is over when this is dropped.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Never closed: there is always one.
        self.turns.acquire().await.ok()
    }

    /// An idle connection that still seems alive.
    pub async fn take(&self) -> Option<Sender> {
        loop {
            let Idle { mut sender, since } = lock(&self.idle).pop()?;
            if since.elapsed() < self.limits.idle && !sender.is_closed() && sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    /// Keeps a connection until it is taken, or was idle for too long: then it is closed, whether or not anything is ever asked
    /// again.
    pub fn keep(&self, sender: Sender) {
        {
            let mut idle = lock(&self.idle);
            if idle.len() >= self.limits.most_idle || sender.is_closed() {
                return;
            }
            idle.push(Idle {
                sender,
                since: Instant::now(),
            });
        }
        let (idle, longest) = (Arc::clone(&self.idle), self.limits.idle);
        tokio::spawn(async move {
            sleep(longest).await;
            lock(&idle).retain(|one| one.since.elapsed() < longest);
        });
    }
}

fn lock(idle: &Mutex<Vec<Idle>>) -> MutexGuard<'_, Vec<Idle>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http_body_util::BodyExt as _;
    use hyper::{Response, client::conn::http1::handshake, service::service_fn};
    use hyper_util::rt::TokioIo;
    use tokio::task::JoinHandle;

    use super::*;

    const IDLE: Duration = PoolLimits::SIDECAR.idle;

    /// A connection that one request was sent on, and its other end, which is done when it is closed.
    async fn used() -> (Sender, JoinHandle<Instant>) {
        let (client, server) = tokio::io::duplex(4096);
        let answer =
            service_fn(|_| async { Ok::<_, std::convert::Infallible>(Response::new(Empty::<Bytes>::new())) });
        let served = tokio::spawn(async move {
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), answer);
            connection.await.ok();
            Instant::now()
        });
        let (mut sender, connection) = handshake(TokioIo::new(client)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get("/").header("host", "x").body(Empty::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        response.into_body().collect().await.unwrap();
        (sender, served)
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_closed_although_nothing_is_asked_any_more() {
        let pool = Pool::new(PoolLimits::SIDECAR);
        let start = Instant::now();
        let (sender, closed) = used().await;
        pool.keep(sender);
        assert_eq!(closed.await.unwrap() - start, IDLE);
        assert!(pool.take().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_in_use_is_not_closed_and_is_idle_anew_after_it() {
        let pool = Pool::new(PoolLimits::SIDECAR);
        let (sender, closed) = used().await;
        let start = Instant::now();
        pool.keep(sender);
        sleep(IDLE - Duration::from_secs(1)).await;
        let sender = pool.take().await.unwrap();
        sleep(Duration::from_secs(10)).await;
        assert!(!closed.is_finished());
        pool.keep(sender);
        assert_eq!(closed.await.unwrap() - start, IDLE * 2 + Duration::from_secs(9));
    }

    #[tokio::test(start_paused = true)]
    async fn two_are_kept_and_the_last_one_is_used_first() {
        let pool = Pool::new(PoolLimits::SIDECAR);
        let mut ends = Vec::new();
        for _ in 0..3 {
            let (sender, closed) = used().await;
            pool.keep(sender);
            ends.push(closed);
            sleep(Duration::from_millis(100)).await;
        }
        assert!(ends[2].is_finished(), "a third one is not kept");
        let _last = pool.take().await.unwrap();
        let _first = pool.take().await.unwrap();
        assert!(pool.take().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_nodes_agent_keeps_one_connection_and_has_sixteen_requests_at_once() {
        let pool = Pool::new(PoolLimits::NODE);
        let mut turns = Vec::new();
        for _ in 0..16 {
            turns.push(pool.turn().await);
        }
        let seventeenth = tokio::time::timeout(Duration::from_secs(1), pool.turn());
        assert!(seventeenth.await.is_err(), "it waits");
        turns.pop();
        assert!(pool.turn().await.is_some());
        let ((kept, _), (other, closed)) = (used().await, used().await);
        pool.keep(kept);
        pool.keep(other);
        closed.await.unwrap();
        assert!(pool.take().await.is_some());
        assert!(pool.take().await.is_none());
    }
}
