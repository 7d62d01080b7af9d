//! What the agent does by itself, without an application that asks.

use super::*;

/// `fixture` with its refresh running.
fn running(fixture: Fixture) -> Fixture {
    tokio::spawn(Arc::clone(&fixture.keeper).refresh());
    fixture
}

fn named(name: &str) -> SelectedBinding {
    SelectedBinding::parse(name).unwrap()
}

fn next_in(answer: Result<Fetched, FetchError>, seconds: u64) -> Result<Fetched, FetchError> {
    let after = Some(Duration::from_secs(seconds));
    answer.map(|fetched| match fetched {
        Fetched::Credential { body, etag, .. } => Fetched::Credential {
            body,
            etag,
            refresh_after: after,
        },
        Fetched::NotModified { .. } => Fetched::NotModified { refresh_after: after },
    })
}

#[tokio::test(start_paused = true)]
async fn the_broker_is_asked_again_when_it_said_that_it_has_more() {
    let first = next_in(credential("K1"), 600);
    let f = running(Fixture::new().then(0, first).then(0, credential("K2")));
    assert_eq!(f.get().await, "K1");
    pass(599).await;
    assert_eq!(f.calls(), 1);
    // Up to a twentieth of the hour later.
    pass(182).await;
    assert_eq!(f.calls(), 2);
    assert_eq!(f.keeper.held(&SelectedBinding::Default).as_deref(), Some("K2"));
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_says_nothing_is_asked_after_a_sixth_of_the_life() {
    let f = running(Fixture::new().then(0, credential("K1")).then(0, not_modified()));
    assert_eq!(f.get().await, "K1");
    pass(449).await;
    assert_eq!(f.calls(), 1);
    pass(152).await;
    assert_eq!(f.calls(), 2);
    assert_eq!(f.etags()[1].as_deref(), Some("\"K1\""));
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_never_has_a_newer_session_is_asked_while_a_quarter_is_left() {
    let f = running(
        Fixture::new()
            .then(0, next_in(credential("K1"), 43_200))
            .then(0, credential("K2")),
    );
    assert_eq!(f.get().await, "K1");
    pass(2_701).await;
    assert_eq!(f.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_application_and_the_refresh_share_one_call() {
    let f = Fixture::new()
        .then(0, next_in(credential("K1"), 600))
        .then(30_000, credential("K2"));
    let f = running(f);
    assert_eq!(f.get().await, "K1");
    while f.calls() < 2 {
        pass(1).await;
    }
    for _ in 0..5 {
        assert_eq!(f.get().await, "K1");
    }
    assert_eq!(f.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_broker_is_asked_again_within_a_minute_for_ever() {
    let f = Fixture::with(&[SelectedBinding::Default]).then(0, lives_until("K1", "2026-09-30T11:10:00Z"));
    for _ in 0..100 {
        f.expect(0, unavailable());
    }
    let f = running(f);
    assert_eq!(f.get().await, "K1");
    let mut before = f.calls();
    pass(110).await;
    for _ in 0..20 {
        pass(61).await;
        assert!(f.calls() > before, "{before}");
        before = f.calls();
    }
    assert!(before < 60, "{before}");
    // It is back as soon as the broker is.
    f.keeper.source.steps.lock().unwrap().clear();
    f.expect(0, lives_until("K2", "2026-09-30T13:00:00Z"));
    pass(61).await;
    assert_eq!(f.get().await, "K2");
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_only_what_is_configured_is_asked_for_again() {
    for configured in [true, false] {
        let bindings: &[SelectedBinding] = if configured {
            &[SelectedBinding::Default]
        } else {
            &[]
        };
        let f = Fixture::with(bindings).then(0, next_in(credential("K1"), 600));
        for _ in 0..100 {
            f.expect(0, refused(403));
        }
        let f = running(f);
        assert_eq!(f.get().await, "K1");
        pass(800).await;
        assert!(f.calls() >= 2);
        assert_eq!(f.keeper.held(&SelectedBinding::Default), None);
        pass(1_800).await;
        let calls = f.calls();
        if configured {
            pass(301).await;
            assert!(f.calls() > calls && f.calls() < 25, "{}", f.calls());
            f.keeper.source.steps.lock().unwrap().clear();
            f.expect(0, lives_until("K2", "2026-09-30T13:00:00Z"));
            pass(301).await;
            assert_eq!(f.keeper.held(&SelectedBinding::Default).as_deref(), Some("K2"));
        } else {
            assert_eq!(calls, 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_nobody_asked_for_during_a_session_is_let_go() {
    let model = outage::Model::new(Duration::ZERO, true, None);
    let keeper = model.keeper(&[SelectedBinding::Default]);
    tokio::spawn(Arc::clone(&keeper).refresh());
    keeper.get(&SelectedBinding::Default).await.ok().unwrap();
    keeper.get(&named("once")).await.ok().unwrap();
    keeper.get(&named("always")).await.ok().unwrap();
    for _ in 0..60 {
        pass(90).await;
        keeper.get(&named("always")).await.ok().unwrap();
    }
    assert_eq!(keeper.held(&named("once")), None);
    assert!(keeper.held(&named("always")).is_some());
    assert!(keeper.held(&SelectedBinding::Default).is_some());
    assert_eq!(keeper.lock().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_made_room_is_not_asked_for_again_and_what_is_configured_stays() {
    let model = outage::Model::new(Duration::ZERO, true, None);
    let calls = Arc::clone(&model.calls);
    let keeper = model.keeper(&[SelectedBinding::Default]);
    tokio::spawn(Arc::clone(&keeper).refresh());
    keeper.get(&SelectedBinding::Default).await.ok().unwrap();
    for n in 0..MAX_BINDINGS * 2 {
        pass(1).await;
        keeper.get(&named(&format!("b{n}"))).await.ok().unwrap();
    }
    assert_eq!(keeper.lock().len(), MAX_BINDINGS);
    assert!(keeper.held(&SelectedBinding::Default).is_some());
    let before = calls.lock().unwrap().len();
    pass(780).await;
    let asked = calls.lock().unwrap().len() - before;
    assert!((MAX_BINDINGS..=2 * MAX_BINDINGS).contains(&asked), "{asked}");
    assert!(
        calls.lock().unwrap()[before..]
            .iter()
            .all(|b| *b == SelectedBinding::Default
                || *b >= named(&format!("b{}", MAX_BINDINGS + 1))
                || b.to_string().len() > 4)
    );
}
