//! The agent of a node, between its pods and a broker over TLS.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
};

use deputy_agent::{
    StartError,
    config::BrokerEndpoint,
    log::Log,
    node::{NodeAgent, NodeConfig},
};
use deputy_log_testing::CapturedLog;
use deputy_token::{NodeName, PublishedKeys};
use deputy_token_testing::{END, ISSUER, TokenSigner, claims};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot::{self, error::TryRecvError},
    task::JoinHandle,
};

use crate::support::{Answer, Authority, Broker, Setup, ask, credential_until, until};

/// The agent's own token.
const NODE_TOKEN: &str = "canary-node-token";

/// A cluster: its key, its broker, and a node `n1`.
struct Cluster {
    signer: TokenSigner,
    authority: Authority,
    broker: Broker,
}

/// An agent that serves, until it is stopped.
struct RunningNode {
    address: SocketAddr,
    ready_file: PathBuf,
    log: CapturedLog,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), StartError>>,
    _dir: tempfile::TempDir,
}

impl Cluster {
    /// One whose broker hands on the key, and gives every pod the credential `ASIA1`.
    async fn new() -> Self {
        let authority = Authority::new();
        let broker = Broker::start(&authority, "localhost").await;
        let signer = TokenSigner::new("ec-1");
        broker.then(200, &[], credential_until("ASIA1", END));
        let this = Self {
            signer,
            authority,
            broker,
        };
        this.publish();
        this
    }

    fn publish(&self) {
        let jwks = json!({"keys": [self.signer.published()]}).to_string();
        let discovery = json!({ "issuer": ISSUER }).to_string();
        let keys = PublishedKeys::parse(&discovery, &jwks).unwrap();
        let document = String::from_utf8(keys.document().unwrap().to_vec()).unwrap();
        self.broker.always("/v1/keys", 200, document);
    }

    /// The configuration of an agent that listens there, with its files in `dir`.
    fn config(&self, listen: Vec<SocketAddr>, dir: &Path) -> NodeConfig {
        let token_file = dir.join("token");
        std::fs::write(&token_file, NODE_TOKEN).unwrap();
        let setup = Setup::to(&self.broker, &self.authority);
        NodeConfig {
            listen,
            token_file,
            broker: BrokerEndpoint::parse(&setup.url, None, &setup.ca).unwrap(),
            node: NodeName::new("n1").unwrap(),
            ready_file: Some(dir.join("ready")),
        }
    }

    /// An agent at `address`, and where it listens.
    fn start(&self, address: SocketAddr) -> RunningNode {
        let dir = tempfile::tempdir().unwrap();
        let ready_file = dir.path().join("ready");
        let config = self.config(vec![address], dir.path());
        let log = CapturedLog::default();
        let agent = NodeAgent::bind(config, Log::new(log.clone())).unwrap();
        let address = agent.addresses()[0];
        let (stop, stopped) = oneshot::channel::<()>();
        let an_hour_before = jiff::Timestamp::from_second(END - 3600).unwrap();
        let serving = agent.run_at(Arc::new(move || an_hour_before), async move {
            let _dropped_or_sent = stopped.await;
        });
        RunningNode {
            address,
            ready_file,
            log,
            stop,
            task: tokio::spawn(serving),
            _dir: dir,
        }
    }

    async fn ready(&self) -> RunningNode {
        let agent = self.start((Ipv4Addr::LOCALHOST, 0).into());
        until(|| agent.ready_file.exists()).await;
        agent
    }

    /// The token of this pod of `payments` on this node.
    fn token(&self, uid: &str, node: &str) -> String {
        let mut claims = claims();
        claims["kubernetes.io"]["pod"] = json!({"name": format!("pod-{uid}"), "uid": uid});
        claims["kubernetes.io"]["node"]["name"] = json!(node);
        self.signer.sign(&claims)
    }

    /// What the broker saw of requests for credentials: the tokens of pod and agent.
    fn asked(&self) -> Vec<(String, String)> {
        let seen = self.broker.seen();
        let of_pods = seen
            .iter()
            .filter(|seen| seen.path.starts_with("/v1/credentials"));
        of_pods
            .map(|seen| {
                let text = |name: &str| seen.headers[name].to_str().unwrap().to_owned();
                (text("authorization"), text("deputy-node-token"))
            })
            .collect()
    }
}

impl RunningNode {
    async fn get(&self, token: &str) -> Answer {
        loop {
            let answer = ask(self.address, "/v1/credentials", token).await;
            // What an SDK does while the call to a slow broker goes on.
            if answer.code() != "NotReady" {
                return answer;
            }
        }
    }

    async fn stop(self) {
        drop(self.stop);
        self.task.await.unwrap().unwrap();
        assert!(!self.ready_file.exists(), "it serves no more");
    }
}

#[tokio::test]
async fn a_pod_of_the_node_gets_its_credential_by_its_token_and_the_agents() {
    let cluster = Cluster::new().await;
    let agent = cluster.ready().await;
    let token = cluster.token("a", "n1");
    let answer = agent.get(&token).await;
    assert_eq!(
        (answer.status(), answer.key()),
        (200, "ASIA1".into()),
        "{}",
        answer.0
    );
    let asked = (format!("Bearer {token}"), NODE_TOKEN.to_owned());
    assert_eq!(cluster.asked(), [asked]);
    let seen = cluster.broker.seen();
    let of = |path: &str| seen.iter().find(|seen| seen.path == path).unwrap();
    let user_agent = of("/v1/credentials").headers["user-agent"].to_str().unwrap();
    assert!(
        user_agent.starts_with("deputy-agent/") && user_agent.ends_with(" (node)"),
        "{user_agent}"
    );
    let keys = &of("/v1/keys").headers;
    assert!(!keys.contains_key("authorization") && !keys.contains_key("deputy-node-token"));
    // Kept for it, and for nobody else.
    assert_eq!(agent.get(&token).await.status(), 200);
    assert_eq!(cluster.asked().len(), 1);
    assert_eq!(agent.get(&cluster.token("b", "n1")).await.status(), 200);
    assert_eq!(cluster.asked().len(), 2);
    assert_eq!(ask(agent.address, "/readyz", "").await.status(), 404);
    let log = agent.log.clone();
    agent.stop().await;
    let text = log.text();
    assert!(text.contains("payments/pod-a"), "{text}");
    assert!(
        !text.contains("canary") && !text.contains(token.as_str()),
        "{text}"
    );
}

#[tokio::test]
async fn tokens_that_are_none_of_this_node_never_reach_the_broker() {
    let cluster = Cluster::new().await;
    let agent = cluster.ready().await;
    let forged = TokenSigner::new("ec-1").sign(&claims());
    for (token, status, code) in [
        ("a.b.c".to_owned(), 401, "Unauthorized"),
        (forged, 401, "Unauthorized"),
        (cluster.token("a", "n2"), 403, "WrongNode"),
    ] {
        let answer = agent.get(&token).await;
        assert_eq!(
            (answer.status(), answer.code()),
            (status, code.into()),
            "{}",
            answer.0
        );
    }
    assert_eq!(cluster.asked(), []);
    // Another name than its address is a page's that was made to point here.
    let token = cluster.token("a", "n1");
    for host in ["localhost:80", "attacker.example", "169.254.169.254"] {
        let answer = raw(agent.address, host, &token).await;
        assert!(answer.is_none_or(|answer| answer.status() == 400), "{host}");
    }
    assert_eq!(cluster.asked(), []);
    agent.stop().await;
}

#[tokio::test]
async fn where_no_keys_are_published_the_brokers_word_is_whose_a_token_is() {
    let cluster = Cluster::new().await;
    let none = json!({"Code": "KeysNotPublished", "Message": "none"}).to_string();
    cluster.broker.always("/v1/keys", 404, none);
    let agent = cluster.ready().await;
    assert_eq!(agent.get(&cluster.token("a", "n1")).await.status(), 200);
    assert_eq!(cluster.asked().len(), 1);
    assert_eq!(agent.get(&cluster.token("a", "n2")).await.code(), "WrongNode");
    assert_eq!(cluster.asked().len(), 1);
    // It names the same pod and is another token: nothing of that pod's is given for it.
    let refused = json!({"Code": "InvalidToken", "Message": "no"}).to_string();
    cluster.broker.always("/v1/credentials", 401, refused);
    let mut forged: Value = claims();
    forged["kubernetes.io"]["pod"] = json!({"name": "pod-a", "uid": "a"});
    let forged = TokenSigner::new("ec-1").sign(&forged);
    let answer = agent.get(&forged).await;
    assert_eq!((answer.status(), answer.code()), (503, "InvalidToken".into()));
    agent.stop().await;
}

#[tokio::test]
async fn the_pods_of_a_node_share_one_connection() {
    let cluster = Cluster::new().await;
    let agent = cluster.ready().await;
    for pod in 0..20 {
        let token = cluster.token(&pod.to_string(), "n1");
        assert_eq!(agent.get(&token).await.status(), 200);
    }
    assert_eq!((cluster.asked().len(), cluster.broker.connections()), (20, 1));
    agent.stop().await;
}

/// A request as an SDK sends it, on a connection of its own; `None` when that came to nothing.
async fn raw(address: SocketAddr, host: &str, token: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!(
        "GET /v1/credentials HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let answer = Answer(String::from_utf8(answer).ok()?);
    (answer.status() != 0).then_some(answer)
}

#[tokio::test]
async fn while_one_agent_takes_the_place_of_another_no_sdk_that_tries_twice_fails() {
    let cluster = Cluster::new().await;
    let token = cluster.token("a", "n1");
    let mut agent = cluster.ready().await;
    assert_eq!(agent.get(&token).await.status(), 200);
    let address = agent.address;
    let (done, mut is_done) = oneshot::channel::<()>();
    let asking = {
        let token = token.clone();
        tokio::spawn(async move {
            let (mut asked, mut again) = (0_u32, 0_u32);
            while is_done.try_recv() == Err(TryRecvError::Empty) {
                asked += 1;
                let host = address.to_string();
                let is_good = |answer: Option<Answer>| answer.is_some_and(|answer| answer.status() == 200);
                if !is_good(raw(address, &host, &token).await) {
                    again += 1;
                    assert!(
                        is_good(raw(address, &host, &token).await),
                        "twice in a row, after {asked}"
                    );
                }
            }
            (asked, again)
        })
    };
    for _ in 0..10 {
        let next = cluster.start(address);
        until(|| next.ready_file.exists()).await;
        std::mem::replace(&mut agent, next).stop().await;
    }
    done.send(()).unwrap();
    let (asked, again) = asking.await.unwrap();
    assert!(
        asked > 50 && again <= asked / 10,
        "{again} of {asked} were asked again"
    );
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_without_keys_leaves_connections_to_the_one_of_before() {
    let cluster = Cluster::new().await;
    let token = cluster.token("a", "n1");
    let agent = cluster.ready().await;
    let away = json!({"Code": "NotReady", "Message": "later"}).to_string();
    cluster.broker.always("/v1/keys", 503, away);
    let next = cluster.start(agent.address);
    until(|| next.log.text().contains("KeysUnavailable")).await;
    for _ in 0..20 {
        let answer = agent.get(&token).await;
        assert_eq!(answer.status(), 200, "{}", answer.0);
    }
    assert!(!next.ready_file.exists());
    next.stop().await;
    assert_eq!(agent.get(&token).await.status(), 200);
    agent.stop().await;
}

#[tokio::test]
async fn an_address_of_another_users_agent_is_no_address_to_leave_out() {
    let cluster = Cluster::new().await;
    // What does not share it, as a socket of another user does not.
    let other = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = other.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = cluster.config(vec![(Ipv4Addr::LOCALHOST, 0).into(), taken], dir.path());
    let error = NodeAgent::bind(config, Log::new(std::io::sink())).err().unwrap();
    let says = error.to_string();
    assert!(
        says.contains(&taken.to_string()) && says.contains("all agents of a node run as one user"),
        "{says}"
    );
}
