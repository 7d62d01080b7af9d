//! HTTP/1 and HTTP/2 servers, plain or over TLS, in which a client that is slow, silent or hostile costs one
//! connection and blocks nobody: every connection, its handshake included, is a task of its own with deadlines.

use std::collections::HashMap;
use std::io;
use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::shutdown::Shutdown;

/// The pause after a failed `accept` (too many open files, …), so that the failure is no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(10);
const HTTP2_STREAMS: u32 = 250;

/// What one server grants its clients.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time; further ones wait in the listener's queue.
    pub connections: usize,
    /// Connections at a time of one address; further ones are closed, so that one client can't take all of them.
    pub connections_per_peer: usize,
    /// From the accepted connection to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// From the end of the handshake or of a response to the end of the next request's head (HTTP/1), so both the
    /// longest idle time of a kept connection and the bound on a head that arrives byte by byte.
    pub header_timeout: Duration,
    /// Bytes of a request's head. At least 8,192.
    pub header_bytes: u32,
    /// How long requests in flight may take when the process stops.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_peer: 256,
            handshake_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(75),
            header_bytes: 32 * 1024,
            drain_timeout: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// For probes and metrics.
    pub(crate) fn admin() -> Self {
        Self {
            connections: 64,
            header_bytes: 8 * 1024,
            ..Self::default()
        }
    }
}

/// A server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address can't be listened on.
    #[error("failed to listen on {addr}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl ServeError {
    /// A bounded name for metrics and events.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Bind { .. } => "bind",
        }
    }
}

/// Listens on `addr`. Clients may connect from now on, and wait until the listener is served.
pub async fn bind(addr: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(addr)
        .await
        .map_err(|source| ServeError::Bind { addr, source })
}

/// Serves `router` over TLS until `shutdown` stops and the requests in flight are answered.
///
/// The client's address is in the request's extensions as `ConnectInfo<SocketAddr>`.
pub async fn serve_tls(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    router: Router,
    limits: Limits,
    shutdown: Shutdown,
) -> Result<(), ServeError> {
    serve(
        listener,
        Some(TlsAcceptor::from(config)),
        router,
        limits,
        shutdown,
    )
    .await
}

/// Serves `router` over plain HTTP/1 until `shutdown` stops and the requests in flight are answered.
pub async fn serve_plain(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: Shutdown,
) -> Result<(), ServeError> {
    serve(listener, None, router, limits, shutdown).await
}

async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: Limits,
    shutdown: Shutdown,
) -> Result<(), ServeError> {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let peers = Peers::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.stopped() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let (permit, stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // The client's doing: it costs the others nothing.
            Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionReset) => continue,
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(place) = peers.enter(peer.ip(), limits.connections_per_peer) else {
            tracing::debug!(%peer, most = limits.connections_per_peer, "too many connections of one address");
            continue;
        };
        let connection = Connection {
            peer,
            router: router.clone(),
            limits: limits.clone(),
            watcher: graceful.watcher(),
            shutdown: shutdown.clone(),
        };
        let tls = tls.clone();
        tokio::spawn(async move {
            connection.run(stream, tls).await;
            drop(place);
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain_timeout, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            seconds = limits.drain_timeout.as_secs(),
            "requests in flight were cut off"
        );
    }
    Ok(())
}

/// How many connections each address has.
#[derive(Debug, Clone, Default)]
struct Peers(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Peers {
    /// A place among `most`, given back when dropped.
    fn enter(&self, peer: IpAddr, most: usize) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(peer).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place {
            peer,
            peers: self.clone(),
        })
    }
}

struct Place {
    peer: IpAddr,
    peers: Peers,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.peer);
            }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(tokio::sync::OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let permit = Arc::clone(permits)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    if let Err(error) = stream.set_nodelay(true) {
        // The client may be gone already; its task finds out.
        tracing::debug!(%peer, %error, "failed to set TCP_NODELAY");
    }
    Ok((permit, stream, peer))
}

struct Connection {
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    watcher: Watcher,
    shutdown: Shutdown,
}

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let Some(tls) = tls else {
            return self.serve(stream, false).await;
        };
        let handshake = tokio::time::timeout(self.limits.handshake_timeout, tls.accept(stream));
        let result = tokio::select! {
            result = handshake => result,
            // Nobody waits for an answer yet, so there is nothing to finish.
            () = self.shutdown.stopped() => return,
        };
        match result {
            Ok(Ok(stream)) => {
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.serve(stream, http2).await;
            }
            Ok(Err(error)) => tracing::debug!(peer = %self.peer, %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(peer = %self.peer, "TLS handshake timed out"),
        }
    }

    /// Serves one connection. The protocol is decided by ALPN alone: sniffing it would wait for the client's first
    /// bytes without a deadline.
    async fn serve<S>(self, stream: S, http2: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self {
            peer,
            router,
            limits,
            watcher,
            shutdown: _,
        } = self;
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(
                usize::try_from(limits.header_bytes)
                    .unwrap_or(usize::MAX)
                    .max(8192),
            );
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(HTTP2_PING_INTERVAL)
            .keep_alive_timeout(HTTP2_PING_TIMEOUT)
            .max_concurrent_streams(HTTP2_STREAMS)
            .max_header_list_size(limits.header_bytes);
        let builder = if http2 {
            builder.http2_only()
        } else {
            builder.http1_only()
        };
        let service = router.map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request.map(axum::body::Body::new)
        });
        let connection = builder
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%peer, error, "connection ended with an error");
        }
    }
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
