//! When sessions are renewed, and with what.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_due_is_given_at_once_and_renewed_for_the_next_who_asks() {
    // Between 10 and 16.7 per cent of an hour, and between 13 and 23.
    for (renewal, early, late) in [(Renewal::Shared, 359, 241), (Renewal::Single, 467, 361)] {
        let fake = Arc::new(FakeSts::default());
        let sts = source(&fake);
        let (issuer, _) = issuer();
        let given = async || id(&issuer.session(&key("s1"), renewal, &sts).await.ok().unwrap());
        given().await;
        pass(early).await;
        given().await;
        settle().await;
        assert_eq!(fake.calls.load(Ordering::SeqCst), 1, "{renewal:?}");
        pass(late).await;
        // Due now: this caller still gets the kept one, at once.
        assert_eq!(given().await, "ASIA0000000000000000");
        settle().await;
        assert_eq!(given().await, "ASIA0000000000000001");
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_minutes_without_sts_are_not_noticed() {
    let fake = Arc::new(FakeSts::default());
    let sts = source(&fake);
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
    let sts = source(&fake);
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
async fn a_renewal_that_fails_is_tried_less_and_less_often() {
    let fake = Arc::new(FakeSts::default());
    let sts = source(&fake);
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
async fn only_what_is_asked_for_is_renewed_by_the_ticker() {
    let fake = Arc::new(FakeSts::default());
    let sts = source(&fake);
    let (issuer, _) = issuer();
    let ask = async |name| assert!(issuer.session(&key(name), Renewal::Shared, &sts).await.is_ok());
    let tick = async || {
        issuer.renew_due(|_| with(&sts));
        settle().await;
    };
    ask("used").await;
    ask("unused").await;
    pass(600).await;
    tick().await;
    assert_eq!(fake.calls.load(Ordering::SeqCst), 4, "both were asked for once");
    ask("used").await;
    pass(600).await;
    tick().await;
    assert_eq!(
        fake.calls.load(Ordering::SeqCst),
        5,
        "nobody asked for the new one"
    );
    pass(3000).await;
    tick().await;
    assert_eq!(issuer.kept().sessions, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_granted_no_more_is_not_renewed_and_forgotten() {
    let fake = Arc::new(FakeSts::default());
    let sts = source(&fake);
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
    assert_eq!(issuer.kept().sessions, 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_of_a_federated_user_is_renewed_with_the_keys_of_today() {
    let (old, new) = (Arc::new(FakeSts::default()), Arc::new(FakeSts::default()));
    let (sts_of_old, sts_of_new) = (source(&old), source(&new));
    let (issuer, audited) = issuer();
    let key = federated_key("36h");
    for _ in 0..100 {
        let session = issuer.session(&key, Renewal::Shared, &sts_of_old).await;
        assert_eq!(
            session.ok().unwrap().session.arn,
            "arn:aws:sts::123456789012:federated-user/Manager"
        );
    }
    pass(6 * 3600).await;
    assert!(
        issuer.cached_session(&key, || None).is_some(),
        "there are no keys now"
    );
    // Nothing to renew with: what is kept stays.
    issuer.renew_due(|_| Renewable::NotNow);
    assert_eq!(issuer.kept().sessions, 1);
    pass(30).await;
    issuer.renew_due(|_| with(&sts_of_new));
    settle().await;
    assert_eq!(old.calls.load(Ordering::SeqCst), 1);
    assert_eq!(new.calls.load(Ordering::SeqCst), 1);
    assert_eq!(audited.load(Ordering::SeqCst), 2);
}
