//! An IAM and STS that cost next to nothing, for `hack/bench-scale`: `iam-stub` prints the address at which it listens, and serves
//! any number of accounts, each under a path of its own (`http://127.0.0.1:PORT/123456789012`).
//!
//! It remembers roles and managed policies and judges nothing: no signature, no policy, no quota, no lag. `GET /-/counts` are the calls
//! by action, those that were throttled apart; `POST /-/reset` forgets them; `POST /-/rate/N` grants each account N calls to IAM a second
//! from now on and answers the others as IAM does, `POST /-/rate/0` all of them. It ends when its standard input does.

#![expect(clippy::unwrap_used, reason = "a benchmark ends where one of these does")]

mod account;
mod actions;
mod answer;
mod policies;
mod roles;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io::Read,
    sync::{Arc, Mutex},
    time::Instant,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

use account::Account;
use answer::{Answer, Refusal};

/// All accounts, and what was asked of them.
#[derive(Default)]
struct Server {
    accounts: BTreeMap<String, Account>,
    /// Calls that were answered, by action.
    calls: BTreeMap<String, u64>,
    throttled: u64,
    /// Calls to IAM that each account grants in a second; all of them if it is zero.
    rate: f64,
}

impl Server {
    /// One call: `body` is the form that the SDK sends.
    fn call(&mut self, account: &str, body: &[u8]) -> Answer {
        let form: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
        let action = form.get("Action").cloned().unwrap_or_default();
        let rate = self.rate;
        let held = self
            .accounts
            .entry(account.to_owned())
            .or_insert_with(|| Account::new(account));
        if !actions::is_of_sts(&action) && rate > 0.0 && !held.bucket.take(rate, Instant::now()) {
            self.throttled += 1;
            return Err(Refusal::new(400, "Throttling", "Rate exceeded"));
        }
        *self.calls.entry(action.clone()).or_default() += 1;
        actions::answer(held, &action, &form)
    }

    fn control(&mut self, path: &str) -> String {
        if let Some(rate) = path.strip_prefix("/-/rate/") {
            self.rate = rate.parse().unwrap_or(0.0);
        } else if path == "/-/reset" {
            self.calls.clear();
            self.throttled = 0;
        }
        let roles: usize = self.accounts.values().map(Account::roles).sum();
        json!({"calls": self.calls, "throttled": self.throttled, "rate": self.rate, "roles": roles})
            .to_string()
    }
}

async fn serve(
    request: Request<Incoming>,
    server: Arc<Mutex<Server>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let Ok(body) = request.into_body().collect().await.map(|b| b.to_bytes()) else {
        return Ok(respond(400, String::new()));
    };
    let mut server = server.lock().unwrap();
    if path.starts_with("/-/") {
        return Ok(respond(200, server.control(&path)));
    }
    Ok(match server.call(path.trim_matches('/'), &body) {
        Ok(text) => respond(200, text),
        Err(refusal) => respond(refusal.status, refusal.to_xml()),
    })
}

fn respond(status: u16, text: String) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header("content-type", "text/xml")
        .header("x-amzn-requestid", "00000000-0000-0000-0000-000000000000")
        .body(Full::new(Bytes::from(text)))
        .unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(|| {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        std::process::exit(0);
    });
    let server = Arc::new(Mutex::new(Server::default()));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).ok();
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let service = service_fn(|request| serve(request, Arc::clone(&server)));
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await
                .ok();
        });
    }
}
