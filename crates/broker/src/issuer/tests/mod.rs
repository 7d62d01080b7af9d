mod endpoints;
mod renewal;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicI64, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use deputy_aws::{AwsError, CallerIdentity, Credentials, ErrorClass, Session, Sts};
use deputy_delegation::{
    ExternalId, FederatedDuration, RoleArn, ServiceAccountName, SessionDuration, SessionName,
    federation::FederationRequest, model::ObjectId, session::SessionRequest,
};
use tokio::{sync::Notify, time::Instant};

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

fn with(source: &StsSource) -> Renewable {
    Renewable::With(source.clone())
}

/// STS of the account of the fixtures.
fn source(sts: &Arc<FakeSts>) -> StsSource {
    let sts: Arc<dyn Sts> = sts.clone();
    let route = StsRoute::of_issuer(&crate::fixtures::account());
    StsSource {
        sts,
        route,
        limits: Arc::default(),
        place: Default::default(),
    }
}

fn issuer() -> (Issuer, Arc<AtomicUsize>) {
    let audited = Arc::new(AtomicUsize::new(0));
    let count = audited.clone();
    let on_issued = Arc::new(move |_: &SessionKey, _: &Issued, _: &[ObjectName]| {
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
    let sts = source(&fake);
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
    let sts = source(&fake);
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
    let sts = source(&fake);
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
    let sts = source(&fake);
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
async fn a_request_that_failed_is_not_repeated_at_every_call() {
    let fake = Arc::new(FakeSts::default());
    let sts = source(&fake);
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
async fn a_clock_that_is_set_back_makes_no_session_live_longer() {
    let fake = Arc::new(FakeSts::default());
    let sts = source(&fake);
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
async fn a_call_that_panics_is_no_answer_and_the_next_request_begins_anew() {
    let issuer = Issuer::with_clock(IssuerOptions::default(), Arc::new(|_, _, _| {}), now);
    let fake = Arc::new(FakeSts::default());
    let sts = source(&fake);
    fake.panics.store(true, Ordering::SeqCst);
    let outcome = issuer.session(&key("aa"), Renewal::Shared, &sts).await;
    assert!(matches!(outcome, Err(IssueError::Slow)));
    assert!(issuer.shards.of(&key("aa")).under_way.is_empty());
    fake.panics.store(false, Ordering::SeqCst);
    assert!(issuer.session(&key("aa"), Renewal::Shared, &sts).await.is_ok());
}
