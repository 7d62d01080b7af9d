//! Tokens that are verified here: by an RSA key that `openssl` made, and by keys of the moment on elliptic curves.

use deputy_token_testing::{END, ISSUER, RSA_KEY, RSA_TOKEN, TokenSigner, claims};
use jiff::Timestamp;
use kube::api::ObjectMeta;
use serde_json::{Value, json};

use super::*;

fn an_hour_before_the_end() -> Timestamp {
    Timestamp::from_second(END - 3600).unwrap()
}

fn service_account(uid: &str) -> ObjectMeta {
    serde_json::from_value(json!({"name": "uploader", "namespace": "payments", "uid": uid})).unwrap()
}

fn keys(keys: &[Value]) -> PublishedKeys {
    let jwks = json!({ "keys": keys }).to_string();
    PublishedKeys::parse(&json!({"issuer": ISSUER, "jwks_uri": "x"}).to_string(), &jwks).unwrap()
}

/// A verifier that knows `published`, and `api`, which it should not need.
fn knowing(published: &[Value]) -> (Verifier, Arc<FakeApi>) {
    let (api, index) = (FakeApi::new(), index());
    let pod = serde_json::from_value(json!({"name": "uploader-1", "namespace": "payments", "uid": "0af1"}));
    index.apply_metadata(ResourceKind::Pods, &pod.unwrap());
    index.apply_metadata(ResourceKind::ServiceAccounts, &service_account("5a"));
    let mut verifier = Verifier::new(api.clone(), index);
    verifier.clock = an_hour_before_the_end;
    verifier.keys.learn(Ok(keys(published)));
    (verifier, api)
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_living_pod_costs_the_api_server_nothing() {
    let signer = TokenSigner::new("ec-1");
    let rsa: Value = serde_json::from_str(RSA_KEY).unwrap();
    let (verifier, api) = knowing(&[rsa, signer.published()]);
    for token in [RSA_TOKEN.trim(), &signer.sign(&claims())] {
        let pod = verifier.verify(token, PEER).await.unwrap();
        assert_eq!(pod.namespace.as_str(), "payments");
        assert_eq!(pod.subject.service_account.as_str(), "uploader");
        assert_eq!(pod.subject.pod.as_str(), "uploader-1");
        assert_eq!(pod.subject.pod_uid.as_str(), "0af1");
    }
    assert_eq!(api.counts(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_token_names_the_node_of_its_pod_and_keys_are_handed_on_while_they_count() {
    let signer = TokenSigner::new("ec-1");
    let (verifier, _) = knowing(&[signer.published()]);
    let pod = verifier.verify(&signer.sign(&claims()), PEER).await.unwrap();
    assert_eq!(pod.node.as_ref().unwrap().as_str(), "n1");
    tokio::time::advance(Duration::from_secs(90)).await;
    let HandedOnKeys::Document { text, age } = verifier.handed_on(None).await else {
        panic!("they are known");
    };
    assert_eq!(PublishedKeys::from_document(&text).unwrap().count(), 1);
    assert_eq!(age, Duration::from_secs(90));
    tokio::time::advance(LAST_KNOWN_FOR).await;
    assert!(matches!(verifier.handed_on(None).await, HandedOnKeys::NotYet(_)));
    let odd = || NoKeys::NotPublished("403 Forbidden".into());
    (0..3).for_each(|_| verifier.keys.learn(Err(odd())));
    assert!(matches!(
        verifier.handed_on(None).await,
        HandedOnKeys::NotPublished
    ));
}

#[tokio::test(start_paused = true)]
async fn whatever_is_changed_in_a_token_makes_it_worthless() {
    let (signer, other) = (TokenSigner::new("ec-1"), TokenSigner::new("ec-1"));
    let rsa: Value = serde_json::from_str(RSA_KEY).unwrap();
    let (verifier, api) = knowing(&[signer.published(), rsa]);
    let token = signer.sign(&claims());
    let rsa_token = RSA_TOKEN.trim();
    for (whole, step) in [(token.as_str(), 1), (rsa_token, 7)] {
        for place in (0..whole.len()).step_by(step) {
            let mut bytes = whole.as_bytes().to_vec();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            if changed == whole {
                continue;
            }
            let refusal = refusal(&verifier, &changed).await;
            assert!(
                // A key id that is changed is one that is not known; whoever sends it learns no more.
                ["BadSignature", "NotAToken", "UnknownKey", "Unavailable"].contains(&refusal),
                "{place}: {refusal}"
            );
        }
    }
    assert_eq!(refusal(&verifier, &other.sign(&claims())).await, "BadSignature");
    // The algorithm is the key's, whatever the token says.
    for header in [
        json!({"alg": "none", "kid": "ec-1"}),
        json!({"alg": "HS256", "kid": "ec-1"}),
        json!({"alg": "RS256", "kid": "ec-1"}),
        json!({"alg": "ES256", "kid": "rsa-1"}),
        json!({"alg": "ES384", "kid": "ec-1"}),
    ] {
        let token = signer.sign_as(&header, &claims());
        assert_eq!(refusal(&verifier, &token).await, "BadSignature", "{header}");
    }
    for header in [
        json!({"alg": "ES256"}),
        json!({"alg": "ES256", "kid": ""}),
        json!({"alg": "ES256", "kid": "k".repeat(300)}),
        json!({"alg": "ES256", "kid": "ec-1", "crit": ["exp"]}),
        json!({"kid": "ec-1"}),
    ] {
        let token = signer.sign_as(&header, &claims());
        assert_eq!(refusal(&verifier, &token).await, "NotAToken", "{header}");
    }
    assert_eq!(api.counts(), (0, 0), "none of them costs a question");
}

#[tokio::test(start_paused = true)]
async fn a_genuine_token_must_be_for_deputy_and_a_living_pods() {
    let signer = TokenSigner::new("ec-1");
    let (verifier, api) = knowing(&[signer.published()]);
    let with = |pointer: &str, value: Value| {
        let mut claims = claims();
        *claims.pointer_mut(pointer).unwrap() = value;
        signer.sign(&claims)
    };
    for (pointer, value, category) in [
        ("/aud", json!(["https://kubernetes.default.svc"]), "OtherAudience"),
        ("/aud", json!("sts.amazonaws.com"), "OtherAudience"),
        ("/aud", json!([]), "OtherAudience"),
        ("/exp", json!(END - 3600 - 61), "Expired"),
        ("/exp", json!("soon"), "NotAToken"),
        ("/nbf", json!(END - 3600 + 61), "NotYetValid"),
        (
            "/sub",
            json!("system:serviceaccount:payments:other"),
            "NotAServiceAccount",
        ),
        ("/sub", json!("admin"), "NotAServiceAccount"),
        ("/kubernetes.io", json!(null), "NotAServiceAccount"),
        ("/kubernetes.io/pod", json!(null), "NoPod"),
        ("/kubernetes.io/pod/name", json!("../x"), "Name"),
        ("/kubernetes.io/namespace", json!("other"), "NotAServiceAccount"),
    ] {
        let refused = refusal(&verifier, &with(pointer, value.clone())).await;
        assert_eq!(refused, category, "{pointer} {value}");
    }
    for (pointer, value) in [
        ("/aud", json!("deputy")),
        ("/aud", json!(["deputy", "other"])),
        ("/exp", json!(END - 3600 - 60)),
        ("/nbf", json!(END - 3600 + 60)),
    ] {
        let accepted = verifier.verify(&with(pointer, value.clone()), PEER).await;
        assert!(accepted.is_ok(), "{pointer} {value}");
    }
    assert_eq!(api.counts(), (0, 0));
    // By a name that the API server had before, which it alone knows.
    let former = refusal(&verifier, &with("/iss", json!("https://before"))).await;
    assert_eq!((former, api.counts()), ("NotAuthenticated", (1, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_token_ends_with_its_pod_at_once() {
    let signer = TokenSigner::new("ec-1");
    let (verifier, api) = knowing(&[signer.published()]);
    let token = signer.sign(&claims());
    assert!(verifier.verify(&token, PEER).await.is_ok());
    let gone = serde_json::from_value(json!({"uid": "0af1"})).unwrap();
    verifier.index.delete(ResourceKind::Pods, &gone);
    assert_eq!(refusal(&verifier, &token).await, "PodGone");
    assert_eq!(api.counts(), (0, 0), "what is known to be gone is not looked for");
}

#[tokio::test(start_paused = true)]
async fn a_token_ends_with_its_service_account_and_is_not_that_of_the_next_one() {
    let signer = TokenSigner::new("ec-1");
    let (verifier, api) = knowing(&[signer.published()]);
    let token = signer.sign(&claims());
    assert!(verifier.verify(&token, PEER).await.is_ok());
    let gone = service_account("5a");
    verifier.index.delete(ResourceKind::ServiceAccounts, &gone);
    assert_eq!(refusal(&verifier, &token).await, "NotAuthenticated");
    verifier
        .index
        .apply_metadata(ResourceKind::ServiceAccounts, &service_account("6b"));
    assert_eq!(refusal(&verifier, &token).await, "NotAuthenticated");
    assert_eq!(
        api.counts(),
        (1, 0),
        "what the API server says is remembered for a moment"
    );
}

#[tokio::test(start_paused = true)]
async fn keys_that_nobody_has_confirmed_for_an_hour_count_no_more() {
    let signer = TokenSigner::new("ec-1");
    let (verifier, api) = knowing(&[signer.published()]);
    let token = signer.sign(&claims());
    tokio::time::advance(LAST_KNOWN_FOR + Duration::from_secs(1)).await;
    assert_eq!(refusal(&verifier, &token).await, "NotAuthenticated");
    assert_eq!(api.counts(), (1, 0));
}

#[test]
fn keys_are_not_given_up_for_one_odd_answer() {
    let known = ClusterKeys::default();
    known.learn(Ok(keys(&[TokenSigner::new("ec-1").published()])));
    let odd = || known.learn(Err(NoKeys::NotPublished("403 Forbidden".into())));
    let has_keys = || matches!(known.known().as_ref(), KeyState::Keys(..));
    odd();
    odd();
    assert!(has_keys());
    known.learn(Err(NoKeys::Unavailable("connection failed".into())));
    odd();
    odd();
    assert!(has_keys(), "three in a row");
    odd();
    assert!(!has_keys());
    // Where there never were any, one is enough.
    let known = ClusterKeys::default();
    known.learn(Err(NoKeys::NotPublished("404 NotFound".into())));
    assert!(matches!(known.known().as_ref(), KeyState::NotPublished));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_the_watch_does_not_know_yet_is_looked_at() {
    let signer = TokenSigner::new("ec-1");
    let (verifier, api) = knowing(&[signer.published()]);
    let mut claims = claims();
    claims["kubernetes.io"]["pod"]["uid"] = json!("new");
    let token = signer.sign(&claims);
    *api.uid.lock() = Some("new");
    let answers = futures::future::join_all((0..100).map(|_| verifier.verify(&token, PEER))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(api.counts(), (0, 1));
    for other in [None, Some("0af1")] {
        *api.uid.lock() = other;
        tokio::time::advance(ALIVE_FOR).await;
        assert_eq!(refusal(&verifier, &token).await, "PodGone");
        tokio::time::advance(REFUSED_FOR).await;
    }
}

#[tokio::test(start_paused = true)]
async fn pods_count_as_alive_for_an_hour_while_the_api_server_is_away() {
    let signer = TokenSigner::new("ec-1");
    let (verifier, api) = knowing(&[signer.published()]);
    api.away.store(true, Ordering::SeqCst);
    let token = signer.sign(&claims());
    tokio::time::advance(LAST_KNOWN_FOR).await;
    assert!(verifier.verify(&token, PEER).await.is_ok());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(refusal(&verifier, &token).await, "Unavailable");
}

/// Publishes what the test says, and counts how often it is asked.
struct Publisher {
    published: Mutex<Result<PublishedKeys, NoKeys>>,
    asked: AtomicUsize,
}

#[async_trait]
impl TokenApi for Publisher {
    async fn keys(&self) -> Result<PublishedKeys, NoKeys> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.published.lock().clone()
    }
    async fn review(&self, _: &str) -> Result<TokenReviewStatus, TokenError> {
        Err(TokenError::Unavailable("nobody is to ask".into()))
    }
    async fn pod_uid(&self, _: &NamespaceName, _: &PodName) -> Result<Option<String>, TokenError> {
        Ok(Some("0af1".into()))
    }
}

/// A verifier that follows `api`.
async fn following(api: &Arc<Publisher>) -> Verifier {
    let verifier = Verifier::new(api.clone(), index());
    let this = verifier.clone();
    tokio::spawn(async move { this.follow_keys().await });
    tokio::task::yield_now().await;
    verifier
}

#[tokio::test(start_paused = true)]
async fn a_key_that_another_verifier_does_not_know_is_read_before_he_is_answered() {
    let (old, new) = (TokenSigner::new("old"), TokenSigner::new("new"));
    let api = Arc::new(Publisher {
        published: Mutex::new(Ok(keys(&[old.published()]))),
        asked: AtomicUsize::new(0),
    });
    let verifier = following(&api).await;
    let asked = || api.asked.load(Ordering::SeqCst);
    let told = async |key_id| match verifier.handed_on(key_id).await {
        HandedOnKeys::Document { text, age } => (
            PublishedKeys::from_document(&text).unwrap().count(),
            age.as_secs(),
        ),
        _ => panic!("they are known"),
    };
    *api.published.lock() = Ok(keys(&[old.published(), new.published()]));
    assert_eq!(told(Some("new")).await, (1, 0), "they were read a moment ago");
    tokio::time::sleep(follow::AGAIN_AFTER).await;
    assert_eq!((told(None).await, told(Some("old")).await), ((1, 5), (1, 5)));
    assert_eq!(asked(), 1);
    assert_eq!((told(Some("new")).await, asked()), ((2, 0), 2));

    // A thousand made-up key ids a second are a question every five seconds, and nobody waits for long.
    let made_up: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        futures::future::join_all(made_up.iter().map(|key_id| told(Some(key_id)))).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!((5..=9).contains(&asked()), "{}", asked());
    // While the API server is away, what was read last is handed on.
    *api.published.lock() = Err(NoKeys::Unavailable("connection failed".into()));
    tokio::time::sleep(Duration::from_secs(10)).await;
    let began = Instant::now();
    assert_eq!(told(Some("made-up")).await.0, 2);
    assert!(began.elapsed() <= API_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn keys_rotate_and_made_up_ones_are_asked_for_seldom() {
    let (old, new) = (TokenSigner::new("old"), TokenSigner::new("new"));
    let api = Arc::new(Publisher {
        published: Mutex::new(Ok(keys(&[old.published()]))),
        asked: AtomicUsize::new(0),
    });
    let index = index();
    index.apply_metadata(ResourceKind::ServiceAccounts, &service_account("5a"));
    let mut verifier = Verifier::new(api.clone(), index);
    verifier.clock = an_hour_before_the_end;
    let asked = || api.asked.load(Ordering::SeqCst);
    let following = {
        let verifier = verifier.clone();
        tokio::spawn(async move { verifier.follow_keys().await })
    };
    tokio::task::yield_now().await;
    assert_eq!((verifier.ready(), asked()), (Ok(()), 1));
    assert!(verifier.verify(&old.sign(&claims()), PEER).await.is_ok());

    *api.published.lock() = Ok(keys(&[old.published(), new.published()]));
    let rotated = new.sign(&claims());
    assert_eq!(
        refusal(&verifier, &rotated).await,
        "UnknownKey",
        "they were read a moment ago"
    );
    tokio::time::sleep(follow::AGAIN_AFTER).await;
    assert_eq!(refusal(&verifier, &rotated).await, "Unavailable");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(verifier.verify(&rotated, PEER).await.is_ok());
    assert_eq!(asked(), 2);

    // A thousand made-up key ids a second are a question every five seconds.
    let before = asked();
    for _ in 0..30 {
        for number in 0..1000 {
            let made_up = new.sign_as(&json!({"alg": "ES256", "kid": number.to_string()}), &claims());
            assert!(verifier.verify(&made_up, PEER).await.is_err());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!((5..=7).contains(&(asked() - before)), "{}", asked() - before);

    // An API server that is away takes no key back; one that rotated it out does.
    *api.published.lock() = Err(NoKeys::Unavailable("connection failed".into()));
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(verifier.verify(&old.sign(&claims()), PEER).await.is_ok());
    *api.published.lock() = Ok(keys(&[new.published()]));
    tokio::time::sleep(Duration::from_secs(61)).await;
    // It may be one that came a moment ago, so they are read once more before it is refused for good.
    let first = refusal(&verifier, &old.sign(&claims())).await;
    assert!(["Unavailable", "UnknownKey"].contains(&first), "{first}");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(refusal(&verifier, &old.sign(&claims())).await, "UnknownKey");
    following.abort();
}

#[tokio::test(start_paused = true)]
async fn one_address_takes_a_share_of_the_questions() {
    let api = FakeApi::new();
    let verifier = Verifier::new(api.clone(), index());
    let other: IpAddr = [10, 0, 0, 2].into();
    let many = (0..100).map(|number| {
        let (verifier, token) = (&verifier, format!("{number}.b.c"));
        async move { verifier.verify(&token, PEER).await.unwrap_err().category() }
    });
    let (flood, good) = tokio::join!(futures::future::join_all(many), verifier.verify("a.b.c", other));
    assert!(good.is_ok());
    let answered = flood.iter().filter(|one| **one == "NotAuthenticated").count();
    assert_eq!(answered, QUESTIONS_OF_ONE_PEER);
}
