//! A broker that works as Deputy's does and is away for a while, and SDKs that ask as AWS's do.

use super::*;

const LIFE: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);

/// In which way the broker is away.
#[derive(Clone, Copy, Debug)]
pub(super) enum Away {
    /// Nothing listens.
    Refuses,
    /// It takes the question and never answers.
    Hangs,
    /// 503 to everything.
    Fails,
    /// It confirms whatever is held, and has nothing new.
    Repeats,
}

/// A broker with sessions of an hour, which makes a new one each ten minutes.
pub(super) struct Model {
    start: Instant,
    phase: Duration,
    says_when: bool,
    outage: Option<(Duration, Duration, Away)>,
    pub calls: Arc<Mutex<Vec<SelectedBinding>>>,
}

impl Model {
    /// `phase` is how old the first session is at the start; `says_when`: with the header about the next one.
    pub fn new(phase: Duration, says_when: bool, outage: Option<(Duration, Duration, Away)>) -> Self {
        Self {
            start: Instant::now(),
            phase,
            says_when,
            outage,
            calls: Arc::default(),
        }
    }

    pub fn keeper(self, configured: &[SelectedBinding]) -> Arc<CredentialKeeper<Self>> {
        let (start, wall) = (self.start, START.parse::<Timestamp>().unwrap());
        let clock = move || wall + SignedDuration::try_from(start.elapsed()).unwrap();
        CredentialKeeper::new(self, Arc::new(clock), Log::new(std::io::sink()), configured)
    }

    /// The session that is current at `now`, after the start: its number, its end, and when the next one is made.
    fn session(&self, now: Duration) -> (u32, Duration, Duration) {
        let renewal = LIFE / 6;
        let age = now + self.phase;
        let number = u32::try_from(age.as_secs() / renewal.as_secs()).unwrap();
        let made = renewal * number;
        (number, made + LIFE - self.phase, renewal - (age - made))
    }
}

impl CredentialSource for Model {
    async fn fetch(
        &self,
        binding: &SelectedBinding,
        etag: Option<HeaderValue>,
    ) -> Result<Fetched, FetchError> {
        self.calls.lock().unwrap().push(binding.clone());
        let now = self.start.elapsed();
        let (mut number, mut end, mut next) = self.session(now);
        if let Some((from, until, way)) = self.outage
            && (from..until).contains(&now)
        {
            match way {
                Away::Refuses | Away::Fails => return unavailable(),
                Away::Hangs => sleep(until - now).await,
                Away::Repeats => (number, end, next) = self.session(from),
            }
        }
        sleep(Duration::from_millis(50)).await;
        let refresh_after = self.says_when.then(|| next.max(Duration::from_secs(1)));
        let key = format!("K{number}");
        if etag.is_some_and(|etag| etag.to_str().unwrap() == format!("\"{key}\"")) {
            return Ok(Fetched::NotModified { refresh_after });
        }
        let wall: Timestamp = START.parse().unwrap();
        let end = wall + SignedDuration::try_from(end).unwrap();
        match lives_until(&key, &end.to_string())? {
            Fetched::Credential { body, etag, .. } => Ok(Fetched::Credential {
                body,
                etag,
                refresh_after,
            }),
            other => Ok(other),
        }
    }
}

impl<S: CredentialSource> CredentialKeeper<S> {
    /// The access key id of what is held.
    pub(super) fn held(&self, binding: &SelectedBinding) -> Option<String> {
        let slots = self.lock();
        let kept = slots.get(binding)?.kept.as_ref()?;
        Some(kept.credential.access_key_id().to_owned())
    }

    /// How long what is held has to live.
    fn left(&self, binding: &SelectedBinding) -> Duration {
        let slots = self.lock();
        let kept = slots.get(binding).and_then(|slot| slot.kept.as_ref());
        let left = kept.map(|kept| kept.credential.expiration().duration_since((self.clock)()));
        left.and_then(|left| left.try_into().ok()).unwrap_or_default()
    }
}

#[tokio::test(start_paused = true)]
async fn two_thirds_of_a_session_are_held_at_any_time() {
    let mut runs = tokio::task::JoinSet::new();
    for phase in 0..10 {
        for says_when in [true, false] {
            runs.spawn(async move {
                let model = Model::new(Duration::from_secs(phase * 60), says_when, None);
                let keeper = model.keeper(&[SelectedBinding::Default]);
                tokio::spawn(Arc::clone(&keeper).refresh());
                keeper.get(&SelectedBinding::Default).await.ok().unwrap();
                for _ in 0..6 * 60 * 4 {
                    pass(10).await;
                    let left = keeper.left(&SelectedBinding::Default);
                    assert!(left >= LIFE * 2 / 3, "{left:?} left, phase {phase}, {says_when}");
                }
            });
        }
    }
    runs.join_all().await;
}

/// When an SDK asks again: so long before what it holds ends. The application calls AWS once a minute, and with each call
/// the SDK looks.
const SDKS: [(&str, Duration); 6] = [
    ("boto3, advisory", Duration::from_secs(15 * 60)),
    ("boto3, mandatory", Duration::from_secs(10 * 60)),
    ("JavaScript v3, Go v2", Duration::from_secs(5 * 60)),
    ("Java v2, stale", MINUTE),
    ("Rust", Duration::from_secs(10)),
    ("AWS CLI, PHP: each call", LIFE),
];

/// Runs one application, and gives how many of its questions were not answered with a credential that lives, of how many.
async fn failures(model: Model, configured: bool, window: Duration, end: Duration) -> (usize, usize) {
    let start = model.start;
    let binding = SelectedBinding::parse("uploader").unwrap();
    let bindings: &[SelectedBinding] = if configured {
        std::slice::from_ref(&binding)
    } else {
        &[]
    };
    let keeper = model.keeper(bindings);
    let refresh = tokio::spawn(Arc::clone(&keeper).refresh());
    let wall: Timestamp = START.parse().unwrap();
    let mut holds_until = wall;
    let (mut failed, mut asked) = (0, 0);
    while start.elapsed() < end {
        let now = wall + SignedDuration::try_from(start.elapsed()).unwrap();
        if holds_until.duration_since(now) < SignedDuration::try_from(window).unwrap() {
            asked += 1;
            match keeper.get(&binding).await {
                Ok(body) => {
                    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
                    holds_until = body["Expiration"].as_str().unwrap().parse().unwrap();
                    failed += usize::from(holds_until <= now);
                }
                Err(_) => failed += 1,
            }
        }
        // Some SDKs look exactly in time: a look that came late would find an ended credential.
        pass(if window < MINUTE { 10 } else { 60 }).await;
    }
    refresh.abort();
    (failed, asked)
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_forty_minutes_is_not_seen_by_any_sdk() {
    let mut runs = tokio::task::JoinSet::new();
    for way in [Away::Refuses, Away::Hangs, Away::Fails, Away::Repeats] {
        for step in 0..8_u32 {
            // All over an hour, and not always at the same second of the broker's own round.
            let from = LIFE + Duration::from_secs(457 * u64::from(step));
            for (name, window) in SDKS {
                for says_when in [true, false] {
                    let phase = Duration::from_secs(u64::from(step) * 97 % 600);
                    let until = from + MINUTE * 40;
                    let model = Model::new(phase, says_when, Some((from, until, way)));
                    let configured = step % 2 == 0;
                    runs.spawn(async move {
                        let (failed, asked) = failures(model, configured, window, until + LIFE / 6).await;
                        assert!(asked > 2, "{name}");
                        assert_eq!(
                            failed, 0,
                            "{name}, {way:?} from {from:?}, {says_when}, of {asked}"
                        );
                    });
                }
            }
        }
    }
    runs.join_all().await;
}
