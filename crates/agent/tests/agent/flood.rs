//! More connections than there are places, and requests that come in pieces.

use std::time::Duration;

use deputy_agent::serve::ConnectionLimits;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{Authority, Broker, Running, Setup, TOKEN, credential};

const MAX_CONNECTIONS: usize = ConnectionLimits::SIDECAR.most;

async fn agent() -> (Broker, Running) {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    broker.then(200, &[], credential("ASIA1"));
    let agent = Setup::to(&broker, &authority).start().await;
    (broker, agent)
}

fn head(agent: &Running) -> String {
    let host = agent.address;
    format!("GET /v1/credentials HTTP/1.1\r\nHost: {host}\r\nAuthorization: {TOKEN}\r\n\r\n")
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // Closed or reset: either way there is no more.
    let _reset_or_not = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn connections_without_a_whole_request_lock_nobody_out() {
    let (_broker, agent) = agent().await;
    let (half, other_half) = ("GET /v1/credentials HTTP/1.1\r\n", head(&agent));
    let other_half = other_half.strip_prefix(half).unwrap();
    let mut held = Vec::new();
    for n in 1..=MAX_CONNECTIONS * 3 {
        let mut stream = TcpStream::connect(agent.address).await.unwrap();
        if n % 3 == 0 {
            stream.write_all(half.as_bytes()).await.unwrap();
        }
        held.push(stream);
    }
    assert_eq!(agent.credentials().await.key(), "ASIA1");
    // Who was there first was idle longest, and had to go.
    assert_eq!(rest(&mut held[0]).await, "");
    assert_eq!(rest(&mut held[MAX_CONNECTIONS]).await, "");
    // Who came last can still go on.
    let last = held.last_mut().unwrap();
    last.write_all(other_half.as_bytes()).await.unwrap();
    assert!(rest(last).await.contains("ASIA1"));
}

#[tokio::test]
async fn a_request_that_comes_byte_by_byte_is_answered() {
    let (_broker, agent) = agent().await;
    let mut stream = TcpStream::connect(agent.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in head(&agent).bytes() {
        stream.write_all(&[byte]).await.unwrap();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    assert!(rest(&mut stream).await.contains("ASIA1"));
}

#[tokio::test]
async fn a_client_that_ends_within_its_request_is_closed_at_once() {
    let (_broker, agent) = agent().await;
    let mut stream = TcpStream::connect(agent.address).await.unwrap();
    stream
        .write_all(b"GET /v1/credentials HTTP/1.1\r\n")
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(8), rest(&mut stream)).await;
    assert_eq!(answer.unwrap(), "");
}
