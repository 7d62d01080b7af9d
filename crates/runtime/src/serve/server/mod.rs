//! The servers: accepting connections, a place for each, and the end of all of them.

use std::{
    future::Future,
    io::ErrorKind::{ConnectionAborted, ConnectionReset},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use axum::Router;
use rustix::io::Errno;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tokio_util::task::TaskTracker;

use super::{
    activity::Cut,
    connection::Connection,
    limits::{Endpoint, ListenerLimits},
    listen::{ServeError, canonical},
    table::{ConnectionEntry, ConnectionTable},
    turns::Turns,
};
use crate::{contain::contained, metrics::Metrics, process::open_files, shutdown::Shutdown};

/// The pause after a failed `accept`, so that the failure is no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// The pause in which a connection that was closed gives its file back.
const FILE_PAUSE: Duration = Duration::from_millis(5);

/// Serves `router` over TLS until `shutdown` stops and the requests in flight are answered. The protocols (ALPN) are the
/// endpoint's.
///
/// The client's address is in the request's extensions as `ConnectInfo<SocketAddr>`, an IPv4 address as such also on a
/// socket for both families.
pub async fn serve_tls(
    listener: TcpListener,
    endpoint: Endpoint,
    config: Arc<ServerConfig>,
    router: Router,
    metrics: Metrics,
    shutdown: Shutdown,
) -> Result<(), ServeError> {
    let limits = endpoint.limits();
    let tls = with_protocols(&config, &limits);
    Server {
        endpoint,
        limits,
        tls: Some(tls),
        router,
        metrics,
        shutdown,
    }
    .run(listener)
    .await;
    Ok(())
}

/// Serves `router` over plain HTTP/1 until `shutdown` stops and the requests in flight are answered.
pub async fn serve_plain(
    listener: TcpListener,
    endpoint: Endpoint,
    router: Router,
    metrics: Metrics,
    shutdown: Shutdown,
) -> Result<(), ServeError> {
    Server {
        endpoint,
        limits: endpoint.limits(),
        tls: None,
        router,
        metrics,
        shutdown,
    }
    .run(listener)
    .await;
    Ok(())
}

fn with_protocols(config: &ServerConfig, limits: &ListenerLimits) -> Arc<ServerConfig> {
    let mut config = config.clone();
    config.alpn_protocols = match limits.http2_streams {
        Some(_) => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        None => vec![b"http/1.1".to_vec()],
    };
    Arc::new(config)
}

/// Where connections come from: the network, or a test.
trait Listener {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    fn next(&self) -> impl Future<Output = std::io::Result<(Self::Stream, SocketAddr)>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> std::io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.accept().await?;
        if let Err(error) = stream.set_nodelay(true) {
            // The client may be gone already; its task finds out.
            tracing::debug!(%peer, %error, "failed to set TCP_NODELAY");
        }
        Ok((stream, canonical(peer)))
    }
}

/// How many threads can compute at once.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

struct Server {
    endpoint: Endpoint,
    limits: ListenerLimits,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    metrics: Metrics,
    shutdown: Shutdown,
}

impl Server {
    async fn run(self, listener: impl Listener) {
        let limits = Arc::new(self.limits.clone().within(open_files()));
        let table = ConnectionTable::new(limits.connections, limits.connections_per_peer);
        let turns = Turns::new(threads(), Instant::now());
        let tasks = TaskTracker::new();
        let reasons = Cut::ALL.map(Cut::as_str).into_iter();
        self.metrics
            .listens(self.endpoint.as_str(), reasons.chain(["refused", "panic"]));
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.shutdown.stopped() => break,
                accepted = listener.next() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.take(stream, peer, &limits, &table, &turns, &tasks),
                // The client's doing: it costs the others nothing.
                Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionReset) => {}
                Err(error) => self.no_connection(&error, &table).await,
            }
        }
        drop(listener);
        tasks.close();
        if tokio::time::timeout(limits.drain, tasks.wait()).await.is_err() {
            let seconds = limits.drain.as_secs();
            tracing::warn!(
                endpoint = self.endpoint.as_str(),
                seconds,
                "requests in flight were cut off"
            );
            table.evict_all();
        }
    }

    fn take<S>(
        &self,
        stream: S,
        peer: SocketAddr,
        limits: &Arc<ListenerLimits>,
        table: &ConnectionTable,
        turns: &Turns,
        tasks: &TaskTracker,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let endpoint = self.endpoint.as_str();
        let place = match table.enter(peer.ip(), Instant::now()) {
            ConnectionEntry::Entered(place) => place,
            ConnectionEntry::Refused => {
                tracing::debug!(%peer, endpoint, "every connection is in use");
                self.metrics.connection_cut(endpoint, "refused");
                return;
            }
        };
        self.metrics.connections(endpoint, 1);
        let connection = Connection {
            peer,
            router: self.router.clone(),
            limits: Arc::clone(limits),
            activity: Arc::clone(&place.activity),
            turns: turns.clone(),
            shutdown: self.shutdown.clone(),
        };
        let (tls, metrics) = (self.tls.clone(), self.metrics.clone());
        tasks.spawn(async move {
            match contained(connection.run(stream, tls)).await {
                Ok(None) => {}
                Ok(Some(cut)) => {
                    tracing::debug!(%peer, endpoint, reason = cut.as_str(), "connection closed");
                    metrics.connection_cut(endpoint, cut.as_str());
                }
                Err(_) => metrics.connection_cut(endpoint, "panic"),
            }
            metrics.connections(endpoint, -1);
            drop(place);
        });
    }

    async fn no_connection(&self, error: &std::io::Error, table: &ConnectionTable) {
        let endpoint = self.endpoint.as_str();
        tracing::warn!(endpoint, %error, "failed to accept a connection");
        let errno = Errno::from_io_error(error);
        let no_file = errno == Some(Errno::MFILE) || errno == Some(Errno::NFILE);
        let pause = if no_file && table.evict_longest_idle() {
            FILE_PAUSE
        } else {
            ACCEPT_PAUSE
        };
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests;
