//! How fast pods have their first credential: `agents-at-once DEPUTY [SCENARIO...]` starts for each scenario the broker of the program DEPUTY
//! with an API server and STS that answer from memory, and lets agents come, each from an address of its own and by a new connection of its own,
//! which it keeps for three idle seconds as `deputy-agent` does. An agent that gets no credential within two seconds tries again after growing
//! pauses.
//!
//! With FLOOD in the environment, so many clients of 16 further addresses meanwhile do nothing but begin handshakes, each
//! with the same first message and never a second: that costs them little, and the broker a handshake each. With GARBAGE, so many clients of 16
//! further addresses send tokens that nobody signed, as fast as they are answered.
//!
//! Prints rows of a Markdown table; exits 1 when an agent got no credential.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark ends where one of these does"
)]

mod cluster;
mod others;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

use cluster::{Shape, Store};

const ATTEMPT: Duration = Duration::from_secs(2);
/// The first and the longest pause before another try, as in `deputy-agent`: doubled each time, and half of it by chance.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
const IDLE: Duration = Duration::from_secs(3);
const NAME: &str = "deputy-broker.deputy.svc";

struct Scenario {
    name: &'static str,
    agents: usize,
    /// In which time they come; zero: at once.
    within: Duration,
    identities: usize,
    sts_takes: Duration,
    figure: &'static str,
}

const SCENARIOS: [Scenario; 4] = [
    Scenario {
        name: "one-identity",
        agents: 1000,
        within: Duration::ZERO,
        identities: 1,
        sts_takes: Duration::from_millis(50),
        figure: "1 session, all answered",
    },
    Scenario {
        name: "many-identities",
        agents: 1000,
        within: Duration::ZERO,
        identities: 1000,
        sts_takes: Duration::from_millis(50),
        figure: "all answered, p99 < 1 s, < 60 MB",
    },
    Scenario {
        name: "pods-500-a-second",
        agents: 5000,
        within: Duration::from_secs(10),
        identities: 100,
        sts_takes: Duration::from_millis(50),
        figure: "p99.9 < 1 s",
    },
    Scenario {
        name: "agents",
        agents: 10_000,
        within: Duration::from_secs(20),
        identities: 1,
        sts_takes: Duration::ZERO,
        figure: "all served, p99 < 1 s",
    },
];

/// What all agents count together.
#[derive(Default)]
struct Counts {
    open: AtomicUsize,
    most_open: AtomicUsize,
    failed: Mutex<BTreeMap<String, usize>>,
    /// First attempts that were answered with a credential within a second.
    at_once: AtomicUsize,
}

struct Agents {
    store: Arc<Store>,
    broker: SocketAddr,
    tls: TlsConnector,
    counts: Arc<Counts>,
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().expect("the program deputy");
    match program.as_str() {
        "FLOOD" => return others::flood(arguments.collect()).await,
        "GARBAGE" => return others::garbage(arguments.collect()).await,
        _ => {}
    }
    let chosen: Vec<String> = arguments.collect();
    raise_open_files();
    let mut all_served = true;
    for scenario in &SCENARIOS {
        if chosen.is_empty() || chosen.iter().any(|name| name == scenario.name) {
            all_served &= play(&program, scenario).await;
        }
    }
    if !all_served {
        std::process::exit(1);
    }
}

/// Whether all agents were served.
async fn play(program: &str, scenario: &Scenario) -> bool {
    let store = Arc::new(Store::new(Shape {
        // One more for the pod that waits until the broker is there.
        identities: scenario.identities + 1,
        pods: scenario.agents,
        sts_takes: scenario.sts_takes,
    }));
    let api = cluster::start(Arc::clone(&store)).await;
    let folder = tempfile::tempdir().unwrap();
    let broker = free_address();
    let mut process = start_broker(program, api, broker, folder.path());
    let bundle = loop {
        if let Some(bundle) = store.bundle() {
            break bundle;
        }
        assert!(process.try_wait().unwrap().is_none(), "the broker ended");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let all = Arc::new(Agents {
        store: Arc::clone(&store),
        broker,
        tls: client(&bundle),
        counts: Arc::default(),
    });
    // The first waits for what a broker does when it begins.
    while all.credential(0).await.is_err() {
        tokio::time::sleep(PAUSES.0).await;
    }
    all.counts.failed.lock().unwrap().clear();
    store.sessions.store(0, Ordering::Relaxed);
    store.questions.store(0, Ordering::Relaxed);

    let others: Vec<_> = ["FLOOD", "GARBAGE"]
        .into_iter()
        .filter_map(|what| Some((what, std::env::var(what).ok()?)))
        .map(|(what, clients)| others::start(what, &clients, broker, &bundle, folder.path()))
        .collect();
    let cpu = cpu_seconds(&process);
    let agents = scenario.agents;
    let between = scenario.within / u32::try_from(agents).unwrap();
    let start = tokio::time::Instant::now();
    let mut running = Vec::with_capacity(agents);
    for index in 0..agents {
        tokio::time::sleep_until(start + between * u32::try_from(index).unwrap()).await;
        let all = Arc::clone(&all);
        running.push(tokio::spawn(async move { all.live(index + 1).await }));
    }
    let came = start.elapsed();
    let mut waits = Vec::with_capacity(agents);
    for agent in running {
        waits.extend(agent.await.unwrap());
    }
    let cpu = cpu_seconds(&process) - cpu;
    for mut other in others {
        other.kill().ok();
        other.wait().ok();
    }
    let served = waits.len();
    report(&all, scenario, came, waits, cpu, peak_memory(&process));
    process.kill().ok();
    process.wait().ok();
    served == agents
}

fn report(
    all: &Agents,
    scenario: &Scenario,
    came: Duration,
    mut waits: Vec<Duration>,
    cpu: f64,
    memory: String,
) {
    let counts = &all.counts;
    waits.sort();
    let quantile = |q: f64| {
        let index = ((waits.len() as f64 - 1.0) * q) as usize;
        waits
            .get(index)
            .map_or(f64::NAN, |wait| wait.as_secs_f64() * 1000.0)
    };
    let served = waits.len();
    let failed = counts.failed.lock().unwrap();
    let failed: Vec<_> = failed
        .iter()
        .map(|(why, count)| format!("{count} × {why}"))
        .collect();
    let failed = if failed.is_empty() {
        "none".to_owned()
    } else {
        failed.join(", ")
    };
    println!(
        "| {}: {} agents in {:.1} s, {} identities, STS takes {} ms | {served} served, {} of them within 1 s and at the first attempt; \
         first credential after p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, max {:.1} ms; failed attempts: {failed}; {} sessions made; \
         {} questions to the API server; {} connections at once; broker {:.0} µs of CPU each, at most {memory} resident | {} |",
        scenario.name,
        scenario.agents,
        came.as_secs_f64(),
        scenario.identities,
        scenario.sts_takes.as_millis(),
        counts.at_once.load(Ordering::Relaxed),
        quantile(0.5),
        quantile(0.99),
        quantile(0.999),
        quantile(1.0),
        all.store.sessions.load(Ordering::Relaxed),
        all.store.questions.load(Ordering::Relaxed),
        counts.most_open.load(Ordering::Relaxed),
        cpu * 1e6 / scenario.agents as f64,
        scenario.figure,
    );
}

/// User and system time of a process, in seconds.
fn cpu_seconds(process: &Child) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap_or_default();
    // The name, in parentheses, may hold spaces. Hundredths of a second on every Linux.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

impl Counts {
    fn failed(&self, why: String) {
        *self.failed.lock().unwrap().entry(why).or_default() += 1;
    }
}

impl Agents {
    /// Until there is a credential; how long it took. `None` after a minute.
    async fn live(&self, index: usize) -> Option<Duration> {
        let start = Instant::now();
        let mut pause = PAUSES.0;
        while start.elapsed() < Duration::from_secs(60) {
            match tokio::time::timeout(ATTEMPT, self.credential(index)).await {
                Ok(Ok(connection)) => {
                    let took = start.elapsed();
                    if pause == PAUSES.0 && took < Duration::from_secs(1) {
                        self.counts.at_once.fetch_add(1, Ordering::Relaxed);
                    }
                    tokio::time::sleep(IDLE).await;
                    drop(connection);
                    return Some(took);
                }
                Ok(Err(error)) => self.counts.failed(error.to_string()),
                Err(_) => self.counts.failed(format!("no answer in {ATTEMPT:?}")),
            }
            let random = RandomState::new().hash_one(0_u8) % 512;
            tokio::time::sleep(pause * (512 + random as u32) / 1024).await;
            pause = (pause * 2).min(PAUSES.1);
        }
        None
    }

    /// One request on a new connection, which is kept as long as what is returned.
    async fn credential(
        &self,
        index: usize,
    ) -> Result<impl Sized + use<>, Box<dyn std::error::Error + Send + Sync>> {
        let socket = TcpSocket::new_v4()?;
        let [.., b, c, d] = u32::try_from(index)?.to_be_bytes();
        socket.bind((Ipv4Addr::new(127, b.saturating_add(1), c, d), 0).into())?;
        let open = Open::new(&self.counts);
        let stream = socket.connect(self.broker).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(ServerName::try_from(NAME)?, stream).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let request = Request::get("/v1/credentials")
            .header("host", NAME)
            .header("authorization", format!("Bearer {}", self.store.token(index)))
            .body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        if status != 200 {
            return Err(format!("{status}").into());
        }
        Ok((sender, connection, open))
    }
}

/// One more open connection, until it is dropped.
struct Open(Arc<Counts>);

impl Open {
    fn new(counts: &Arc<Counts>) -> Self {
        let open = counts.open.fetch_add(1, Ordering::Relaxed) + 1;
        counts.most_open.fetch_max(open, Ordering::Relaxed);
        Self(Arc::clone(counts))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn client(bundle: &str) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Each agent is another process: none resumes another's session.
    config.resumption = rustls::client::Resumption::disabled();
    TlsConnector::from(Arc::new(config))
}

fn start_broker(program: &str, api: SocketAddr, broker: SocketAddr, folder: &std::path::Path) -> Child {
    let kubeconfig = folder.join("kubeconfig");
    let text = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": format!("http://{api}")}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    });
    std::fs::write(&kubeconfig, text.to_string()).unwrap();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    Command::new(program)
        .arg("broker")
        .env_clear()
        .env("KUBECONFIG", kubeconfig)
        .env("POD_NAMESPACE", "deputy")
        .env("DEPUTY_CLUSTER_NAME", "demo")
        .env("DEPUTY_LISTEN", broker.to_string())
        .env("DEPUTY_ADMIN_ADDRESS", free_address().to_string())
        .env("DEPUTY_LOG", "warn")
        .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "example")
        .env("AWS_REGION", "ap-northeast-1")
        .stdout(Stdio::from(log))
        .spawn()
        .unwrap()
}

fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn peak_memory(process: &Child) -> String {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
    let kilobytes = status.lines().find_map(|line| {
        line.strip_prefix("VmHWM:")?
            .trim()
            .strip_suffix(" kB")?
            .trim()
            .parse::<f64>()
            .ok()
    });
    kilobytes.map_or("unknown".to_owned(), |kilobytes| {
        format!("{:.0} MiB", kilobytes / 1024.0)
    })
}

fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let hard = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: hard,
        maximum: hard,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}
