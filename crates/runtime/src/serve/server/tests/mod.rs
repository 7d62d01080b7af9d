use std::future::IntoFuture as _;

use axum::{extract::ConnectInfo, routing::get};
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Notify,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

mod hostile;

use std::io;

use super::*;
use crate::{
    serve::{AcceptedConnection, bind},
    tls::{
        Authority, Bundle,
        authority::tests::{authority_for_tests, rotate_for_tests},
    },
};

const NAME: &str = "deputy-webhook.deputy.svc";

struct Running {
    addr: SocketAddr,
    authority: Authority,
    shutdown: Shutdown,
    /// Notified when a request for `/slow` has arrived.
    arrived: Arc<Notify>,
    /// Lets requests for `/slow` end.
    finish: Arc<Notify>,
    task: JoinHandle<()>,
}

fn router(arrived: Arc<Notify>, finish: Arc<Notify>) -> Router {
    Router::new()
        .route(
            "/",
            get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() })
                .post(|body: axum::body::Bytes| async move { body.len().to_string() }),
        )
        .route(
            "/accepted",
            get(|| async { (axum::Extension(AcceptedConnection), "accepted") }),
        )
        .route("/large", get(|| async { vec![b'x'; 1024 * 1024] }))
        .route("/hangs", get(|| async { std::future::pending::<&str>().await }))
        .route("/panics", get(|| async { panic!("a fault") as &str }))
        .route(
            "/slow",
            get(|| async move {
                arrived.notify_one();
                finish.notified().await;
                "slow"
            }),
        )
}

async fn server(limits: ListenerLimits) -> Running {
    server_on("127.0.0.1:0", limits).await
}

async fn server_on(addr: &str, limits: ListenerLimits) -> Running {
    let listener = bind(addr.parse().unwrap()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let authority = authority_for_tests();
    let shutdown = Shutdown::manual();
    let (arrived, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let server = Server {
        endpoint: Endpoint::Webhook,
        tls: Some(with_protocols(&authority.server_config(), &limits)),
        limits,
        router: router(Arc::clone(&arrived), Arc::clone(&finish)),
        metrics: Metrics::new("webhook"),
        shutdown: shutdown.clone(),
    };
    let task = tokio::spawn(server.run(listener));
    Running {
        addr,
        authority,
        shutdown,
        arrived,
        finish,
        task,
    }
}

impl Running {
    fn bundle(&self) -> Bundle {
        self.authority.bundle().borrow().clone()
    }

    async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        connect(self.addr, &self.bundle(), NAME, &["http/1.1"]).await
    }
}

async fn connect(
    addr: SocketAddr,
    bundle: &str,
    name: &str,
    alpn: &[&str],
) -> io::Result<TlsStream<TcpStream>> {
    secure(TcpStream::connect(addr).await?, bundle, name, alpn).await
}

async fn secure<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    bundle: &str,
    name: &str,
    alpn: &[&str],
) -> io::Result<TlsStream<S>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from(name.to_owned()).unwrap(), stream)
        .await
}

/// Sends one request and returns status and body.
async fn request<S>(stream: TlsStream<S>, path: &str) -> (StatusCode, Version, String)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let request = Request::get(format!("https://{NAME}{path}"))
        .header("host", NAME)
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = if http2 {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection.into_future());
        sender.send_request(request).await.unwrap()
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection.into_future());
        sender.send_request(request).await.unwrap()
    };
    let (status, version) = (response.status(), response.version());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, version, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_client_that_trusts_the_bundle_is_served_over_both_protocols() {
    let server = server(Endpoint::Webhook.limits()).await;
    for (alpn, version) in [
        (&["http/1.1"][..], Version::HTTP_11),
        (&["h2", "http/1.1"], Version::HTTP_2),
        (&[], Version::HTTP_11),
    ] {
        let stream = connect(server.addr, &server.bundle(), NAME, alpn).await.unwrap();
        assert_eq!(
            request(stream, "/").await,
            (StatusCode::OK, version, "127.0.0.1".to_owned())
        );
    }
}

#[tokio::test]
async fn a_client_that_expects_another_name_or_authority_refuses_the_server() {
    let server = server(Endpoint::Webhook.limits()).await;
    let error = connect(server.addr, &server.bundle(), "deputy-broker.deputy.svc", &[])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
    let foreign = authority_for_tests().bundle().borrow().clone();
    let error = connect(server.addr, &foreign, NAME, &[]).await.unwrap_err();
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
}

#[tokio::test]
async fn new_connections_get_a_new_certificate_and_the_bundle_trusts_both() {
    let server = server(Endpoint::Webhook.limits()).await;
    let old = server.bundle();
    let before = server.connect().await.unwrap();
    rotate_for_tests(&server.authority);
    let new = server.bundle();
    assert!(connect(server.addr, &old, NAME, &[]).await.is_err());
    let overlap = format!("{old}{new}");
    let after = connect(server.addr, &overlap, NAME, &[]).await.unwrap();
    let certificate = |stream: &TlsStream<TcpStream>| {
        stream.get_ref().1.peer_certificates().unwrap()[0]
            .clone()
            .into_owned()
    };
    assert_ne!(certificate(&before), certificate(&after));
    assert_eq!(
        request(before, "/").await.0,
        StatusCode::OK,
        "connections that are open stay open"
    );
    assert_eq!(request(after, "/").await.0, StatusCode::OK);
}

#[tokio::test]
async fn silent_and_hostile_clients_do_not_keep_others_waiting() {
    let server = server(Endpoint::Webhook.limits()).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(server.addr).await.unwrap());
    }
    for rubbish in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0; 4096],
        &[0x16, 0x03, 0x01, 0xff, 0xff],
    ] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(rubbish).await.unwrap();
        silent.push(stream);
    }
    // Through the handshake, then silent.
    let half = server.connect().await.unwrap();
    assert_eq!(
        request(server.connect().await.unwrap(), "/").await.0,
        StatusCode::OK
    );
    drop((silent, half));
}

#[tokio::test]
async fn a_head_above_the_limit_is_refused() {
    let server = server(ListenerLimits {
        header_bytes: 8192,
        ..Endpoint::Webhook.limits()
    })
    .await;
    let mut stream = server.connect().await.unwrap();
    let head = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nfiller: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    stream.write_all(head.as_bytes()).await.ok();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 431");
}

#[tokio::test]
async fn requests_in_flight_are_answered_when_the_process_stops() {
    let Running {
        addr,
        authority,
        shutdown,
        arrived,
        finish,
        task,
    } = server(Endpoint::Webhook.limits()).await;
    let bundle = authority.bundle().borrow().clone();
    let idle = connect(addr, &bundle, NAME, &["http/1.1"]).await.unwrap();
    let busy = connect(addr, &bundle, NAME, &["http/1.1"]).await.unwrap();
    let answer = tokio::spawn(request(busy, "/slow"));
    arrived.notified().await;

    shutdown.drain();
    let late = connect(addr, &bundle, NAME, &["h2"]).await.unwrap();
    assert_eq!(
        request(late, "/").await.0,
        StatusCode::OK,
        "a draining server still takes connections"
    );

    shutdown.stop();
    finish.notify_one();
    assert_eq!(answer.await.unwrap().2, "slow");
    task.await.unwrap();
    drop(idle);
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_keep_the_process() {
    let server = server(ListenerLimits {
        drain: Duration::from_millis(50),
        ..Endpoint::Webhook.limits()
    })
    .await;
    let stream = server.connect().await.unwrap();
    let stuck = tokio::spawn(request(stream, "/slow"));
    server.arrived.notified().await;
    server.shutdown.stop();
    server.task.await.unwrap();
    stuck.abort();
}

#[tokio::test]
async fn a_client_of_ipv4_is_known_by_its_address_on_a_socket_for_both_families() {
    let server = server_on("[::]:0", Endpoint::Webhook.limits()).await;
    let addr = SocketAddr::from(([127, 0, 0, 1], server.addr.port()));
    let stream = connect(addr, &server.bundle(), NAME, &["http/1.1"])
        .await
        .unwrap();
    assert_eq!(request(stream, "/").await.2, "127.0.0.1");
}

#[tokio::test]
async fn a_panic_in_one_request_ends_that_request() {
    let server = server(Endpoint::Webhook.limits()).await;
    for alpn in [&["http/1.1"][..], &["h2"]] {
        let stream = connect(server.addr, &server.bundle(), NAME, alpn).await.unwrap();
        assert_eq!(
            request(stream, "/panics").await.0,
            StatusCode::INTERNAL_SERVER_ERROR
        );
        let stream = connect(server.addr, &server.bundle(), NAME, alpn).await.unwrap();
        assert_eq!(request(stream, "/").await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_listener_of_http_1_alone_offers_nothing_else() {
    let server = server(Endpoint::Broker.limits()).await;
    let both = connect(server.addr, &server.bundle(), NAME, &["h2", "http/1.1"])
        .await
        .unwrap();
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let refused = connect(server.addr, &server.bundle(), NAME, &["h2"]).await;
    assert!(refused.is_err(), "HTTP/2 alone");
}
