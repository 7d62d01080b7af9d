//! Connections of applications: how many, for how long, and with how much memory each.
//!
//! The sidecar has 16 MiB, and the application may open any number of sockets by mistake. So there are few places, and a
//! connection has no memory here until the head of its request has arrived whole: until then it waits in the kernel. It serves one
//! request: SDKs ask once in many minutes. On a node, each address has a share of the places, so that no pod takes those of others.

use std::{convert::Infallible, future::Future, io, net::IpAddr, sync::Arc, time::Duration};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::{RecvFlags, recv};
use tokio::{
    io::Interest,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    places::{ConnectionPlace, ConnectionPlaces},
    server::{CredentialDesk, CredentialEndpoint},
};

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// At a time. When all of them wait for an answer, more wait in the listener's queue.
    pub most: usize,
    /// At a time of one address. When all of its own wait for an answer, one more is closed.
    pub most_of_peer: usize,
}

impl ConnectionLimits {
    /// Of one pod's agent, whose clients are all at one address.
    pub const SIDECAR: Self = Self {
        most: 128,
        most_of_peer: 128,
    };
    /// Of a node's agent. Kubernetes is made for 110 pods on a node, and clouds have 250.
    pub const NODE: Self = Self {
        most: 1024,
        most_of_peer: 64,
    };
}

/// How long a client may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Where the HTTP parser gives up on the head of a request, in bytes. It looks only between reads, so somewhat
/// more can get through, up to what the endpoint takes.
const MAX_BUFFER: usize = 32 * 1024;
/// Most header lines of a request.
const MAX_HEADERS: usize = 64;
/// How long the head of a request may still take when the agent is stopped: who has connected a moment ago is answered.
const LAST_HEAD: Duration = Duration::from_millis(250);
/// How long requests under way may take when the agent is stopped.
const DRAIN: Duration = Duration::from_secs(2);

/// Serves `endpoint` on `listeners` until `stop` is over, then for at most two seconds what is under way.
pub async fn serve<D: CredentialDesk>(
    listeners: Vec<TcpListener>,
    endpoint: Arc<CredentialEndpoint<D>>,
    limits: ConnectionLimits,
    stop: impl Future<Output = ()> + Send,
) {
    let (stopping, is_stopping) = watch::channel(false);
    let connections = Connections {
        endpoint,
        places: ConnectionPlaces::new(limits.most, limits.most_of_peer),
        stopping: is_stopping,
    };
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(connections.clone().accept(listener));
    }
    stop.await;
    stopping.send_replace(true);
    while accepting.join_next().await.is_some() {}
    // What is still under way after this is cut off: the application that asked is going too, or asks once more.
    timeout(DRAIN, connections.places.empty())
        .await
        .unwrap_or_default();
}

/// What the listeners have in common.
struct Connections<D> {
    endpoint: Arc<CredentialEndpoint<D>>,
    places: Arc<ConnectionPlaces>,
    stopping: watch::Receiver<bool>,
}

impl<D> Clone for Connections<D> {
    fn clone(&self) -> Self {
        Self {
            endpoint: Arc::clone(&self.endpoint),
            places: Arc::clone(&self.places),
            stopping: self.stopping.clone(),
        }
    }
}

impl<D: CredentialDesk> Connections<D> {
    /// Takes connections of `listener` until the agent stops, and then those that have come by then: closed with them in its queue,
    /// it would refuse them.
    async fn accept(self, listener: TcpListener) {
        let mut stops = self.stopping.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stops.wait_for(|stopping| *stopping) => break,
            };
            match accepted {
                Ok((stream, peer)) => tokio::select! {
                    biased;
                    () = self.admit(stream, peer.ip()) => {}
                    _ = stops.wait_for(|stopping| *stopping) => break,
                },
                // Out of file descriptors, most likely: some connection has to end first.
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
        let Ok(listener) = listener.into_std() else {
            return;
        };
        while let Ok((stream, peer)) = listener.accept() {
            let stream = stream
                .set_nonblocking(true)
                .and_then(|()| TcpStream::from_std(stream));
            if let Ok(stream) = stream
                && timeout(LAST_HEAD, self.admit(stream, peer.ip())).await.is_err()
            {
                return;
            }
        }
    }

    /// Serves a connection as soon as there is a place for it.
    async fn admit(&self, stream: TcpStream, peer: IpAddr) {
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let peer = peer.to_canonical();
        let Some((place, evicted)) = self.places.take(peer).await else {
            return;
        };
        let (endpoint, stopping) = (Arc::clone(&self.endpoint), self.stopping.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = connection(stream, endpoint, &place, stopping) => {}
                _ = evicted => {}
            }
        });
    }
}

async fn connection<D: CredentialDesk>(
    stream: TcpStream,
    endpoint: Arc<CredentialEndpoint<D>>,
    place: &ConnectionPlace,
    mut stopping: watch::Receiver<bool>,
) {
    let head = timeout(HEAD_TIMEOUT, head_arrives(&stream));
    let mut stops = stopping.clone();
    let last = async {
        // The other end is there as long as the agent serves.
        drop(stops.wait_for(|stopping| *stopping).await);
        sleep(LAST_HEAD).await;
    };
    tokio::select! {
        arrived = head => if !matches!(arrived, Ok(Ok(()))) {
            return;
        },
        () = last => return,
    }
    let peer = place.peer();
    let service = service_fn(move |request: Request<Incoming>| {
        let endpoint = Arc::clone(&endpoint);
        async move {
            let _busy = place.busy();
            Ok::<_, Infallible>(endpoint.answer(&request, peer).await)
        }
    });
    // On the heap, so that a connection that waits for its request is small.
    let mut serving = Box::pin(
        http1::Builder::new()
            .keep_alive(false)
            // A client may end its own side once it has asked.
            .half_close(true)
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_BUFFER)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service),
    );
    // A client that went away, or sent what is no HTTP, is its own problem.
    if *stopping.borrow_and_update() {
        return serving.await.unwrap_or_default();
    }
    tokio::select! {
        ended = &mut serving => return ended.unwrap_or_default(),
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    serving.as_mut().graceful_shutdown();
    serving.await.unwrap_or_default();
}

/// Waits until the head of a request has arrived. It stays in the socket.
async fn head_arrives(stream: &TcpStream) -> io::Result<()> {
    loop {
        let ready = stream.ready(Interest::READABLE).await?;
        // "Would block" makes it wait for more to arrive, unless no more can.
        match stream.try_io(Interest::READABLE, || look(stream)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !ready.is_read_closed() => {}
            outcome => return outcome,
        }
    }
}

/// Whether what has arrived is worth reading: a whole head, more than any head may have, or what is no HTTP.
fn look(stream: &TcpStream) -> io::Result<()> {
    let mut seen = [0; MAX_BUFFER];
    let (_, length) = recv(stream, &mut seen, RecvFlags::PEEK)?;
    let seen = seen.get(..length).unwrap_or_default();
    match seen.first() {
        None => Err(io::ErrorKind::UnexpectedEof.into()),
        Some(first) if !first.is_ascii_alphabetic() || is_whole(seen) => Ok(()),
        Some(_) => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// An empty line ends a head. The parser takes line feeds alone, too.
fn is_whole(head: &[u8]) -> bool {
    head.len() >= MAX_BUFFER
        || head.windows(2).any(|end| end == b"\n\n")
        || head.windows(3).any(|end| end == b"\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_whole_when_an_empty_line_has_come_or_it_is_too_long_for_any() {
        for whole in [
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\n\nrest",
            "GET / HTTP/1.0\r\n\r\n",
        ] {
            assert!(is_whole(whole.as_bytes()), "{whole:?}");
        }
        for part in [
            "",
            "GET / HTTP/1.1\r\nHost: x\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n\r",
            "\n",
            "\r\n",
        ] {
            assert!(!is_whole(part.as_bytes()), "{part:?}");
        }
        assert!(is_whole(&[b'a'; MAX_BUFFER]));
    }
}
