//! The keeper against a scripted broker, on a clock that stands still unless everybody waits.

use std::collections::VecDeque;

use deputy_log_testing::CapturedLog;
use http::{HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;
use zeroize::Zeroizing;

use super::*;
use crate::binding::MAX_BINDINGS;

mod log;
mod outage;
mod refresh;

const START: &str = "2026-09-30T11:00:00Z";

/// What the broker does with one call: wait, then answer.
struct Step {
    after: Duration,
    answer: Result<Fetched, FetchError>,
}

#[derive(Default)]
struct Script {
    steps: Mutex<VecDeque<Step>>,
    etags: Mutex<Vec<Option<String>>>,
}

impl CredentialSource for Script {
    async fn fetch(&self, _: &SelectedBinding, etag: Option<HeaderValue>) -> Result<Fetched, FetchError> {
        self.etags
            .lock()
            .unwrap()
            .push(etag.map(|e| e.to_str().unwrap().to_owned()));
        let step = self
            .steps
            .lock()
            .unwrap()
            .pop_front()
            .expect("a call that the test does not expect");
        sleep(step.after).await;
        step.answer
    }
}

struct Fixture {
    keeper: Arc<CredentialKeeper<Script>>,
    log: CapturedLog,
}

impl Fixture {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(configured: &[SelectedBinding]) -> Self {
        let (start, wall) = (Instant::now(), START.parse::<Timestamp>().unwrap());
        let clock = move || wall + SignedDuration::try_from(start.elapsed()).unwrap();
        let log = CapturedLog::default();
        let keeper = CredentialKeeper::new(
            Script::default(),
            Arc::new(clock),
            Log::new(log.clone()),
            configured,
        );
        Self { keeper, log }
    }

    fn then(self, after_ms: u64, answer: Result<Fetched, FetchError>) -> Self {
        self.expect(after_ms, answer);
        self
    }

    fn expect(&self, after_ms: u64, answer: Result<Fetched, FetchError>) {
        let step = Step {
            after: Duration::from_millis(after_ms),
            answer,
        };
        self.keeper.source.steps.lock().unwrap().push_back(step);
    }

    /// The access key id served, or the code of the problem.
    async fn get(&self) -> String {
        short(self.keeper.get(&SelectedBinding::Default).await)
    }

    fn etags(&self) -> Vec<Option<String>> {
        self.keeper.source.etags.lock().unwrap().clone()
    }

    fn calls(&self) -> usize {
        self.etags().len()
    }

    fn events(&self) -> Vec<String> {
        let text = self.log.text();
        let event = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["event"].as_str().unwrap().to_owned()
        };
        text.lines().map(event).collect()
    }
}

fn short(answer: CredentialAnswer) -> String {
    match answer {
        Ok(body) => {
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            body["AccessKeyId"].as_str().unwrap().to_owned()
        }
        Err(problem) => format!("{} {}", problem.status.as_u16(), problem.code),
    }
}

fn lives_until(key: &str, expiration: &str) -> Result<Fetched, FetchError> {
    let body = format!(
        r#"{{"AccessKeyId":"{key}","SecretAccessKey":"canary-secret","Token":"canary-token","Expiration":"{expiration}"}}"#
    );
    let etag = Some(HeaderValue::try_from(format!("\"{key}\"")).unwrap());
    Ok(Fetched::Credential {
        body: Zeroizing::new(body.into_bytes()),
        etag,
        refresh_after: None,
    })
}

fn credential(key: &str) -> Result<Fetched, FetchError> {
    lives_until(key, "2026-09-30T12:00:00Z")
}

fn not_modified() -> Result<Fetched, FetchError> {
    Ok(Fetched::NotModified { refresh_after: None })
}

fn refused(status: u16) -> Result<Fetched, FetchError> {
    let status = StatusCode::from_u16(status).unwrap();
    Err(FetchError::Refused(AgentProblem::new(
        status,
        "NoBinding",
        "no binding",
    )))
}

fn unavailable() -> Result<Fetched, FetchError> {
    Err(FetchError::Unavailable(AgentProblem::unavailable(
        "Unavailable",
        "later",
    )))
}

/// Lets everything happen that happens in this time.
async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_fresh_credential_is_served_without_asking() {
    let f = Fixture::new().then(50, credential("K1"));
    assert_eq!(f.get().await, "K1");
    pass(4).await;
    assert_eq!(f.get().await, "K1");
    assert_eq!(f.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_older_one_is_confirmed_by_its_etag() {
    let f = Fixture::new()
        .then(0, credential("K1"))
        .then(10, not_modified())
        .then(10, credential("K2"));
    assert_eq!(f.get().await, "K1");
    pass(6).await;
    assert_eq!(f.get().await, "K1");
    pass(4).await;
    assert_eq!(f.get().await, "K1");
    assert_eq!(f.calls(), 2);
    pass(2).await;
    assert_eq!(f.get().await, "K2");
    assert_eq!(
        f.etags(),
        [None, Some("\"K1\"".to_owned()), Some("\"K1\"".to_owned())]
    );
}

#[tokio::test(start_paused = true)]
async fn while_the_broker_fails_the_kept_credential_is_served() {
    let f = Fixture::new()
        .then(0, credential("K1"))
        .then(10, unavailable())
        .then(10, not_modified());
    assert_eq!(f.get().await, "K1");
    pass(6).await;
    for _ in 0..10 {
        assert_eq!(f.get().await, "K1");
    }
    assert_eq!(f.calls(), 2);
    pass(1).await;
    assert_eq!(f.get().await, "K1");
    assert_eq!(f.calls(), 3);
    assert_eq!(
        f.events(),
        ["CredentialCurrent", "BrokerUnavailable", "CredentialCurrent"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_hanging_broker_costs_the_first_callers_300_ms_and_later_ones_nothing() {
    let f = Fixture::new()
        .then(0, credential("K1"))
        .then(60_000, credential("late"))
        .then(0, not_modified());
    assert_eq!(f.get().await, "K1");
    pass(6).await;
    let before = Instant::now();
    assert_eq!(f.get().await, "K1");
    assert_eq!(before.elapsed(), REVALIDATION_WAIT);
    assert_eq!(f.get().await, "K1");
    assert_eq!(before.elapsed(), REVALIDATION_WAIT);
    // The call is given up at its limit; after the pause there is a new one.
    pass(10).await;
    assert_eq!(f.get().await, "K1");
    assert_eq!(f.calls(), 2);
    pass(2).await;
    assert_eq!(f.get().await, "K1");
    assert_eq!(f.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_expired_credential_is_never_served() {
    let f = Fixture::new().then(0, lives_until("K1", "2026-09-30T11:10:00Z"));
    assert_eq!(f.get().await, "K1");
    f.expect(0, unavailable());
    pass(538).await;
    assert_eq!(f.get().await, "K1");
    f.expect(0, unavailable());
    pass(2).await;
    assert_eq!(f.get().await, "503 Unavailable");
    // Nothing is held, so nothing is there to confirm.
    f.expect(0, not_modified());
    assert_eq!(f.get().await, "503 BrokerError");
    f.expect(0, credential("K2"));
    assert_eq!(f.get().await, "K2");
    assert_eq!(f.etags().last().unwrap(), &None);
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_expires_during_the_confirmation_is_not_served() {
    let f = Fixture::new()
        .then(0, lives_until("K1", "2026-09-30T11:10:00Z"))
        .then(2_000, unavailable());
    assert_eq!(f.get().await, "K1");
    sleep(Duration::from_millis(539_900)).await;
    assert_eq!(f.get().await, "503 NotReady");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_drops_the_credential() {
    {
        let status = 403;
        let f = Fixture::new()
            .then(0, credential("K1"))
            .then(0, refused(status))
            .then(0, unavailable());
        assert_eq!(f.get().await, "K1");
        pass(6).await;
        let refusal = format!("{status} NoBinding");
        let message = |answer: CredentialAnswer| answer.unwrap_err().message;
        assert!(
            message(f.keeper.get(&SelectedBinding::Default).await).contains("What this pod had is dropped.")
        );
        // SDKs ask again at once; the broker is not asked for each.
        assert_eq!(f.get().await, refusal);
        assert_eq!(f.calls(), 2);
        pass(2).await;
        // And it does not come back when the broker goes away.
        assert_eq!(f.get().await, "503 Unavailable");
        assert_eq!(f.etags(), [None, Some("\"K1\"".to_owned()), None]);
        assert_eq!(f.events(), ["CredentialCurrent", "Refused", "BrokerUnavailable"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_comes_after_the_caller_was_served_counts_for_the_next() {
    let f = Fixture::new().then(0, credential("K1")).then(700, refused(403));
    assert_eq!(f.get().await, "K1");
    pass(6).await;
    assert_eq!(f.get().await, "K1");
    sleep(Duration::from_millis(500)).await;
    assert_eq!(f.get().await, "403 NoBinding");
    assert_eq!(f.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_grant_made_after_a_refusal_works_within_seconds() {
    let f = Fixture::new().then(0, refused(403)).then(0, credential("K1"));
    assert_eq!(f.get().await, "403 NoBinding");
    pass(2).await;
    assert_eq!(f.get().await, "K1");
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_answer_serves_the_next_caller() {
    let f = Fixture::new().then(2_000, credential("K1"));
    let before = Instant::now();
    assert_eq!(f.get().await, "503 NotReady");
    assert_eq!(before.elapsed(), FIRST_WAIT);
    sleep(Duration::from_millis(1_200)).await;
    assert_eq!(f.get().await, "K1");
    assert_eq!(f.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_first_callers_share_one_call() {
    let f = Fixture::new().then(50, credential("K1"));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let keeper = Arc::clone(&f.keeper);
        callers.spawn(async move { short(keeper.get(&SelectedBinding::Default).await) });
    }
    let answers = callers.join_all().await;
    assert!(answers.len() == 1000 && answers.iter().all(|a| a == "K1"));
    assert_eq!(f.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_harms_nobody() {
    let f = Fixture::new().then(50, credential("K1"));
    let keeper = Arc::clone(&f.keeper);
    let first = tokio::spawn(async move { short(keeper.get(&SelectedBinding::Default).await) });
    sleep(Duration::from_millis(10)).await;
    first.abort();
    assert_eq!(f.get().await, "K1");
    assert_eq!(f.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_credential_never_replaces_one() {
    let broken = |body: &str| {
        Ok(Fetched::Credential {
            body: Zeroizing::new(body.as_bytes().to_vec()),
            etag: None,
            refresh_after: None,
        })
    };
    let f = Fixture::new()
        .then(0, broken(""))
        .then(0, broken("{}"))
        .then(0, credential("K1"));
    assert_eq!(f.get().await, "503 BrokerError");
    assert_eq!(f.get().await, "503 BrokerError");
    assert_eq!(f.get().await, "K1");
    for bad in ["", "{}", r#"{"AccessKeyId":"K2"}"#] {
        f.expect(0, broken(bad));
        pass(6).await;
        assert_eq!(f.get().await, "K1");
    }
    f.expect(0, lives_until("K3", "2026-09-30T10:00:00Z"));
    pass(6).await;
    assert_eq!(f.get().await, "K1");
}

#[tokio::test(start_paused = true)]
async fn made_up_names_do_not_fill_the_memory_nor_push_out_a_credential() {
    let f = Fixture::new().then(0, credential("K1"));
    assert_eq!(f.get().await, "K1");
    for n in 0..MAX_BINDINGS * 3 {
        f.expect(0, refused(403));
        let name = SelectedBinding::parse(&format!("made-up-{n}")).unwrap();
        assert_eq!(short(f.keeper.get(&name).await), "403 NoBinding");
    }
    assert_eq!(f.keeper.lock().len(), MAX_BINDINGS);
    assert_eq!(f.get().await, "K1");
}
