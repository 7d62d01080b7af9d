//! The agents of nodes: what they get for pods, and the keys by which they verify tokens themselves.

use deputy_token::PublishedKeys;
use deputy_token_testing::{ISSUER, TokenSigner};

use super::*;
use crate::{
    asker::NodeAgents,
    fixtures::{Api, broker_by},
};

const TRUSTED: &str = "deputy/deputy-agent";

/// A broker that takes these agents of nodes.
fn taking(agents: Option<&str>) -> Router {
    let agents: Option<NodeAgents> = agents.map(|agents| agents.parse().unwrap());
    let broker = broker_of(index(), false, Arc::new(FixedSts::default())).with_node_agents(agents);
    let (_, bundle) = watch::channel(Bundle::from(PUBLIC));
    router(Arc::new(broker), bundle)
}

/// A request of the agent that shows these tokens, of the pod and its own.
fn asking(pod: &str, agent: &str) -> String {
    format!("GET /v1/credentials\nauthorization: Bearer {pod}\ndeputy-node-token: {agent}")
}

/// Status, code, and whether the connection goes on.
async fn answer(router: &Router, request: &str) -> (u16, String, bool) {
    let response = send(router, request).await;
    let is_kept = response.extensions().get::<AcceptedConnection>().is_some()
        && response.headers().get("connection").is_none();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let code = body["Code"].as_str().unwrap_or_default();
    (status, code.to_owned(), is_kept)
}

#[tokio::test(start_paused = true)]
async fn an_agent_gets_credentials_for_pods_of_its_node_alone() {
    let router = taking(Some(TRUSTED));
    for (pod, agent, status, code) in [
        ("pod.n1.x", "agent.n1.x", 200, ""),
        ("pod.n2.x", "agent.n2.x", 200, ""),
        ("pod.n2.x", "agent.n1.x", 403, "WrongNode"),
        ("a.b.c", "agent.n1.x", 403, "WrongNode"),
        // The connection is the next pod's, too.
        ("q.q.q", "agent.n1.x", 401, "InvalidToken"),
        ("x.y.z", "agent.n1.x", 401, "InvalidToken"),
        ("rubbish", "agent.n1.x", 401, "InvalidToken"),
    ] {
        let found = answer(&router, &asking(pod, agent)).await;
        assert_eq!(found, (status, code.to_owned(), true), "{pod} {agent}");
    }
    let told = exchange(&router, &asking("pod.n2.x", "agent.n1.x")).await;
    assert!(
        told.contains("pod payments/uploader-1 was made for node n2, and the agent of node n1 asks"),
        "{told}"
    );
    // A pod's own agent asks as before.
    assert_eq!(answer(&router, REQUEST).await, (200, String::new(), true));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_no_agent_of_a_node_gets_nothing_for_any_pod() {
    let trusting = taking(Some(TRUSTED));
    let other = taking(Some("deputy/another"));
    let elsewhere = taking(Some("payments/deputy-agent"));
    let none = taking(None);
    let good = asking("pod.n1.x", "agent.n1.x");
    for (router, request) in [
        (&none, good.clone()),
        (&other, good.clone()),
        (&elsewhere, good.clone()),
        // A pod's token is none of an agent, and an agent's own pod is a pod like any other.
        (&trusting, asking("pod.n1.x", "pod.n1.x")),
        (&trusting, asking("pod.n1.x", "agent._.x")),
        (&trusting, asking("pod.n1.x", "q.q.q")),
        (&trusting, asking("pod.n1.x", "x.y.z")),
        (&trusting, asking("pod.n1.x", "rubbish")),
        (&trusting, asking("pod.n1.x", "")),
        (&trusting, asking("pod.n1.x", "Bearer agent.n1.x")),
        (&trusting, format!("{good}\ndeputy-node-token: agent.n1.x")),
    ] {
        let found = answer(router, &request).await;
        assert_eq!(found, (401, "NodeAgentNotTrusted".to_owned(), false), "{request}");
    }
    let told = exchange(&none, &good).await;
    assert!(told.contains("started without --node-agents"), "{told}");
    let away = broker_of(index(), true, Arc::new(FixedSts::default()));
    let away = away.with_node_agents(Some(TRUSTED.parse().unwrap()));
    let (_, bundle) = watch::channel(Bundle::from(PUBLIC));
    let found = answer(&router(Arc::new(away), bundle), &good).await;
    assert_eq!(
        found,
        (503, "Unavailable".to_owned(), false),
        "nothing was decided"
    );
}

#[tokio::test(start_paused = true)]
async fn an_audit_line_says_which_node_asked() {
    let log = CapturedLog::default();
    let subscriber = deputy_runtime::telemetry::subscriber("info", log.clone()).unwrap();
    let _guard = tracing::subscriber::set_default(subscriber);
    let router = taking(Some(TRUSTED));
    for (pod, agent) in [
        ("pod.n1.x", "agent.n1.x"),
        ("pod.n2.x", "agent.n1.x"),
        ("pod.n1.x", "agent._.x"),
    ] {
        exchange(&router, &asking(pod, agent)).await;
    }
    let lines = log.lines().into_iter().filter(|line| line["target"] == "audit");
    let said: Vec<_> = lines
        .map(|line| json!([line["event"], line["decision"], line["node"], line["pod"]]))
        .collect();
    assert_eq!(
        said,
        [
            json!(["SessionIssued", "Accepted", null, null]),
            json!(["SessionDelivered", "Accepted", "n1", "uploader-1"]),
            json!(["Refused", "WrongNode", "n1", "uploader-1"]),
            json!(["Refused", "NodeAgentNotTrusted", null, null]),
        ]
    );
    assert!(!log.text().contains("agent.n1.x") && !log.text().contains("pod.n1.x"));
}

#[tokio::test(start_paused = true)]
async fn the_clusters_keys_are_handed_on_to_whoever_asks() {
    const KEYS: &str = "GET /v1/keys";
    let handing_on = |published: Option<PublishedKeys>| {
        let api = Api {
            away: false,
            published,
        };
        let broker = Arc::new(broker_by(api, index(), Arc::new(FixedSts::default())));
        let (_, bundle) = watch::channel(Bundle::from(PUBLIC));
        let router = router(Arc::clone(&broker), bundle);
        let follow = async move { broker.verifier().follow_keys().await };
        (router, follow)
    };
    let jwks = json!({"keys": [TokenSigner::new("ec-1").published()]}).to_string();
    let published = PublishedKeys::parse(&json!({ "issuer": ISSUER }).to_string(), &jwks).unwrap();
    let document = String::from_utf8(published.document().unwrap().to_vec()).unwrap();

    let (router, follow) = handing_on(Some(published));
    let before = answer(&router, KEYS).await;
    assert_eq!((before.0, before.1.as_str()), (503, "NotReady"));
    let following = tokio::spawn(follow);
    tokio::task::yield_now().await;
    let told = exchange(&router, KEYS).await;
    assert!(
        told.starts_with("200\n") && told.contains("content-type: application/json\n"),
        "{told}"
    );
    assert!(told.ends_with(&format!("\n\n{document}\n")), "{told}");
    assert!(told.contains("\nage: 0\n"), "{told}");
    tokio::time::advance(std::time::Duration::from_millis(4001)).await;
    let later = exchange(&router, KEYS).await;
    assert!(
        later.contains("\nage: 5\n"),
        "never younger than they are: {later}"
    );
    // What can't be the id of a key asks for nothing.
    for key_id in ["", &"k".repeat(257), "a\tb"] {
        let told = exchange(&router, &format!("{KEYS}\ndeputy-key-id: {key_id}")).await;
        assert!(told.starts_with("200\n"), "{key_id}: {told}");
    }
    let began = Instant::now();
    assert!(
        exchange(&router, &format!("{KEYS}\ndeputy-key-id: ec-2"))
            .await
            .contains("\nage: 5\n")
    );
    assert_eq!(began.elapsed().as_secs(), 0, "they were read a moment ago");
    following.abort();

    let (router, follow) = handing_on(None);
    let following = tokio::spawn(follow);
    tokio::task::yield_now().await;
    let none = answer(&router, KEYS).await;
    assert_eq!((none.0, none.1.as_str()), (404, "KeysNotPublished"));
    for other in ["POST /v1/keys", "HEAD /v1/keys", "GET /v1/keys/", "GET /v1/keysx"] {
        assert_eq!(send(&router, other).await.status().as_u16(), 404, "{other}");
    }
    following.abort();
}
