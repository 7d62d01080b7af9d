use deputy_log_testing::CapturedLog;
use deputy_token::PublishedKeys;
use deputy_token_testing::{END, ISSUER, TokenSigner, claims};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::*;
use crate::{
    broker::KeysAnswer,
    node::{
        keys::LAST_KNOWN_FOR,
        pods::MAX_PODS,
        script::{ScriptedBroker, clock_from},
    },
};

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

/// The agent of the node `n1`, an hour and a half before tokens end.
struct Fixture {
    desk: NodeDesk<ScriptedBroker>,
    broker: ScriptedBroker,
    signer: TokenSigner,
}

impl Fixture {
    /// Without keys.
    fn new() -> Self {
        Self::logging(Log::new(std::io::sink()))
    }

    fn logging(log: Log) -> Self {
        let clock = clock_from(END - 5400);
        let broker = ScriptedBroker::new(Arc::clone(&clock));
        let (pods, _) = NodePods::new(broker.clone(), Arc::clone(&clock), log.clone(), MAX_PODS);
        let keys = Arc::new(NodeKeys::new(log.clone()));
        Self {
            desk: NodeDesk::new(NodeName::new("n1").unwrap(), keys, pods, clock, log),
            broker,
            signer: TokenSigner::new("ec-1"),
        }
    }

    fn with_keys() -> Self {
        let this = Self::new();
        this.publish(&[this.signer.published()]);
        this
    }

    fn publish(&self, keys: &[Value]) {
        let discovery = json!({ "issuer": ISSUER }).to_string();
        let keys = PublishedKeys::parse(&discovery, &json!({ "keys": keys }).to_string());
        let (keys, age) = (keys.unwrap(), Duration::ZERO);
        self.desk
            .keys
            .learn(KeysAnswer::Keys { keys, age }, Instant::now());
    }

    async fn ask(&self, token: &str) -> String {
        self.ask_from(token, PEER).await
    }

    /// `200`, or status and code.
    async fn ask_from(&self, token: &str, peer: IpAddr) -> String {
        let asker = Presented {
            token: token.as_bytes(),
            peer,
        };
        match self.desk.credential(asker, &SelectedBinding::Default).await {
            Ok(_) => "200".to_owned(),
            Err(problem) => format!("{} {}", problem.status.as_u16(), problem.code),
        }
    }
}

fn with(pointer: &str, value: Value) -> Value {
    let mut claims = claims();
    *claims.pointer_mut(pointer).unwrap() = value;
    claims
}

#[tokio::test(start_paused = true)]
async fn a_made_up_token_and_one_of_elsewhere_never_reach_the_broker() {
    let at = Fixture::with_keys();
    let sign = |claims: &Value| at.signer.sign(claims);
    let other = TokenSigner::new("ec-1");
    let no_node = {
        let mut claims = claims();
        claims["kubernetes.io"].as_object_mut().unwrap().remove("node");
        claims
    };
    for (what, token, answer) in [
        ("nothing", String::new(), "401 Unauthorized"),
        ("garbage", "a.b.c".to_owned(), "401 Unauthorized"),
        ("text", "hello".to_owned(), "401 Unauthorized"),
        (
            "a scheme",
            format!("Bearer {}", sign(&claims())),
            "401 Unauthorized",
        ),
        ("too long", "a".repeat(9000), "401 Unauthorized"),
        (
            "another key of that id",
            other.sign(&claims()),
            "401 Unauthorized",
        ),
        (
            "an unknown key, which may be a new one",
            TokenSigner::new("ec-2").sign(&claims()),
            "503 NotReady",
        ),
        (
            "no signature",
            at.signer
                .sign_as(&json!({"alg": "none", "kid": "ec-1"}), &claims()),
            "401 Unauthorized",
        ),
        (
            "another audience",
            sign(&with("/aud", json!("sts.amazonaws.com"))),
            "401 Unauthorized",
        ),
        (
            "expired",
            sign(&with("/exp", json!(END - 7200))),
            "401 Unauthorized",
        ),
        ("early", sign(&with("/nbf", json!(END))), "401 Unauthorized"),
        (
            "no pod",
            sign(&with("/kubernetes.io/pod", json!(null))),
            "401 Unauthorized",
        ),
        (
            "another node",
            sign(&with("/kubernetes.io/node/name", json!("n2"))),
            "403 WrongNode",
        ),
        ("no node", sign(&no_node), "403 WrongNode"),
    ] {
        assert_eq!(at.ask(&token).await, answer, "{what}");
    }
    assert!(at.broker.seen().is_empty());
    assert_eq!(at.ask(&sign(&claims())).await, "200");
    assert_eq!(at.broker.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn before_the_keys_are_there_nothing_is_decided() {
    let at = Fixture::new();
    let token = at.signer.sign(&claims());
    assert_eq!(at.ask(&token).await, "503 NotReady");
    at.publish(&[at.signer.published()]);
    assert_eq!(at.ask(&token).await, "200");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_found_good_is_good_to_its_end_without_keys() {
    let at = Fixture::with_keys();
    let token = at.signer.sign(&claims());
    assert_eq!(at.ask(&token).await, "200");
    at.broker.says((503, "Unavailable"));
    sleep(LAST_KNOWN_FOR - Duration::from_secs(200)).await;
    // Asked for again by itself, within the longest pause and before what was held expired.
    at.broker.says((200, ""));
    sleep(Duration::from_secs(70)).await;
    assert_eq!(at.ask(&token).await, "200");
    at.broker.says((503, "Unavailable"));
    sleep(Duration::from_secs(240)).await;
    assert_eq!(at.ask(&token).await, "200");
    // Its next token is by the keys that were known last: it is served what is held, and the broker is asked nothing for it.
    let next = at.signer.sign(&with("/exp", json!(END + 60)));
    assert_ne!(next, token);
    at.broker.seen();
    assert_eq!(at.ask(&next).await, "200");
    assert!(at.broker.seen().is_empty());
    let forged = TokenSigner::new("ec-1").sign(&claims());
    assert_eq!(at.ask(&forged).await, "503 NotReady");
    let other = at
        .signer
        .sign(&with("/kubernetes.io/pod", json!({"name": "b", "uid": "b"})));
    assert_eq!(at.ask(&other).await, "503 NotReady", "nobody confirms the keys");
    sleep(Duration::from_secs(1800)).await;
    assert_eq!(at.ask(&token).await, "401 Unauthorized", "it has expired");
}

#[tokio::test(start_paused = true)]
async fn a_good_token_by_a_new_key_is_never_refused_while_its_pod_is_served() {
    let at = Fixture::with_keys();
    let new = TokenSigner::new("ec-2");
    let (before, token) = (at.signer.sign(&claims()), new.sign(&claims()));
    assert_eq!(at.ask(&before).await, "200");
    for _ in 0..70 {
        assert_eq!(at.ask(&token).await, "503 NotReady");
        assert_eq!(
            at.ask(&before).await,
            "200",
            "the token of before is good to its end"
        );
        sleep(Duration::from_secs(1)).await;
    }
    at.publish(&[at.signer.published(), new.published()]);
    assert_eq!(at.ask(&token).await, "200");
    // One that the API server does not know, asked later than it was seen first, is none.
    let made_up = TokenSigner::new("ec-3").sign(&claims());
    assert_eq!(at.ask(&made_up).await, "503 NotReady");
    sleep(Duration::from_secs(1)).await;
    at.publish(&[at.signer.published(), new.published()]);
    assert_eq!(at.ask(&made_up).await, "401 Unauthorized");
}

#[tokio::test(start_paused = true)]
async fn where_no_keys_are_published_the_broker_is_asked_and_only_so_often() {
    let at = Fixture::new();
    at.desk.keys.learn(KeysAnswer::NotPublished, Instant::now());
    let token = at.signer.sign(&claims());
    assert_eq!(at.ask(&token).await, "200");
    // What a token says against itself is enough.
    let elsewhere = at.signer.sign(&with("/kubernetes.io/node/name", json!("n2")));
    assert_eq!(at.ask(&elsewhere).await, "403 WrongNode");
    assert_eq!(at.broker.seen(), std::slice::from_ref(&token));
    // One that says it is that pod gets nothing of what that pod has.
    at.broker.says((401, "InvalidToken"));
    let forged = TokenSigner::new("ec-1").sign(&claims());
    assert_eq!(at.ask(&forged).await, "503 InvalidToken");
    assert_eq!(at.ask(&token).await, "200");
    // The share of the forged one is given back by a task of its own.
    sleep(Duration::from_millis(1)).await;
    at.broker.seen();

    let made_up: Vec<String> = (0..100)
        .map(|number| {
            at.signer
                .sign(&with("/kubernetes.io/pod/uid", json!(number.to_string())))
        })
        .collect();
    let from = |peer: [u8; 4]| {
        let asked = made_up
            .iter()
            .map(|token| at.ask_from(token, peer.into()))
            .collect();
        all(asked)
    };
    let flood = from([10, 0, 0, 1]).await;
    let refused = flood.iter().filter(|answer| *answer == "503 TooManyRequests");
    assert_eq!(refused.count(), made_up.len() - DOUBTFUL_OF_PEER);
    assert_eq!(at.broker.seen().len(), DOUBTFUL_OF_PEER);
    assert_eq!(at.ask(&token).await, "200", "who is known waits for nobody");
}

#[tokio::test(start_paused = true)]
async fn what_an_unproven_token_says_is_in_no_line() {
    let log = CapturedLog::default();
    let at = Fixture::logging(Log::new(log.clone()));
    at.desk.keys.learn(KeysAnswer::NotPublished, Instant::now());
    for (pointer, value) in [
        ("/kubernetes.io/node/name", json!("canary")),
        ("/sub", json!("canary")),
    ] {
        assert_ne!(at.ask(&at.signer.sign(&with(pointer, value))).await, "200");
    }
    let text = log.text();
    assert!(
        text.contains("WrongNode") && text.contains("Unauthorized"),
        "{text}"
    );
    assert!(!text.contains("canary") && !text.contains("payments"), "{text}");
    // Of a genuine one they are the API server's own.
    at.publish(&[at.signer.published()]);
    sleep(SAME_REASON).await;
    let elsewhere = at.signer.sign(&with("/kubernetes.io/node/name", json!("n2")));
    assert_eq!(at.ask(&elsewhere).await, "403 WrongNode");
    assert!(log.text().contains("made for node n2"), "{}", log.text());
}

/// All answers, of questions that are asked at once.
async fn all(mut asked: Vec<impl Future<Output = String>>) -> Vec<String> {
    let mut asked: Vec<_> = asked
        .drain(..)
        .map(|question| (Box::pin(question), None))
        .collect();
    std::future::poll_fn(|context| {
        for (question, answer) in asked.iter_mut().filter(|(_, answer)| answer.is_none()) {
            if let std::task::Poll::Ready(said) = question.as_mut().poll(context) {
                *answer = Some(said);
            }
        }
        match asked.iter().all(|(_, answer)| answer.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    asked.into_iter().filter_map(|(_, answer)| answer).collect()
}
