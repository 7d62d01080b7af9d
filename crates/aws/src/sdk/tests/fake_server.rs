//! A server of canned answers on loopback, and what it was asked.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// What the server does with one request.
#[derive(Clone)]
pub(crate) enum CannedAnswer {
    Body(u16, String),
    /// With more headers, each with its end of line.
    WithHeaders(u16, String, String),
    /// Reads the request and closes the connection.
    Hangup,
    /// Reads the request and says nothing.
    Silence,
}

/// A server on loopback and the requests it got: head and form of each.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) async fn start(answers: impl IntoIterator<Item = CannedAnswer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        let log = requests.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (log, answers) = (log.clone(), answers.clone());
                tokio::spawn(async move {
                    while let Some(request) = read_request(&mut stream).await {
                        log.lock().unwrap().push(request);
                        let answer = answers
                            .lock()
                            .unwrap()
                            .pop_front()
                            .unwrap_or(CannedAnswer::Hangup);
                        let (status, headers, body) = match answer {
                            CannedAnswer::Body(status, body) => (status, String::new(), body),
                            CannedAnswer::WithHeaders(status, headers, body) => (status, headers, body),
                            CannedAnswer::Hangup => return,
                            CannedAnswer::Silence => std::future::pending().await,
                        };
                        let length = match status {
                            204 => String::new(),
                            _ => format!("content-length: {}\r\n", body.len()),
                        };
                        let text = format!(
                            "HTTP/1.1 {status} X\r\ncontent-type: text/xml\r\nx-amzn-requestid: request-7\r\n{length}{headers}\r\n{body}"
                        );
                        stream.write_all(text.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        Self { address, requests }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> Option<String> {
    let mut text = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
        text.extend_from_slice(&chunk[..n]);
        let so_far = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = so_far.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|l| l.split_once(": "))
                .find(|(k, _)| k.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, v)| v.trim().parse::<usize>().unwrap());
            if body.len() >= length {
                return Some(so_far);
            }
        }
    }
}
