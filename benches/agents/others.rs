//! Clients that mean no good, in processes of their own.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

use crate::{ATTEMPT, NAME, client};

/// The first message of a client.
fn hello(bundle: &str) -> Vec<u8> {
    let config = Arc::clone(client(bundle).config());
    let mut connection = rustls::ClientConnection::new(config, ServerName::try_from(NAME).unwrap()).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

/// In a process of its own: what it costs must not be missing to the agents.
pub fn start(what: &str, clients: &str, broker: SocketAddr, bundle: &str, folder: &std::path::Path) -> Child {
    let file = folder.join("bundle");
    std::fs::write(&file, bundle).unwrap();
    let program = std::env::current_exe().unwrap();
    let arguments = [what, clients, &broker.to_string(), &file.to_string_lossy()].map(str::to_owned);
    Command::new(program).args(arguments).spawn().unwrap()
}

/// How many clients, the broker, and its bundle.
fn others(arguments: Vec<String>) -> (usize, SocketAddr, String) {
    let [clients, broker, bundle] = arguments.as_slice() else {
        panic!("FLOOD|GARBAGE CLIENTS ADDRESS BUNDLE");
    };
    let bundle = std::fs::read_to_string(bundle).unwrap();
    (clients.parse().unwrap(), broker.parse().unwrap(), bundle)
}

async fn count_of(what: &str, count: &AtomicUsize) {
    loop {
        tokio::time::sleep(Duration::from_secs(3)).await;
        println!(
            "{} {what} a second by others",
            count.swap(0, Ordering::Relaxed) / 3
        );
    }
}

pub async fn flood(arguments: Vec<String>) {
    let (clients, broker, bundle) = others(arguments);
    let (hello, begun) = (Arc::new(hello(&bundle)), Arc::new(AtomicUsize::new(0)));
    for index in 0..clients {
        tokio::spawn(begin_handshakes(
            index,
            broker,
            Arc::clone(&hello),
            Arc::clone(&begun),
        ));
    }
    count_of("handshakes begun", &begun).await;
}

/// Tokens of the right form that nobody signed, each with a key id of its own.
pub async fn garbage(arguments: Vec<String>) {
    let (clients, broker, bundle) = others(arguments);
    let (tls, sent) = (client(&bundle), Arc::new(AtomicUsize::new(0)));
    for index in 0..clients {
        let (tls, sent) = (tls.clone(), Arc::clone(&sent));
        tokio::spawn(async move {
            loop {
                // Whatever ends the connection, another one is made.
                send_garbage(index, broker, &tls, &sent).await.ok();
            }
        });
    }
    count_of("made-up tokens", &sent).await;
}

async fn send_garbage(
    index: usize,
    broker: SocketAddr,
    tls: &TlsConnector,
    sent: &AtomicUsize,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 201, 0, 1 + (index % 16) as u8), 0).into())?;
    let stream = tls
        .connect(ServerName::try_from(NAME)?, socket.connect(broker).await?)
        .await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    loop {
        let kid = RandomState::new().hash_one(0_u8);
        let header = BASE64.encode(format!("{{\"alg\":\"ES256\",\"kid\":\"{kid}\"}}"));
        let token = format!("{header}.{}.{}", BASE64.encode("{}"), "A".repeat(86));
        sender.ready().await?;
        let request = Request::get("/v1/credentials")
            .header("host", NAME)
            .header("authorization", format!("Bearer {token}"))
            .body(Empty::<Bytes>::new())?;
        sender.send_request(request).await?.into_body().collect().await?;
        sent.fetch_add(1, Ordering::Relaxed);
    }
}

async fn begin_handshakes(index: usize, broker: SocketAddr, hello: Arc<Vec<u8>>, begun: Arc<AtomicUsize>) {
    let mut answer = [0; 4096];
    loop {
        let attempt = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind((Ipv4Addr::new(127, 200, 0, 1 + (index % 16) as u8), 0).into())?;
            let mut stream = socket.connect(broker).await?;
            stream.write_all(&hello).await?;
            stream.read(&mut answer).await
        };
        if let Ok(Ok(1..)) = tokio::time::timeout(ATTEMPT, attempt).await {
            begun.fetch_add(1, Ordering::Relaxed);
        }
    }
}
