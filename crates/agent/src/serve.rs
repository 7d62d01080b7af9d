//! Connections on loopback: how many, for how long, and with how much memory each.
//!
//! The sidecar has 16 MiB, and the application may open any number of sockets by mistake. So there are few places, and a
//! connection has no memory here until the head of its request has arrived whole: until then it waits in the kernel. It serves one
//! request: SDKs ask once in many minutes.

use std::{convert::Infallible, future::Future, io, sync::Arc, time::Duration};

use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::{RecvFlags, recv};
use tokio::{
    io::Interest,
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    broker::CredentialSource,
    places::{ConnectionPlace, ConnectionPlaces},
    server::CredentialEndpoint,
};

/// Most connections at a time. When all of them wait for an answer, more wait in the listener's queue.
pub const MAX_CONNECTIONS: usize = 128;
/// How long a client may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Where the HTTP parser gives up on the head of a request, in bytes. It looks only between reads, so somewhat
/// more can get through, up to what the endpoint takes.
const MAX_BUFFER: usize = 32 * 1024;
/// Most header lines of a request.
const MAX_HEADERS: usize = 64;
/// How long requests under way may take when the agent is stopped.
const DRAIN: Duration = Duration::from_secs(2);

/// Serves `endpoint` on `listener` until `stop` is over, then for at most two seconds what is under way.
pub async fn serve<S: CredentialSource>(
    listener: TcpListener,
    endpoint: Arc<CredentialEndpoint<S>>,
    stop: impl Future<Output = ()> + Send,
) {
    let places = ConnectionPlaces::new(MAX_CONNECTIONS);
    let (stopping, is_stopping) = watch::channel(false);
    let accept = async {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors, most likely: some connection has to end first.
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            if stream.set_nodelay(true).is_err() {
                continue;
            }
            let (place, evicted) = places.take().await;
            let (endpoint, is_stopping) = (Arc::clone(&endpoint), is_stopping.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = connection(stream, endpoint, &place, is_stopping) => {}
                    _ = evicted => {}
                }
            });
        }
    };
    tokio::select! {
        () = accept => {}
        () = stop => {}
    }
    drop(listener);
    stopping.send_replace(true);
    // What is still under way after this is cut off: the application that asked is going too.
    timeout(DRAIN, places.empty()).await.unwrap_or_default();
}

async fn connection<S: CredentialSource>(
    stream: TcpStream,
    endpoint: Arc<CredentialEndpoint<S>>,
    place: &ConnectionPlace,
    mut stopping: watch::Receiver<bool>,
) {
    let head = timeout(HEAD_TIMEOUT, head_arrives(&stream));
    tokio::select! {
        arrived = head => if !matches!(arrived, Ok(Ok(()))) {
            return;
        },
        _ = stopping.wait_for(|stopping| *stopping) => return,
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let endpoint = Arc::clone(&endpoint);
        async move {
            let _busy = place.busy();
            Ok::<_, Infallible>(endpoint.answer(&request).await)
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
