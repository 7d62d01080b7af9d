//! A broker to talk to, and an agent in front of it, both on loopback in this process.

use std::{
    collections::{HashMap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use deputy_agent::{
    Agent,
    binding::SelectedBinding,
    bundle::BundleDigest,
    config::{BrokerEndpoint, Config, WaitFor},
    log::Log,
};
use deputy_log_testing::CapturedLog;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// How long a test waits for what has to come, however slow the machine is.
pub const DEADLINE: Duration = Duration::from_secs(60);
pub const TOKEN: &str = "canary-pod-token";

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    fn server(&self, name: &str) -> rustls::ServerConfig {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, &self.0)
            .unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap()
    }
}

/// What the broker saw of one request.
#[derive(Clone)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
}

type Reply = Response<Full<Bytes>>;

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    replies: Mutex<VecDeque<Reply>>,
    connections: Mutex<usize>,
    hold: Mutex<Option<Arc<Notify>>>,
    bundle: Mutex<Option<(String, Reply)>>,
    of_paths: Mutex<HashMap<String, Reply>>,
}

/// A broker on loopback that answers with what it was told to, in order; the last reply again and again.
pub struct Broker {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
    acceptor: watch::Sender<TlsAcceptor>,
    name: String,
}

impl Broker {
    /// A broker whose certificate is for `name`.
    pub async fn start(authority: &Authority, name: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (acceptor, present) = watch::channel(TlsAcceptor::from(Arc::new(authority.server(name))));
        let shared = Arc::new(Shared::default());
        let for_task = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let mut present = present.clone();
                let acceptor = present.borrow_and_update().clone();
                let shared = Arc::clone(&for_task);
                connections.spawn(async move {
                    let Ok(tls) = acceptor.accept(tcp).await else {
                        return;
                    };
                    *shared.connections.lock().unwrap() += 1;
                    let service = service_fn(move |request| reply(request, Arc::clone(&shared)));
                    let serving = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(tls), service);
                    tokio::select! {
                        _ended = serving => {}
                        _moved = present.changed() => {}
                    }
                });
            }
        });
        Self {
            address,
            shared,
            task,
            acceptor,
            name: name.to_owned(),
        }
    }

    /// From now on its certificate is of `authority`, and the connections there are end.
    pub fn move_to(&self, authority: &Authority) {
        let acceptor = TlsAcceptor::from(Arc::new(authority.server(&self.name)));
        self.acceptor.send_replace(acceptor);
    }

    /// Tells of `bundle` with each answer from now on, and gives it with `status`.
    pub fn announce(&self, status: u16, bundle: &str) {
        let digest = BundleDigest::of(bundle.as_bytes()).hex();
        let body = Full::new(Bytes::from(bundle.to_owned()));
        let reply = Response::builder().status(status).body(body).unwrap();
        *self.shared.bundle.lock().unwrap() = Some((digest, reply));
    }

    /// Every request for `path` is answered so, in whatever order requests come.
    pub fn always(&self, path: &str, status: u16, body: impl Into<Bytes>) {
        let body = Full::new(body.into());
        let reply = Response::builder().status(status).body(body).unwrap();
        self.shared
            .of_paths
            .lock()
            .unwrap()
            .insert(path.to_owned(), reply);
    }

    pub fn then(&self, status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) {
        let mut response = Response::builder().status(status).header("Deputy-Protocol", "1");
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(Full::new(body.into())).unwrap();
        self.shared.replies.lock().unwrap().push_back(response);
    }

    /// The next request is answered only once the returned handle is notified.
    pub fn hold(&self) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        *self.shared.hold.lock().unwrap() = Some(Arc::clone(&gate));
        gate
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        *self.shared.connections.lock().unwrap()
    }

    /// Closes the listener and every connection.
    pub async fn stop(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

async fn reply(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Reply, hyper::Error> {
    let seen = Seen {
        path: request.uri().to_string(),
        headers: request.headers().clone(),
    };
    shared.seen.lock().unwrap().push(seen);
    let gate = shared.hold.lock().unwrap().take();
    if let Some(gate) = gate {
        gate.notified().await;
    }
    let bundle = shared.bundle.lock().unwrap().clone();
    if let Some((_, reply)) = bundle.as_ref().filter(|_| request.uri().path() == "/v1/bundle") {
        return Ok(reply.clone());
    }
    if let Some(reply) = shared.of_paths.lock().unwrap().get(request.uri().path()) {
        return Ok(reply.clone());
    }
    let mut replies = shared.replies.lock().unwrap();
    let mut reply = if replies.len() > 1 {
        replies.pop_front().unwrap()
    } else {
        replies.front().unwrap().clone()
    };
    if let Some((digest, _)) = bundle {
        reply
            .headers_mut()
            .insert("deputy-bundle", digest.try_into().unwrap());
    }
    Ok(reply)
}

/// Waits until `holds`, which something else in this test brings about.
pub async fn until(holds: impl Fn() -> bool) {
    let poll = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, poll).await.expect("what the test waits for");
}

/// A credential that lives for an hour.
pub fn credential(key: &str) -> String {
    let an_hour = jiff::SignedDuration::from_hours(1);
    credential_until(key, (jiff::Timestamp::now() + an_hour).as_second())
}

/// A credential that lives until then, in seconds since 1970.
pub fn credential_until(key: &str, end: i64) -> String {
    let expiration = jiff::Timestamp::from_second(end).unwrap();
    format!(
        r#"{{"AccessKeyId":"{key}","SecretAccessKey":"canary-secret","Token":"canary-session","Expiration":"{expiration}","AccountId":"123456789012"}}"#
    )
}

/// How the agent under test is set up.
pub struct Setup {
    pub url: String,
    pub address: Option<SocketAddr>,
    pub ca: String,
    pub bindings: Vec<SelectedBinding>,
    pub wait_for: WaitFor,
}

impl Setup {
    /// The broker by the name `localhost`.
    pub fn to(broker: &Broker, authority: &Authority) -> Self {
        Self {
            url: format!("https://localhost:{}", broker.address.port()),
            address: None,
            ca: authority.pem(),
            bindings: Vec::new(),
            wait_for: WaitFor::Listener,
        }
    }

    pub async fn start(self) -> Running {
        let dir = tempfile::tempdir().unwrap();
        let token_file = dir.path().join("token");
        std::fs::write(&token_file, TOKEN).unwrap();
        let address = self.address.map(|a| a.to_string());
        let broker = BrokerEndpoint::parse(&self.url, address.as_deref(), &self.ca).unwrap();
        let config = Config {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            token_file: token_file.clone(),
            broker,
            bindings: self.bindings,
            wait_for: self.wait_for,
        };
        let log = CapturedLog::default();
        let agent = Agent::bind(config, Log::new(log.clone()), None).await.unwrap();
        let address = agent.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(agent.run(async move {
            let _dropped_or_sent = stopped.await;
        }));
        Running {
            address,
            token_file,
            log,
            stop: Some(stop),
            task: Some(task),
            _dir: dir,
        }
    }
}

/// An agent that serves.
pub struct Running {
    pub address: SocketAddr,
    pub token_file: PathBuf,
    pub log: CapturedLog,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl Running {
    /// Sends `request` as it is and reads until the agent closes the connection.
    pub async fn raw(&self, request: &str) -> Answer {
        send(self.address, request).await
    }

    /// A well-formed request with `token`.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        ask(self.address, path, token).await
    }

    /// What an SDK of the application does: asks again when told that the call to the broker goes on.
    pub async fn credentials(&self) -> Answer {
        self.patient("/v1/credentials", TOKEN).await
    }

    /// [`Self::get`], again and again while the agent waits for the broker: on a slow machine, even the broker
    /// of these tests is slow.
    pub async fn patient(&self, path: &str, token: &str) -> Answer {
        let patience = async {
            loop {
                let answer = self.get(path, token).await;
                // Closed without an answer: so many came at once that this one had to make room.
                if answer.status() != 0 && answer.code() != "NotReady" {
                    return answer;
                }
            }
        };
        timeout(DEADLINE, patience).await.expect("an answer")
    }

    /// Asks `/readyz` until it says 200.
    pub async fn until_ready(&self) {
        let ready = async {
            while self.get("/readyz", "").await.status() != 200 {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, ready).await.expect("readiness");
    }

    /// Swaps the token file as the kubelet does.
    pub fn rotate(&self, token: &str) {
        let next = Path::new(&self.token_file).with_extension("next");
        std::fs::write(&next, token).unwrap();
        std::fs::rename(next, &self.token_file).unwrap();
    }

    pub async fn stop(&mut self) {
        drop(self.stop.take());
        self.task.take().unwrap().await.unwrap();
    }
}

/// Sends `request` as it is and reads until the agent closes the connection.
async fn send(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The agent may answer and close before it took everything.
    let _written_or_not = stream.write_all(request.as_bytes()).await;
    let mut response = Vec::new();
    let _reset_or_not = stream.read_to_end(&mut response).await;
    Answer(String::from_utf8(response).unwrap())
}

/// A well-formed request with `token`.
pub async fn ask(address: SocketAddr, path: &str, token: &str) -> Answer {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\nConnection: close\r\n\r\n"
    );
    send(address, &request).await
}

/// A response as it came.
pub struct Answer(pub String);

impl Answer {
    pub fn status(&self) -> u16 {
        self.0.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0)
    }

    pub fn body(&self) -> serde_json::Value {
        let body = self.0.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str(body).unwrap_or(serde_json::Value::Null)
    }

    pub fn key(&self) -> String {
        self.body()["AccessKeyId"].as_str().unwrap_or_default().to_owned()
    }

    pub fn code(&self) -> String {
        self.body()["Code"].as_str().unwrap_or_default().to_owned()
    }

    pub fn has_header(&self, line: &str) -> bool {
        self.0
            .to_ascii_lowercase()
            .contains(&format!("\r\n{}\r\n", line.to_ascii_lowercase()))
    }
}

/// A request that gets its answer even when the agent is stopping; the connection is then closed by the agent.
pub async fn ask_and_stay(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET /v1/credentials HTTP/1.1\r\nHost: {address}\r\nAuthorization: {TOKEN}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}
