use std::future::IntoFuture as _;

use axum::routing::get;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::tls::authority::tests::{authority_for_tests, rotate_for_tests};
use crate::tls::{Authority, Bundle};

const NAME: &str = "deputy-webhook.deputy.svc";

struct Server {
    addr: SocketAddr,
    authority: Authority,
    shutdown: Shutdown,
    /// Notified when a request for `/slow` has arrived.
    arrived: Arc<Notify>,
    /// Lets requests for `/slow` end.
    finish: Arc<Notify>,
    task: JoinHandle<Result<(), ServeError>>,
}

async fn server(limits: Limits) -> Server {
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let authority = authority_for_tests();
    let shutdown = Shutdown::manual();
    let (arrived, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (on_arrival, on_finish) = (Arc::clone(&arrived), Arc::clone(&finish));
    let router = Router::new()
        .route(
            "/",
            get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }),
        )
        .route(
            "/slow",
            get(|| async move {
                on_arrival.notify_one();
                on_finish.notified().await;
                "slow"
            }),
        );
    let task = tokio::spawn(serve_tls(
        listener,
        authority.server_config(),
        router,
        limits,
        shutdown.clone(),
    ));
    Server {
        addr,
        authority,
        shutdown,
        arrived,
        finish,
        task,
    }
}

impl Server {
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
    let stream = TcpStream::connect(addr).await?;
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from(name.to_owned()).unwrap(), stream)
        .await
}

/// Sends one request and returns status and body.
async fn request(stream: TlsStream<TcpStream>, path: &str) -> (StatusCode, Version, String) {
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
    let server = server(Limits::default()).await;
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
    let server = server(Limits::default()).await;
    let error = connect(server.addr, &server.bundle(), "deputy-broker.deputy.svc", &[])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
    let foreign = authority_for_tests().bundle().borrow().clone();
    let error = connect(server.addr, &foreign, NAME, &[]).await.unwrap_err();
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
}

#[tokio::test]
async fn new_connections_get_a_new_certificate_and_the_overlapping_bundle_trusts_both() {
    let server = server(Limits::default()).await;
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
    let server = server(Limits::default()).await;
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
async fn a_silent_client_is_cut_off_and_frees_its_place() {
    let limits = Limits {
        connections: 1,
        handshake_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = server(limits).await;
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    // Waits in the queue until the silent one is cut off.
    assert_eq!(
        request(server.connect().await.unwrap(), "/").await.0,
        StatusCode::OK
    );
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap_or(0), 0, "closed");
}

#[tokio::test]
async fn a_client_that_is_silent_after_the_handshake_is_cut_off() {
    let server = server(Limits {
        header_timeout: Duration::from_millis(50),
        ..Limits::default()
    })
    .await;
    let mut stream = server.connect().await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    let mut answer = Vec::new();
    // Ends although the client does not.
    stream.read_to_end(&mut answer).await.ok();
    let answer = String::from_utf8(answer).unwrap();
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_head_above_the_limit_is_refused() {
    let server = server(Limits {
        header_bytes: 8192,
        ..Limits::default()
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
    let Server {
        addr,
        authority,
        shutdown,
        arrived,
        finish,
        task,
    } = server(Limits::default()).await;
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
    task.await.unwrap().unwrap();
    drop(idle);
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_keep_the_process() {
    let server = server(Limits {
        drain_timeout: Duration::from_millis(50),
        ..Limits::default()
    })
    .await;
    let stream = server.connect().await.unwrap();
    let stuck = tokio::spawn(request(stream, "/slow"));
    server.arrived.notified().await;
    server.shutdown.stop();
    server.task.await.unwrap().unwrap();
    stuck.abort();
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_it() {
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let error = bind(addr).await.unwrap_err();
    assert_eq!(error.to_string(), format!("failed to listen on {addr}"));
}

#[test]
fn one_address_has_so_many_places_and_gives_them_back() {
    let peers = Peers::default();
    let (one, other) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    let places: Vec<_> = (0..3).filter_map(|_| peers.enter(one, 2)).collect();
    assert_eq!(places.len(), 2);
    assert!(peers.enter(other, 2).is_some());
    drop(places);
    assert!(peers.enter(one, 2).is_some());
    assert!(peers.0.lock().unwrap().is_empty());
}
