use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicI64, AtomicUsize},
};

use async_trait::async_trait;
use deputy_aws::{CallerIdentity, Credentials, ErrorClass};
use deputy_delegation::{
    ExternalId, FederatedDuration, RoleArn, ServiceAccountName, SessionDuration, SessionName,
    federation::FederationRequest, model::ObjectId, session::SessionRequest,
};
use tokio::sync::Notify;

use super::*;

/// An STS that answers when told, counts its calls and can be out of order.
#[derive(Default)]
struct FakeSts {
    calls: AtomicUsize,
    hold: Option<Notify>,
    broken: std::sync::atomic::AtomicBool,
    panics: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl Sts for FakeSts {
    async fn assume_role(&self, request: &SessionRequest) -> Result<Session, AwsError> {
        let n = self.calls.fetch_add(1, Ordering::SeqCst);
        if let Some(hold) = &self.hold {
            hold.notified().await;
        }
        assert!(!self.panics.load(Ordering::SeqCst), "a fault");
        if self.broken.load(Ordering::SeqCst) {
            return Err(AwsError::new("AssumeRole", ErrorClass::Service, "out of order"));
        }
        Ok(Session {
            credentials: Credentials {
                access_key_id: format!("ASIA{n:016}"),
                secret_access_key: "secret".into(),
                session_token: "token".into(),
            },
            expiration: Timestamp::from_second(now().as_second() + i64::from(request.duration.as_seconds()))
                .unwrap(),
            arn: "arn:aws:sts::123456789012:assumed-role/r/s".into(),
            unique_id: "AROAEXAMPLE:s".into(),
            packed_policy_size: None,
        })
    }
    async fn federation_token(&self, request: &FederationRequest) -> Result<Session, AwsError> {
        let n = self.calls.fetch_add(1, Ordering::SeqCst);
        let seconds = i64::from(request.duration.as_seconds());
        Ok(Session {
            credentials: Credentials {
                access_key_id: format!("ASIA{n:016}"),
                secret_access_key: "secret".into(),
                session_token: "token".into(),
            },
            expiration: Timestamp::from_second(now().as_second() + seconds).unwrap(),
            arn: request.user.to_string(),
            unique_id: "123456789012:Manager".into(),
            packed_policy_size: None,
        })
    }
    async fn caller_identity(&self) -> Result<CallerIdentity, AwsError> {
        Err(AwsError::new(
            "sts:GetCallerIdentity",
            ErrorClass::Other,
            "not asked for here",
        ))
    }
}

thread_local! {
    static NOW: AtomicI64 = const { AtomicI64::new(1_000_000) };
}
fn now() -> Timestamp {
    Timestamp::from_second(NOW.with(|n| n.load(Ordering::SeqCst))).unwrap()
}
/// Both clocks go on.
async fn pass(seconds: u64) {
    NOW.with(|n| n.fetch_add(i64::try_from(seconds).unwrap(), Ordering::SeqCst));
    tokio::time::advance(Duration::from_secs(seconds)).await;
}
/// Somebody sets the clock of this machine.
fn set_clock(seconds: i64) {
    NOW.with(|n| n.fetch_add(seconds, Ordering::SeqCst));
}

fn object(name: &str) -> ObjectId {
    ObjectId {
        namespace: deputy_delegation::NamespaceName::new("payments").unwrap(),
        name: deputy_delegation::ObjectName::new(name).unwrap(),
    }
}

fn key(session: &str) -> SessionKey {
    SessionKey::Role(Box::new(RoleSessionKey {
        request: SessionRequest {
            role: RoleArn::parse("arn:aws:iam::123456789012:role/deputy/demo/r").unwrap(),
            session_name: SessionName::new(session).unwrap(),
            external_id: ExternalId::new("demo/payments/AWSRole/uploader").unwrap(),
            source_identity: None,
            duration: SessionDuration::HOUR,
            tags: BTreeMap::new(),
            policy: None,
            policy_arns: Default::default(),
        },
        role: object("uploader").into(),
        binding: object("uploader"),
        role_uid: "u".into(),
        role_id: "AROA1".into(),
        binding_uid: "b".into(),
        person: None,
        cut_before: None,
    }))
}

fn federated_key(duration: &str) -> SessionKey {
    SessionKey::FederatedUser(Box::new(FederatedSessionKey {
        request: FederationRequest {
            user: "arn:aws:sts::123456789012:federated-user/Manager"
                .parse()
                .unwrap(),
            duration: FederatedDuration::parse(duration).unwrap(),
            tags: BTreeMap::new(),
            policy: None,
        },
        service_account: ServiceAccountName::new("reports").unwrap(),
        binding: object("manager"),
        binding_uid: "m".into(),
    }))
}

fn with(sts: &Arc<dyn Sts>) -> Renewable {
    Renewable::With(sts.clone())
}

fn issuer() -> (Issuer, Arc<AtomicUsize>) {
    let audited = Arc::new(AtomicUsize::new(0));
    let count = audited.clone();
    let on_issued = Arc::new(move |_: &SessionKey, _: &Issued| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    (
        Issuer::with_clock(IssuerOptions::default(), on_issued, now),
        audited,
    )
}

fn id(issued: &Issued) -> String {
    issued.session.credentials.access_key_id.clone()
}

/// Lets every task that can run do so.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_share_one_call_and_one_audit_record() {
    let fake = Arc::new(FakeSts {
        hold: Some(Notify::new()),
        ..FakeSts::default()
    });
    let sts: Arc<dyn Sts> = fake.clone();
    let (issuer, audited) = issuer();
    let callers: Vec<_> = (0..1000)
        .map(|_| {
            let (issuer, sts) = (issuer.clone(), sts.clone());
            tokio::spawn(async move {
                issuer
                    .session(&key("s1"), Renewal::Shared, &sts)
                    .await
                    .map(|i| id(&i))
                    .ok()
            })
        })
        .collect();
    settle().await;
    fake.hold.as_ref().unwrap().notify_one();
    for caller in callers {
        assert_eq!(caller.await.unwrap().as_deref(), Some("ASIA0000000000000000"));
    }
    assert_eq!(fake.calls.load(Ordering::SeqCst), 1);
    assert_eq!(audited.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_leaves_the_call_to_the_others() {
    let fake = Arc::new(FakeSts {
        hold: Some(Notify::new()),
        ..FakeSts::default()
    });
    let sts: Arc<dyn Sts> = fake.clone();
    let (issuer, _) = issuer();
    let first = tokio::spawn({
        let (issuer, sts) = (issuer.clone(), sts.clone());
        async move { issuer.session(&key("s1"), Renewal::Shared, &sts).await.is_ok() }
    });
    settle().await;
    first.abort();
    let second = tokio::spawn({
        let (issuer, sts) = (issuer.clone(), sts.clone());
        async move { issuer.session(&key("s1"), Renewal::Shared, &sts).await.is_ok() }
    });
    settle().await;
    fake.hold.as_ref().unwrap().notify_one();
    assert!(second.await.unwrap());
    assert_eq!(fake.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_is_answered_in_time_and_its_session_given_to_the_next() {
    let fake = Arc::new(FakeSts {
        hold: Some(Notify::new()),
        ..FakeSts::default()
    });
    let sts: Arc<dyn Sts> = fake.clone();
    let (issuer, _) = issuer();
    assert!(matches!(
        issuer.session(&key("s1"), Renewal::Shared, &sts).await,
        Err(IssueError::Slow)
    ));
    fake.hold.as_ref().unwrap().notify_one();
    assert!(issuer.session(&key("s1"), Renewal::Shared, &sts).await.is_ok());
    assert_eq!(fake.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn every_parameter_is_part_of_the_key() {
    let fake = Arc::new(FakeSts::default());
    let sts: Arc<dyn Sts> = fake.clone();
    let (issuer, _) = issuer();
    let SessionKey::Role(base) = key("s1") else {
        panic!("it is of a role")
    };
    let mut others = vec![key("s1"), key("s2"), federated_key("1h"), federated_key("2h")];
    let changes: [fn(&mut RoleSessionKey); 5] = [
        |k| k.request.policy = Some("{}".into()),
        |k| k.request.role = RoleArn::parse("arn:aws:iam::999999999999:role/deputy/demo/r").unwrap(),
        |k| k.role_uid = "v".into(),
        |k| k.role_id = "AROA2".into(),
        |k| k.binding_uid = "c".into(),
    ];
    for change in changes {
        let mut k = base.clone();
        change(&mut k);
        others.push(SessionKey::Role(k));
    }
    for k in &others {
        assert!(issuer.session(k, Renewal::Shared, &sts).await.is_ok());
    }
    assert_eq!(fake.calls.load(Ordering::SeqCst), others.len());
}

#[tokio::test(start_paused = true)]
async fn a_shared_session_is_renewed_at_a_sixth_a_single_one_at_half() {
    for (renewal, early, late) in [(Renewal::Shared, 599, 1), (Renewal::Single, 1799, 1)] {
        let fake = Arc::new(FakeSts::default());
        let sts: Arc<dyn Sts> = fake.clone();
        let (issuer, _) = issuer();
        assert!(issuer.session(&key("s1"), renewal, &sts).await.is_ok());
        pass(early).await;
        assert!(issuer.session(&key("s1"), renewal, &sts).await.is_ok());
        settle().await;
        assert_eq!(fake.calls.load(Ordering::SeqCst), 1, "{renewal:?}");
        pass(late).await;
        // Due now: this caller still gets the kept one, at once.
        assert_eq!(
            issuer
                .session(&key("s1"), renewal, &sts)
                .await
                .map(|i| id(&i))
                .ok()
                .unwrap(),
            "ASIA0000000000000000"
        );
        settle().await;
        assert_eq!(
            issuer
                .session(&key("s1"), renewal, &sts)
                .await
                .map(|i| id(&i))
                .ok()
                .unwrap(),
            "ASIA0000000000000001"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_minutes_without_sts_are_not_noticed() {
    let fake = Arc::new(FakeSts::default());
    let sts: Arc<dyn Sts> = fake.clone();
    let (issuer, _) = issuer();
    assert!(issuer.session(&key("s1"), Renewal::Shared, &sts).await.is_ok());
    fake.broken.store(true, Ordering::SeqCst);
    pass(50 * 60).await;
    issuer.renew_due(|_| with(&sts));
    settle().await;
    assert!(issuer.session(&key("s1"), Renewal::Shared, &sts).await.is_ok());
    settle().await;
    // The last minute of its life is not given away.
    pass(9 * 60).await;
    assert!(matches!(
        issuer.session(&key("s1"), Renewal::Shared, &sts).await,
        Err(IssueError::Aws(_))
    ));
    fake.broken.store(false, Ordering::SeqCst);
    pass(60).await;
    assert!(issuer.session(&key("s1"), Renewal::Shared, &sts).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_persons_session_is_given_for_half_its_life_and_never_renewed_unasked() {
    let fake = Arc::new(FakeSts::default());
    let sts: Arc<dyn Sts> = fake.clone();
    let (issuer, _) = issuer();
    let of_person = async || {
        issuer
            .session(&key("alice"), Renewal::OnRequest, &sts)
            .await
            .unwrap()
    };
    let first = of_person().await;
    pass(29 * 60).await;
    assert!(Arc::ptr_eq(&of_person().await, &first));
    pass(2 * 60).await;
    // Whoever is not in the group any more is not in it for a renewal either.
    issuer.renew_due(|_| panic!("it is nobody's to renew"));
    assert_eq!(fake.calls.load(Ordering::SeqCst), 1);
    assert!(!Arc::ptr_eq(&of_person().await, &first));
    assert_eq!(fake.calls.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn people_take_their_share_of_calls_and_of_memory_and_no_more() {
    let fake = Arc::new(FakeSts {
        hold: Some(Notify::new()),
        ..FakeSts::default()
    });
    let sts: Arc<dyn Sts> = fake.clone();
    let options = IssuerOptions {
        concurrent_people: 2,
        capacity: 12,
        ..IssuerOptions::default()
    };
    let issuer = Issuer::with_clock(options, Arc::new(|_: &SessionKey, _: &Issued| {}), now);
    let ask = |name: String, renewal| {
        let (issuer, sts) = (issuer.clone(), sts.clone());
        tokio::spawn(async move { issuer.session(&key(&name), renewal, &sts).await.is_ok() })
    };
    let people: Vec<_> = (0..8)
        .map(|n| ask(format!("alice{n}"), Renewal::OnRequest))
        .collect();
    settle().await;
    assert_eq!(fake.calls.load(Ordering::SeqCst), 2);
    let pod = ask("pod".into(), Renewal::Shared);
    settle().await;
    assert_eq!(
        fake.calls.load(Ordering::SeqCst),
        3,
        "a pod does not wait for people"
    );
    for _ in 0..9 {
        fake.hold.as_ref().unwrap().notify_waiters();
        settle().await;
    }
    for asked in people.into_iter().chain([pod]) {
        assert!(asked.await.unwrap());
    }
    assert_eq!(issuer.count(), 4, "a quarter of twelve, and the pod's");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_failed_is_not_repeated_at_every_call() {
    let fake = Arc::new(FakeSts::default());
    let sts: Arc<dyn Sts> = fake.clone();
    let (issuer, audited) = issuer();
    fake.broken.store(true, Ordering::SeqCst);
    let mut calls = Vec::new();
    for _ in 0..40 {
        // A pod that asks four times a second, for ten seconds.
        assert!(matches!(
            issuer.session(&key("s1"), Renewal::Shared, &sts).await,
            Err(IssueError::Aws(_))
        ));
        calls.push(fake.calls.load(Ordering::SeqCst));
        tokio::time::advance(Duration::from_millis(250)).await;
    }
    assert_eq!(calls.first(), Some(&1));
    assert_eq!(calls.last(), Some(&5), "after 0, 0.5, 1.5, 3.5 and 7.5 s");
    // Another request has nothing to do with it.
    fake.broken.store(false, Ordering::SeqCst);
    assert!(issuer.session(&key("s2"), Renewal::Shared, &sts).await.is_ok());
    pass(5).await;
    assert!(issuer.session(&key("s1"), Renewal::Shared, &sts).await.is_ok());
    assert_eq!(audited.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_is_tried_less_and_less_often() {
    let fake = Arc::new(FakeSts::default());
    let sts: Arc<dyn Sts> = fake.clone();
    let (issuer, _) = issuer();
    assert!(issuer.session(&key("s1"), Renewal::Shared, &sts).await.is_ok());
    fake.broken.store(true, Ordering::SeqCst);
    pass(600).await;
    for _ in 0..600 {
        assert!(issuer.session(&key("s1"), Renewal::Shared, &sts).await.is_ok());
        settle().await;
        pass(1).await;
    }
    let calls = fake.calls.load(Ordering::SeqCst);
    assert!((10..=25).contains(&calls), "{calls} calls in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_makes_no_session_live_longer() {
    let fake = Arc::new(FakeSts::default());
    let sts: Arc<dyn Sts> = fake.clone();
    let (issuer, _) = issuer();
    let first = issuer
        .session(&key("s1"), Renewal::Shared, &sts)
        .await
        .ok()
        .unwrap();
    pass(3000).await;
    set_clock(-3000);
    assert!(issuer.cached_session(&key("s1"), || Some(sts.clone())).is_some());
    pass(541).await;
    let second = issuer
        .session(&key("s1"), Renewal::Shared, &sts)
        .await
        .ok()
        .unwrap();
    assert_ne!(id(&first), id(&second));
}

#[tokio::test(start_paused = true)]
async fn only_what_is_asked_for_is_renewed_by_the_ticker() {
    let fake = Arc::new(FakeSts::default());
    let sts: Arc<dyn Sts> = fake.clone();
    let (issuer, _) = issuer();
    assert!(issuer.session(&key("used"), Renewal::Shared, &sts).await.is_ok());
    assert!(
        issuer
            .session(&key("unused"), Renewal::Shared, &sts)
            .await
            .is_ok()
    );
    pass(10).await;
    assert!(issuer.session(&key("used"), Renewal::Shared, &sts).await.is_ok());
    pass(600).await;
    issuer.renew_due(|_| with(&sts));
    settle().await;
    assert_eq!(fake.calls.load(Ordering::SeqCst), 3);
    pass(3000).await;
    issuer.renew_due(|_| with(&sts));
    assert_eq!(issuer.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_granted_no_more_is_not_renewed_and_forgotten() {
    let fake = Arc::new(FakeSts::default());
    let sts: Arc<dyn Sts> = fake.clone();
    let (issuer, _) = issuer();
    for name in ["granted", "ended"] {
        assert!(issuer.session(&key(name), Renewal::Shared, &sts).await.is_ok());
    }
    pass(10).await;
    for name in ["granted", "ended"] {
        assert!(issuer.session(&key(name), Renewal::Shared, &sts).await.is_ok());
    }
    pass(600).await;
    let granted = key("granted");
    issuer.renew_due(|key| {
        if *key == granted {
            with(&sts)
        } else {
            Renewable::No
        }
    });
    settle().await;
    // Two sessions, and one of them anew.
    assert_eq!(fake.calls.load(Ordering::SeqCst), 3);
    assert_eq!(issuer.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_is_no_answer_and_the_next_request_begins_anew() {
    let issuer = Issuer::with_clock(IssuerOptions::default(), Arc::new(|_, _| {}), now);
    let fake = Arc::new(FakeSts::default());
    let sts: Arc<dyn Sts> = fake.clone();
    fake.panics.store(true, Ordering::SeqCst);
    let outcome = issuer.session(&key("aa"), Renewal::Shared, &sts).await;
    assert!(matches!(outcome, Err(IssueError::Slow)));
    assert!(issuer.state.lock().in_flight.is_empty());
    fake.panics.store(false, Ordering::SeqCst);
    assert!(issuer.session(&key("aa"), Renewal::Shared, &sts).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_session_of_a_federated_user_is_renewed_with_the_keys_of_today() {
    let (old, new) = (Arc::new(FakeSts::default()), Arc::new(FakeSts::default()));
    let (sts_of_old, sts_of_new): (Arc<dyn Sts>, Arc<dyn Sts>) = (old.clone(), new.clone());
    let (issuer, audited) = issuer();
    let key = federated_key("36h");
    for _ in 0..100 {
        let session = issuer.session(&key, Renewal::Shared, &sts_of_old).await;
        assert_eq!(
            session.ok().unwrap().session.arn,
            "arn:aws:sts::123456789012:federated-user/Manager"
        );
    }
    pass(6 * 3600 + 1).await;
    assert!(
        issuer.cached_session(&key, || None).is_some(),
        "there are no keys now"
    );
    // Nothing to renew with: what is kept stays.
    issuer.renew_due(|_| Renewable::NotNow);
    assert_eq!(issuer.count(), 1);
    issuer.renew_due(|_| with(&sts_of_new));
    settle().await;
    assert_eq!(old.calls.load(Ordering::SeqCst), 1);
    assert_eq!(new.calls.load(Ordering::SeqCst), 1);
    assert_eq!(audited.load(Ordering::SeqCst), 2);
}
