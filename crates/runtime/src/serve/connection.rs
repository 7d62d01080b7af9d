//! One connection, from its handshake to its end.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    response::IntoResponse as _,
};
use futures::future::BoxFuture;
use http::StatusCode;
use http_body::{Frame, SizeHint};
use hyper::{Request, Response, body::Incoming, rt::Executor};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use rustls::{ServerConfig, server::Acceptor};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};
use tower::ServiceExt as _;

use super::{
    activity::{Activity, Cut},
    io::Observed,
    limits::ListenerLimits,
    turns::Turns,
};
use crate::{
    contain::{Panicked, attempt, contained},
    shutdown::Shutdown,
};

/// How often a peer of HTTP/2 is asked whether it is alive, and how long it may take.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of HTTP/2 that wait for the client to take them. Larger responses wait where they are made.
const HTTP2_SEND_BUFFER: usize = 64 * 1024;

/// An extension of a response: the request proved who asks, so its connection may be kept. Needed where an
/// [`Endpoint`](super::Endpoint) says how long connections without such a request live.
#[derive(Debug, Clone, Copy)]
pub struct AcceptedConnection;

pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    pub(super) router: Router,
    pub(super) limits: Arc<ListenerLimits>,
    pub(super) activity: Arc<Activity>,
    pub(super) turns: Turns,
    pub(super) shutdown: Shutdown,
}

impl Connection {
    /// Serves until the client or a limit ends it. Gives the limit.
    pub(super) async fn run<S>(self, stream: S, tls: Option<Arc<ServerConfig>>) -> Option<Cut>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(tls) = tls else {
            return self.serve(stream, false).await;
        };
        // Nobody waits for an answer yet: there is nothing to finish when the process stops.
        let handshake = self.guard(pin!(self.handshake(stream, tls)), |_| false).await;
        match handshake {
            Ok(Ok(stream)) => {
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.serve(stream, http2).await
            }
            Ok(Err(error)) => {
                tracing::debug!(peer = %self.peer, %error, "TLS handshake failed");
                None
            }
            Err(cut) => Some(cut),
        }
    }

    /// Waiting for the client costs nothing; computing takes a turn, and a thread on which it holds up nothing else: the
    /// requests of others are answered meanwhile, and whoever comes is seen before whose turn it is is decided.
    async fn handshake<S>(&self, stream: S, tls: Arc<ServerConfig>) -> std::io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let turn = self.turns.take(self.peer.ip()).await;
        let compute = move || {
            let accepting = attempt(|| hello.into_stream(tls));
            drop(turn);
            accepting
        };
        let computed = tokio::task::spawn_blocking(compute).await;
        computed
            .ok()
            .and_then(Result::ok)
            .ok_or_else(|| std::io::Error::other("a fault in the handshake"))?
            .await
    }

    /// The protocol is decided by ALPN alone: sniffing it would wait for the client's first bytes.
    async fn serve<S>(self, stream: S, http2: bool) -> Option<Cut>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = Arc::clone(&self.limits);
        self.activity.secured(Instant::now(), http2);
        let mut builder = Builder::new(Contained);
        // The deadlines are this crate's, the same for both protocols.
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
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
            .max_concurrent_streams(limits.http2_streams.unwrap_or(1))
            .max_send_buf_size(HTTP2_SEND_BUFFER)
            .max_header_list_size(limits.header_bytes);
        let builder = if http2 {
            builder.http2_only()
        } else {
            builder.http1_only()
        };
        let service = Requests {
            router: self.router.clone(),
            peer: self.peer,
            activity: Arc::clone(&self.activity),
        };
        let stream = TokioIo::new(Observed::new(stream, Arc::clone(&self.activity)));
        let connection = pin!(builder.serve_connection(stream, service).into_owned());
        let ended = self
            .guard(connection, |connection| {
                connection.graceful_shutdown();
                true
            })
            .await;
        match ended {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                tracing::debug!(peer = %self.peer, error, "connection ended with an error");
                None
            }
            Err(cut) => Some(cut),
        }
    }

    /// `work`, until one of the limits ends it. `close` asks it to end by itself, and says whether it can: it is called
    /// when the process stops or the connection is old.
    async fn guard<F: Future>(
        &self,
        mut work: Pin<&mut F>,
        close: impl Fn(Pin<&mut F>) -> bool,
    ) -> Result<F::Output, Cut> {
        let mut evicted = pin!(self.activity.evicted.cancelled());
        let mut stopped = pin!(self.shutdown.stopped());
        let (mut due, _) = self.activity.deadline(&self.limits);
        let mut timer = pin!(tokio::time::sleep_until(due));
        let mut closing = false;
        std::future::poll_fn(move |context| {
            // Before the work: an evicted connection does no more of it.
            if evicted.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(Cut::Evicted));
            }
            if !closing && stopped.as_mut().poll(context).is_ready() {
                if !close(work.as_mut()) {
                    return Poll::Ready(Err(Cut::Stopped));
                }
                self.activity.close(Instant::now());
                closing = true;
            }
            loop {
                if let Poll::Ready(output) = work.as_mut().poll(context) {
                    return Poll::Ready(Ok(output));
                }
                // What the work did may have moved it.
                let (at, cut) = self.activity.deadline(&self.limits);
                if at != due {
                    due = at;
                    timer.as_mut().reset(at);
                }
                if timer.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                if cut != Cut::Age || !close(work.as_mut()) {
                    return Poll::Ready(Err(cut));
                }
                self.activity.close(Instant::now());
                closing = true;
            }
        })
        .await
    }
}

/// Tasks of HTTP/2: a panic in one ends that one.
#[derive(Clone)]
struct Contained;

impl<F> Executor<F> for Contained
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, work: F) {
        tokio::spawn(async move {
            contained(work).await.unwrap_or_else(|Panicked| {
                tracing::debug!("a stream of HTTP/2 ended by a panic");
            });
        });
    }
}

/// The requests of one connection.
struct Requests {
    router: Router,
    peer: SocketAddr,
    activity: Arc<Activity>,
}

impl hyper::service::Service<Request<Incoming>> for Requests {
    type Response = Response<InFlight>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let flight = Flight {
            number: self.activity.begin(Instant::now()),
            activity: Arc::clone(&self.activity),
        };
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let answer = self.router.clone().oneshot(request.map(Body::new));
        Box::pin(async move {
            let response = match contained(answer).await {
                Ok(Ok(response)) => response,
                Ok(Err(never)) => match never {},
                Err(Panicked) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            };
            if response.extensions().get::<AcceptedConnection>().is_some() {
                flight.activity.accept();
            }
            Ok(response.map(|body| InFlight {
                body,
                _flight: flight,
            }))
        })
    }
}

/// A request in flight; dropped when its response is written, or will never be.
struct Flight {
    activity: Arc<Activity>,
    number: u64,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.activity.end(self.number, Instant::now());
    }
}

/// The body of a response, which is in flight as long as it is not written.
pub(super) struct InFlight {
    body: Body,
    _flight: Flight,
}

impl http_body::Body for InFlight {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
