use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use deputy_token_testing::{ISSUER, TokenSigner, claims};
use serde_json::json;

use super::*;

/// Hands on the keys that it has, or says that it can't just now, and counts what it is asked.
#[derive(Clone)]
struct Publisher(Arc<Script>);

#[derive(Default)]
struct Script {
    asked: AtomicUsize,
    keys: Mutex<Option<PublishedKeys>>,
    missed: Mutex<Vec<String>>,
}

impl Publisher {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn has(&self, signers: &[&TokenSigner]) {
        let keys: Vec<_> = signers.iter().map(|signer| signer.published()).collect();
        let discovery = json!({ "issuer": ISSUER }).to_string();
        let keys = PublishedKeys::parse(&discovery, &json!({ "keys": keys }).to_string());
        *self.0.keys.lock().unwrap() = Some(keys.unwrap());
    }

    /// The unknown keys that it was asked for.
    fn missed(&self) -> Vec<String> {
        std::mem::take(&mut self.0.missed.lock().unwrap())
    }

    fn asked(&self) -> usize {
        self.0.asked.swap(0, Ordering::SeqCst)
    }
}

impl KeySource for Publisher {
    async fn keys(&self, unknown: Option<&str>) -> Result<KeysAnswer, AgentProblem> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        self.0.missed.lock().unwrap().extend(unknown.map(str::to_owned));
        let (keys, age) = (self.0.keys.lock().unwrap().clone(), Duration::ZERO);
        keys.map(|keys| KeysAnswer::Keys { keys, age })
            .ok_or_else(|| AgentProblem::unavailable("NotReady", "later"))
    }
}

fn following(publisher: &Publisher) -> Arc<NodeKeys> {
    let keys = Arc::new(NodeKeys::new(Log::new(std::io::sink())));
    tokio::spawn(Arc::clone(&keys).follow(publisher.clone()));
    keys
}

fn judge(keys: &NodeKeys, token: &str) -> Result<Judgement, KeyProblem> {
    let signed = SignedToken::parse(token).unwrap();
    keys.judge(&signed, &signed.claims().unwrap())
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_every_five_minutes_and_soon_when_one_is_not_known() {
    let (old, new, publisher) = (TokenSigner::new("a"), TokenSigner::new("b"), Publisher::new());
    publisher.has(&[&old]);
    let keys = following(&publisher);
    keys.known().await;
    sleep(EVERY * 10).await;
    assert!((10..=13).contains(&publisher.asked()), "between 270 and 300 s");
    sleep(EVERY).await;
    publisher.has(&[&old, &new]);
    publisher.asked();
    let token = new.sign(&claims());
    let seen = Instant::now();
    while judge(&keys, &token) != Ok(Judgement::Genuine) {
        assert_eq!(judge(&keys, &token), Err(KeyProblem::Newer));
        sleep(Duration::from_millis(1)).await;
    }
    assert!(seen.elapsed() <= AGAIN_AFTER + Duration::from_millis(2));
    assert_eq!((publisher.asked(), publisher.missed()), (1, vec!["b".to_owned()]));
    // Key ids that somebody made up, a hundred a second, are a question every five seconds.
    let header = |number: u8| json!({"alg": "ES256", "kid": number.to_string()});
    let made_up: Vec<_> = (0..100)
        .map(|number| new.sign_as(&header(number), &claims()))
        .collect();
    for _ in 0..30 {
        assert!(made_up.iter().all(|token| judge(&keys, token).is_err()));
        sleep(Duration::from_secs(1)).await;
    }
    let asked = publisher.asked();
    assert!((4..=7).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn until_the_broker_says_it_is_asked_again_and_again_and_then_its_word_counts() {
    let (signer, publisher) = (TokenSigner::new("a"), Publisher::new());
    let keys = following(&publisher);
    let token = signer.sign(&claims());
    sleep(Duration::from_secs(300)).await;
    assert!((10..60).contains(&publisher.asked()));
    assert_eq!(judge(&keys, &token), Err(KeyProblem::NotYet));
    publisher.has(&[&signer]);
    keys.known().await;
    *publisher.0.keys.lock().unwrap() = None;
    sleep(LAST_KNOWN_FOR - Duration::from_secs(1)).await;
    assert_eq!(judge(&keys, &token), Ok(Judgement::Genuine));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(judge(&keys, &token), Ok(Judgement::GenuineOnce));
    let forged = TokenSigner::new("a").sign(&claims());
    assert_eq!(judge(&keys, &forged), Err(KeyProblem::Old));
    publisher.has(&[&signer]);
    sleep(TRIES.1).await;
    assert_eq!(judge(&keys, &token), Ok(Judgement::Genuine));
}

fn published(signers: &[&TokenSigner], age: Duration) -> KeysAnswer {
    let publisher = Publisher::new();
    publisher.has(signers);
    let keys = publisher.0.keys.lock().unwrap().take().unwrap();
    KeysAnswer::Keys { keys, age }
}

#[tokio::test(start_paused = true)]
async fn keys_count_from_when_the_broker_read_them() {
    let (signer, keys) = (TokenSigner::new("a"), NodeKeys::new(Log::new(std::io::sink())));
    let token = signer.sign(&claims());
    let age = LAST_KNOWN_FOR - Duration::from_secs(10);
    keys.learn(published(&[&signer], age), Instant::now());
    assert_eq!(judge(&keys, &token), Ok(Judgement::Genuine));
    sleep(Duration::from_secs(11)).await;
    assert_eq!(judge(&keys, &token), Ok(Judgement::GenuineOnce));
    // The answer took its time: it is as old as the question.
    let asked = Instant::now();
    sleep(Duration::from_secs(11)).await;
    keys.learn(published(&[&signer], age), asked);
    assert_eq!(judge(&keys, &token), Ok(Judgement::GenuineOnce));
    keys.learn(published(&[&signer], Duration::MAX), Instant::now());
    assert_eq!(judge(&keys, &token), Ok(Judgement::GenuineOnce));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_is_none_once_the_api_server_was_asked_later_than_it_was_seen() {
    let (signer, keys) = (TokenSigner::new("a"), NodeKeys::new(Log::new(std::io::sink())));
    let made_up = TokenSigner::new("b").sign(&claims());
    let second = Duration::from_secs(1);
    keys.learn(published(&[&signer], Duration::ZERO), Instant::now());
    sleep(second * 100).await;
    assert_eq!(
        judge(&keys, &made_up),
        Err(KeyProblem::Newer),
        "seen for the first time"
    );
    sleep(second * 20).await;
    keys.learn(published(&[&signer], second * 20), Instant::now());
    assert_eq!(
        judge(&keys, &made_up),
        Err(KeyProblem::Newer),
        "read when it was seen, or before"
    );
    keys.learn(published(&[&signer], second * 19), Instant::now());
    let none = Err(InvalidToken::UnknownKey.into());
    assert_eq!(judge(&keys, &made_up), none);
    // So many others that it is forgotten: it is asked for once more.
    for number in 0..MAX_SIGHTINGS {
        keys.missed().first_seen(&number.to_string());
    }
    assert_eq!(judge(&keys, &made_up), Err(KeyProblem::Newer));
    assert_eq!(keys.missed().seen.len(), MAX_SIGHTINGS);
}

#[tokio::test(start_paused = true)]
async fn the_brokers_word_that_there_are_no_keys_takes_minutes_to_be_believed() {
    let (signer, keys) = (TokenSigner::new("a"), NodeKeys::new(Log::new(std::io::sink())));
    let token = signer.sign(&claims());
    let say = |answer| keys.learn(answer, Instant::now());
    assert_eq!(
        say(KeysAnswer::NotPublished),
        SOON,
        "before there are any, it is so at once"
    );
    assert_eq!(judge(&keys, &token), Ok(Judgement::Unknown));
    assert_eq!(say(published(&[&signer], Duration::ZERO)), EVERY);
    for _ in 0..6 {
        assert_eq!(say(KeysAnswer::NotPublished), SOON);
        assert_eq!(judge(&keys, &token), Ok(Judgement::Genuine));
        sleep(SOON).await;
    }
    say(published(&[&signer], Duration::ZERO));
    for _ in 0..6 {
        assert_eq!(say(KeysAnswer::NotPublished), SOON, "counted anew");
        sleep(SOON).await;
    }
    assert_eq!(say(KeysAnswer::NotPublished), EVERY);
    assert_eq!(judge(&keys, &token), Ok(Judgement::Unknown));

    // An older broker says nothing of the cluster: keys count for as long as they do.
    say(published(&[&signer], Duration::ZERO));
    for _ in 0..100 {
        assert_eq!(say(KeysAnswer::NotHandedOn), SOON);
        assert_eq!(judge(&keys, &token), Ok(Judgement::Genuine));
        sleep(SOON).await;
    }
    sleep(LAST_KNOWN_FOR).await;
    say(KeysAnswer::NotHandedOn);
    assert_eq!(judge(&keys, &token), Ok(Judgement::Unknown));
}
