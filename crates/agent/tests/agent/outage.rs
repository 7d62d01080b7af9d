//! The agent against a broker over TLS: what a pod sees of rotation, refusal and outage.

use std::sync::Arc;

use crate::support::{Authority, Broker, Setup, TOKEN, ask_and_stay, credential, until};
use deputy_agent::{
    binding::SelectedBinding,
    broker::{AgentKind, BrokerClient, Fetched},
    config::BrokerEndpoint,
    dial::Dialer,
    log::Log,
    token::TokenFile,
};
use http::HeaderValue;

#[tokio::test]
async fn a_rotated_token_works_at_once_and_the_one_before_still_does() {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    broker.then(200, &[], credential("ASIA1"));
    let agent = Setup::to(&broker, &authority).start().await;
    assert_eq!(agent.credentials().await.status(), 200);
    agent.rotate("second");
    assert_eq!(agent.get("/v1/credentials", "second").await.status(), 200);
    assert_eq!(agent.get("/v1/credentials", TOKEN).await.status(), 200);
    agent.rotate("third");
    assert_eq!(agent.get("/v1/credentials", "third").await.status(), 200);
    assert_eq!(agent.get("/v1/credentials", "second").await.status(), 200);
    assert_eq!(agent.get("/v1/credentials", TOKEN).await.status(), 401);
    // The broker gets the current one.
    assert_eq!(
        agent.patient("/v1/credentials/other", "second").await.status(),
        200
    );
    let seen = broker.seen();
    assert_eq!(seen.last().unwrap().path, "/v1/credentials/other");
    assert_eq!(seen.last().unwrap().headers["authorization"], "Bearer third");
}

#[tokio::test]
async fn the_request_to_the_broker_is_that_of_protocol_version_1() {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    broker.then(304, &[], "");
    let agent = Setup::to(&broker, &authority).start().await;
    let token = Arc::new(TokenFile::new(&agent.token_file));
    let setup = Setup::to(&broker, &authority);
    let dialer = Dialer::new(BrokerEndpoint::parse(&setup.url, None, &setup.ca).unwrap()).unwrap();
    let client = BrokerClient::new(dialer, AgentKind::Sidecar, Log::new(std::io::sink()));
    let etag = Some(HeaderValue::from_static("\"7\""));
    let proof = token.current().unwrap().into();
    let fetched = client
        .credential(&proof, &SelectedBinding::Named("archive".into()), etag)
        .await;
    assert!(matches!(fetched, Ok(Fetched::NotModified { .. })));

    let seen = broker.seen().pop().unwrap();
    let mut headers: Vec<String> = seen
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let request = format!("GET {}\n{}", seen.path, headers.concat())
        .replace(&format!("localhost:{}", broker.address.port()), "localhost:PORT")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION");
    assert_eq!(request, include_str!("../golden/request-v1.txt"));
}

#[tokio::test]
async fn a_thousand_first_requests_are_one_broker_call_over_one_connection() {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    broker.then(200, &[], credential("ASIA1"));
    let gate = broker.hold();
    let agent = Arc::new(Setup::to(&broker, &authority).start().await);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let agent = Arc::clone(&agent);
        callers.spawn(async move { agent.credentials().await.key() });
    }
    gate.notify_one();
    let keys = callers.join_all().await;
    assert!(keys.len() == 1000 && keys.iter().all(|key| key == "ASIA1"));
    assert_eq!((broker.seen().len(), broker.connections()), (1, 1));
}

#[tokio::test]
async fn a_slow_broker_means_503_and_then_the_credential() {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    broker.then(200, &[], credential("ASIA1"));
    let gate = broker.hold();
    let agent = Setup::to(&broker, &authority).start().await;
    let answer = agent.get("/v1/credentials", TOKEN).await;
    assert_eq!((answer.status(), answer.code().as_str()), (503, "NotReady"));
    assert!(answer.has_header("retry-after: 1"), "{}", answer.0);
    gate.notify_one();
    assert_eq!(agent.credentials().await.key(), "ASIA1");
    assert_eq!(broker.seen().len(), 1);
}

#[tokio::test]
async fn a_broker_that_can_not_tell_who_asks_decides_nothing() {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    let unknown = r#"{"Code":"InvalidToken","Message":"the API server does not accept the token"}"#;
    broker.then(401, &[], unknown);
    let agent = Setup::to(&broker, &authority).start().await;
    let answer = agent.credentials().await;
    assert_eq!((answer.status(), answer.code().as_str()), (503, "InvalidToken"));
}

#[tokio::test]
async fn the_brokers_refusal_is_passed_on_in_its_words() {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    broker.then(
        403,
        &[],
        r#"{"Code":"NoBinding","Message":"no binding for payments/uploader"}"#,
    );
    let agent = Setup::to(&broker, &authority).start().await;
    let answer = agent.credentials().await;
    assert_eq!((answer.status(), answer.code().as_str()), (403, "NoBinding"));
    let message = answer.body()["Message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("no binding for payments/uploader. Once a binding"));
    assert!(!message.contains("What this pod had"), "{message}");
    // A refusal for one binding says nothing about another.
    broker.then(200, &[], credential("ASIA2"));
    broker.then(200, &[], credential("ASIA2"));
    agent.patient("/v1/credentials/a", TOKEN).await;
    assert_eq!(agent.patient("/v1/credentials/b", TOKEN).await.key(), "ASIA2");
}

#[tokio::test]
async fn throttling_is_passed_on_with_its_retry_after() {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    broker.then(
        503,
        &[("Retry-After", "7")],
        r#"{"Code":"Throttled","Message":"STS"}"#,
    );
    let agent = Setup::to(&broker, &authority).start().await;
    let answer = agent.credentials().await;
    assert_eq!((answer.status(), answer.code().as_str()), (503, "Throttled"));
    assert!(answer.has_header("retry-after: 7"), "{}", answer.0);
}

#[tokio::test]
async fn answers_that_make_no_sense_are_a_503_and_never_an_empty_200() {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    let agent = Setup::to(&broker, &authority).start().await;
    let cases: [(u16, Vec<u8>); 8] = [
        (200, Vec::new()),
        (200, b"{}".to_vec()),
        (200, credential("").into_bytes()),
        (200, vec![b' '; 64 * 1024 + 1]),
        (201, credential("A").into_bytes()),
        (304, Vec::new()),
        (302, Vec::new()),
        (404, br#"{"Code":"NotFound","Message":""}"#.to_vec()),
    ];
    for (status, body) in cases {
        broker.then(status, &[], body.clone());
        broker.then(status, &[], body);
        let answer = agent.credentials().await;
        assert_eq!(
            (answer.status(), answer.code().as_str()),
            (503, "BrokerError"),
            "{status}"
        );
        let _turn = agent.credentials().await;
    }
}

#[tokio::test]
async fn a_broker_of_another_authority_gets_no_token() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let broker = Broker::start(&theirs, "localhost").await;
    broker.then(200, &[], credential("ASIA1"));
    let agent = Setup::to(&broker, &ours).start().await;
    let answer = agent.credentials().await;
    assert_eq!(
        (answer.status(), answer.code().as_str()),
        (503, "BrokerUnreachable")
    );
    assert!(
        answer.body()["Message"]
            .as_str()
            .unwrap()
            .contains("invalid peer certificate"),
        "{}",
        answer.0
    );
    assert!(broker.seen().is_empty());
}

#[tokio::test]
async fn either_authority_of_a_bundle_is_trusted() {
    let (current, next) = (Authority::new(), Authority::new());
    let broker = Broker::start(&next, "localhost").await;
    broker.then(200, &[], credential("ASIA1"));
    let ca = format!("{}{}", current.pem(), next.pem());
    let agent = Setup {
        ca,
        ..Setup::to(&broker, &next)
    }
    .start()
    .await;
    assert_eq!(agent.credentials().await.key(), "ASIA1");
}

#[tokio::test]
async fn the_address_stands_in_for_the_name_which_is_still_checked() {
    let authority = Authority::new();
    let name = "deputy-broker.deputy.invalid";
    let broker = Broker::start(&authority, name).await;
    broker.then(200, &[], credential("ASIA1"));
    let setup = |address| Setup {
        url: format!("https://{name}:{}", broker.address.port()),
        address: Some(address),
        ..Setup::to(&broker, &authority)
    };
    let agent = setup(broker.address).start().await;
    assert_eq!(agent.credentials().await.key(), "ASIA1");

    let impostor = Broker::start(&authority, "other.deputy.invalid").await;
    impostor.then(200, &[], credential("ASIA2"));
    let agent = setup(impostor.address).start().await;
    let answer = agent.credentials().await;
    assert_eq!(
        (answer.status(), answer.code().as_str()),
        (503, "BrokerUnreachable")
    );
    assert!(impostor.seen().is_empty());
}

#[tokio::test]
async fn the_address_is_used_when_the_name_does_not_connect() {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    broker.then(200, &[], credential("ASIA1"));
    let dead = Broker::start(&authority, "localhost").await;
    let url = format!("https://localhost:{}", dead.address.port());
    dead.stop().await;
    let agent = Setup {
        url,
        address: Some(broker.address),
        ..Setup::to(&broker, &authority)
    }
    .start()
    .await;
    assert_eq!(agent.credentials().await.key(), "ASIA1");
}

#[tokio::test]
async fn a_broker_that_closed_the_connection_is_asked_again_on_a_new_one() {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    // The second reply comes over the connection of the first; the third over a new one.
    broker.then(200, &[], credential("ASIA1"));
    broker.then(200, &[("Connection", "close")], credential("ASIA2"));
    broker.then(200, &[], credential("ASIA3"));
    let agent = Setup::to(&broker, &authority).start().await;
    for (path, key) in [("a", "ASIA1"), ("b", "ASIA2"), ("c", "ASIA3")] {
        assert_eq!(
            agent
                .patient(&format!("/v1/credentials/{path}"), TOKEN)
                .await
                .key(),
            key
        );
    }
    assert_eq!(broker.connections(), 2);
}

#[tokio::test]
async fn a_request_under_way_is_finished_when_the_agent_stops() {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    broker.then(200, &[], credential("ASIA1"));
    let gate = broker.hold();
    let mut agent = Setup::to(&broker, &authority).start().await;
    let address = agent.address;
    let caller = tokio::spawn(ask_and_stay(address));
    until(|| !broker.seen().is_empty()).await;
    let release = async {
        tokio::task::yield_now().await;
        gate.notify_one();
    };
    tokio::join!(agent.stop(), release);
    assert!(caller.await.unwrap().contains("ASIA1"));
}

#[tokio::test]
async fn no_log_line_holds_a_secret() {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    broker.then(200, &[], credential("ASIA1"));
    broker.then(403, &[], r#"{"Code":"NoBinding","Message":"none"}"#);
    let mut agent = Setup::to(&broker, &authority).start().await;
    agent.credentials().await;
    agent.patient("/v1/credentials/other", TOKEN).await;
    agent.get("/v1/credentials", "canary-wrong").await;
    agent.stop().await;
    let log = agent.log.text();
    let events: Vec<String> = log
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["event"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(events, ["Listening", "CredentialCurrent", "Refused", "Stopped"]);
    assert!(log.contains("ASIA1") && !log.contains("canary"), "{log}");
}
