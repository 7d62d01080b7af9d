//! One endpoint, one namespace or people who want much leave the others what they need.

use deputy_delegation::{AccountId, model::Account};

use super::*;
use crate::{fixtures, issuer::gate::NotSent};

fn account(id: &str) -> Account {
    let mut account = fixtures::account();
    account.id = AccountId::new(id).unwrap();
    account
}

fn source_in(account: &Account, sts: &Arc<FakeSts>) -> StsSource {
    let sts: Arc<dyn Sts> = sts.clone();
    let route = StsRoute::of_issuer(account);
    StsSource {
        sts,
        route,
        limits: Arc::default(),
        place: Default::default(),
    }
}

fn hung() -> Arc<FakeSts> {
    Arc::new(FakeSts {
        hold: Some(Notify::new()),
        ..FakeSts::default()
    })
}

/// An issuer whose budget of calls nobody uses up.
fn unhurried() -> Issuer {
    let mut options = IssuerOptions::default();
    options.gate.budget.burst = 5000.0;
    let on_issued = |_: &SessionKey, _: &Issued, _: &[ObjectName]| {};
    Issuer::with_clock(options, Arc::new(on_issued), now)
}

/// Asks in a task of its own.
fn ask(
    issuer: &Issuer,
    key: SessionKey,
    renewal: Renewal,
    sts: &StsSource,
) -> tokio::task::JoinHandle<Result<Arc<Issued>, IssueError>> {
    let (issuer, sts) = (issuer.clone(), sts.clone());
    tokio::spawn(async move { issuer.session(&key, renewal, &sts).await })
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_hangs_slows_no_other_account() {
    let (hangs, works) = (hung(), Arc::new(FakeSts::default()));
    let (issuer, _) = issuer();
    let of_hung = source_in(&account("111111111111"), &hangs);
    let waiting: Vec<_> = (0..250)
        .map(|n| ask(&issuer, key(&format!("hung{n}")), Renewal::Shared, &of_hung))
        .collect();
    settle().await;
    let under_way = hangs.calls.load(Ordering::SeqCst);
    assert_eq!(
        under_way,
        GateOptions::default().calls_of_endpoint,
        "the rest wait"
    );
    let began = Instant::now();
    let of_healthy = source_in(&account("222222222222"), &works);
    let first = issuer
        .session(&key("healthy"), Renewal::Shared, &of_healthy)
        .await;
    assert!(first.is_ok());
    assert_eq!(began.elapsed(), Duration::ZERO);
    for caller in waiting {
        assert!(matches!(caller.await.unwrap(), Err(IssueError::Slow)));
    }
}

#[tokio::test(start_paused = true)]
async fn however_many_endpoints_hang_one_more_is_served() {
    let (hangs, works) = (hung(), Arc::new(FakeSts::default()));
    let issuer = unhurried();
    for n in 0..40 {
        let of_hung = source_in(&account(&format!("1111111111{n:02}")), &hangs);
        for m in 0..100 {
            drop(ask(
                &issuer,
                key(&format!("hung{n}-{m}")),
                Renewal::Shared,
                &of_hung,
            ));
        }
        settle().await;
    }
    let under_way = issuer.gate().figures().under_way;
    assert!((200..=420).contains(&under_way), "{under_way}");
    let of_healthy = source_in(&account("222222222222"), &works);
    let first = issuer
        .session(&key("healthy"), Renewal::Shared, &of_healthy)
        .await;
    assert!(first.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_fails_is_left_alone_and_whoever_asks_hears_so_at_once() {
    let fake = Arc::new(FakeSts::default());
    let (issuer, _) = issuer();
    let sts = source_in(&account("111111111111"), &fake);
    assert!(issuer.session(&key("kept"), Renewal::Shared, &sts).await.is_ok());
    fake.broken.store(true, Ordering::SeqCst);
    for n in 0..5 {
        let answer = issuer
            .session(&key(&format!("s{n}")), Renewal::Shared, &sts)
            .await;
        assert!(matches!(answer, Err(IssueError::Aws(_))));
    }
    let calls = fake.calls.load(Ordering::SeqCst);
    let answer = issuer.session(&key("next"), Renewal::Shared, &sts).await;
    let Err(IssueError::NotSent(error)) = answer else {
        panic!("it was asked")
    };
    let said = error.to_string();
    for word in [
        "STS of region ap-northeast-1 (for account 111111111111)",
        "out of order",
        "after 1 s",
    ] {
        assert!(said.contains(word), "{said}");
    }
    assert_eq!(error.code(), "Unavailable");
    assert_eq!(issuer.gate().figures().open, 1);
    // A renewal waits, and what is kept is given.
    pass(600).await;
    fake.broken.store(false, Ordering::SeqCst);
    // The pause is over: one call tries, and all is well.
    assert!(issuer.session(&key("kept"), Renewal::Shared, &sts).await.is_ok());
    settle().await;
    assert_eq!(fake.calls.load(Ordering::SeqCst), calls + 1);
    assert_eq!(issuer.gate().figures().open, 0);
    assert!(issuer.session(&key("next"), Renewal::Shared, &sts).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn one_call_tries_an_endpoint_that_was_left_alone_and_the_rest_do_not_wait() {
    let fake = hung();
    let (issuer, _) = issuer();
    let sts = source_in(&account("111111111111"), &fake);
    fake.broken.store(true, Ordering::SeqCst);
    let waiting: Vec<_> = (0..100)
        .map(|n| ask(&issuer, key(&format!("s{n}")), Renewal::Shared, &sts))
        .collect();
    settle().await;
    for _ in 0..5 {
        fake.hold.as_ref().unwrap().notify_one();
    }
    settle().await;
    // Those that waited for their turn hear that it is left alone, not that it is slow.
    let answers = futures::future::join_all(waiting).await;
    let heard = answers
        .iter()
        .filter(|answer| matches!(answer, Ok(Err(IssueError::NotSent(NotSent::CircuitOpen(_))))))
        .count();
    assert!(heard >= 30, "{heard}");
    pass(2).await;
    let calls = fake.calls.load(Ordering::SeqCst);
    let probe = ask(&issuer, key("probe"), Renewal::Shared, &sts);
    settle().await;
    let other = issuer.session(&key("other"), Renewal::Shared, &sts).await;
    assert!(matches!(other, Err(IssueError::NotSent(NotSent::CircuitOpen(_)))));
    assert_eq!(fake.calls.load(Ordering::SeqCst), calls + 1);
    drop(probe);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_wants_much_is_not_served_before_one_that_wants_little() {
    let fake = hung();
    let issuer = unhurried();
    let sts = source_in(&account("111111111111"), &fake);
    let in_namespace = |name: &str, n: usize| {
        let SessionKey::Role(mut key) = key(&format!("s{n}")) else {
            panic!("it is of a role")
        };
        key.binding.namespace = deputy_delegation::NamespaceName::new(name).unwrap();
        SessionKey::Role(key)
    };
    for n in 0..500 {
        drop(ask(&issuer, in_namespace("greedy", n), Renewal::Shared, &sts));
    }
    settle().await;
    let modest = ask(&issuer, in_namespace("modest", 0), Renewal::Shared, &sts);
    settle().await;
    // The second of those under way that ends makes room for the modest one.
    for _ in 0..2 {
        fake.hold.as_ref().unwrap().notify_one();
        settle().await;
    }
    fake.hold.as_ref().unwrap().notify_waiters();
    settle().await;
    assert!(modest.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn people_take_their_share_of_calls_and_no_more() {
    let fake = hung();
    let mut options = IssuerOptions::default();
    options.gate.people = 2;
    let issuer = Issuer::with_clock(
        options,
        Arc::new(|_: &SessionKey, _: &Issued, _: &[ObjectName]| {}),
        now,
    );
    let sts = source(&fake);
    let people: Vec<_> = (0..8)
        .map(|n| ask(&issuer, key(&format!("alice{n}")), Renewal::OnRequest, &sts))
        .collect();
    settle().await;
    assert_eq!(fake.calls.load(Ordering::SeqCst), 2);
    let pod = ask(&issuer, key("pod"), Renewal::Shared, &sts);
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
        assert!(asked.await.unwrap().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn first_sessions_are_made_before_renewals() {
    let fake = Arc::new(FakeSts::default());
    let mut options = IssuerOptions::default();
    // One call a second, whatever AWS says.
    options.gate.budget = deputy_aws::BudgetSettings {
        burst: 40.0,
        initial_rate: 1.0,
        min_rate: 1.0,
        max_rate: 1.0,
        growth: 0.0,
        recovery: 0.0,
    };
    let issuer = Issuer::with_clock(
        options,
        Arc::new(|_: &SessionKey, _: &Issued, _: &[ObjectName]| {}),
        now,
    );
    let sts = source(&fake);
    for n in 0..40 {
        assert!(
            issuer
                .session(&key(&format!("s{n}")), Renewal::Shared, &sts)
                .await
                .is_ok()
        );
    }
    pass(600).await;
    let calls = fake.calls.load(Ordering::SeqCst);
    // The bucket is full again; these empty it.
    for n in 0..40 {
        assert!(
            issuer
                .session(&key(&format!("t{n}")), Renewal::Shared, &sts)
                .await
                .is_ok()
        );
    }
    issuer.renew_due(|_| with(&sts));
    settle().await;
    let began = Instant::now();
    let first = ask(&issuer, key("first"), Renewal::Shared, &sts);
    settle().await;
    tokio::time::sleep(Duration::from_millis(1001)).await;
    settle().await;
    assert!(issuer.cached(&key("first")).is_some(), "{:?}", began.elapsed());
    assert_eq!(
        fake.calls.load(Ordering::SeqCst),
        calls + 41,
        "no renewal was before it"
    );
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn the_session_of_a_pod_goes_with_it_also_one_that_is_being_made() {
    let fake = hung();
    let (issuer, _) = issuer();
    let sts = source(&fake);
    let of_pod = |name: &str, uid: &str| {
        let SessionKey::Role(mut key) = key(name) else {
            panic!("it is of a role")
        };
        let tag = |text: &str| deputy_delegation::TagValue::new(text).unwrap();
        let pod = deputy_delegation::TagKey::new("deputy-pod-uid").unwrap();
        key.request.tags.insert(pod, tag(uid));
        SessionKey::Role(key)
    };
    let finish = async || {
        settle().await;
        fake.hold.as_ref().unwrap().notify_waiters();
        settle().await;
    };
    let ended = Uid::new("ended").unwrap();
    for (name, uid) in [("s1", "ended"), ("s2", "lives")] {
        drop(ask(&issuer, of_pod(name, uid), Renewal::Single, &sts));
    }
    finish().await;
    assert_eq!(issuer.kept().sessions, 2);
    let being_made = ask(&issuer, of_pod("s3", "ended"), Renewal::Single, &sts);
    settle().await;
    issuer.pod_ended(&ended);
    finish().await;
    assert!(being_made.await.unwrap().is_ok(), "who asked before is answered");
    assert_eq!(issuer.kept().sessions, 1);
    assert!(issuer.cached(&of_pod("s2", "lives")).is_some());
}
