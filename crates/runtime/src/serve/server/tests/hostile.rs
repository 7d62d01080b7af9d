//! What hostile, broken and merely many clients do, to every listener there is, by a clock that is turned by hand.

use std::{net::IpAddr, pin::Pin};

use tokio::{io::DuplexStream, sync::mpsc};

use super::*;

/// What arrives on a listener without a network.
struct Incoming(tokio::sync::Mutex<mpsc::Receiver<(DuplexStream, SocketAddr)>>);

impl Listener for Incoming {
    type Stream = DuplexStream;

    async fn next(&self) -> io::Result<(DuplexStream, SocketAddr)> {
        match self.0.lock().await.recv().await {
            Some(next) => Ok(next),
            None => std::future::pending().await,
        }
    }
}

struct Rig {
    endpoint: Endpoint,
    limits: ListenerLimits,
    authority: Authority,
    connect: mpsc::Sender<(DuplexStream, SocketAddr)>,
    metrics: Metrics,
    shutdown: Shutdown,
}

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}
type Stream = Pin<Box<dyn Duplex>>;

/// Whether a listener is served with TLS.
fn is_tls(endpoint: Endpoint) -> bool {
    match endpoint {
        Endpoint::Webhook | Endpoint::Broker | Endpoint::People => true,
        Endpoint::Admin | Endpoint::Probes => false,
    }
}

impl Rig {
    fn new(endpoint: Endpoint) -> Self {
        Self::with(endpoint, endpoint.limits())
    }

    fn with(endpoint: Endpoint, limits: ListenerLimits) -> Self {
        let authority = authority_for_tests();
        let (connect, incoming) = mpsc::channel(16);
        let (metrics, shutdown) = (Metrics::new("test"), Shutdown::manual());
        let is_tls = is_tls(endpoint);
        let server = Server {
            endpoint,
            tls: is_tls.then(|| with_protocols(&authority.server_config(), &limits)),
            limits: limits.clone(),
            router: router(Arc::default(), Arc::default()),
            metrics: metrics.clone(),
            shutdown: shutdown.clone(),
        };
        tokio::spawn(server.run(Incoming(tokio::sync::Mutex::new(incoming))));
        Self {
            endpoint,
            limits,
            authority,
            connect,
            metrics,
            shutdown,
        }
    }

    fn is_tls(&self) -> bool {
        is_tls(self.endpoint)
    }

    /// A connection of which nothing is sent yet.
    async fn raw(&self, peer: IpAddr, buffer: usize) -> DuplexStream {
        let (client, server) = tokio::io::duplex(buffer);
        self.connect.send((server, (peer, 40_000).into())).await.unwrap();
        client
    }

    /// A connection whose handshake, if there is one, is done.
    async fn open(&self, peer: IpAddr, alpn: &str) -> Stream {
        let stream = self.raw(peer, 16 * 1024).await;
        if !self.is_tls() {
            return Box::pin(stream);
        }
        let bundle = self.authority.bundle().borrow().clone();
        Box::pin(secure(stream, &bundle, NAME, &[alpn]).await.unwrap())
    }

    /// One request on a new connection; gives the first bytes of the answer.
    async fn ask(&self, peer: IpAddr, path: &str) -> String {
        let mut stream = self.open(peer, "http/1.1").await;
        send(&mut stream, path).await;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        String::from_utf8(answer.to_vec()).unwrap()
    }

    /// How often a limit ended a connection, for this reason.
    fn cut(&self, reason: &str) -> u64 {
        let series = format!(
            "deputy_connections_cut_total{{endpoint=\"{}\",reason=\"{reason}\"}} ",
            self.endpoint.as_str()
        );
        let text = self.metrics.render().unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix(&series));
        count.map_or(0, |count| count.parse().unwrap())
    }
}

async fn send(stream: &mut Stream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {NAME}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// Reads until the server ends it.
async fn closed(mut stream: impl AsyncRead + Unpin) {
    let mut bytes = vec![0; 64 * 1024];
    while stream.read(&mut bytes).await.unwrap_or(0) > 0 {}
}

/// Writes `bytes` once a second until the server ends it.
async fn drip(stream: Stream, mut next: impl FnMut() -> Vec<u8>) {
    let (reader, mut writer) = tokio::io::split(stream);
    let dripping = async {
        loop {
            if writer.write_all(&next()).await.is_err() || writer.flush().await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = closed(reader) => {}
        () = dripping => {}
    }
}

fn peer(number: usize) -> IpAddr {
    let [.., b, c, d] = u32::try_from(number).unwrap().to_be_bytes();
    [10, b, c, d].into()
}

/// What a client can do to keep a connection, and which limit ends it.
#[derive(Debug, Clone, Copy)]
enum Does {
    NothingAtAll,
    NothingAfterTheHandshake,
    HalfAHeadByteByByte,
    OneRequestAndThenNothing,
    OneRequestAndThenHalfAHead,
    BodyThatNeverEnds,
    WaitsForAnAnswerThatNeverComes,
    TakesNothingOfALargeAnswer,
    PipelinesAndTakesNothing,
    RequestsForEver,
    NoPreface,
    Http2AndNothingElse,
    Http2RequestsForEver,
}

const ALL: [Does; 13] = [
    Does::NothingAtAll,
    Does::NothingAfterTheHandshake,
    Does::HalfAHeadByteByByte,
    Does::OneRequestAndThenNothing,
    Does::OneRequestAndThenHalfAHead,
    Does::BodyThatNeverEnds,
    Does::WaitsForAnAnswerThatNeverComes,
    Does::TakesNothingOfALargeAnswer,
    Does::PipelinesAndTakesNothing,
    Does::RequestsForEver,
    Does::NoPreface,
    Does::Http2AndNothingElse,
    Does::Http2RequestsForEver,
];

impl Does {
    /// Does it until the server ends the connection. The path is one whose answer says that it was accepted.
    #[expect(clippy::too_many_lines, reason = "one match, an arm a client")]
    async fn run(self, rig: &Rig) {
        let one = peer(1);
        let h1 = || rig.open(one, "http/1.1");
        match self {
            Self::NothingAtAll => closed(rig.raw(one, 1024).await).await,
            Self::NothingAfterTheHandshake => closed(h1().await).await,
            Self::HalfAHeadByteByByte => {
                let mut head = b"GET / HTTP/1.1\r\nx: "
                    .iter()
                    .copied()
                    .chain(std::iter::repeat(b'x'));
                drip(h1().await, || head.next().into_iter().collect()).await;
            }
            Self::OneRequestAndThenNothing => {
                let mut stream = h1().await;
                send(&mut stream, "/accepted").await;
                closed(stream).await;
            }
            Self::OneRequestAndThenHalfAHead => {
                let mut stream = h1().await;
                send(&mut stream, "/accepted").await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                drip(stream, || b"G".to_vec()).await;
            }
            Self::BodyThatNeverEnds => {
                let mut stream = h1().await;
                send(&mut stream, "/accepted").await;
                let head = format!("POST / HTTP/1.1\r\nhost: {NAME}\r\ncontent-length: 100000\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                drip(stream, || b"x".to_vec()).await;
            }
            Self::WaitsForAnAnswerThatNeverComes => {
                let mut stream = h1().await;
                send(&mut stream, "/accepted").await;
                send(&mut stream, "/hangs").await;
                closed(stream).await;
            }
            Self::TakesNothingOfALargeAnswer => {
                let mut stream = h1().await;
                send(&mut stream, "/accepted").await;
                send(&mut stream, "/large").await;
                gone(rig).await;
            }
            Self::PipelinesAndTakesNothing => {
                let stream = h1().await;
                let (_reader, mut writer) = tokio::io::split(stream);
                let request = format!("GET /accepted HTTP/1.1\r\nhost: {NAME}\r\n\r\n");
                tokio::select! {
                    () = gone(rig) => {}
                    () = async { while writer.write_all(request.as_bytes()).await.is_ok() {} } => gone(rig).await,
                }
            }
            Self::RequestsForEver => {
                let request = format!("GET /accepted HTTP/1.1\r\nhost: {NAME}\r\n\r\n");
                drip(h1().await, || request.clone().into_bytes()).await;
            }
            Self::NoPreface => closed(rig.open(one, "h2").await).await,
            Self::Http2AndNothingElse => {
                let stream = TokioIo::new(rig.open(one, "h2").await);
                let (_sender, connection) =
                    hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), stream)
                        .await
                        .unwrap();
                connection.await.ok();
            }
            Self::Http2RequestsForEver => {
                let stream = TokioIo::new(rig.open(one, "h2").await);
                let (mut sender, connection) =
                    hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
                        .await
                        .unwrap();
                tokio::spawn(async move {
                    loop {
                        let request = Request::get(format!("https://{NAME}/accepted"))
                            .body(Empty::<Bytes>::new())
                            .unwrap();
                        if sender.send_request(request).await.is_err() {
                            return;
                        }
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                });
                connection.await.ok();
            }
        }
    }

    /// Which limit has to end it, and after how long at most.
    fn expected(self, rig: &Rig) -> Option<(&'static str, Duration)> {
        let limits = &rig.limits;
        let http2 = limits.http2_streams.is_some();
        Some(match self {
            Self::NothingAtAll if rig.is_tls() => ("handshake", limits.handshake),
            Self::NothingAtAll | Self::NothingAfterTheHandshake | Self::HalfAHeadByteByByte => {
                match limits.unaccepted {
                    Some(life) if life <= limits.head => ("unaccepted", life),
                    _ => ("head", limits.head),
                }
            }
            Self::OneRequestAndThenNothing => ("idle", limits.idle),
            Self::OneRequestAndThenHalfAHead if limits.head + Duration::from_secs(1) < limits.idle => {
                ("head", limits.head + Duration::from_secs(1))
            }
            Self::OneRequestAndThenHalfAHead => ("idle", limits.idle),
            Self::BodyThatNeverEnds | Self::WaitsForAnAnswerThatNeverComes => ("request", limits.request),
            Self::TakesNothingOfALargeAnswer | Self::PipelinesAndTakesNothing => ("write", limits.write),
            Self::RequestsForEver => ("", limits.age),
            Self::NoPreface if http2 => ("head", limits.head),
            Self::Http2AndNothingElse if http2 => ("head", limits.head),
            Self::Http2RequestsForEver if http2 => ("", limits.age),
            Self::NoPreface | Self::Http2AndNothingElse | Self::Http2RequestsForEver => return None,
        })
    }
}

/// Waits until the server has no connection.
async fn gone(rig: &Rig) {
    let series = format!("deputy_connections{{endpoint=\"{}\"}} ", rig.endpoint.as_str());
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let text = rig.metrics.render().unwrap();
        if text.lines().any(|line| line == format!("{series}0")) {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_client_keeps_a_connection_beyond_its_limit() {
    for endpoint in Endpoint::ALL {
        for does in ALL {
            let rig = Rig::new(endpoint);
            let Some((reason, limit)) = does.expected(&rig) else {
                continue;
            };
            let name = format!("{} {does:?}", endpoint.as_str());
            let start = Instant::now();
            let hour = Duration::from_secs(3600);
            tokio::time::timeout(hour, does.run(&rig))
                .await
                .unwrap_or_else(|_| panic!("{name}: still open after an hour"));
            let took = start.elapsed();
            let second = Duration::from_secs(1);
            assert!(
                took + second >= limit && took <= limit + second * 2,
                "{name}: {took:?} of {limit:?}"
            );
            gone(&rig).await;
            if !reason.is_empty() {
                assert_eq!(
                    rig.cut(reason),
                    1,
                    "{name}: {reason}\n{}",
                    rig.metrics.render().unwrap()
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn strangers_of_the_broker_are_gone_after_five_seconds_whatever_they_ask() {
    let rig = Rig::new(Endpoint::Broker);
    let start = Instant::now();
    let request = format!("GET / HTTP/1.1\r\nhost: {NAME}\r\n\r\n");
    drip(rig.open(peer(1), "http/1.1").await, || {
        request.clone().into_bytes()
    })
    .await;
    assert_eq!(start.elapsed().as_secs(), 5);
    assert_eq!(rig.cut("unaccepted"), 1);
}

/// Every connection that there may be is taken by clients that say nothing, in different ways.
#[tokio::test(start_paused = true)]
async fn a_listener_that_is_full_of_silent_clients_answers_a_new_one_at_once() {
    for endpoint in Endpoint::ALL {
        let limits = endpoint.limits();
        let (most, share) = (limits.connections, limits.connections_per_peer);
        let full = most + most / 4;
        type Whose = fn(usize, usize) -> usize;
        let whose: [(&str, Whose); 3] = [
            ("one address", |_, _| 1),
            ("addresses that take their share", |index, share| index / share),
            ("an address each", |index, _| index),
        ];
        for (name, whose) in whose {
            let rig = Rig::new(endpoint);
            let start = Instant::now();
            let mut silent = Vec::new();
            for index in 0..full {
                silent.push(rig.raw(peer(whose(index, share)), 64).await);
            }
            let answer = rig.ask([192, 168, 0, 1].into(), "/").await;
            assert_eq!(answer, "HTTP/1.1 200", "{} {name}", endpoint.as_str());
            assert_eq!(start.elapsed().as_millis(), 0, "{} {name}", endpoint.as_str());
            // The address that is silent is served too: it pays with its own connections.
            let answer = rig.ask(peer(whose(0, share)), "/").await;
            assert_eq!(answer, "HTTP/1.1 200", "{} {name}", endpoint.as_str());
            assert!(
                rig.cut("evicted") as usize >= full - most,
                "{} {name}",
                endpoint.as_str()
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_an_answer_is_not_closed_for_others_that_are_idle() {
    let limits = ListenerLimits {
        connections: 8,
        connections_per_peer: 4,
        ..Endpoint::Broker.limits()
    };
    let rig = Rig::with(Endpoint::Broker, limits);
    let mut busy = rig.open(peer(1), "http/1.1").await;
    send(&mut busy, "/accepted").await;
    send(&mut busy, "/hangs").await;
    tokio::task::yield_now().await;
    let mut idle = Vec::new();
    for index in 0..20 {
        idle.push(rig.raw(peer(index), 64).await);
    }
    let end = tokio::time::timeout(Duration::from_secs(3), closed(&mut busy)).await;
    assert!(end.is_err(), "closed while a request was in flight");
    assert_eq!(rig.cut("refused"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_is_told_to_close_and_what_is_in_flight_is_answered() {
    for endpoint in Endpoint::ALL {
        let rig = Rig::new(endpoint);
        let mut stream = rig.open(peer(1), "http/1.1").await;
        let start = Instant::now();
        let mut said = String::new();
        while start.elapsed() < rig.limits.age + Duration::from_secs(5) {
            let request = format!("GET /accepted HTTP/1.1\r\nhost: {NAME}\r\n\r\n");
            if stream.write_all(request.as_bytes()).await.is_err() {
                break;
            }
            let mut answer = vec![0; 1024];
            let read = stream.read(&mut answer).await.unwrap_or(0);
            if read == 0 {
                break;
            }
            said = String::from_utf8_lossy(&answer[..read]).to_lowercase();
            assert!(said.starts_with("http/1.1 200"), "{said}");
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
        assert_eq!(start.elapsed().as_secs(), rig.limits.age.as_secs(), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stops_closes_idle_connections_within_its_drain() {
    for endpoint in Endpoint::ALL {
        let rig = Rig::new(endpoint);
        let fresh = rig.open(peer(1), "http/1.1").await;
        let mut used = rig.open(peer(2), "http/1.1").await;
        send(&mut used, "/accepted").await;
        let mut busy = rig.open(peer(3), "http/1.1").await;
        send(&mut busy, "/accepted").await;
        send(&mut busy, "/hangs").await;
        let raw = rig.raw(peer(4), 64).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        let start = Instant::now();
        rig.shutdown.stop();
        closed(raw).await;
        closed(fresh).await;
        closed(used).await;
        assert!(start.elapsed() <= Duration::from_secs(1), "{:?}", start.elapsed());
        closed(busy).await;
        assert!(start.elapsed() <= rig.limits.drain, "{:?}", start.elapsed());
    }
}
