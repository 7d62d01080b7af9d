use std::sync::Mutex;

use super::super::bundle_trusts;
use super::super::rotation::SecretData;
use super::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const NAME: &str = "deputy-webhook.deputy.svc";

fn config() -> AuthorityConfig {
    AuthorityConfig {
        namespace: "deputy".to_owned(),
        secret_name: "deputy-webhook-ca".to_owned(),
        common_name: "Deputy webhook CA".to_owned(),
        policy: AuthorityPolicy::WEBHOOK,
        dns_names: vec![NAME.to_owned()],
        ips: Vec::new(),
        pinned_in: None,
    }
}

/// An authority that keeps nothing anywhere, for the tests of servers. Another call rotates it as a restart with an
/// empty Secret would.
pub(crate) fn authority_for_tests() -> Authority {
    let authority = Authority::new(config()).unwrap();
    rotate_for_tests(&authority);
    authority
}

/// Gives the authority a new certificate, as if its Secret had been emptied.
pub(crate) fn rotate_for_tests(authority: &Authority) {
    let now = Timestamp::now();
    let circumstances = Circumstances {
        common_name: "test",
        policy: &AuthorityPolicy::WEBHOOK,
        held: None,
        pinned: Pinned::nothing(),
        abandoned: None,
        now,
    };
    let (_, set) = plan(&SecretData::new(), circumstances).unwrap().write.unwrap();
    authority.shared.adopt(&Arc::new(set), now).unwrap();
}

/// One Secret whose writes need the version that was read.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    exists: bool,
    data: SecretData,
    version: u64,
    reject_writes: bool,
    /// The bundle in the ConfigMap.
    published: String,
    annotation: Option<String>,
}

impl Memory {
    fn empty() -> Self {
        Self(Arc::new(Mutex::new(State {
            exists: true,
            ..State::default()
        })))
    }
}

impl SecretStore for Memory {
    async fn get(&self) -> Result<Secret, AuthorityError> {
        // Lets the other replica read the same state.
        tokio::task::yield_now().await;
        let state = self.0.lock().unwrap();
        if !state.exists {
            return Err(AuthorityError::NoSecret);
        }
        let mut secret = Secret {
            data: Some(state.data.clone()),
            ..Secret::default()
        };
        secret.metadata.resource_version = Some(state.version.to_string());
        let annotation = state.annotation.clone();
        secret.metadata.annotations =
            annotation.map(|value| [(ABANDON_ANNOTATION.to_owned(), value)].into_iter().collect());
        Ok(secret)
    }

    async fn pinned(&self) -> Result<Pinned, AuthorityError> {
        let published = self.0.lock().unwrap().published.clone();
        Ok(match published.as_str() {
            "" => Pinned::nothing(),
            text => Pinned::Known(super::super::certificate::parse_bundle(text.as_bytes()).unwrap()),
        })
    }

    async fn replace(&self, secret: &Secret) -> Result<(), WriteError> {
        tokio::task::yield_now().await;
        let mut state = self.0.lock().unwrap();
        if state.reject_writes {
            let message = "403 Forbidden".to_owned();
            return Err(WriteError::Other(AuthorityError::Api {
                action: "update",
                message,
            }));
        }
        if secret.metadata.resource_version != Some(state.version.to_string()) {
            return Err(WriteError::Conflict);
        }
        state.version += 1;
        state.data = secret.data.clone().unwrap_or_default();
        Ok(())
    }
}

fn replica(store: &Memory) -> (AuthorityKeeper<Memory>, Authority, Readiness, Metrics) {
    replica_of(store, config())
}

fn replica_of(
    store: &Memory,
    config: AuthorityConfig,
) -> (AuthorityKeeper<Memory>, Authority, Readiness, Metrics) {
    let (readiness, metrics) = (Readiness::new(), Metrics::new("webhook"));
    let authority = Authority::new(config).unwrap();
    let keeper = AuthorityKeeper {
        store: store.clone(),
        shared: Arc::clone(&authority.shared),
        ready: readiness.register("serving-certificate"),
        metrics: metrics.clone(),
    };
    (keeper, authority, readiness, metrics)
}

fn trusts(bundle: &Bundle, leaf: &CertificateDer<'_>, now: Timestamp) -> bool {
    bundle_trusts(bundle.as_bytes(), leaf, NAME, now).unwrap()
}

fn later(days: u32) -> Timestamp {
    super::super::certificate::after(Timestamp::now(), DAY * days)
}

#[tokio::test]
async fn replicas_that_start_together_agree_on_one_authority() {
    let store = Memory::empty();
    let replicas: Vec<_> = (0..4).map(|_| replica(&store)).collect();
    let now = Timestamp::now();
    let rounds = replicas.iter().map(|(keeper, ..)| keeper.refresh(now));
    for result in futures::future::join_all(rounds).await {
        result.unwrap();
    }
    assert_eq!(store.0.lock().unwrap().version, 1, "one write");
    let (_, first, ..) = &replicas[0];
    let bundle = first.bundle().borrow().clone();
    for (_, authority, ..) in &replicas {
        assert!(trusts(&bundle, &authority.leaf().unwrap(), now));
        assert_eq!(*authority.bundle().borrow(), bundle);
    }
    let (_, second, ..) = &replicas[1];
    assert_ne!(first.leaf(), second.leaf(), "each replica has a key of its own");
}

#[tokio::test]
async fn through_years_of_rotation_every_bundle_trusts_every_replica() {
    let store = Memory::empty();
    let (one, one_authority, ..) = replica(&store);
    let (two, two_authority, ..) = replica(&store);
    let mut leaves = std::collections::HashSet::new();
    for day in 0..800 {
        let now = later(day);
        one.refresh(now).await.unwrap();
        // The other replica lags by a day.
        if let (Some(leaf), bundle) = (two_authority.leaf(), one_authority.bundle().borrow().clone()) {
            assert!(trusts(&bundle, &leaf, now), "day {day}");
            assert!(
                trusts(
                    &two_authority.bundle().borrow(),
                    &one_authority.leaf().unwrap(),
                    now
                ),
                "day {day}"
            );
        }
        two.refresh(now).await.unwrap();
        leaves.insert(one_authority.leaf().unwrap().to_vec());
    }
    // A leaf of seven days is renewed on the fifth.
    assert!((155..=170).contains(&leaves.len()), "{}", leaves.len());
}

#[tokio::test]
async fn an_unchanged_secret_changes_neither_the_leaf_nor_the_bundle() {
    let store = Memory::empty();
    let (keeper, authority, ..) = replica(&store);
    keeper.refresh(later(0)).await.unwrap();
    let (leaf, mut bundle) = (authority.leaf(), authority.bundle());
    bundle.mark_unchanged();
    for day in 0..4 {
        keeper.refresh(later(day)).await.unwrap();
    }
    assert_eq!(authority.leaf(), leaf);
    assert!(!bundle.has_changed().unwrap());
    assert_eq!(store.0.lock().unwrap().version, 1);
}

#[tokio::test]
async fn a_damaged_secret_is_neither_served_nor_overwritten() {
    let store = Memory::empty();
    store
        .0
        .lock()
        .unwrap()
        .data
        .insert("ca.crt".to_owned(), k8s_openapi::ByteString(b"rubbish".to_vec()));
    let (keeper, authority, ..) = replica(&store);
    let error = keeper.refresh(later(0)).await.unwrap_err();
    assert_eq!(error.category(), "incomplete");
    assert_eq!(authority.leaf(), None);
    assert_eq!(store.0.lock().unwrap().version, 0);
}

#[tokio::test]
async fn a_replica_keeps_serving_when_its_secret_is_damaged_or_gone() {
    let store = Memory::empty();
    let (keeper, authority, ..) = replica(&store);
    keeper.refresh(later(0)).await.unwrap();
    let leaf = authority.leaf();
    store.0.lock().unwrap().exists = false;
    assert_eq!(
        keeper.refresh(later(1)).await.unwrap_err().category(),
        "no-secret"
    );
    assert_eq!(authority.leaf(), leaf);
    assert!(keeper.can_serve(later(6)));
    assert!(!keeper.can_serve(later(8)), "but not with an expired certificate");
}

#[tokio::test]
async fn a_replica_that_may_not_write_serves_with_what_is_stored() {
    let store = Memory::empty();
    replica(&store).0.refresh(later(0)).await.unwrap();
    store.0.lock().unwrap().reject_writes = true;
    let (keeper, authority, ..) = replica(&store);
    assert!(
        keeper.refresh(later(250)).await.is_err(),
        "the next authority can't be published"
    );
    let bundle = authority.bundle().borrow().clone();
    assert!(trusts(&bundle, &authority.leaf().unwrap(), later(250)));
}

#[tokio::test]
async fn expiries_are_in_the_metrics() {
    let store = Memory::empty();
    let (keeper, _authority, _readiness, metrics) = replica(&store);
    keeper.refresh(later(0)).await.unwrap();
    keeper.refresh(later(250)).await.unwrap();
    let text = metrics.render().unwrap();
    for certificate in ["leaf", "current", "next"] {
        let series = format!(
            "deputy_certificate_expiry_seconds{{authority=\"deputy-webhook-ca\",certificate=\"{certificate}\"}} 1"
        );
        assert!(text.contains(&series), "{series} in {text}");
    }
    keeper.refresh(later(310)).await.unwrap();
    assert!(!metrics.render().unwrap().contains("next"));
}

#[tokio::test(start_paused = true)]
async fn the_process_becomes_ready_when_the_chart_has_made_the_secret() {
    let store = Memory::default();
    let (keeper, authority, readiness, _) = replica(&store);
    let shutdown = Shutdown::manual();
    let task = tokio::spawn(keeper.run(futures::stream::pending(), shutdown.clone()));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(
        readiness.unmet()["serving-certificate"],
        "the Secret does not exist; the chart creates it"
    );
    store.0.lock().unwrap().exists = true;
    let mut bundle = authority.bundle();
    bundle.changed().await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(readiness.is_ready());
    shutdown.stop();
    task.await.unwrap();
}

#[test]
fn the_resolver_shows_no_key() {
    assert_eq!(
        format!("{:?}", LeafResolver(Arc::clone(&authority_for_tests().shared))),
        "LeafResolver"
    );
}

/// A broker: its bundle is in a ConfigMap, and in pods.
fn broker(store: &Memory) -> (AuthorityKeeper<Memory>, Authority, Readiness, Metrics) {
    let config = AuthorityConfig {
        policy: AuthorityPolicy::BROKER,
        pinned_in: Some("deputy-broker-bundle".to_owned()),
        ..config()
    };
    replica_of(store, config)
}

#[tokio::test]
async fn an_emptied_secret_gets_its_authority_back_from_a_replica_that_runs() {
    let store = Memory::empty();
    let (keeper, authority, ..) = broker(&store);
    keeper.refresh(later(0)).await.unwrap();
    let (bundle, leaf) = (authority.bundle().borrow().clone(), authority.leaf());
    let data = store.0.lock().unwrap().data.clone();
    for _ in 0..3 {
        store.0.lock().unwrap().data.clear();
        store.0.lock().unwrap().version += 1;
        keeper.refresh(later(0)).await.unwrap();
        assert_eq!(store.0.lock().unwrap().data, data);
    }
    assert_eq!(
        (authority.bundle().borrow().clone(), authority.leaf()),
        (bundle, leaf)
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_secret_is_not_filled_while_pods_trust_another_authority() {
    let store = Memory::empty();
    let (keeper, authority, ..) = broker(&store);
    keeper.refresh(Timestamp::now()).await.unwrap();
    let trusted = authority.bundle().borrow().to_string();
    drop(keeper);
    {
        let mut state = store.0.lock().unwrap();
        state.data.clear();
        state.published = trusted.clone();
    }
    let (keeper, authority, readiness, metrics) = broker(&store);
    let shutdown = Shutdown::manual();
    let task = tokio::spawn(keeper.run(futures::stream::pending(), shutdown.clone()));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(store.0.lock().unwrap().data.is_empty());
    let said = readiness.unmet()["serving-certificate"].clone();
    assert!(said.contains("restore the Secret's data from a backup"), "{said}");
    assert!(metrics.render().unwrap().contains("outcome=\"pinned\""));
    // As the sentence says.
    let (_, rest) = said.split_once(&format!("{ABANDON_ANNOTATION}: ")).unwrap();
    let print = rest.split(' ').next().unwrap().to_owned();
    store.0.lock().unwrap().annotation = Some(print);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(readiness.is_ready());
    assert!(
        authority.bundle().borrow().contains(trusted.trim()),
        "the root of before stays in the bundle"
    );
    shutdown.stop();
    task.await.unwrap();
}
