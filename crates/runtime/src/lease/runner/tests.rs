use std::sync::{Arc, Mutex};

use k8s_openapi::api::coordination::v1::LeaseSpec;
use proptest::prelude::*;

use super::super::election::ElectionVerdict;
use super::super::evaluate;
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const DURATION: Duration = Duration::from_secs(15);

fn config(identity: &str) -> LeaseConfig {
    LeaseConfig::new("deputy", "deputy-controller", identity)
}

fn held_by(holder: &str, seconds: Option<i32>) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(holder.to_owned()),
        lease_duration_seconds: seconds,
        ..LeaseSpec::default()
    }
}

/// The verdict of `me` on a Lease that it has seen unchanged for `seconds`.
fn verdict(spec: Option<&LeaseSpec>, seconds: u64) -> &'static str {
    let observed = Instant::now();
    let now = observed + Duration::from_secs(seconds);
    match evaluate(spec, "me", observed, now, DURATION) {
        ElectionVerdict::Acquire => "acquire",
        ElectionVerdict::Renew => "renew",
        ElectionVerdict::Wait { holder, until } => {
            assert_eq!(holder, "other");
            assert!(until > now);
            "wait"
        }
    }
}

#[test]
fn a_lease_is_taken_only_when_free_or_seen_to_run_out() {
    assert_eq!(verdict(None, 0), "acquire");
    assert_eq!(verdict(Some(&LeaseSpec::default()), 0), "acquire");
    assert_eq!(verdict(Some(&held_by("", Some(15))), 0), "acquire");
    assert_eq!(verdict(Some(&held_by("me", Some(15))), 0), "renew");
    assert_eq!(verdict(Some(&held_by("me", Some(15))), 3600), "renew");
    assert_eq!(verdict(Some(&held_by("other", Some(15))), 0), "wait");
    assert_eq!(verdict(Some(&held_by("other", Some(15))), 14), "wait");
    assert_eq!(verdict(Some(&held_by("other", Some(15))), 15), "acquire");
}

#[test]
fn the_duration_of_the_holder_counts_within_reason() {
    assert_eq!(verdict(Some(&held_by("other", Some(60))), 59), "wait");
    assert_eq!(verdict(Some(&held_by("other", Some(60))), 60), "acquire");
    for absurd in [None, Some(0), Some(-5)] {
        assert_eq!(verdict(Some(&held_by("other", absurd)), 14), "wait");
        assert_eq!(verdict(Some(&held_by("other", absurd)), 15), "acquire");
    }
    assert_eq!(verdict(Some(&held_by("other", Some(i32::MAX))), 299), "wait");
    assert_eq!(verdict(Some(&held_by("other", Some(i32::MAX))), 300), "acquire");
}

#[test]
fn the_clock_of_the_holder_does_not_matter() {
    for hours in [-10_000, -1, 0, 1, 10_000] {
        let renewed = Timestamp::now() + jiff::SignedDuration::from_hours(hours);
        let spec = LeaseSpec {
            renew_time: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime(renewed)),
            ..held_by("other", Some(15))
        };
        assert_eq!(verdict(Some(&spec), 14), "wait", "{hours} h");
        assert_eq!(verdict(Some(&spec), 15), "acquire", "{hours} h");
    }
}

#[test]
fn taking_a_lease_over_counts_a_transition_and_renewing_does_not() {
    let now = Instant::now();
    let wall = Timestamp::UNIX_EPOCH;
    let mut election = Election::new(config("me"));
    let ElectionStep::Replace(taken) = election.decide(Some(Lease::default()), now, wall) else {
        panic!("not taken")
    };
    assert_eq!(taken.spec.as_ref().unwrap().lease_transitions, Some(1));
    let ElectionStep::Replace(renewed) = election.decide(Some(*taken), now, wall + SECOND) else {
        panic!("not renewed")
    };
    let spec = renewed.spec.as_ref().unwrap();
    assert_eq!(
        (spec.lease_transitions, spec.acquire_time.as_ref().unwrap().0),
        (Some(1), wall)
    );
    assert_eq!(spec.renew_time.as_ref().unwrap().0, wall + SECOND);
    let released = election.released(*renewed, wall).unwrap();
    let ElectionStep::Replace(taken) = Election::new(config("other")).decide(Some(released), now, wall)
    else {
        panic!("not taken")
    };
    let spec = taken.spec.as_ref().unwrap();
    assert_eq!(
        (spec.holder_identity.as_deref(), spec.lease_transitions),
        (Some("other"), Some(2))
    );
    assert!(
        election.released(*taken, wall).is_none(),
        "another's Lease is not released"
    );
}

/// The API server's part: one Lease whose writes need the version that was read.
#[derive(Default)]
struct Server {
    lease: Option<Lease>,
    version: u64,
}

impl Server {
    fn create(&mut self, lease: Lease) -> bool {
        self.lease.is_none() && self.store(lease)
    }

    fn replace(&mut self, lease: Lease) -> bool {
        let stored = self
            .lease
            .as_ref()
            .and_then(|stored| stored.metadata.resource_version.clone());
        stored.is_some() && stored == lease.metadata.resource_version && self.store(lease)
    }

    fn store(&mut self, mut lease: Lease) -> bool {
        self.version += 1;
        lease.metadata.resource_version = Some(self.version.to_string());
        self.lease = Some(lease);
        true
    }
}

/// One thing that happens: time passes, or a candidate gets one step further in read, decide, write, hear.
#[derive(Debug, Clone)]
enum Event {
    Pass {
        millis: u64,
    },
    Read {
        who: usize,
    },
    Decide {
        who: usize,
    },
    Arrive {
        who: usize,
        answer_lost: bool,
    },
    Release {
        who: usize,
    },
    Restart {
        who: usize,
    },
    /// Somebody deletes the Lease.
    Delete,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let who = 0..3_usize;
    let event = prop_oneof![
        3 => (0..20_000_u64).prop_map(|millis| Event::Pass { millis }),
        6 => who.clone().prop_map(|who| Event::Read { who }),
        6 => who.clone().prop_map(|who| Event::Decide { who }),
        6 => (who.clone(), proptest::bool::weighted(0.2))
            .prop_map(|(who, answer_lost)| Event::Arrive { who, answer_lost }),
        1 => who.clone().prop_map(|who| Event::Release { who }),
        1 => who.prop_map(|who| Event::Restart { who }),
        1 => Just(Event::Delete),
    ];
    proptest::collection::vec(event, 1..400)
}

struct Candidate {
    election: Election,
    skew: jiff::SignedDuration,
    read: Option<Option<Lease>>,
    sent: Option<(ElectionStep, Instant)>,
    held: Option<Instant>,
}

impl Candidate {
    fn new(identity: String, skew_hours: i64) -> Self {
        Self {
            election: Election::new(config(&identity)),
            skew: jiff::SignedDuration::from_hours(skew_hours),
            read: None,
            sent: None,
            held: None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn of_candidates_with_any_clocks_and_any_delays_never_two_hold_the_lease(events in events()) {
        let mut now = Instant::now();
        let mut server = Server::default();
        let mut generation = 3;
        let mut candidates: Vec<_> =
            (0..3).map(|id| Candidate::new(format!("candidate-{id}"), id * 7 - 7)).collect();
        for event in events {
            match event {
                Event::Pass { millis } => now += Duration::from_millis(millis),
                Event::Read { who } => candidates[who].read = Some(server.lease.clone()),
                Event::Decide { who } => {
                    let candidate = &mut candidates[who];
                    if let Some(lease) = candidate.read.take() {
                        let wall = Timestamp::now() + candidate.skew;
                        candidate.sent = Some((candidate.election.decide(lease, now, wall), now));
                    }
                }
                Event::Arrive { who, answer_lost } => {
                    let candidate = &mut candidates[who];
                    let Some((step, sent)) = candidate.sent.take() else { continue };
                    let is_held = match step {
                        ElectionStep::Create(lease) => {
                            server.create(*lease);
                            false
                        }
                        ElectionStep::Replace(lease) => server.replace(*lease),
                        ElectionStep::Wait { .. } => false,
                    };
                    if is_held && !answer_lost {
                        candidate.held = Some(sent + DURATION);
                    }
                }
                Event::Release { who } => {
                    let candidate = &mut candidates[who];
                    candidate.held = None;
                    candidate.sent = None;
                    let lease = server.lease.clone();
                    if let Some(lease) =
                        lease.and_then(|lease| candidate.election.released(lease, Timestamp::now()))
                    {
                        server.replace(lease);
                    }
                }
                Event::Delete => server.lease = None,
                // A write on its way when a process ends may still arrive; it belongs to nobody then.
                Event::Restart { who } => {
                    let skew = i64::try_from(who).unwrap();
                    let sent = candidates[who].sent.take();
                    candidates[who] = Candidate::new(format!("candidate-{generation}"), skew);
                    generation += 1;
                    match sent {
                        Some((ElectionStep::Create(lease), _)) => drop(server.create(*lease)),
                        Some((ElectionStep::Replace(lease), _)) => drop(server.replace(*lease)),
                        _ => {}
                    }
                }
            }
            let holders = candidates.iter().filter(|candidate| candidate.held.is_some_and(|until| until > now));
            prop_assert!(holders.count() <= 1);
        }
    }
}

/// A [`Store`] that can be told to fail.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<(Server, Option<&'static str>)>>);

impl Memory {
    fn fail(&self, failure: Option<&'static str>) {
        self.0.lock().unwrap().1 = failure;
    }

    fn holder(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap()
            .0
            .lease
            .as_ref()?
            .spec
            .as_ref()?
            .holder_identity
            .clone()
    }

    fn with<T>(&self, act: impl FnOnce(&mut Server) -> T) -> Result<T, StoreError> {
        let mut state = self.0.lock().unwrap();
        match state.1 {
            Some(failure) => Err(StoreError::Other(failure.to_owned())),
            None => Ok(act(&mut state.0)),
        }
    }
}

impl Store for Memory {
    async fn get(&self) -> Result<Option<Lease>, StoreError> {
        self.with(|server| server.lease.clone())
    }
    async fn create(&self, lease: &Lease) -> Result<(), StoreError> {
        self.with(|server| server.create(lease.clone()))?
            .then_some(())
            .ok_or(StoreError::Conflict)
    }
    async fn replace(&self, lease: &Lease) -> Result<(), StoreError> {
        self.with(|server| server.replace(lease.clone()))?
            .then_some(())
            .ok_or(StoreError::Conflict)
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_keeps_the_lease_and_hands_it_over_when_it_ends() {
    let store = Memory::default();
    let (first, first_task) = start(store.clone(), config("first"));
    first.wait_until_leader().await;
    let (second, second_task) = start(store.clone(), config("second"));
    for _ in 0..100 {
        tokio::time::sleep(SECOND).await;
        assert!(first.may_write(8 * SECOND));
        assert!(!second.is_leader());
    }
    let released = Instant::now();
    first_task.release().await.unwrap();
    assert!(!first.is_leader());
    assert_ne!(store.holder().as_deref(), Some("first"));
    second.wait_until_leader().await;
    assert!(
        released.elapsed() <= 2 * SECOND,
        "no need to wait for the Lease to run out"
    );
    second_task.release().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_outlast_the_lease_is_not_allowed() {
    let store = Memory::default();
    let (leadership, _task) = start(store.clone(), config("first"));
    assert!(
        !leadership.may_write(Duration::ZERO),
        "a candidate writes nothing"
    );
    leadership.wait_until_leader().await;
    assert!(leadership.may_write(10 * SECOND));
    assert!(!leadership.may_write(15 * SECOND));
    store.fail(Some("connection refused"));
    tokio::time::sleep(9 * SECOND).await;
    assert!(leadership.may_write(5 * SECOND));
    assert!(!leadership.may_write(7 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_for_ten_seconds_fails_before_its_lease_ends() {
    let store = Memory::default();
    let (leadership, mut task) = start(store.clone(), config("first"));
    leadership.wait_until_leader().await;
    let renewed = Instant::now();
    store.fail(Some("connection refused"));
    let error = task.failed().await;
    assert!(
        matches!(&error, LeaseError::RenewDeadline { seconds: 10, last, .. } if last.contains("refused"))
    );
    assert_eq!(renewed.elapsed(), 10 * SECOND);
    assert!(!leadership.is_leader());
    leadership.lost().await;
    assert_eq!(error.category(), "renew-deadline");
    assert!(
        matches!(task.failed().await, LeaseError::Task { .. }),
        "it fails once, and asking again does no harm"
    );
    assert!(task.release().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_passes_costs_nothing() {
    let store = Memory::default();
    let (leadership, _task) = start(store.clone(), config("first"));
    leadership.wait_until_leader().await;
    for _ in 0..5 {
        store.fail(Some("503"));
        tokio::time::sleep(4 * SECOND).await;
        store.fail(None);
        tokio::time::sleep(8 * SECOND).await;
        assert!(leadership.may_write(8 * SECOND));
    }
}

#[tokio::test(start_paused = true)]
async fn a_candidate_takes_over_from_a_leader_that_vanished() {
    let store = Memory::default();
    let (first, first_task) = start(store.clone(), config("first"));
    first.wait_until_leader().await;
    drop(first_task);
    let vanished = Instant::now();
    let (second, _task) = start(store.clone(), config("second"));
    second.wait_until_leader().await;
    assert!(vanished.elapsed() >= 15 * SECOND && vanished.elapsed() <= 17 * SECOND);
    assert!(!first.is_leader());
}

/// Whenever the leader dies, between two renewals, and whenever a candidate looks, between two looks.
#[tokio::test(start_paused = true)]
async fn a_handover_takes_the_duration_and_two_seconds_at_most() {
    for (lived, waited) in (0..50).flat_map(|lived| (0..10).map(move |waited| (lived, waited))) {
        let store = Memory::default();
        store.with(|server| server.create(Lease::default())).unwrap();
        let (first, first_task) = start(store.clone(), config("first"));
        first.wait_until_leader().await;
        tokio::time::sleep(waited * SECOND / 10).await;
        let (second, _task) = start(store.clone(), config("second"));
        tokio::time::sleep(lived * SECOND / 10).await;
        drop(first_task);
        let died = Instant::now();
        second.wait_until_leader().await;
        assert!(
            died.elapsed() <= 17 * SECOND,
            "{lived} {waited}: {:?}",
            died.elapsed()
        );
        assert!(!first.is_leader());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_deleted_is_nobodys_until_it_would_have_run_out() {
    let store = Memory::default();
    let begun = Instant::now();
    let (first, mut first_task) = start(store.clone(), config("first"));
    first.wait_until_leader().await;
    assert!(begun.elapsed() >= DURATION, "it was missing");
    store.with(|server| server.lease = None).unwrap();
    let deleted = Instant::now();
    let (second, _task) = start(store.clone(), config("second"));
    tokio::time::sleep(SECOND / 10).await;
    assert!(store.holder().unwrap().starts_with("nobody"));
    // Who held it finds another holder, or that it is not there.
    assert!(matches!(first_task.failed().await, LeaseError::Taken { .. }));
    assert!(deleted.elapsed() <= 5 * SECOND);
    second.wait_until_leader().await;
    assert!(deleted.elapsed() >= DURATION && deleted.elapsed() <= DURATION + 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_lease_was_deleted_fails_and_does_not_take_it_again() {
    let store = Memory::default();
    let (leadership, mut task) = start(store.clone(), config("first"));
    leadership.wait_until_leader().await;
    store.with(|server| server.lease = None).unwrap();
    assert!(matches!(task.failed().await, LeaseError::Missing { .. }));
    assert!(!leadership.is_leader());
    assert!(store.holder().unwrap().starts_with("nobody"));
}

/// A [`Store`] whose answers take two seconds.
struct Slow(Memory);

impl Store for Slow {
    async fn get(&self) -> Result<Option<Lease>, StoreError> {
        self.0.get().await
    }
    async fn create(&self, lease: &Lease) -> Result<(), StoreError> {
        self.0.create(lease).await
    }
    async fn replace(&self, lease: &Lease) -> Result<(), StoreError> {
        let written = self.0.replace(lease).await;
        tokio::time::sleep(2 * SECOND).await;
        written
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_counts_from_before_its_renewal_was_sent() {
    let (leadership, _task) = start(Slow(Memory::default()), config("first"));
    leadership.wait_until_leader().await;
    for _ in 0..20 {
        assert!(leadership.remaining().unwrap() <= DURATION - 2 * SECOND);
        tokio::time::sleep(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_lease_somebody_took_fails_at_once() {
    let store = Memory::default();
    let (leadership, mut task) = start(store.clone(), config("first"));
    leadership.wait_until_leader().await;
    store
        .with(|server| {
            let mut lease = server.lease.clone().unwrap();
            lease.spec.as_mut().unwrap().holder_identity = Some("intruder".to_owned());
            server.replace(lease)
        })
        .unwrap();
    let error = task.failed().await;
    assert!(matches!(error, LeaseError::Taken { holder, .. } if holder == "intruder"));
    assert!(!leadership.is_leader());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_does_not_make_a_leader_immortal() {
    struct Hanging(Memory, Arc<std::sync::atomic::AtomicBool>);
    impl Store for Hanging {
        async fn get(&self) -> Result<Option<Lease>, StoreError> {
            if self.1.load(std::sync::atomic::Ordering::SeqCst) {
                return std::future::pending().await;
            }
            self.0.get().await
        }
        async fn create(&self, lease: &Lease) -> Result<(), StoreError> {
            self.0.create(lease).await
        }
        async fn replace(&self, lease: &Lease) -> Result<(), StoreError> {
            self.0.replace(lease).await
        }
    }
    let hang = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (leadership, mut task) = start(Hanging(Memory::default(), Arc::clone(&hang)), config("first"));
    leadership.wait_until_leader().await;
    let renewed = Instant::now();
    hang.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(matches!(task.failed().await, LeaseError::RenewDeadline { .. }));
    assert_eq!(renewed.elapsed(), 10 * SECOND);
}
